"""The protocol of every solver: `init`, then `step` until the loop says enough.

A step is a pure function of its arguments. It may end inside an epoch; stepping twice with half the
budget gives the same bits as once with the whole. A `State` holds tensors and numbers only, so that a
checkpoint *is* a State. The loop itself is `loop.run`, and there is no other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["Budget", "Solver", "State"]


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that one step may use.

    Parameters
    ----------
    epochs : int
        Passes over the rows that the step may finish.
    seconds : float
        Wall-clock seconds after which the step should end at its next boundary.
    cursor : int
        Rows of the epoch after those that the step may use besides, a multiple of the batch size; for solvers that
        stop inside an epoch.
    """

    epochs: int
    seconds: float
    cursor: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """Where a solver stands.

    Attributes
    ----------
    coef : Tensor, shape (p + 1, k)
        Coefficients in the user's units; the last row is the intercept. Its dtype is the dtype in which
        the solver updates parameters (float64 except when training somebody's float32 module).
    epoch : int
        Finished passes over the rows.
    cursor : int
        Rows already used of an unfinished epoch; 0 at an epoch's boundary.
    memory : mapping of str to Tensor
        What the solver remembers: moments of Adam, generator state, a factor.
    trace : Tensor, shape (e,), float64
        Objective value of each epoch that *this step* finished.
    done : bool
        The solver cannot improve further (an exact solver after its solve).
    """

    coef: Tensor
    epoch: int = 0
    cursor: int = 0
    memory: Mapping[str, Tensor] = field(default_factory=dict)
    trace: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.float64, device="cpu"))
    done: bool = False


class Solver(ABC):
    """One algorithm. Concrete solvers are frozen records of their hyper-parameters."""

    name: ClassVar[str]
    epochs: int = 1
    """Passes over the rows that a fit gives it when the user sets no limit."""

    def describe(self, objective: Objective) -> str:
        """The solver and how it was set up, one sentence that `fit.solver` shows."""
        return f"{self.name}: asked for"

    @abstractmethod
    def refusal(self, objective: Objective) -> str | None:
        """Why this solver cannot minimise `objective`, and what can; None when it can."""

    @abstractmethod
    def init(self, problem: Any, coef: Tensor) -> State:
        """State before the first step, starting at `coef` of shape (p + 1, k)."""

    @abstractmethod
    def step(self, problem: Any, state: State, budget: Budget) -> State:
        """The next State; pure, within `budget`."""
