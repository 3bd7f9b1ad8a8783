"""Softmax of many problems on the same rows: eta (r, m k) holds k classes of each of m problems side by side.

`slopes` turns eta into pi - e_y in place and keeps pi in float32; `products` turns v into the second derivative
times v, ``pi o (v - pi' v)``, in place. Both are one pass over what they read.
"""

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled
from torchlinear.kernels.exponential import exp, log1p
from torchlinear.kernels.update import Array

__all__ = ["products", "slopes"]

Singles = NDArray[np.float32]
Numbers = NDArray[np.int64]

LOOSE = frozenset({"reassoc", "contract", "nsz"})


@compiled(
    *[
        f"void({dtype}[:, ::1], const int64[::1], int64, float64[::1], float32[:, ::1])"
        for dtype in ("float64", "float32")
    ],
    fastmath=LOOSE,
)
def slopes(eta: Array, codes: Numbers, k: int, value: Array, mean: Singles) -> None:
    """Turn eta into slopes; add each problem's loss to `value`, shape (m,), and write pi to `mean`.

    >>> import numpy as np
    >>> eta, value, mean = np.zeros((1, 4)), np.zeros(2), np.empty((1, 4), dtype=np.float32)
    >>> slopes(eta, np.array([1]), 2, value, mean)
    >>> eta.tolist(), value.round(4).tolist()
    ([[0.5, -0.5, 0.5, -0.5]], [0.6931, 0.6931])
    """
    keep = mean.shape[0] > 0
    room = np.empty(k)
    for i in range(eta.shape[0]):
        y = codes[i]
        for j in range(value.size):
            row = eta[i, j * k : (j + 1) * k]
            top = np.float64(row[0])
            for c in range(1, k):
                top = max(top, np.float64(row[c]))
            behind = top - np.float64(row[y])
            total = 0.0
            for c in range(k):
                e = exp(np.float64(row[c]) - top)
                room[c] = e
                total += e
            own, others = room[y], total - room[y]
            if own > 0.5:  # no cancellation where the others are tiny
                room[y] = 0.0
                others = 0.0
                for c in range(k):
                    others += room[c]
            # the class itself is the top: log(1 + others)
            value[j] += log1p(others) if behind == 0.0 else behind + log1p(total - 1.0)
            scale = 1.0 / total
            for c in range(k):
                row[c] = room[c] * scale
            row[y] = -others * scale
            if keep:
                kept = mean[i, j * k : (j + 1) * k]
                for c in range(k):
                    kept[c] = row[c]
                kept[y] = own * scale


@compiled("void(float32[:, ::1], const float32[:, ::1], const int64[::1], int64)", fastmath=LOOSE)
def products(v: Singles, mean: Singles, which: Numbers, k: int) -> None:
    """Turn the directions v, shape (r, a k), of the problems `which` into second derivatives times them.

    >>> import numpy as np
    >>> v, mean = np.array([[1.0, 0.0]], dtype=np.float32), np.array([[0.25, 0.75]], dtype=np.float32)
    >>> products(v, mean, np.array([0]), 2)
    >>> v.tolist()
    [[0.1875, -0.1875]]
    """
    for i in range(v.shape[0]):
        for j in range(which.size):
            row, pi = v[i, j * k : (j + 1) * k], mean[i, which[j] * k : (which[j] + 1) * k]
            dot = np.float32(0.0)
            for c in range(k):
                dot += pi[c] * row[c]
            for c in range(k):
                row[c] = pi[c] * (row[c] - dot)
