"""What a penalty is: a function of the coefficients, never of the intercept.

A penalty is the sum of a smooth part, which `gradient` and `curvature` differentiate, and of one that is not,
which solvers meet through `prox`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import Tensor

__all__ = ["Penalty", "checked_strengths"]


class Penalty(ABC):
    """A penalty P(beta) on the coefficients beta, shape (p, k), in the user's units.

    With `standardize`, P is a function of beta times the standard deviations (1/n) of the columns; `in_units`
    gives the same penalty as a function of beta, and is what an objective holds.
    """

    name: ClassVar[str]
    smooth: ClassVar[bool] = True
    has_strength: ClassVar[bool] = True
    standardize: bool

    @abstractmethod
    def value(self, beta: Tensor) -> Tensor:
        """P(beta), a scalar."""

    @abstractmethod
    def gradient(self, beta: Tensor) -> Tensor:
        """Derivative of the smooth part, shape (p, k)."""

    @abstractmethod
    def curvature(self, beta: Tensor) -> Tensor:
        """Diagonal of the second derivative of the smooth part, shape (p, k)."""

    @abstractmethod
    def in_units(self, deviation: Tensor) -> Penalty:
        """The penalty in the user's units, for columns with these standard deviations, shape (p,)."""

    def prox(self, beta: Tensor, step: Tensor) -> Tensor:
        """``argmin_b (b - beta)^2 / (2 step) + (what is not smooth)(b)``, shape (p, k); `step` broadcasts."""
        return beta

    def steepest(self, slope: Tensor, beta: Tensor) -> Tensor:
        """The smallest of ``slope`` plus the subgradients of what is not smooth, shape (p, k): 0 at an optimum.

        `slope` is that of the loss and of the smooth part, shape (p, k).
        """
        return slope


def checked_strengths(alpha: Any, weights: Any = None) -> tuple[float, ...] | None:
    """A strength and the relative ones after it as finite numbers of at least 0; None where they are not."""
    try:
        found = tuple(float(each) for each in (alpha, *(() if weights is None else weights)))
    except (TypeError, ValueError):
        return None
    return found if not isinstance(alpha, str) and all(0.0 <= each < math.inf for each in found) else None
