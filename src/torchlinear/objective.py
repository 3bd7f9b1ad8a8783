"""Objective = loss + penalty over rows: what a solver minimises.

    F(b) = (1 / W) sum_i w_i l(eta_i, y_i) + P(beta),     eta = X beta + b0,     W = sum_i w_i

There are two. A quadratic loss needs the rows once and is answered from their second moments afterwards
(`quadratic`); any other loss is summed over the rows at each point that a solver asks for (`summed`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.engines.base import Loaded
from torchlinear.errors import DataError
from torchlinear.losses.base import Loss
from torchlinear.penalties.base import Penalty
from torchlinear.penalties.separable import Separable
from torchlinear.rows import Rows

__all__ = ["Objective"]

Array = NDArray[np.float64]

ROUNDING = 1e-15  # relative: a step to a bound ends there or beside it


class Objective(ABC):
    """The function that a solver minimises.

    Parameters
    ----------
    loss : Loss
        What a row costs.
    penalty : Penalty or None
        What coefficients cost.
    loaded : Loaded
        The rows, ready to be summed over.
    intercept : bool
        Whether the last coefficient is free; otherwise it stays 0.
    """

    def __init__(
        self, loss: Loss, penalty: Penalty | None, loaded: Loaded, *, intercept: bool = True
    ) -> None:
        self.loss, self.asked, self.loaded, self.intercept = loss, penalty, loaded, intercept

    @property
    def rows(self) -> Rows:
        """The rows that the objective sums over."""
        return self.loaded.rows

    @cached_property
    def penalty(self) -> Penalty | None:
        """The penalty, in the user's units; standard deviations that it needs take a pass over the rows."""
        if self.asked is None or not self.asked.standardize:
            return self.asked
        return self.asked.in_units(self.deviation)

    @property
    def smooth(self) -> bool:
        """Whether loss and penalty are differentiable."""
        return self.loss.smooth and (self.asked is None or self.asked.smooth)

    @cached_property
    def deviation(self) -> Tensor:
        """Standard deviations of the features (1/n), shape (p,), float64."""
        spread = self.loaded.sum(Block.spread, self.shift)
        return torch.from_numpy(np.sqrt(spread.squares[: self.n_features] / (spread.weight or 1.0)))

    @property
    def n_features(self) -> int:
        """p."""
        return self.rows.n_features

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """k, the columns of the coefficients."""

    @property
    def start(self) -> Tensor:
        """Where solvers start, shape (p + 1, k)."""
        return torch.zeros(self.n_features + 1, self.n_outputs, dtype=torch.float64, device="cpu")

    @abstractmethod
    def value(self, coef: Tensor) -> float:
        """F at `coef`, shape (p + 1, k)."""

    @abstractmethod
    def certificate(self, coef: Tensor) -> float:
        """How far `coef` is from the optimum, in standardised units: 0 at the optimum, about 1 at the origin."""

    @cached_property
    def shift(self) -> Array:
        """A point near the rows about which they are summed, shape (p + targets,)."""
        first = self.loaded.first()
        if first is None:
            raise DataError("there are no rows to fit.")
        return first.shift()

    def ridge(self, weight: float) -> Array:
        """What the penalty adds to the diagonal of the features' cross products, shape (p,)."""
        if self.penalty is None:
            return np.zeros(self.n_features)
        origin = torch.zeros(self.n_features, 1, dtype=torch.float64, device="cpu")
        return np.asarray(self.penalty.curvature(origin)[:, 0].numpy() * (weight / 2.0))

    def lasso(self, weight: float) -> Array:
        """Strengths of the penalty's absolute values, shape (p,), against half the sum of squared errors."""
        if not isinstance(self.penalty, Separable):
            return np.zeros(self.n_features)
        return np.asarray(self.penalty.lasso(self.n_features).numpy() * (weight / 2.0))

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        """Least and largest values of the coefficients, infinite where there are none, each of shape (p,)."""
        p = self.n_features
        if not isinstance(self.asked, Separable):
            return np.full(p, -np.inf), np.full(p, np.inf)
        return self.asked.lower(p).numpy(), self.asked.upper(p).numpy()

    @property
    def bounded(self) -> bool:
        """Whether any coefficient has a bound."""
        return bool((np.isfinite(self.bounds[0]) | np.isfinite(self.bounds[1])).any())

    def within(self, coef: Tensor) -> Tensor:
        """The nearest coefficients within the bounds, shape (p + 1, k); as near to one as rounding is at it."""
        low, high = (torch.from_numpy(bound)[:, None] for bound in self.bounds)
        if not self.bounded:
            return coef
        beta = coef[:-1]
        for bound in (low, high):
            near = torch.isfinite(bound) & ((beta - bound).abs() <= ROUNDING * bound.abs())
            beta = torch.where(near, bound, beta)
        return torch.cat([beta.clamp(low, high), coef[-1:]])

    def refuse_nonfinite(self) -> None:
        """Raise the error that counts the values which are NaN or inf, by column."""
        counts = self.loaded.sum(Block.nonfinite).tolist()
        named = zip((*self.rows.names, *self.rows.targets), counts)
        listed = ", ".join(f"{name}: {count}" for name, count in named if count)
        raise DataError(
            f"values are NaN or inf ({listed or 'sums overflow float64'}); drop those rows or fill them in first."
        )
