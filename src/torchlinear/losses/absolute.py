"""Absolute error: l(eta, y) = sum over outputs of |y - eta|; gradient sign(eta - y), twice the median's pinball."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.losses.base import Loss

__all__ = ["Absolute"]


@dataclass(frozen=True, slots=True)
class Absolute(Loss):
    """Absolute error, whose mean over the rows of one output is `torch.nn.L1Loss`.

    Examples
    --------
    >>> import torch
    >>> from torchlinear.losses.absolute import Absolute
    >>> Absolute().value(torch.zeros(2, 1), torch.tensor([[1.0], [-3.0]]))
    tensor([1., 3.])
    """

    name: ClassVar[str] = "absolute"
    smooth: ClassVar[bool] = False
    piecewise: ClassVar[bool] = True

    @property
    def slopes(self) -> tuple[float, float]:
        """Derivative of the loss by the residual, below and above 0."""
        return -1.0, 1.0

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, shape (n,)."""
        return (y - eta).abs().sum(dim=1)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """A subgradient of `value` by `eta`, shape (n, k)."""
        return torch.sign(eta - y)

    def curvature(self, eta: Tensor, y: Tensor) -> Tensor:
        """Second derivative of `value` by `eta`, shape (n, k): 0."""
        return torch.zeros_like(eta)
