"""Factor: independent features as an equilibrated upper triangle, and what is solved with it.

Columns are scaled to a norm of about 1 first, so that nothing depends on the user's units. A column is
dependent when what remains of it after the columns before it is within rounding,

    remaining_j <= max(n, p) eps norm_j + 4 eps sqrt(W) |mean_j|

(the second term is the rounding of a column far from zero), or when as many columns were kept before it as
there are rows to tell them apart: n, one less with an intercept, one more for each penalised column. The
later ones are the first to go, as in R's `lm`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from torchlinear.kernels import triangle as triangle_kernels
from torchlinear.kernels import words
from torchlinear.kernels.words import Words
from torchlinear.statistics import Triangle

__all__ = ["Factor", "rounding"]

Array = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Factor:
    """The triangle U of the independent features, with the penalty among their rows.

    Attributes
    ----------
    upper : Words, shape (r, r)
        U, of the features that are kept over their `scale`.
    right : Words, shape (r, k)
        The targets' part: the coefficients b solve ``U (scale b) = right``.
    scale : ndarray, shape (p,)
        Powers of 2 near the norms of the features, so that scaling is exact.
    kept : ndarray of int, shape (r,)
        Features that are independent of those before them.
    extended : bool
        Whether to compute in double-double.
    """

    upper: Words
    right: Words
    scale: Array
    kept: NDArray[np.int_]
    extended: bool

    @classmethod
    def of(cls, triangle: Triangle, ridge: Array, *, intercept: bool) -> Factor:
        """Factor of the rows and a `ridge`, shape (p,), on the diagonal of their cross products."""
        p, extended = triangle.n_features, triangle.low_words
        R = triangle.with_ridge(ridge).R
        norms = np.sqrt(np.square(R.high[:, :p]).sum(axis=0))
        scale = np.exp2(np.round(np.log2(np.where(norms > 0, norms, 1.0))))
        most = triangle.rows - int(intercept) + int(np.count_nonzero(ridge))
        R, dependent = _reveal(_columns_over(R, scale), rounding(triangle, norms) / scale, most, extended)
        kept = np.flatnonzero(~dependent)
        rows = slice(len(kept))
        return cls(words.take(R, rows, kept), words.take(R, rows, slice(p, None)), scale, kept, extended)

    def solution(self) -> Words:
        """Coefficients in the user's units, shape (p, k); 0 for features that are not kept."""
        solved = self._over_scale(_solve_upper(self.upper, self.right, self.extended))
        beta = words.of(np.zeros((len(self.scale), self.right.high.shape[1])))
        beta.high[self.kept], beta.low[self.kept] = solved
        return beta

    def inverse(self) -> Words:
        """Inverse V of U in the user's units, shape (r, r): V V' is that of the kept cross products."""
        return self._over_scale(self._root)

    def step(self, pull: Array) -> Array:
        """Inverse of the cross products times `pull`, shape (p, k), in float64; 0 for features not kept.

        By two triangular solves, whose rounding the condition number enters once; in a product with the
        inverse it would enter twice.
        """
        step = np.zeros_like(pull)
        if self.kept.size:
            scaled = pull[self.kept] / self.scale[self.kept, None]
            half = solve_triangular(self.upper.high, scaled, trans="T", check_finite=False)
            step[self.kept] = solve_triangular(self.upper.high, half, check_finite=False)
        return np.asarray(step / self.scale[:, None])

    @property
    def condition(self) -> float:
        """Condition number of U in the 1-norm, at most a factor r from that in the 2-norm."""
        if self.kept.size == 0:
            return 1.0
        with np.errstate(over="ignore"):
            return float(np.linalg.norm(self.upper.high, 1) * np.linalg.norm(self._root.high, 1))

    @cached_property
    def _root(self) -> Words:
        return _solve_upper(self.upper, words.of(np.eye(len(self.kept))), self.extended)

    def _over_scale(self, a: Words) -> Words:
        scale = self.scale[self.kept, None]
        return Words(a.high / scale, a.low / scale)


def rounding(triangle: Triangle, norms: Array) -> Array:
    """Norm of what rounding may leave of a column that depends on those before it, shape (p,)."""
    far = np.sqrt(triangle.weight) * np.abs(triangle.mean.high[: triangle.n_features])
    return np.asarray(EPS * (max(triangle.rows, triangle.n_features) * norms + 4.0 * far))


def _reveal(R: Words, tolerance: Array, most: int, extended: bool) -> tuple[Words, NDArray[np.bool_]]:
    """R with dependent columns passed over (their rows serve the columns after them), and which those are."""
    p = len(tolerance)
    dependent = np.abs(np.diagonal(R.high)[:p]) <= tolerance
    if p <= most and not dependent.any():
        return R, dependent
    if extended:
        return triangle_kernels.reveal(R, tolerance)
    dependent[:] = False
    A, r = R.high.copy(), 0
    for j in range(p):
        norm = float(np.linalg.norm(A[r : j + 1, j]))
        dependent[j] = r == most or norm <= tolerance[j]
        if not dependent[j]:
            v = A[r : j + 1, j].copy()
            v[0] += np.copysign(norm, v[0])
            A[r : j + 1, j:] -= np.outer(v, (2.0 / (v @ v)) * (v @ A[r : j + 1, j:]))
            r += 1
    return words.of(A), dependent


def _solve_upper(R: Words, B: Words, extended: bool) -> Words:
    if extended:
        return triangle_kernels.solve_upper(R, B)
    return words.of(solve_triangular(R.high, B.high, check_finite=False) if B.high.size else B.high)


def _columns_over(R: Words, scale: Array) -> Words:
    factor = np.append(1.0 / scale, np.ones(R.high.shape[1] - len(scale)))
    return Words(R.high * factor, R.low * factor)
