"""The noise floor of mini-batches: how far above the optimum steps of one size hold a descent that could go on.

Near the optimum gradient descent with steps lr on batches of b rows, drawn independently, is a linear recursion
with noise. Along an eigenvector of the Hessian, of eigenvalue l, its variance ends at ``lr s / (l (2 - lr l))``, s
the variance of the batch's gradient, so that the objective hovers about

    1/2 sum_j lr s_j / (2 - lr l_j)

above the optimum (Mandt, Hoffman, Blei 2017, "Stochastic gradient descent as approximate Bayesian inference",
section 3.2, whose recursion is solved here without going to continuous time). Every row once an epoch, as here,
lowers it further.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.racing.curvature import Curvature

__all__ = ["floor", "scatter"]

Array = NDArray[np.float64]

MOST = 400  # numbers of a row that are projected


def scatter(objective: Objective, best: Tensor, bend: Curvature) -> Array | None:
    """Variances of a row's gradient at the optimum along the eigenvectors of the Hessian, shape (q,)."""
    q, k = len(bend.values), objective.n_outputs
    if q == 0 or q * k > MOST or bend.vectors.shape[0] != (objective.n_features + 1) * k:
        return None
    along = torch.from_numpy(bend.vectors.T.reshape(q, objective.n_features + 1, k).copy())
    sums = objective.loaded.sum(_moments, objective.loss, best, along)
    weight, mean, square = float(sums[0]), sums[1 : 1 + q].numpy(), sums[1 + q : 1 + 2 * q].numpy()
    rows = float(sums[-1])
    mean, square = mean / weight, square * rows / weight**2
    return np.asarray(np.maximum(square - mean**2, 0.0))


def floor(variance: Array, bend: Curvature, lr: float, batch: int, rows: int) -> float:
    """The objective above the optimum at which steps `lr` on batches of `batch` rows hover."""
    steep = bend.values
    if lr * float(steep[-1]) >= 2.0:
        return np.inf
    noise = variance / batch * (rows - batch) / max(rows - 1, 1)
    seen = steep > steep[-1] * len(steep) * 1e-14
    return float(0.5 * (lr * noise[seen] / (2.0 - lr * steep[seen])).sum())


def _moments(block: Block, loss: Loss, best: Tensor, along: Tensor) -> Tensor:
    """Sum of the weights, weighted sums of projected gradients and of their squares, rows; shape (2 q + 2,)."""
    block = block.counted()
    q, _, k = along.shape
    gradient = loss.gradient(block.predict(best), block.y).double()
    moved = block.linear(along.permute(1, 0, 2).flatten(1)).reshape(-1, q, k)
    projected = (moved * gradient[:, None, :]).sum(dim=2)
    weight = torch.ones(len(gradient)).double() if block.weight is None else block.weight.double()
    weighted = projected * weight[:, None]
    ends = [
        weight.sum()[None],
        weighted.sum(dim=0),
        weighted.square().sum(dim=0),
        torch.tensor([float(len(weight))]).double(),
    ]
    return torch.cat(ends).cpu()
