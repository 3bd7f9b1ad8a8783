"""The epochs of a descent: steps on all rows at once, or batch by batch in random order.

Where the curvature of a loss knows no limit, and the step was chosen and not given, steps are `guarded`: one that was
too long is taken again at half its length, as all that follow.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.kernels import update
from torchlinear.kernels.descent import Epochs, Rule, Walk
from torchlinear.kernels.orders import permutations
from torchlinear.solvers.base import Budget, State
from torchlinear.solvers.descent_way import Way
from torchlinear.solvers.frame import Level
from torchlinear.summed import SummedObjective

if TYPE_CHECKING:
    from torchlinear.objective import Objective
    from torchlinear.solvers.descent import Descent

__all__ = ["ceiling", "guarded", "in_batches", "kept_of", "memory_of", "on_all_rows", "scalar"]

Array = NDArray[np.float64]

CALL_SECONDS = 0.02  # what one call of a kernel should take: it cannot be interrupted
TOGETHER = 2**20  # rows of the epochs that one call of a kernel may run
HALVINGS = 60  # of a step in one epoch
ROUNDING = 1e-12  # of the objective, relative
SEEN = 1e-8  # a step so long, relative, that the curvature along it is not rounding


def on_all_rows(solver: Descent, way: Way, state: State, budget: Budget) -> State:
    """Go on until the budget is used, a step for each epoch."""
    rule, walk, losses = solver.rule(way), _walk(state), []
    share, halves = float(state.memory["share"]), guarded(solver, way.objective)
    each = math.inf if halves else way.epoch_seconds
    for count in _calls(budget.epochs, budget.seconds, each):
        rates = solver.rates(state, count)
        done = way.epochs(rule, walk, share * rates)
        for _ in range(HALVINGS if halves else 0):
            if not _too_long(solver, way, state, walk, done, share * float(rates[0, 0])):
                break
            share /= 2.0
            done = way.epochs(rule, walk, share * rates)
        walk = done.walk
        losses.append(done.losses)
        state = replace(state, epoch=state.epoch + len(done.losses))
        if len(done.losses) < count or not np.isfinite(walk.theta).all():
            break
    return _reached(solver, way, state, walk, losses, share=scalar(share))


def in_batches(solver: Descent, way: Way, state: State, budget: Budget) -> State:
    """Go on until the budget is used, at a batch's end."""
    run, end = _Batches.of(solver, way, state), (state.epoch + budget.epochs, budget.cursor)
    for count in _calls(2**62, budget.seconds, way.batch_seconds):
        if (run.state.epoch, run.state.cursor) >= end:
            break
        whole = run.whole_epochs(end[0] - run.state.epoch, count)
        if not (run.epochs(whole) if whole > 1 else run.batches(count, end)):
            break
    return _reached(
        solver, way, run.state, run.walk, run.losses,
        generator=run.kept, total=run.total, before=run.before, share=run.share,
    )  # fmt: skip


@dataclass
class _Batches:
    """A descent in batches on its way.

    Attributes
    ----------
    solver, way, rule, state, walk
        What goes, and where it stands.
    generator : ndarray of uint32
        Of the order of the rows; see `kernels.orders`.
    share : Tensor, shape (1,)
        Of the chosen step, after halvings.
    total : Tensor, shape (1,)
        Sum of what the rows of this epoch cost so far.
    before, kept : Tensor
        Theta, and the state of the generator, where this epoch began.
    order : Tensor or None
        The rows of this epoch; None before its first batch.
    losses : list of array
        Of the epochs that are finished.
    """

    solver: Descent
    way: Way
    rule: Rule
    state: State
    walk: Walk
    generator: NDArray[np.uint32]
    share: Tensor
    total: Tensor
    before: Tensor
    kept: Tensor
    order: Tensor | None = None
    losses: list[Array] = field(default_factory=list)

    @classmethod
    def of(cls, solver: Descent, way: Way, state: State) -> _Batches:
        """From where a state stands."""
        kept = state.memory["generator"]
        generator = kept.numpy().view(np.uint32).copy()
        share, total, before = (state.memory[name] for name in ("share", "total", "before"))
        return cls(solver, way, solver.rule(way), state, _walk(state), generator, share, total, before, kept)

    @cached_property
    def n(self) -> int:
        """Rows."""
        n = self.way.objective.rows.n_rows
        assert n is not None
        return n

    @cached_property
    def size(self) -> int:
        """Rows of a batch."""
        assert self.solver.batch_size is not None
        return self.solver.batch_size

    @cached_property
    def guarded(self) -> bool:
        """Whether steps are halved where they are too long."""
        return guarded(self.solver, self.way.objective)

    @cached_property
    def quick(self) -> bool:
        """Whether a kernel runs several epochs in one call."""
        view = None if self.guarded else self.way.view
        return view is not None and view.apart is None

    def whole_epochs(self, left: int, count: int) -> int:
        """How many epochs one call may run, of those `left`, as `count` batches; 0 for none."""
        if not self.quick or self.order is not None or self.state.cursor:
            return 0
        return min(left, count // -(-self.n // self.size), TOGETHER // self.n)

    def epochs(self, many: int) -> bool:
        """Run whole epochs; False where coefficients grew beyond all bounds."""
        turns = self._orders(many)
        rates = float(self.share) * self.solver.rates(self.state, many)
        run = self.way.shuffled(self.rule, self.walk, rates, turns)
        lost = not np.isfinite(run.walk.theta).all()
        done = run.used // self.n - int(
            lost and run.used % self.n == 0
        )  # one that ends nowhere is not finished
        self.walk = run.walk
        self.losses.append(run.totals[:done] / self.n)
        self.state = replace(self.state, epoch=self.state.epoch + done, cursor=run.used - done * self.n)
        if lost:
            self.total = scalar(run.totals[done])
            return False
        self._begin()
        return True

    def batches(self, count: int, end: tuple[int, int]) -> bool:
        """Run up to `count` batches of one epoch; False where coefficients grew beyond all bounds."""
        if self.order is None:
            self.order = self._next_order()
        first, last = self.state.cursor, self.n if self.state.epoch < end[0] else end[1]
        rates = float(self.share) * self.solver.rates(self.state, 1)[0]
        stop = min(first + count * self.size, last)
        part = self.way.part(self.rule, self.walk, rates, self.order, first, stop, float(self.total))
        self.walk, self.total = part.walk, scalar(part.total)
        self.state = replace(self.state, cursor=part.cursor)
        lost = not np.isfinite(self.walk.theta).all()
        if self.guarded and (lost or self._lifted):
            self._take_back()
        elif lost:
            return False
        if self.state.cursor == self.n:
            self.losses.append(np.array([float(self.total) / self.n]))
            self.state = replace(self.state, epoch=self.state.epoch + 1, cursor=0)
            self.total, self.order = scalar(0.0), None
            self._begin()
        return True

    @property
    def _lifted(self) -> bool:
        """Whether the epoch is over and its rows cost more than the ceiling on average."""
        over = not float(self.total) / self.n <= float(self.state.memory["ceiling"])
        return self.state.cursor == self.n and over

    def _take_back(self) -> None:
        """Go back to where the epoch began, which counts, with steps of half the length from now on."""
        self.walk, self.share = Walk.start(self.before.numpy(), rows=1), self.share / 2.0
        self.total = scalar(self.n * self.way.objective.value(self.way.frame.coef(self.walk.theta)))
        self.state = replace(self.state, cursor=self.n)

    def _begin(self) -> None:
        self.kept, self.before = kept_of(self.generator), torch.from_numpy(self.walk.theta)

    def _next_order(self) -> Tensor:
        """The rows of the next epoch, or of this one where a step has ended in it: then they were drawn before."""
        if self.n > TOGETHER:
            return self._orders(1)
        order, after = _drawn(self.generator.tobytes(), self.n)
        self.generator[:] = after
        return order

    def _orders(self, many: int) -> Tensor:
        return torch.from_numpy(permutations(self.generator, self.n, many))


@lru_cache(maxsize=4)
def _drawn(generator: bytes, n: int) -> tuple[Tensor, NDArray[np.uint32]]:
    """An order of n rows, and the generator after it; the last few are kept, for many short steps of one epoch."""
    after = np.frombuffer(generator, dtype=np.uint32).copy()
    return torch.from_numpy(permutations(after, n, 1)), after


def guarded(solver: Descent, objective: Objective) -> bool:
    """Whether steps are halved where they are too long: the loss can bend more than it does at the start."""
    return solver.lr is None and objective.loss.bound is None


def ceiling(problem: SummedObjective, coef: Tensor, level: Level) -> float:
    """What the objective may rise to: above the start by what perfect predictors would lower it (about)."""
    return problem.value(coef) + problem.size**2 / (2.0 * problem.weight * float(level.bend.mean()))


def _too_long(solver: Descent, way: Way, state: State, before: Walk, done: Epochs, rate: float) -> bool:
    """Whether a step of all rows went up, or farther than the curvature along it lets momentum go."""
    if not np.isfinite(done.walk.theta).all():
        return True
    value, top, last = way.value(done.walk.theta), float(state.memory["ceiling"]), done.losses[-1]
    falls = _falls(solver)
    if not value <= (last + ROUNDING * (abs(last) + abs(top)) if falls else top):
        return True
    moved = done.walk.theta - before.theta
    if solver.code != update.SGD or falls or np.abs(moved).max() <= SEEN * np.abs(before.theta).max():
        return False
    bend = moved @ (way.slope(done.walk.theta) - done.walk.grad)
    return bool(rate * bend > moved @ moved)


def _falls(solver: Descent) -> bool:
    """Whether a short step always lowers the objective."""
    return solver.code == update.SGD and solver.options()["momentum"] == 0.0


def _reached(
    solver: Descent, way: Way, state: State, walk: Walk, losses: list[Array], **memory: Tensor
) -> State:
    trace = torch.from_numpy(np.concatenate([np.empty(0), *losses]))
    memory = {**state.memory, **memory, **memory_of(walk)}
    return replace(state, coef=solver.users(way, walk.theta), memory=memory, trace=trace)


def scalar(value: float) -> Tensor:
    """A number that a state can remember, shape (1,)."""
    return torch.tensor([value], dtype=torch.float64, device="cpu")


def kept_of(generator: NDArray[np.uint32]) -> Tensor:
    """A generator as a state remembers it."""
    return torch.from_numpy(generator.view(np.int32).copy())


def memory_of(walk: Walk) -> dict[str, Tensor]:
    """What a state remembers of a walk."""
    return {name: torch.from_numpy(getattr(walk, name)) for name in ("theta", "slots", "clock")}


def _walk(state: State) -> Walk:
    theta, slots, clock = (state.memory[name].numpy() for name in ("theta", "slots", "clock"))
    return Walk(theta, slots, clock, np.zeros(theta.size))


def _calls(units: int, seconds: float, unit_seconds: float) -> Iterator[int]:
    """Yield how many units of work each call of a kernel should do, until units or seconds are used up."""
    end, each = time.perf_counter() + seconds, max(1, int(CALL_SECONDS / unit_seconds))
    while units > 0:
        yield min(each, units)
        units -= each
        if time.perf_counter() >= end:
            return
