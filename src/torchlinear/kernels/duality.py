"""Duality gaps of penalised least squares: how far above its minimum an objective can be.

Of   P(b) = 1/2 |y - X b|^2 + sum_j (lasso_j |b_j| + ridge_j / 2 b_j^2)   and its dual (Fenchel),

    D(t) = 1/2 |y|^2 - 1/2 |y - t|^2 - sum_j conjugate_j(x_j't),

    conjugate_j(u) = (|u| - lasso_j)+^2 / (2 ridge_j),     for ridge_j = 0 infinite where |u| > lasso_j,

P(b) - min P <= P(b) - D(t) for any t. As t we take s r: the residuals r less their part in the columns that no
penalty holds, and s <= 1 the largest scale at which D is finite (El Ghaoui, Viallon, Rabbani 2012; Fercoq, Gramfort,
Salmon 2015, "Mind the duality gap"). With u = X'r and q what the residuals lost to those columns, the gap is

    q / 2 + (1 - s)^2 / 2 |r|^2 + sum_j (lasso_j |b_j| + ridge_j / 2 b_j^2 - s b_j u_j + conjugate_j(s u_j)),

in which no term is negative, so nothing cancels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gap", "without"]

Array = NDArray[np.float64]


def gap(
    pull: Array, beta: Array, lasso: Array, ridge: Array, squares: float, lost: float = 0.0, *, positive: bool
) -> float:
    """Duality gap of one target.

    Parameters
    ----------
    pull : ndarray, shape (p,)
        ``X'r``.
    beta : ndarray, shape (p,)
        The coefficients.
    lasso, ridge : ndarray, shape (p,)
        Strengths.
    squares : float
        ``|r|^2``.
    lost : float
        q, what the residuals lost to columns without a penalty, whose `pull` is 0.
    positive : bool
        Whether coefficients are at least 0; then only a positive pull counts.

    Returns
    -------
    float
        The gap, at least 0.
    """
    held = (lasso > 0) | (ridge > 0)
    toward = pull if positive else np.abs(pull)
    bound = held & (ridge == 0) & (toward > lasso)
    scale = float((lasso[bound] / toward[bound]).min(initial=1.0))
    over = np.maximum(scale * toward - lasso, 0.0)
    conjugate = np.divide(np.square(over), 2.0 * ridge, out=np.zeros_like(pull), where=ridge > 0)
    terms = lasso * np.abs(beta) + ridge / 2.0 * np.square(beta) - scale * beta * pull + conjugate
    return float(lost / 2.0 + (1.0 - scale) ** 2 / 2.0 * squares + np.maximum(terms, 0.0)[held].sum())


def without(
    X: Array, residual: Array, free: NDArray[np.bool_], beta: Array, *, positive: bool
) -> tuple[Array, float]:
    """Take out of the residuals, shape (n,), what columns without a penalty explain; also the square of that.

    Of coefficients that must not be negative, those at zero may keep a pull below zero.
    """
    out = free & (beta != 0.0) if positive else free
    while True:
        left, lost = _projected(X[:, out], residual)
        pulled = free & ~out & (X.T @ left > 0.0)
        if not positive or not pulled.any():
            return left, lost
        out = out | pulled


def _projected(columns: Array, residual: Array) -> tuple[Array, float]:
    if columns.shape[1] == 0:
        return residual, 0.0
    norms = np.linalg.norm(columns, axis=0)
    left, values, _ = np.linalg.svd(columns / np.where(norms > 0, norms, 1.0), full_matrices=False)
    part = left[:, values > 1e-12 * values[0]].T @ residual
    return residual - left[:, : part.size] @ part, float(part @ part)
