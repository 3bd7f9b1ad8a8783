"""Inverse Gaussian: y > 0, of variance V = mu^3.

    l(eta, y)  = y / (2 mu^2) - 1 / mu,
    expected   = mu'^2 / mu^3.

With the inverse squared link, eta = mu^-2: l = y eta / 2 - sqrt(eta), and up to a factor of 2 in R's deviance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from torchlinear.losses.links import MEANS, Mean
from torchlinear.losses.powers import PowerFamily

__all__ = ["InverseGaussian"]


@dataclass(frozen=True, slots=True)
class InverseGaussian(PowerFamily):
    """Inverse Gaussian regression, for positive targets with a long tail: times until something happens.

    Parameters
    ----------
    link : {"inverse_squared", "inverse", "identity", "log"}
        How the linear predictor tells the mean; ``"inverse_squared"``, R's default too, is ``eta = 1 / mu^2``.

    Raises
    ------
    InvalidInput
        When the family has no such link.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.InverseGaussian(link="log").value(torch.zeros(1, 1), torch.tensor([[3.0]]))
    tensor([0.5000])
    """

    link: str = "inverse_squared"
    name: ClassVar[str] = "inverse_gaussian"
    dispersed: ClassVar[bool] = True
    links: ClassVar[Mapping[str, Mean]] = {
        name: MEANS[name] for name in ("inverse_squared", "inverse", "identity", "log")
    }
    power = 3.0

    def near(self, y: Tensor) -> Tensor:
        """A mean near each target, shape (n, k): the target."""
        return y
