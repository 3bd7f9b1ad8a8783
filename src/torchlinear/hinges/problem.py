"""Sums of hinges and a ridge, and the gap between a primal and a dual point.

    primal   min over b of   F(b) = sum_k w_k max(0, r_k) + b' L b / 2,     r_k = t_k - s_k z_k' b,     s_k = 1 or -1,
    dual     max over a of   t' a - g' L^-1 g / 2,     g = sum_k a_k s_k z_k,     0 <= a_k <= w_k,

with a diagonal L of at least 0; where L_j = 0 the dual has the constraint g_j = 0. For any b and any feasible a,

    F(b) - D(a) = sum_k (w_k max(0, r_k) - a_k r_k) + sum_j L_j (b_j - g_j / L_j)^2 / 2:

a sum of terms of at least 0, so that the gap is known to the last digit, not as the difference of two large sums.
Where L_j = 0 and g_j is not 0, ``|g_j|`` times the way from b_j to its optimum is added: at most the largest |r_k| for
an intercept, which moves all residuals alike until one of them is 0.
Several hinges may share a row z, as the two of an epsilon-insensitive loss do. The L1 penalty ``c |b_j|`` is two hinges
of a row of its own: z = e_j, t = 0, w = c.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from torchlinear.pinball.matrices import Matrix

__all__ = ["Hinges", "Optimum"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class Hinges:
    """The hinges of a problem.

    Attributes
    ----------
    Z : ndarray or csr_array, shape (n, q)
        Features, and the constant column if there is an intercept.
    ridge : ndarray, shape (q,)
        L, at least 0.
    row : ndarray of int, shape (m,)
        Row of Z of each hinge.
    sign, at, weight : ndarray, shape (m,)
        s, t and w, which is above 0.
    penalties : ndarray of bool, shape (m,)
        Which of the hinges are not of rows but of a penalty.
    """

    Z: Matrix
    ridge: Array
    row: Index
    sign: Array
    at: Array
    weight: Array
    penalties: NDArray[np.bool_]

    @cached_property
    def plain(self) -> bool:
        """Whether there is one hinge for each row, in their order."""
        return len(self.row) == self.Z.shape[0] and bool((self.row == np.arange(len(self.row))).all())

    @property
    def columns(self) -> int:
        """q."""
        return int(self.Z.shape[1])

    def part(self, which: NDArray[np.bool_]) -> Hinges:
        """Some of the hinges and their rows, in their order."""
        used = np.zeros(self.Z.shape[0], dtype=bool)
        used[self.row[which]] = True
        place = np.cumsum(used) - 1
        return Hinges(
            self.Z[used],
            self.ridge,
            place[self.row[which]],
            self.sign[which],
            self.at[which],
            self.weight[which],
            self.penalties[which],
        )

    def residual(self, b: Array) -> Array:
        """r, shape (m,)."""
        return self.at - self.sign * self.spread(np.asarray(self.Z @ b))

    def spread(self, eta: Array) -> Array:
        """What rows have, shape (n,), for each hinge, shape (m,)."""
        return eta if self.plain else eta[self.row]

    def gathered(self, v: Array) -> Array:
        """Sums over the hinges of each row, shape (n,)."""
        return v if self.plain else np.asarray(np.bincount(self.row, v, self.Z.shape[0]), dtype=np.float64)

    def pull(self, a: Array) -> Array:
        """g of a dual, shape (q,)."""
        return np.asarray(self.Z.T @ self.gathered(self.sign * a))

    def value(self, b: Array, r: Array) -> float:
        """F(b), given its residuals."""
        return float(self.weight @ np.maximum(r, 0.0) + (self.ridge * b) @ b / 2.0)

    def optimum(self, b: Array, a: Array) -> Optimum:
        """What is known at b, given the dual a, which is clipped to its intervals."""
        dual, r = np.clip(a, 0.0, self.weight), self.residual(b)
        missed, held = self.pull(dual) - self.ridge * b, self.ridge > 0
        hinges = float((self.weight * np.maximum(r, 0.0) - dual * r).sum())
        ridge = float((np.square(missed[held]) / self.ridge[held]).sum() / 2.0)
        free = float(np.abs(missed[~held]).sum() * np.abs(r).max(initial=0.0))
        return Optimum(b, dual, self.value(b, r), hinges + ridge + free)


@dataclass(frozen=True, slots=True)
class Optimum:
    """A primal and a dual point.

    Attributes
    ----------
    coef : ndarray, shape (q,)
        b.
    dual : ndarray, shape (m,)
        a, from 0 to the weights.
    value : float
        F(b).
    gap : float
        How far F(b) can be above its least, at least 0.
    """

    coef: Array
    dual: Array
    value: float
    gap: float
