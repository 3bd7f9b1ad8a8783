"""The interior-point method for sums of pinball losses.

Every iteration is a weighted least-squares problem, as in Portnoy, Koenker 1997, "The Gaussian hare and the
Laplacian tortoise", with the predictor and corrector of Mehrotra 1992. The dual d = 0 is inside of its intervals
and every b is feasible, so the walk starts, and stays, feasible.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from torchlinear import interruption
from torchlinear.pinball.matrices import gram
from torchlinear.pinball.problem import Optimum, Pinball

__all__ = ["walk"]

Array = NDArray[np.float64]

ITERATIONS = 100
STALLS = 5  # iterations without a smaller gap, after which rounding has taken over
SHORTENED = 0.9995  # of the step to the boundary
RIDGE = 1e-14  # of the mean diagonal: columns that depend on others in a few rows do no harm
PERFECT = 1e-14  # residuals of this size, relative to the targets, are rounding


def walk(problem: Pinball, tolerance: float) -> Optimum:
    """Optimum within the relative gap `tolerance`, or as near as float64 comes.

    Parameters
    ----------
    problem : Pinball
        Columns of similar norms.
    tolerance : float
        Relative gap at which to end.

    Returns
    -------
    Optimum
        An interior point: no residual is exactly 0.
    """
    b = _least_squares(problem)
    size = float(np.average(np.abs(problem.residual(b)), weights=problem.width))
    start = problem.optimum(b, np.zeros_like(problem.y))
    if size <= PERFECT * np.abs(problem.y).mean():
        return start
    here = _Walk(problem, b, size)
    least, stalled = here.gap, 0
    for _ in range(ITERATIONS):
        interruption.check()
        if here.gap <= tolerance * here.value or stalled == STALLS or not here.step():
            break
        stalled = 0 if here.gap < least else stalled + 1
        least = min(least, here.gap)
    return min(problem.optimum(here.b, here.d), start, key=lambda point: point.gap)


class _Walk:
    """Where the method stands.

    The dual is d = below + a = above - s with a, s > 0, and residuals are r = w - z with w, z > 0. On the central
    path a z = s w = mu times the width of the row's interval, so that a row of weight 2 counts as two rows, and mu
    falls to 0. A Newton step solves ``Z' Q Z db = Z' (Q xi + d)`` with
    ``Q = 1 / (z / a + w / s)`` and moves d by ``Q (xi - Z db)``.
    """

    def __init__(self, problem: Pinball, b: Array, size: float) -> None:
        self.problem, self.b = problem, b
        self.r = problem.residual(b)
        self.d = np.zeros_like(self.r)
        self.a, self.s = -problem.below, problem.above
        self.w, self.z = np.maximum(self.r, 0.0) + size, np.maximum(-self.r, 0.0) + size

    @property
    def gap(self) -> float:
        """Sum of the products that vanish at the optimum."""
        return float(self.a @ self.z + self.s @ self.w)

    @property
    def value(self) -> float:
        """F(b)."""
        return float(self.problem.costs(self.r).sum())

    def step(self) -> bool:
        """Predict with mu = 0, then correct; False where rounding has left no direction."""
        gap, q = self.gap, 1.0 / (self.z / self.a + self.w / self.s)
        try:
            factor = _factor(gram(self.problem.Z, q))
        except np.linalg.LinAlgError:
            return False
        zero = np.zeros(())
        predicted = self._direction(factor, q, zero, zero)
        width = self.problem.width
        mu = (self._gap_after(predicted) / gap) ** 3 * gap / (2 * width.sum()) * width
        da, _, _, dz, dw = predicted
        step = self._direction(factor, q, mu - da * dz, mu + da * dw)
        if not all(np.isfinite(part).all() for part in step):
            return False
        self._move(step)
        return True

    def _direction(self, factor: tuple[Array, bool], q: Array, mu_a: Array, mu_s: Array) -> tuple[Array, ...]:
        """Steps of d, b, r, z and w towards ``a z = mu_a``, ``s w = mu_s`` and ``Z' d = 0``."""
        xi = self.r + mu_a / self.a - mu_s / self.s
        db = cho_solve(factor, self.problem.Z.T @ (q * xi + self.d), check_finite=False)
        dr = -(self.problem.Z @ db)
        da = q * (xi + dr)
        return da, db, dr, (mu_a - self.z * da) / self.a - self.z, (mu_s + self.w * da) / self.s - self.w

    def _lengths(self, step: tuple[Array, ...]) -> tuple[float, float]:
        """The longest steps of b and of d that stay inside."""
        da, _, _, dz, dw = step
        primal = min(_longest(self.z, dz), _longest(self.w, dw))
        return primal, min(_longest(self.a, da), _longest(self.s, -da))

    def _gap_after(self, step: tuple[Array, ...]) -> float:
        (primal, dual), (da, _, _, dz, dw) = self._lengths(step), step
        above = (self.s - dual * da) @ (self.w + primal * dw)
        return float((self.a + dual * da) @ (self.z + primal * dz) + above)

    def _move(self, step: tuple[Array, ...]) -> None:
        (primal, dual), (da, db, dr, dz, dw) = self._lengths(step), step
        self.b, self.r = self.b + primal * db, self.r + primal * dr
        self.z, self.w = self.z + primal * dz, self.w + primal * dw
        self.d, self.a, self.s = self.d + dual * da, self.a + dual * da, self.s - dual * da


def _least_squares(problem: Pinball) -> Array:
    Z, weight = problem.Z, problem.width
    right = Z.T @ (weight * problem.y)
    return np.asarray(cho_solve(_factor(gram(Z, weight)), right, check_finite=False))


def _factor(products: Array) -> tuple[Array, bool]:
    """Cholesky factor of Z' Q Z."""
    products[np.diag_indices_from(products)] += RIDGE * np.trace(products) / len(products)
    return cho_factor(products, check_finite=False)  # type: ignore[no-any-return]


def _longest(x: Array, dx: Array) -> float:
    """How much of dx keeps x above 0, at most 1."""
    fastest = float((-dx / x).max(initial=0.0))
    return min(1.0, SHORTENED / fastest) if fastest > 0 else 1.0
