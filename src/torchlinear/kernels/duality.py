"""Duality gaps of penalised least squares: how far above its minimum an objective can be.

Of   P(b) = 1/2 |y - X b|^2 + sum_j f_j(b_j),   f_j(b) = lasso_j |b| + ridge_j / 2 b^2 for lower_j <= b <= upper_j,
and infinite elsewhere, and its dual (Fenchel),

    D(t) = 1/2 |y|^2 - 1/2 |y - t|^2 - sum_j f_j*(x_j't),     f*(u) = max over lower <= b <= upper of u b - f(b),

P(b) - min P <= P(b) - D(t) for any t. As t we take s r: the residuals r less their part in the columns that nothing
holds, and s <= 1 a scale at which D is finite (El Ghaoui, Viallon, Rabbani 2012; Fercoq, Gramfort, Salmon 2015,
"Mind the duality gap"). With u = X'r and q what the residuals lost to those columns, the gap is

    q / 2 + (1 - s)^2 / 2 |r|^2 + sum_j (f_j(b_j) + f_j*(s u_j) - s b_j u_j),

in which no term is negative, so nothing cancels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gap", "group_gap", "without"]

Array = NDArray[np.float64]
Bound = Array | float


def gap(
    pull: Array,
    beta: Array,
    lasso: Array,
    ridge: Array,
    squares: float,
    lost: float = 0.0,
    *,
    lower: Bound = -np.inf,
    upper: Bound = np.inf,
) -> float:
    """Duality gap of one target.

    Parameters
    ----------
    pull : ndarray, shape (p,)
        ``X'r``.
    beta : ndarray, shape (p,)
        The coefficients, within their bounds.
    lasso, ridge : ndarray, shape (p,)
        Strengths.
    squares : float
        ``|r|^2``.
    lost : float
        q, what the residuals lost to columns without a penalty (see `without`); what pull is left of them inside of
        their bounds, or towards infinity, is rounding.
    lower, upper : ndarray, shape (p,), or float
        Bounds, which may be infinite.

    Returns
    -------
    float
        The gap, at least 0.
    """
    free, inside = (lasso == 0) & (ridge == 0), (beta > lower) & (beta < upper)
    down, up = free & (inside | np.isneginf(lower)), free & (inside | np.isposinf(upper))
    pull = np.clip(pull, np.where(down, 0.0, -np.inf), np.where(up, 0.0, np.inf))
    over = (ridge == 0) & (np.abs(pull) > lasso)
    endless = over & np.isinf(np.where(pull > 0, upper, lower))
    share = np.divide(lasso, np.abs(pull), out=np.ones_like(pull), where=over)
    scales = {float(share[chosen].min(initial=1.0)) for chosen in (endless, endless | (over & inside))}
    terms = (
        _terms(s * pull, beta, lasso, ridge, lower, upper) + (1.0 - s) ** 2 / 2.0 * squares for s in scales
    )
    return lost / 2.0 + min(terms)


def _terms(u: Array, beta: Array, lasso: Array, ridge: Array, lower: Bound, upper: Bound) -> float:
    """Sum of ``f(b) + f*(u) - b u``, each at least 0: of f(b) - u b less its minimum, which is at `best`."""
    over = np.copysign(np.maximum(np.abs(u) - lasso, 0.0), u)
    ends = np.where(over > 0, upper, np.where(over < 0, lower, 0.0))
    ends = np.where(np.isinf(ends), 0.0, ends)  # there |u| is the strength, but for rounding
    best = np.clip(np.divide(over, ridge, out=ends, where=ridge > 0), lower, upper)
    terms = (beta - best) * (ridge / 2.0 * (beta + best) - u) + lasso * (np.abs(beta) - np.abs(best))
    return float(np.maximum(terms, 0.0).sum())


def group_gap(
    pull: Array, beta: Array, strengths: Array, groups: NDArray[np.int64], squares: float, lost: float = 0.0
) -> float:
    """Duality gap of all targets together, with the norms of groups as penalty: f_g(B) = strength_g |B_g|.

    A ridge is more rows of X: then `pull` and `squares` count them.

    Parameters
    ----------
    pull, beta : ndarray, shape (p, k)
        ``X'R`` and the coefficients.
    strengths : ndarray, shape (groups,)
        Of the norm of each group.
    groups : ndarray of int64, shape (p,)
        Number of each column's group.
    squares : float
        ``|R|^2``.
    lost : float
        What the residuals lost to columns of groups without a strength.

    Returns
    -------
    float
        The gap, at least 0.
    """
    held = strengths > 0
    pulls, norms = (np.sqrt(np.bincount(groups, np.square(part).sum(axis=1))) for part in (pull, beta))
    over = held & (pulls > strengths)
    scale = float((strengths[over] / pulls[over]).min(initial=1.0))
    terms = strengths * norms - scale * np.bincount(groups, (pull * beta).sum(axis=1))
    return float(lost / 2.0 + (1.0 - scale) ** 2 / 2.0 * squares + np.maximum(terms, 0.0)[held].sum())


def without(
    X: Array,
    residual: Array,
    free: NDArray[np.bool_],
    beta: Array,
    *,
    lower: Bound = -np.inf,
    upper: Bound = np.inf,
) -> tuple[Array, float]:
    """Take out of the residuals, shape (n,), what columns without a penalty explain; also the square of that.

    Of coefficients at a bound only those count that would go away from it without end.
    """
    out = free & (beta > lower) & (beta < upper)
    while True:
        left, lost = _projected(X[:, out], residual)
        if not (free & ~out).any():
            return left, lost
        pull = X.T @ left
        pulled = free & ~out & ((np.isposinf(upper) & (pull > 0)) | (np.isneginf(lower) & (pull < 0)))
        if not pulled.any():
            return left, lost
        out = out | pulled


def _projected(columns: Array, residual: Array) -> tuple[Array, float]:
    if columns.shape[1] == 0:
        return residual, 0.0
    norms = np.linalg.norm(columns, axis=0)
    left, values, _ = np.linalg.svd(columns / np.where(norms > 0, norms, 1.0), full_matrices=False)
    part = left[:, values > 1e-12 * values[0]].T @ residual
    return residual - left[:, : part.size] @ part, float(part @ part)
