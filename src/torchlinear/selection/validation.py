"""Errors of penalties on held-out rows, and what else a choice among them needs: from moments, or split by split.

`ByMoments` answers everything about a squared loss after one pass over the rows. `ByRows` serves any loss, and
squared loss where the moments of all cells would not fit: it fits each split on its own rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.api import objective_of
from torchlinear.block import Block
from torchlinear.engines.local import Local
from torchlinear.errors import DataError
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.penalties.separable import Separable
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import Rows
from torchlinear.selection import grid, heldout, summed_path
from torchlinear.selection.folds import Folds
from torchlinear.selection.gram import along
from torchlinear.selection.heldout import Scores
from torchlinear.selection.partition import PartitionedRows, merged, moments_by_cell
from torchlinear.selection.path import sensitivity_of
from torchlinear.statistics import Moments
from torchlinear.wide.objective import WideObjective

__all__ = ["ByMoments", "ByRows", "Validation", "validation"]

Array = NDArray[np.float64]

MOST_BYTES = 1_000_000_000  # of the moments of all cells and training sets
CELLS_PER_SPLIT = 4  # above which to gather the rows of each split costs less than to merge cells


class Validation(ABC):
    """Judges penalties on the held-out rows of splits."""

    loss: Loss
    intercept: bool

    @abstractmethod
    def sensitivity(self, family: Separable) -> grid.Sensitivity:
        """What decides where the grid of a penalty begins."""

    @abstractmethod
    def scores(self, penalties: Sequence[Separable]) -> Scores:
        """Mean loss on the test rows of each split at each of m penalties, from strong to weak."""

    @abstractmethod
    def path(self, penalties: Sequence[Separable]) -> Array:
        """Coefficients on all rows at each penalty, shape (m, p + 1, k)."""

    @abstractmethod
    def objective(self, penalty: Separable) -> Objective:
        """The objective of all rows with a penalty."""


def validation(
    loss: Loss,
    rows: Rows,
    folds: Folds,
    *,
    intercept: bool = True,
    positive: bool = False,
    precision: str = "auto",
    n_outputs: int | None = None,
    wide: bool = False,
) -> Validation:
    """The cheaper way to judge penalties of this loss on these splits; `wide` rows are walked among their columns."""
    columns = rows.n_features + rows.n_outputs
    if loss.quadratic and not wide and 16 * columns**2 * 3 * (folds.cells + len(folds)) <= MOST_BYTES:
        return ByMoments(loss, rows, folds, intercept=intercept, positive=positive, precision=precision)
    return ByRows(loss, rows, folds, intercept=intercept, positive=positive, n_outputs=n_outputs)


class ByMoments(Validation):
    """Squared loss, judged by the moments of the splits.

    Parameters
    ----------
    loss : Loss
        A quadratic one.
    rows : Rows
        All rows.
    folds : Folds
        The splits.
    intercept : bool
        Whether fits have one.
    positive : bool
        Whether coefficients must not be negative.
    precision : {"auto", "extended", "double"}
        As in `QuadraticObjective`.

    Attributes
    ----------
    all : Moments
        Of all rows.
    train, test : list of Moments
        Of the rows of each split.
    """

    def __init__(
        self,
        loss: Loss,
        rows: Rows,
        folds: Folds,
        *,
        intercept: bool = True,
        positive: bool = False,
        precision: str = "auto",
    ) -> None:
        self.loss, self.rows, self.folds = loss, rows, folds
        self.intercept, self.positive, self.precision = intercept, positive, precision
        self._partitioned = PartitionedRows(self.rows, folds.assignment)
        whole = self._objective(None)
        if folds.cells > CELLS_PER_SPLIT * len(folds) and rows.in_memory:
            self.all = whole.moments
            self.train, self.test = (
                [self._selected(cells, whole) for cells in sets] for sets in (folds.train, folds.test)
            )
        else:
            found = (
                Local().load(self._partitioned).sum(moments_by_cell, whole.shift, whole.extended, folds.cells)
            )
            cells = found.listed(folds.cells, rows.n_features, len(whole.shift))
            if not all(cell.finite for cell in cells):
                whole.refuse_nonfinite()
            self.all = merged(cells, [range(folds.cells)])[0]
            self.train, self.test = (merged(cells, sets) for sets in (folds.train, folds.test))
        _refuse_empty("train", [moments.weight for moments in self.train])
        _refuse_empty("test", [moments.weight for moments in self.test])

    def _selected(self, cells: Sequence[int], whole: QuadraticObjective) -> Moments:
        rows = self._partitioned.select(cells)
        return Local().load(rows).sum(Block.moments, whole.shift, whole.extended)

    def sensitivity(self, family: Separable) -> grid.Sensitivity:
        """What decides where the grid of a penalty begins."""
        return grid.sensitivity(self.all, family, intercept=self.intercept)

    def scores(self, penalties: Sequence[Separable]) -> Scores:
        """Mean squared error on the test rows of each split at each penalty."""
        coef = [self._along(train, penalties) for train in self.train]
        errors = np.stack([heldout.by_moments(test, c) for test, c in zip(self.test, coef)])
        if any(heldout.nearly_perfect(test, e) for test, e in zip(self.test, errors)):
            return heldout.by_rows(Local().load(self._partitioned), self.folds, self.loss, coef)
        return Scores(errors, np.array([test.weight for test in self.test]))

    def path(self, penalties: Sequence[Separable]) -> Array:
        """Coefficients on all rows at each penalty, shape (m, p + 1, k)."""
        return self._along(self.all, penalties)

    def objective(self, penalty: Separable) -> QuadraticObjective:
        """The objective of all rows with a penalty, which needs no pass for its moments."""
        objective = self._objective(penalty)
        objective.moments = self.all
        return objective

    def _along(self, moments: Moments, penalties: Sequence[Separable]) -> Array:
        return along(moments, penalties, intercept=self.intercept, positive=self.positive)

    def _objective(self, penalty: Separable | None) -> QuadraticObjective:
        return QuadraticObjective(
            self.loss,
            penalty,
            Local().load(self.rows),
            intercept=self.intercept,
            precision=self.precision,
            solution="nonnegative" if self.positive else "drop",
        )


class ByRows(Validation):
    """Any loss: each split is fitted on its own rows, and judged by a pass over them.

    Parameters
    ----------
    loss, rows, folds, intercept, positive
        As in `ByMoments`; only squared loss knows `positive`.
    n_outputs : int, optional
        Columns of the coefficients; one for each target by default.
    """

    def __init__(
        self,
        loss: Loss,
        rows: Rows,
        folds: Folds,
        *,
        intercept: bool = True,
        positive: bool = False,
        n_outputs: int | None = None,
    ) -> None:
        self.loss, self.rows, self.folds, self.intercept = loss, rows, folds, intercept
        self.n_outputs = n_outputs
        self._options: dict[str, Any] = {"solution": "nonnegative"} if positive else {}
        self._partitioned = PartitionedRows(rows, folds.assignment)

    def sensitivity(self, family: Separable) -> grid.Sensitivity:
        """What decides where the grid of a penalty begins, in the model without penalised columns."""
        return sensitivity_of(self.objective(family), family)

    def scores(self, penalties: Sequence[Separable]) -> Scores:
        """Mean loss on the test rows of each split at each penalty."""
        coef = [self._fits(self._partitioned.select(cells), penalties) for cells in self.folds.train]
        scores = heldout.by_rows(Local().load(self._partitioned), self.folds, self.loss, coef)
        _refuse_empty("test", scores.weights.tolist())
        return scores

    def path(self, penalties: Sequence[Separable]) -> Array:
        """Coefficients on all rows at each penalty, shape (m, p + 1, k)."""
        return self._fits(self.rows, penalties)

    def objective(self, penalty: Separable) -> Objective:
        """The objective of all rows with a penalty."""
        return self._objective(penalty, self.rows)

    def _objective(self, penalty: Separable, rows: Rows) -> Objective:
        return objective_of(
            self.loss, penalty, rows, intercept=self.intercept, n_outputs=self.n_outputs, **self._options
        )

    def _fits(self, rows: Rows, penalties: Sequence[Separable]) -> Array:
        """Coefficients on `rows` at each penalty, shape (m, p + 1, k); each fit starts the next."""
        objective = self._objective(penalties[0], rows)
        if isinstance(objective, WideObjective):
            return objective.along(penalties)[0]
        return summed_path.along(lambda penalty: self._objective(penalty, rows), penalties).coef


def _refuse_empty(name: str, weights: Sequence[float]) -> None:
    for number, weight in enumerate(weights):
        if not weight:
            raise DataError(
                f"split {number} has no {name} row with a weight above 0; lower folds, or choose other splits."
            )
