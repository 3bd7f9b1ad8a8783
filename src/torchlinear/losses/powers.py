"""The families whose variance is a power of the mean, V = mu^p, of positive means.

    L(mu, y) = integral of (mu - y) / mu^p d mu = F_{2-p}(mu) - y F_{1-p}(mu),      F_q = mu^q / q,  F_0 = log mu.

Poisson has p = 1, Gamma 2, inverse Gaussian 3, Tweedie any p (compound Poisson between 1 and 2). The links
know F_q and its derivatives by eta (`links.Mean.integral`), so no power of a mean that overflows is formed.

Jorgensen: Exponential Dispersion Models, Journal of the Royal Statistical Society B 49 (1987), 127-162.
"""

from __future__ import annotations

from torch import Tensor

from torchlinear.losses.family import times
from torchlinear.losses.links import Mean

__all__ = ["entries", "refusal"]


def entries(link: Mean, power: float, eta: Tensor, y: Tensor, order: int) -> Tensor:
    """Loss of each entry, or its derivative by eta of `order` 1 or 2; shape (n, k)."""
    return link.integral(eta, 2.0 - power, order) - times(y, link.integral(eta, 1.0 - power, order))


def refusal(name: str, y: Tensor, *, zero: bool) -> str | None:
    """Why targets that are negative, or 0 unless `zero`, cannot be had by the family `name`; None when all are."""
    bad = y < 0 if zero else y <= 0
    if bool(bad.any()):
        return (
            f"a {name.replace('_', ' ')} target is {'at least' if zero else 'above'} 0, got {float(y[bad].min()):g} "
            f"({int(bad.sum())} such values); drop those rows or choose another loss."
        )
    return None
