"""The ways in which a descent meets the rows of its objective.

Squared loss has epochs from the second moments of the rows and compiled mini-batches. Other losses have compiled
loops where a kernel knows the loss (`descent_losses`) and the rows are dense, in memory and without an offset;
otherwise the objective sums over its rows, and a mini-batch is a small `Block`: slower, and for any smooth loss and any
rows. All of them end where `torch.optim` ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.kernels import criteria, descent, update
from torchlinear.kernels.criteria import Criterion
from torchlinear.kernels.descent import Epochs, Rule, Walk
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import Rows, TensorRows
from torchlinear.solvers.descent_batches import (
    COPIED_BYTES,
    View,
    batches,
    batches_of,
    steepest_row,
    tiles_of,
)
from torchlinear.solvers.descent_losses import criterion_of, steepest
from torchlinear.solvers.descent_way import DIVERGED, Smooth, Way
from torchlinear.solvers.frame import Frame, Level, Spectrum, eigenvalues, quadratic, spectrum
from torchlinear.statistics import Triangle

if TYPE_CHECKING:
    from torchlinear.objective import Objective
    from torchlinear.summed import SummedObjective

__all__ = ["way_of"]

Array = NDArray[np.float64]

_forms: WeakKeyDictionary[QuadraticObjective, tuple[Triangle, Array, descent.Quadratic]] = WeakKeyDictionary()


def way_of(objective: Objective, level: Level | None, size: int | None, *, users: bool) -> Way:
    """How to descend.

    Parameters
    ----------
    objective : Objective
        With a smooth loss.
    level : Level or None
        Of a loss that is not squared, where units are not the user's.
    size : int or None
        Rows of a batch.
    users : bool
        Whether units are the user's.
    """
    if isinstance(objective, QuadraticObjective):
        return SquaredWay.of(objective, size, users=users)
    p, k = objective.n_features, objective.n_outputs
    frame = Frame.users(p, k)
    if level is not None:
        spread, intercept = objective.spread, objective.intercept  # type: ignore[attr-defined]
        frame = Frame.levelled(spread, level, objective.ridge(1.0), intercept=intercept)
    criterion = criterion_of(objective.loss, k) if _compiles(objective.rows, frame) else None
    return SummedWay(objective, frame, size, np.ones(k), level, criterion)  # type: ignore[arg-type]


def _compiles(rows: Rows, frame: Frame) -> bool:
    """Whether the kernels of `criteria` take the rows as they are."""
    return (
        isinstance(rows, TensorRows)
        and rows.offset is None
        and rows.low is None
        and (rows.weight is None or bool((rows.weight > 0).all()))
        and bool((frame.target_scale == 1.0).all())
    )


@dataclass(frozen=True)
class SquaredWay(Way):
    """Squared loss: epochs from second moments, whatever the number of rows."""

    objective: QuadraticObjective

    @classmethod
    def of(cls, objective: QuadraticObjective, size: int | None, *, users: bool) -> SquaredWay:
        """In the user's units, or standardised."""
        if users:
            frame = Frame.users(objective.n_features, objective.n_outputs)
        else:
            frame = Frame.standardised(objective.factor, objective.ridge(2.0))
        return cls(objective, frame, size, np.square(frame.target_scale))

    @property
    def strength(self) -> Array:
        """See `Way`."""
        return self.objective.ridge(2.0)

    @property
    def lasso(self) -> Array:
        """See `Way`."""
        return self.objective.lasso(2.0)

    @property
    def epoch_seconds(self) -> float:
        """Measured: 20 features cost 0.3 us."""
        p, k = self.objective.n_features, self.objective.n_outputs
        return 2e-7 + k * p * (3e-10 * p + 1e-8)

    @property
    def view(self) -> View | None:
        """See `Way`."""
        rows = self.objective.rows
        if self.size is None or not isinstance(rows, TensorRows):
            return None
        return batches(rows, self.frame, self.strength, self.size)

    @cached_property
    def _form(self) -> descent.Quadratic:
        """The loss of all rows; kept, for steps may be many and short."""
        factor, strength, f = self.objective.factor, self.strength, self.frame
        units = np.concatenate([f.centre, f.scale, f.target_centre, f.target_scale, strength])
        kept = _forms.get(self.objective)
        if kept is None or kept[0] is not factor or not np.array_equal(kept[1], units):
            form = quadratic(factor, f, strength, 1.0 / factor.weight)
            kept = _forms[self.objective] = (factor, units, form)
        return kept[2]

    def spectrum(self) -> Spectrum:
        """See `Way`."""
        return spectrum(self._form)

    @property
    def steepest(self) -> float:
        """See `Way`."""
        return 2.0 * steepest_row(self.objective.rows, self.frame, self.objective.intercept)

    def slope(self, theta: Array) -> Array:
        """See `Way`."""
        return self._still(theta).walk.grad

    def smooth(self, coef: Tensor) -> Smooth:
        """See `Way`."""
        at, (p, k) = (
            self._still(self.frame.theta(coef)),
            (self.objective.n_features, self.objective.n_outputs),
        )
        weight, last = at.walk.grad[: k * p].reshape(k, p).T, at.walk.grad[k * p :] * self.objective.intercept
        slope = np.vstack([weight / self.frame.scale[:, None], last]) / self.frame.target_scale
        return Smooth(float(at.losses[0]), torch.from_numpy(slope))

    def _still(self, theta: Array) -> Epochs:
        """An epoch that goes nowhere."""
        nowhere = Rule(update.SGD, np.zeros((1, 8)), np.empty((0, 3), dtype=np.int64))
        return self.epochs(nowhere, Walk.start(theta, rows=1), np.zeros((1, 1)))

    def epochs(self, rule: Rule, walk: Walk, rates: Array) -> Epochs:
        """See `Way`."""
        return descent.full_batch(self._form, rule, walk, rates)


@dataclass(frozen=True)
class SummedWay(Way):
    """Any other smooth loss: every epoch passes over the rows.

    Attributes
    ----------
    objective, frame, size, worth
        As in `Way`.
    level : Level or None
        Of the loss, where units are not the user's.
    criterion : Criterion or None
        The loss as kernels take it, where they do.
    """

    objective: SummedObjective
    level: Level | None
    criterion: Criterion | None

    @property
    def strength(self) -> Array:
        """See `Way`."""
        return self.objective.ridge(1.0)

    @property
    def lasso(self) -> Array:
        """See `Way`."""
        return self.objective.lasso(1.0)

    @property
    def epoch_seconds(self) -> float:
        """Measured for compiled loops; at least that long otherwise."""
        n, p = self.objective.rows.n_rows, self.objective.n_features
        if n is None:
            return math.inf
        if self._tiled:
            assert self.criterion is not None
            return criteria.seconds(self.criterion, n, p)
        return 3e-4 + 1e-9 * n * p * self.objective.n_outputs

    @property
    def _tiled(self) -> bool:
        """Whether whole epochs are compiled: then the rows are laid out once more.

        Where each epoch is checked, the objective keeps its sums from the check for the next epoch.
        """
        rows = self.objective.rows
        if self.level is not None and self.objective.loss.bound is None:
            return False
        if self.criterion is None or not isinstance(rows, TensorRows) or rows.X.device.type != "cpu":
            return False
        return rows.X.numel() * 8 <= COPIED_BYTES

    @property
    def view(self) -> View | None:
        """See `Way`."""
        rows = self.objective.rows
        if self.criterion is None or self.size is None or not isinstance(rows, TensorRows):
            return None
        return batches_of(rows, self.criterion, self.frame, self.strength, self.size)

    def spectrum(self) -> Spectrum:
        """Eigenvalues of a bound of the Hessian from above, and of one from below where the descent starts."""
        assert self.level is not None
        p, objective, frame = self.objective.n_features, self.objective, self.frame
        moments = objective.loaded.sum(Block.moments, objective.shift, False)
        mean = moments.mean.high[:p] - frame.centre
        second = moments.cross.high[:p, :p] / moments.weight + np.outer(mean, mean)
        second *= np.outer(frame.scale, frame.scale)
        top, _ = self._eigenvalues(second, steepest(objective.loss, self.level))
        _, bottom = self._eigenvalues(second, self.level.bend)
        return Spectrum(top, min(bottom, top), top, constant=False)

    def _eigenvalues(self, second: Array, bend: Array) -> tuple[float, float]:
        """The largest and the smallest over the outputs, for a second derivative of each, shape (k,)."""
        bends, tops, bottoms = bend * self._reach2, [], []
        for each, share in zip(bends, self._reach2):
            top, bottom = eigenvalues(each * second + share * np.diag(self.frame.ridge(self.strength)))
            tops.append(top)
            bottoms.append(bottom)
        if self.objective.intercept:
            tops.append(bends.max())
            bottoms.append(bends.min())
        return max(tops), min(bottoms)

    @property
    def _reach2(self) -> Array:
        """What a second derivative by the predictor is multiplied by in these units, shape (k,)."""
        return np.asarray(np.square(1.0 / self.frame.target_scale))

    @property
    def steepest(self) -> float:
        """See `Way`."""
        assert self.level is not None
        bend = float((self._reach2 * steepest(self.objective.loss, self.level)).max())
        return bend * steepest_row(self.objective.rows, self.frame, self.objective.intercept)

    @DIVERGED
    def epochs(self, rule: Rule, walk: Walk, rates: Array) -> Epochs:
        """See `Way`."""
        if self._tiled:
            return criteria.full_batch(self._tiles(), rule, walk, rates)
        losses = np.empty(len(rates))
        for t, rate in enumerate(rates):
            coef = self.frame.coef(walk.theta)
            losses[t] = self.objective.value(coef)
            walk = descent.follow(rule, walk, self._slope(coef)[None], rate[None])
            if not np.isfinite(walk.theta).all():
                return Epochs(walk, losses[: t + 1])
        return Epochs(walk, losses)

    def _tiles(self) -> criteria.Tiles:
        rows = self.objective.rows
        assert isinstance(rows, TensorRows)
        assert self.criterion is not None
        return tiles_of(rows, self.criterion, self.frame, self.strength)

    def slope(self, theta: Array) -> Array:
        """See `Way`; the objective keeps its last sums."""
        return self._slope(self.frame.coef(theta))

    def smooth(self, coef: Tensor) -> Smooth:
        """See `Way`."""
        objective, W, penalty = self.objective, self.objective.weight, self.objective.penalty
        sums, centre = objective.at(coef), self.frame.centre[:, None]
        slope = np.vstack([objective.pull(coef, centre), sums.pull[-1] * objective.intercept]) / W
        squares = 0.0 if penalty is None else 0.5 * float((penalty.gradient(coef[:-1]) * coef[:-1]).sum())
        return Smooth(sums.value / W + squares, torch.from_numpy(slope))

    def _slope(self, coef: Tensor) -> Array:
        objective, W = self.objective, self.objective.weight
        pull = objective.pull(coef, self.frame.centre[:, None]) / W
        return self.frame.slope(pull, objective.at(coef).pull[-1] / W)
