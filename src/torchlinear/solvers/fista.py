"""FISTA: the proximal gradient method with Nesterov's momentum, for smooth losses with any penalty that has a prox.

With the smooth part f of the objective, the rest r, a diagonal metric D and the curvature L,

    x+ = prox(y - D g(y) / L),      y+ = x+ + (t - 1) / t+ (x+ - x),      t+ = (1 + sqrt(1 + 4 t^2)) / 2,

where L is doubled until f lies below its parabola at x+:  f(x+) <= f(y) + g'd + L/2 d'D^-1 d,  d = x+ - y. Momentum
that points uphill, (y - x+)'D^-1 (x+ - x) > 0, is dropped, and L halved, for it may be smaller there. The metric makes
the curvature of all columns alike, so that units do not matter; coefficients are about the columns' means.

Sources: Beck, Teboulle 2009, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems";
O'Donoghue, Candes 2015, "Adaptive restart for accelerated gradient schemes" (the gradient scheme). Where values differ
by little more than rounding, slopes take their place in the test, as in Hager, Zhang 2005.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from torchlinear.quadratic import QuadraticObjective
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.bundle import whole_numbers
from torchlinear.solvers.descent_losses import inside, level_of
from torchlinear.solvers.descent_way import Way
from torchlinear.solvers.descent_ways import way_of
from torchlinear.solvers.frame import Level
from torchlinear.wide.objective import WideObjective

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["FISTA"]

DOUBLINGS = 60  # of the curvature in one step
CLOSE = 1e-9  # difference of two values, relative, that rounding reaches
NEAR = 1e-8  # a share of d'd/L by which slopes may miss the parabola


@dataclass(frozen=True, slots=True)
class FISTA(Solver):
    """Accelerated proximal gradient descent with backtracking and adaptive restart.

    Parameters
    ----------
    epochs : int
        Steps when the fit sets no limit; each takes two passes over the rows, or none with squared loss.
    restart : bool
        Whether momentum that points uphill is dropped.

    Raises
    ------
    InvalidInput
        When `epochs` is not a whole number above 0.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> y = torch.tensor([2.0, 0.1, -2.0, -0.1])
    >>> tl.fit(X, y, penalty=tl.L1(0.5), solver=tl.FISTA()).coef.tolist()
    [1.5, 0.0]
    """

    epochs: int = 5_000
    restart: bool = True
    name: ClassVar[str] = "fista"

    def __post_init__(self) -> None:
        whole_numbers(self, "epochs")

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        if not objective.loss.smooth:
            return f"fista follows a slope, and {objective.loss.name} loss has kinks; use solver='auto'."
        if isinstance(objective, WideObjective):
            return "fista forms the cross products of all columns of a squared loss; use solver='coordinate'."
        return None

    def describe(self, objective: Objective) -> str:
        """Say what runs, in one sentence."""
        restarts = ", with adaptive restart" if self.restart else ""
        return f"fista: accelerated proximal gradient descent{restarts}, columns standardised inside"

    def init(self, problem: Any, coef: Tensor) -> State:
        """State before the first step."""
        memory, curvature = {}, 2.0
        if not isinstance(problem, QuadraticObjective):
            coef = inside(problem, coef)
            level = level_of(problem, coef)
            memory["level"] = torch.from_numpy(np.stack([level.bend, level.reach]))
            curvature = float((level.bend * np.square(level.reach)).max())
        x = _about(_way(problem, memory), coef.double())
        return State(coef.double(), memory={**memory, "x": x, "y": x, "numbers": _numbers(1.0, curvature)})

    def step(self, problem: Any, state: State, budget: Budget) -> State:
        """Steps until the budget is used."""
        end, trace, first = time.perf_counter() + budget.seconds, [], state.epoch
        way = _way(problem, state.memory)
        while not state.done and state.epoch - first < budget.epochs:
            state = self._iteration(way, state)
            trace.append(problem.value(state.coef))
            if time.perf_counter() >= end:
                break
        return replace(state, trace=torch.tensor(trace, dtype=torch.float64, device="cpu"))

    def _iteration(self, way: Way, state: State) -> State:
        x, y = state.memory["x"], state.memory["y"]
        t, curvature = state.memory["numbers"].tolist()
        found, curvature = _proximal(way, y, curvature)
        if found is None:
            return replace(state, epoch=state.epoch + 1, done=True)
        later = (1.0 + (1.0 + 4.0 * t * t) ** 0.5) / 2.0
        ahead = found + (t - 1.0) / later * (found - x)
        if self.restart and float(((y - found) * (found - x) / _metric(way)).sum()) > 0:
            later, ahead, curvature = 1.0, found, curvature / 2.0
        memory = {**state.memory, "x": found, "y": ahead, "numbers": _numbers(later, curvature)}
        return replace(state, coef=_users(way, found), epoch=state.epoch + 1, memory=memory)


def _proximal(way: Way, y: Tensor, curvature: float) -> tuple[Tensor | None, float]:
    """The proximal step from `y`, and the curvature that bounds it; None where none does."""
    here, metric = way.smooth(_users(way, y)), _metric(way)
    for _ in range(DOUBLINGS):
        step = metric / curvature
        found = y - step * here.slope
        penalty = way.objective.penalty
        if penalty is not None:
            found[:-1] = penalty.prox(found[:-1], step[:-1])
        there, d = way.smooth(_users(way, found)), found - y
        parabola = float((d * d / step).sum())
        rise = there.value - here.value
        if abs(rise) > CLOSE * abs(here.value):
            below = rise <= float((here.slope * d).sum()) + parabola / 2.0
        else:
            below = float(((there.slope - here.slope) * d).sum()) <= (1.0 + NEAR) * parabola
        if below:
            return found, curvature
        curvature *= 2.0
    return None, curvature


def _way(problem: Any, memory: Any) -> Way:
    level = Level(*memory["level"].numpy()) if "level" in memory else None
    return way_of(problem, level, None, users=False)


def _metric(way: Way) -> Tensor:
    """D: what brings slopes of coefficients about the means to steps, shape (p + 1, k)."""
    outputs = way.worth / np.square(way.frame.target_scale)
    return torch.from_numpy(np.outer(np.append(np.square(way.frame.scale), 1.0), outputs))


def _about(way: Way, coef: Tensor) -> Tensor:
    """Coefficients about the means, shape (p + 1, k), of those in the user's units."""
    return torch.cat([coef[:-1], coef[-1:] + torch.from_numpy(way.frame.centre)[None] @ coef[:-1]])


def _users(way: Way, about: Tensor) -> Tensor:
    """Coefficients in the user's units of those about the means."""
    return torch.cat([about[:-1], about[-1:] - torch.from_numpy(way.frame.centre)[None] @ about[:-1]])


def _numbers(t: float, curvature: float) -> Tensor:
    return torch.tensor([t, curvature], dtype=torch.float64, device="cpu")
