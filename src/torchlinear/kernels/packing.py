"""Rows in the form that kernels take, and their way into a chunk: shifted, in float64, a column at a time."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import inlined
from torchlinear.kernels.doubledouble import two_sum

__all__ = ["SIGNATURE", "Given", "contiguous", "given", "pack", "pack_extended"]

Array = NDArray[np.float64]

# What every kernel over rows takes: a `Given`, and then its own arguments.
SIGNATURE = (
    "(const {}[:, ::1], boolean, const float64[:, ::1], const float64[:, ::1], "
    "const float64[::1], const float64[::1], {})"
)


class Given(NamedTuple):
    """Rows z = [x, y] and a shift, as kernels take them.

    Attributes
    ----------
    X : ndarray, shape (n, at least p) or, transposed, (p, at least n), float32 or float64
        Features, contiguous along the last axis.
    transposed : bool
        Whether X is the transpose.
    low : ndarray, shape (n, p) or (0, 0)
        Low words of the features, if there are any.
    y : ndarray, shape (n, k)
        Targets.
    weight : ndarray, shape (n,) or (0,)
        Weights, if there are any.
    shift : ndarray, shape (p + k,)
        Subtracted from every row.
    """

    X: NDArray[Any]
    transposed: bool
    low: Array
    y: Array
    weight: Array
    shift: Array

    def chunk(self, start: int, stop: int) -> Array:
        """Return the shifted rows from `start` to `stop`, shape (m, p + k)."""
        y = self.y[start:stop]
        p = len(self.shift) - y.shape[1]
        X = self.X[:p, start : start + len(y)].T if self.transposed else self.X[start:stop, :p]
        z = np.empty((len(y), len(self.shift)))
        np.subtract(X, self.shift[:p], out=z[:, :p])
        np.subtract(y, self.shift[p:], out=z[:, p:])
        if self.low.size:
            z[:, :p] += self.low[start:stop]
        return z


def given(X: NDArray[Any], y: NDArray[Any], weight: Array | None, low: Array | None, shift: Array) -> Given:
    """Put arrays in the form that kernels take; for the shapes see `moments.about`. X is rarely copied."""
    columns, transposed = contiguous(X)
    return Given(
        columns,
        transposed,
        np.empty((0, 0)) if low is None else np.ascontiguousarray(low, dtype=np.float64),
        np.ascontiguousarray(y, dtype=np.float64),
        np.empty(0) if weight is None else np.ascontiguousarray(weight, dtype=np.float64),
        np.ascontiguousarray(shift, dtype=np.float64),
    )


def contiguous(X: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Return X as a row-major matrix for the kernels, and whether that is the transpose.

    The matrix may have more columns than X, or X' if transposed: they are whatever lies between its rows and
    are never read. So a part of a buffer needs no copy.
    """
    if X.dtype not in (np.float32, np.float64):
        X = X.astype(np.float64)
    for matrix, transposed in ((X.T, True), (X, False)):
        rows, columns = matrix.shape
        pitch, step = (s // X.itemsize for s in matrix.strides)
        pitch = columns if rows == 1 else pitch
        if matrix.size and (step == 1 or columns == 1) and pitch >= columns and matrix.flags.aligned:
            shape, strides = (rows, pitch), (pitch * X.itemsize, X.itemsize)
            return np.lib.stride_tricks.as_strided(matrix, shape, strides, writeable=False), transposed
    return np.ascontiguousarray(X), False


@inlined
def pack(
    X: Array, transposed: bool, low: Array, y: Array, shift: Array, start: int, count: int, z: Array
) -> None:
    """Put `count` rows from `start` into the columns of z, shifted."""
    k = y.shape[1]
    p = shift.size - k
    if transposed:
        for j in range(p):
            column, out, s = X[j, start : start + count], z[j], shift[j]
            for r in range(count):
                out[r] = np.float64(column[r]) - s
    else:
        rows = X[start : start + count]
        for r in range(count):
            for j in range(p):
                z[j, r] = np.float64(rows[r, j]) - shift[j]
    if low.size:
        rows_low = low[start : start + count]
        for r in range(count):
            for j in range(p):
                z[j, r] += rows_low[r, j]
    targets = y[start : start + count]
    for r in range(count):
        for j in range(k):
            z[p + j, r] = targets[r, j] - shift[p + j]


@inlined
def pack_extended(
    X: Array,
    transposed: bool,
    low: Array,
    y: Array,
    shift: Array,
    start: int,
    count: int,
    z: Array,
    z_low: Array,
) -> None:
    """Put `count` rows from `start` into the columns of z + z_low, shifted, after its first column."""
    p = shift.size - y.shape[1]
    for r in range(count):
        for j in range(p):
            x = np.float64(X[j, start + r] if transposed else X[start + r, j])
            d, e = two_sum(x, -shift[j])
            if low.size:
                d, f = two_sum(d, low[start + r, j])
                e += f
            z[j + 1, r], z_low[j + 1, r] = d, e
        for j in range(y.shape[1]):
            z[p + j + 1, r], z_low[p + j + 1, r] = two_sum(y[start + r, j], -shift[p + j])
