"""A family of distributions whose mean is a function of the linear predictor: the loss of a generalised linear model.

With the mean mu(eta) by the inverse of the link and the variance V(mu), a row costs l(eta, y) = L(mu(eta), y),
the negative log-likelihood up to its dispersion and to what does not depend on eta, summed over outputs:

    dl / deta       = (mu - y) mu' / V,
    expected        = mu'^2 / V.

A family says the derivatives of l by eta, entry by entry; what they share is here: sums over the outputs, the
domain of the link, and its name.

McCullagh, Nelder: Generalized Linear Models, 2nd edition, 1989, chapter 2.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.kernels import Kernel
from torchlinear.losses.base import Loss
from torchlinear.losses.links import Link
from torchlinear.registry import suggestion

__all__ = ["Family", "compiles", "times"]


class Family(Loss):
    """The loss of a family with the link of its name.

    Attributes
    ----------
    link : str
        The link, one of `links`.
    links : mapping of str to Link
        Those that the family may have; the first is the default.
    """

    likelihood: ClassVar[bool] = True
    link: str
    links: ClassVar[Mapping[str, Link]]

    def __post_init__(self) -> None:
        if self.link not in self.links:
            raise InvalidInput(
                f"loss={self.name!r} has no link={self.link!r}{suggestion(str(self.link), self.links)}. "
                f"Its links: {', '.join(self.links)}."
            )

    def __str__(self) -> str:
        return f"{self.name}, {self.link} link"

    @abstractmethod
    def entries(self, eta: Tensor, y: Tensor, order: int) -> Tensor:
        """Loss of each entry, or its derivative by eta of `order` 1 or 2; shape (n, k), anything outside."""

    @abstractmethod
    def near(self, y: Tensor) -> Tensor:
        """A mean near each target and inside of the range of means, shape (n, k)."""

    def fused(self, eta: Tensor) -> Kernel | None:
        """The kernel that computes value, gradient and curvature in one pass over these rows, where there is one."""
        return None

    def value_gradient(self, eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """`value` and `gradient`, shapes (n,) and (n, k)."""
        kernel = self.fused(eta)
        return Loss.value_gradient(self, eta, y) if kernel is None else _by(kernel, eta, y)[:2]

    def derivatives(self, eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`value`, `gradient` and `curvature`, shapes (n,), (n, k) and (n, k)."""
        kernel = self.fused(eta)
        return Loss.derivatives(self, eta, y) if kernel is None else _by(kernel, eta, y)

    def inside(self, eta: Tensor) -> Tensor | None:
        """Where eta belongs to a mean of the family, shape (n, k); None when it does everywhere."""
        return self.links[self.link].inside(eta)

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, shape (n,); inf outside of the link's domain."""
        return self._within(eta, self.entries(eta, y, 0), math.inf).sum(dim=1)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Derivative of `value` by `eta`, shape (n, k); 0 outside."""
        return self._within(eta, self.entries(eta, y, 1), 0.0)

    def curvature(self, eta: Tensor, y: Tensor) -> Tensor:
        """Diagonal of the second derivative of `value` by `eta`, shape (n, k); 0 outside."""
        return self._within(eta, self.entries(eta, y, 2), 0.0)

    def expected(self, eta: Tensor, y: Tensor) -> Tensor:
        """``mu'^2 / V``, shape (n, k); 0 outside."""
        slope = self.links[self.link].slope(eta)
        return self._within(eta, slope.square() / self.variance(self.mean(eta)), 0.0)

    def mean(self, eta: Tensor) -> Tensor:
        """What the target is expected to be, shape (n, k): the inverse of the link."""
        return self.links[self.link].inverse(eta)

    def predictor(self, mean: Tensor) -> Tensor:
        """Linear predictor of a mean, shape (n, k): the link."""
        return self.links[self.link].function(mean)

    def start(self, y: Tensor) -> Tensor:
        """Linear predictor to start each row from, shape (n, k)."""
        return self.predictor(self.near(y.double()))

    def _within(self, eta: Tensor, inside: Tensor, outside: float) -> Tensor:
        mask = self.inside(eta)
        return inside if mask is None else torch.where(mask, inside, outside)


def compiles(eta: Tensor) -> bool:
    """Whether kernels take these rows: float64 on the CPU, and nobody asks for the derivative of what comes out."""
    return eta.device.type == "cpu" and eta.dtype == torch.float64 and not eta.requires_grad


def _by(kernel: Kernel, eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value, gradient and curvature by a kernel, output by output."""
    n, k = eta.shape
    out = torch.empty(3, k, n, dtype=torch.float64, device="cpu")
    for j in range(k):
        x, target = (part[:, j].contiguous().numpy() for part in (eta, y.double()))
        kernel(x, target, *out[:, j].numpy())
    return out[0, 0] if k == 1 else out[0].sum(dim=0), out[1].T, out[2].T


def times(weight: Tensor, term: Tensor) -> Tensor:
    """``weight * term``, 0 where the weight is, even if the term overflows."""
    return torch.where(weight == 0, 0.0, weight * term)
