"""Pictures of a fit. Every function takes and returns a Matplotlib Axes, and changes nothing but that."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray

from torchlinear.errors import InvalidInput
from torchlinear.inference.covariance import refusal
from torchlinear.inference.intervals import prediction
from torchlinear.inference.numerals import printable, significant
from torchlinear.loop import History
from torchlinear.report import fonts
from torchlinear.report.points import Points, mean_of
from torchlinear.report.style import FAINT, INK, LINE, POINT, axes_of, heading, quiet
from torchlinear.report.tables import equation
from torchlinear.solution import Solution

__all__ = ["plot", "plot_loss"]

Array = NDArray[np.float64]

LONGEST = 64  # characters of an equation that fit above a picture
HIGHEST = 1e200  # loss of a diverged run up to which an axis goes; matplotlib's ticks overflow near 1e300
DECADES = 2.0  # powers of ten that losses span from which on their axis is logarithmic


def plot(
    solution: Solution,
    X: Array,
    y: Array,
    ax: Axes | None = None,
    *,
    total: int | None = None,
    target: int | str = 0,
    level: float = 0.95,
    offset: Array | None = None,
) -> Axes:
    """Draw rows and fit: points, line and band for one feature; predicted against observed for more.

    Of two classes or proportions, the curve of the probability over the feature, or over the linear predictor of more
    than one.

    Parameters
    ----------
    solution : Solution
        The fit.
    X : ndarray, shape (n, p)
        Features of the rows to draw, in the user's units.
    y : ndarray, shape (n,) or (n, k)
        Their targets.
    ax : Axes, optional
        Where to draw; a new figure otherwise.
    total : int, optional
        Rows of which these are a sample. Beyond 2,000 rows a sample is drawn, and said to be one.
    target : int or str
        Which target, by position or name, when there are several.
    level : float
        Level of the confidence band of the line.
    offset : ndarray, shape (n,), optional
        What the rows' linear predictors have besides features and intercept.

    Returns
    -------
    Axes
        The axes drawn on; its title holds the equation, R2 and n.

    Raises
    ------
    InvalidInput
        When shapes do not belong to the fit, there is no such target, or it is one of many classes.
    """
    if solution.family is not None and not solution.family.separable:
        raise InvalidInput(
            f"plot draws one line, and {solution.loss} has one for each of {len(solution.targets)} classes; "
            "fit.predict_proba(X) gives their probabilities."
        )
    points = Points.of(solution, X, y, total, target, offset)
    ax = axes_of(ax)
    quiet(ax)
    if len(solution.names) == 1 and not points.offset.any():
        _draw_line(ax, solution, points, level)
    elif solution.family is not None and solution.family.labels:
        _draw_probability(ax, solution, points)
    else:
        _draw_predicted(ax, solution, points)
    fonts.adapt(ax)
    return ax


def plot_loss(history: History, best: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw the loss by epoch, on a logarithmic axis when it spans more than two powers of ten.

    Parameters
    ----------
    history : History
        Loss by epoch.
    best : float, optional
        Loss of the exact optimum; a line shows it, and the gap that is left is told.
    ax : Axes, optional
        Where to draw; a new figure otherwise.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    InvalidInput
        When the fit went through no epochs, as an exact one does not.
    """
    epoch, loss = history.epoch.numpy(), history.loss.numpy()
    if not loss.size:
        raise InvalidInput(
            "there is no loss by epoch to draw: an exact solver takes no epochs; fit with a descent."
        )
    ax = axes_of(ax)
    quiet(ax)
    ax.plot(epoch, loss, color=LINE, linewidth=1.8, marker="o" if loss.size == 1 else None, label="loss")
    below = (
        f"{history.seen:,} epoch{'' if history.seen == 1 else 's'}, last loss {significant(float(loss[-1]))}"
    )
    gap = _gap(loss, best)
    if best is not None:
        _draw_best(ax, epoch, gap, best)
        below += f", {significant(float(loss[-1]) - best, 3)} above the exact optimum {significant(best)}"
    if (_decades(loss) > DECADES or _decades(gap) > DECADES) and not (loss <= 0).any():
        ax.set_yscale("log")
        if np.nanmax(loss[np.isfinite(loss)]) > HIGHEST:
            ax.set_ylim(top=HIGHEST)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss")
    heading(ax, "Loss by epoch" if np.isfinite(loss).all() else "Loss by epoch (diverged)", below)
    fonts.adapt(ax)
    return ax


def _gap(loss: Array, best: float | None) -> Array:
    """Loss above the optimum, shape (e,); NaN where it is not known, or within rounding."""
    gap = np.full_like(loss, np.nan) if best is None else loss - best
    return np.where(gap > 4.0 * np.finfo(np.float64).eps * abs(best or 0.0), gap, np.nan)


def _decades(values: Array) -> float:
    """Powers of ten that the positive, finite values span."""
    usable = values[np.isfinite(values) & (values > 0)]
    return float(np.log10(usable.max() / usable.min())) if usable.size else 0.0


def _draw_best(ax: Axes, epoch: NDArray[np.int64], gap: Array, best: float) -> None:
    """Draw the exact optimum, and the gap to it where that is another curve than the loss."""
    if best <= 0:
        return
    if _decades(gap) > DECADES:
        ax.plot(epoch, gap, color=POINT, linewidth=1.2, label="gap to the optimum")
    ax.axhline(best, color=FAINT, linewidth=1.2, linestyle=(0, (4, 3)), label="exact optimum")
    ax.legend(frameon=False, fontsize=9, labelcolor=INK)


def _draw_line(ax: Axes, solution: Solution, points: Points, level: float) -> None:
    j, x = points.index, points.X[:, 0]
    ax.scatter(x, points.y, **_marks(points))
    inside = x[np.isfinite(x)]
    if inside.size:
        grid = np.linspace(inside.min(), inside.max(), 100)
        slope, intercept = solution.coef[0, j].item(), solution.coef[1, j].item()
        curve = mean_of(solution, intercept + slope * grid)
        ax.plot(grid, curve, color=LINE, linewidth=2.0, zorder=3, label="fit")
        if refusal(solution) is None and solution.evidence is not None:
            band = prediction(solution, grid[:, None], level, kind="confidence")
            low, high = (side.reshape(len(grid), -1)[:, j] for side in (band.low, band.high))
            share = f"{100 * level:g}% confidence band"
            ax.fill_between(grid, low, high, color=LINE, alpha=0.16, linewidth=0, zorder=2, label=share)
    _label(ax, printable(solution.names[0]), _observed(solution, j))
    _head(ax, solution, points)


def _draw_probability(ax: Axes, solution: Solution, points: Points) -> None:
    """Draw targets and the curve of their means over the linear predictor."""
    eta = points.linear(solution)
    ax.scatter(eta, points.y, **_marks(points))
    inside = eta[np.isfinite(eta)]
    if inside.size:
        grid = np.linspace(inside.min(), inside.max(), 100)
        ax.plot(grid, mean_of(solution, grid), color=LINE, linewidth=2.0, zorder=3, label="fit")
    left = equation(solution).splitlines()[points.index].partition(" = ")[0]
    _label(ax, left, _observed(solution, points.index))
    _head(ax, solution, points)


def _observed(solution: Solution, j: int) -> str:
    """What stands at the axis of a target: its name, less an offset that was taken off, or its second class."""
    name, loss = printable(solution.targets[j]), solution.family
    if solution.classes is not None:
        return f"{name} = {printable(str(solution.classes[-1]))}"
    residual = loss is None or loss.quadratic or loss.piecewise
    if solution.offset is None or not residual:
        return name
    offset = printable(solution.offset)
    return f"{name} - ({offset})" if " " in offset else f"{name} - {offset}"


def _draw_predicted(ax: Axes, solution: Solution, points: Points) -> None:
    j = points.index
    predicted, name = points.predicted(solution), _observed(solution, j)
    both = np.concatenate([predicted, points.y])
    both = both[np.isfinite(both)]
    ends = [both.min(), both.max()] if both.size else [0.0, 1.0]
    ax.plot(ends, ends, color=LINE, linewidth=1.6, zorder=3, label="predicted = observed")
    ax.scatter(points.y, predicted, **_marks(points))
    _label(ax, f"observed {name}", f"predicted {name}")
    _head(ax, solution, points)


def _marks(points: Points) -> dict[str, Any]:
    """How points look: smaller and fainter the more there are, as one image when they are a sample."""
    crowd = len(points.y)
    return {
        "s": 26.0 if crowd <= 200 else 14.0 if crowd <= 1000 else 9.0,
        "alpha": 0.85 if crowd <= 200 else 0.6 if crowd <= 1000 else 0.4,
        "color": POINT,
        "linewidths": 0,
        "rasterized": not points.complete,
        "label": points.label,
        "zorder": 3.5 if crowd <= 200 else 2.5,  # few points lie on the line, many under it
    }


def _label(ax: Axes, x: str, y: str) -> None:
    ax.set_xlabel(x, parse_math=False)  # a column may be called "price in $ of $area"
    ax.set_ylabel(y, parse_math=False)
    ax.legend(frameon=False, fontsize=9, labelcolor=INK)


def _head(ax: Axes, solution: Solution, points: Points) -> None:
    """Write the equation, R2, n, and which target it is of several."""
    j, name = points.index, printable(solution.targets[points.index])
    line = equation(solution).splitlines()[j]
    facts = [] if len(solution.targets) == 1 else [f"target {name} ({j + 1} of {len(solution.targets)})"]
    r2 = points.r2(solution)
    explained = points.explained(solution)
    facts += [] if r2 is None else [f"R² = {_share(r2)}"]
    facts += [] if explained is None else [f"deviance explained = {_share(explained)}"]
    facts.append(f"n = {points.total:,}")
    heading(
        ax, line if len(line) <= LONGEST else f"{name}, {len(solution.names):,} features", "    ".join(facts)
    )


def _share(value: float) -> str:
    """R2 to three decimals, to six where three would say 1."""
    return f"{value:.3f}" if value < 0.9995 else f"{value:.6f}" if value < 0.9999995 else "1"
