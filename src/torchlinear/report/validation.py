"""Picture of a cross-validation: the error on held-out rows against the strength of the penalty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray

from torchlinear.inference.numerals import significant
from torchlinear.report import fonts
from torchlinear.report.style import FAINT, INK, LINE, POINT, axes_of, heading, quiet

__all__ = ["Errors", "plot_errors"]

Array = NDArray[np.float64]

COLOURS = (LINE, "#3f8f5f", "#b0762a", "#7a4f9a", "#4f7fb5", "#8a8f26")
COUNTS = 7  # numbers of features written along the top, at most
SKEWED = 10.0  # times the least error above which the axis of errors is logarithmic


@dataclass(frozen=True, slots=True)
class Errors:
    """What the picture shows of m penalties.

    Attributes
    ----------
    alpha, mean, standard_error : ndarray, shape (m,)
        Strength, mean error on held-out rows, and its standard error (NaN: no bars).
    nonzero : ndarray of int, shape (m,)
        Features with a coefficient.
    curve : sequence of str
        Name of the curve that each penalty is on.
    best, one_standard_error, chosen : int
        Positions of the two choices, and of that which the fit has.
    splits : int
        How many held-out sets there were.
    measure : str
        What the errors are, such as ``"mean squared error"``.
    """

    alpha: Array
    mean: Array
    standard_error: Array
    nonzero: NDArray[np.int64]
    curve: Sequence[str]
    best: int
    one_standard_error: int
    chosen: int
    splits: int
    measure: str


def plot_errors(errors: Errors, ax: Axes | None = None) -> Axes:
    """Draw the mean error with bars of one standard error against the strength of the penalty.

    Both choices are marked. The number of features with a coefficient runs along the top, of the curve of the
    best. Other curves, of other mixes, have no bars.

    Parameters
    ----------
    errors : Errors
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
    curve = np.array(errors.curve)
    names = list(dict.fromkeys(errors.curve))
    for name, colour in zip(names, (COLOURS * len(names))[: len(names)]):
        _draw_curve(
            ax, errors, np.flatnonzero(curve == name), name if len(names) > 1 else "mean error", colour
        )
    _mark(ax, errors, errors.best, "-", "least error")
    _mark(ax, errors, errors.one_standard_error, "--", "one standard error")
    lift = _draw_counts(ax, errors, np.flatnonzero(curve == curve[errors.best]))
    ax.set_xscale("symlog" if (errors.alpha <= 0).any() else "log")
    if errors.mean.min() > 0 and errors.mean.max() > SKEWED * errors.mean.min():
        ax.set_yscale("log")
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("strength of the penalty, alpha")
    ax.set_ylabel(errors.measure)
    ax.legend(frameon=False, fontsize=9, labelcolor=INK)
    heading(ax, "Error on held-out rows", _words(errors), lift)
    fonts.adapt(ax)
    return ax


def _draw_curve(ax: Axes, errors: Errors, on: NDArray[np.intp], name: str, colour: str) -> None:
    """Draw a line, with a point and a bar for each penalty where the best is among them."""
    on = on[np.argsort(errors.alpha[on])]
    x, y, spread = errors.alpha[on], errors.mean[on], errors.standard_error[on]
    ax.plot(x, y, color=colour, linewidth=1.6, zorder=3, label=name)
    if errors.best in on and np.isfinite(spread).all():
        ax.errorbar(
            x, y, yerr=spread, fmt="o", color=colour, ecolor=FAINT, elinewidth=0.7, capsize=1.5, markersize=2.2,
            zorder=2,
        )  # fmt: skip


def _mark(ax: Axes, errors: Errors, at: int, dashes: str, name: str) -> None:
    chosen = " (chosen)" if at == errors.chosen else ""
    alpha = errors.alpha[at]
    ax.axvline(alpha, color=POINT, linewidth=1.2, linestyle=dashes, zorder=1, label=f"{name}{chosen}")
    ax.plot([alpha], [errors.mean[at]], "o", color=POINT, markersize=5.5, zorder=4)


def _draw_counts(ax: Axes, errors: Errors, on: NDArray[np.intp]) -> float:
    """Write how many features have a coefficient along the top, at a few strengths; the room it takes, in points."""
    on = on[np.argsort(errors.alpha[on])]
    if len(set(errors.nonzero[on].tolist())) < 2:
        return 0.0
    for i in on[np.unique(np.linspace(0, len(on) - 1, min(COUNTS, len(on))).round().astype(int))]:
        ax.annotate(
            f"{int(errors.nonzero[i])}{' features' if i == on[0] else ''}",
            xy=(float(errors.alpha[i]), 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8,
            color=FAINT,
        )
    return 12.0


def _words(errors: Errors) -> str:
    i = errors.chosen
    features = f"{int(errors.nonzero[i]):,} feature{'' if errors.nonzero[i] == 1 else 's'}"
    spread = errors.standard_error[i]
    about = f" ± {significant(float(spread), 2)}" if np.isfinite(spread) else ""
    facts = [
        f"alpha = {significant(float(errors.alpha[i]))}",
        f"error {significant(float(errors.mean[i]))}{about}",
        features,
        f"{errors.splits} splits",
    ]
    return ", ".join(facts)
