"""Constraints as penalties: 0 where coefficients are allowed, infinity elsewhere.

    P(beta) = 0 where low_j <= beta_j <= high_j for all columns j and outputs, else infinity.

So ``penalty + constraint`` is a penalty again; its prox is that of the penalty, moved to the nearest bound where it
lies beyond it (each coefficient has a convex function of its own).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.penalties.base import Penalty
from torchlinear.penalties.separable import Separable

__all__ = ["Constrained", "Constraint"]


class Constraint(Separable):
    """Bounds of coefficients, in the user's units."""

    smooth: ClassVar[bool] = False
    has_strength: ClassVar[bool] = False
    standardize: ClassVar[bool] = False  # type: ignore[misc]

    @abstractmethod
    def lower(self, n_features: int) -> Tensor:
        """Least values, shape (p,), float64; minus infinity where there is none."""

    @abstractmethod
    def upper(self, n_features: int) -> Tensor:
        """Largest values, shape (p,), float64; infinity where there is none."""

    def __add__(self, other: Penalty) -> Constrained:
        return Constrained.of(other, self)

    def __radd__(self, other: Penalty) -> Constrained:
        return Constrained.of(other, self)

    def shares(self) -> tuple[float, float]:
        """Strengths: none."""
        return 0.0, 0.0

    def weights(self, n_features: int) -> Tensor:
        """Column weights, which say nothing here: ones, shape (p,), float64."""
        return torch.ones(n_features, dtype=torch.float64, device="cpu")

    def with_alpha(self, alpha: float) -> Constraint:
        """Itself: bounds have no strength."""
        return self

    def value(self, beta: Tensor) -> Tensor:
        """P(beta), a scalar."""
        inside = bool((_clipped(self, beta) == beta).all())
        return beta.new_tensor(0.0 if inside else math.inf)

    def prox(self, beta: Tensor, step: Tensor) -> Tensor:
        """The nearest coefficients within the bounds, shape (p, k)."""
        return _clipped(self, beta)


@dataclass(frozen=True, slots=True)
class Constrained(Separable):
    """The sum of a penalty and a constraint.

    Parameters
    ----------
    penalty : Separable
        What coefficients cost.
    constraint : Constraint
        Where they may be.
    """

    penalty: Separable
    constraint: Constraint
    name: ClassVar[str] = "constrained"
    smooth: ClassVar[bool] = False

    @classmethod
    def of(cls, penalty: object, constraint: Constraint) -> Constrained:
        """The sum; `InvalidInput` of what has none."""
        if not isinstance(penalty, Separable) or isinstance(penalty, (Constraint, Constrained)):
            raise InvalidInput(
                f"{constraint} can be added to L1, L2 and L1L2, not to {penalty}; one Box takes the bounds of all "
                "columns."
            )
        return cls(penalty, constraint)

    @property
    def alpha(self) -> float:  # type: ignore[override]
        """Strength of the penalty."""
        return self.penalty.alpha

    @property
    def standardize(self) -> bool:  # type: ignore[override]
        """Whether the penalty is one of standardised columns; bounds are in the user's units."""
        return self.penalty.standardize

    def __str__(self) -> str:
        return f"{self.penalty} + {self.constraint}"

    def shares(self) -> tuple[float, float]:
        """Strengths of the absolute values and of the squares."""
        return self.penalty.shares()

    def with_alpha(self, alpha: float) -> Constrained:
        """The same sum with the penalty at another strength."""
        return Constrained(self.penalty.with_alpha(alpha), self.constraint)

    def in_units(self, deviation: Tensor) -> Constrained:
        """The sum in the user's units, for columns with these standard deviations, shape (p,)."""
        return Constrained(self.penalty.in_units(deviation), self.constraint)

    def lasso(self, n_features: int) -> Tensor:
        """Strengths of the absolute values, shape (p,), float64."""
        return self.penalty.lasso(n_features)

    def ridge(self, n_features: int) -> Tensor:
        """Strengths of the squares, shape (p,), float64."""
        return self.penalty.ridge(n_features)

    def lower(self, n_features: int) -> Tensor:
        """Least values, shape (p,), float64."""
        return self.constraint.lower(n_features)

    def upper(self, n_features: int) -> Tensor:
        """Largest values, shape (p,), float64."""
        return self.constraint.upper(n_features)

    def value(self, beta: Tensor) -> Tensor:
        """P(beta), a scalar."""
        return self.penalty.value(beta) + self.constraint.value(beta)

    def prox(self, beta: Tensor, step: Tensor) -> Tensor:
        """``argmin_b (b - beta)^2 / (2 step) + lasso |b|`` within the bounds, shape (p, k)."""
        return _clipped(self, self.penalty.prox(beta, step))


def _clipped(bounds: Separable, beta: Tensor) -> Tensor:
    """The nearest coefficients within the bounds, shape (p, k)."""
    p = beta.shape[0]
    return beta.clamp(bounds.lower(p).to(beta)[:, None], bounds.upper(p).to(beta)[:, None])
