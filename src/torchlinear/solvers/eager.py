"""Eager: PyTorch's own loop, for any module and any optimiser.

    out = model(x);  loss = criterion(out, y);  optimizer.zero_grad();  loss.backward();  optimizer.step()

Unlike those of other solvers its steps are not pure: what is trained lives in the module, the optimiser and
the scheduler, which change in place. The `State` holds what an unfinished epoch needs to go on.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, optim

from torchlinear import interruption
from torchlinear.solvers.base import Budget, Solver, State

if TYPE_CHECKING:
    from torchlinear.objective import Objective
    from torchlinear.training.modules import ModuleProblem

__all__ = ["Eager"]


@dataclass(slots=True)
class _Epoch:
    """An epoch under way: rows used, their order, and the sum over them of the loss of their batch."""

    cursor: int
    order: Tensor | None
    total: float

    @classmethod
    def of(cls, problem: ModuleProblem, state: State) -> _Epoch:
        if state.cursor == 0:
            return cls(0, problem.batching.order(), 0.0)
        return cls(state.cursor, state.memory.get("order"), float(state.memory["total"]))

    def memory(self) -> Mapping[str, Tensor]:
        if self.cursor == 0:
            return {}
        total = {"total": torch.tensor(self.total, dtype=torch.float64, device="cpu")}
        return total if self.order is None else {**total, "order": self.order}


@dataclass(frozen=True, slots=True)
class Eager(Solver):
    """Train a module as a program of one's own would.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Made for the module's parameters.
    scheduler : torch.optim.lr_scheduler.LRScheduler, optional
        Stepped after every epoch; `ReduceLROnPlateau` is given the epoch's loss.
    """

    optimizer: optim.Optimizer
    scheduler: optim.lr_scheduler.LRScheduler | None = None
    name: ClassVar[str] = "eager"

    def refusal(self, objective: Objective) -> str | None:
        """Why not, always: this solver takes a `ModuleProblem`."""
        return "eager trains modules, by tl.train; tl.fit minimises an objective."

    def init(self, problem: ModuleProblem, coef: Tensor) -> State:
        """State before the first step."""
        return State(coef)

    def step(self, problem: ModuleProblem, state: State, budget: Budget) -> State:
        """Train until the budget is used, Ctrl-C is pressed or a loss is not finite; ends between batches."""
        deadline = time.perf_counter() + budget.seconds
        with_closure = _asks_for_closure(self.optimizer)
        epoch, losses = _Epoch.of(problem, state), list[float]()
        while True:
            self._batches(problem, epoch, deadline, with_closure)
            if epoch.cursor < problem.batching.n_rows:
                break
            losses.append(epoch.total / problem.batching.n_rows)
            self._schedule(losses[-1])
            if len(losses) >= budget.epochs or not math.isfinite(losses[-1]) or _out_of_time(deadline):
                epoch = _Epoch(0, None, 0.0)
                break
            epoch = _Epoch(0, problem.batching.order(), 0.0)
        return State(
            problem.parameters(),
            epoch=state.epoch + len(losses),
            cursor=epoch.cursor,
            memory=epoch.memory(),
            trace=torch.tensor(losses, dtype=torch.float64, device="cpu"),
        )

    def _batches(self, problem: ModuleProblem, epoch: _Epoch, deadline: float, with_closure: bool) -> None:
        """Train on what is left of the epoch, as far as the time goes."""
        for place in problem.batching.batches(epoch.cursor):
            loss = self._update(problem, place, epoch.order, with_closure)
            epoch.total += (place.stop - place.start) * loss
            epoch.cursor = place.stop
            if _out_of_time(deadline):
                break

    def _update(
        self, problem: ModuleProblem, place: slice, order: Tensor | None, with_closure: bool
    ) -> float:
        """One step of the optimiser; return the loss before it."""

        def closure() -> Tensor:
            loss = problem.loss(place, order)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        if with_closure:
            return self.optimizer.step(closure).item()  # type: ignore[arg-type,attr-defined,no-any-return]
        loss = closure()
        self.optimizer.step()
        return loss.item()

    def _schedule(self, loss: float) -> None:
        if isinstance(self.scheduler, optim.lr_scheduler.ReduceLROnPlateau):
            self.scheduler.step(loss)
        elif self.scheduler is not None:
            self.scheduler.step()


def _out_of_time(deadline: float) -> bool:
    return time.perf_counter() >= deadline or interruption.requested()


def _asks_for_closure(optimizer: optim.Optimizer) -> bool:
    """Whether `step` cannot do without a closure, as that of L-BFGS."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty
