"""Errors on held-out rows: from the moments of each fold, or by a pass over the rows.

The moments of a fold give its squared errors at every penalty without a look at its rows: with the triangle R of
the fold's centred [X, y],

    sum_i w_i e_i^2 = |Rxx b - Rxy|^2 + |Ryy|^2 + W (b0 + mean_x' b - mean_y)^2,

a sum of squares. The triangle itself is known to within rounding of the largest column, so of a nearly perfect
fit the rows are asked, and of a loss that is not quadratic too.

The error of a likelihood is its mean deviance, twice what the loss exceeds that of a model with a parameter for every
row; of any other loss it is the mean loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from torchlinear.block import Block
from torchlinear.engines.base import Loaded
from torchlinear.losses.base import Loss
from torchlinear.selection.folds import Folds
from torchlinear.selection.partition import Part
from torchlinear.statistics import Moments, Triangle

__all__ = ["Scores", "by_moments", "by_rows", "least", "nearly_perfect"]

Array = NDArray[np.float64]

UNEXPLAINED = 1e-10  # share of the squared targets below which their moments leave an error too few digits


@dataclass(frozen=True, slots=True)
class Scores:
    """How penalties did on the test rows of each split.

    Attributes
    ----------
    errors : ndarray, shape (K, m)
        Mean deviance or loss on the test rows of each split at each penalty.
    weights : ndarray, shape (K,)
        Weight of those rows.
    """

    errors: Array
    weights: Array


def by_moments(test: Moments, coef: Array) -> Array:
    """Mean squared error at each of m coefficients, summed over the targets.

    Parameters
    ----------
    test : Moments
        Of the held-out rows.
    coef : ndarray, shape (m, p + 1, k)
        Coefficients, the intercept last.

    Returns
    -------
    ndarray, shape (m,)
        Errors.
    """
    p, triangle = test.n_features, Triangle.of(test)
    R, mean, beta = triangle.R.high, test.mean.high, coef[:, :p]
    residual = R[:p, :p] @ beta - R[:p, p:]
    offset = coef[:, p] + mean[:p] @ beta - mean[p:]
    squares = np.square(residual).sum(axis=(1, 2)) + np.square(R[p:, p:]).sum()
    return np.asarray(squares / test.weight + np.square(offset).sum(axis=1))


def nearly_perfect(test: Moments, errors: Array) -> bool:
    """Whether some error is so small that moments leave it too few digits."""
    p = test.n_features
    squares = np.diag(test.cross.high)[p:].sum() / test.weight + np.square(test.mean.high[p:]).sum()
    return bool(errors.min() < UNEXPLAINED * squares) and not test.low_words


@dataclass(frozen=True)
class _Sums:
    """Weighted sums of the deviances or losses, shape (K, m), and of the weights, shape (K,)."""

    losses: Array
    weights: Array

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(self.losses + other.losses, self.weights + other.weights)


def by_rows(loaded: Loaded, folds: Folds, loss: Loss, coef: Sequence[Array]) -> Scores:
    """Mean error of each split's test rows at each of its m coefficients, in one pass over all rows.

    Parameters
    ----------
    loaded : Loaded
        `PartitionedRows`.
    folds : Folds
        The splits.
    loss : Loss
        What a row costs.
    coef : sequence of ndarray, shape (m, p + 1, k)
        Coefficients of each split.

    Returns
    -------
    Scores
        Mean errors; NaN for a split without test rows.
    """
    sums = loaded.sum(_losses, folds.test, loss, [torch.from_numpy(np.ascontiguousarray(c)) for c in coef])
    with np.errstate(invalid="ignore"):
        return Scores(sums.losses / sums.weights[:, np.newaxis], sums.weights)


def _losses(part: Part, tests: Sequence[Sequence[int]], loss: Loss, coef: Sequence[torch.Tensor]) -> _Sums:
    losses, weights = np.zeros((len(tests), len(coef[0]))), np.zeros(len(tests))
    for f, cells in enumerate(tests):
        block = part.of(cells)
        if block.X.shape[0]:
            losses[f], weights[f] = _of_block(block, loss, coef[f])
    return _Sums(losses, weights)


def _of_block(block: Block, loss: Loss, coef: torch.Tensor) -> tuple[Array, float]:
    """Weighted sums of the errors at each coefficient, shape (m,), and of the weights."""
    m, rows, k = coef.shape
    eta = block.predict(coef.permute(1, 0, 2).reshape(rows, m * k)).reshape(-1, m, k)
    y = block.y.to(eta.device, torch.float64)
    each = torch.stack([loss.value(eta[:, i], y) for i in range(m)], dim=1).double()
    if loss.likelihood:
        each = 2.0 / loss.multiple * (each - least(loss, y)[:, None])
    if block.weight is None:
        return each.sum(dim=0).cpu().numpy(), float(len(each))
    weight = block.weight.to(eta.device)
    each = torch.where(weight[:, None] > 0, each, 0.0)
    return (weight @ each).cpu().numpy(), float(weight.sum())


def least(loss: Loss, y: torch.Tensor) -> torch.Tensor:
    """The least that each row can cost, summed over targets that do not interact, shape (n,)."""
    columns = range(y.shape[1]) if loss.separable else range(1)
    return torch.stack([loss.least(y[:, j : j + 1]) for j in columns]).sum(dim=0)
