"""Poisson: y >= 0, counts, of variance V = mu.

    l(eta, y)  = mu - y log mu,
    expected   = mu'^2 / mu.

With the log link: l = exp(eta) - y eta, gradient exp(eta) - y, curvature exp(eta).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from torchlinear.losses import powers
from torchlinear.losses.family import Family
from torchlinear.losses.links import MEANS, Mean

__all__ = ["Poisson"]


@dataclass(frozen=True, slots=True)
class Poisson(Family):
    """Poisson regression, for counts; with the log link `torch.nn.PoissonNLLLoss`.

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
    >>> import torch
    >>> from torchlinear.losses.poisson import Poisson
    >>> Poisson().value(torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [3.0]]))
    tensor([ 1.0000, -0.2817])
    """

    link: str = "log"
    name: ClassVar[str] = "poisson"
    links: ClassVar[Mapping[str, Mean]] = {name: MEANS[name] for name in ("log", "identity", "sqrt")}

    def entries(self, eta: Tensor, y: Tensor, order: int) -> Tensor:
        """Loss of each entry, or its derivative by eta of `order` 1 or 2; shape (n, k)."""
        return powers.entries(self.links[self.link], 1.0, eta, y, order)

    def derivatives(self, eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`value`, `gradient` and `curvature`."""
        if self.link != "log":
            return Family.derivatives(self, eta, y)
        mean = eta.exp()
        return (mean - y * eta).sum(dim=1), mean - y, mean

    def expected(self, eta: Tensor, y: Tensor) -> Tensor:
        """``mu'^2 / mu``, shape (n, k)."""
        return self._within(eta, self.links[self.link].information(eta, 1.0), 0.0)

    def variance(self, mean: Tensor) -> Tensor:
        """``mu``, shape (n, k)."""
        return mean

    def near(self, y: Tensor) -> Tensor:
        """A mean near each target and positive, shape (n, k): as R's."""
        return y + 0.1

    def refusal(self, y: Tensor) -> str | None:
        """Why these targets cannot be had; None when they can."""
        return powers.refusal(self.name, y, zero=True)
