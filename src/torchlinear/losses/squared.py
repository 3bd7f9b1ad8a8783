"""Squared error: l(eta, y) = sum over outputs of (y - eta)^2; gradient 2 (eta - y), curvature 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.losses.base import Loss

__all__ = ["Squared"]


@dataclass(frozen=True, slots=True)
class Squared(Loss):
    """Squared error, whose mean over the rows of one output is `torch.nn.MSELoss`.

    Examples
    --------
    >>> import torch
    >>> from torchlinear.losses.squared import Squared
    >>> Squared().value(torch.zeros(2, 1), torch.tensor([[1.0], [3.0]]))
    tensor([1., 9.])
    """

    name: ClassVar[str] = "squared"
    quadratic: ClassVar[bool] = True
    dispersed: ClassVar[bool] = True

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, shape (n,)."""
        return (y - eta).square().sum(dim=1)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Derivative of `value` by `eta`, shape (n, k)."""
        return 2.0 * (eta - y)

    def curvature(self, eta: Tensor, y: Tensor) -> Tensor:
        """Second derivative of `value` by `eta`, shape (n, k): 2."""
        return torch.full_like(eta, 2.0)
