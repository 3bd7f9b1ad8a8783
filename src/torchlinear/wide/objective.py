"""The objective of squared loss over more columns than rows, with a penalty that is not smooth."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.errors import DataError
from torchlinear.kernels.duality import gap, without
from torchlinear.leastsquares import LeastSquares
from torchlinear.losses.base import Loss
from torchlinear.penalties.base import Penalty
from torchlinear.penalties.separable import Separable
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import Rows, TensorRows
from torchlinear.sparse import SparseRows
from torchlinear.wide.columns import Columns, Frame
from torchlinear.wide.dense import DenseColumns
from torchlinear.wide.sparse import SparseColumns
from torchlinear.wide.walk import Walk

__all__ = ["WideObjective", "suits"]

Array = NDArray[np.float64]

FEWEST = 1_000  # columns from which on their cross products cost more than a walk, when rows are fewer
MOST = 8_000  # columns whose cross products are formed when rows are more: half a gigabyte


def suits(loss: Loss, penalty: Penalty | None, rows: Rows) -> bool:
    """Whether a walk among the columns is the way, rather than the cross products of all of them."""
    if penalty is None or penalty.smooth or not isinstance(penalty, Separable) or not loss.quadratic:
        return False
    if not isinstance(rows, (TensorRows, SparseRows)) or (
        isinstance(rows, TensorRows) and rows.low is not None
    ):
        return False
    n, p = rows.X.shape
    bounded = bool(torch.isfinite(torch.stack([penalty.lower(p), penalty.upper(p)])).any())
    walked = not bounded or _nonnegative(penalty.lower(p), penalty.upper(p))
    return walked and penalty.shares()[0] > 0 and (p > max(n, FEWEST) or p > MOST)


def _nonnegative(low: Tensor, high: Tensor) -> bool:
    """Whether these bounds, shape (p,), are those of non-negative coefficients."""
    return bool((low == 0.0).all() and torch.isposinf(high).all())


def _columns(rows: Rows, intercept: bool) -> Columns:
    """The rows laid out by columns."""
    if isinstance(rows, SparseRows):
        return SparseColumns.of(rows, intercept=intercept)
    assert isinstance(rows, TensorRows)
    return DenseColumns.of(rows, intercept=intercept)


class WideObjective(QuadraticObjective):
    """Squared loss and a penalty, computed from the columns of rows in memory; nothing of size p x p is formed.

    Parameters
    ----------
    loss, penalty, loaded, intercept, precision, solution
        As in `QuadraticObjective`.
    """

    @cached_property
    def columns(self) -> Columns:
        """The rows laid out by columns."""
        found = _columns(self.rows, self.intercept)
        if found.frame.weight == 0.0:
            raise DataError("the weights sum to zero: give at least one row a weight above 0.")
        if not (np.isfinite(found.frame.deviation).all() and np.isfinite(found.frame.target).all()):
            self.refuse_nonfinite()
        return found

    @property
    def frame(self) -> Frame:
        """What the columns are measured by."""
        return self.columns.frame

    @cached_property
    def deviation(self) -> Tensor:
        """Standard deviations of the features (1/n), shape (p,), float64."""
        return torch.from_numpy(self.frame.deviation)

    @property
    def positive(self) -> bool:
        """Whether coefficients must not be negative."""
        return self.bounds[0].size > 0 and bool((self.bounds[0] == 0.0).all())

    def strengths(self, penalty: Penalty | None) -> tuple[Array, Array]:
        """Strengths on columns of norm 1 against half the sum of squared errors, both of shape (p,)."""
        assert isinstance(penalty, Separable)
        p, norm, half = self.n_features, self.frame.norm, self.frame.weight / 2.0
        units = penalty.in_units(self.deviation) if penalty.standardize else penalty
        return half * units.lasso(p).numpy() / norm, half * units.ridge(p).numpy() / np.square(norm)

    def walk(self, target: int) -> Walk:
        """A walk of one target."""
        return Walk(self.columns, target, positive=self.positive)

    def along(self, penalties: Sequence[Separable]) -> tuple[Array, Array, Array]:
        """Coefficients at each penalty, shape (m, p + 1, k); duality gaps (m,) and residual sums of squares (m, k).

        The gaps are relative to half the targets' sums of squares.
        """
        m, p, k = len(penalties), self.n_features, self.n_outputs
        coef, gaps, squares = np.zeros((m, p + 1, k)), np.zeros(m), np.zeros((m, k))
        for j in range(k):
            walk = self.walk(j)
            for i, penalty in enumerate(penalties):
                stop = walk.to(*self.strengths(penalty))
                coef[i, stop.support, j] = stop.beta / self.frame.norm[stop.support]
                gaps[i], squares[i, j] = max(gaps[i], stop.gap), stop.squares
        coef[:, p] = self.frame.target_centre - self.frame.centre @ coef[:, :p]
        return coef, gaps, squares

    def value(self, coef: Tensor) -> float:
        """F at `coef`, shape (p + 1, k)."""
        left, offset = self._left(coef)
        loss = float((np.square(left).sum(axis=1) / self.frame.weight + np.square(offset)).sum())
        return loss if self.penalty is None else loss + float(self.penalty.value(coef[:-1]))

    def certificate(self, coef: Tensor) -> float:
        """Largest duality gap of the targets, relative to half their sums of squares."""
        _, offset = self._left(coef)
        half = np.square(self.frame.target).sum(axis=1) / 2.0
        half = np.where(half > 0, half, 1.0)
        missed = self.frame.weight * np.square(self._beyond_rounding(coef, offset)) / half
        return float(max((self.gaps(coef) / half).max(), missed.max()))

    def gaps(self, coef: Tensor) -> Array:
        """Duality gap of half the sum of squared errors, for each target, shape (k,)."""
        residuals, _ = self._left(coef)
        lasso, ridge = self.strengths(self.penalty)
        free = np.flatnonzero((lasso == 0) & (ridge == 0))
        beta, found = self.frame.norm[:, np.newaxis] * coef[:-1].numpy(), np.empty(len(residuals))
        fixed, lower = self.columns.gathered(free).T, 0.0 if self.positive else -np.inf
        for j, residual in enumerate(residuals):
            every = np.ones(free.size, dtype=np.bool_)
            left, lost = without(fixed, residual, every, beta[free, j], lower=lower)
            pull = self.columns.pull(left, self.columns.every)
            squares = float(left @ left)
            found[j] = gap(pull, beta[:, j], lasso, ridge, squares, lost, lower=lower)
        return found

    def evidence_at(self, coef: Tensor) -> LeastSquares | None:
        """None: cross products of so many columns are not formed."""
        return None

    def _left(self, coef: Tensor) -> tuple[Array, Array]:
        """Residuals at the best intercept, shape (k, n), and what the intercept misses, shape (k,)."""
        at, frame = coef.detach().cpu().double().numpy(), self.frame
        left = self.columns.left(frame.norm[:, np.newaxis] * at[:-1])
        return left, at[-1] - (frame.target_centre - frame.centre @ at[:-1])

    def _beyond_rounding(self, coef: Tensor, offset: Array) -> Array:
        """What the intercept misses beyond the rounding of coefficients, shape (k,)."""
        at, frame = np.abs(coef.detach().cpu().double().numpy()), self.frame
        rounded = np.abs(frame.centre) @ at[:-1] + np.abs(frame.target_centre) + at[-1]
        return np.asarray(np.maximum(np.abs(offset) - 1e-15 * rounded, 0.0))
