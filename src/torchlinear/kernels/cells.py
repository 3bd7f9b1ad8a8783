"""Second moments of rows by cell, in one pass: each row joins the sums of the cell that it belongs to.

As in `moments`, rows are taken in chunks, shifted, converted to float64 and transposed. Each cell has a chunk
of its own that fills up with its rows, wherever they lie, and is added to the cell's sums when it is full: no
row is read twice, and none is copied to memory.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled, inlined
from torchlinear.kernels.moments import CHUNK, CHUNKS, WIDE, Sums, add_tiles
from torchlinear.kernels.packing import SIGNATURE, given
from torchlinear.kernels.words import of

__all__ = ["about", "fits"]

Array = NDArray[np.float64]
Cells = NDArray[np.int64]

ROOM = 131_072  # float64 numbers in the chunks of all cells: 1 MiB, a second cache
SHORTEST = 8  # rows of a chunk below which tiles would not pay


def fits(cells: int, columns: int) -> bool:
    """Whether this way suits so many cells and columns; otherwise gather the rows of each cell first."""
    return columns < WIDE and _chunk(cells, columns) >= SHORTEST


def _chunk(cells: int, columns: int) -> int:
    return min(CHUNK, ROOM // (2 * cells * columns))


def about(
    X: NDArray[Any],
    y: NDArray[Any],
    weight: Array | None,
    low: Array | None,
    shift: Array,
    cell: Cells,
    cells: int,
) -> list[Sums]:
    """Sum the first and second moments of the rows of each cell about a shift, in float64.

    Parameters
    ----------
    X, y, weight, low, shift
        Rows, as in `moments.about`.
    cell : ndarray of int64, shape (n,)
        Which cell each row belongs to, from 0.
    cells : int
        How many there are.

    Returns
    -------
    list of Sums
        One for each cell.

    Examples
    --------
    >>> import numpy as np
    >>> X, y, cell = np.array([[1.0], [2.0], [4.0]]), np.ones((3, 1)), np.array([0, 1, 0])
    >>> first, second = about(X, y, None, None, np.zeros(2), cell, 2)
    >>> first.weight, first.total.high, second.cross.high
    (2.0, array([5., 2.]), array([[4., 2.],
           [2., 1.]]))
    """
    rows, q = given(X, y, weight, low, shift), len(shift)
    cell = np.ascontiguousarray(cell, dtype=np.int64)
    total, cross = np.zeros((cells, q)), np.zeros((cells, q, q))
    _tiles(*rows, cell, max(_chunk(cells, q), 1), total, cross)
    weights = np.bincount(cell, None if weight is None else rows.weight, cells).astype(np.float64)
    return [Sums(float(weights[c]), of(total[c]), of(cross[c])) for c in range(cells)]


_OWN = "const int64[::1], int64, float64[:, ::1], float64[:, :, ::1]"


@compiled(
    *(SIGNATURE.format(dtype, _OWN) for dtype in ("float64", "float32")), fastmath={"reassoc", "contract"}
)
def _tiles(
    X: Array,
    transposed: bool,
    low: Array,
    y: Array,
    weight: Array,
    shift: Array,
    cell: Cells,
    chunk: int,
    total: Array,
    cross: Array,
) -> None:
    """Sum in float64. The columns are padded with zeros to a multiple of three."""
    n, q, cells = y.shape[0], shift.size, total.shape[0]
    padded = (q + 2) // 3 * 3
    z, w = np.zeros((cells, padded, 2 * chunk)), np.ones((cells, 2 * chunk))
    wz = np.zeros((padded, 2 * chunk))
    filled, added, place = np.zeros(cells, np.int64), np.zeros(cells, np.int64), np.zeros(chunk, np.int64)
    sums, part = np.zeros((cells, padded, padded)), np.zeros((cells, padded, padded))
    for start in range(0, n, chunk):
        count = min(chunk, n - start)
        here = cell[start : start + count]
        for r in range(count):
            place[r] = filled[here[r]]
            filled[here[r]] += 1
        _spread_out(X, transposed, low, y, weight, shift, start, here, place, z, w)
        for c in range(cells):
            m = filled[c]
            if m >= chunk or (m > 0 and start + count == n):
                weighted = z[c]
                if weight.size:
                    weighted = wz
                    for j in range(q):
                        for r in range(m):
                            wz[j, r] = w[c, r] * z[c, j, r]
                for j in range(q):
                    s = 0.0
                    for r in range(m):
                        s += weighted[j, r]
                    total[c, j] += s
                add_tiles(weighted, z[c], m, part[c])
                filled[c] = 0
                added[c] += 1
                if added[c] % CHUNKS == 0:
                    sums[c] += part[c]
                    part[c] = 0.0
    for c in range(cells):
        for i in range(q):
            for j in range(i, q):
                cross[c, i, j] = cross[c, j, i] = sums[c, i, j] + part[c, i, j]


@inlined
def _spread_out(
    X: Array,
    transposed: bool,
    low: Array,
    y: Array,
    weight: Array,
    shift: Array,
    start: int,
    cell: Cells,
    place: Cells,
    z: Array,
    w: Array,
) -> None:
    """Put rows from `start`, shifted, and their weights into the chunks of their cells, at their places there."""
    k = y.shape[1]
    p = shift.size - k
    if transposed:
        for j in range(p):
            column, s = X[j, start : start + cell.size], shift[j]
            for r in range(cell.size):
                z[cell[r], j, place[r]] = np.float64(column[r]) - s
    else:
        for r in range(cell.size):
            out, values, at = z[cell[r]], X[start + r], place[r]
            for j in range(p):
                out[j, at] = np.float64(values[j]) - shift[j]
    for r in range(cell.size):
        out, at = z[cell[r]], place[r]
        if low.size:
            for j in range(p):
                out[j, at] += low[start + r, j]
        for j in range(k):
            out[p + j, at] = y[start + r, j] - shift[p + j]
        if weight.size:
            w[cell[r], at] = weight[start + r]
