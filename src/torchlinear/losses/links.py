"""Links: how the linear predictor eta tells the mean mu, eta = g(mu).

    identity          mu = eta                 log      mu = exp(eta)
    inverse           mu = eta^-1              sqrt     mu = eta^2
    inverse_squared   mu = eta^(-1/2)

All but the logarithm are a power, mu = eta^r. Those of a probability are in `probability`.
The names, and the signs, are R's: ``inverse`` is eta = 1 / mu.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

__all__ = ["MEANS", "Link", "Log", "Power"]


class Link(ABC):
    """A strictly monotone function of the mean; every method works entry by entry."""

    @abstractmethod
    def function(self, mean: Tensor) -> Tensor:
        """Eta of a mean."""

    @abstractmethod
    def inverse(self, eta: Tensor) -> Tensor:
        """Mu of an eta."""

    @abstractmethod
    def slope(self, eta: Tensor) -> Tensor:
        """Derivative of the mean, d mu / d eta."""

    def inside(self, eta: Tensor) -> Tensor | None:
        """Where eta belongs to a mean in the range of its family; None when it does everywhere."""
        return None


class Mean(Link):
    """A link of a mean that may be large.

    `integral` is what the log-likelihoods of the families whose variance is a power of the mean are made of:

        F_q(eta) = integral of mu^(q - 1) d mu = mu^q / q,  or log mu when q = 0.
    """

    @abstractmethod
    def bend(self, eta: Tensor) -> Tensor:
        """Second derivative of the mean, d^2 mu / d eta^2."""

    @abstractmethod
    def integral(self, eta: Tensor, q: float, order: int) -> Tensor:
        """F_q, or its derivative by eta of `order` 1 or 2."""

    @abstractmethod
    def information(self, eta: Tensor, power: float) -> Tensor:
        """``slope^2 / mu^power``, the expected curvature where the variance is that power of the mean."""


@dataclass(frozen=True, slots=True)
class Power(Mean):
    """``mu = eta^exponent``, for positive eta (any eta with the exponents 1 and -1)."""

    exponent: float

    def function(self, mean: Tensor) -> Tensor:
        """Eta of a mean."""
        return mean if self.exponent == 1.0 else mean.pow(1.0 / self.exponent)

    def inverse(self, eta: Tensor) -> Tensor:
        """Mu of an eta."""
        return eta if self.exponent == 1.0 else eta.pow(self.exponent)

    def slope(self, eta: Tensor) -> Tensor:
        """Derivative of the mean, d mu / d eta."""
        return _times(self.exponent, eta, self.exponent - 1.0)

    def bend(self, eta: Tensor) -> Tensor:
        """Second derivative of the mean, d^2 mu / d eta^2."""
        return _times(self.exponent * (self.exponent - 1.0), eta, self.exponent - 2.0)

    def integral(self, eta: Tensor, q: float, order: int) -> Tensor:
        """F_q, or its derivative by eta of `order` 1 or 2."""
        r, e = self.exponent, self.exponent * q
        if order == 0:
            return _times(1.0 / q, eta, e) if q else r * eta.log()
        return _times(r, eta, e - 1.0) if order == 1 else _times(r * (e - 1.0), eta, e - 2.0)

    def information(self, eta: Tensor, power: float) -> Tensor:
        """``slope^2 / mu^power``."""
        return _times(self.exponent**2, eta, self.exponent * (2.0 - power) - 2.0)

    def inside(self, eta: Tensor) -> Tensor:
        """Where the mean is positive."""
        return eta > 0


@dataclass(frozen=True, slots=True)
class Log(Mean):
    """``mu = exp(eta)``."""

    name: ClassVar[str] = "log"

    def function(self, mean: Tensor) -> Tensor:
        """Eta of a mean."""
        return mean.log()

    def inverse(self, eta: Tensor) -> Tensor:
        """Mu of an eta."""
        return eta.exp()

    def slope(self, eta: Tensor) -> Tensor:
        """Derivative of the mean, d mu / d eta."""
        return eta.exp()

    def bend(self, eta: Tensor) -> Tensor:
        """Second derivative of the mean, d^2 mu / d eta^2."""
        return eta.exp()

    def integral(self, eta: Tensor, q: float, order: int) -> Tensor:
        """F_q, or its derivative by eta of `order` 1 or 2."""
        if q == 0:
            return eta if order == 0 else torch.full_like(eta, 2.0 - order)
        powered = eta.exp() if q == 1 else (q * eta).exp()
        return powered if order == 1 or q == 1 else q ** (order - 1) * powered

    def information(self, eta: Tensor, power: float) -> Tensor:
        """``slope^2 / mu^power``."""
        return self.integral(eta, 2.0 - power, 1)


def _times(factor: float, eta: Tensor, exponent: float) -> Tensor:
    """``factor * eta^exponent``."""
    if exponent == 0 or factor == 0:
        return torch.full_like(eta, factor)
    powered = eta if exponent == 1.0 else eta.pow(exponent)
    return powered if factor == 1.0 else factor * powered


MEANS: dict[str, Mean] = {
    "identity": Power(1.0),
    "log": Log(),
    "inverse": Power(-1.0),
    "inverse_squared": Power(-0.5),
    "sqrt": Power(2.0),
}
