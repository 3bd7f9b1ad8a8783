"""Upper triangles R of rows z = [x, y]: R'R are the cross products, and R keeps the digits that they lose.

Triangles come from rows, by Householder reflections of chunks of rows into the triangle so far (TSQR;
J. Demmel, L. Grigori, M. Hoemmen, J. Langou, "Communication-optimal parallel and sequential QR and LU
factorizations", SIAM J. Sci. Comput. 34(1), 2012), or from cross products, by Cholesky. Diagonals are at
least 0. Most functions compute in double-double, which LAPACK cannot; those that also have a float64 version
leave that to LAPACK.

NaN and infinity reach the triangle, so callers check the triangle and need not scan the rows.
"""

from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled, inlined, words
from torchlinear.kernels.doubledouble import (
    accumulate,
    add,
    divide,
    multiply,
    square_root,
    subtract_product,
    two_sum,
)
from torchlinear.kernels.packing import SIGNATURE, Given, given, pack_extended
from torchlinear.kernels.words import Words

__all__ = ["RowTriangle", "cholesky", "of_rows", "qr", "reveal", "solve_upper"]

Array = NDArray[np.float64]

# A pivot this small, relative to its column's sum of squares and for each column, is rounding: 8 units in the
# last place of float64; in double-double 2**10 units, because long sums keep fewer digits than its numbers.
ROUNDING = 2.0**-50
ROUNDING_EXTENDED = 2.0**-96
CHUNK = 256  # rows reflected at a time: 20 columns of them in two words are 80 KiB
LAPACK_CHUNK = 4096


class RowTriangle(NamedTuple):
    """Triangle of centred rows.

    Attributes
    ----------
    weight : float
        Sum of the weights; the number of rows without weights.
    mean : Words, shape (q,)
        Weighted means.
    R : Words, shape (q, q)
        Upper triangle of the rows sqrt(w) (z - mean). Low words are zero unless it was extended.
    """

    weight: float
    mean: Words
    R: Words


def of_rows(
    X: NDArray[Any],
    y: NDArray[Any],
    weight: Array | None,
    low: Array | None,
    shift: Array,
    *,
    extended: bool = False,
) -> RowTriangle:
    """Compute the triangle of rows about their means.

    A column of ones goes before the columns z - shift: the first row of their triangle carries the means, and
    what is left is the triangle of the centred rows.

    Parameters
    ----------
    X, y, weight, low, shift
        As in `moments.about`.
    extended : bool
        Compute in double-double instead of float64.

    Returns
    -------
    RowTriangle
        With q = p + k columns; rows of zeros at its end where there are fewer rows than columns.

    Examples
    --------
    >>> import numpy as np
    >>> weight, mean, R = of_rows(np.array([[0.0], [3.0], [6.0]]), np.ones((3, 1)), None, None, np.zeros(2))
    >>> weight, mean.high, (R.high.T @ R.high).round(12)
    (3.0, array([3., 1.]), array([[18.,  0.],
           [ 0.,  0.]]))
    """
    rows = given(X, y, weight, low, shift)
    total = float(len(y) if weight is None else rows.weight.sum())
    if total == 0.0:
        return RowTriangle(total, words.of(rows.shift), words.of(np.zeros((len(rows.shift),) * 2)))
    if not extended:
        rows = rows._replace(shift=_mean(rows, total))
        R = words.of(_by_lapack(rows))
    else:
        R = _zeros(len(rows.shift) + 1)
        _reflect_rows(*rows, *R)
    with np.errstate(invalid="ignore"):  # NaN among the rows is found by the caller
        step = words.divide(words.take(R, 0, slice(1, None)), words.take(R, 0, 0))
        mean = words.add(words.of(rows.shift), step)
    return RowTriangle(total, mean, words.take(R, slice(1, None), slice(1, None)))


def qr(A: Words) -> Words:
    """Compute the triangle of a QR of `A`, shape (m, q), in double-double; shape (q, q) for any m."""
    R = _zeros(A.high.shape[1])
    _reflect_all(np.array(A.high, order="C"), np.array(A.low, order="C"), *R)
    return R


def cholesky(cross: Words, extended: bool) -> Words:
    """Factor a symmetric positive semidefinite matrix into R'R.

    Parameters
    ----------
    cross : Words, shape (q, q)
        Its upper triangle is read.
    extended : bool
        Compute in double-double instead of float64.

    Returns
    -------
    Words, shape (q, q)
        Upper triangle. A column that depends on those before it, within rounding, has a row of zeros.
    """
    q = len(cross.high)
    if not extended:
        with suppress(np.linalg.LinAlgError):
            by_lapack = np.linalg.cholesky(cross.high, upper=True)
            if (np.square(np.diag(by_lapack)) > ROUNDING * q * np.diag(cross.high)).all():
                return words.of(by_lapack)
    R = _zeros(q)
    low = cross.low if extended else np.zeros((q, q))
    _cholesky(np.array(cross.high, order="C"), np.array(low, order="C"), extended, *R)
    return R


def reveal(R: Words, tolerance: Array) -> tuple[Words, NDArray[np.bool_]]:
    """Pass over the columns that depend on those before them, in double-double.

    Parameters
    ----------
    R : Words, shape (q, q)
        Upper triangle, features first.
    tolerance : ndarray, shape (p,)
        Norm at or below which what remains of a feature, after those kept before it, counts as nothing.

    Returns
    -------
    Words, shape (q, q)
        The same cross products of the columns that are kept and of those after the features. In the kept ones
        its first rows are an upper triangle; of the dependent ones, what remained is set to 0.
    ndarray of bool, shape (p,)
        Which features depend on those before them.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 2.0, 1.0], [1.0, 2.0, 2.0], [1.0, 2.0, 4.0]])
    >>> reveal(qr(words.of(X)), np.full(3, 1e-20))[1]
    array([False,  True, False])
    """
    revealed = Words(np.array(R.high, order="C"), np.array(R.low, order="C"))
    dependent = np.zeros(len(tolerance), dtype=np.bool_)
    _reveal(*revealed, np.ascontiguousarray(tolerance, dtype=np.float64), dependent)
    return revealed, dependent


def solve_upper(R: Words, B: Words) -> Words:
    """Solve R x = B in double-double for an upper triangle R, shape (q, q), and B, shape (q, k)."""
    x = Words(np.array(B.high, order="C"), np.array(B.low, order="C"))
    _solve_upper(np.ascontiguousarray(R.high), np.ascontiguousarray(R.low), *x)
    return x


def _zeros(q: int) -> Words:
    return words.of(np.zeros((q, q)))


def _mean(rows: Given, total: float) -> Array:
    """Return the means of z, rounded, from its shifted values."""
    sums = np.zeros(len(rows.shift))
    for start in range(0, len(rows.y), LAPACK_CHUNK):
        z = rows.chunk(start, start + LAPACK_CHUNK)
        sums += rows.weight[start : start + LAPACK_CHUNK] @ z if rows.weight.size else z.sum(axis=0)
    return rows.shift + sums / total


def _by_lapack(rows: Given) -> Array:
    """Return the triangle of [1, z] in float64, shape (q + 1, q + 1)."""
    q = len(rows.shift) + 1
    R: Array = np.zeros((q, q))
    for start in range(0, len(rows.y), LAPACK_CHUNK):
        z = rows.chunk(start, start + LAPACK_CHUNK)
        z = np.hstack([np.ones((len(z), 1)), z])
        if rows.weight.size:
            z *= np.sqrt(rows.weight[start : start + LAPACK_CHUNK, None])
        R = np.asarray(np.linalg.qr(np.vstack([R, z]), mode="r"))
    return np.copysign(1.0, np.diag(R))[:, None] * R


@inlined
def _reflect(
    j: int,
    pivot: Array,
    pivot_low: Array,
    A: Array,
    A_low: Array,
    v: Array,
    v_low: Array,
    t: Array,
    t_low: Array,
) -> None:
    """Reflect the rows [pivot; A] so that column j of A becomes 0 and pivot[j] at least 0.

    v, v_low have room for a column of A, t, t_low for a row.
    """
    m, q = A.shape
    s, s_low = 0.0, 0.0
    for i in range(m):
        v[i], v_low[i] = A[i, j], A_low[i, j]
        s, s_low = accumulate(v[i], v_low[i], v[i], v_low[i], s, s_low)
    below = s
    sign = -1.0 if pivot[j] < 0.0 else 1.0
    s, s_low = accumulate(pivot[j], pivot_low[j], pivot[j], pivot_low[j], s, s_low)
    norm, norm_low = square_root(*two_sum(s, s_low))
    if below == 0.0:  # nothing to remove; the row may still have to change its sign
        for k in range(j, q):
            pivot[k], pivot_low[k] = sign * pivot[k], sign * pivot_low[k]
        return
    head, head_low = add(pivot[j], pivot_low[j], sign * norm, sign * norm_low)
    scale, scale_low = multiply(head, head_low, sign * norm, sign * norm_low)  # v'v / 2
    for k in range(j + 1, q):
        t[k], t_low[k] = accumulate(head, head_low, pivot[k], pivot_low[k], 0.0, 0.0)
    for i in range(m):
        for k in range(j + 1, q):
            t[k], t_low[k] = accumulate(v[i], v_low[i], A[i, k], A_low[i, k], t[k], t_low[k])
    for k in range(j + 1, q):
        high, low = two_sum(t[k], t_low[k])
        t[k], t_low[k] = divide(high, low, scale, scale_low)
        high, low = subtract_product(pivot[k], pivot_low[k], head, head_low, t[k], t_low[k])
        pivot[k], pivot_low[k] = -sign * high, -sign * low
    pivot[j], pivot_low[j] = norm, norm_low
    for i in range(m):
        A[i, j], A_low[i, j] = 0.0, 0.0
        for k in range(j + 1, q):
            A[i, k], A_low[i, k] = subtract_product(A[i, k], A_low[i, k], v[i], v_low[i], t[k], t_low[k])


@compiled("void(float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1])")
def _reflect_all(A: Array, A_low: Array, R: Array, R_low: Array) -> None:
    """Reflect the rows of A into the triangle R; A becomes 0."""
    m, q = A.shape
    v, v_low, t, t_low = np.empty(m), np.empty(m), np.empty(q), np.empty(q)
    for j in range(q):
        _reflect(j, R[j], R_low[j], A, A_low, v, v_low, t, t_low)


@compiled(*(SIGNATURE.format(dtype, "float64[:, ::1], float64[:, ::1]") for dtype in ("float64", "float32")))
def _reflect_rows(
    X: Array, transposed: bool, low: Array, y: Array, weight: Array, shift: Array, R: Array, R_low: Array
) -> None:
    """Reflect the rows sqrt(w) [1, z] into the triangle R."""
    n, q = y.shape[0], shift.size + 1
    A, A_low = np.zeros((CHUNK, q)), np.zeros((CHUNK, q))
    for start in range(0, n, CHUNK):
        count = min(CHUNK, n - start)
        A[:, 0], A_low[:, 0] = 1.0, 0.0
        pack_extended(X, transposed, low, y, shift, start, count, A.T, A_low.T)
        if weight.size:
            for i in range(count):
                root, root_low = square_root(weight[start + i], 0.0)
                for k in range(q):
                    A[i, k], A_low[i, k] = multiply(A[i, k], A_low[i, k], root, root_low)
        _reflect_all(A[:count], A_low[:count], R, R_low)


@compiled("void(float64[:, ::1], float64[:, ::1], boolean, float64[:, ::1], float64[:, ::1])")
def _cholesky(C: Array, C_low: Array, extended: bool, R: Array, R_low: Array) -> None:
    """Factor the upper triangle of C, which is overwritten."""
    q = C.shape[0]
    rounding = q * (ROUNDING_EXTENDED if extended else ROUNDING)
    floor = np.empty(q)
    for j in range(q):
        floor[j] = rounding * C[j, j]
    for i in range(q):
        if C[i, i] <= floor[i] < np.inf:
            continue
        root, root_low = square_root(C[i, i], C_low[i, i])
        R[i, i], R_low[i, i] = root, root_low
        for j in range(i + 1, q):
            R[i, j], R_low[i, j] = divide(C[i, j], C_low[i, j], root, root_low)
        for j in range(i + 1, q):
            r, r_low = R[i, j], R_low[i, j]
            for k in range(j, q):
                C[j, k], C_low[j, k] = subtract_product(C[j, k], C_low[j, k], r, r_low, R[i, k], R_low[i, k])


@compiled("void(float64[:, ::1], float64[:, ::1], const float64[::1], boolean[::1])")
def _reveal(R: Array, R_low: Array, tolerance: Array, dependent: NDArray[np.bool_]) -> None:
    """Make a triangle of the columns that are kept: column j has entries down to row j."""
    q = R.shape[0]
    v, v_low, t, t_low = np.empty(q), np.empty(q), np.empty(q), np.empty(q)
    row = 0
    for j in range(tolerance.size):
        s, s_low = 0.0, 0.0
        for i in range(row, j + 1):
            s, s_low = accumulate(R[i, j], R_low[i, j], R[i, j], R_low[i, j], s, s_low)
        dependent[j] = np.sqrt(s + s_low) <= tolerance[j]
        if dependent[j]:
            R[row : j + 1, j], R_low[row : j + 1, j] = 0.0, 0.0
        else:
            A, A_low = R[row + 1 : j + 1], R_low[row + 1 : j + 1]
            _reflect(j, R[row], R_low[row], A, A_low, v, v_low, t, t_low)
            row += 1


@compiled("void(const float64[:, ::1], const float64[:, ::1], float64[:, ::1], float64[:, ::1])")
def _solve_upper(R: Array, R_low: Array, x: Array, x_low: Array) -> None:
    """Substitute backwards: x holds the right-hand sides and becomes the solution."""
    q, m = x.shape
    for i in range(q - 1, -1, -1):
        for j in range(i + 1, q):
            r, r_low = R[i, j], R_low[i, j]
            for k in range(m):
                x[i, k], x_low[i, k] = subtract_product(x[i, k], x_low[i, k], r, r_low, x[j, k], x_low[j, k])
        for k in range(m):
            x[i, k], x_low[i, k] = divide(x[i, k], x_low[i, k], R[i, i], R_low[i, i])
