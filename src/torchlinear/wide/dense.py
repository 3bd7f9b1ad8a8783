"""Columns of a dense matrix, which is copied only if they do not lie in one piece."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.engines.local import processors
from torchlinear.kernels.columns import flipped, pulls, spreads
from torchlinear.rows import TensorRows
from torchlinear.wide.columns import Columns, Frame, Stock

__all__ = ["DenseColumns"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

WORTH_A_THREAD = 500_000  # numbers: about 0.2 ms
FEWEST = 50  # columns that a stock has room for from the start


@dataclass(frozen=True, slots=True)
class DenseColumns(Columns):
    """Columns of a dense matrix.

    Attributes
    ----------
    X : ndarray, shape (p, n), float32 or float64
        The features; column j of the user's X is row j.
    frame : Frame
        What they are measured by.
    """

    X: NDArray[Any]
    frame: Frame

    @classmethod
    def of(cls, rows: TensorRows, *, intercept: bool = True) -> DenseColumns:
        """Lay out rows in memory by columns."""
        X = _by_columns(rows.X.detach().cpu().numpy())
        p, n = X.shape
        w = np.ones(n) if rows.weight is None else rows.weight.detach().cpu().double().numpy()
        mean, squares = np.empty(p), np.empty(p)
        _split(lambda part: spreads(X[part], w, mean[part], squares[part]), p, n)
        return cls(X, Frame.of(mean, squares, rows.y, w, intercept=intercept))

    def pull(self, residual: Array, chosen: Indices) -> Array:
        """``z_j' residual`` of the chosen columns, for a residual of shape (n,)."""
        found, r, centre = np.empty(chosen.size), self.frame.root * residual, self.frame.centre
        _split(lambda part: pulls(self.X, centre, r, chosen[part], found[part]), chosen.size, residual.size)
        return found / self.frame.norm[chosen]

    def gathered(self, chosen: Indices) -> Array:
        """The chosen columns z_j, shape (r, n)."""
        scale = self.frame.root / self.frame.norm[chosen, np.newaxis]
        return np.asarray((self.X[chosen] - self.frame.centre[chosen, np.newaxis]) * scale)

    def stock(self) -> Stock:
        """An empty stock of columns."""
        return _DenseStock(self)


class _DenseStock(Stock):
    """The columns z_j themselves, in memory that grows."""

    def __init__(self, columns: DenseColumns) -> None:
        self._columns, self._size = columns, 0
        self._Z = np.empty((FEWEST, columns.frame.root.size))

    @property
    def dense(self) -> Array:
        return self._Z[: self._size]

    def add(self, chosen: Indices, *, products: bool = True) -> Array:
        first, self._size = self._size, self._size + chosen.size
        if self._size > len(self._Z):
            grown = np.empty((max(self._size, 2 * len(self._Z)), self._Z.shape[1]))
            grown[:first] = self._Z[:first]
            self._Z = grown
        self._Z[first : self._size] = self._columns.gathered(chosen)
        among = self._size if products else 0
        return np.asarray(self._Z[first : self._size] @ self._Z[:among].T)

    def fitted(self, beta: Array) -> Array:
        support = np.flatnonzero(beta)
        return np.asarray(beta[support] @ self._Z[support])

    def pull(self, residual: Array) -> Array:
        return np.asarray(self._Z[: self._size] @ residual)


def _by_columns(X: NDArray[Any]) -> NDArray[Any]:
    """The transpose of X (n, p), row-major: X itself where its columns lie in one piece."""
    if X.T.flags.c_contiguous:
        return X.T
    out = np.empty(X.shape[::-1], X.dtype)
    flipped(np.ascontiguousarray(X), out)
    return out


def _split(work: Any, count: int, size: int) -> None:
    """Call `work` with slices of `count` columns of `size` numbers, in threads where that pays."""
    workers = min(processors(), count * size // WORTH_A_THREAD)
    if workers <= 1:
        work(slice(0, count))
        return
    edges = np.linspace(0, count, workers + 1).astype(int)
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda i: work(slice(edges[i], edges[i + 1])), range(workers)))
