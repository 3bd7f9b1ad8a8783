"""Exact least squares from the Cholesky factor of the second moments: one pass over the rows.

The error grows with the square of the condition number of the standardised columns, so `auto` takes it
while that is small (or the sums are in double-double), and `qr` beyond. Above 10 another pass over rows in
memory refines the coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from torchlinear.solvers.base import Budget, Solver, State

if TYPE_CHECKING:
    from torchlinear.objective import Objective
    from torchlinear.quadratic import QuadraticObjective

__all__ = ["Cholesky", "exact_step"]


@dataclass(frozen=True, slots=True)
class Cholesky(Solver):
    """Solve the normal equations of the centred, equilibrated columns.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.arange(5.0)
    >>> tl.fit(x, 3 * x + 0.8, solver="cholesky").equation
    'y = 3 x + 0.8'
    """

    name: ClassVar[str] = "cholesky"

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        if not objective.loss.quadratic:
            return f"cholesky solves squared loss only, not {objective.loss.name}; use loss='squared'."
        if not objective.smooth:
            return (
                f"cholesky needs a smooth penalty, not {objective.asked}; use solver='coordinate' or 'auto'."
            )
        return None

    def init(self, problem: QuadraticObjective, coef: Tensor) -> State:
        """State before the pass."""
        return State(coef.double())

    def step(self, problem: QuadraticObjective, state: State, budget: Budget) -> State:
        """The optimum."""
        return exact_step(problem, "cholesky")


def exact_step(problem: QuadraticObjective, factor: str) -> State:
    """State at the optimum by `factor`."""
    coef = torch.from_numpy(problem.optimum(factor).coef.copy())
    trace = torch.tensor([problem.value(coef)], dtype=torch.float64, device="cpu")
    return State(coef, epoch=1, trace=trace, done=True)
