"""The exact solver as a runner: whatever `auto` chooses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor

from torchlinear.objective import Objective
from torchlinear.solvers.auto import choose
from torchlinear.solvers.base import Budget, Solver, State

__all__ = ["Exact"]


@dataclass
class Exact(Solver):
    """The solver that suits the objective; choosing it is part of its time.

    Attributes
    ----------
    chosen : Solver or None
        Which one that was.
    reason : str
        Why.
    """

    chosen: Solver | None = None
    reason: str = ""
    epochs: int = 1_000
    name: ClassVar[str] = "exact"

    def refusal(self, objective: Objective) -> str | None:
        """None: there is one for everything."""
        return None

    def init(self, problem: Any, coef: Tensor) -> State:
        """State before the first step of the chosen solver."""
        choice = choose(problem)
        self.chosen, self.reason = choice.solver, choice.reason
        return choice.solver.init(problem, coef)

    def step(self, problem: Any, state: State, budget: Budget) -> State:
        """A step of the chosen solver."""
        assert self.chosen is not None
        return self.chosen.step(problem, state, replace(budget, epochs=max(budget.epochs, 1)))
