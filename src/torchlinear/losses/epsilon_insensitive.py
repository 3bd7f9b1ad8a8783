"""Epsilon-insensitive loss, of support vector regression: residuals up to epsilon are free, larger ones cost the rest.

With r = y - eta, summed over outputs:

    l(eta, y)  = max(0, |r| - epsilon),
    gradient   = -sign(r) where |r| > epsilon, 0 elsewhere.

Vapnik 1995, "The nature of statistical learning theory".
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.losses.base import Loss
from torchlinear.losses.pieces import Pieces

__all__ = ["EpsilonInsensitive", "Tube"]


@dataclass(frozen=True, slots=True)
class Tube(Loss):
    """What losses of a tube of half width `epsilon` about the target share."""

    epsilon: float = 0.1

    def __post_init__(self) -> None:
        if not (isinstance(self.epsilon, Real) and 0.0 <= self.epsilon < float("inf")):
            raise InvalidInput(
                f"{type(self).__name__} takes a finite epsilon of at least 0, got epsilon={self.epsilon!r}."
            )

    def __str__(self) -> str:
        return f"{self.name}({self.epsilon:g})"

    def beyond(self, eta: Tensor, y: Tensor) -> Tensor:
        """What residuals ``y - eta`` have beyond epsilon, with their signs; 0 within; shape (n, k)."""
        r = y - eta
        return r - r.clamp(-self.epsilon, self.epsilon)


@dataclass(frozen=True, slots=True)
class EpsilonInsensitive(Tube):
    """Epsilon-insensitive loss ``max(0, |y - eta| - epsilon)``, of support vector regression, with an L2 penalty.

    scikit-learn's ``LinearSVR(C=C, epsilon=e)`` is ``tl.fit(X, y, loss=tl.EpsilonInsensitive(e), penalty=tl.L2(1 / (C *
    n)))``, but for its intercept, which is penalised there and not here.

    Parameters
    ----------
    epsilon : float
        Size of a residual that costs nothing, in the units of the target, at least 0.

    Raises
    ------
    InvalidInput
        When `epsilon` is negative or not finite.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.EpsilonInsensitive(0.5).value(torch.zeros(2, 1), torch.tensor([[0.4], [-3.0]]))
    tensor([0.0000, 2.5000])
    """

    name: ClassVar[str] = "epsilon_insensitive"
    smooth: ClassVar[bool] = False
    hinged: ClassVar[bool] = True

    def pieces(self, y: NDArray[np.float64]) -> Pieces:
        """The loss as hinges, of targets y, shape (n,)."""
        at = np.stack([y - self.epsilon, -y - self.epsilon])
        return Pieces(np.array([1.0, -1.0]), at, np.ones_like(at))

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, shape (n,)."""
        return self.beyond(eta, y).abs().sum(dim=1)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """A subgradient of `value` by `eta`, shape (n, k)."""
        r = y - eta
        return (r < -self.epsilon).to(r.dtype) - (r > self.epsilon).to(r.dtype)

    def curvature(self, eta: Tensor, y: Tensor) -> Tensor:
        """Second derivative of `value` by `eta`, shape (n, k): 0."""
        return torch.zeros_like(eta)
