"""Sums along the columns of a column-major matrix, each about its own centre; in float64 whatever its dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled

__all__ = ["flipped", "pulls", "spreads", "sweep"]

Array = NDArray[np.float64]

TILE = 32  # rows and columns that a transposition holds in the first-level cache

_SUMS = "void(const {0}[:, ::1], {1})"
_BOTH = ("float64", "float32")


@compiled(
    *[
        _SUMS.format(dtype, "const float64[::1], const float64[::1], const int64[::1], float64[::1]")
        for dtype in _BOTH
    ],
    fastmath={"reassoc", "contract"},
)
def pulls(X: NDArray[Any], centre: Array, r: Array, chosen: NDArray[np.int64], out: Array) -> None:
    """``out[i] = sum_t (X[j, t] - centre[j]) r[t]`` for each chosen column j, a row of X."""
    for i in range(chosen.size):
        column, c = X[chosen[i]], centre[chosen[i]]
        total = 0.0
        for t in range(r.size):
            total += (column[t] - c) * r[t]
        out[i] = total


@compiled(
    *[_SUMS.format(dtype, "const float64[::1], float64[::1], float64[::1]") for dtype in _BOTH],
    fastmath={"reassoc", "contract"},
)
def spreads(X: NDArray[Any], weight: Array, centre: Array, squares: Array) -> None:
    """Weighted means of the columns, the rows of X, into `centre`; sums of squares about them into `squares`."""
    total = weight.sum()
    for j in range(centre.size):
        column, first = X[j], np.float64(X[j, 0])
        shift = 0.0
        for t in range(weight.size):
            shift += weight[t] * (column[t] - first)
        shift /= total
        around = 0.0
        for t in range(weight.size):
            around += weight[t] * (column[t] - first - shift) * (column[t] - first - shift)
        centre[j], squares[j] = first + shift, around


@compiled(*[f"void(const {dtype}[:, ::1], {dtype}[:, ::1])" for dtype in _BOTH])
def flipped(X: NDArray[Any], out: NDArray[Any]) -> None:
    """Write the transpose of X (n, p) into `out` (p, n)."""
    n, p = X.shape
    for first in range(0, n, TILE):
        for start in range(0, p, TILE):
            for j in range(start, min(start + TILE, p)):
                for i in range(first, min(first + TILE, n)):
                    out[j, i] = X[i, j]


@compiled(
    "int64(const float64[:, ::1], float64[::1], float64[::1], const float64[::1], const float64[::1], float64,"
    " float64, int64)",
    fastmath={"reassoc", "contract"},
)
def sweep(
    Z: Array, left: Array, beta: Array, lasso: Array, ridge: Array, lower: float, floor: float, most: int
) -> int:
    """Coordinate descent on columns of norm 1, the rows of Z, whose residuals `left` are kept up to date.

    Sweeps over all columns until no step gains more than `floor`; returns how many.
    """
    for count in range(most):
        largest = 0.0
        for j in range(beta.size):
            column, z = Z[j], beta[j]
            for t in range(left.size):
                z += column[t] * left[t]
            to = np.sign(z) * max(abs(z) - lasso[j], 0.0) / (1.0 + ridge[j])
            to = max(to, lower)
            step = to - beta[j]
            if step != 0.0:
                beta[j] = to
                for t in range(left.size):
                    left[t] -= step * column[t]
                largest = max(largest, (1.0 + ridge[j]) * step * step)
        if largest <= floor:
            return count + 1
    return most
