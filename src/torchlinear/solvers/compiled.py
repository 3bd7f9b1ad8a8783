"""Compiled: what `Eager` does, for one affine map and a known loss, in the kernels of the descent family.

As with `Eager`, what is trained lives in the module, the optimiser and the scheduler: every step reads on
where the last one stopped, and leaves them as torch's own loop would.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, optim

from torchlinear import interruption
from torchlinear.kernels.descent import Walk
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.compiled_rows import CompiledRows
from torchlinear.solvers.optimizers import Translation, write_back

if TYPE_CHECKING:
    from torchlinear.objective import Objective
    from torchlinear.training.modules import Batching

__all__ = ["Compiled"]

Array = NDArray[np.float64]

CALL_SECONDS = 0.02  # what one call of a kernel should take: it cannot be interrupted
SCHEDULER_SECONDS = 1e-5  # measured: one step of a scheduler


@dataclass(frozen=True, slots=True)
class Compiled(Solver):
    """Train one affine map as `Eager` would.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        One that the kernels know.
    scheduler : torch.optim.lr_scheduler.LRScheduler, optional
        Stepped after every epoch; changes nothing but learning rates.
    translation : Translation
        Module and optimiser as kernel arguments.
    """

    optimizer: optim.Optimizer
    scheduler: optim.lr_scheduler.LRScheduler | None
    translation: Translation
    name: ClassVar[str] = "compiled"

    def refusal(self, objective: Objective) -> str | None:
        """Why not, always: this solver is for modules."""
        return "compiled trains modules, by tl.train; tl.fit has the descent family under its own names."

    def init(self, problem: CompiledRows, coef: Tensor) -> State:
        """State before the first step."""
        walk = self.translation.walk
        return State(problem.frame.coef(walk.theta), memory=_memory(walk, 0.0, None))

    def step(self, problem: CompiledRows, state: State, budget: Budget) -> State:
        """Train until the budget is used or the parameters stop being finite; ends between batches."""
        if hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            self.optimizer._opt_called = True  # type: ignore[attr-defined]  # schedulers want to know
        go_on = self._epochs if problem.by_epochs else self._batches
        after = go_on(problem, state, budget)
        walk = _walk(after)
        write_back(self.optimizer, self.translation, walk)
        trace = after.trace.float().double() if self.translation.rule.single else after.trace
        return replace(after, coef=problem.frame.coef(walk.theta), trace=trace)

    def _epochs(self, problem: CompiledRows, state: State, budget: Budget) -> State:
        walk, losses = _walk(state), [np.empty(0)]
        seconds = problem.epoch_seconds + SCHEDULER_SECONDS * bool(self.scheduler)
        for count in _calls(budget.epochs, budget.seconds, seconds):
            before = self._remember()
            done = problem.epochs(self.translation.rule, walk, self._rates_ahead(count))
            walk = done.walk
            losses.append(done.losses)
            if len(done.losses) < count:
                self._rewind(before, len(done.losses))
                break
        trace = np.concatenate(losses)
        return State(
            state.coef,
            state.epoch + len(trace),
            memory=_memory(walk, 0.0, None),
            trace=torch.from_numpy(trace),
        )

    def _batches(self, problem: CompiledRows, state: State, budget: Budget) -> State:
        walk, losses = _walk(state), list[float]()
        batching, cursor, total = problem.batching, state.cursor, float(state.memory["total"])
        order = state.memory.get("order")
        n = batching.n_rows
        for count in _calls(2**62, budget.seconds, problem.batch_seconds):
            if cursor == 0:
                order, total = _order(batching), 0.0
            stop = min(cursor + count * batching.size, n)
            rates = self.translation.rates(self.optimizer)
            assert order is not None
            part = problem.part(self.translation.rule, walk, rates, order, cursor, stop, total)
            walk, cursor, total = part.walk, part.cursor, part.total
            if cursor == n:
                cursor = 0
                losses.append(total / n)
                if self.scheduler is not None:
                    self.scheduler.step()
            if len(losses) == budget.epochs or not np.isfinite(walk.theta).all():
                break
        return State(
            state.coef,
            state.epoch + len(losses),
            cursor,
            memory=_memory(walk, total, order if cursor else None),
            trace=torch.tensor(losses, dtype=torch.float64, device="cpu"),
        )

    def _rates_ahead(self, epochs: int) -> Array:
        """Learning rates of the next epochs, shape (epochs, G); the scheduler is stepped through them."""
        if self.scheduler is None:
            return np.tile(self.translation.rates(self.optimizer), (epochs, 1))
        rates = []
        for _ in range(epochs):
            rates.append(self.translation.rates(self.optimizer))
            self.scheduler.step()
        return np.array(rates)

    def _remember(self) -> tuple[dict[str, Any], list[Any]] | None:
        if self.scheduler is None:
            return None
        return copy.deepcopy(self.scheduler.state_dict()), [
            group["lr"] for group in self.optimizer.param_groups
        ]

    def _rewind(self, before: tuple[dict[str, Any], list[Any]] | None, epochs: int) -> None:
        """Put the scheduler back to `before`, and step it through `epochs`."""
        if before is None or self.scheduler is None:
            return
        self.scheduler.load_state_dict(before[0])
        for group, lr in zip(self.optimizer.param_groups, before[1]):
            group["lr"] = lr
        self._rates_ahead(epochs)


def _order(batching: Batching) -> Tensor:
    """Rows in the order of a new epoch, int32 as the kernel takes them."""
    order = batching.order(torch.int32)
    return torch.arange(batching.n_rows, dtype=torch.int32, device="cpu") if order is None else order.cpu()


def _walk(state: State) -> Walk:
    return Walk(*(state.memory[name].numpy() for name in ("theta", "slots", "clock", "grad")))


def _memory(walk: Walk, total: float, order: Tensor | None) -> dict[str, Tensor]:
    arrays = {name: torch.from_numpy(getattr(walk, name)) for name in ("theta", "slots", "clock", "grad")}
    memory = {**arrays, "total": torch.tensor(total, dtype=torch.float64, device="cpu")}
    return memory if order is None else {**memory, "order": order}


def _calls(units: int, seconds: float, unit_seconds: float) -> Iterator[int]:
    """Units of work for each call of a kernel, until units or seconds are used up, or Ctrl-C."""
    end, each = time.perf_counter() + seconds, max(1, int(CALL_SECONDS / unit_seconds))
    while units > 0:
        yield min(each, units)
        units -= each
        if time.perf_counter() >= end or interruption.requested():
            return
