"""The map of a run: how far the objective is above its optimum over two coefficients, the others profiled out.

With d = b - b* the height over two coefficients s, the others o at their best for each point, is

    squared loss     1/2 d_s' (H_ss - H_so H_oo^-1 H_os) d_s,     H the Hessian;
    with a lasso     min over d_o of  1/2 d'Hd + g'd + sum lasso_j (|b_j| - |b*_j|),      by coordinate descent;
    other losses     min over d_o of the objective of a sample of the rows,               by Newton (`sampled`).

Rows that do not lie in memory, or are sparse, and coefficients that are too many for Newton's method have the others
at o* - H_oo^-1 H_os d_s, their best to second order; where no Hessian tells the others' way they stay at the optimum,
and the map is a slice. A map says which of these it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.objective import Objective
from torchlinear.penalties.separable import Separable
from torchlinear.quadratic import QuadraticObjective
from torchlinear.racing.curvature import hessian, slope_of
from torchlinear.racing.judge import judge_of
from torchlinear.racing.sampled import Sampled
from torchlinear.rows import TensorRows

__all__ = ["Contours", "Others", "contours", "surroundings"]

Array = NDArray[np.float64]
Axes = tuple[int, int]

SIDE, PROFILED_SIDE, FEWEST = (
    61,
    41,
    15,
)  # points of the grid along an axis; each step at each point costs more
ROWS, PROFILED_ROWS = 2_000, 400  # of a sample
NUMBERS = 2_000_000_000  # of X that a map may read
SWEEPS, WIDEST = (
    60,
    60,
)  # of coordinate descent; coefficients beyond which it, or Newton's method, takes too long
MARGIN, SPREAD = 1.35, 0.6  # of the map around start and optimum; of it by curvature alone
FLAT = 1e-10  # share of its curvature that a coefficient keeps when the others follow: less of it is rounding


class Others(Enum):
    """Where the coefficients are that a map does not show."""

    NONE = "there are none"
    BEST = "profiled out"
    NEARLY = "profiled out to second order"
    FIXED = "at the optimum"


@dataclass(frozen=True, slots=True)
class Contours:
    """A map of the objective.

    Attributes
    ----------
    axes : (int, int)
        Which of the flat (p + 1) k coefficients, C order.
    x, y : ndarray, shapes (nx,) and (ny,)
        Values of the two, in the units of the race.
    heights : ndarray, shape (ny, nx)
        Objective above the optimum, at least 0.
    start : float
        Height of the start.
    others : Others
        Where the other coefficients are.
    rows : int or None
        Rows that it was computed from; None when nobody counted them.
    """

    axes: Axes
    x: Array
    y: Array
    heights: Array
    start: float
    others: Others
    rows: int | None

    @property
    def gap(self) -> Array:
        """Heights as shares of that of the start."""
        return self.heights / self.start

    @property
    def profiled(self) -> bool:
        """Whether there are other coefficients, at their best for each point, at least to second order."""
        return self.others in (Others.BEST, Others.NEARLY)


def contours(
    objective: Objective, best: Tensor, start: Tensor, axes: Axes, box: Array, points: int | None = None
) -> Contours:
    """The map of two coefficients.

    Parameters
    ----------
    objective : Objective
        In the units of the race.
    best, start : Tensor, shape (p + 1, k)
        The optimum and the start, in these units.
    axes : (int, int)
        Which coefficients, numbers in flat (p + 1) k, C order.
    box : ndarray, shape (2, 2)
        Lowest and highest value of each.
    points : int, optional
        Of each side; by default as many as the way of computing them affords.
    """
    judge = judge_of(objective, best, start)
    ground = _Ground(objective, best, axes, _bent(objective, best))
    others, rows = ground.others_are, objective.rows.n_rows
    lasso = isinstance(objective, QuadraticObjective) and not objective.smooth and others is Others.BEST
    sample = None if objective.loss.quadratic or not ground.plain else _sample(ground, others)
    side = points or (PROFILED_SIDE if lasso or (sample and others is Others.BEST) else SIDE)
    if sample is None and not objective.loss.quadratic and isinstance(objective.rows, TensorRows):
        numbers = (rows or 1) * objective.n_features * objective.n_outputs
        side = min(side, max(FEWEST, int(np.sqrt(NUMBERS / numbers))))
    x, y = (np.linspace(low, high, side) for low, high in box)
    cells = ground.cells(x, y)
    if lasso:
        found = _by_descent(objective, ground, cells)
    elif sample is not None:
        best_of = others is Others.BEST
        found = (
            sample.least_over(ground.others, cells, ground.followed(cells)) if best_of else sample.at(cells)
        )
        rows = sample.rows
    else:
        moved = ground.followed(cells) if others in (Others.BEST, Others.NEARLY) else cells
        found = judge.heights(moved.reshape(-1, *best.shape)).excess
    heights = np.maximum(np.nan_to_num(found, nan=np.inf), 0.0).reshape(side, side)
    return Contours(axes, x, y, heights, judge.whole, others, rows)


def surroundings(objective: Objective, best: Tensor, start: Tensor, axes: Axes) -> Array:
    """A box for `contours`: around start and optimum, as wide as the level of the start reaches, shape (2, 2)."""
    ground = _Ground(objective, best, axes, _bent(objective, best))
    middle, begin = (coef.flatten()[list(axes)].numpy() for coef in (best, start))
    bent = np.eye(best.numel()) if ground.bent is None else ground.bent
    schur = ground.schur(bent)
    flat = np.diag(schur) <= FLAT * np.diag(bent)[list(axes)]
    whole = max(float((begin - middle) @ schur @ (begin - middle)), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.sqrt(whole / np.diag(schur))
    reach = np.where(flat, 0.0, reach)
    half = np.maximum(MARGIN * np.abs(begin - middle), SPREAD * reach)
    half = np.where(half > 1e-9 + 1e-6 * np.abs(middle), half, np.abs(middle) + 1.0)
    return np.stack([middle - half, middle + half], axis=1)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a map is drawn of.

    Attributes
    ----------
    bent : ndarray, shape (q, q), or None
        Hessian of the smooth part at the optimum; None when it is not known.
    """

    objective: Objective
    best: Tensor
    axes: Axes
    bent: Array | None

    @property
    def others(self) -> list[int]:
        """The free coefficients that the map does not show."""
        free = self.best.numel() - (0 if self.objective.intercept else self.objective.n_outputs)
        return [j for j in range(free) if j not in self.axes]

    @property
    def plain(self) -> bool:
        """Whether the penalty is a sum of absolute values and squares."""
        asked = self.objective.penalty
        return asked is None or (isinstance(asked, Separable) and not self.objective.bounded)

    @property
    def others_are(self) -> Others:
        """How well the others can follow."""
        few, smooth = len(self.others) <= WIDEST, self.objective.smooth
        if not self.others:
            return Others.NONE
        if self.bent is None or self.objective.bounded:
            return Others.FIXED
        if self.objective.loss.quadratic and (smooth or (self.plain and few)):
            return Others.BEST
        if not smooth:
            return Others.FIXED
        return Others.BEST if few and self.plain and _dense(self.objective) else Others.NEARLY

    def cells(self, x: Array, y: Array) -> Tensor:
        """Flat coefficients of every point, shape (ny nx, q): the optimum but for the axes."""
        cells = self.best.flatten().repeat(len(x) * len(y), 1)
        cells[:, self.axes[0]] = torch.from_numpy(x).repeat(len(y))
        cells[:, self.axes[1]] = torch.from_numpy(y).repeat_interleave(len(x))
        return cells

    def following(self, bent: Array) -> Array:
        """How the others move with the two, to second order, shape (others, 2)."""
        inner, across = bent[np.ix_(self.others, self.others)], bent[np.ix_(self.others, self.axes)]
        return np.asarray(-np.linalg.lstsq(inner, across, rcond=1e-12)[0])

    def schur(self, bent: Array) -> Array:
        """The curvature of the two where the others follow, shape (2, 2)."""
        schur = bent[np.ix_(self.axes, self.axes)]
        if not self.others:
            return schur
        return np.asarray(schur + bent[np.ix_(self.axes, self.others)] @ self.following(bent))

    def followed(self, cells: Tensor) -> Tensor:
        """`cells` with the others at their best to second order."""
        assert self.bent is not None
        moves = (cells - self.best.flatten())[:, list(self.axes)]
        cells = cells.clone()
        cells[:, self.others] += moves @ torch.from_numpy(self.following(self.bent)).T
        return cells


def _dense(objective: Objective) -> bool:
    """Whether the rows are a dense tensor in memory."""
    return isinstance(objective.rows, TensorRows) and objective.rows.dense


def _bent(objective: Objective, best: Tensor) -> Array | None:
    """The Hessian, unless it is too large or that of one output of several."""
    bent = hessian(objective, best)
    return bent if bent is not None and len(bent) == best.numel() else None


def _sample(ground: _Ground, others: Others) -> Sampled | None:
    """Rows that the heights of a loss that is not quadratic are computed from; None where they do not stand for it."""
    if others is Others.NEARLY or not _dense(ground.objective):
        return None
    return Sampled(ground.objective, ground.best, PROFILED_ROWS if others is Others.BEST else ROWS)


def _by_descent(objective: Objective, ground: _Ground, cells: Tensor) -> Array:
    """Heights of squared loss with absolute values: the others by coordinate descent at all points at once."""
    assert ground.bent is not None
    bent, best = ground.bent, ground.best.flatten().numpy()
    slope, k = slope_of(objective, ground.best).ravel(), objective.n_outputs
    strength = np.append(np.repeat(objective.lasso(2.0), k), np.zeros(k))
    apart = ground.followed(cells).numpy() - best
    pull = apart @ bent
    for _ in range(SWEEPS):
        moved = 0.0
        for j in ground.others:
            if bent[j, j] == 0.0:
                continue
            free = bent[j, j] * (best[j] + apart[:, j]) - (pull[:, j] + slope[j])
            new = np.sign(free) * np.maximum(np.abs(free) - strength[j], 0.0) / bent[j, j] - best[j]
            step = new - apart[:, j]
            pull += step[:, None] * bent[j]
            apart[:, j] = new
            moved = max(moved, float(np.abs(step).max()))
        if moved <= 1e-9 * (1.0 + float(np.abs(apart).max())):
            break
    cost = (strength * (np.abs(best + apart) - np.abs(best))).sum(axis=1)
    return np.asarray((pull * apart).sum(axis=1) / 2.0 + apart @ slope + cost)
