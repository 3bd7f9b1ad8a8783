"""The objective of a loss that is piecewise linear, and its certificate, the relative duality gap."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.penalties.separable import Separable
from torchlinear.pinball.sifting import Target, least
from torchlinear.summed import SummedObjective

__all__ = ["LinearProgram", "PinballObjective"]

Array = NDArray[np.float64]

MOST = 8_000  # columns, whose equations are solved: half a gigabyte
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class LinearProgram:
    """The optimum of a pinball objective.

    Attributes
    ----------
    coef : Tensor, shape (p + 1, k)
        Coefficients, the intercept last (0 without one).
    bound : float
        What the objective cannot be below.
    """

    coef: Tensor
    bound: float


class PinballObjective(SummedObjective):
    """An objective of quantile or absolute loss, with or without an L1 penalty.

    The first call of `certificate` solves the linear programme, whose dual bounds the objective from below.
    """

    @property
    def refusal(self) -> str | None:
        """Why there is no linear programme for this objective; None when there is."""
        if self.n_features > MOST:
            return f"{self.loss.name} loss takes up to {MOST:,} columns, not {self.n_features:,}; use loss='huber'."
        if self.penalty is None:
            return None
        use = "use penalty='l1', 'l2', 'elastic_net' or none, or loss='huber'"
        if self.bounded:
            return f"{self.loss.name} loss takes no bounds, got {self.penalty}; {use}."
        if isinstance(self.penalty, Separable) and not self.penalty.ridge(self.n_features).any():
            return None
        return f"{self.loss.name} loss with {self.penalty} is no linear or quadratic programme; {use}."

    @property
    def programme(self) -> str:
        """What kind of problem this is, in words."""
        return f"{self.loss.name} loss is a linear programme"

    @cached_property
    def optimum(self) -> LinearProgram:
        """The optimum, each target by itself; a few passes, kept."""
        p, coef, bound = self.n_features, [], 0.0
        strengths, centre = np.zeros(p), self.centre if self.intercept else np.zeros(p)
        if isinstance(self.penalty, Separable):
            strengths = np.asarray(self.penalty.lasso(p).numpy(), dtype=np.float64)
        for column in range(self.n_outputs):
            target = Target(column, self.loss.slopes, strengths, self.intercept, centre)  # type: ignore[attr-defined]
            found, below = least(self.loaded, target, self.spread.rows)
            coef.append(torch.from_numpy(found))
            bound += below
        return LinearProgram(torch.stack(coef, dim=1), bound / self.weight)

    def certificate(self, coef: Tensor) -> float:
        """Relative duality gap at `coef`, above what rounding makes of it: 0 at the optimum, at most 1."""
        with np.errstate(invalid="ignore", over="ignore"):  # coefficients may have grown beyond all bounds
            value = self.value(coef)
        if not np.isfinite(value):
            return float("inf")
        rounded = (
            16 * EPS * float((self._sizes * np.vstack([coef.abs().numpy(), np.ones(self.n_outputs)])).sum())
        )
        excess = max(value - self.optimum.bound - rounded, 0.0)
        return excess / value if excess > 0.0 else 0.0

    @cached_property
    def _sizes(self) -> Array:
        """Root mean squares of the features, 1, and those of each target: what residuals are rounded by; (p + 2, k)."""
        squares = self.spread.squares / self.weight + np.square(self.spread.mean)
        p, sizes = self.n_features, np.sqrt(squares)
        of_features = np.append(sizes[:p], 1.0)[:, None]
        return np.vstack([np.repeat(of_features, self.n_outputs, axis=1), sizes[None, p:]])
