"""From a triangle to coefficients: solve, rank, condition, and the inverse that inference needs.

Minimise ``sum w (y - X b - b0)^2 + sum_j ridge_j b_j^2``. With the triangle R of the centred [X, y]
partitioned as ``[[Rxx, Rxy], [0, Ryy]]``:

    Rxx b = Rxy,    b0 = mean_y - mean_x' b,    rss = the squares of Ryy's columns.

Columns that depend on others (see `factor`) are dropped: coefficient 0, inverse NaN. Or they are kept, with
the solution of least Euclidean norm, as scikit-learn does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from torchlinear.factor import Factor
from torchlinear.kernels import words
from torchlinear.kernels.words import Words
from torchlinear.statistics import Residuals, Triangle

__all__ = ["LeastSquares", "refine", "solve"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LeastSquares:
    """A least-squares solution and what classical inference needs of it.

    Attributes
    ----------
    coef : ndarray, shape (p + 1, k)
        Coefficients in the user's units, the intercept last (0 without one).
    rss, tss : ndarray, shape (k,)
        Weighted residual sum of squares; total sum of squares (about the mean if there is an intercept).
    invert : callable
        Computes `inverse`.
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
    inverse : ndarray, shape (p + 1, p + 1)
        ``([X, 1]' W [X, 1] + diag(ridge))^-1``, computed when first asked for; NaN in the rows and columns of
        dropped features.
    """

    coef: Array
    rss: Array
    tss: Array
    invert: Callable[[], Array]
    dependent: NDArray[np.bool_]
    condition: float
    rows: int
    weight: float
    mean: Array
    log_weight: float = 0.0

    @cached_property
    def inverse(self) -> Array:
        """Inverse of the cross products of [X, 1]."""
        return self.invert()

    @property
    def rank(self) -> int:
        """Independent features."""
        return int((~self.dependent).sum())


def solve(
    triangle: Triangle, ridge: Array, *, intercept: bool = True, solution: str = "drop"
) -> LeastSquares:
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
    factor = Factor.of(triangle, ridge, intercept=intercept)
    dependent = ~np.isin(np.arange(p), factor.kept)
    if solution == "nonnegative":
        beta = words.of(_nonnegative(triangle.with_ridge(ridge)))
    elif solution == "minimum_norm" and dependent.any():
        beta = words.of(_minimum_norm(triangle.with_ridge(ridge), len(factor.kept)))
    else:
        beta = factor.solution()
    mean_x = words.take(triangle.mean, slice(p))
    offset = _offset(triangle.mean, beta)
    rss = np.square(triangle.R.high[p:, p:]).sum(axis=0)
    if solution != "drop" or dependent.any() or ridge.any():  # else Rxx b = Rxy to the last word
        rss = rss + np.square(triangle.R.high[:p, :p] @ beta.high - triangle.R.high[:p, p:]).sum(axis=0)
    return LeastSquares(
        coef=np.vstack([beta.high, offset.high if intercept else np.zeros_like(rss)]),
        rss=rss,
        tss=np.square(triangle.R.high[:, p:]).sum(axis=0),
        invert=partial(_inverse, factor, mean_x, triangle.weight if intercept else None),
        dependent=dependent,
        condition=factor.condition,
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
    step = Factor.of(triangle, ridge, intercept=intercept).step(pull)
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


def _inverse(factor: Factor, mean: Words, weight: float | None) -> Array:
    """Inverse of the cross products of [X, 1], shape (p + 1, p + 1), from the triangle of X.

    The diagonal, which standard errors come from, is summed in two words: the intercept's cancels.
    """
    p, root, kept = len(mean.high), factor.inverse(), factor.kept
    inverse = np.full((p + 1, p + 1), np.nan)
    inverse[np.ix_(kept, kept)] = root.high @ root.high.T
    rows = Words(root.high.T, root.low.T)
    inverse[kept, kept] = words.total(words.multiply(rows, rows)).high
    inverse[p, kept] = inverse[kept, p] = 0.0
    inverse[p, p] = 0.0
    if weight is not None:
        pulled = words.total(words.multiply(words.column(words.take(mean, kept)), root))
        inverse[p, kept] = inverse[kept, p] = -(root.high @ pulled.high)
        share = words.divide(words.of(1.0), words.of(weight))
        inverse[p, p] = words.add(words.total(words.multiply(pulled, pulled)), share).high
    return inverse
