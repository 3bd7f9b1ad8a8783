"""From a triangle to coefficients: solve, rank, condition, and the inverse that inference needs.

Minimise ``sum w (y - X b - b0)^2 + sum_j ridge_j b_j^2``. With the triangle R of the centred [X, y]
partitioned as ``[[Rxx, Rxy], [0, Ryy]]``:

    Rxx b = Rxy,    b0 = mean_y - mean_x' b,    rss = the squares of Ryy's columns.

Columns of Rxx are equilibrated first (scaled to norm 1), so that nothing depends on the user's units.
A column is dependent when what remains of it after the columns before it is within rounding:

    remaining_j <= max(n, p) eps norm_j + 4 eps sqrt(W) |mean_j|

(the second term is the rounding of a column far from zero). Dependent columns are dropped (coefficient
0, inverse NaN), the later ones first to go, as R's `lm` does; or kept, with the solution of least Euclidean
norm, as scikit-learn does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from torchlinear.kernels import triangle as triangle_kernels
from torchlinear.kernels import words
from torchlinear.kernels.words import Words
from torchlinear.statistics import Residuals, Triangle

__all__ = ["LeastSquares", "refine", "solve"]

Array = NDArray[np.float64]
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class LeastSquares:
    """A least-squares solution and what classical inference needs of it.

    Attributes
    ----------
    coef : ndarray, shape (p + 1, k)
        Coefficients in the user's units, the intercept last (0 without one).
    rss, tss : ndarray, shape (k,)
        Weighted residual sum of squares; total sum of squares (about the mean if there is an intercept).
    inverse : ndarray, shape (p + 1, p + 1)
        ``([X, 1]' W [X, 1] + diag(ridge))^-1``; NaN in the rows and columns of dropped features.
    dependent : ndarray of bool, shape (p,)
        Features that were found to depend on those before them.
    condition : float
        Estimated condition number of the centred, equilibrated features.
    rows : int
        Rows with a weight above zero.
    weight : float
        Sum of the weights.
    mean : ndarray, shape (p + k,)
        Weighted means of the features and the targets.
    log_weight : float
        Sum of the logarithms of the weights above zero, which the log-likelihood needs.
    """

    coef: Array
    rss: Array
    tss: Array
    inverse: Array
    dependent: NDArray[np.bool_]
    condition: float
    rows: int
    weight: float
    mean: Array
    log_weight: float = 0.0

    @property
    def rank(self) -> int:
        """Independent features."""
        return int((~self.dependent).sum())


@dataclass(frozen=True)
class Factor:
    """Independent features, equilibrated, with the penalty among their rows.

    Attributes
    ----------
    upper : Words, shape (r, r)
        Upper triangle of the features that are kept, over their `scale`.
    right : Words, shape (r, k)
        What it equals: ``upper (scale b) = right``.
    scale : ndarray, shape (p,)
        Powers of 2 near the norms of the features.
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
    def of(cls, triangle: Triangle, penalised: Triangle) -> Factor:
        """Factor of `penalised`, which is `triangle` with the penalty; rounding is that of `triangle`."""
        p, extended = triangle.n_features, triangle.low_words
        norms = np.sqrt(np.square(penalised.R.high[:, :p]).sum(axis=0))
        scale = np.exp2(np.round(np.log2(np.where(norms > 0, norms, 1.0))))  # powers of 2: scaling is exact
        equilibrated = _columns_over(penalised.R, scale)
        R, dependent = _reveal(equilibrated, p, _tolerance(triangle, norms) / scale, extended)
        kept = np.flatnonzero(~dependent)
        rows = slice(len(kept))
        return cls(words.take(R, rows, kept), words.take(R, rows, slice(p, None)), scale, kept, extended)

    def solution(self) -> Words:
        """Coefficients in the user's units, shape (p, k); 0 for those that are not kept."""
        return _rows_over(_solve_upper(self.upper, self.right, self.extended), self.kept, self.scale)

    def root(self) -> Words:
        """Inverse of `upper`, shape (r, r)."""
        return _solve_upper(self.upper, words.of(np.eye(len(self.kept))), self.extended)

    def step(self, pull: Array) -> Array:
        """Inverse of the cross products times `pull`, shape (p, k), in float64."""
        step = np.zeros_like(pull)
        if self.kept.size:
            scaled = pull[self.kept] / self.scale[self.kept, None]
            half = solve_triangular(self.upper.high, scaled, trans="T", check_finite=False)
            step[self.kept] = solve_triangular(self.upper.high, half, check_finite=False)
            step /= self.scale[:, None]
        return step


def solve(triangle: Triangle, ridge: Array, *, intercept: bool = True, solution: str = "drop") -> LeastSquares:
    """Least squares from the triangle of the rows.

    Parameters
    ----------
    triangle : Triangle
        Of the centred rows; `Triangle.uncentred` for a fit without intercept.
    ridge : ndarray, shape (p,)
        What a penalty adds to the diagonal of the cross products.
    intercept : bool
        Whether the means stand for a free intercept.
    solution : {"drop", "minimum_norm", "nonnegative"}
        Dependent columns are dropped, or kept with the solution of least norm; or no coefficient is negative.

    Returns
    -------
    LeastSquares
        The solution, and what classical inference needs.
    """
    p = triangle.n_features
    penalised = triangle.with_ridge(ridge) if ridge.any() else triangle
    factor = Factor.of(triangle, penalised)
    dependent = ~np.isin(np.arange(p), factor.kept)
    if solution == "nonnegative":
        beta = words.of(_nonnegative(penalised))
    elif solution == "minimum_norm" and dependent.any():
        beta = words.of(_minimum_norm(penalised, len(factor.kept)))
    else:
        beta = factor.solution()
    mean_x, root = words.take(triangle.mean, slice(p)), factor.root()
    offset = _offset(triangle.mean, beta)
    rss = np.square(triangle.R.high[p:, p:]).sum(axis=0)
    if solution != "drop" or dependent.any() or ridge.any():  # else Rxx b = Rxy to the last word
        rss = rss + np.square(triangle.R.high[:p, :p] @ beta.high - triangle.R.high[:p, p:]).sum(axis=0)
    return LeastSquares(
        coef=np.vstack([beta.high, offset.high if intercept else np.zeros_like(rss)]),
        rss=rss,
        tss=np.square(triangle.R.high[:, p:]).sum(axis=0),
        inverse=_inverse(root, factor.scale, factor.kept, mean_x, triangle.weight if intercept else None),
        dependent=dependent,
        condition=_condition(factor.upper.high, root.high),
        rows=triangle.rows,
        weight=triangle.weight,
        mean=triangle.mean.high,
        log_weight=triangle.log_weight,
    )


def refine(
    found: LeastSquares, left: Residuals, triangle: Triangle, ridge: Array, *, intercept: bool = True
) -> LeastSquares:
    """One step of iterative refinement: what rounding cost the coefficients comes back from their residuals.

    Parameters
    ----------
    found : LeastSquares
        A solution of which no dependent column has a coefficient.
    left : Residuals
        Of all rows, about ``found.mean``, at ``found.coef[:-1]``.
    triangle, ridge, intercept
        As in `solve`.

    Returns
    -------
    LeastSquares
        With better `coef`, and `rss` from the residuals themselves.
    """
    p, beta = len(ridge), found.coef[:-1]
    pull = words.subtract(words.take(left.pull, slice(p)), words.two_product(beta, ridge[:, None])).high
    step = Factor.of(triangle, triangle.with_ridge(ridge) if ridge.any() else triangle).step(pull)
    better = words.two_sum(beta, step)
    missed = left.pull.high[p] / found.weight if intercept else np.zeros_like(left.squares)
    offset = words.add(_offset(words.of(found.mean), better), words.of(missed))
    gained = (step * (pull + ridge[:, None] * (better.high + beta))).sum(axis=0) + found.weight * missed**2
    return replace(
        found,
        coef=np.vstack([better.high, offset.high if intercept else np.zeros_like(missed)]),
        rss=np.maximum(left.squares - gained, 0.0),
    )


def _offset(mean: Words, beta: Words) -> Words:
    """Intercepts of a fit through the means, shape (k,)."""
    p = beta.high.shape[0]
    fitted = words.multiply_matrices(words.row(words.take(mean, slice(p))), beta)
    return words.subtract(words.take(mean, slice(p, None)), words.take(fitted, 0))


def _tolerance(triangle: Triangle, norms: Array) -> Array:
    """Remaining norm at which a column counts as dependent, shape (p,)."""
    far = np.sqrt(triangle.weight) * np.abs(triangle.mean.high[: triangle.n_features])
    return np.asarray(EPS * (max(triangle.rows, triangle.n_features) * norms + 4.0 * far))


def _reveal(R: Words, p: int, tolerance: Array, extended: bool) -> tuple[Words, NDArray[np.bool_]]:
    """R with dependent columns passed over (their rows serve the columns after them), and which those are."""
    dependent = np.abs(np.diagonal(R.high)[:p]) <= tolerance
    if not dependent.any():
        return R, dependent
    if extended:
        return triangle_kernels.reveal(R, tolerance)
    dependent[:] = False
    A, r = R.high.copy(), 0
    for j in range(p):
        norm = float(np.linalg.norm(A[r : j + 1, j]))
        dependent[j] = norm <= tolerance[j]
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
    p = len(scale)
    factor = np.append(1.0 / scale, np.ones(R.high.shape[1] - p))
    return Words(R.high * factor, R.low * factor)


def _rows_over(solved: Words, kept: NDArray[np.int_], scale: Array) -> Words:
    """Coefficients of all columns in the user's units, 0 for those that are not kept."""
    beta = words.of(np.zeros((len(scale), solved.high.shape[1])))
    beta.high[kept] = solved.high / scale[kept, None]
    beta.low[kept] = solved.low / scale[kept, None]
    return beta


def _minimum_norm(triangle: Triangle, rank: int) -> Array:
    """Solution of least Euclidean norm (in the user's units) among those of least squares."""
    p = triangle.n_features
    left, values, right = np.linalg.svd(triangle.R.high[:, :p], full_matrices=False)
    projected = left[:, :rank].T @ triangle.R.high[:, p:]
    return np.asarray(right[:rank].T @ (projected / values[:rank, None]))


def _nonnegative(triangle: Triangle) -> Array:
    """Least squares under ``b >= 0`` (Lawson, Hanson 1974), whose residuals are those of the triangle."""
    from scipy.optimize import nnls

    p = triangle.n_features
    left, right = triangle.R.high[:, :p], triangle.R.high[:, p:]
    return np.column_stack([nnls(left, right[:, j])[0] for j in range(right.shape[1])])


def _inverse(root: Words, scale: Array, kept: NDArray[np.int_], mean: Words, weight: float | None) -> Array:
    """Inverse of the cross products of [X, 1], shape (p + 1, p + 1), from the inverse of the triangle.

    The diagonal, which standard errors come from, is summed in two words: the intercept's cancels.
    """
    p = len(scale)
    scaled = Words(root.high / scale[kept, None], root.low / scale[kept, None])
    inverse = np.full((p + 1, p + 1), np.nan)
    inverse[np.ix_(kept, kept)] = scaled.high @ scaled.high.T
    rows = Words(scaled.high.T, scaled.low.T)
    inverse[kept, kept] = words.total(words.multiply(rows, rows)).high
    inverse[p, kept] = inverse[kept, p] = 0.0
    inverse[p, p] = 0.0
    if weight is not None:
        pulled = words.total(words.multiply(words.column(words.take(mean, kept)), scaled))
        inverse[p, kept] = inverse[kept, p] = -(scaled.high @ pulled.high)
        share = words.divide(words.of(1.0), words.of(weight))
        inverse[p, p] = words.add(words.total(words.multiply(pulled, pulled)), share).high
    return inverse


def _condition(R: Array, inverse: Array) -> float:
    """Condition number of an upper triangle in the 1-norm, at most sqrt(p) from that in the 2-norm."""
    if R.size == 0:
        return 1.0
    with np.errstate(over="ignore"):
        return float(np.linalg.norm(R, 1) * np.linalg.norm(inverse, 1))
