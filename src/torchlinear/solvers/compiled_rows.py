"""The problems of `Compiled`: a loss of one affine map on rows in memory, as kernels take it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.kernels import criteria, descent
from torchlinear.kernels.criteria import Criterion, Minibatches, Tiles
from torchlinear.kernels.descent import Epochs, Part, Quadratic, Rule, Walk
from torchlinear.rows import TensorRows
from torchlinear.solvers.descent_batches import View, batches, batches_of, descend
from torchlinear.solvers.frame import Frame, quadratic

if TYPE_CHECKING:
    from torchlinear.quadratic import QuadraticObjective
    from torchlinear.training.modules import Batching

__all__ = ["CompiledRows", "CriterionRows", "SquaredRows"]

Array = NDArray[np.float64]


class CompiledRows(ABC):
    """A loss of an affine map on rows in memory.

    Attributes
    ----------
    batching : Batching
        How the rows are split.
    by_epochs : bool
        Whether a step sees all rows as they lie, so that one call of a kernel does many epochs.
    """

    batching: Batching
    by_epochs: bool

    @property
    @abstractmethod
    def frame(self) -> Frame:
        """The user's units."""

    @property
    @abstractmethod
    def epoch_seconds(self) -> float:
        """About how long an epoch of `epochs` takes."""

    @property
    @abstractmethod
    def batch_seconds(self) -> float:
        """About how long a batch of `part` takes."""

    @abstractmethod
    def epochs(self, rule: Rule, walk: Walk, rates: Array) -> Epochs:
        """Epochs of all rows, with learning rates (epochs, G)."""

    @property
    @abstractmethod
    def view(self) -> View:
        """The rows as batches."""

    def part(
        self, rule: Rule, walk: Walk, rates: Array, order: Tensor, first: int, last: int, total: float
    ) -> Part:
        """Go on over ``order[first:last]``; see `descend`."""
        return descend(self.view, rule, walk, rates, order, first, last, total)


@dataclass(frozen=True)
class SquaredRows(CompiledRows):
    """Squared loss: epochs come from the second moments of all rows.

    Attributes
    ----------
    objective : QuadraticObjective
        Squared loss on the rows.
    batching, by_epochs
        As in `CompiledRows`.
    mean : bool
        Whether the loss of a batch is the mean over rows and outputs, as of `MSELoss`; otherwise their sum.
    """

    objective: QuadraticObjective
    batching: Batching
    mean: bool
    by_epochs: bool

    @cached_property
    def form(self) -> Quadratic:
        """The loss of all rows as a quadratic."""
        share = 1.0 / (self.batching.n_rows * self.objective.n_outputs) if self.mean else 1.0
        return quadratic(self.objective.factor, self.frame, np.zeros(self.objective.n_features), share)

    @cached_property
    def view(self) -> View:
        """The rows as batches."""
        rows, size = self.objective.rows, self.batching.size
        assert isinstance(rows, TensorRows)
        view = batches(rows, self.frame, np.zeros(self.objective.n_features), size)
        share = 1.0 / self.objective.n_outputs if self.mean else float(size)
        assert isinstance(view.kernel, descent.Batches)
        return replace(view, kernel=replace(view.kernel, factor=share))

    @cached_property
    def frame(self) -> Frame:
        """The user's units."""
        return Frame.users(self.objective.n_features, self.objective.n_outputs)

    @property
    def epoch_seconds(self) -> float:
        """Measured: 20 features cost 0.3 us."""
        p, k = self.objective.n_features, self.objective.n_outputs
        return 2e-7 + k * p * (3e-10 * p + 1e-8)

    @property
    def batch_seconds(self) -> float:
        """Measured."""
        size, numbers = self.batching.size, self.objective.n_features * self.objective.n_outputs
        return size * (6e-8 + 2e-9 * numbers * (1.0 + 4.0 / size))

    def epochs(self, rule: Rule, walk: Walk, rates: Array) -> Epochs:
        """Epochs of all rows, whatever their number."""
        return descent.full_batch(self.form, rule, walk, rates)


@dataclass(frozen=True)
class CriterionRows(CompiledRows):
    """A loss that needs every row for every step.

    Attributes
    ----------
    rows : TensorRows
        Features, and targets as the kernels take them: for softmax numbers of classes or probabilities.
    criterion : Criterion
        The loss.
    batching, by_epochs
        As in `CompiledRows`.
    """

    rows: TensorRows
    criterion: Criterion
    batching: Batching
    by_epochs: bool

    @cached_property
    def view(self) -> View:
        """The rows as batches."""
        p = self.rows.n_features
        return batches_of(self.rows, self.criterion, self.frame, np.zeros(p), self.batching.size)

    @cached_property
    def tiles(self) -> Tiles:
        """The rows laid out for whole epochs."""
        assert isinstance(self.view.kernel, Minibatches)
        return Tiles.of(self.view.kernel)

    @cached_property
    def frame(self) -> Frame:
        """The user's units."""
        return Frame.users(self.rows.n_features, self.criterion.outputs)

    @property
    def epoch_seconds(self) -> float:
        """Measured, as in `criteria.seconds`."""
        return criteria.seconds(self.criterion, self.batching.n_rows, self.rows.n_features)

    @property
    def batch_seconds(self) -> float:
        """Measured: rows come from all over the memory, and the rule costs as much as a few of them."""
        p, size = self.rows.n_features, self.batching.size
        gathered = criteria.seconds(self.criterion, size, p) + 2e-9 * size * p
        return gathered + 2e-7 + 5e-9 * p * self.criterion.outputs

    def epochs(self, rule: Rule, walk: Walk, rates: Array) -> Epochs:
        """Epochs, each a pass over the rows."""
        return criteria.full_batch(self.tiles, rule, walk, rates)
