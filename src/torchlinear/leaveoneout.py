"""Ridge regression with every row left out once, for many strengths from one decomposition.

With the centred rows ``z = x - mean``, total weight W and the triangle ``R = U S V'`` of the weighted rows, a row's
residual and leverage for the strength alpha are

    r_i = y_i - mean_y - (z_i V) S (S^2 + alpha)^-1 U' Rxy,
    h_i = w_i (1 / W + (z_i V)^2 (S^2 + alpha)^-1),

and ``r_i / (1 - h_i)`` is the error of its prediction by a fit to the other rows, exactly: the identity of the PRESS
statistic (Allen 1974), which holds with weights, and with an intercept that is not penalised (1 / W, else 0). One pass
over the rows serves all strengths. Where columns are as many as rows, `dual` takes over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block, taken
from torchlinear.dual import Dual
from torchlinear.quadratic import QuadraticObjective
from torchlinear.solvers.auto import choose

__all__ = ["LeaveOneOut", "of_columns", "of_rows"]

Array = NDArray[np.float64]

CHUNK = 8_192  # rows whose rotated features are held at a time


@dataclass(frozen=True)
class LeaveOneOut:
    """Errors of rows left out, for m strengths; ``a + b`` holds those of both sets of rows.

    Attributes
    ----------
    rows : int
        n.
    squares : ndarray, shape (m, k)
        Weighted sums of squared errors.
    errors : ndarray, shape (m, n, k), or None
        ``y`` less its prediction, when asked for.
    """

    rows: int
    squares: Array
    errors: Array | None = None

    def __add__(self, other: LeaveOneOut) -> LeaveOneOut:
        both = None
        if self.errors is not None and other.errors is not None:
            both = np.concatenate([self.errors, other.errors], axis=1)
        return LeaveOneOut(self.rows + other.rows, self.squares + other.squares, both)


@dataclass(frozen=True)
class _Rotation:
    """What a block needs to leave its rows out.

    Attributes
    ----------
    onto : Tensor, shape (p + 1, r)
        ``x -> z V``.
    coef : Tensor, shape (m, r, k)
        Coefficients of ``z V`` for each strength.
    inverse : Tensor, shape (r, m)
        ``(S^2 + alpha)^-1``.
    mean : Tensor, shape (k,)
        Mean of the targets.
    share : float
        1 / W with an intercept, else 0.
    """

    onto: Tensor
    coef: Tensor
    inverse: Tensor
    mean: Tensor
    share: float


def of_columns(objective: QuadraticObjective, alphas: Sequence[float], *, keep: bool) -> LeaveOneOut:
    """Leave every row out of ridge regression, by way of the features' triangle.

    Parameters
    ----------
    objective : QuadraticObjective
        Squared loss without penalty, over more rows than features.
    alphas : sequence of m floats
        Strengths, above 0: of ``sum w (y - X b - b0)^2 + alpha sum b^2``.
    keep : bool
        Whether to keep the errors themselves.

    Returns
    -------
    LeaveOneOut
        What was found.
    """
    triangle = objective.triangle(choose(objective).solver.name)
    p = triangle.n_features
    left, values, right = np.linalg.svd(triangle.R.high[:p, :p])
    target = left.T @ triangle.R.high[:p, p:]
    strength = np.asarray(alphas, dtype=np.float64)
    inverse = 1.0 / (np.square(values)[:, None] + strength)
    mean = triangle.mean.high
    rotation = _Rotation(
        onto=torch.from_numpy(np.vstack([right.T, -(mean[:p] @ right.T)])),
        coef=torch.from_numpy((inverse * values[:, None]).T[:, :, None] * target),
        inverse=torch.from_numpy(inverse),
        mean=torch.from_numpy(mean[p:].copy()),
        share=1.0 / triangle.weight if objective.intercept else 0.0,
    )
    return objective.loaded.sum(_left_out, rotation, keep)


def of_rows(dual: Dual, alphas: Sequence[float], *, keep: bool) -> LeaveOneOut:
    """Leave every row out of ridge regression, by way of the rows' own decomposition.

    Parameters
    ----------
    dual : Dual
        The rows, no more than features.
    alphas, keep
        As in `of_columns`.

    Returns
    -------
    LeaveOneOut
        What was found.
    """
    errors = dual.errors(np.asarray(alphas, dtype=np.float64))
    squares = (np.square(dual.root)[:, None] * np.square(errors)).sum(axis=1)
    return LeaveOneOut(len(dual.root), squares, errors if keep else None)


def _left_out(block: Block, rotation: _Rotation, keep: bool) -> LeaveOneOut:
    """One block's part."""
    n, (m, _, k) = block.y.shape[0], rotation.coef.shape
    total = LeaveOneOut(0, np.zeros((m, k)), np.empty((m, 0, k)) if keep else None)
    for rows in torch.split(torch.arange(n), CHUNK):
        total = total + _chunk_left_out(_part(block, rows), rotation, keep)
    return total


def _chunk_left_out(block: Block, rotation: _Rotation, keep: bool) -> LeaveOneOut:
    turned = block.predict(rotation.onto).cpu()
    weight = torch.ones(len(turned), dtype=torch.float64) if block.weight is None else block.weight.cpu()
    residual = block.y.cpu().double() - rotation.mean - turned @ rotation.coef  # (m, n, k)
    leverage = weight[:, None] * (turned.square() @ rotation.inverse + rotation.share)  # (n, m)
    errors = residual / (1.0 - leverage.T[:, :, None])
    squares = (weight[:, None] * errors.square()).sum(dim=1)
    return LeaveOneOut(len(turned), squares.numpy(), errors.numpy() if keep else None)


def _part(block: Block, rows: Tensor) -> Block:
    weight, low = (None if part is None else part[rows] for part in (block.weight, block.low))
    return Block(taken(block.X, rows), block.y[rows], weight, low)
