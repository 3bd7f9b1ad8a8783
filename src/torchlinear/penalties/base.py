"""What a penalty is: a function of the coefficients, never of the intercept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

__all__ = ["Penalty"]


class Penalty(ABC):
    """A penalty P(beta) on the coefficients beta, shape (p, k), in the user's units."""

    name: ClassVar[str]

    @abstractmethod
    def value(self, beta: Tensor) -> Tensor:
        """P(beta), a scalar."""

    @abstractmethod
    def gradient(self, beta: Tensor) -> Tensor:
        """Derivative of `value`, shape (p, k)."""

    @abstractmethod
    def curvature(self, beta: Tensor) -> Tensor:
        """Diagonal of the second derivative, shape (p, k)."""
