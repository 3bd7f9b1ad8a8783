"""Working sets: L1 and elastic net with smooth losses and more columns than a matrix of all of them could hold.

Most coefficients are zero, so that the problem of the others is small. It is solved by proximal Newton steps, then one
pass over the rows looks at all columns, and those that pull more than they cost join, until none does (`screened`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from torchlinear.penalties.separable import Separable
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.screened import Screened
from torchlinear.summed import SummedObjective

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["WorkingSet"]


@dataclass(frozen=True, slots=True)
class WorkingSet(Solver):
    """Proximal Newton in the columns that may matter, for L1 and elastic net on any number of columns.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.randn(60, 20_000, generator=torch.Generator().manual_seed(0))
    >>> fit = tl.fit(X, X[:, 7] > 0, loss="logistic", penalty=tl.L1(0.2))
    >>> fit.solver
    'working_set: L1(0.2) makes coefficients exactly zero, few of 20,000 columns at a time'
    >>> bool(fit.coef[7] > 0), int(fit.coef.ne(0).sum()) < 10
    (True, True)
    """

    name: ClassVar[str] = "working_set"

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        if not isinstance(objective, SummedObjective):
            return "working_set is for losses that are not quadratic; use solver='auto'."
        if not objective.loss.smooth:
            return f"working_set takes smooth losses, not {objective.loss.name}; use solver='auto'."
        if not isinstance(objective.asked, Separable):
            return f"working_set takes L1, L2 and elastic net, not {objective.asked or 'none'}; use solver='auto'."
        return None

    def init(self, problem: SummedObjective, coef: Tensor) -> State:
        """State before the first round."""
        return State(problem.within(coef.double()))

    def step(self, problem: SummedObjective, state: State, budget: Budget) -> State:
        """The optimum: all rounds, for they cost little beside a pass over all columns."""
        way, penalty = Screened(problem), problem.penalty
        assert isinstance(penalty, Separable)
        way.coef = state.coef.clone()
        way.to(penalty)
        trace = torch.tensor([problem.value(way.coef)], dtype=torch.float64, device="cpu")
        return State(way.coef, epoch=state.epoch + 1, trace=trace, done=True)
