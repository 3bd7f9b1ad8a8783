"""What a sweep sums over the rows: functions of a block, and the records that they add up to.

m problems of k classes lie side by side: coefficients (p + 1, m k), predictors (r, m k).
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass

import torch
from torch import Tensor

from torchlinear.block import Block
from torchlinear.kernels import softmax as softmax_kernels
from torchlinear.losses.softmax import Softmax

__all__ = ["Cache", "Features", "Slopes", "features", "products", "slopes"]

Cache = MutableMapping[int, Tensor]  # probabilities of a block's rows, by the address of its classes


@dataclass(frozen=True, slots=True)
class Features:
    """Sums of features about a point, and of their products, shapes (p,) and (p, p) or (p,); float64."""

    total: Tensor
    cross: Tensor

    def __add__(self, other: Features) -> Features:
        return Features(self.total + other.total, self.cross + other.cross)


@dataclass(frozen=True, slots=True)
class Slopes:
    """Sums of losses, shape (m,), and of slopes times [x, 1], shape (p + 1, m k); float64."""

    value: Tensor
    pull: Tensor

    def __add__(self, other: Slopes) -> Slopes:
        return Slopes(self.value + other.value, self.pull.add_(other.pull))


def features(block: Block, centre: Tensor, whole: bool) -> Features:
    """Moments of the features; with `whole` all products, else squares."""
    X = block.X.double() - centre
    Z = X if block.weight is None else block.weight[:, None] * X
    return Features(Z.sum(dim=0), Z.T @ X if whole else (Z * X).sum(dim=0))


def slopes(block: Block, coef: Tensor, k: int, cache: Cache | None) -> Slopes:
    """Losses and slopes of every problem; probabilities go to `cache`.

    Parameters
    ----------
    block : Block
        Rows, with the numbers of their classes.
    coef : Tensor, shape (p + 1, m k), float64
        Coefficients.
    k : int
        Classes.
    cache : mapping, optional
        Where probabilities are kept, in float32.
    """
    eta = block.linear(coef)
    code, m = block.y[:, 0], coef.shape[1] // k
    rows = len(eta) if cache is not None else 0
    mean = torch.empty(rows, m * k, dtype=torch.float32, device=eta.device)
    if eta.device.type == "cpu" and block.weight is None:
        eta, value = eta.contiguous(), torch.zeros(m, dtype=torch.float64, device="cpu")
        softmax_kernels.slopes(eta.numpy(), code.numpy(), k, value.numpy(), mean.numpy())
        slope = eta
    else:
        value, slope = _slopes(eta, code, m, block.weight)
        if cache is not None:
            mean = eta.reshape(-1, m, k).softmax(dim=2).flatten(1).float()
    if cache is not None:
        cache[block.y.data_ptr()] = mean
    return Slopes(value, block.pull(slope))


def products(block: Block, coef: Tensor, along: Tensor, which: Tensor, k: int, cache: Cache | None) -> Tensor:
    """Hessians times directions, shape (p + 1, a k), float64, of some of the problems.

    Parameters
    ----------
    block : Block
        Rows.
    coef : Tensor, shape (p + 1, a k), float64
        Coefficients of those problems, where nothing is kept.
    along : Tensor, shape (p + 1, a k), float32 or float64
        Directions; the products are in this dtype.
    which : Tensor, shape (a,), int64
        Their places in `cache`.
    k : int
        Classes.
    cache : mapping, optional
        Probabilities that `slopes` kept.
    """
    v = block.linear(along, along.dtype).contiguous()
    if cache is None:
        mean = block.linear(coef, along.dtype).reshape(len(v), -1, k).softmax(dim=2).flatten(1)
        which = torch.arange(len(which), device=which.device)
    else:
        mean = cache[block.y.data_ptr()]
    if v.device.type == "cpu" and v.dtype == mean.dtype == torch.float32:
        softmax_kernels.products(v.numpy(), mean.numpy(), which.numpy(), k)
    else:
        v = _products(v, mean, which, k)
    if block.weight is not None:
        v = v * block.weight[:, None].to(v)
    return block.pull(v, along.dtype)


def _slopes(eta: Tensor, code: Tensor, m: int, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """What the kernel computes, by torch; with weights too."""
    rows, y = eta.reshape(len(eta) * m, -1), code.repeat_interleave(m)[:, None]
    value, slope = Softmax().value(rows, y).view(-1, m), Softmax().gradient(rows, y).view_as(eta)
    if weight is None:
        return value.sum(dim=0, dtype=torch.float64), slope
    return weight @ value.double(), weight[:, None] * slope


def _products(v: Tensor, mean: Tensor, which: Tensor, k: int) -> Tensor:
    """What the kernel computes, by torch."""
    some = mean.view(len(v), -1, k)
    some = (some if len(which) == some.shape[1] else some[:, which]).to(v.dtype)
    parts = v.view(len(v), -1, k)
    product: Tensor = some * (parts - (some * parts).sum(dim=2, keepdim=True))
    return product.flatten(1)
