"""Links of a probability: log mu and log(1 - mu) as functions of eta, with two derivatives, exact far out.

    logit    mu = 1 / (1 + exp(-eta))       cauchit   mu = 1/2 + atan(eta) / pi
    probit   mu = Phi(eta)                  log       mu = exp(eta), eta < 0
    cloglog  mu = 1 - exp(-exp(eta))

The likelihood of a label is mu or 1 - mu, and 1 - mu is 0 in float64 long before its logarithm overflows:
probit at eta = 9, where log(1 - mu) = -44. So neither is ever formed on the way to its logarithm.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.special import erfcx, log_ndtr, ndtr, ndtri

from torchlinear.losses.links import Link

__all__ = ["PROBABILITIES", "Probability"]


class Probability(Link):
    """A link of a probability, by the logarithms of the two probabilities that it says."""

    @abstractmethod
    def log_mean(self, eta: Tensor, order: int) -> Tensor:
        """log mu, or its derivative by eta of `order` 1 or 2."""

    @abstractmethod
    def log_rest(self, eta: Tensor, order: int) -> Tensor:
        """log(1 - mu), or its derivative by eta of `order` 1 or 2."""

    def slope(self, eta: Tensor) -> Tensor:
        """Derivative of the mean, d mu / d eta."""
        return self.inverse(eta) * self.log_mean(eta, 1)


class Symmetric(Probability):
    """A link with ``1 - mu(eta) = mu(-eta)``."""

    def log_rest(self, eta: Tensor, order: int) -> Tensor:
        """log(1 - mu), or its derivative by eta of `order` 1 or 2."""
        mirrored = self.log_mean(-eta, order)
        return -mirrored if order == 1 else mirrored


@dataclass(frozen=True, slots=True)
class Logit(Symmetric):
    """``eta = log(mu / (1 - mu))``."""

    def function(self, mean: Tensor) -> Tensor:
        """Eta of a mean."""
        return torch.logit(mean)

    def inverse(self, eta: Tensor) -> Tensor:
        """Mu of an eta."""
        return torch.sigmoid(eta)

    def log_mean(self, eta: Tensor, order: int) -> Tensor:
        """log mu, or its derivative by eta of `order` 1 or 2."""
        if order == 0:
            return torch.clamp(eta, max=0.0) - (-eta.abs()).exp().log1p()
        rest = torch.sigmoid(-eta)
        return rest if order == 1 else -rest * torch.sigmoid(eta)


@dataclass(frozen=True, slots=True)
class Probit(Symmetric):
    """``mu = Phi(eta)``, the distribution function of the normal distribution."""

    def function(self, mean: Tensor) -> Tensor:
        """Eta of a mean."""
        eta: Tensor = ndtri(mean)
        return eta

    def inverse(self, eta: Tensor) -> Tensor:
        """Mu of an eta."""
        mean: Tensor = ndtr(eta)
        return mean

    def log_mean(self, eta: Tensor, order: int) -> Tensor:
        """log mu, or its derivative by eta of `order` 1 or 2."""
        if order == 0:
            log: Tensor = log_ndtr(eta)
            return log
        hazard: Tensor = math.sqrt(2.0 / math.pi) / erfcx(eta * -math.sqrt(0.5))  # phi / Phi
        return hazard if order == 1 else -hazard * _excess(hazard, eta)


def _excess(hazard: Tensor, eta: Tensor) -> Tensor:
    """``hazard + eta``: by Laplace's continued fraction where the two cancel, 1 / (z + 2 / (z + 3 / ...)), z = -eta."""
    z = torch.clamp(-eta, min=40.0)
    fraction = z
    for j in (7.0, 6.0, 5.0, 4.0, 3.0, 2.0):
        fraction = z + j / fraction
    return torch.where(eta < -40.0, 1.0 / fraction, hazard + eta)


@dataclass(frozen=True, slots=True)
class Cauchit(Symmetric):
    """``mu = 1/2 + atan(eta) / pi``, the distribution function of the Cauchy distribution."""

    def function(self, mean: Tensor) -> Tensor:
        """Eta of a mean."""
        return -1.0 / torch.tan(math.pi * mean)

    def inverse(self, eta: Tensor) -> Tensor:
        """Mu of an eta."""
        return torch.atan2(torch.ones_like(eta), -eta) / math.pi

    def log_mean(self, eta: Tensor, order: int) -> Tensor:
        """log mu, or its derivative by eta of `order` 1 or 2."""
        if order == 0:
            return torch.where(eta > 0, torch.log1p(-self.inverse(-eta)), self.inverse(eta).log())
        narrow = 1.0 / (1.0 + eta.square())
        rate = narrow / (math.pi * self.inverse(eta))
        return rate if order == 1 else -rate * (2.0 * eta * narrow + rate)


@dataclass(frozen=True, slots=True)
class Cloglog(Probability):
    """``eta = log(-log(1 - mu))``; with t = exp(eta), log(1 - mu) = -t and log mu = log(1 - exp(-t))."""

    def function(self, mean: Tensor) -> Tensor:
        """Eta of a mean."""
        return torch.log(-torch.log1p(-mean))

    def inverse(self, eta: Tensor) -> Tensor:
        """Mu of an eta."""
        return -torch.expm1(-eta.exp())

    def log_mean(self, eta: Tensor, order: int) -> Tensor:
        """log mu, or its derivative by eta of `order` 1 or 2."""
        t = torch.clamp(eta, -700.0, 700.0).exp()  # neither 0 nor inf; log mu is eta, or 0, beyond
        if order == 0:
            return torch.where(t < 0.5, eta + torch.log(-torch.expm1(-t) / t), torch.log1p(-torch.exp(-t)))
        rate = t / torch.expm1(t)
        if order == 1:
            return rate
        # t / (e^t - 1) = 1 - t / 2 + sum of B_2k t^2k / (2k)!, so that `rate` + t - 1 cancels for small t
        s = t.square()
        series = t / 2 + s * (1 / 12 + s * (-1 / 720 + s * (1 / 30240 - s / 1209600)))
        return -rate * torch.where(t < 0.1, series, rate + t - 1.0)

    def log_rest(self, eta: Tensor, order: int) -> Tensor:
        """log(1 - mu), or its derivative by eta of `order` 1 or 2."""
        return -eta.exp()


@dataclass(frozen=True, slots=True)
class LogProbability(Probability):
    """``mu = exp(eta)`` for eta < 0: coefficients are logarithms of relative risks."""

    def function(self, mean: Tensor) -> Tensor:
        """Eta of a mean."""
        return mean.log()

    def inverse(self, eta: Tensor) -> Tensor:
        """Mu of an eta."""
        return eta.exp()

    def inside(self, eta: Tensor) -> Tensor:
        """Where the mean is below 1."""
        return eta < 0

    def log_mean(self, eta: Tensor, order: int) -> Tensor:
        """log mu, or its derivative by eta of `order` 1 or 2."""
        return eta if order == 0 else torch.full_like(eta, 2.0 - order)

    def log_rest(self, eta: Tensor, order: int) -> Tensor:
        """log(1 - mu), or its derivative by eta of `order` 1 or 2."""
        if order == 0:
            near = torch.log(-torch.expm1(eta))
            return torch.where(eta > -math.log(2.0), near, torch.log1p(-eta.exp()))
        odds = 1.0 / torch.expm1(-eta)
        return -odds if order == 1 else -odds * (1.0 + odds)


PROBABILITIES: dict[str, Probability] = {
    "logit": Logit(),
    "probit": Probit(),
    "cloglog": Cloglog(),
    "cauchit": Cauchit(),
    "log": LogProbability(),
}
