"""One runner on the course: its solver through `loop.run`, stopped at every mark, timed without its spectators."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.api import HOVERING
from torchlinear.block import Block
from torchlinear.engines.base import Loaded, Summable
from torchlinear.loop import History, Limits, Status, run
from torchlinear.objective import Objective
from torchlinear.racing.judge import Judge
from torchlinear.racing.marks import Marks
from torchlinear.racing.records import Frames
from torchlinear.rows import Rows
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.descent import Descent
from torchlinear.solvers.saga import SAGA

__all__ = ["Counted", "Course", "Run", "Watch", "rises"]

T = TypeVar("T", bound=Summable)

FLUSH_SECONDS, FLUSH_FRAMES = 0.05, 256  # how often frames are handed on
CONVERGED = 1e-8  # certificate, as of a fit
# A run that ended above its start diverged only where noise about a start which was nearly the optimum cannot bring
# it: to such a certificate, or to a gap so many times that of the quarter before its second half.
ASTRAY, RISES = 0.5, 10.0


class _Stopped(Exception):
    """The callback asked for the end of the race."""


class Counted(Loaded):
    """Rows that count how often they were summed over."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded, self.rows, self.passes = loaded, loaded.rows, 0

    def sum(self, function: Callable[..., T], *args: Any) -> T:
        """Sum over the rows: a pass."""
        self.passes += 1
        return self.loaded.sum(function, *args)

    def first(self) -> Block | None:
        """The first block."""
        return self.loaded.first()


@dataclass
class Watch(Solver):
    """A solver with a stopwatch that ends its steps at marks.

    Attributes
    ----------
    solver : Solver
        Who runs.
    marks : Marks or None
        Where steps end; after each iteration without.
    seconds : float
        What its steps took.
    """

    solver: Solver
    marks: Marks | None
    seconds: float = 0.0
    name: ClassVar[str] = "watch"

    def refusal(self, objective: Objective) -> str | None:
        """That of the solver."""
        return self.solver.refusal(objective)

    def init(self, problem: Any, coef: Tensor) -> State:
        """State before the first step."""
        began = time.perf_counter()
        state = self.solver.init(problem, coef)
        self.seconds += time.perf_counter() - began
        return state

    def step(self, problem: Any, state: State, budget: Budget) -> State:
        """Go on to the next mark, as far as `budget` allows."""
        part = Budget(1, budget.seconds) if self.marks is None else self.marks.budget(state, budget)
        began = time.perf_counter()
        state = self.solver.step(problem, state, part)
        self.seconds += time.perf_counter() - began
        return state


@dataclass(frozen=True)
class Run:
    """What came of a run: its frames, its status and the solver's last memory; whether the callback ended it."""

    frames: Frames
    status: Status
    state: State
    stopped: bool = False


@dataclass
class Course:
    """Where runners run, and who watches.

    Attributes
    ----------
    objective : callable
        Makes the objective of a solver anew, on rows that count their passes.
    judge : Judge
        Says loss and gap.
    users : callable
        Turns coefficients (f, p + 1, k) of the race's units into those of the user's.
    start : Tensor, shape (p + 1, k)
        Where they start, in the units of the race.
    limits : Limits
        When they end.
    frames : int
        How many frames of each are taken at most.
    callback : callable, optional
        Called with a runner's name and its new `Frames`; when it returns False the race ends.
    """

    objective: Callable[[Solver], Objective]
    judge: Judge
    users: Callable[[Tensor], Tensor]
    start: Tensor
    limits: Limits
    frames: int
    callback: Callable[[str, Frames], Any] | None = None

    def run(self, name: str, solver: Solver) -> Run:
        """Let one solver run."""
        problem = self.objective(solver)
        watch = Watch(solver, self._marks(solver, problem.rows))
        film = Film(self, name, problem, watch)
        film.take(State(self.start))
        try:
            outcome = run(
                problem, watch, self.start,
                stop=lambda state: state.done and problem.certificate(state.coef) <= CONVERGED,
                limits=self.limits, report=film.report,
            )  # fmt: skip
            film.end(outcome.state)
        except _Stopped:
            return Run(film.frames, Status.INTERRUPTED, State(self.start), stopped=True)
        return Run(film.frames, self._status(outcome.status, outcome.state, problem, film), outcome.state)

    def _marks(self, solver: Solver, rows: Rows) -> Marks | None:
        if not isinstance(solver, Descent):
            return None
        batch = solver.batch_size
        whole = rows.n_rows is None or batch is None or batch >= rows.n_rows
        return Marks.of(
            self.limits.epochs, self.judge.frames(self.frames), 1 if whole else rows.n_rows or 1,
            None if whole else batch,
        )  # fmt: skip

    def _status(self, status: Status, state: State, problem: Objective, film: Film) -> Status:
        """`status`, unless the frames know better: whether the run ended astray, or at the optimum."""
        if status not in (Status.BUDGET_USED, Status.TIME_LIMIT):
            return status
        if not math.isfinite(film.last):
            return Status.DIVERGED
        left = problem.certificate(state.coef)
        if film.last > 1.0 and left > (HOVERING if rises(film.frames) else ASTRAY):
            return Status.DIVERGED
        return Status.CONVERGED if left <= CONVERGED else status


def _late(frames: Frames) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The gaps of the second half of the passes, and of the quarter before."""
    passes, gap = frames.passes.numpy(), frames.gap.numpy()
    half = passes[-1] / 2.0
    return gap[passes > half], gap[(passes > half / 2.0) & (passes <= half)]


def rises(frames: Frames) -> bool:
    """Whether the gap still grows at the end; so it seems of few frames, too."""
    after, before = _late(frames)
    return min(len(after), len(before)) < 5 or bool(np.median(after) >= RISES * np.median(before))


@dataclass
class Film:
    """The frames of a run while it goes on."""

    course: Course
    name: str
    problem: Objective
    watch: Watch
    last: float = 1.0
    _moment: tuple[int, int] = (0, 0)
    _parts: list[Frames] = field(default_factory=list)
    _passes: list[float] = field(default_factory=list)
    _seconds: list[float] = field(default_factory=list)
    _coef: list[Tensor] = field(default_factory=list)
    _flushed: float = field(default_factory=time.perf_counter)

    def report(self, state: State, _history: History) -> None:
        """Take a frame if a mark is reached; hand frames on now and then."""
        marks = self.watch.marks
        if marks is None or (state.epoch, state.cursor) in marks or not torch.isfinite(state.coef).all():
            self.take(state)
        full = len(self._passes) >= FLUSH_FRAMES
        if full or (self.course.callback is not None and time.perf_counter() - self._flushed > FLUSH_SECONDS):
            self.flush()

    def take(self, state: State) -> None:
        """Keep a frame."""
        self._moment = state.epoch, state.cursor
        self._passes.append(self._at(state))
        self._seconds.append(self.watch.seconds)
        self._coef.append(state.coef)

    def end(self, state: State) -> None:
        """Keep where the run ended, between two marks perhaps, and hand on what is left."""
        if (state.epoch, state.cursor) != self._moment:
            self.take(state)
        self.flush()

    def flush(self) -> None:
        """Judge the new frames and hand them on."""
        if not self._passes:
            return
        inside = torch.stack(self._coef).double()
        judge = self.course.judge
        heights = judge.heights(inside)
        frames = Frames(
            torch.tensor(self._passes, dtype=torch.float64),
            torch.tensor(self._seconds, dtype=torch.float64),
            torch.from_numpy(heights.loss),
            torch.from_numpy(judge.gap(heights.excess)),
            self.course.users(inside),
        )
        self._parts.append(frames)
        self.last = float(frames.gap[-1])
        self._passes, self._seconds, self._coef = [], [], []
        self._flushed = time.perf_counter()
        if self.course.callback is not None and self.course.callback(self.name, frames) is False:
            raise _Stopped

    @property
    def frames(self) -> Frames:
        """All that were judged."""
        parts = ("passes", "seconds", "loss", "gap", "coef")
        return Frames(*(torch.cat([getattr(part, name) for part in self._parts]) for name in parts))

    def _at(self, state: State) -> float:
        """Passes over the rows: of steps along rows their epochs, whatever computes them; else what was counted."""
        if self.watch.marks is not None:
            return state.epoch + (state.cursor / self.problem.rows.n_rows if state.cursor else 0.0)  # type: ignore[operator]
        if isinstance(self.watch.solver, SAGA):
            return state.epoch + 1.0 if state.epoch else 0.0  # the first pass fills its memory
        loaded = self.problem.loaded
        assert isinstance(loaded, Counted)
        return float(loaded.passes)
