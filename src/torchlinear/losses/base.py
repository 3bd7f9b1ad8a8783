"""What a loss is: a function of the linear predictor and the target, row by row."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

__all__ = ["Loss"]


class Loss(ABC):
    """A loss in link space, for a linear predictor ``eta`` and a target ``y``, both (n, k).

    The objective of a fit is the weighted mean over rows of `value`, plus the penalty.
    """

    name: ClassVar[str]
    quadratic: ClassVar[bool] = False

    @abstractmethod
    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, shape (n,)."""

    @abstractmethod
    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Derivative of `value` by `eta`, shape (n, k)."""
