"""Columns of a sparse matrix, which never becomes dense: means are taken out of the products instead.

z_a'z_b = (x_a' W x_b - w c_a c_b) / (norm_a norm_b),     w the sum of the weights (0 without an intercept).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from torchlinear.sparse import SparseRows
from torchlinear.statistics import ROUNDING
from torchlinear.wide.columns import Columns, Frame, Stock

__all__ = ["SparseColumns"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SparseColumns(Columns):
    """Columns of a sparse matrix.

    Attributes
    ----------
    X : csc_array, shape (n, p), float64
        The features.
    frame : Frame
        What they are measured by.
    """

    X: Any
    frame: Frame

    @classmethod
    def of(cls, rows: SparseRows, *, intercept: bool = True) -> SparseColumns:
        """Lay out rows by columns."""
        parts = (rows.X.values(), rows.X.col_indices(), rows.X.crow_indices())
        X = csc_array(
            csr_array(tuple(part.numpy() for part in parts), shape=tuple(rows.X.shape)).astype(np.float64)
        )
        w = np.ones(X.shape[0]) if rows.weight is None else rows.weight.double().numpy()
        total = float(w.sum()) or 1.0
        mean, about_zero = X.T @ w / total, X.power(2).T @ w
        squares = about_zero - total * np.square(mean)
        squares[squares <= ROUNDING * about_zero] = 0.0  # a constant column
        return cls(X, Frame.of(mean, squares, rows.y, w, intercept=intercept))

    def pull(self, residual: Array, chosen: Indices) -> Array:
        """``z_j' residual`` of the chosen columns, for a residual of shape (n,)."""
        r, frame = self.frame.root * residual, self.frame
        few = 2 * chosen.size < frame.norm.size
        sums = self.X[:, chosen].T @ r if few else (self.X.T @ r)[chosen]
        return np.asarray((sums - frame.centre[chosen] * r.sum()) / frame.norm[chosen])

    def gathered(self, chosen: Indices) -> Array:
        """The chosen columns z_j, shape (r, n), dense."""
        scale = self.frame.root / self.frame.norm[chosen, np.newaxis]
        return np.asarray((self.X[:, chosen].toarray().T - self.frame.centre[chosen, np.newaxis]) * scale)

    def stock(self) -> Stock:
        """An empty stock of columns."""
        return _SparseStock(self)


class _SparseStock(Stock):
    """The numbers of the columns, and they themselves as stored."""

    def __init__(self, columns: SparseColumns) -> None:
        self._columns = columns
        self._chosen: Indices = np.empty(0, np.int64)
        self._X = columns.X[:, self._chosen]

    def add(self, chosen: Indices, *, products: bool = True) -> Array:
        frame = self._columns.frame
        self._chosen = np.concatenate([self._chosen, chosen])
        self._X = self._columns.X[:, self._chosen]
        if not products:
            return np.empty((chosen.size, 0))
        weighted = self._columns.X[:, chosen].multiply(np.square(frame.root)[:, np.newaxis])
        found = (weighted.T @ self._X).toarray()
        found -= frame.weight * np.outer(frame.centre[chosen], frame.centre[self._chosen])
        return np.asarray(found / np.outer(frame.norm[chosen], frame.norm[self._chosen]))

    def fitted(self, beta: Array) -> Array:
        frame = self._columns.frame
        slopes = beta / frame.norm[self._chosen]
        return np.asarray(frame.root * (self._X @ slopes - frame.centre[self._chosen] @ slopes))

    def pull(self, residual: Array) -> Array:
        return self._columns.pull(residual, self._chosen)
