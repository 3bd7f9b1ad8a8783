"""Descent: one loop for the whole family. The rule says what a step does, `batch_size` how many rows it sees.

With `lr`, parameters are in the user's units and the trajectory is that of `torch.optim` on
``mean((y - eta)^2)`` plus the penalty, with batches in the order of
``torch.randperm(n, generator=g).split(batch_size)``, where ``g = torch.Generator().manual_seed(seed)``.
Without, columns and targets are standardised inside, the intercept starts at its best, and the rule takes its
step from the curvature (`rules`).

On all rows at once an epoch is computed from the second moments, whatever the number of rows.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.kernels import update
from torchlinear.kernels.descent import Rule, Walk, full_batch, spans_of
from torchlinear.rows import Rows, TensorRows
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.descent_batches import batches, descend, steepest_row
from torchlinear.solvers.frame import Frame, Spectrum, quadratic, spectrum

if TYPE_CHECKING:
    from torchlinear.objective import Objective
    from torchlinear.quadratic import QuadraticObjective

__all__ = ["Descent"]

Array = NDArray[np.float64]

FULL_BATCH_EPOCHS, MINI_BATCH_EPOCHS = 1_000, 100  # unless told
CALL_SECONDS = 0.02  # what one call of a kernel should take: it cannot be interrupted
LONGEST_ORDER = 2**31 - 1  # rows are numbered in int32, which halves the time of a permutation


@dataclass(frozen=True)
class Descent(Solver):
    """What the descent family shares.

    Parameters
    ----------
    lr : float, optional
        Learning rate. With it, units are the user's and the trajectory is torch's; without, columns are
        standardised inside and the step is chosen from the curvature.
    weight_decay, maximize
        As in `torch.optim`. Weight decay pulls at the intercept too; a penalty does not.
    batch_size : int, optional
        Rows of a step; all of them by default.
    epochs : int
        Passes over the rows when the fit sets no limit, and the horizon of a step that shrinks; by default
        1,000, or 100 with `batch_size`.
    seed : int
        Of the order of the rows.
    """

    lr: float | None = None
    _: KW_ONLY
    weight_decay: float = 0.0
    maximize: bool = False
    batch_size: int | None = None
    epochs: int = 0
    seed: int = 0

    code: ClassVar[int]
    follows_curvature: ClassVar[bool] = False
    """Whether `chosen_rates` reads more of the `Spectrum` than its `steps`."""

    def __post_init__(self) -> None:
        if self.epochs == 0:
            epochs = FULL_BATCH_EPOCHS if self.batch_size is None else MINI_BATCH_EPOCHS
            object.__setattr__(self, "epochs", epochs)
        for name in ("batch_size", "epochs"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InvalidInput(
                    f"{self._called}.{name} takes a whole number of at least 1, got {value!r}."
                )
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not (np.isfinite(value) and value >= 0):
                raise InvalidInput(
                    f"{self._called}.{field.name} takes a finite number of at least 0, got {value!r}."
                )

    @property
    def _called(self) -> str:
        return type(self).__name__

    @abstractmethod
    def chosen_rates(self, found: Spectrum, epoch: Array) -> Array:
        """Return the learning rate of each epoch, in standardised units, when the user gives none."""

    @abstractmethod
    def chosen_by(self) -> str:
        """Say how `chosen_rates` chooses, in a few words."""

    def options(self) -> dict[str, float]:
        """Return the hyper-parameters by the names of `update.HYPER`."""
        return {
            f.name: float(v)
            for f in fields(self)
            if isinstance(v := getattr(self, f.name), (bool, int, float))
        }

    def describe(self, objective: Objective) -> str:
        """Say what runs, in one sentence."""
        some = "one row" if self.batch_size == 1 else f"{self.batch_size} rows"
        rows = "all rows" if self._all_rows(objective.rows) else some
        if self.lr is not None:
            return f"{self.name}: {rows} a step, lr={self.lr:g} in your units, the trajectory of torch.optim"
        return f"{self.name}: {rows} a step, columns standardised inside, lr {self.chosen_by()}"

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        if objective.loss.name != "squared":
            return f"the descent family minimises squared loss so far, not {objective.loss.name}; use loss='squared'."
        if not objective.smooth:
            return (
                f"the descent family needs a smooth penalty, not {objective.asked}; "
                "use solver='coordinate' or 'auto'."
            )
        if not self._all_rows(objective.rows):
            if not isinstance(objective.rows, TensorRows):
                return (
                    "batches in random order need the rows in memory; leave batch_size out (then one pass "
                    "over the file is enough), or give tensors, arrays or a frame."
                )
            if len(objective.rows.X) > LONGEST_ORDER:
                return "batches take at most 2**31 - 1 rows; leave batch_size out."
        return None

    def init(self, problem: QuadraticObjective, coef: Tensor) -> State:
        """State before the first step."""
        frame = self._frame(problem)
        theta = frame.theta(coef)
        if self.lr is None and problem.intercept:
            theta[-problem.n_outputs :] = 0.0  # its best for any slopes, which may be many steps away
        walk = Walk.start(theta, rows=1)
        if self.code == update.ADAGRAD:
            walk.slots[0] = self.options()["initial_accumulator_value"]
        memory = _memory(walk)
        if not self._all_rows(problem.rows):
            memory["generator"] = torch.Generator().manual_seed(self.seed).get_state()
            memory["total"] = torch.zeros(1, dtype=torch.float64, device="cpu")
        if self.lr is None:
            memory["spectrum"] = self._spectrum(problem, frame)
        return State(frame.coef(theta), memory=memory)

    def step(self, problem: QuadraticObjective, state: State, budget: Budget) -> State:
        """Go on until the budget is used, at a batch's end."""
        frame = self._frame(problem)
        advance = self._full_batch if self._all_rows(problem.rows) else self._mini_batch
        return advance(problem, frame, state, budget)

    def rates(self, state: State, epochs: int) -> Array:
        """Return the learning rates of the next epochs, shape (epochs, 1)."""
        if self.lr is not None:
            return np.full((epochs, 1), self.lr)
        top, bottom, rough, steps = state.memory["spectrum"].tolist()
        epoch = np.arange(state.epoch, state.epoch + epochs, dtype=np.float64)
        rates = self.chosen_rates(Spectrum(top, bottom, rough, int(steps)), epoch)
        return np.ascontiguousarray(np.broadcast_to(rates, epoch.shape)[:, None])

    def line(self, epoch: Array) -> Array:
        """Return the share of the first step that is left at each epoch: a line down to 0 at `epochs`.

        Source: Defazio, Cutkosky, Mehta, Mishchenko 2023, "Optimal linear decay learning rate schedules and
        further refinements".
        """
        return np.maximum(1.0 - epoch / self.epochs, 1.0 / self.epochs)

    def _full_batch(self, problem: QuadraticObjective, frame: Frame, state: State, budget: Budget) -> State:
        form = quadratic(problem.factor, frame, problem.ridge(2.0), 1.0 / problem.factor.weight)
        rule, walk, losses = self._rule(problem), _walk(state), []
        p, k = problem.n_features, problem.n_outputs
        epoch_seconds = 2e-7 + k * p * (3e-10 * p + 1e-8)  # measured: 20 features cost 0.3 us
        for count in _calls(budget.epochs, budget.seconds, epoch_seconds):
            done = full_batch(form, rule, walk, self.rates(state, count))
            walk = done.walk
            losses.append(done.losses)
            state = replace(state, epoch=state.epoch + len(done.losses))
            if len(done.losses) < count or not np.isfinite(walk.theta).all():
                break
        return replace(
            state, coef=frame.coef(walk.theta), memory={**state.memory, **_memory(walk)}, trace=_trace(losses)
        )

    def _mini_batch(self, problem: QuadraticObjective, frame: Frame, state: State, budget: Budget) -> State:
        rows, size = problem.rows, self.batch_size
        assert isinstance(rows, TensorRows)  # `refusal` has seen to it
        assert size is not None
        n, last_epoch = len(rows.X), state.epoch + budget.epochs
        rule, walk, losses = self._rule(problem), _walk(state), []
        generator = torch.Generator()
        generator.set_state(state.memory["generator"])
        total, order, kept = float(state.memory["total"]), None, state.memory["generator"]
        row_seconds = 6e-8 + 2e-9 * problem.n_features * problem.n_outputs * (1.0 + 4.0 / size)
        view = batches(rows, frame, problem.ridge(2.0), size)
        for count in _calls(2**62, budget.seconds, row_seconds * size):
            if order is None:
                order = torch.randperm(n, generator=generator, dtype=torch.int32, device="cpu")
            goal = budget.rows if state.epoch == last_epoch else n
            stop = min(state.cursor + count * size, -(-goal // size) * size, n)
            part = descend(view, rule, walk, self.rates(state, 1)[0], order, state.cursor, stop, total)
            walk, total = part.walk, part.total
            state = replace(state, cursor=part.cursor)
            if not np.isfinite(walk.theta).all():
                break
            if state.cursor == n:
                losses.append(np.array([total / n]))
                state, total, order = replace(state, epoch=state.epoch + 1, cursor=0), 0.0, None
                kept = generator.get_state()
            if state.epoch == last_epoch and state.cursor >= budget.rows:
                break
        memory = {
            "generator": kept,
            "total": torch.tensor([total], dtype=torch.float64, device="cpu"),
            **_memory(walk),
        }
        return replace(
            state, coef=frame.coef(walk.theta), memory={**state.memory, **memory}, trace=_trace(losses)
        )

    def _all_rows(self, rows: Rows) -> bool:
        return self.batch_size is None or (rows.n_rows is not None and self.batch_size >= rows.n_rows)

    def _frame(self, problem: QuadraticObjective) -> Frame:
        if self.lr is not None:
            return Frame.users(problem.n_features, problem.n_outputs)
        return Frame.standardised(problem.factor, problem.ridge(2.0))

    def _spectrum(self, problem: QuadraticObjective, frame: Frame) -> Tensor:
        found = spectrum(quadratic(problem.factor, frame, problem.ridge(2.0), 1.0 / problem.factor.weight))
        if self._all_rows(problem.rows):
            return torch.tensor(
                [found.top, found.bottom, found.rough, 1.0], dtype=torch.float64, device="cpu"
            )
        assert isinstance(problem.rows, TensorRows)
        assert self.batch_size is not None
        n, b, rough = len(problem.rows.X), self.batch_size, found.top
        if self.follows_curvature:
            steepest = steepest_row(problem.rows, frame, problem.intercept)
            rough = (n * (b - 1) * found.top + (n - b) * steepest) / (b * (n - 1.0))
        return torch.tensor([found.top, found.bottom, rough, -(-n // b)], dtype=torch.float64, device="cpu")

    def _rule(self, problem: QuadraticObjective) -> Rule:
        options = self.options()
        hyper = np.zeros((1, 8))
        names = ("lr", "weight_decay", "maximize", *update.HYPER[self.code])
        hyper[0, : len(names)] = [options.get(name, 0.0) for name in names]
        k, p = problem.n_outputs, problem.n_features
        group = np.zeros(k * (p + 1), dtype=np.int64)
        if not problem.intercept:
            group[k * p :] = -1
        return Rule(self.code, hyper, spans_of(group))


def _walk(state: State) -> Walk:
    theta, slots, clock = (state.memory[name].numpy() for name in ("theta", "slots", "clock"))
    return Walk(theta, slots, clock, np.zeros(theta.size))


def _memory(walk: Walk) -> dict[str, Tensor]:
    return {name: torch.from_numpy(getattr(walk, name)) for name in ("theta", "slots", "clock")}


def _trace(losses: list[Array]) -> Tensor:
    return torch.from_numpy(np.concatenate([np.empty(0), *losses]))


def _calls(units: int, seconds: float, unit_seconds: float) -> Iterator[int]:
    """Yield how many units of work each call of a kernel should do, until units or seconds are used up."""
    end, each = time.perf_counter() + seconds, max(1, int(CALL_SECONDS / unit_seconds))
    while units > 0:
        yield min(each, units)
        units -= each
        if time.perf_counter() >= end:
            return
