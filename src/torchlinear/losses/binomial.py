"""Binomial: y in [0, 1], a label or the proportion of successes, whose number of trials is the row's weight.

    l(eta, y)  = -y log mu - (1 - y) log(1 - mu),
    gradient   = -y a + (1 - y) b,       a = mu' / mu,  b = mu' / (1 - mu),
    curvature  = -y a' + (1 - y) b',
    expected   = a b.

With the logit link, and e = exp(-|eta|), which never overflows:

    l          = max(eta, 0) - y eta + log(1 + e),
    gradient   = mu - y  =  (1 - y - y e) / (1 + e)  for eta >= 0,  ((1 - y) e - y) / (1 + e)  below,
    curvature  = mu (1 - mu) = e / (1 + e)^2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.kernels import Kernel
from torchlinear.kernels.likelihoods import logistic
from torchlinear.losses.family import Family, compiles, times
from torchlinear.losses.probability import PROBABILITIES, Probability

__all__ = ["Binomial"]


@dataclass(frozen=True, slots=True)
class Binomial(Family):
    """Logistic regression, and its relatives by other links.

    Parameters
    ----------
    link : {"logit", "probit", "cloglog", "cauchit", "log"}
        How the linear predictor tells the probability.

    Raises
    ------
    InvalidInput
        When the family has no such link.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.Binomial().value(torch.tensor([[0.0], [800.0]]), torch.ones(2, 1))
    tensor([0.6931, 0.0000])
    >>> tl.Binomial(link="probit").mean(torch.zeros(1, 1))
    tensor([[0.5000]])
    """

    link: str = "logit"
    name: ClassVar[str] = "binomial"
    labels: ClassVar[bool] = True
    links: ClassVar[Mapping[str, Probability]] = PROBABILITIES

    @property
    def bound(self) -> float | None:
        """Of the logit link 1/4, of the probit link 1; the others bend without a limit."""
        return {"logit": 0.25, "probit": 1.0}.get(self.link)

    def entries(self, eta: Tensor, y: Tensor, order: int) -> Tensor:
        """Loss of each entry, or its derivative by eta of `order` 1 or 2; shape (n, k)."""
        if self.link == "logit":
            return _logit(eta, y, order)
        link, y = self.links[self.link], y.to(eta.dtype)
        return -times(y, link.log_mean(eta, order)) - times(1.0 - y, link.log_rest(eta, order))

    def fused(self, eta: Tensor) -> Kernel | None:
        """The compiled logistic loss."""
        return logistic if self.link == "logit" and compiles(eta) else None

    def expected(self, eta: Tensor, y: Tensor) -> Tensor:
        """``mu'^2 / (mu (1 - mu))``, shape (n, k)."""
        if self.link == "logit":
            return self.entries(eta, y, 2)
        link = self.links[self.link]
        rest = -link.log_rest(eta, 1)
        return self._within(eta, times(link.log_mean(eta, 1), rest), 0.0)

    def variance(self, mean: Tensor) -> Tensor:
        """``mu (1 - mu)``, shape (n, k)."""
        return mean * (1.0 - mean)

    def least(self, y: Tensor) -> Tensor:
        """Entropy of each target, shape (n,): the least that a row can cost; 0 of labels."""
        if _labels(y):
            return torch.zeros_like(y[:, 0], dtype=torch.float64)
        return -(torch.xlogy(y, y) + torch.xlogy(1.0 - y, 1.0 - y)).sum(dim=1)

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """Minus the logarithm of the number of ways to that proportion, per trial, shape (n,); 0 of labels."""
        if _labels(y):
            return torch.zeros_like(y[:, 0], dtype=torch.float64)
        n = weight.unsqueeze(1)
        ways = torch.lgamma(n + 1.0) - torch.lgamma(n * y + 1.0) - torch.lgamma(n - n * y + 1.0)
        return torch.where(weight > 0, -ways.sum(dim=1) / weight, 0.0)

    def near(self, y: Tensor) -> Tensor:
        """A mean near each target and inside of (0, 1), shape (n, k): as R's, for one trial."""
        return (y + 0.5) / 2.0

    def refusal(self, y: Tensor) -> str | None:
        """Why these targets cannot be had; None when they can."""
        if bool(((y < 0) | (y > 1)).any()):
            return (
                f"a binomial target is a label, 0 or 1, or a proportion between, got values from {float(y.min()):g} "
                f"to {float(y.max()):g}; divide counts by their trials and pass the trials as weights."
            )
        return None


def _logit(eta: Tensor, y: Tensor, order: int) -> Tensor:
    """`Binomial.entries` with the logit link."""
    e = (-eta.abs()).exp()
    if order == 0:
        return (
            torch.clamp(eta, min=0.0) - y * eta
        ) + e.log1p()  # exact to the last digits at y = 1, eta = 30
    if order == 1:
        y = y.to(eta.dtype)
        rest = 1.0 - y
        return torch.where(eta >= 0, rest - y * e, rest * e - y) / (1.0 + e)
    return e / (1.0 + e).square()


def _labels(y: Tensor) -> bool:
    """Whether all targets are 0 or 1, of which there is one arrangement each."""
    return bool(((y == 0) | (y == 1)).all())
