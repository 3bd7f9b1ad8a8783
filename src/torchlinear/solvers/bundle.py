"""What Newton-CG and L-BFGS ask of a smooth objective; of one, or of m on the same rows at once.

Coefficients have the shape (m, p + 1, k), in the user's units. Slopes and directions are those *about the mean*
of the features, eta = (x - mean)' beta + b, where the intercept does not mix with the rest.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchlinear.block import Block
from torchlinear.errors import InvalidInput
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.rows import sample
from torchlinear.solvers.base import State
from torchlinear.solvers.metric import Inverse, Metric
from torchlinear.summed import SummedObjective

__all__ = [
    "Bundle",
    "Point",
    "Single",
    "bundle_of",
    "coupling",
    "remembered",
    "smooth_refusal",
    "whole_numbers",
]

WHITENED_FEATURES = 4_096  # up to which p x p moments and their eigenvectors are worth their p^3
ACCURATE = 1e-12  # certificate at which there is nothing left to gain
SAMPLE_ROWS, SAMPLE_LEAST = 4_000, 20  # rows that A is taken from, dense: it only shapes the metric
SAMPLE_NUMBERS = 16_000_000  # at most, 128 MB


@dataclass(frozen=True, slots=True)
class Point:
    """The objective at some coefficients.

    Attributes
    ----------
    value : Tensor, shape (m,)
        F.
    slope : Tensor, shape (m, p + 1, k)
        Its derivative about the mean.
    """

    value: Tensor
    slope: Tensor

    def of(self, which: Tensor) -> Point:
        """That of some of the problems."""
        return Point(self.value[which], self.slope[which])


class Bundle(ABC):
    """m smooth objectives on the same rows.

    Attributes
    ----------
    alpha : Tensor, shape (m,)
        Strengths of their penalties ``alpha / 2 sum c_j beta_j^2``.
    intercept : bool
        Whether the last coefficient is free.
    few : Block
        Some of the rows.
    metric : Metric
        Of all rows.
    loss : Loss
        What a row costs.
    precision : float
        Relative error of `product`.
    enough : float
        How far above the optimum a problem may end, relative to F.
    """

    alpha: Tensor
    intercept: bool
    few: Block
    metric: Metric
    loss: Loss
    precision: float = 1e-10
    enough: float = 0.0

    @abstractmethod
    def at(self, coef: Tensor, which: Tensor) -> Point:
        """Value and slope of the problems `which`, shape (a,), at `coef`, shape (a, p + 1, k); one pass."""

    @abstractmethod
    def product(self, coef: Tensor, direction: Tensor, which: Tensor) -> Tensor:
        """Hessians at `coef` times `direction`, both shape (a, p + 1, k), the latter about the mean; one pass."""

    def remaining(self, point: Point, which: Tensor, inverse: Inverse, estimate: Tensor) -> Tensor:
        """What is left above the optimum at a point, shape (a,): a bound where one is known, else `estimate`."""
        return estimate

    @abstractmethod
    def accurate(self, coef: Tensor) -> bool:
        """Whether `coef`, shape (m, p + 1, k), is as near to the optimum as is worth going."""

    def stacked(self, coef: Tensor) -> Tensor:
        """Coefficients of a state, with the problems in front."""
        return coef

    def unstacked(self, coef: Tensor) -> Tensor:
        """Coefficients as a state has them."""
        return coef

    def users(self, direction: Tensor) -> Tensor:
        """A direction about the mean in the user's units, shape (m, p + 1, k)."""
        last = direction[:, -1:] - self.metric.mean @ direction[:, :-1].flatten(2)[:, None]
        return torch.cat([direction[:, :-1], last if self.intercept else torch.zeros_like(last)], dim=1)


class Single(Bundle):
    """A `SummedObjective` as a bundle of one."""

    def stacked(self, coef: Tensor) -> Tensor:
        """Coefficients of a state, with the problem in front."""
        return coef[None]

    def unstacked(self, coef: Tensor) -> Tensor:
        """Coefficients as a state has them."""
        return coef[0]

    def __init__(self, objective: SummedObjective, metric: Metric, few: Block) -> None:
        self.objective, self.metric, self.few = objective, metric, few
        self.loss, self.intercept = objective.loss, objective.intercept
        self.alpha = torch.ones(1, dtype=torch.float64, device="cpu")
        p = objective.n_features
        strength = torch.from_numpy(objective.ridge(1.0)) if objective.penalty is not None else torch.zeros(p)
        self.strength = strength.double()[:, None]
        self.precision = objective.product_error

    @classmethod
    def of(cls, objective: SummedObjective) -> Single:
        """Take the moments of the rows and some of them: one pass each."""
        most = max(SAMPLE_LEAST, min(SAMPLE_ROWS, SAMPLE_NUMBERS // objective.n_features))
        X, y, _ = sample(objective.rows, most)
        few = Block(torch.from_numpy(X), torch.from_numpy(y))
        spread, p = objective.spread, objective.n_features
        mean = torch.from_numpy(spread.mean[:p].copy()) if objective.intercept else torch.zeros(p).double()
        if p > WHITENED_FEATURES:
            second = torch.from_numpy(spread.squares[:p] / spread.weight)
            second = second if objective.intercept else second + torch.from_numpy(spread.mean[:p]).square()
        else:
            second = _second(objective)
        strength = torch.from_numpy(objective.ridge(1.0))
        level = 1.0 / max(
            float(coupling(objective.loss, few, objective.start[None]).diagonal(0, 1, 2).mean()), 1e-30
        )
        return cls(objective, Metric.of(mean, second, strength, level), few)

    def at(self, coef: Tensor, which: Tensor) -> Point:
        """Value and slope."""
        objective, mean = self.objective, self.metric.mean
        pull = torch.from_numpy(objective.at(coef[0]).pull.copy())
        pull[:-1] += (torch.from_numpy(objective.centre) - mean)[:, None] * pull[-1]
        pull /= objective.weight
        if objective.penalty is not None:
            pull[:-1] += objective.penalty.gradient(coef[0, :-1])
        if not self.intercept:
            pull[-1] = 0.0
        return Point(torch.tensor([objective.value(coef[0])], dtype=torch.float64), pull[None])

    def product(self, coef: Tensor, direction: Tensor, which: Tensor) -> Tensor:
        """Hessian times direction."""
        objective, along = self.objective, self.users(direction)[0]
        total = objective.product(coef[0], along)
        total[:-1] += (torch.from_numpy(objective.centre) - self.metric.mean)[:, None] * total[-1]
        if not self.intercept:
            total[-1] = 0.0
        total[:-1] += self.strength * direction[0, :-1]
        return total[None]

    def accurate(self, coef: Tensor) -> bool:
        """Whether the certificate is near rounding."""
        return self.objective.certificate(coef[0]) <= ACCURATE


def remembered(problem: Any, coef: Tensor) -> State:
    """State before the first step, with the metric in its memory."""
    if isinstance(problem, Bundle):
        bundle = problem
    else:
        bundle = Single.of(problem)
        if not math.isfinite(problem.value(coef)):
            coef = problem.first_step()
    metric, m = bundle.metric, len(bundle.alpha)
    memory = {name: getattr(metric, name) for name in ("mean", "basis", "share", "rest")}
    memory |= {"few_X": bundle.few.X, "few_y": bundle.few.y}
    memory["left"] = torch.full((m,), math.inf, dtype=torch.float64, device=coef.device)
    memory["value"] = torch.zeros(m, dtype=torch.float64, device=coef.device)
    memory["seen"] = torch.ones(m, dtype=torch.bool, device=coef.device)
    return State(coef.double(), memory=memory)


def bundle_of(problem: Any, state: State) -> Bundle:
    """The problem of a state as a bundle."""
    if isinstance(problem, Bundle):
        return problem
    kept = state.memory
    metric = Metric(kept["mean"], kept["basis"], kept["share"], kept["rest"])
    return Single(problem, metric, Block(kept["few_X"], kept["few_y"]))


def smooth_refusal(name: str, objective: Objective) -> str | None:
    """Why a solver of smooth objectives, summed over rows, cannot minimise this one; None when it can."""
    if isinstance(objective, Bundle):
        return None
    if not isinstance(objective, SummedObjective):
        return (
            f"{name} is for losses that are not quadratic; use solver='auto', which solves this one directly."
        )
    if not objective.smooth:
        pair = " with ".join(str(part) for part in (objective.loss.name, objective.asked) if part is not None)
        return f"{name} needs a smooth loss and penalty, not {pair}; use solver='auto'."
    return None


def whole_numbers(options: Any, *names: str) -> None:
    """Refuse options that are not whole numbers above 0."""
    for name in names:
        value = getattr(options, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            called = f"{type(options).__name__}.{name}"
            raise InvalidInput(f"{called} takes a whole number of at least 1, got {value!r}.")


def coupling(loss: Loss, few: Block, coef: Tensor) -> Tensor:
    """A of each problem, shape (m, k, k): the mean second derivative of some rows at `coef`, shape (m, p + 1, k)."""
    m, _, k = coef.shape
    eta = few.predict(coef.permute(1, 0, 2).flatten(1))
    return torch.stack([_mean_curvature(loss, eta[:, i * k : (i + 1) * k], few.y) for i in range(m)])


def _mean_curvature(loss: Loss, eta: Tensor, y: Tensor) -> Tensor:
    if loss.separable:
        return torch.diag(loss.expected(eta, y).mean(dim=0))
    mean = loss.mean(eta)
    return torch.diag(mean.mean(dim=0)) - mean.T @ mean / len(mean)


def _second(objective: SummedObjective) -> Tensor:
    p = objective.n_features
    moments = objective.loaded.sum(Block.moments, objective.shift)
    second = moments.cross.high[:p, :p] / moments.weight
    if not objective.intercept:
        second = second + np.outer(moments.mean.high[:p], moments.mean.high[:p])
    return torch.from_numpy(np.ascontiguousarray(second))
