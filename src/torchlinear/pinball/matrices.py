"""What problems ask of their features, dense or sparse; sparse ones never become dense as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from torchlinear.kernels.moments import about

__all__ = ["Matrix", "dense", "gram", "lengths", "scaled", "squares", "stacked", "triangle", "with_constant"]

Matrix = Any  # ndarray or scipy.sparse.csr_array, shape (n, q), float64
Array = NDArray[np.float64]

NARROW = 150  # columns up to which the kernel of the moments was measured to be faster than BLAS
CHUNK = 1024  # rows, of which hundreds of columns stay in a second cache


def dense(Z: Matrix) -> Array:
    """Some rows as an ndarray."""
    return np.asarray(Z.toarray() if scipy.sparse.issparse(Z) else Z)


def gram(Z: Matrix, q: Array) -> Array:
    """Z' diag(q) Z, shape (q, q)."""
    if scipy.sparse.issparse(Z):
        return np.asarray((Z.T @ (scipy.sparse.diags_array(q) @ Z)).toarray())
    if Z.shape[1] < NARROW:
        return about(Z, np.empty((len(Z), 0)), q, None, np.zeros(Z.shape[1])).cross.high
    total, root = np.zeros((Z.shape[1], Z.shape[1])), np.sqrt(q)[:, None]
    for start in range(0, len(Z), CHUNK):
        part = Z[start : start + CHUNK] * root[start : start + CHUNK]
        total += part.T @ part  # which NumPy gives to the routine for symmetric products
    return total


def triangle(Z: Matrix, weight: Array) -> Array:
    """Upper triangle R with R' R = Z' diag(weight) Z, from parts of the rows; shape (q, q) or (n, q)."""
    found, root = np.zeros((0, Z.shape[1])), np.sqrt(weight)[:, None]
    for start in range(0, Z.shape[0], CHUNK):
        part = dense(Z[start : start + CHUNK]) * root[start : start + CHUNK]
        found = np.asarray(np.linalg.qr(np.vstack([found, part]), mode="r"))
    return found


def lengths(Z: Matrix) -> Array:
    """Euclidean norms of the rows, shape (n,)."""
    total = Z.multiply(Z).sum(axis=1) if scipy.sparse.issparse(Z) else np.square(Z).sum(axis=1)
    return np.asarray(np.sqrt(total))


def squares(Z: Matrix, weight: Array) -> Array:
    """Weighted sums of the squares of the columns, shape (q,)."""
    if scipy.sparse.issparse(Z):
        return np.asarray(weight @ Z.multiply(Z))
    return np.asarray(np.einsum("i,ij,ij->j", weight, Z, Z))  # which copies nothing


def scaled(Z: Matrix, scale: Array) -> Matrix:
    """Columns divided by `scale`, shape (q,)."""
    if scipy.sparse.issparse(Z):
        return (Z @ scipy.sparse.diags_array(1.0 / scale)).tocsr()
    return Z / scale


def stacked(parts: list[Matrix]) -> Matrix:
    """Rows below each other; sparse if the first are."""
    if len(parts) == 1:
        return parts[0]
    if scipy.sparse.issparse(parts[0]):
        return scipy.sparse.vstack(parts, format="csr")
    return np.vstack([dense(part) for part in parts])


def with_constant(Z: Matrix) -> Matrix:
    """Z with a column of ones after it."""
    ones = np.ones((Z.shape[0], 1))
    if scipy.sparse.issparse(Z):
        return scipy.sparse.hstack([Z, scipy.sparse.csr_array(ones)], format="csr")
    return np.hstack([Z, ones])
