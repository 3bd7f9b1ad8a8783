"""The families whose variance is a power of the mean, V = mu^p, of positive means.

    L(mu, y)  = integral of (mu - y) / mu^p d mu = F_{2-p}(mu) - y F_{1-p}(mu),      F_q = mu^q / q,  F_0 = log mu,
    expected  = mu'^2 / mu^p.

Poisson has p = 1, Gamma 2, inverse Gaussian 3, Tweedie any p (compound Poisson between 1 and 2). The links
know F_q and its derivatives by eta (`links.Mean.integral`), so no power of a mean that overflows is formed.

Jorgensen: Exponential Dispersion Models, Journal of the Royal Statistical Society B 49 (1987), 127-162.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.losses.family import Family
from torchlinear.losses.links import Mean

__all__ = ["PowerFamily"]


class PowerFamily(Family):
    """A family of variance ``mu^power``.

    Attributes
    ----------
    power : float
        p.
    """

    power: float
    links: ClassVar[Mapping[str, Mean]]

    def entries(self, eta: Tensor, y: Tensor, order: int) -> Tensor:
        """Loss of each entry, or its derivative by eta of `order` 1 or 2; shape (n, k)."""
        link, p = self.links[self.link], self.power
        level, rate = link.integral(eta, 2.0 - p, order), link.integral(eta, 1.0 - p, order)
        found = level - y * rate
        if bool(found.isnan().any()):  # both terms overflow: near mu = 0 the second one is far larger
            small = (y != 0) & (link.inverse(eta) < 1)
            found = torch.where(found.isnan(), torch.where(small, -y * rate, level), found)
        return found

    def expected(self, eta: Tensor, y: Tensor) -> Tensor:
        """``mu'^2 / mu^p``, shape (n, k); 0 outside."""
        return self._within(eta, self.links[self.link].information(eta, self.power), 0.0)

    def variance(self, mean: Tensor) -> Tensor:
        """``mu^p``, shape (n, k)."""
        return mean.pow(self.power)

    def least(self, y: Tensor) -> Tensor:
        """The loss where the mean is the target, shape (n,)."""
        p = self.power
        if p == 1:
            return (y - torch.xlogy(y, y)).sum(dim=1)
        if p == 2:
            return (1.0 + y.log()).sum(dim=1)
        return (y.clamp(min=0.0).pow(2.0 - p) * (1.0 / (2.0 - p) - 1.0 / (1.0 - p))).sum(dim=1)

    def refusal(self, y: Tensor) -> str | None:
        """Why these targets cannot be had; None when they can."""
        if self.power < 1:
            return None
        zero = self.power < 2  # counts and sums may be 0
        bad = y < 0 if zero else y <= 0
        if not bool(bad.any()):
            return None
        return (
            f"a {self.name.replace('_', ' ')} target is {'at least' if zero else 'above'} 0, got "
            f"{float(y[bad].min()):g} (such rows: {int(bad.any(dim=1).sum())}); drop those rows or choose another loss."
        )
