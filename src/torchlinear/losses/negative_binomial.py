"""Negative binomial: y >= 0, counts, of variance V = mu + mu^2 / theta.

With pi = mu / (mu + theta), that is x = log(mu / theta) and pi = 1 / (1 + exp(-x)),

    l(eta, y)  = -y log pi - theta log(1 - pi),
    dl / dx    = -y (1 - pi) + theta pi,
    d^2 l / dx^2 = (y + theta) pi (1 - pi),      expected  theta pi,

and by eta with x' and x'', which are 1 and 0 with the log link. No mean is formed that could overflow.
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
    links: ClassVar[Mapping[str, Mean]] = {name: MEANS[name] for name in ("log", "sqrt", "identity")}

    def __post_init__(self) -> None:
        if not (isinstance(self.theta, Real) and math.isfinite(self.theta) and self.theta > 0):
            raise InvalidInput(f"theta={self.theta!r}: expected a finite number above 0.")
        Family.__post_init__(self)

    def __str__(self) -> str:
        return f"{self.name} of theta {self.theta:g}, {self.link} link"

    def entries(self, eta: Tensor, y: Tensor, order: int) -> Tensor:
        """Loss of each entry, or its derivative by eta of `order` 1 or 2; shape (n, k)."""
        log, slope, bend = (self.links[self.link].integral(eta, 0.0, d) for d in range(3))
        x = log - math.log(self.theta)
        found = self._by_log(x, y, order)
        if order == 0 or self.link == "log":
            return found
        return found * slope if order == 1 else found * slope.square() + self._by_log(x, y, 1) * bend

    def _by_log(self, x: Tensor, y: Tensor, order: int) -> Tensor:
        """The loss, or its derivative of `order` 1 or 2, by x = log(mu / theta)."""
        return -y * LOGIT.log_mean(x, order) - self.theta * LOGIT.log_rest(x, order)

    def expected(self, eta: Tensor, y: Tensor) -> Tensor:
        """``theta pi x'^2``, shape (n, k); 0 outside."""
        link = self.links[self.link]
        share = torch.sigmoid(link.integral(eta, 0.0, 0) - math.log(self.theta))
        return self._within(eta, self.theta * share * link.integral(eta, 0.0, 1).square(), 0.0)

    def variance(self, mean: Tensor) -> Tensor:
        """``mu + mu^2 / theta``, shape (n, k)."""
        return mean + mean.square() / self.theta

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
