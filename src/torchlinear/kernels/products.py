"""Products of rows with a few coefficients and residuals, at the speed of reading the rows.

Rows are read once and converted to float64 on the way. BLAS's matrix-vector product needs a copy of float32
rows, and reaches half the speed where rows are long.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled
from torchlinear.kernels.packing import contiguous

__all__ = ["faster", "predict", "pull"]

Array = NDArray[np.float64]

MOST_OUTPUTS = 3  # beyond, a matrix product of BLAS is faster
LEAST_FEATURES = 16  # below, BLAS is faster on float64 rows, as it is on transposed ones
CHUNK = 512  # rows of transposed features, so that their sums stay in the first cache


def faster(X: NDArray[Any], outputs: int) -> bool:
    """Whether these products take less time than those of BLAS, as measured."""
    if outputs > MOST_OUTPUTS or X.dtype not in (np.float32, np.float64):
        return False
    long_rows = X.strides[1] == X.itemsize and X.shape[1] >= LEAST_FEATURES
    return bool(X.dtype == np.float32 or long_rows)


def predict(X: NDArray[Any], beta: Array, offset: Array) -> Array:
    """Compute ``X beta + offset``, shape (n, k).

    Parameters
    ----------
    X : ndarray, shape (n, p), float32 or float64
        Rows, in any layout.
    beta : ndarray, shape (p, k), float64
        Coefficients.
    offset : ndarray, shape (k,), float64
        Intercepts.

    Examples
    --------
    >>> import numpy as np
    >>> predict(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([0.5]))
    array([[11.5]])
    """
    rows, transposed = contiguous(X)
    eta = np.empty((beta.shape[1], X.shape[0]))
    for j in range(len(eta)):
        _predict(rows, transposed, np.ascontiguousarray(beta[:, j]), float(offset[j]), eta[j])
    return eta.T


def pull(X: NDArray[Any], r: Array) -> Array:
    """Compute ``X' r``, shape (p, k), for r of shape (n, k).

    Examples
    --------
    >>> import numpy as np
    >>> pull(np.array([[1.0, 2.0]]), np.array([[3.0]]))
    array([[3.],
           [6.]])
    """
    rows, transposed = contiguous(X)
    sums = np.zeros((r.shape[1], X.shape[1]))
    for j in range(len(sums)):
        _pull(rows, transposed, np.ascontiguousarray(r[:, j]), sums[j])
    return sums.T


@compiled(
    *[f"void(const {dtype}[:, ::1], boolean, float64[::1], float64, float64[::1])" for dtype in ("float64", "float32")],
    fastmath={"reassoc", "contract"},
)  # fmt: skip
def _predict(X: Array, transposed: bool, beta: Array, offset: float, eta: Array) -> None:
    if transposed:
        for start in range(0, eta.size, CHUNK):
            out = eta[start : start + CHUNK]
            out[:] = offset
            whole = beta.size - beta.size % 4
            for j in range(0, whole, 4):
                part = X[j : j + 4, start : start + out.size]
                b0, b1, b2, b3 = beta[j], beta[j + 1], beta[j + 2], beta[j + 3]
                for i in range(out.size):
                    out[i] += b0 * part[0, i] + b1 * part[1, i] + b2 * part[2, i] + b3 * part[3, i]
            for j in range(whole, beta.size):
                column, b = X[j, start : start + out.size], beta[j]
                for i in range(out.size):
                    out[i] += b * column[i]
        return
    for i in range(eta.size):
        s = 0.0
        for j in range(beta.size):
            s += X[i, j] * beta[j]
        eta[i] = s + offset


@compiled(
    *[f"void(const {dtype}[:, ::1], boolean, float64[::1], float64[::1])" for dtype in ("float64", "float32")],
    fastmath={"reassoc", "contract"},
)  # fmt: skip
def _pull(X: Array, transposed: bool, r: Array, sums: Array) -> None:
    if transposed:
        for j in range(sums.size):
            for start in range(0, r.size, CHUNK):
                column, part = X[j, start : start + CHUNK], r[start : start + CHUNK]
                s = 0.0
                for i in range(part.size):
                    s += column[i] * part[i]
                sums[j] += s
        return
    total = np.zeros(sums.size)
    for i in range(r.size):
        row, share = X[i], r[i]
        for j in range(total.size):
            total[j] += share * row[j]
        if i % CHUNK == CHUNK - 1 or i == r.size - 1:  # sums of sums
            sums += total
            total[:] = 0.0
