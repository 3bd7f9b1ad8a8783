"""The map of a run: how far the loss is above its optimum over two coefficients, the others at their best.

With d = b - b* the height over two coefficients s, the others o profiled out, is

    squared loss     d_s' (H_ss - H_so H_oo^-1 H_os) d_s,     H = X'X / n + ridge,       from second moments;
    other losses     min over d_o of  D(b, b*) + (g + grad P)' d,                        from a sample of the rows,

D(b, b*) = F(b) - F(b*) - grad F(b*)' d of the sample, g the slope of all rows: so the optimum of the map is that of all
rows, whatever was drawn (the control variate of Johnson, Zhang 2013, "Accelerating stochastic gradient descent using
predictive variance reduction"). A lasso penalty has corners: with the squared loss the others follow by coordinate
descent, with other losses the map is a slice through the optimum, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.losses.base import Loss

__all__ = ["Contours", "Landscape", "contours"]

Array = NDArray[np.float64]

SIDE, PROFILED_SIDE = 61, 41  # points of the grid along an axis; Newton's steps at each point cost more
ROWS, PROFILED_ROWS = 2_000, 400  # of a sample
TOGETHER = 2_000_000  # linear predictors that are computed at once
STEPS = 6  # of Newton's method from the best quadratic guess
SWEEPS, WIDEST = 60, 60  # of coordinate descent; coefficients beyond which it takes too long
MARGIN, SPREAD = 1.35, 0.6  # of the map around start and optimum; of it by curvature alone
FLOOR = 1e-16  # of heights, relative to the highest


@dataclass(frozen=True, slots=True)
class Landscape:
    """What a run minimises.

    Attributes
    ----------
    X, y : Tensors, shapes (n, p) and (n, 1)
        Rows, float64.
    loss : Loss
        What a row costs.
    ridge, lasso : float
        Strengths: ``ridge / 2 * sum beta^2 + lasso * sum |beta|``.
    best, start : Tensor, shape (p + 1, k)
        The optimum, and where the runners start.
    """

    X: Tensor
    y: Tensor
    loss: Loss
    ridge: float
    lasso: float
    best: Tensor
    start: Tensor

    @property
    def size(self) -> int:
        """Coefficients in all."""
        return self.best.numel()

    @property
    def penalised(self) -> Tensor:
        """Which of the flattened coefficients a penalty is on: all but the intercepts."""
        mask = torch.ones_like(self.best)
        mask[-1] = 0.0
        return mask.flatten()

    def cost(self, coef: Tensor) -> Tensor:
        """The penalty of flattened coefficients (c, size)."""
        beta = coef * self.penalised
        return self.ridge / 2 * beta.square().sum(dim=1) + self.lasso * beta.abs().sum(dim=1)


@dataclass(frozen=True, slots=True)
class Contours:
    """A grid of heights.

    Attributes
    ----------
    axes : (int, int)
        Which of the flattened coefficients.
    x, y : (float, float)
        Where the grid begins and ends.
    heights : array, shape (ny, nx)
        Loss above the optimum, at least 0.
    profiled : bool
        Whether the other coefficients are at their best at every point.
    rows : int
        Rows that it was computed from.
    """

    axes: tuple[int, int]
    x: tuple[float, float]
    y: tuple[float, float]
    heights: Array
    profiled: bool
    rows: int


def contours(land: Landscape, axes: tuple[int, int]) -> Contours:
    """The map over two of the flattened coefficients."""
    if land.loss.quadratic:
        return _quadratic(land, axes)
    profiled = land.size > 2 and land.lasso == 0.0
    heights = _Sampled(land, PROFILED_ROWS if profiled else ROWS)
    bent = heights.curvature(land.best.flatten()[None])[0].numpy()
    frame = _frame(land, axes, _profiled(bent, axes) / 2, PROFILED_SIDE if profiled else SIDE)
    others = [j for j in range(land.size) if j not in axes] if profiled else []
    found = heights.over(frame.cells(land), others, bent)
    return frame.filled(found, profiled or land.size == 2, heights.rows)


def _quadratic(land: Landscape, axes: tuple[int, int]) -> Contours:
    X = torch.cat([land.X, torch.ones(len(land.X), 1, dtype=torch.float64)], dim=1)
    moments = (X.T @ X / len(X)).numpy()
    bent = moments + np.diag(land.penalised.numpy() * land.ridge / 2)
    schur = _profiled(bent, axes)
    if land.lasso == 0.0:
        frame = _frame(land, axes, schur, SIDE)
        apart = frame.cells(land)[:, axes].numpy() - land.best.flatten()[list(axes)].numpy()
        return frame.filled(((apart @ schur) * apart).sum(axis=1), True, len(X))
    frame = _frame(land, axes, schur, PROFILED_SIDE)
    others = [j for j in range(land.size) if j not in axes]
    profiled = len(others) <= WIDEST
    slope = (2.0 * X.T @ (X @ land.best - land.y) / len(X))[:, 0].numpy()
    found = _lasso(land, bent, slope, frame.cells(land), others if profiled else [])
    return frame.filled(found, profiled, len(X))


def _profiled(bent: Array, axes: tuple[int, int]) -> Array:
    """The Schur complement of two coordinates: the curvature where the others are at their best."""
    s = list(axes)
    o = [j for j in range(len(bent)) if j not in axes]
    if not o:
        return bent[np.ix_(s, s)]
    follow = np.linalg.lstsq(bent[np.ix_(o, o)], bent[np.ix_(o, s)], rcond=None)[0]
    return np.asarray(bent[np.ix_(s, s)] - bent[np.ix_(s, o)] @ follow)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the grid lies."""

    axes: tuple[int, int]
    middle: Array
    half: Array
    side: int

    def cells(self, land: Landscape) -> Tensor:
        """Flattened coefficients of every point, shape (side^2, size): the optimum but for the axes."""
        low, high = self.middle - self.half, self.middle + self.half
        x, y = (torch.linspace(float(low[i]), float(high[i]), self.side, dtype=torch.float64) for i in (0, 1))
        cells = land.best.flatten().repeat(self.side**2, 1)
        cells[:, self.axes[0]] = x.repeat(self.side)
        cells[:, self.axes[1]] = y.repeat_interleave(self.side)
        return cells

    def filled(self, heights: Array, profiled: bool, rows: int) -> Contours:
        """The map."""
        low, high = (self.middle - self.half).tolist(), (self.middle + self.half).tolist()
        shaped = np.maximum(heights, 0.0).reshape(self.side, self.side)
        return Contours(self.axes, (low[0], high[0]), (low[1], high[1]), shaped, profiled, rows)


def _frame(land: Landscape, axes: tuple[int, int], schur: Array, side: int) -> _Frame:
    """Around start and optimum, and as wide as the loss of the start, the others at their best, reaches."""
    best, start = (coef.flatten()[list(axes)].numpy() for coef in (land.best, land.start))
    whole = max(float((start - best) @ schur @ (start - best)), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.sqrt(whole / np.diag(schur))
    reach = np.where(np.isfinite(reach), reach, 0.0)
    half = np.maximum(MARGIN * np.abs(start - best), SPREAD * reach)
    smallest = 1e-9 + 1e-6 * np.abs(best)
    return _Frame(axes, best, np.where(half > smallest, half, np.abs(best) + 1.0), side)


def _lasso(land: Landscape, bent: Array, slope: Array, cells: Tensor, others: list[int]) -> Array:
    """Squared loss and lasso penalty: the others by coordinate descent at all points at once."""
    best = land.best.flatten().numpy()
    apart = cells.numpy() - best
    pull = apart @ bent
    strength = land.lasso * land.penalised.numpy()
    for _ in range(SWEEPS if others else 0):
        moved = 0.0
        for j in others:
            if bent[j, j] == 0.0:
                continue
            free = 2.0 * bent[j, j] * (best[j] + apart[:, j]) - (2.0 * pull[:, j] + slope[j])
            new = np.sign(free) * np.maximum(np.abs(free) - strength[j], 0.0) / (2.0 * bent[j, j]) - best[j]
            step = new - apart[:, j]
            pull += step[:, None] * bent[j]
            apart[:, j] = new
            moved = max(moved, float(np.abs(step).max()))
        if moved <= 1e-9 * (1.0 + float(np.abs(apart).max())):
            break
    cost = (strength * (np.abs(best + apart) - np.abs(best))).sum(axis=1)
    return np.asarray((pull * apart).sum(axis=1) + apart @ slope + cost)


class _Sampled:
    """Heights of any loss, from rows that lie evenly among all."""

    def __init__(self, land: Landscape, rows: int) -> None:
        self.land, self.k = land, land.best.shape[1]
        X = torch.cat([land.X, torch.ones(len(land.X), 1, dtype=torch.float64)], dim=1)
        whole = X.T @ land.loss.gradient(X @ land.best, land.y) / len(X)
        drawn = slice(None, None, max(1, -(-len(X) // rows)))
        self.X, self.y = X[drawn].contiguous(), land.y[drawn].contiguous()
        self.rows = len(self.X)
        eta = self.X @ land.best
        self.least = float(land.loss.value(eta, self.y).mean())
        drawn_slope = self.X.T @ land.loss.gradient(eta, self.y) / self.rows
        self.tilt = (whole - drawn_slope).flatten()
        self.best = land.best.flatten()
        self.ridge = land.ridge * land.penalised

    def over(self, cells: Tensor, others: list[int], bent: Array) -> Array:
        """Heights of points (c, size), once the coefficients `others` are at their best."""
        together = max(1, TOGETHER // (self.rows * self.k))
        found = [self._over(part, others, bent) for part in torch.split(cells, together)]
        return np.asarray(torch.cat(found).numpy())

    def _over(self, cells: Tensor, others: list[int], bent: Array) -> Tensor:
        if not others:
            return self.height(cells)
        axes = [j for j in range(self.land.size) if j not in others]
        follow = np.linalg.lstsq(bent[np.ix_(others, others)], bent[np.ix_(others, axes)], rcond=None)[0]
        guess = cells.clone()
        guess[:, others] -= (cells - self.best)[:, axes] @ torch.from_numpy(follow).T
        height, guessed = self.height(cells), self.height(guess)
        cells = torch.where((guessed < height)[:, None], guess, cells)
        height = torch.minimum(height, guessed)
        for _ in range(STEPS):
            cells, height = self._newton(cells, height, others)
        return height

    def _newton(self, cells: Tensor, height: Tensor, others: list[int]) -> tuple[Tensor, Tensor]:
        """A step of each point where it leads down, shortened where it does not."""
        bent = self.curvature(cells)[:, others][:, :, others]
        diagonal = bent.diagonal(dim1=1, dim2=2)
        diagonal += 1e-9 * diagonal.mean(dim=1, keepdim=True) + 1e-12
        step = torch.zeros_like(cells)
        step[:, others] = torch.linalg.solve(bent, self.slope(cells)[:, others])
        for share in (1.0, 0.25, 0.05):
            tried = cells - share * step
            reached = self.height(tried)
            lower = reached < height
            cells = torch.where(lower[:, None], tried, cells)
            height = torch.where(lower, reached, height)
            step = torch.where(lower[:, None], torch.zeros_like(step), step)
        return cells, height

    def height(self, cells: Tensor) -> Tensor:
        """Above the optimum, shape (c,)."""
        value = self._rows(cells, self.land.loss.value).mean(dim=1)[..., 0]
        penalty = self.land.cost(cells) - self.land.cost(self.best[None])
        return value - self.least + (cells - self.best) @ self.tilt + penalty

    def slope(self, cells: Tensor) -> Tensor:
        """Derivative of `height`, shape (c, size)."""
        rows = self._rows(cells, self.land.loss.gradient)
        return (self.X.T @ rows).flatten(1) / self.rows + self.tilt + self.ridge * cells

    def curvature(self, cells: Tensor) -> Tensor:
        """Second derivative of `height`, shape (c, size, size)."""
        c, P, k = len(cells), self.X.shape[1], self.k
        products = (self.X[:, :, None] * self.X[:, None, :]).reshape(self.rows, P * P)
        bent = torch.zeros(c, P, k, P, k, dtype=torch.float64)
        if self.land.loss.separable:
            weight = self._rows(cells, self.land.loss.expected)[..., 0]
            bent[:, :, 0, :, 0] = (weight @ products).reshape(c, P, P) / self.rows
        else:
            mean = self._rows(cells, lambda eta, _: self.land.loss.mean(eta))
            for a in range(k):
                for b in range(k):
                    weight = mean[..., a] * (float(a == b) - mean[..., b])
                    bent[:, :, a, :, b] = (weight @ products).reshape(c, P, P) / self.rows
        return bent.reshape(c, P * k, P * k) + torch.diag(self.ridge)

    def _rows(self, cells: Tensor, of: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """A function of linear predictor and target at every point and row, shape (c, rows, columns)."""
        coef = cells.reshape(len(cells), -1, self.k)
        eta = self.X @ coef
        found = of(eta.reshape(-1, self.k), self.y.repeat(len(cells), 1))
        return found.reshape(len(cells), self.rows, -1)
