"""A run before its start: the optimum that it is measured by, learning rates, and who cannot take part.

All of it is told to the page before the first frame, and the learning rates that the curvature suggests are in the
programs that it shows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from torchlinear.api import solve
from torchlinear.lab.plan import Entrant, Numbers, Plan
from torchlinear.lab.safety import Refused
from torchlinear.lab.sentences import Said, both
from torchlinear.loop import History, Status
from torchlinear.losses import made
from torchlinear.losses.base import Loss
from torchlinear.losses.huber import Huber
from torchlinear.objective import Objective
from torchlinear.penalties.base import Penalty
from torchlinear.penalties.l1 import L1
from torchlinear.penalties.l2 import L2
from torchlinear.problem import pose
from torchlinear.racing.contours import Contours, contours, surroundings
from torchlinear.racing.course import Counted
from torchlinear.racing.curvature import Curvature, curvature
from torchlinear.racing.lineup import Entry, Options, lineup
from torchlinear.racing.maker import Maker
from torchlinear.solution import Solution
from torchlinear.solvers.base import Solver, State
from torchlinear.solvers.rules import SGD, Adagrad, Adam, RMSprop

__all__ = ["Racer", "Stage"]


@dataclass(frozen=True, slots=True)
class Racer:
    """An entrant at the start.

    Attributes
    ----------
    entrant : Entrant
        What was asked for, with its learning rate.
    entry : Entry
        The same for the race.
    refusal : str or None
        Why it cannot take part.
    """

    entrant: Entrant
    entry: Entry
    refusal: str | None

    def describe(self) -> dict[str, Any]:
        """For the page."""
        return {
            "id": self.entrant.id,
            "solver": self.entrant.solver,
            "label": both(self.entry.label),
            "lr": self.entrant.lr,
            "batch_size": self.entrant.batch_size,
            "refusal": None if self.refusal is None else both(Said("library", message=self.refusal)),
        }


@dataclass(frozen=True, slots=True)
class Stage:
    """A run before its start.

    Attributes
    ----------
    plan, numbers : Plan, Numbers
        What was asked for, and its rows.
    loss, penalty : Loss, Penalty or None
        What is minimised.
    objective : Objective
        The same over the rows.
    best : Tensor, shape (p + 1, k)
        The optimum, in the units of the run.
    least : float
        Its loss.
    seconds : float
        How long the exact solver took.
    passes : int
        How often it summed over the rows.
    bend : Curvature
        Of the loss.
    racers : tuple of Racer
        Who takes part, and who cannot.
    """

    plan: Plan
    numbers: Numbers
    loss: Loss
    penalty: Penalty | None
    objective: Objective
    best: Tensor
    least: float
    seconds: float
    passes: int
    bend: Curvature
    racers: tuple[Racer, ...]

    @classmethod
    def of(cls, plan: Plan) -> Stage:
        """Find the optimum, and look at the entrants.

        Raises
        ------
        Refused
            There is no optimum, or no entrant can take part.
        """
        numbers = plan.numbers()
        loss = Huber(plan.delta) if plan.loss == "huber" else made(plan.loss)
        penalty = {"none": None, "l1": L1(plan.strength), "l2": L2(plan.strength)}[plan.penalty]
        penalty = penalty if plan.strength else None
        problem = pose(numbers.X, numbers.y, loss=loss, penalty=penalty, device="cpu")
        maker = Maker(loss, penalty, problem.prepared.rows, True, len(problem.outputs))
        solution, seconds, passes = _solved(problem.objective, plan)
        if solution.status is Status.SEPARATED:
            raise Refused(422, "separated", advice=solution.status.value)
        if not torch.isfinite(solution.coef).all():
            raise Refused(422, "no_optimum")
        bend = curvature(problem.objective, solution.coef, _start(plan, solution.coef))
        racers = tuple(_racer(entrant, plan, maker, bend) for entrant in plan.entrants)
        if all(racer.refusal is not None for racer in racers):
            raise Refused(422, "nobody", reason=str(racers[0].refusal))
        least = problem.objective.value(solution.coef)
        return cls(
            plan, numbers, loss, penalty, problem.objective, solution.coef, least, seconds, passes, bend, racers
        )  # fmt: skip

    @property
    def start(self) -> Tensor:
        """Where runners start, shape (p + 1, k)."""
        return _start(self.plan, self.best)

    @property
    def running(self) -> Sequence[Racer]:
        """Who takes part."""
        return [racer for racer in self.racers if racer.refusal is None]

    @property
    def axes(self) -> tuple[int, int] | None:
        """The coefficients of the map: those asked for, else slope and intercept, else two slopes.

        They are the slopes whose way from the start to the optimum changes the predictions most.
        """
        if self.plan.axes is not None or self.best.numel() < 2:
            return self.plan.axes
        if self.best.numel() == 2:
            return 0, 1
        spread = self.numbers.X.double().std(0, correction=0)[:, None]
        way = ((self.best - self.start)[:-1].abs() * spread).flatten()
        first, second = way.topk(2).indices.tolist() if len(way) > 1 else (0, 1)
        return min(first, second), max(first, second)

    def map(self, axes: tuple[int, int]) -> Contours:
        """The map of two coefficients."""
        box = surroundings(self.objective, self.best, self.start, axes)
        return contours(self.objective, self.best, self.start, axes, box)

    def describe(self) -> dict[str, Any]:
        """What the page is told first."""
        numbers, plan = self.numbers, self.plan
        units = {"center": numbers.means, "scale": numbers.deviations} if plan.standardize else None
        return {
            "names": plan.features,
            "targets": numbers.outputs,
            "rows": len(numbers.X),
            "dropped": numbers.dropped,
            "units": units,
            "means": numbers.means,
            "optimum": {"coef": self.best.flatten().tolist(), "loss": self.least},
            "condition": self.bend.condition,
            "axes": self.axes,
            "start": self.start.flatten().tolist(),
            "runners": [racer.describe() for racer in self.racers],
            "exact": {"seconds": self.seconds, "passes": self.passes},
        }


def _solved(objective: Objective, plan: Plan) -> tuple[Solution, float, int]:
    """The optimum, and what it took: seconds, and passes over the rows."""
    rows = objective.loaded = Counted(objective.loaded)
    taken = [0.0, 0.0]
    began = time.perf_counter()

    def count(_: State, __: History) -> None:  # after the last step it is looked for separated classes
        taken[:] = time.perf_counter() - began, rows.passes

    solution = solve(objective, infer=plan.of_classes, callback=count)
    return solution, taken[0], int(taken[1])


def _start(plan: Plan, best: Tensor) -> Tensor:
    """Where runners start: as asked, or at zeros."""
    return torch.zeros_like(best) if plan.start is None else torch.tensor(plan.start, dtype=torch.float64)


def _racer(entrant: Entrant, plan: Plan, maker: Maker, bend: Curvature) -> Racer:
    options = Options(entrant.lr, None, 0.0, None, plan.epochs, plan.seed)
    (entry,) = lineup([_solver(entrant, plan)], options, bend, maker.rows.n_rows or 1)
    return Racer(replace(entrant, lr=entry.lr), entry, entry.solver.refusal(maker.of(entry.solver)))


def _solver(entrant: Entrant, plan: Plan) -> str | Solver:
    """The solver for the race; those that do not descend by their names."""
    common: dict[str, Any] = {
        "lr": entrant.lr,
        "batch_size": entrant.batch_size,
        "epochs": plan.epochs,
        "seed": plan.seed,
    }
    match entrant.solver:
        case "bgd" | "sgd" | "mbgd" | "momentum":
            return SGD(**common, momentum=entrant.momentum)
        case "adagrad":
            return Adagrad(**common)
        case "rmsprop":
            return RMSprop(**common, momentum=entrant.momentum)
        case "adam":
            return Adam(**common)
    return entrant.solver
