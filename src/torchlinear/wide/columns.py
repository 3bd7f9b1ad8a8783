"""Columns: the rows of a wide matrix laid out by columns, about their means and over their norms.

With weights w and means c (0 without an intercept), column j of the problem is ``z_j = sqrt(w) (x_j - c_j) / norm_j``,
of norm 1, and the target is ``sqrt(w) (y - c_y)``. X itself stays as it is, dense or sparse, float32 or float64.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Columns", "Frame", "Stock"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Frame:
    """What the columns and the targets are measured by.

    Attributes
    ----------
    centre : ndarray, shape (p,)
        Weighted means of the columns; 0 without an intercept.
    norm : ndarray, shape (p,)
        Norms about them; 1 for columns that are constant.
    root : ndarray, shape (n,)
        Roots of the weights.
    target : ndarray, shape (k, n)
        The targets, about their means and times the roots of the weights.
    target_centre : ndarray, shape (k,)
        Weighted means of the targets; 0 without an intercept.
    weight : float
        Sum of the weights.
    deviation : ndarray, shape (p,)
        Standard deviations of the columns (1/n).
    """

    centre: Array
    norm: Array
    root: Array
    target: Array
    target_centre: Array
    weight: float
    deviation: Array

    @classmethod
    def of(cls, mean: Array, squares: Array, y: Tensor, w: Array, *, intercept: bool) -> Frame:
        """From means and sums of squares of the columns, targets (n, k), and weights (n,)."""
        total = float(w.sum())
        deviation = np.sqrt(squares / (total or 1.0))
        targets = y.detach().cpu().double().numpy().T
        if intercept:
            centre, middle = mean, (targets * w).sum(axis=1) / (total or 1.0)
        else:
            squares = squares + total * np.square(mean)
            centre, middle = np.zeros_like(mean), np.zeros(len(targets))
        norm = np.sqrt(squares)
        target = np.sqrt(w) * (targets - middle[:, np.newaxis])
        return cls(centre, np.where(norm > 0, norm, 1.0), np.sqrt(w), target, middle, total, deviation)


class Columns(ABC):
    """Columns of norm 1, in a `frame`."""

    frame: Frame

    @abstractmethod
    def pull(self, residual: Array, chosen: Indices) -> Array:
        """``z_j' residual`` of the chosen columns, for a residual of shape (n,)."""

    @abstractmethod
    def gathered(self, chosen: Indices) -> Array:
        """The chosen columns z_j, shape (r, n), dense."""

    @abstractmethod
    def stock(self) -> Stock:
        """An empty stock of columns."""

    @property
    def every(self) -> Indices:
        """All columns."""
        return np.arange(self.frame.norm.size)

    def left(self, beta: Array) -> Array:
        """Residuals of the targets at coefficients of the z_j, shape (p, k); shape (k, n)."""
        support = np.flatnonzero(beta.any(axis=1))
        stock = self.stock()
        stock.add(support, products=False)
        return np.stack([target - stock.fitted(b) for target, b in zip(self.frame.target, beta[support].T)])


class Stock(ABC):
    """Columns in use, in the order in which they were added."""

    @abstractmethod
    def add(self, chosen: Indices, *, products: bool = True) -> Array:
        """Take columns in; their products with all that are in, themselves at the end; shape (r, size).

        Without `products`, of shape (r, 0).
        """

    @abstractmethod
    def fitted(self, beta: Array) -> Array:
        """``Z' beta`` of all that are in, shape (n,)."""

    @abstractmethod
    def pull(self, residual: Array) -> Array:
        """``Z residual`` of all that are in, shape (size,)."""

    @property
    def dense(self) -> Array | None:
        """The columns in use, shape (size, n), where they are held dense; else None."""
        return None
