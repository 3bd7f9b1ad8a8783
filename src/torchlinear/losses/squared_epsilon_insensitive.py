"""Squared epsilon-insensitive loss: the square of what a residual has beyond epsilon.

With r = y - eta and e = r - clip(r, -epsilon, epsilon), summed over outputs:

    l(eta, y)  = e^2,
    gradient   = -2 e,
    curvature  = 2 where |r| >= epsilon, 0 elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from torchlinear.losses.epsilon_insensitive import Tube
from torchlinear.losses.squared_hinge import SHARE

__all__ = ["SquaredEpsilonInsensitive"]


@dataclass(frozen=True, slots=True)
class SquaredEpsilonInsensitive(Tube):
    """Squared epsilon-insensitive loss ``max(0, |y - eta| - epsilon)**2``, of the smooth support vector regression.

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
    >>> tl.SquaredEpsilonInsensitive(0.5).value(torch.zeros(2, 1), torch.tensor([[0.4], [-3.0]]))
    tensor([0.0000, 6.2500])
    """

    name: ClassVar[str] = "squared_epsilon_insensitive"

    @property
    def bound(self) -> float:
        """The second derivative where there is one that is not 0."""
        return 2.0

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, shape (n,)."""
        return self.beyond(eta, y).square().sum(dim=1)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Derivative of `value` by `eta`, shape (n, k)."""
        return -2.0 * self.beyond(eta, y)

    def curvature(self, eta: Tensor, y: Tensor) -> Tensor:
        """Second derivative of `value` by `eta`, shape (n, k); at the corners that of the outside."""
        return 2.0 * ((y - eta).abs() >= self.epsilon).to(eta.dtype)

    def expected(self, eta: Tensor, y: Tensor) -> Tensor:
        """What Newton's step takes for the curvature where that is 0, shape (n, k), above 0."""
        return self.curvature(eta, y).clamp(min=2.0 * SHARE)
