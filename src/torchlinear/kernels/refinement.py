"""What is left of a linear model's equations at given coefficients: residuals, and their pull on each column.

Of rows z = [x, y] about a centre c, ``r = (y - c_y) - (x - c_x)' b``, and the sums of ``w r``, of
``w r (x - c_x)`` and of ``w r^2``. Near the optimum the first two all but cancel, so products and sums carry
two words; a step of ``b += (X'WX)^-1 X'Wr`` then brings back what the solve of b had lost to rounding
(A. Björck, "Iterative refinement of linear least squares solutions I", BIT 7, 1967; J. Demmel, Y. Hida,
E. J. Riedy, X. S. Li, "Extra-precise iterative refinement for overdetermined least squares problems", ACM
TOMS 35(4), 2009).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled, inlined
from torchlinear.kernels.doubledouble import accumulate, add, two_product, two_sum
from torchlinear.kernels.packing import SIGNATURE, given, pack_extended
from torchlinear.kernels.words import Words

__all__ = ["Leftover", "leftover"]

Array = NDArray[np.float64]

LANES = 64  # rows at a time, each in its own lane: 24 columns of them in two words are 24 KiB


class Leftover(NamedTuple):
    """Sums over rows at given coefficients.

    Attributes
    ----------
    pull : Words, shape (p + 1, k)
        Weighted sums of ``r (x - c_x)``, and of r in the last row.
    squares : ndarray, shape (k,)
        Weighted sums of the squares of r.
    """

    pull: Words
    squares: Array


def leftover(
    X: NDArray[Any],
    y: NDArray[Any],
    weight: Array | None,
    low: Array | None,
    centre: Array,
    beta: Array,
) -> Leftover:
    """Sum residuals and their pulls in double-double.

    Parameters
    ----------
    X, y, weight, low
        As in `moments.about`.
    centre : ndarray, shape (p + k,)
        A point near the means of the columns.
    beta : ndarray, shape (p, k)
        Coefficients of ``y - c_y = (x - c_x)' b``.

    Returns
    -------
    Leftover
        The sums.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [1.0], [5.0]])
    >>> left = leftover(X, y, None, None, np.array([1.0, 2.0]), np.array([[2.0]]))
    >>> left.pull.high.tolist(), left.squares.tolist()
    ([[1.0], [0.0]], [2.0])
    """
    rows = given(X, y, weight, low, centre)
    p, k = beta.shape
    high, rest, squares = np.zeros((k, p + 1)), np.zeros((k, p + 1)), np.zeros(k)
    _leftover(*rows, np.ascontiguousarray(beta), high, rest, squares)
    order = [*range(1, p + 1), 0]
    return Leftover(Words(high.T[order], rest.T[order]), squares)


_SUMS = "const float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[::1]"


@compiled(*(SIGNATURE.format(dtype, _SUMS) for dtype in ("float64", "float32")))
def _leftover(
    X: Array, transposed: bool, low: Array, y: Array, weight: Array, centre: Array,
    beta: Array, high: Array, rest: Array, squares: Array,
) -> None:  # fmt: skip
    """Sum the products of r and [1, x - c_x], and the squares of r."""
    n, k = y.shape
    p = centre.size - k
    z, z_low = np.zeros((p + k + 1, LANES)), np.zeros((p + k + 1, LANES))
    z[0] = 1.0
    r, r_low = np.zeros(LANES), np.zeros(LANES)
    s, s_low = np.zeros((k, p + 1, LANES)), np.zeros((k, p + 1, LANES))
    for start in range(0, n, LANES):
        count = min(LANES, n - start)
        pack_extended(X, transposed, low, y, centre, start, count, z, z_low)
        for t in range(k):
            r[:count], r_low[:count] = z[p + 1 + t, :count], z_low[p + 1 + t, :count]
            for j in range(p):
                _add_multiple(-beta[j, t], z[j + 1, :count], z_low[j + 1], r, r_low)
            squares[t] += _weigh(weight[start : start + count], r[:count], r_low)
            for j in range(p + 1):
                _add_products(r[:count], r_low, z[j], z_low[j], s[t, j], s_low[t, j])
    for t in range(k):
        for j in range(p + 1):
            high[t, j], rest[t, j] = _fold(s[t, j], s_low[t, j])


@inlined
def _add_multiple(a: float, x: Array, x_low: Array, s: Array, s_low: Array) -> None:
    for i in range(x.size):
        s[i], s_low[i] = accumulate(a, 0.0, x[i], x_low[i], s[i], s_low[i])


@inlined
def _weigh(w: Array, r: Array, r_low: Array) -> float:
    """Multiply residuals by their weights, if there are any; return the weighted sum of their squares."""
    total = 0.0
    for i in range(r.size):
        r[i], r_low[i] = two_sum(r[i], r_low[i])
        plain = r[i]
        if w.size:
            p, e = two_product(w[i], plain)
            r[i], r_low[i] = p, e + w[i] * r_low[i]
        total += plain * r[i]
    return total


@inlined
def _add_products(a: Array, a_low: Array, b: Array, b_low: Array, s: Array, s_low: Array) -> None:
    for i in range(a.size):
        s[i], s_low[i] = accumulate(a[i], a_low[i], b[i], b_low[i], s[i], s_low[i])


@inlined
def _fold(s: Array, s_low: Array) -> tuple[float, float]:
    """Add up the lanes."""
    high, low = 0.0, 0.0
    for i in range(s.size):
        t, e = two_sum(s[i], s_low[i])
        high, low = add(high, low, t, e)
    return high, low
