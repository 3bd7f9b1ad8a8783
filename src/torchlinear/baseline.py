"""The model of the intercept alone, where an offset keeps its predictor from being that of the mean.

With offsets o_i the intercept b solves sum_i w_i dl/deta (o_i + b, y_i) = 0: Newton's method with step halving.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from torchlinear.block import Block
from torchlinear.engines.base import Loaded
from torchlinear.losses.base import Loss

__all__ = ["intercept_alone"]

STEPS = 50
HALVINGS = 30
REACH = 10.0  # of a step, relative
ROUNDING = 1e-14  # of the sum of the losses, relative
NEAR = 1e-12  # of a step, relative


@dataclass(frozen=True)
class _Sums:
    """Weighted sums of the rows at one intercept, each of shape (k,); ``a + b`` are those of both sets of rows."""

    value: Tensor
    gradient: Tensor
    curvature: Tensor

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.value + other.value, self.gradient + other.gradient, self.curvature + other.curvature
        )


def intercept_alone(loaded: Loaded, loss: Loss, start: Tensor) -> Tensor:
    """Intercepts of a model without features but with the offset of the rows.

    Parameters
    ----------
    loaded : Loaded
        Rows with an offset.
    loss : Loss
        With outputs that do not interact.
    start : Tensor, shape (k,)
        Where to start: the predictors of the mean responses.

    Returns
    -------
    Tensor, shape (k,), float64
        The intercepts; not finite where there is no optimum.
    """
    weight, offset = loaded.sum(_mean_offset)
    at: Tensor = start - offset / weight
    here = loaded.sum(_sums, loss, at)
    for _ in range(STEPS):
        step = torch.where(here.curvature > 0, -here.gradient / here.curvature, -here.gradient.sign())
        longest = REACH * (1.0 + at.abs())
        step = step.clamp(-longest, longest)  # a curvature that all but vanishes would send it far away
        if not bool((step.abs() > NEAR * (1.0 + at.abs())).any()):
            break
        for _ in range(HALVINGS):
            there = loaded.sum(_sums, loss, at + step)
            worse = ~(there.value <= here.value + ROUNDING * here.value.abs())
            if not bool(worse.any()):
                break
            step = torch.where(worse, step / 2.0, step)
        else:
            break
        at, here = at + step, there
    return at


def _mean_offset(block: Block) -> Tensor:
    """Sums of the weights, and of the offsets times them; shape (2,)."""
    assert block.offset is not None
    weight = _weight(block, block.offset)
    return torch.stack([weight.sum(), weight @ block.offset]).cpu()


def _sums(block: Block, loss: Loss, at: Tensor) -> _Sums:
    block = block.counted()
    eta = block.flat(at)
    weight = _weight(block, eta)
    columns = range(eta.shape[1])
    value = torch.stack([weight @ loss.value(eta[:, j : j + 1], block.y[:, j : j + 1]) for j in columns])
    gradient, curvature = loss.gradient(eta, block.y), loss.curvature(eta, block.y)
    return _Sums(value.cpu(), (weight @ gradient.double()).cpu(), (weight @ curvature.double()).cpu())


def _weight(block: Block, like: Tensor) -> Tensor:
    """Weights of the rows, shape (n,), where `like` is."""
    if block.weight is None:
        return torch.ones(len(like), dtype=torch.float64, device=like.device)
    return block.weight.to(like.device)
