"""The objective of a quadratic loss, which needs the rows once, and its certificate.

From the triangle R of the centred [X, y],

    F(b) = (|Rxx beta - Rxy|^2 + |Ryy|^2) / W + |e|^2 + P(beta),     e = b0 - (mean_y - mean_x' beta),

a sum of squares: nothing cancels, however close the fit. The slope by beta at the best intercept is
``2 / W * Rxx' (Rxx beta - Rxy) + P'(beta)``.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property, partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.engines.base import Loaded
from torchlinear.engines.local import single_threaded_blas
from torchlinear.errors import DataError
from torchlinear.factor import rounding
from torchlinear.kernels.duality import gap, group_gap, without
from torchlinear.leastsquares import LeastSquares, refine, solve
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.penalties.base import Penalty
from torchlinear.penalties.group_lasso import GroupLasso
from torchlinear.rows import Rows
from torchlinear.statistics import Moments, Triangle

__all__ = ["QuadraticObjective"]

Array = NDArray[np.float64]
Sums = TypeVar("Sums", Moments, Triangle)

EPS = float(np.finfo(np.float64).eps)
EXTENDED_WORK = 2_000_000  # n p^2 up to which double-double sums cost about 3 ms
# Normal equations lose the square of the condition number. Up to 10 they are still closer to the exact solution
# than numpy.linalg.lstsq (measured), because columns are centred and sums are sums of sums.
REFINED_FROM = 10.0
EXTENDED_FEATURES = 150  # and p, for the triangle of p features costs p^3 in double-double

DIVERGED = np.errstate(over="ignore", invalid="ignore")  # coefficients may have grown beyond all bounds


class QuadraticObjective(Objective):
    """An objective with squared loss.

    Parameters
    ----------
    loss, penalty, loaded, intercept
        As in `Objective`.
    precision : {"auto", "extended", "double"}
        Whether sums carry double-double words: when that is cheap, always, or never.
    solution : {"drop", "minimum_norm", "nonnegative"}
        Which least-squares solution is wanted: columns that depend on others dropped or kept, with the
        solution of least norm; or the one without negative coefficients.
    """

    def __init__(
        self,
        loss: Loss,
        penalty: Penalty | None,
        loaded: Loaded,
        *,
        intercept: bool = True,
        precision: str = "auto",
        solution: str = "drop",
    ) -> None:
        super().__init__(loss, penalty, loaded, intercept=intercept)
        self.solution = solution
        self.extended = precision == "extended" or (precision == "auto" and _cheap(loaded.rows))
        self._solved: dict[str, LeastSquares] = {}
        self._triangles: dict[str, Triangle] = {}
        self._refined: set[str] = set()

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """Least and largest values of the coefficients, infinite where there are none, each of shape (p,)."""
        low, high = super().bounds
        return np.maximum(low, 0.0) if self.solution == "nonnegative" else low, high

    @property
    def n_outputs(self) -> int:
        """k."""
        return self.rows.n_outputs

    @cached_property
    def moments(self) -> Moments:
        """Second moments of all rows; one pass, kept."""
        return self._checked(self.loaded.sum(Block.moments, self.shift, self.extended))

    def triangle(self, by: str) -> Triangle:
        """Triangle of all rows, by "qr" (TSQR, one pass) or "cholesky" of the moments; kept."""
        if by not in self._triangles:
            if by == "qr":
                triangle = self._checked(self.loaded.sum(Block.triangle, self.shift, self.extended))
            else:
                triangle = Triangle.of(self.moments)
            self._triangles[by] = triangle if self.intercept else triangle.uncentred()
        return self._triangles[by]

    @property
    def factor(self) -> Triangle:
        """The best triangle at hand."""
        return self.triangle("qr" if "qr" in self._solved else "cholesky")

    def least_squares(self, by: str) -> LeastSquares:
        """The optimum of a quadratic loss, ``by`` "cholesky" of the moments or "qr" of the rows; kept."""
        if by not in self._solved:
            triangle = self.triangle(by)
            self._solved[by] = solve(
                triangle, self.ridge(triangle.weight), intercept=self.intercept, solution=self.solution
            )
        return self._solved[by]

    def optimum(self, by: str) -> LeastSquares:
        """`least_squares`, refined by residuals of the rows where float64 sums lost digits; kept."""
        if by not in self._refined and (passes := self.refinements(by)):
            found, triangle = self._solved[by], self.triangle(by)
            for _ in range(passes):
                left = self.loaded.sum(Block.residuals, found.mean, found.coef[:-1])
                found = refine(found, left, triangle, self.ridge(found.weight), intercept=self.intercept)
            self._solved[by] = found
        self._refined.add(by)
        return self.least_squares(by)

    def refinements(self, by: str) -> int:
        """Passes of refinement that `optimum` takes.

        The rounding of a solve is a share r of the coefficients; each pass leaves the share r of what there was.
        """
        found = self.least_squares(by)
        chosen = self.solution == "drop" or (self.solution == "minimum_norm" and not found.dependent.any())
        if self.extended or not chosen or not self.rows.in_memory:
            return 0
        lost = max(found.condition, self._stiffness())
        if lost <= REFINED_FROM:
            return 0
        share = 10.0 * EPS * max(lost, found.condition**2 if by == "cholesky" else 0.0)
        return min(math.ceil(math.log(EPS) / math.log(share)) - 1, 3) if share < 0.1 else 0

    @property
    def best(self) -> float | None:
        """The objective at its minimum; None while that is not known exactly."""
        return self.value(torch.from_numpy(self.evidence.coef)) if self.smooth else None

    @property
    def evidence(self) -> LeastSquares:
        """The best exact solution at hand, from which classical inference takes its inverse."""
        return self._solved["qr"] if "qr" in self._solved else self.least_squares("cholesky")

    @DIVERGED
    def evidence_at(self, coef: Tensor) -> LeastSquares | None:
        """`evidence` with the residual sum of squares, shape (k,), at `coef` instead of at the optimum."""
        at = np.asarray(coef.detach().cpu().double().numpy())
        if not self.smooth:
            return self._description(at, coef)
        if np.array_equal(at, self.evidence.coef):
            return self.evidence
        _, residual, offset = self._residual(coef)
        return replace(self.evidence, coef=at, rss=self._rss(residual, offset))

    def _rss(self, residual: Array, offset: Array) -> Array:
        """Residual sums of squares, shape (k,), of what `_residual` returns."""
        p, triangle = self.n_features, self.factor
        squares = np.square(residual).sum(axis=0) + np.square(triangle.R.high[p:, p:]).sum(axis=0)
        return np.asarray(squares + triangle.weight * np.square(offset))

    def _description(self, at: Array, coef: Tensor) -> LeastSquares:
        """What is known without an exact solution: sums of squares and means, no inverse."""
        p, triangle, (_, residual, offset) = self.n_features, self.factor, self._residual(coef)
        return LeastSquares(
            coef=at,
            rss=self._rss(residual, offset),
            tss=np.square(triangle.R.high[:, p:]).sum(axis=0),
            invert=partial(np.full, (p + 1, p + 1), math.nan),
            dependent=np.zeros(p, dtype=np.bool_),
            condition=math.nan,
            rows=triangle.rows,
            weight=triangle.weight,
            mean=triangle.mean.high,
            log_weight=triangle.log_weight,
        )

    @single_threaded_blas()
    def singular(self) -> Array:
        """Singular values of the centred, weighted features, largest first, shape (p,)."""
        p = self.n_features
        return np.asarray(np.linalg.svd(self.factor.R.high[:p, :p], compute_uv=False))

    @DIVERGED
    def value(self, coef: Tensor) -> float:
        """F at `coef`, shape (p + 1, k)."""
        beta, residual, offset = self._residual(coef)
        p, triangle = self.n_features, self.factor
        squares = np.square(residual).sum() + np.square(triangle.R.high[p:, p:]).sum()
        loss = float(squares / triangle.weight + np.square(offset).sum())
        return loss if self.penalty is None else loss + float(self.penalty.value(torch.from_numpy(beta)))

    @DIVERGED
    def certificate(self, coef: Tensor) -> float:
        """How far `coef` is from the optimum: 0 there, about 1 at the origin.

        With a penalty that is not smooth it is the duality gap, relative to half the target's sum of squares
        (`kernels.duality`). Otherwise it is the largest slope in standardised units: for a feature of norm s_j and
        a target of norm t (both about their means), ``|sum of residuals times feature j, less the penalty's pull| /
        (s_j t)``, above what rounding of the feature and of coefficients to float64 makes of it.
        """
        if not self.smooth:
            return self._gap(coef)
        beta, residual, offset = self._residual(coef)
        p, triangle, ridge = self.n_features, self.factor, self.ridge(self.factor.weight)[:, None]
        Rxx, Ryy = triangle.R.high[:p, :p], triangle.R.high[p:, p:]
        slope = Rxx.T @ residual + ridge * beta
        norms = np.sqrt(np.square(Rxx).sum(axis=0))[:, None]
        left = np.sqrt(np.square(residual).sum(axis=0) + np.square(Ryy).sum(axis=0))
        remains = rounding(triangle, norms[:, 0])[:, None]
        rounded = (
            remains * left + norms * (remains * np.abs(beta)).sum(axis=0) + 4.0 * EPS * ridge * np.abs(beta)
        )
        relative = np.maximum(np.abs(slope) - rounded, 0.0) / (np.where(norms > 0, norms, 1.0) * self._target)
        return float(max(relative.max(initial=0.0), self._missed(coef, offset).max(initial=0.0)))

    def _gap(self, coef: Tensor) -> float:
        """Largest duality gap of the targets, relative to half their sums of squares."""
        _, _, offset = self._residual(coef)
        whole = np.square(self._target) / 2.0
        relative = self.gaps(coef) / (whole.sum() if isinstance(self.penalty, GroupLasso) else whole)
        return float(max(relative.max(initial=0.0), self._missed(coef, offset).max(initial=0.0) ** 2))

    def gaps(self, coef: Tensor) -> Array:
        """Duality gap of half the sum of squared errors, for each target, shape (k,); of all, (1,), in groups.

        The triangle stands for the rows.
        """
        if isinstance(self.penalty, GroupLasso):
            return np.array([self._group_gap(self.penalty, coef)])
        beta, residual, _ = self._residual(coef)
        p, triangle = self.n_features, self.factor
        low, high = self.bounds
        lasso, ridge, X = self.lasso(triangle.weight), self.ridge(triangle.weight), triangle.R.high[:p, :p]
        free, found = (lasso == 0) & (ridge == 0), np.empty(beta.shape[1])
        for j in range(beta.shape[1]):
            left, lost = without(X, -residual[:, j], free, beta[:, j], lower=low, upper=high)
            squares = float(left @ left + np.square(triangle.R.high[p:, p + j]).sum())
            found[j] = gap(X.T @ left, beta[:, j], lasso, ridge, squares, lost, lower=low, upper=high)
        return found

    def _group_gap(self, penalty: GroupLasso, coef: Tensor) -> float:
        """Duality gap of half the sums of squared errors of all targets."""
        beta, residual, _ = self._residual(coef)
        p, triangle = self.n_features, self.factor
        X, ridge = triangle.R.high[:p, :p], self.ridge(triangle.weight)
        metric = penalty.metric(p).numpy()[:, None]
        index, strengths = penalty.index(p).numpy(), triangle.weight / 2.0 * penalty.strengths(p).numpy()
        free = ((strengths[index] == 0) | (metric[:, 0] == 0)) & (ridge == 0)
        parts = [without(X, -residual[:, j], free, beta[:, j]) for j in range(beta.shape[1])]
        left, lost = np.column_stack([part[0] for part in parts]), sum(part[1] for part in parts)
        squares = np.square(left).sum() + np.square(triangle.R.high[p:, p:]).sum()
        squares += ridge @ np.square(beta).sum(axis=1)
        pull = np.where(metric > 0, X.T @ left - ridge[:, None] * beta, 0.0) / np.where(
            metric > 0, metric, 1.0
        )
        return group_gap(pull, metric * beta, strengths, index, float(squares), lost)

    @property
    def _target(self) -> Array:
        """Norms of the targets about their means, shape (k,); of a constant one, its rounding; 1 for zeros."""
        triangle, p = self.factor, self.n_features
        floor = EPS * np.sqrt(triangle.weight) * np.abs(triangle.mean.high[p:])
        norms = np.maximum(np.sqrt(np.square(triangle.R.high[:, p:]).sum(axis=0)), floor)
        return np.asarray(np.where(norms > 0, norms, 1.0))

    def _missed(self, coef: Tensor, offset: Array) -> Array:
        """Mean residual, relative to the targets, above the rounding of coefficients; shape (k,)."""
        if not self.intercept:
            return np.zeros(1)
        at, triangle = np.abs(coef.detach().cpu().double().numpy()), self.factor
        mean, p = np.abs(triangle.mean.high), self.n_features
        rounded = 4.0 * EPS * (at[-1] + mean[:p] @ at[:-1] + mean[p:])
        return np.asarray(np.maximum(np.abs(offset) - rounded, 0.0) * np.sqrt(triangle.weight) / self._target)

    def _stiffness(self) -> float:
        """How many times a penalty's row is as long as the column that it shrinks, at most."""
        p, ridge = self.n_features, self.ridge(self.factor.weight)
        squares = np.square(self.factor.R.high[:p, :p]).sum(axis=0)
        seen = squares > 0
        return float(np.sqrt(ridge[seen] / squares[seen]).max(initial=0.0))

    def _checked(self, sums: Sums) -> Sums:
        if sums.weight == 0.0:
            raise DataError("the weights sum to zero: give at least one row a weight above 0.")
        if not sums.finite:
            self.refuse_nonfinite()
        return sums

    def _residual(self, coef: Tensor) -> tuple[Array, Array, Array]:
        """``beta``, ``Rxx beta - Rxy`` and what the intercept misses."""
        at = np.asarray(coef.detach().cpu().double().numpy())
        p, triangle = self.n_features, self.factor
        beta, mean = at[:-1], triangle.mean.high
        residual = triangle.R.high[:p, :p] @ beta - triangle.R.high[:p, p:]
        return beta, residual, at[-1] - (mean[p:] - mean[:p] @ beta)


def _cheap(rows: Rows) -> bool:
    n, p = rows.n_rows, rows.n_features
    return rows.dense and n is not None and n * p * p <= EXTENDED_WORK and p <= EXTENDED_FEATURES
