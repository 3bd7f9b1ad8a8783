"""How a descent meets the rows of its objective: the protocol, and mini-batches of any rows and any smooth loss."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block, taken
from torchlinear.kernels import descent
from torchlinear.kernels.descent import Epochs, Part, Rule, Shuffled, Walk
from torchlinear.rows import Rows, TensorRows
from torchlinear.solvers.descent_batches import View, descend, shuffle
from torchlinear.solvers.frame import Frame, Spectrum
from torchlinear.sparse import SparseRows

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["DIVERGED", "Smooth", "Way", "picks"]

Array = NDArray[np.float64]

DIVERGED = np.errstate(over="ignore", invalid="ignore")  # coefficients may have grown beyond all bounds


def picks(rows: Rows) -> bool:
    """Whether rows can be picked in any order."""
    return isinstance(rows, (TensorRows, SparseRows))


@dataclass(frozen=True, slots=True)
class Smooth:
    """The smooth part of an objective at a point.

    Attributes
    ----------
    value : float
        Its value.
    slope : Tensor, shape (p + 1, k)
        Its derivative by coefficients about the frame's centre, in the user's units.
    """

    value: float
    slope: Tensor


@dataclass(frozen=True)
class Way(ABC):
    """An objective as a descent sees it.

    Attributes
    ----------
    objective : Objective
        What is minimised.
    frame : Frame
        The units.
    size : int or None
        Rows of a batch; None for all.
    worth : array, shape (k,)
        What the objective of each output is multiplied by in these units.
    """

    objective: Objective
    frame: Frame
    size: int | None
    worth: Array

    @property
    @abstractmethod
    def strength(self) -> Array:
        """The penalty's squares ``1/2 sum strength_j beta_j^2``, shape (p,)."""

    @property
    @abstractmethod
    def lasso(self) -> Array:
        """The penalty's absolute values ``sum lasso_j |beta_j|``, shape (p,)."""

    @property
    @abstractmethod
    def epoch_seconds(self) -> float:
        """About how long an epoch of `epochs` takes."""

    @property
    def batch_seconds(self) -> float:
        """About how long a batch of `part` takes; measured for compiled loops."""
        numbers, size = self.objective.n_features * self.objective.n_outputs, self.size or 1
        compiled = size * (6e-8 + 2e-9 * numbers * (1.0 + 4.0 / size))
        return compiled if self.view is not None else 2e-4 + 3.0 * compiled

    @property
    @abstractmethod
    def view(self) -> View | None:
        """The rows as a compiled loop takes them; None when it does not."""

    @abstractmethod
    def spectrum(self) -> Spectrum:
        """Curvatures of the objective on all rows."""

    @property
    @abstractmethod
    def steepest(self) -> float:
        """The largest curvature of a single row."""

    @property
    def prices(self) -> Array:
        """What the absolute value of each of theta costs; empty where there is no such penalty."""
        strength, p = self.lasso, self.objective.n_features
        if not strength.any():
            return np.empty(0)
        prices = self.frame.prices(strength)
        prices[: -1 * self.worth.size] *= np.repeat(self.worth, p)
        return prices

    def value(self, theta: Array) -> float:
        """The objective at theta."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.objective.value(self.frame.coef(theta))

    @abstractmethod
    def slope(self, theta: Array) -> Array:
        """The slope of the objective's smooth part at theta."""

    @abstractmethod
    def smooth(self, coef: Tensor) -> Smooth:
        """The smooth part at coefficients in the user's units, shape (p + 1, k)."""

    @abstractmethod
    def epochs(self, rule: Rule, walk: Walk, rates: Array) -> Epochs:
        """Epochs of all rows, with learning rates (epochs, 1)."""

    def part(
        self, rule: Rule, walk: Walk, rates: Array, order: Tensor, first: int, last: int, total: float
    ) -> Part:
        """Go on over ``order[first:last]``, batch by batch; both are batch boundaries."""
        view = self.view
        if view is not None:
            return descend(view, rule, walk, rates, order, first, last, total)
        assert self.size is not None
        for start in range(first, last, self.size):
            picked = order[start : min(start + self.size, len(order))]
            coef = self.frame.coef(walk.theta)
            value, slope = self._batch(picked, coef)
            total += value * len(picked)
            walk = descent.follow(rule, walk, slope[None], rates[None])
            if not (math.isfinite(value) and np.isfinite(walk.theta).all()):
                return Part(walk, start + len(picked), total)
        return Part(walk, last, total)

    def shuffled(self, rule: Rule, walk: Walk, rates: Array, order: Tensor) -> Shuffled:
        """Go on over epochs, whose rows `order` holds one after another; for a compiled `view` alone."""
        assert self.view is not None
        return shuffle(self.view, rule, walk, rates, order)

    @DIVERGED
    def _batch(self, picked: Tensor, coef: Tensor) -> tuple[float, Array]:
        """The objective of some of the rows, and its slope by theta."""
        block, objective = self._picked(picked).counted(), self.objective
        value, gradient = objective.loss.value_gradient(block.predict(coef), block.y)
        if block.weight is not None:
            value, gradient = block.weight * value, block.weight[:, None] * gradient
        pull = block.pull(gradient).cpu().numpy() / len(picked)
        pull[:-1] -= self.frame.centre[:, None] * pull[-1]
        cost, penalty = float(value.sum()) / len(picked), objective.penalty
        if penalty is not None:
            pull[:-1] += penalty.gradient(coef[:-1]).numpy()
            cost += float(penalty.value(coef[:-1]))
        return cost, self.frame.slope(pull[:-1] * self.worth, pull[-1] * self.worth)

    def _picked(self, numbers: Tensor) -> Block:
        """Some of the rows, with weights of mean 1 over all."""
        rows = self.objective.rows
        assert isinstance(rows, (TensorRows, SparseRows))
        at = numbers.long().to(rows.X.device)
        weight = None
        if rows.weight is not None:
            weight = rows.weight[at].double() / rows.weight.double().mean()
        low = rows.low if isinstance(rows, TensorRows) else None
        return Block(
            taken(rows.X, at),
            rows.y[at],
            weight,
            None if low is None else low[at],
            None if rows.offset is None else rows.offset[at],
        )
