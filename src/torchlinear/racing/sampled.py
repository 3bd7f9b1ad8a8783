"""Heights of an objective from a sample of its rows, with some coefficients at their best by Newton's method.

The height of coefficients b above the optimum b* is taken as

    D(b, b*) + g'(b - b*) + P(b) - P(b*),      D(b, b*) = F(b) - F(b*) - grad F(b*)'(b - b*)  of the sample's mean loss,

g the slope of the mean loss of all rows: so the optimum is that of all rows, whatever was drawn (the control variate of
Johnson, Zhang 2013, "Accelerating stochastic gradient descent using predictive variance reduction").
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.objective import Objective
from torchlinear.racing.curvature import slope_of
from torchlinear.rows import TensorRows

__all__ = ["Sampled"]

Array = NDArray[np.float64]

TOGETHER = 2_000_000  # linear predictors that are computed at once
STEPS = 6  # of Newton's method from the best quadratic guess, at most
STILL = 1e-8  # share of its height below which a point gains nothing that could be seen


class Sampled:
    """Heights of any loss with a penalty of absolute values and squares, from evenly spaced rows.

    Parameters
    ----------
    objective : Objective
        Of dense rows in memory, and not of squared loss.
    best : Tensor, shape (p + 1, k)
        Its optimum.
    rows : int
        Rows that are drawn at most.
    """

    def __init__(self, objective: Objective, best: Tensor, rows: int) -> None:
        assert isinstance(objective.rows, TensorRows)
        self.loss, self.best = objective.loss, best.flatten()
        self.P, self.k = best.shape
        drawn = objective.rows if len(objective.rows.X) <= rows else objective.rows.spaced(rows)
        self.rows = len(drawn.X)
        ones = torch.ones(self.rows, 1, dtype=torch.float64)
        self.X, self.y = torch.cat([drawn.X.double(), ones], dim=1), drawn.y.double()
        self.offset = (
            torch.zeros(self.rows, 1).double() if drawn.offset is None else drawn.offset.double()[:, None]
        )
        weight = ones[:, 0] if drawn.weight is None else drawn.weight.double()
        self.share = weight / weight.sum()
        nothing = np.zeros(self.k)
        self.ridge, self.lasso = (
            torch.from_numpy(np.append(np.repeat(strength(1.0), self.k), nothing))
            for strength in (objective.ridge, objective.lasso)
        )
        self.tilt = torch.zeros_like(self.best)
        self.least = float(self._loss(self.best[None])[0])
        whole = torch.from_numpy(slope_of(objective, best).ravel()) - self.ridge * self.best
        self.tilt = whole - self._pull(self.best[None])[0]

    def at(self, cells: Tensor) -> Array:
        """Heights of flat coefficients (c, q), shape (c,)."""
        return np.asarray(torch.cat([self.height(part) for part in self._parts(cells)]).numpy())

    def least_over(self, others: list[int], cells: Tensor, guess: Tensor) -> Array:
        """Heights once the coefficients `others` are at their best, from the better of two starts; shape (c,)."""
        pairs = zip(self._parts(cells), self._parts(guess))
        return np.asarray(torch.cat([self._least_over(others, *pair) for pair in pairs]).numpy())

    def _parts(self, cells: Tensor) -> tuple[Tensor, ...]:
        return torch.split(cells, max(1, TOGETHER // (self.rows * self.k)))

    def _least_over(self, others: list[int], cells: Tensor, guess: Tensor) -> Tensor:
        height, guessed = self.height(cells), self.height(guess)
        cells = torch.where((guessed < height)[:, None], guess, cells)
        height = torch.minimum(height, guessed)
        going = torch.arange(len(cells))
        for _ in range(STEPS):
            cells[going], lower = self._newton(cells[going], height[going], others)
            gained = height[going] - lower
            height[going] = lower
            going = going[gained > STILL * lower]
            if not len(going):
                break
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
            if bool(lower.all()):
                break
        return cells, height

    def height(self, cells: Tensor) -> Tensor:
        """Above the optimum, shape (c,)."""
        cost = self._penalty(cells) - self._penalty(self.best[None])
        return self._loss(cells) - self.least + (cells - self.best) @ self.tilt + cost

    def slope(self, cells: Tensor) -> Tensor:
        """Derivative of the smooth part of `height`, shape (c, q)."""
        return self._pull(cells) + self.tilt + self.ridge * cells

    def curvature(self, cells: Tensor) -> Tensor:
        """Second derivative of the smooth part of `height`, over targets on average, shape (c, q, q)."""
        c, P, k = len(cells), self.P, self.k
        products = (self.X[:, :, None] * self.X[:, None, :]).reshape(self.rows, P * P) * self.share[:, None]
        bent = torch.zeros(c, P, k, P, k, dtype=torch.float64)
        if self.loss.separable:
            expected = self._rows(cells, self.loss.expected)
            for a in range(k):
                bent[:, :, a, :, a] = (expected[..., a] @ products).reshape(c, P, P)
        else:
            mean = self._rows(cells, lambda eta, _: self.loss.mean(eta))
            for a in range(k):
                for b in range(k):
                    weight = mean[..., a] * (float(a == b) - mean[..., b])
                    bent[:, :, a, :, b] = (weight @ products).reshape(c, P, P)
        return bent.reshape(c, P * k, P * k) + torch.diag(self.ridge)

    def _loss(self, cells: Tensor) -> Tensor:
        """Weighted mean of the losses, shape (c,)."""
        return self._rows(cells, self.loss.value)[..., 0] @ self.share

    def _pull(self, cells: Tensor) -> Tensor:
        """Derivative of `_loss`, shape (c, q)."""
        rows = self._rows(cells, self.loss.gradient) * self.share[:, None]
        return (self.X.T @ rows).flatten(1)

    def _penalty(self, cells: Tensor) -> Tensor:
        return cells.square() @ self.ridge / 2 + cells.abs() @ self.lasso

    def _rows(self, cells: Tensor, of: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """A function of linear predictor and target at every point and row, shape (c, rows, columns)."""
        eta = self.X @ cells.reshape(len(cells), -1, self.k) + self.offset
        found = of(eta.reshape(-1, self.k), self.y.repeat(len(cells), 1))
        return found.reshape(len(cells), self.rows, -1)
