"""Ridge regression by rows instead of by features, for X with no more rows than columns.

With the centred, weighted rows ``Z = sqrt(w) (X - mean)``, ``t = sqrt(w) (y - mean)`` and ``Z = U S V'``,

    b(alpha) = Z' c,     c = U (S^2 + alpha)^-1 U' t,     b0 = mean_y - mean_x' b,

for any alpha > 0 from one decomposition that costs n^2 p. Centring makes sqrt(w) a direction in which no row of Z
points. A Householder reflection takes it out first, so that U is square and nothing cancels in what follows: the
row's own residual and the share that it does not decide itself are

    r_i = (U a U' t)_i,     1 - h_i = (U a U')_ii,     a = alpha / (S^2 + alpha),

and ``r_i / (1 - h_i)`` is its error when it is left out (Rifkin, Lippert 2007, "Notes on regularized least squares").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from torchlinear.block import TensorRows

__all__ = ["Dual"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Dual:
    """Rows decomposed for ridge regression of any strength.

    Attributes
    ----------
    rows : TensorRows
        X (n, p), y (n, k) and weights.
    Z : ndarray, shape (r, p)
        Centred, weighted rows without the direction of the intercept: r = n - 1 with an intercept, else n.
    t : ndarray, shape (r, k)
        Targets likewise.
    normal : ndarray, shape (n,), or None
        The reflection is ``1 - normal normal'``; None without an intercept.
    root : ndarray, shape (n,)
        Square roots of the weights.
    mean_x, mean_y : ndarrays, shape (p,) and (k,)
        Weighted means; zeros without an intercept.
    """

    rows: TensorRows
    Z: Array
    t: Array
    normal: Array | None
    root: Array
    mean_x: Array
    mean_y: Array

    @classmethod
    def of(cls, rows: TensorRows, *, intercept: bool) -> Dual:
        """Decompose rows in memory.

        Parameters
        ----------
        rows : TensorRows
            X (n, p), y (n, k) and weights.
        intercept : bool
            Whether a free intercept takes out the means.

        Returns
        -------
        Dual
            The decomposition.
        """
        X, y = (part.detach().cpu().double().numpy() for part in (rows.X, rows.y))
        n = X.shape[0]
        root = np.ones(n) if rows.weight is None else np.sqrt(rows.weight.cpu().numpy())
        if not intercept:
            zero_x, zero_y = np.zeros(X.shape[1]), np.zeros(y.shape[1])
            return cls(rows, root[:, None] * X, root[:, None] * y, None, root, zero_x, zero_y)
        share = np.square(root) / np.square(root).sum()
        mean_x, mean_y = _mean(share, X), _mean(share, y)
        normal = _reflector(np.sqrt(share))
        Z, t = (_reflect(normal, root[:, None] * (part - mean)) for part, mean in ((X, mean_x), (y, mean_y)))
        return cls(rows, Z[1:], t[1:], normal, root, mean_x, mean_y)

    @cached_property
    def _spectrum(self) -> tuple[Array, Array]:
        """U (r, r) and S squared (r,), by way of a QR of Z', which squares nothing."""
        left, values, _ = np.linalg.svd(np.asarray(np.linalg.qr(self.Z.T, mode="r")).T)
        squares = np.zeros(len(self.Z))
        squares[: len(values)] = np.square(values)
        return left, squares

    def coef(self, alpha: float) -> Array:
        """Coefficients, shape (p + 1, k), the intercept last, for a strength above 0."""
        U, squares = self._spectrum
        beta = self.Z.T @ (U @ ((U.T @ self.t) / (squares + alpha)[:, None]))
        return np.vstack([beta, self.mean_y - self.mean_x @ beta])

    def errors(self, alpha: float) -> Array:
        """``y`` less its prediction by a fit to the other rows, shape (n, k); rows of weight 0 decide nothing."""
        U, squares = self._spectrum
        a = alpha / (squares + alpha)
        residual = self._unreflect(U @ (a[:, None] * (U.T @ self.t)))
        own = np.square(self._unreflect(U)) @ a
        errors = np.asarray(residual / np.where(self.root > 0, self.root * own, 1.0)[:, None])
        if not self.root.all():
            block = next(self.rows.blocks(0))
            left = block.y.double() - block.predict(torch.from_numpy(self.coef(alpha)))
            errors[self.root == 0] = left.cpu().numpy()[self.root == 0]
        return errors

    def _unreflect(self, columns: Array) -> Array:
        """Columns of length r as columns of length n."""
        if self.normal is None:
            return columns
        return _reflect(self.normal, np.vstack([np.zeros(columns.shape[1]), columns]))


def _mean(share: Array, columns: Array) -> Array:
    """Weighted mean, summed about the first row so that columns far from zero keep their digits."""
    return np.asarray(columns[0] + share @ (columns - columns[0]))


def _reflector(unit: Array) -> Array:
    """The normal, of norm sqrt(2), of a reflection that takes `unit` to a multiple of the first axis."""
    normal = unit.copy()
    normal[0] += 1.0  # unit[0] >= 0, so this adds
    return np.asarray(normal / np.sqrt(normal[0]))


def _reflect(normal: Array, columns: Array) -> Array:
    return np.asarray(columns - np.outer(normal, normal @ columns))
