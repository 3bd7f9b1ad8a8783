"""Gamma: y > 0, of variance V = mu^2, so of a constant coefficient of variation.

    l(eta, y)  = log mu + y / mu,
    expected   = (mu' / mu)^2.

With the inverse link, mu = 1 / eta: l = y eta - log eta, gradient y - 1 / eta, curvature 1 / eta^2.
With the log link: l = eta + y exp(-eta), gradient 1 - y exp(-eta), curvature y exp(-eta).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from torchlinear.losses.links import MEANS, Mean
from torchlinear.losses.powers import PowerFamily

__all__ = ["Gamma"]


@dataclass(frozen=True, slots=True)
class Gamma(PowerFamily):
    """Gamma regression, for positive targets whose spread grows with their mean: durations, amounts.

    Parameters
    ----------
    link : {"inverse", "log", "identity"}
        How the linear predictor tells the mean; ``"inverse"``, R's default too, is ``eta = 1 / mu``.

    Raises
    ------
    InvalidInput
        When the family has no such link.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.Gamma(link="log").value(torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [3.0]]))
    tensor([3.0000, 2.1036])
    """

    link: str = "inverse"
    name: ClassVar[str] = "gamma"
    dispersed: ClassVar[bool] = True
    links: ClassVar[Mapping[str, Mean]] = {name: MEANS[name] for name in ("inverse", "log", "identity")}
    power = 2.0

    def near(self, y: Tensor) -> Tensor:
        """A mean near each target, shape (n, k): the target."""
        return y
