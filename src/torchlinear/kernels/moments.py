"""Second moments of rows z = [x, y] about a shift s: sums of w, of w (z - s), and of w (z - s)(z - s)'.

Rows are taken in chunks that fit the first cache: shifted, weighted, converted to float64 and transposed, so
that the sums run over contiguous numbers. In float64 they are summed in tiles of three by three columns, nine
sums for six loads; from `WIDE` columns on BLAS does the same for larger chunks. The extended version sums
every product in double-double.

NaN and infinity reach the sums that they belong to, so callers check the sums and need not scan the rows.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled, inlined
from torchlinear.kernels.doubledouble import accumulate, add, two_product, two_sum
from torchlinear.kernels.packing import SIGNATURE, Given, given, pack, pack_extended
from torchlinear.kernels.words import Words, of

__all__ = ["Sums", "about"]

Array = NDArray[np.float64]

# Measured on one Zen 4 core: the tiles are 2.5 times as fast as OpenBLAS at 20 columns, 1.3 times at 100, the
# same at 400.
WIDE = 256
WIDE_CHUNK = 1024
CHUNK = 96  # rows: 24 columns of 96 float64 are 18 of the 32 KiB of a first cache
CHUNKS = 32  # summed before they join the others: sums of sums keep a digit more of 100,000 rows


@dataclass(frozen=True)
class Sums:
    """Sums over rows about a shift.

    Attributes
    ----------
    weight : float
        Sum of the weights; the number of rows without weights.
    total : Words, shape (q,)
        Weighted sums of z - shift.
    cross : Words, shape (q, q)
        Weighted sums of products of z - shift. The low words are zero unless the sums were extended.
    weight_low : float
        Low word of the sum of the weights.
    """

    weight: float
    total: Words
    cross: Words
    weight_low: float = 0.0


def about(
    X: NDArray[Any],
    y: NDArray[Any],
    weight: Array | None,
    low: Array | None,
    shift: Array,
    *,
    extended: bool = False,
) -> Sums:
    """Sum the first and second moments of rows about a shift.

    Parameters
    ----------
    X : ndarray, shape (n, p), float32 or float64
        Features; row-major or the transpose of a row-major (p, n) buffer, of which it may be a part. Other
        layouts are copied.
    y : ndarray, shape (n, k), float32 or float64
        Targets.
    weight : ndarray, shape (n,), optional
        Weights of the rows, 1 by default.
    low : ndarray, shape (n, p), float64, optional
        Low words: the features are exactly X + low.
    shift : ndarray, shape (p + k,), float64
        The point about which to sum. A point among the rows keeps the sums from cancelling when they are
        centred about the mean.
    extended : bool
        Sum in double-double instead of float64: about 30 correct digits of the sum of the absolute values.

    Returns
    -------
    Sums
        The sums, with q = p + k.

    Examples
    --------
    >>> import numpy as np
    >>> sums = about(np.array([[1.0], [2.0], [4.0]]), np.ones((3, 1)), None, None, np.array([1.0, 0.0]))
    >>> sums.weight, sums.total.high, sums.cross.high
    (3.0, array([4., 3.]), array([[10.,  4.],
           [ 4.,  3.]]))
    """
    rows = given(X, y, weight, low, shift)
    q = len(rows.shift)
    if extended:
        high, rest = np.zeros((q + 1, q + 1)), np.zeros((q + 1, q + 1))
        _extended(*rows, high, rest)
        total, cross = Words(high[0, 1:], rest[0, 1:]), Words(high[1:, 1:], rest[1:, 1:])
        return Sums(float(high[0, 0]), total, cross, float(rest[0, 0]))
    total, cross = of(np.zeros(q)), of(np.zeros((q, q)))
    if q < WIDE:
        _tiles(*rows, total.high, cross.high)
    else:
        _wide(rows, total.high, cross.high)
    return Sums(float(len(y) if weight is None else rows.weight.sum()), total, cross)


_TILES = [SIGNATURE.format(dtype, "float64[::1], float64[:, ::1]") for dtype in ("float64", "float32")]
_EXTENDED = [SIGNATURE.format(dtype, "float64[:, ::1], float64[:, ::1]") for dtype in ("float64", "float32")]


@compiled(*_TILES, fastmath={"reassoc", "contract"})
def _tiles(
    X: Array, transposed: bool, low: Array, y: Array, weight: Array, shift: Array, total: Array, cross: Array
) -> None:
    """Sum in float64. The columns are padded with zeros to a multiple of three."""
    n, q = y.shape[0], shift.size
    padded = (q + 2) // 3 * 3
    z = np.zeros((padded, CHUNK))
    wz = np.zeros((padded, CHUNK)) if weight.size else z
    sums, part = np.zeros((padded, padded)), np.zeros((padded, padded))
    for start in range(0, n, CHUNK):
        count = min(CHUNK, n - start)
        pack(X, transposed, low, y, shift, start, count, z)
        if weight.size:
            w = weight[start : start + count]
            for j in range(q):
                for r in range(count):
                    wz[j, r] = w[r] * z[j, r]
        for j in range(q):
            s = 0.0
            for r in range(count):
                s += wz[j, r]
            total[j] += s
        add_tiles(wz, z, count, part)
        if start // CHUNK % CHUNKS == CHUNKS - 1 or start + count == n:
            sums += part
            part[:] = 0.0
    for i in range(q):
        for j in range(i, q):
            cross[i, j] = cross[j, i] = sums[i, j]


@compiled("void(float64[:, ::1], float64[:, ::1], int64, float64[:, ::1])", fastmath={"reassoc", "contract"})
def add_tiles(a: Array, b: Array, count: int, sums: Array) -> None:
    """Add a b' to the upper triangle of sums, over the first `count` columns, by tiles of three by three."""
    for i in range(0, a.shape[0], 3):
        a0, a1, a2 = a[i], a[i + 1], a[i + 2]
        for j in range(i, a.shape[0], 3):
            b0, b1, b2 = b[j], b[j + 1], b[j + 2]
            s00 = s01 = s02 = s10 = s11 = s12 = s20 = s21 = s22 = 0.0
            for r in range(count):
                s00 += a0[r] * b0[r]
                s01 += a0[r] * b1[r]
                s02 += a0[r] * b2[r]
                s10 += a1[r] * b0[r]
                s11 += a1[r] * b1[r]
                s12 += a1[r] * b2[r]
                s20 += a2[r] * b0[r]
                s21 += a2[r] * b1[r]
                s22 += a2[r] * b2[r]
            sums[i, j] += s00
            sums[i, j + 1] += s01
            sums[i, j + 2] += s02
            sums[i + 1, j] += s10
            sums[i + 1, j + 1] += s11
            sums[i + 1, j + 2] += s12
            sums[i + 2, j] += s20
            sums[i + 2, j + 1] += s21
            sums[i + 2, j + 2] += s22


@compiled(*_EXTENDED)
def _extended(
    X: Array, transposed: bool, low: Array, y: Array, weight: Array, shift: Array, high: Array, rest: Array
) -> None:
    """Sum the products of [1, z] in double-double, every row of a chunk in its own lane."""
    n, q = y.shape[0], shift.size + 1
    lanes = 64 if q < 48 else 16  # so that the sums of all pairs stay within a second cache of 1 MiB
    z, z_low = np.zeros((q, lanes)), np.zeros((q, lanes))
    z[0] = 1.0
    wz, wz_low = (np.zeros((q, lanes)), np.zeros((q, lanes))) if weight.size else (z, z_low)
    s, s_low = np.zeros((q * (q + 1) // 2, lanes)), np.zeros((q * (q + 1) // 2, lanes))
    for start in range(0, n, lanes):
        count = min(lanes, n - start)
        pack_extended(X, transposed, low, y, shift, start, count, z, z_low)
        if weight.size:
            _weigh(weight[start : start + count], z, z_low, wz, wz_low)
        pair = 0
        for i in range(q):
            for j in range(i, q):
                _accumulate(wz[i, :count], wz_low[i], z[j], z_low[j], s[pair], s_low[pair])
                pair += 1
    pair = 0
    for i in range(q):
        for j in range(i, q):
            high[i, j], rest[i, j] = _fold(s[pair], s_low[pair])
            high[j, i], rest[j, i] = high[i, j], rest[i, j]
            pair += 1


@inlined
def _weigh(w: Array, z: Array, z_low: Array, wz: Array, wz_low: Array) -> None:
    for j in range(z.shape[0]):
        for r in range(w.size):
            p, e = two_product(w[r], z[j, r])
            wz[j, r], wz_low[j, r] = p, e + w[r] * z_low[j, r]


@inlined
def _accumulate(a: Array, a_low: Array, b: Array, b_low: Array, s: Array, s_low: Array) -> None:
    for r in range(a.size):
        s[r], s_low[r] = accumulate(a[r], a_low[r], b[r], b_low[r], s[r], s_low[r])


@inlined
def _fold(s: Array, s_low: Array) -> tuple[float, float]:
    """Add up the lanes."""
    high, low = 0.0, 0.0
    for r in range(s.size):
        t, e = two_sum(s[r], s_low[r])
        high, low = add(high, low, t, e)
    return high, low


def _wide(rows: Given, total: Array, cross: Array) -> None:
    """Sum in float64 by matrix products of chunks."""
    for start in range(0, len(rows.y), WIDE_CHUNK):
        stop = start + WIDE_CHUNK
        z = rows.chunk(start, stop)
        wz = z * rows.weight[start:stop, None] if rows.weight.size else z
        total += wz.sum(axis=0)
        cross += wz.T @ z
    if rows.weight.size:  # the product of two different matrices is symmetric only within rounding
        cross += cross.T.copy()
        cross *= 0.5
