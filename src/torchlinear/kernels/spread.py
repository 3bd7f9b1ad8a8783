"""Weighted sums of columns about a shift and of their squares: means and standard deviations in one pass."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled
from torchlinear.kernels.packing import SIGNATURE, given, pack

__all__ = ["about"]

Array = NDArray[np.float64]

CHUNK = 96  # rows, as in `moments`


def about(
    X: NDArray[Any], y: NDArray[Any], weight: Array | None, low: Array | None, shift: Array
) -> tuple[Array, Array]:
    """Sum ``w (z - shift)`` and ``w (z - shift)^2`` over rows z = [x, y]; both shape (p + k,).

    Examples
    --------
    >>> import numpy as np
    >>> about(np.array([[1.0], [2.0], [4.0]]), np.ones((3, 1)), None, None, np.array([1.0, 0.0]))
    (array([4., 3.]), array([10.,  3.]))
    """
    rows = given(X, y, weight, low, shift)
    total, squares = np.zeros(shift.size), np.zeros(shift.size)
    _sums(*rows, total, squares)
    return total, squares


@compiled(
    *[SIGNATURE.format(dtype, "float64[::1], float64[::1]") for dtype in ("float64", "float32")],
    fastmath={"reassoc", "contract"},
)
def _sums(
    X: Array,
    transposed: bool,
    low: Array,
    y: Array,
    weight: Array,
    shift: Array,
    total: Array,
    squares: Array,
) -> None:
    n, q = y.shape[0], shift.size
    z = np.zeros((q, CHUNK))
    for start in range(0, n, CHUNK):
        count = min(CHUNK, n - start)
        pack(X, transposed, low, y, shift, start, count, z)
        for j in range(q):
            s = t = 0.0
            if weight.size:
                w = weight[start : start + count]
                for r in range(count):
                    s += w[r] * z[j, r]
                    t += w[r] * z[j, r] * z[j, r]
            else:
                for r in range(count):
                    s += z[j, r]
                    t += z[j, r] * z[j, r]
            total[j] += s
            squares[j] += t
