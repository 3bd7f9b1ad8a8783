"""Squared error: l(eta, y) = sum over outputs of (y - mu)^2, twice the Gaussian's at unit variance.

gradient   = 2 (mu - y) mu',                    mu = eta with the identity link:  2 (eta - y),
curvature  = 2 mu'^2 + 2 (mu - y) mu'',                                           2,
expected   = 2 mu'^2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.losses.family import Family
from torchlinear.losses.links import MEANS, Mean

__all__ = ["Squared"]


@dataclass(frozen=True, slots=True)
class Squared(Family):
    """Squared error, whose mean over the rows of one output is `torch.nn.MSELoss`.

    Parameters
    ----------
    link : {"identity", "log", "inverse"}
        How the linear predictor tells the mean; with the log link, the residual is ``y - exp(eta)``.

    Raises
    ------
    InvalidInput
        When the family has no such link.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.Squared().value(torch.zeros(2, 1), torch.tensor([[1.0], [3.0]]))
    tensor([1., 9.])
    >>> tl.Squared(link="log").value(torch.zeros(2, 1), torch.tensor([[1.0], [3.0]]))
    tensor([0., 4.])
    """

    link: str = "identity"
    name: ClassVar[str] = "squared"
    likelihood: ClassVar[bool] = True
    multiple: ClassVar[float] = 2.0
    dispersed: ClassVar[bool] = True
    links: ClassVar[Mapping[str, Mean]] = {name: MEANS[name] for name in ("identity", "log", "inverse")}

    def __str__(self) -> str:
        return self.name if self.quadratic else Family.__str__(self)

    @property
    def quadratic(self) -> bool:
        """Whether the link is the identity."""
        return self.link == "identity"

    @property
    def bound(self) -> float | None:
        """With the identity link, its second derivative."""
        return 2.0 if self.quadratic else None

    def entries(self, eta: Tensor, y: Tensor, order: int) -> Tensor:
        """Loss of each entry, or its derivative by eta of `order` 1 or 2; shape (n, k)."""
        link = self.links[self.link]
        if order == 0:
            return (y - link.inverse(eta)).square()
        if order == 1:
            return 2.0 * (link.inverse(eta) - y) * link.slope(eta)
        return 2.0 * (link.slope(eta).square() + (link.inverse(eta) - y) * link.bend(eta))

    def expected(self, eta: Tensor, y: Tensor) -> Tensor:
        """``2 mu'^2``, shape (n, k)."""
        return 2.0 * self.links[self.link].slope(eta).square()

    def variance(self, mean: Tensor) -> Tensor:
        """1, shape (n, k)."""
        return torch.ones_like(mean)

    def inside(self, eta: Tensor) -> Tensor | None:
        """None: every number is the mean of a Gaussian."""
        return None

    def near(self, y: Tensor) -> Tensor:
        """A mean near each target that the link reaches, shape (n, k)."""
        if self.link == "identity":
            return y
        least = 0.1 * y.abs().mean().clamp(min=torch.finfo(y.dtype).tiny)
        valid = y > 0 if self.link == "log" else y != 0
        return torch.where(valid, y, least)
