"""Pictures of a race: gaps against passes and seconds, a sweep of learning rates, the ways over the contours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from torchlinear.report import fonts
from torchlinear.report.race_page import ground
from torchlinear.report.style import FAINT, INK, LINE, POINT, heading, quiet

__all__ = [
    "COLOURS",
    "LEAST",
    "Curve",
    "Line",
    "Sweep",
    "Trail",
    "colours_of",
    "plot_gaps",
    "plot_line",
    "plot_sweep",
    "plot_trails",
]

Array = NDArray[np.float64]

COLOURS = (LINE, "#c8802b", "#3d8f6e", "#8453a6", "#3b82c4", "#b5548a", "#8a8f26", "#6d5a4b")
LEAST, HIGHEST = 1e-16, 1e3  # gaps where curves end
STAGES = 6  # lines of one runner on its way


@dataclass(frozen=True, slots=True)
class Curve:
    """One runner's gap.

    Attributes
    ----------
    label : str
        Who.
    at : ndarray, shape (f,)
        Passes or seconds.
    gap : ndarray, shape (f,)
        Gap at each.
    direct : bool
        Whether it ends after a few passes: then its frames are marked.
    """

    label: str
    at: Array
    gap: Array
    direct: bool


@dataclass(frozen=True, slots=True)
class Sweep:
    """One solver's final gap by learning rate; inf where it diverged."""

    label: str
    lr: Array
    gap: Array


@dataclass(frozen=True, slots=True)
class Trail:
    """One runner's way over the map: `points` is (f, 2)."""

    label: str
    points: Array
    direct: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One runner's curve over the feature at a moment: `y` over `x`."""

    label: str
    x: Array
    y: Array


def colours_of(labels: Sequence[str]) -> list[str]:
    """The colour of each runner, the same in every picture; the exact solver's is that of the optimum."""
    others = iter(COLOURS * len(labels))
    return [POINT if "exact" in label else next(others) for label in labels]


def plot_gaps(curves: Sequence[Curve], ax: Axes, against: str, title: str, below: str) -> Axes:
    """Draw gaps on a log axis against ``"passes"`` or ``"seconds"``."""
    quiet(ax)
    lowest = 1.0
    for curve, colour in zip(curves, colours_of([curve.label for curve in curves])):
        seen = (curve.at > 0) & np.isfinite(curve.gap)
        at, gap = curve.at[seen], np.clip(curve.gap[seen], LEAST, HIGHEST)
        lowest = min(lowest, float(gap.min(initial=1.0)))
        if curve.direct:
            ax.plot(at, gap, "*" if len(at) == 1 else "*--", color=colour,
                    markersize=11, linewidth=1.0, clip_on=False, zorder=4, label=curve.label)  # fmt: skip
        else:
            ax.plot(at, gap, color=colour, linewidth=1.6, label=curve.label)
    floor = max(LEAST, 10.0 ** np.floor(np.log10(lowest)))
    for level, word in ((1e-1, "10 %"), (1e-2, "1 %"), (1e-4, "0.01 %")):
        if level > floor:
            ax.axhline(level, color=FAINT, linewidth=0.7, linestyle=(0, (2, 3)), zorder=1)
            ax.annotate(word, (1.0, level), xycoords=("axes fraction", "data"), xytext=(2, 0),
                        textcoords="offset points", fontsize=8, color=FAINT, va="center")  # fmt: skip
    ax.set(xscale="log", yscale="log", ylim=(floor, min(HIGHEST, _highest(curves))))
    ax.set_xlabel("passes over the data" if against == "passes" else "seconds of solving")
    ax.set_ylabel("gap to the optimum (1 at the start)")
    heading(ax, title, below)
    fonts.adapt(ax)
    return ax


def _highest(curves: Sequence[Curve]) -> float:
    tops = [float(curve.gap[np.isfinite(curve.gap)].max(initial=1.0)) for curve in curves]
    return 2.0 * max(1.0, *tops)


def plot_sweep(sweeps: Sequence[Sweep], ax: Axes, edge: float, below: str) -> Axes:
    """Draw final gaps against learning rates; what diverged is at the top, with a cross."""
    quiet(ax)
    finite = [value for sweep in sweeps for value in sweep.gap if np.isfinite(value) and value < 1.0]
    top, floor = 3.0, max(LEAST, min(finite, default=0.1) / 3.0)
    for sweep, colour in zip(sweeps, COLOURS * len(sweeps)):
        lost = ~(sweep.gap < 1.0)
        gap = np.where(lost, np.nan, np.maximum(sweep.gap, LEAST))
        ax.plot(sweep.lr, gap, "o-", color=colour, markersize=3.5, linewidth=1.4, label=sweep.label)
        ax.plot(sweep.lr[lost], np.full(int(lost.sum()), top / 1.6), "x", color=colour, markersize=5)
    ax.axvline(edge, color=POINT, linewidth=1.0, linestyle=(0, (4, 3)))
    ax.annotate("2/λmax", (edge, 0.0), xycoords=("data", "axes fraction"), xytext=(3, 4),
                textcoords="offset points", fontsize=9, color=POINT)  # fmt: skip
    ax.set(xscale="log", yscale="log", ylim=(floor, top))
    ax.set_xlabel("learning rate")
    ax.set_ylabel("final gap; x: diverged or worse than the start")
    ax.legend(frameon=False, fontsize=9, labelcolor=INK)
    heading(ax, "Every learning rate", below)
    fonts.adapt(ax)
    return ax


def plot_trails(
    x: Array,
    y: Array,
    gap: Array,
    trails: Sequence[Trail],
    best: Array,
    names: Sequence[str],
    ax: Axes,
    below: str,
) -> Axes:
    """Draw ways over the contours of the loss; `gap` is (ny, nx)."""
    quiet(ax)
    ax.grid(False)
    height, levels = ground(gap, 16)
    ax.contourf(x, y, height, levels=np.unique(levels), cmap="Greys_r", alpha=0.45, extend="min", zorder=0)
    ax.contour(
        x, y, height, levels=np.unique(levels), colors=FAINT, linewidths=0.5, linestyles="solid", zorder=1
    )
    for trail, colour in zip(trails, colours_of([trail.label for trail in trails])):
        inside = np.isfinite(trail.points).all(axis=1)
        points = trail.points[inside]
        style: dict[str, Any] = {"linestyle": (0, (1, 2))} if trail.direct else {}
        ax.plot(points[:, 0], points[:, 1], color=colour, linewidth=1.5, label=trail.label, zorder=3, **style)
        ax.plot(points[-1:, 0], points[-1:, 1], "o", color=colour, markersize=4.5, zorder=4)
    ax.plot(*best, "*", color=POINT, markersize=13, zorder=5)
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    ax.set_xlabel(names[0], parse_math=False)
    ax.set_ylabel(names[1], parse_math=False)
    ax.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    heading(ax, "The ways down", below)
    fonts.adapt(ax)
    return ax


def plot_line(
    lines: Sequence[Line],
    points: tuple[Array, Array],
    best: Line,
    names: tuple[str, str],
    title: str,
    colour: str,
    ax: Axes,
) -> Axes:
    """Draw a runner's line on its way, fainter the earlier, and the optimum dashed."""
    quiet(ax)
    ax.scatter(*points, s=16, color=POINT, linewidths=0, alpha=0.75, zorder=2)
    for place, line in enumerate(lines, start=1):
        ax.plot(line.x, line.y, color=colour, alpha=0.15 + 0.85 * place / len(lines), linewidth=1.6,
                label=line.label, zorder=3)  # fmt: skip
    ax.plot(best.x, best.y, color=INK, linewidth=1.2, linestyle=(0, (4, 3)), label=best.label, zorder=4)
    low, high = points[1].min(), points[1].max()
    room = 0.35 * (high - low or 1.0)
    ax.set_ylim(low - room, high + room)
    ax.set_xlabel(names[0], parse_math=False)
    ax.set_ylabel(names[1], parse_math=False)
    ax.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    heading(ax, title, "")
    fonts.adapt(ax)
    return ax
