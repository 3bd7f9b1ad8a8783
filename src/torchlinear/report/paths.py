"""Picture of a path: every coefficient against the strength of the penalty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from torchlinear.inference.numerals import significant
from torchlinear.report import fonts
from torchlinear.report.style import FAINT, INK, LINE, POINT, axes_of, heading, quiet

__all__ = ["Profiles", "plot_profiles"]

Array = NDArray[np.float64]

COLOURS = (LINE, POINT, "#3f8f5f", "#b0762a", "#7a4f9a", "#4f7fb5", "#8a8f26", "#b5548a")
COUNTS = 7  # numbers of features written along the top, at most
APART = 0.045  # of the axis: how far names at the right are kept from each other
LONGEST = 24  # characters of a name


@dataclass(frozen=True, slots=True)
class Profiles:
    """What the picture shows of m penalties.

    Attributes
    ----------
    alpha : ndarray, shape (m,)
        Strengths.
    effects : ndarray, shape (m, p)
        Coefficients times the standard deviations of their columns.
    names : sequence of str
        Of the features.
    target : str
        What is predicted.
    r2 : ndarray, shape (m,)
        Share of the variance explained.
    label : str
        Kind of penalty.
    loss : str, optional
        The loss that is not squared: then `r2` is the share of its null deviance.
    """

    alpha: Array
    effects: Array
    names: Sequence[str]
    target: str
    r2: Array
    label: str
    loss: str | None = None


def plot_profiles(profiles: Profiles, ax: Axes | None = None) -> Axes:
    """Draw a line for each feature; the largest are coloured and named, the number of features is on top.

    Parameters
    ----------
    profiles : Profiles
        What to draw.
    ax : Axes, optional
        Where to draw; a new figure otherwise.

    Returns
    -------
    Axes
        The axes drawn on.
    """
    ax = axes_of(ax)
    quiet(ax)
    x, effects = profiles.alpha, profiles.effects
    largest = np.argsort(-np.abs(effects).max(axis=0), kind="stable")
    named = [int(i) for i in largest[: len(COLOURS)] if effects[:, i].any()]
    rest = [int(i) for i in largest[len(named) :] if effects[:, i].any()]
    if rest:
        ax.plot(x, effects[:, rest], color=FAINT, linewidth=0.7, alpha=0.6, zorder=2)
    for i, colour in zip(named, COLOURS):
        ax.plot(x, effects[:, i], color=colour, linewidth=1.6, zorder=3)
    ax.axhline(0.0, color=INK, linewidth=0.8, zorder=1)
    ax.set_xscale("symlog" if (x <= 0).any() else "log")
    ax.invert_xaxis()
    _name(ax, profiles, named)
    ax.set_xlabel("strength of the penalty, alpha")
    what = "change in" if profiles.loss is None else "coefficient of"
    ax.set_ylabel(f"{what} {profiles.target} per standard deviation", parse_math=False)
    lift = _count(ax, profiles)
    measure = "R2" if profiles.loss is None else "explained deviance"
    share = f"{measure} up to {significant(float(np.max(profiles.r2)), 3)}"
    features = f"{int(effects.any(axis=0).sum()):,} of {effects.shape[1]:,} features"
    heading(ax, "Path of the coefficients", f"{profiles.label}, {features}, {share}", lift)
    fonts.adapt(ax)
    return ax


def _name(ax: Axes, profiles: Profiles, named: Sequence[int]) -> None:
    """Write the names beside the ends of their lines, moved apart where they would touch."""
    low, high = ax.get_ylim()
    ends = {i: (float(profiles.effects[-1, i]) - low) / (high - low) for i in named}
    places = _apart([ends[i] for i in sorted(named, key=lambda i: ends[i])])
    for i, place in zip(sorted(named, key=lambda i: ends[i]), places):
        name = profiles.names[i]
        ax.annotate(
            name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…",
            xy=(1.0, place),
            xycoords="axes fraction",
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=COLOURS[named.index(i)],
            parse_math=False,
        )


def _apart(places: Sequence[float]) -> Array:
    """Ascending places moved as little as needed to be `APART`, their middle kept."""
    moved = np.array(places)
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + APART)
    return moved - (moved.mean() - np.mean(places) if len(moved) else 0.0)


def _count(ax: Axes, profiles: Profiles) -> float:
    """Write how many features have a coefficient along the top; the room that takes, in points."""
    counts = np.count_nonzero(profiles.effects, axis=1)
    if len(set(counts.tolist())) < 2:
        return 0.0
    for i in np.unique(np.linspace(0, len(counts) - 1, min(COUNTS, len(counts))).round().astype(int)):
        ax.annotate(
            f"{counts[i]}{' features' if i == 0 else ''}",
            xy=(float(profiles.alpha[i]), 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8,
            color=FAINT,
        )
    return 12.0
