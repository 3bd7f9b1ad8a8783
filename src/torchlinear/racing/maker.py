"""The objectives of a race: one problem, posed anew for each runner."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from torchlinear.engines.local import Local
from torchlinear.errors import DataError
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.penalties.base import Penalty
from torchlinear.problem import objective_of
from torchlinear.racing.course import Counted
from torchlinear.rows import Rows, TensorRows
from torchlinear.solvers.base import Budget, Solver
from torchlinear.solvers.lbfgs import LBFGS
from torchlinear.solvers.newton import Newton
from torchlinear.solvers.newton_cg import NewtonCG
from torchlinear.summed import SummedObjective

__all__ = ["Maker"]

SUMMED = (LBFGS, Newton, NewtonCG)  # which want every loss as sums over the rows


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes objectives of one problem: each runner has its own, which remembers nothing of the others.

    Attributes
    ----------
    loss : Loss
        What a row costs.
    penalty : Penalty or None
        What coefficients cost.
    rows : Rows
        In the units of the race.
    intercept : bool
        Whether it is free.
    outputs : int
        Columns of the coefficients.
    """

    loss: Loss
    penalty: Penalty | None
    rows: Rows
    intercept: bool
    outputs: int

    def reference(self) -> Objective:
        """The objective as `tl.fit` has it, for those who judge."""
        return self._on(self.rows)

    def of(self, solver: Solver) -> Objective:
        """The objective as `solver` wants it, on rows that count."""
        return self._for(solver, self.rows)

    def warm_up(self, solver: Solver) -> None:
        """Take a first step on a few rows, off the clock: it loads compiled code, or compiles it."""
        if not isinstance(self.rows, TensorRows):
            return
        batches = 2 * (getattr(solver, "batch_size", None) or 0) + 1  # a full one, and a rest
        few = min(self.rows.n_rows or 1, max(3 + 2 * self.rows.n_features, batches))
        try:
            objective = self._for(solver, self.rows.spaced(few))
            zeros = torch.zeros(objective.n_features + 1, objective.n_outputs, dtype=torch.float64)
            solver.step(objective, solver.init(objective, zeros), Budget(1, 0.0))
        except DataError:
            return  # few rows may lack a class; the race itself says what is wrong, if anything is

    def _for(self, solver: Solver, rows: Rows) -> Objective:
        loaded = Counted(Local().load(rows))
        if isinstance(solver, SUMMED) and self.loss.quadratic:
            return SummedObjective(
                self.loss, self.penalty, loaded, intercept=self.intercept, n_outputs=self.outputs
            )
        objective = self._on(rows)
        objective.loaded = loaded
        return objective

    def _on(self, rows: Rows) -> Objective:
        return objective_of(self.loss, self.penalty, rows, intercept=self.intercept, n_outputs=self.outputs)
