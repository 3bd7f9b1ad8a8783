"""Columns: the rows of a wide matrix laid out by columns, about their means and over their norms.

With weights w and means c (0 without an intercept), column j of the problem is ``z_j = sqrt(w) (x_j - c_j) / norm_j``,
of norm 1, and the target is ``sqrt(w) (y - c_y)``. X itself stays as it is: float32 or float64, and it is copied
only if its columns do not lie in one piece.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.block import TensorRows
from torchlinear.engines.local import processors
from torchlinear.kernels.columns import flipped, pulls, spreads

__all__ = ["Columns"]

Array = NDArray[np.float64]

WORTH_A_THREAD = 500_000  # numbers: about 0.2 ms


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of norm 1.

    Attributes
    ----------
    X : ndarray, shape (p, n), float32 or float64
        The features; column j of the user's X is row j.
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

    X: NDArray[Any]
    centre: Array
    norm: Array
    root: Array
    target: Array
    target_centre: Array
    weight: float
    deviation: Array

    @classmethod
    def of(cls, rows: TensorRows, *, intercept: bool = True) -> Columns:
        """Lay out rows in memory by columns."""
        X = _by_columns(rows.X.detach().cpu().numpy())
        p, n = X.shape
        w = np.ones(n) if rows.weight is None else rows.weight.detach().cpu().double().numpy()
        total = float(w.sum())
        centre, squares = np.empty(p), np.empty(p)
        _split(lambda part: spreads(X[part], w, centre[part], squares[part]), p, n)
        deviation = np.sqrt(squares / (total or 1.0))
        if not intercept:
            squares, centre = squares + total * np.square(centre), np.zeros(p)
        norm = np.sqrt(squares)
        y = rows.y.detach().cpu().double().numpy().T
        middle = (y * w).sum(axis=1) / (total or 1.0) if intercept else np.zeros(len(y))
        target = np.sqrt(w) * (y - middle[:, np.newaxis])
        return cls(X, centre, np.where(norm > 0, norm, 1.0), np.sqrt(w), target, middle, total, deviation)

    def pull(self, residual: Array, chosen: NDArray[np.int64]) -> Array:
        """``z_j' residual`` of the chosen columns, for a residual of shape (n,)."""
        found, r = np.empty(chosen.size), self.root * residual
        _split(
            lambda part: pulls(self.X, self.centre, r, chosen[part], found[part]), chosen.size, residual.size
        )
        return found / self.norm[chosen]

    def gathered(self, chosen: NDArray[np.int64]) -> Array:
        """The chosen columns z_j, shape (r, n)."""
        scale = self.root / self.norm[chosen, np.newaxis]
        return np.asarray((self.X[chosen] - self.centre[chosen, np.newaxis]) * scale)

    def left(self, beta: Array) -> Array:
        """Residuals of the targets at coefficients of the z_j, shape (p, k); shape (k, n)."""
        support = np.flatnonzero(beta.any(axis=1))
        return np.asarray(self.target - beta[support].T @ self.gathered(support))


def _by_columns(X: NDArray[Any]) -> NDArray[Any]:
    """The transpose of X (n, p), row-major: X itself where its columns lie in one piece."""
    if X.T.flags.c_contiguous:
        return X.T
    out = np.empty(X.shape[::-1], X.dtype)
    X = np.ascontiguousarray(X)
    flipped(X, out)
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
