"""Penalties that are sums over columns of an absolute value and a square.

    P(beta) = sum_j lasso_j |beta_j| + ridge_j / 2 beta_j^2,     over all outputs,

with strengths that L1, L2 and ElasticNet make of their `alpha` and `column_weights` c:

              lasso_j           ridge_j
    L1        alpha c_j
    L2                          alpha c_j
    elastic   mix alpha c_j     (1 - mix) alpha c_j

and, with `standardize`, of c_j s_j in place of c_j in the first column and c_j s_j^2 in the second, where s_j is the
standard deviation of column j (1/n, about its mean).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.penalties.base import Penalty, checked_strengths

__all__ = ["InUnits", "Separable"]


class Separable(Penalty):
    """A penalty with one strength for the absolute values and one for the squares of each column."""

    alpha: float
    column_weights: Sequence[float] | None

    @abstractmethod
    def shares(self) -> tuple[float, float]:
        """Strengths of the absolute values and of the squares of a column of weight 1."""

    @abstractmethod
    def with_alpha(self, alpha: float) -> Separable:
        """The same penalty at another strength."""

    def lasso(self, n_features: int) -> Tensor:
        """Strengths of the absolute values, shape (p,), float64."""
        return self.shares()[0] * self.weights(n_features)

    def ridge(self, n_features: int) -> Tensor:
        """Strengths of the squares, shape (p,), float64."""
        return self.shares()[1] * self.weights(n_features)

    def lower(self, n_features: int) -> Tensor:
        """Least values that coefficients may have, shape (p,), float64."""
        return torch.full((n_features,), -math.inf, dtype=torch.float64, device="cpu")

    def upper(self, n_features: int) -> Tensor:
        """Largest values that coefficients may have, shape (p,), float64."""
        return torch.full((n_features,), math.inf, dtype=torch.float64, device="cpu")

    def value(self, beta: Tensor) -> Tensor:
        """P(beta), a scalar."""
        squares = 0.5 * (self.curvature(beta) * beta.square()).sum()
        return squares if self.smooth else squares + (_column(self.lasso, beta) * beta.abs()).sum()

    def gradient(self, beta: Tensor) -> Tensor:
        """Derivative of the squares, shape (p, k)."""
        return self.curvature(beta) * beta

    def curvature(self, beta: Tensor) -> Tensor:
        """Strengths of the squares as a diagonal, shape (p, k)."""
        return _column(self.ridge, beta).expand(beta.shape)

    def prox(self, beta: Tensor, step: Tensor) -> Tensor:
        """``argmin_b (b - beta)^2 / (2 step) + lasso |b|``, shape (p, k): soft thresholding."""
        if self.smooth:
            return beta
        return torch.copysign((beta.abs() - step * _column(self.lasso, beta)).clamp(min=0.0), beta)

    def steepest(self, slope: Tensor, beta: Tensor) -> Tensor:
        """The smallest of ``slope`` plus the subgradients of what is not smooth, shape (p, k)."""
        lasso = _column(self.lasso, beta)
        low = slope + torch.where(beta > 0, lasso, -lasso)
        high = slope + torch.where(beta < 0, -lasso, lasso)
        low = torch.where(beta <= _column(self.lower, beta), -math.inf, low)
        high = torch.where(beta >= _column(self.upper, beta), math.inf, high)
        return low.clamp(min=0.0) + high.clamp(max=0.0)

    def in_units(self, deviation: Tensor) -> Separable:
        """The penalty in the user's units, for columns with these standard deviations, shape (p,)."""
        if not self.standardize:
            return self
        return InUnits(self, deviation.double().cpu())

    def weights(self, n_features: int) -> Tensor:
        """Column weights, shape (p,), float64; `InvalidInput` when their number is not p."""
        if self.column_weights is None:
            return torch.ones(n_features, dtype=torch.float64, device="cpu")
        if len(self.column_weights) != n_features:
            raise InvalidInput(
                f"{type(self).__name__}.column_weights has {len(self.column_weights)} entries for {n_features} "
                "columns; give one for each column of the design (dummies count singly)."
            )
        return torch.as_tensor(self.column_weights, dtype=torch.float64, device="cpu")

    def _check(self) -> None:
        """Make a tuple of the weights, which compares and prints; refuse strengths that are none."""
        values = checked_strengths(self.alpha, self.column_weights)
        if values is None:
            raise InvalidInput(
                f"{type(self).__name__} takes a finite alpha and column_weights of at least 0, got "
                f"alpha={self.alpha!r}, column_weights={self.column_weights!r}."
            )
        if self.column_weights is not None:  # arrays and tensors too
            object.__setattr__(self, "column_weights", values[1:])

    def _text(self, options: str) -> str:
        """The penalty as summaries print it."""
        weighted = "" if self.column_weights is None else ", with column weights"
        standardized = ", of standardised columns" if self.standardize else ""
        return f"{type(self).__name__}({options}){weighted}{standardized}"


@dataclass(frozen=True, slots=True, eq=False)
class InUnits(Separable):
    """A penalty of standardised columns as one of the user's units.

    Parameters
    ----------
    asked : Separable
        What the user asked for.
    deviation : Tensor, shape (p,), float64
        Standard deviations of the columns.
    """

    asked: Separable
    deviation: Tensor
    name: ClassVar[str] = "in_units"
    standardize: bool = False

    @property
    def smooth(self) -> bool:  # type: ignore[override]
        """As the penalty that was asked for."""
        return self.asked.smooth

    def shares(self) -> tuple[float, float]:
        """Strengths of a column of weight 1 and deviation 1."""
        return self.asked.shares()

    def with_alpha(self, alpha: float) -> InUnits:
        """The same penalty at another strength."""
        return InUnits(self.asked.with_alpha(alpha), self.deviation)

    def lasso(self, n_features: int) -> Tensor:
        """Strengths of the absolute values, shape (p,), float64."""
        return self.asked.lasso(n_features) * self.deviation

    def ridge(self, n_features: int) -> Tensor:
        """Strengths of the squares, shape (p,), float64."""
        return self.asked.ridge(n_features) * self.deviation.square()

    def __str__(self) -> str:
        return str(self.asked)


def _column(strengths: object, beta: Tensor) -> Tensor:
    """Strengths for the p rows of beta, shape (p, 1), of its dtype and on its device."""
    return strengths(beta.shape[0]).to(beta).unsqueeze(1)  # type: ignore[operator, no-any-return]
