"""Pinball loss of quantile q: l(eta, y) = sum over outputs of q r^+ + (1 - q) r^-, with r = y - eta.

Its gradient is -q where r > 0 and 1 - q where r < 0; 0, which lies between them, is taken where r = 0.
The loss is piecewise linear, so its exact solver is one of linear programming (Koenker, Bassett 1978,
"Regression quantiles").
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.losses.base import Loss

__all__ = ["Quantile"]


@dataclass(frozen=True, slots=True)
class Quantile(Loss):
    """Pinball loss, least at the quantile `q` of the target.

    Parameters
    ----------
    q : float
        The quantile, above 0 and below 1; 0.5 is the median.

    Raises
    ------
    InvalidInput
        When `q` is not between 0 and 1.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.Quantile(0.9).value(torch.zeros(2, 1), torch.tensor([[1.0], [-1.0]]))
    tensor([0.9000, 0.1000])
    """

    q: float = 0.5
    name: ClassVar[str] = "quantile"
    smooth: ClassVar[bool] = False
    piecewise: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not (isinstance(self.q, Real) and 0.0 < self.q < 1.0):
            raise InvalidInput(
                f"Quantile takes a q above 0 and below 1, got q={self.q!r}; 0.5 is the median."
            )

    def __str__(self) -> str:
        return f"quantile({self.q:g})"

    @property
    def slopes(self) -> tuple[float, float]:
        """Derivative of the loss by the residual, below and above 0."""
        return self.q - 1.0, self.q

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, shape (n,)."""
        r = y - eta
        return torch.where(r > 0, self.q * r, (self.q - 1.0) * r).sum(dim=1)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """A subgradient of `value` by `eta`, shape (n, k)."""
        r = y - eta
        return (1.0 - self.q) * (r < 0).to(r.dtype) - self.q * (r > 0).to(r.dtype)

    def curvature(self, eta: Tensor, y: Tensor) -> Tensor:
        """Second derivative of `value` by `eta`, shape (n, k): 0."""
        return torch.zeros_like(eta)
