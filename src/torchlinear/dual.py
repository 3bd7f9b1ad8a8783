"""Ridge regression by rows instead of by features, for X with no more rows than columns.

With the centred, weighted rows ``Z = sqrt(w) (X - mean)``, ``t = sqrt(w) (y - mean)`` and ``Z = U S V'``,

    b(alpha) = Z' c,     c = U (S^2 + alpha)^-1 U' t,     b0 = mean_y - mean_x' b,

for any alpha > 0 from one decomposition that costs n^2 p. Centring makes sqrt(w) a direction in which no row of Z
points. A Householder reflection takes it out of what is decomposed, so that nothing cancels in what follows: a row's
own residual and the share of its prediction that others decide are

    r_i = (U a U' t)_i,     1 - h_i = (U a U')_ii,     a = alpha / (S^2 + alpha),

and ``r_i / (1 - h_i)`` is its error when it is left out (Rifkin, Lippert 2007, "Notes on regularized least squares").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from torchlinear.rows import TensorRows
from torchlinear.sparse import SparseRows

__all__ = ["Dual"]

Array = NDArray[np.float64]

SPREAD = 1e4  # of S^2 + alpha, up to which products of rows, which square S, still leave 12 digits


@dataclass(frozen=True)
class _Spectrum:
    """U, shape (n, r), and S squared, shape (r,): r = n - 1 with an intercept, else n."""

    U: Array
    squares: Array


@dataclass(frozen=True)
class _Dense:
    """Z as it is, shape (n, p)."""

    Z: Array

    def products(self) -> Array:
        """``Z Z'``, shape (n, n)."""
        return self.Z @ self.Z.T

    def pull(self, c: Array) -> Array:
        """``Z' c``, shape (p, k)."""
        return self.Z.T @ c


@dataclass(frozen=True)
class _Sparse:
    """Z of sparse rows X (n, p), which is not formed: their mean (p,) and the roots of their weights (n,)."""

    X: csr_array
    mean: Array
    root: Array

    def products(self) -> Array:
        """``Z Z'``, shape (n, n)."""
        across = self.X @ self.mean
        products = (self.X @ self.X.T).toarray() - across[:, None] - across + self.mean @ self.mean
        return np.asarray(self.root[:, None] * products * self.root)

    def pull(self, c: Array) -> Array:
        """``Z' c``, shape (p, k)."""
        weighted = self.root[:, None] * c
        return np.asarray(self.X.T @ weighted - np.outer(self.mean, weighted.sum(axis=0)))


@dataclass(frozen=True)
class Dual:
    """Rows decomposed for ridge regression of any strength.

    Attributes
    ----------
    rows : TensorRows or SparseRows
        X (n, p), y (n, k) and weights.
    Z : operator, shape (n, p)
        Centred, weighted rows.
    t : ndarray, shape (n, k)
        Targets likewise.
    root : ndarray, shape (n,)
        Square roots of the weights.
    mean_x, mean_y : ndarrays, shape (p,) and (k,)
        Weighted means; zeros without an intercept.
    normal : ndarray, shape (n,), or None
        ``1 - normal normal'`` reflects the root of the weights onto the first axis; None without an intercept.
    """

    rows: TensorRows | SparseRows
    Z: _Dense | _Sparse
    t: Array
    root: Array
    mean_x: Array
    mean_y: Array
    normal: Array | None

    @classmethod
    def of(cls, rows: TensorRows | SparseRows, *, intercept: bool) -> Dual:
        """Decompose rows in memory.

        Parameters
        ----------
        rows : TensorRows or SparseRows
            X (n, p), y (n, k) and weights; sparse X stays sparse.
        intercept : bool
            Whether a free intercept takes out the means.

        Returns
        -------
        Dual
            The decomposition, made when it is first needed.
        """
        y = rows.y.detach().cpu().double().numpy()
        root = np.ones(len(y)) if rows.weight is None else np.sqrt(rows.weight.cpu().numpy())
        share = np.square(root) / np.square(root).sum()
        mean_y = _mean(share, y) if intercept else np.zeros(y.shape[1])
        Z: _Dense | _Sparse
        if isinstance(rows, SparseRows):
            sparse = _scipy(rows.X)
            mean_x = np.asarray(share @ sparse) if intercept else np.zeros(sparse.shape[1])
            Z = _Sparse(sparse, mean_x, root)
        else:
            X = rows.X.detach().cpu().double().numpy()
            mean_x = _mean(share, X) if intercept else np.zeros(X.shape[1])
            Z = _Dense(_weighted(X - mean_x, root))
        normal = _reflector(np.sqrt(share)) if intercept else None
        return cls(rows, Z, _weighted(y - mean_y, root), root, mean_x, mean_y, normal)

    def coef(self, alpha: float) -> Array:
        """Coefficients, shape (p + 1, k), the intercept last, for a strength above 0."""
        found = self._spectrum(alpha)
        beta = self.Z.pull(found.U @ ((found.U.T @ self.t) / (found.squares + alpha)[:, None]))
        return np.vstack([beta, self.mean_y - self.mean_x @ beta])

    def errors(self, alphas: Array) -> Array:
        """``y`` less its prediction by a fit to the other rows, shape (m, n, k), for strengths of shape (m,).

        Rows of weight 0 decide nothing, so theirs are those of the fit to all rows.
        """
        found = self._spectrum(float(alphas.min()))
        a = alphas / (found.squares[:, None] + alphas)
        residual = found.U @ (a.T[:, :, None] * (found.U.T @ self.t))
        own = np.square(found.U) @ a
        errors = np.asarray(residual / np.where(self.root > 0, self.root * own.T, 1.0)[:, :, None])
        if not self.root.all():
            block = next(self.rows.blocks(0))
            for error, alpha in zip(errors, alphas):
                left = block.y.double() - block.predict(torch.from_numpy(self.coef(float(alpha))))
                error[self.root == 0] = left.cpu().numpy()[self.root == 0]
        return errors

    def _spectrum(self, alpha: float) -> _Spectrum:
        """The decomposition that leaves digits for strengths of `alpha` and more."""
        found = self._by_products
        spread = found.squares.max(initial=0.0) / (found.squares.min(initial=np.inf) + alpha)
        return found if spread <= SPREAD or isinstance(self.Z, _Sparse) else self._by_rows

    @cached_property
    def _by_products(self) -> _Spectrum:
        products = self._inside(self._inside(self.Z.products()).T)
        squares, U = np.linalg.eigh(products)
        return _Spectrum(self._outside(U), np.maximum(squares, 0.0))

    @cached_property
    def _by_rows(self) -> _Spectrum:
        """By way of a QR of Z', which squares nothing."""
        assert isinstance(self.Z, _Dense)
        triangle = np.asarray(np.linalg.qr(self.Z.Z.T, mode="r"))
        U, values, _ = np.linalg.svd(self._inside(triangle.T))
        squares = np.zeros(len(U))
        squares[: len(values)] = np.square(values)
        return _Spectrum(self._outside(U), squares)

    def _inside(self, columns: Array) -> Array:
        """Columns of length n without the direction of the intercept, of length r."""
        return columns if self.normal is None else _reflect(self.normal, columns)[1:]

    def _outside(self, columns: Array) -> Array:
        """Columns of length r as columns of length n."""
        if self.normal is None:
            return columns
        return _reflect(self.normal, np.vstack([np.zeros(columns.shape[1]), columns]))


def _mean(share: Array, columns: Array) -> Array:
    """Weighted mean, summed about the first row so that columns far from zero keep their digits."""
    return np.asarray(columns[0] + share @ (columns - columns[0]))


def _weighted(columns: Array, root: Array) -> Array:
    columns *= root[:, None]
    return columns


def _scipy(X: Tensor) -> csr_array:
    parts = (X.values().double(), X.col_indices(), X.crow_indices())
    return csr_array(tuple(part.cpu().numpy() for part in parts), shape=tuple(X.shape))


def _reflector(unit: Array) -> Array:
    """The normal, of norm sqrt(2), of a reflection that takes `unit` to a multiple of the first axis."""
    normal = unit.copy()
    normal[0] += 1.0  # unit[0] >= 0, so nothing cancels
    return np.asarray(normal / np.sqrt(normal[0]))


def _reflect(normal: Array, columns: Array) -> Array:
    return np.asarray(columns - np.outer(normal, normal @ columns))
