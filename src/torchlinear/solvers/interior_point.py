"""Exact quantile regression and support vector machines: programmes that an interior-point method solves.

A linear programme (see `pinball`) ends at a vertex, a quadratic one (see `hinges`) at the equations of its active set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from torchlinear.pinball.objective import PinballObjective
from torchlinear.solvers.base import Budget, Solver, State

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["InteriorPoint"]


@dataclass(frozen=True, slots=True)
class InteriorPoint(Solver):
    """Solve a piecewise linear loss to the last digit: quantile with any penalty or none, hinges with an L2 penalty.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0])
    >>> y = torch.tensor([1.0, 3.0, 5.0, 7.0, 100.0])
    >>> tl.fit(x, y, loss="quantile", solver="interior_point").equation
    'y = 2 x + 1'
    """

    name: ClassVar[str] = "interior_point"

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        if not isinstance(objective, PinballObjective):
            return (
                f"interior_point solves losses that are piecewise linear, not {objective.loss.name}; "
                "use loss='quantile' or 'absolute', 'hinge' or 'epsilon_insensitive', or solver='auto'."
            )
        return objective.refusal

    def init(self, problem: PinballObjective, coef: Tensor) -> State:
        """State before the passes."""
        return State(coef.double())

    def step(self, problem: PinballObjective, state: State, budget: Budget) -> State:
        """The optimum."""
        coef = problem.optimum.coef.clone()
        trace = torch.tensor([problem.value(coef)], dtype=torch.float64, device="cpu")
        return State(coef, epoch=1, trace=trace, done=True)
