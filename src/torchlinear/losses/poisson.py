"""Poisson: y >= 0, counts, of variance V = mu.

    l(eta, y)  = mu - y log mu,
    expected   = mu'^2 / mu.

With the log link: l = exp(eta) - y eta, gradient exp(eta) - y, curvature exp(eta).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.kernels import Kernel
from torchlinear.kernels.likelihoods import poisson
from torchlinear.losses.family import compiles
from torchlinear.losses.links import MEANS, Mean
from torchlinear.losses.powers import PowerFamily

__all__ = ["Poisson"]


@dataclass(frozen=True, slots=True)
class Poisson(PowerFamily):
    """Poisson regression, for counts; with the log link it is `torch.nn.PoissonNLLLoss`.

    Parameters
    ----------
    link : {"log", "identity", "sqrt"}
        How the linear predictor tells the mean.

    Raises
    ------
    InvalidInput
        When the family has no such link.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.Poisson().value(torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [3.0]]))
    tensor([ 1.0000, -0.2817])
    """

    link: str = "log"
    name: ClassVar[str] = "poisson"
    links: ClassVar[Mapping[str, Mean]] = {name: MEANS[name] for name in ("log", "identity", "sqrt")}
    power = 1.0

    def fused(self, eta: Tensor) -> Kernel | None:
        """The compiled loss with the log link."""
        return poisson if self.link == "log" and compiles(eta) else None

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """``log y!``, shape (n,)."""
        return torch.lgamma(y.double() + 1.0).sum(dim=1)

    def near(self, y: Tensor) -> Tensor:
        """A mean near each target and positive, shape (n, k): as R's."""
        return y + 0.1
