"""Negative binomial: y >= 0, counts, of variance V = mu + mu^2 / theta.

With pi = mu / (mu + theta), that is x = log(mu / theta) and pi = 1 / (1 + exp(-x)),

    l(eta, y)  = -y log pi - theta log(1 - pi) = (y + theta) log(mu + theta) - y log mu + what is free of eta,
    expected   = (mu'^2 / mu) (1 - pi).

With the log link the derivatives are those of a logistic loss in x, and no mean is formed that could overflow:

    gradient   = -y (1 - pi) + theta pi,        curvature = (y + theta) pi (1 - pi).
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
from torchlinear.losses.family import Family, times
from torchlinear.losses.links import MEANS, Mean
from torchlinear.losses.probability import PROBABILITIES

__all__ = ["NegativeBinomial"]

LOGIT = PROBABILITIES["logit"]


@dataclass(frozen=True, slots=True)
class NegativeBinomial(Family):
    """Negative binomial regression, for counts that vary more than Poisson's.

    Parameters
    ----------
    theta : float
        Size, above 0: the variance is ``mu + mu**2 / theta``. statsmodels' ``alpha`` is ``1 / theta``.
    link : {"log", "sqrt", "identity"}
        How the linear predictor tells the mean.

    Raises
    ------
    InvalidInput
        When `theta` is not above 0 or there is no such link.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.NegativeBinomial(theta=2.0).variance(torch.tensor([[4.0]]))
    tensor([[12.]])
    """

    theta: float = 1.0
    link: str = "log"
    name: ClassVar[str] = "negative_binomial"
    dispersed: ClassVar[bool] = True
    links: ClassVar[Mapping[str, Mean]] = {name: MEANS[name] for name in ("log", "sqrt", "identity")}

    def __post_init__(self) -> None:
        if not (isinstance(self.theta, Real) and math.isfinite(self.theta) and self.theta > 0):
            raise InvalidInput(f"theta={self.theta!r}: expected a finite number above 0.")
        Family.__post_init__(self)

    def __str__(self) -> str:
        return f"{self.name} of theta {self.theta:g}, {self.link} link"

    def entries(self, eta: Tensor, y: Tensor, order: int) -> Tensor:
        """Loss of each entry, or its derivative by eta of `order` 1 or 2; shape (n, k)."""
        link = self.links[self.link]
        if order == 0 or self.link == "log":
            x = link.integral(eta, 0.0, 0) - math.log(self.theta)
            return -y * LOGIT.log_mean(x, order) - self.theta * LOGIT.log_rest(x, order)
        total = link.inverse(eta) + self.theta
        share = link.slope(eta) / total
        second = share if order == 1 else link.bend(eta) / total - share.square()
        return (y + self.theta) * second - times(y, link.integral(eta, 0.0, order))

    def expected(self, eta: Tensor, y: Tensor) -> Tensor:
        """``mu'^2 / (mu + mu^2 / theta)``, shape (n, k): theta pi with the log link; 0 outside."""
        link = self.links[self.link]
        if self.link == "log":
            return self.theta * torch.sigmoid(eta - math.log(self.theta))
        rest = self.theta / (link.inverse(eta) + self.theta)
        return self._within(eta, rest * link.information(eta, 1.0), 0.0)

    def variance(self, mean: Tensor) -> Tensor:
        """``mu + mu^2 / theta``, shape (n, k)."""
        return mean + mean.square() / self.theta

    def least(self, y: Tensor) -> Tensor:
        """The loss where the mean is the target, shape (n,)."""
        share = y.double() / (y + self.theta)
        return -(torch.xlogy(y, share) + self.theta * torch.log1p(-share)).sum(dim=1)

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Minus the logarithm of the binomial coefficient ``(y + theta - 1 over y)``, shape (n,)."""
        y, theta = y.double(), torch.tensor(self.theta, dtype=torch.float64)
        ways = torch.lgamma(y + theta) - torch.lgamma(y + 1.0) - torch.lgamma(theta)
        return -ways.sum(dim=1)

    def near(self, y: Tensor) -> Tensor:
        """A mean near each target and positive, shape (n, k): as that of R's MASS."""
        return torch.where(y > 0, y, 1.0 / 6.0)

    def refusal(self, y: Tensor) -> str | None:
        """Why these targets cannot be had; None when they can."""
        bad = y < 0
        if bool(bad.any()):
            return (
                f"a negative binomial target is at least 0, got {float(y[bad].min()):g} (such rows: "
                f"{int(bad.any(dim=1).sum())}); drop those rows or choose another loss."
            )
        return None
