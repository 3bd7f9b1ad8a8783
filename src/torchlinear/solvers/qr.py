"""Exact least squares by a tall-skinny QR: accurate for any condition number that float64 rows can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.cholesky import exact_step

if TYPE_CHECKING:
    from torchlinear.objective import Objective
    from torchlinear.quadratic import QuadraticObjective

__all__ = ["QR"]


@dataclass(frozen=True, slots=True)
class QR(Solver):
    """Householder QR of each block, merged as a tree (TSQR), of the centred columns.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.arange(5.0)
    >>> tl.fit(x, 3 * x + 0.8, solver="qr").equation
    'y = 3 x + 0.8'
    """

    name: ClassVar[str] = "qr"

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        if not objective.loss.quadratic:
            return f"qr solves squared loss only, not {objective.loss.name}; use loss='squared'."
        if not objective.smooth:
            return f"qr needs a smooth penalty, not {objective.asked}; use solver='coordinate' or 'auto'."
        return None

    def init(self, problem: QuadraticObjective, coef: Tensor) -> State:
        """State before the pass."""
        return State(coef.double())

    def step(self, problem: QuadraticObjective, state: State, budget: Budget) -> State:
        """The optimum."""
        return exact_step(problem, "qr")
