"""Quadratics with a group lasso: penalised least squares from second moments, and the models of proximal Newton.

With c_j = metric_j beta_j, in which the norms of the groups are those of the penalty, and each group in units of the
root of its mean curvature, they are what `kernels.groups` minimises. A column whose metric is 0 is in no norm: it is
free, a group of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels.groups import minimise
from torchlinear.penalties.group_lasso import GroupLasso
from torchlinear.shrinkage import Gram

__all__ = ["from_gram", "of_model"]

Array = NDArray[np.float64]


def from_gram(gram: Gram, penalty: GroupLasso, start: Array) -> Array:
    """Coefficients of least squares with a group lasso, shape (p, k), in the user's units.

    Parameters
    ----------
    gram : Gram
        Cross products of the rows.
    penalty : GroupLasso
        In the user's units.
    start : ndarray, shape (p, k)
        Coefficients to begin at.
    """
    p, size = len(gram.scale), float(np.linalg.norm(gram.size)) or 1.0
    half, (metric, index, strengths) = gram.weight / 2.0, _groups(penalty, np.diagonal(gram.H))
    ridge = half * penalty.ridge(p).numpy() / np.square(metric)
    H = gram.H * np.outer(gram.scale / metric, gram.scale / metric)
    G = gram.g * gram.size * (gram.scale / metric)[:, None] / size
    H[np.diag_indices(p)] += ridge
    found = _solved(H, G, metric[:, None] * start / size, index, half * strengths / size)
    return found * size / metric[:, None]


def of_model(H: Array, penalty: GroupLasso, at: Array, pull: Array, weight: float, *, p: int) -> Array:
    """Minimum of a quadratic model of W times the loss, plus W times the penalty, shape (p, k).

    Parameters
    ----------
    H : ndarray, shape (k r, k r)
        Second derivatives, output by output; r = p, or p + 1 with an intercept, which is last and unpenalised.
    penalty : GroupLasso
        In the user's units.
    at, pull : ndarray, shape (r, k)
        Where the model was made, and its slope there.
    weight : float
        W.
    p : int
        Features.
    """
    (rows, k), more = at.shape, len(at) - p
    bends = np.diagonal(H).reshape(k, rows)[:, :p].max(axis=0)
    ridge, (metric, index, strengths) = weight * penalty.ridge(p).numpy(), _groups(penalty, bends)
    strengths = weight * strengths
    free = strengths.size + np.arange(more * k).reshape(k, more)  # intercepts, each a group of its own
    index = np.concatenate([np.concatenate([index, own]) for own in free])
    metric, ridge = (
        np.tile(np.append(values, np.full(more, end)), k) for values, end in ((metric, 1.0), (ridge, 0.0))
    )
    now = at.T.ravel()
    G = (H @ now - pull.T.ravel()) / metric
    scaled = H / metric / metric[:, None]
    scaled[np.diag_indices_from(scaled)] += ridge / np.square(metric)
    found = _solved(
        scaled, G[:, None], (now * metric)[:, None], index, np.append(strengths, np.zeros(more * k))
    )
    return (found[:, 0] / metric).reshape(k, rows).T


def _solved(H: Array, G: Array, start: Array, index: NDArray[np.int64], strengths: Array) -> Array:
    """The minimum, each group in units in which its mean curvature is 1."""
    squares, sizes = np.bincount(index, np.diagonal(H)), np.bincount(index)
    units = np.sqrt(squares / sizes)
    units = np.where(units > 0, units, 1.0)
    each = units[index]
    scaled = H / each / each[:, None]
    return (
        minimise(scaled, G / each[:, None], start * each[:, None], index, strengths / units).beta
        / each[:, None]
    )


def _groups(penalty: GroupLasso, bends: Array) -> tuple[Array, NDArray[np.int64], Array]:
    """The metric and the group of each column, shape (p,), and the strength of each group, given curvatures."""
    p = len(bends)
    metric, index, strengths = (
        part(p).numpy() for part in (penalty.metric, penalty.index, penalty.strengths)
    )
    free = (metric == 0) & (bends > 0)
    index = np.where(free, len(strengths) + np.arange(p), index)
    used, index = np.unique(index, return_inverse=True)
    return np.where(metric > 0, metric, 1.0), index, np.append(strengths, np.zeros(p))[used]
