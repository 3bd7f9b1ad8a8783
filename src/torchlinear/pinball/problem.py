"""Sums of pinball losses, and the gap between a primal and a dual point.

    primal   min over b of   F(b) = sum_i max(above_i r_i, below_i r_i),     r = y - Z b,   below_i < 0 < above_i,
    dual     max over d of   y' d     with  Z' d = 0  and  below_i <= d_i <= above_i.

For any b and any feasible d, ``F(b) - y' d = sum_i (max(above_i r_i, below_i r_i) - d_i r_i)``: a sum of terms
of at least 0, so that the gap is known to the last digit, not as the difference of two large sums. The L1 penalty
``c |b_j|`` is a row of its own: z = e_j, y = 0, above = c = -below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torchlinear.pinball.matrices import Matrix

__all__ = ["Optimum", "Pinball"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pinball:
    """The rows of a problem.

    Attributes
    ----------
    Z : ndarray or csr_array, shape (n, q)
        Features, and the constant column if there is an intercept.
    y : ndarray, shape (n,)
        Targets.
    below, above : ndarray, shape (n,)
        Derivatives of the loss of each row by its residual, below 0 and above 0.
    """

    Z: Matrix
    y: Array
    below: Array
    above: Array

    @property
    def width(self) -> Array:
        """Length of the interval of each row's dual, shape (n,)."""
        return self.above - self.below

    def residual(self, b: Array) -> Array:
        """y - Z b, shape (n,)."""
        return np.asarray(self.y - self.Z @ b)

    def costs(self, r: Array) -> Array:
        """Loss of each row of residuals r, shape (n,)."""
        return np.where(r > 0, self.above, self.below) * r

    def signed(self, r: Array) -> Array:
        """The dual that residuals off 0 force, shape (n,)."""
        return np.where(r > 0, self.above, self.below)

    def optimum(self, b: Array, d: Array) -> Optimum:
        """What is known at b, given the dual d, which is clipped to its intervals."""
        dual, r = np.clip(d, self.below, self.above), self.residual(b)
        costs = self.costs(r)
        missed = np.abs(self.Z.T @ dual) @ np.abs(b)
        return Optimum(b, dual, float(costs.sum()), float((costs - dual * r).sum() + missed))


@dataclass(frozen=True, slots=True)
class Optimum:
    """A primal and a dual point.

    Attributes
    ----------
    coef : ndarray, shape (q,)
        b.
    dual : ndarray, shape (n,)
        d, between `below` and `above`.
    value : float
        F(b).
    gap : float
        How far F(b) can be above its least, at least 0.
    """

    coef: Array
    dual: Array
    value: float
    gap: float
