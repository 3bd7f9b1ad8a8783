"""Tweedie: variance V = mu^p. Between p = 1 and 2 a sum of a Poisson number of Gamma amounts: y >= 0, often 0.

    l(eta, y)  = mu^(2-p) / (2-p) + y mu^(1-p) / (p-1),
    expected   = mu'^2 / mu^p.

The limits are Poisson at p = 1 (l = mu - y log mu) and Gamma at p = 2; inverse Gaussian is p = 3.
No distribution has a power between 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.losses.family import Family
from torchlinear.losses.links import MEANS, Mean
from torchlinear.losses.powers import PowerFamily

__all__ = ["Tweedie"]


@dataclass(frozen=True, slots=True)
class Tweedie(PowerFamily):
    """Tweedie regression, for amounts of which many are 0: rain, insurance claims.

    Parameters
    ----------
    power : float
        p, the power of the mean that the variance is; at least 1, or at most 0.
    link : {"log", "identity", "inverse", "sqrt"}
        How the linear predictor tells the mean, which is positive whatever the power.

    Raises
    ------
    InvalidInput
        When there is no such power or link.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.Tweedie(power=1.5).value(torch.zeros(1, 1), torch.tensor([[3.0]]))
    tensor([8.])
    """

    power: float = 1.5
    link: str = "log"
    name: ClassVar[str] = "tweedie"
    dispersed: ClassVar[bool] = True
    links: ClassVar[Mapping[str, Mean]] = {
        name: MEANS[name] for name in ("log", "identity", "inverse", "sqrt")
    }

    def __post_init__(self) -> None:
        number = isinstance(self.power, Real) and math.isfinite(self.power)
        if not number or 0 < self.power < 1:
            raise InvalidInput(
                f"power={self.power!r}: expected a number, at least 1 or at most 0; between 1 and 2 for amounts "
                "of which many are 0."
            )
        Family.__post_init__(self)

    def __str__(self) -> str:
        return f"{self.name} of power {self.power:g}, {self.link} link"

    def near(self, y: Tensor) -> Tensor:
        """A mean near each target and positive, shape (n, k)."""
        return torch.where(y > 0, y, 0.1)
