"""Coefficients along a path of penalties, from the moments of the rows alone.

With the cross products C of the centred rows and W the sum of their weights, the squared loss plus a penalty is

    (b' Cxx b - 2 b' Cxy) / W + sum_j (lasso_j |b_j| + ridge_j / 2 b_j^2) + what does not depend on b,

solved by coordinate descent (`shrinkage`), where each solution starts the next. Without a lasso part the path is a
singular value decomposition of the triangle away: with the columns divided by the roots of their weights,
``Rxx = U S V'`` gives ``b = V S / (S^2 + W ridge / 2) U' Rxy`` for every ridge at once (Hastie, Tibshirani,
Friedman 2009, "The Elements of Statistical Learning", section 3.4.1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from torchlinear.leastsquares import solve
from torchlinear.penalties.separable import Separable
from torchlinear.shrinkage import Gram
from torchlinear.statistics import Moments, Triangle

__all__ = ["along", "pull"]

Array = NDArray[np.float64]

UNEVEN = 1e3  # ratio of column norms above which singular values lose digits of the shortest


def along(
    moments: Moments, penalties: Sequence[Separable], *, intercept: bool = True, positive: bool = False
) -> Array:
    """Coefficients at each penalty.

    Parameters
    ----------
    moments : Moments
        Of the rows to learn from.
    penalties : sequence of Separable
        Best from the strongest to the weakest, for each starts from the one before.
    intercept : bool
        Whether to fit one.
    positive : bool
        Whether coefficients must not be negative.

    Returns
    -------
    ndarray, shape (m, p + 1, k)
        Coefficients in the user's units, the intercept last.
    """
    p = moments.n_features
    deviation = torch.from_numpy(np.sqrt(np.diag(moments.cross.high)[:p] / moments.weight))
    given = [penalty.in_units(deviation) for penalty in penalties]
    lasso, ridge = (np.stack([getattr(q, part)(p).numpy() for q in given]) for part in ("lasso", "ridge"))
    low, high = (bound.numpy() for bound in (given[0].lower(p), given[0].upper(p)))
    low = np.maximum(low, 0.0) if positive else low
    bounded = bool((np.isfinite(low) | np.isfinite(high)).any())
    smooth = ~lasso.any(axis=1) & (not bounded)
    mean = moments.mean.high
    beta = np.empty((len(given), p, len(mean) - p))
    if smooth.any():
        triangle = Triangle.of(moments)
        triangle = triangle if intercept else triangle.uncentred()
        beta[smooth] = _ridges(triangle, ridge[smooth] * moments.weight / 2.0, intercept)
    if not smooth.all():
        beta[~smooth] = _lassos(moments, lasso[~smooth], ridge[~smooth], (low, high), intercept)
    offset = mean[p:] - mean[:p] @ beta if intercept else np.zeros(beta.shape[::2])
    return np.concatenate([beta, offset[:, np.newaxis]], axis=1)


def pull(moments: Moments, *, intercept: bool = True) -> Array:
    """Slope of the squared loss at zero coefficients, its sign turned, shape (p, k)."""
    gram = Gram.of(moments, intercept=intercept)
    return gram.g * gram.size * gram.scale[:, np.newaxis] * (2.0 / moments.weight)


def _lassos(
    moments: Moments, lasso: Array, ridge: Array, bounds: tuple[Array, Array], intercept: bool
) -> Array:
    """Coefficients at strengths of shape (m, p) within bounds of shape (p,), shape (m, p, k)."""
    gram = Gram.of(moments, intercept=intercept)
    found: list[Array] = []
    for one, other in zip(lasso, ridge):
        found.append(gram.minimise(one, other, found[-1] if found else None, *bounds))
    return np.stack(found)


def _ridges(triangle: Triangle, ridge: Array, intercept: bool) -> Array:
    """Coefficients for each ridge on the cross products, shapes (m, p) and (m, p, k)."""
    p, R = triangle.n_features, triangle.R.high
    shape = ridge[np.argmax(ridge.max(axis=1))]
    alike = bool((shape > 0).all() and np.allclose(ridge, ridge[:, :1] * (shape / shape[0]), rtol=1e-15))
    if alike and ridge[:, 0].all():
        weights = np.sqrt(shape / shape[0])
        Z = R[:p, :p] / weights
        norms = np.sqrt(np.square(Z).sum(axis=0))
        if norms.max() <= UNEVEN * norms.min():
            U, S, Vt = np.linalg.svd(Z)
            shrunk = S / (S**2 + ridge[:, :1])
            return np.asarray(
                (Vt.T @ (shrunk[:, :, np.newaxis] * (U.T @ R[:p, p:]))) / weights[:, np.newaxis]
            )
    return np.stack([solve(triangle, each, intercept=intercept).coef[:-1] for each in ridge])
