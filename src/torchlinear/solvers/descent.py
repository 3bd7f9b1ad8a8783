"""Descent: one loop for the whole family. The rule says what a step does, `batch_size` how many rows it sees.

With `lr`, parameters are in the user's units and the trajectory is that of `torch.optim` on the mean loss plus the
penalty, with batches in the order of ``torch.randperm(n, generator=g).split(batch_size)``, where
``g = torch.Generator().manual_seed(seed)``. Without, columns (and the targets of a squared loss) are standardised
inside, the intercept starts at its best, and the rule takes its step from the curvature (`rules`): the largest that
the loss can have, or, where that knows no limit, twice that of the start. There a step is taken again at half its
length, and those that follow have that length too, where the objective would rise (of a rule that does not fall
steadily: above its level at the start), or the curvature along it was too large for momentum.

Where coefficients have a price per absolute value, each update is followed by its proximal step
(`kernels.update.shrink`), so that they become exactly zero; the intercept has none.

On all rows at once an epoch of squared loss is computed from the second moments, whatever the number of rows.
"""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.kernels import update
from torchlinear.kernels.descent import Epochs, Part, Rule, Walk, spans_of
from torchlinear.penalties.separable import Separable
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import Rows
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.descent_losses import inside, level_of
from torchlinear.solvers.descent_way import Way, picks
from torchlinear.solvers.descent_ways import way_of
from torchlinear.solvers.frame import Level, Spectrum
from torchlinear.solvers.schedules import Schedule, factors, named
from torchlinear.summed import SummedObjective
from torchlinear.wide.objective import WideObjective

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["Descent"]

Array = NDArray[np.float64]

FULL_BATCH_EPOCHS, MINI_BATCH_EPOCHS = 1_000, 100  # unless told
CALL_SECONDS = 0.02  # what one call of a kernel should take: it cannot be interrupted
LONGEST_ORDER = 2**31 - 1  # rows are numbered in int32, which halves the time of a permutation
TOGETHER = 2**20  # rows of the epochs that one call of a kernel may run
MOST_FEATURES = 10_000  # whose matrix of second derivatives takes 0.8 GB
HALVINGS = 60  # of a step in one epoch
ROUNDING = 1e-12  # of the objective, relative
SEEN = 1e-8  # a step so long, relative, that the curvature along it is not rounding


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
    schedule : {"constant", "step", "cosine", "1/t"} or callable
        What `lr` is multiplied by in each epoch e of E `epochs`: 1; a tenth after each third of them;
        ``(1 + cos(pi e / E)) / 2``; ``1 / (1 + e)``; or what the callable returns for e.
    """

    lr: float | None = None
    _: KW_ONLY
    weight_decay: float = 0.0
    maximize: bool = False
    batch_size: int | None = None
    epochs: int = 0
    seed: int = 0
    schedule: Schedule = "constant"

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
        named(self._called, self.schedule)
        if self.schedule != "constant" and self.lr is None:
            raise InvalidInput(
                f"{self._called}.schedule is of a learning rate that you choose, got lr=None; give lr, or leave "
                "the schedule out."
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
            schedule = "" if self.schedule == "constant" else f" times {named(self._called, self.schedule)}"
            return f"{self.name}: {rows} a step, lr={self.lr:g}{schedule} in your units, the trajectory of torch.optim"
        halved = ", halved where the objective rises" if self._guarded(objective) else ""
        return f"{self.name}: {rows} a step, columns standardised inside, lr {self.chosen_by()}{halved}"

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        loss, penalty, rows = objective.loss, objective.asked, objective.rows
        if not loss.smooth:
            return f"the descent family follows a slope, and {loss.name} loss has kinks; use solver='auto'."
        if penalty is not None and (not isinstance(penalty, Separable) or objective.bounded):
            return f"the descent family takes L1, L2 and elastic net, not {penalty}; use solver='auto'."
        if not objective.smooth and (self.maximize or isinstance(objective, WideObjective)):
            why = "to be maximised" if self.maximize else "and more columns than rows"
            return f"the descent family does not take {penalty} {why}; use solver='coordinate' or 'auto'."
        if self._all_rows(rows):
            return self._refused_width(objective)
        if not picks(rows):
            return (
                "batches in random order need the rows in memory; leave batch_size out, or use tensors, arrays or "
                "a frame."
            )
        if (rows.n_rows or 0) > LONGEST_ORDER:
            return "batches take at most 2**31 - 1 rows; leave batch_size out."
        return self._refused_width(objective)

    def _refused_width(self, objective: Objective) -> str | None:
        if self.lr is None and self.follows_curvature and objective.n_features > MOST_FEATURES:
            return (
                f"{self.name} chooses lr for up to {MOST_FEATURES:,} columns; give lr, or use solver='adam'."
            )
        return None

    def init(self, problem: Any, coef: Tensor) -> State:
        """State before the first step."""
        memory, quadratic = {}, isinstance(problem, QuadraticObjective)
        coef = coef if quadratic else inside(problem, coef)
        if self.lr is None and not quadratic:
            level = level_of(problem, coef)
            memory["level"] = torch.from_numpy(np.stack([level.bend, level.reach]))
            memory["ceiling"] = _scalar(_ceiling(problem, coef, level))
        way = self._way(problem, memory)
        theta = way.frame.theta(coef)
        if self.lr is None and quadratic and problem.intercept:
            theta[-problem.n_outputs :] = 0.0  # its best for any slopes, which may be many steps away
        walk = Walk.start(theta, rows=1)
        if self.code == update.ADAGRAD:
            walk.slots[0] = self.options()["initial_accumulator_value"]
        memory |= {**_memory(walk), "share": _scalar(1.0)}
        if not self._all_rows(problem.rows):
            memory["generator"] = torch.Generator().manual_seed(self.seed).get_state()
            memory["total"] = _scalar(0.0)
            memory["before"] = memory["theta"]
        if self.lr is None:
            memory["spectrum"] = self._spectrum(way)
        return State(self._users(way, theta), memory=memory)

    def step(self, problem: Any, state: State, budget: Budget) -> State:
        """Go on until the budget is used, at a batch's end."""
        advance = self._full_batch if self._all_rows(problem.rows) else self._mini_batch
        return advance(self._way(problem, state.memory), state, budget)

    def rates(self, state: State, epochs: int) -> Array:
        """Return the learning rates of the next epochs, shape (epochs, 1)."""
        epoch = np.arange(state.epoch, state.epoch + epochs, dtype=np.float64)
        if self.lr is not None:
            rates = self.lr * factors(self._called, self.schedule, epoch, self.epochs)
        else:
            top, bottom, rough, steps, constant = state.memory["spectrum"].tolist()
            found = Spectrum(top, bottom, rough, int(steps), bool(constant))
            rates = self.chosen_rates(found, epoch)
        return np.ascontiguousarray(np.broadcast_to(rates, epoch.shape)[:, None])

    def line(self, epoch: Array) -> Array:
        """Return the share of the first step that is left at each epoch: a line down to 0 at `epochs`.

        Source: Defazio, Cutkosky, Mehta, Mishchenko 2023, "Optimal linear decay learning rate schedules and
        further refinements".
        """
        return np.maximum(1.0 - epoch / self.epochs, 1.0 / self.epochs)

    def _full_batch(self, way: Way, state: State, budget: Budget) -> State:
        rule, walk, losses = self._rule(way), _walk(state), []
        share, guarded = float(state.memory["share"]), self._guarded(way.objective)
        each = math.inf if guarded else way.epoch_seconds
        for count in _calls(budget.epochs, budget.seconds, each):
            rates = self.rates(state, count)
            done = way.epochs(rule, walk, share * rates)
            for _ in range(HALVINGS if guarded else 0):
                if not self._too_long(way, state, walk, done, share * float(rates[0, 0])):
                    break
                share /= 2.0
                done = way.epochs(rule, walk, share * rates)
            walk = done.walk
            losses.append(done.losses)
            state = replace(state, epoch=state.epoch + len(done.losses))
            if len(done.losses) < count or not np.isfinite(walk.theta).all():
                break
        return self._reached(way, state, walk, losses, share=_scalar(share))

    def _mini_batch(self, way: Way, state: State, budget: Budget) -> State:
        n, size, end = (
            way.objective.rows.n_rows,
            self.batch_size,
            (state.epoch + budget.epochs, budget.cursor),
        )
        assert n is not None
        assert size is not None
        rule, walk, losses = self._rule(way), _walk(state), []
        share, guarded = state.memory["share"], self._guarded(way.objective)
        generator = torch.Generator()
        generator.set_state(state.memory["generator"])
        total, before, kept = (state.memory[name] for name in ("total", "before", "generator"))
        order, view = None, None if guarded else way.view
        quick = view is not None and view.apart is None
        for count in _calls(2**62, budget.seconds, way.batch_seconds):
            if (state.epoch, state.cursor) >= end:
                break
            many = min(end[0] - state.epoch, count // -(-n // size), TOGETHER // n)
            if quick and many > 1 and order is None and state.cursor == 0:
                turns = [
                    torch.randperm(n, generator=generator, dtype=torch.int32, device="cpu")
                    for _ in range(many)
                ]
                run = way.shuffled(rule, walk, float(share) * self.rates(state, many), torch.cat(turns))
                walk, lost = run.walk, not np.isfinite(run.walk.theta).all()
                done = run.used // n - int(
                    lost and run.used % n == 0
                )  # an epoch that ends nowhere is not finished
                losses.append(run.totals[:done] / n)
                state = replace(state, epoch=state.epoch + done, cursor=run.used - done * n)
                if lost:
                    total = _scalar(run.totals[done])
                    break
                kept, before = generator.get_state(), torch.from_numpy(walk.theta)
                continue
            if order is None:
                order = torch.randperm(n, generator=generator, dtype=torch.int32, device="cpu")
            last = n if state.epoch < end[0] else end[1]
            stop = min(state.cursor + count * size, last)
            rates = float(share) * self.rates(state, 1)[0]
            part = way.part(rule, walk, rates, order, state.cursor, stop, float(total))
            walk, total, state = part.walk, _scalar(part.total), replace(state, cursor=part.cursor)
            lost = not np.isfinite(walk.theta).all()
            if guarded and (lost or (state.cursor == n and self._lifts(part, n, state))):
                walk, share, lost = Walk.start(before.numpy(), rows=1), share / 2.0, False
                total = _scalar(n * way.objective.value(way.frame.coef(walk.theta)))
                state = replace(state, cursor=n)
            if lost:
                break
            if state.cursor == n:
                losses.append(np.array([float(total) / n]))
                state, total, order = replace(state, epoch=state.epoch + 1, cursor=0), _scalar(0.0), None
                kept, before = generator.get_state(), torch.from_numpy(walk.theta)
        return self._reached(
            way, state, walk, losses, generator=kept, total=total, before=before, share=share
        )

    def _reached(self, way: Way, state: State, walk: Walk, losses: list[Array], **memory: Tensor) -> State:
        trace = torch.from_numpy(np.concatenate([np.empty(0), *losses]))
        memory = {**state.memory, **memory, **_memory(walk)}
        return replace(state, coef=self._users(way, walk.theta), memory=memory, trace=trace)

    def _users(self, way: Way, theta: Array) -> Tensor:
        """Coefficients in the user's units; what classes may share without a price sums to zero over them."""
        coef = way.frame.coef(theta)
        if self.lr is not None or way.objective.loss.separable:
            return coef
        free = torch.from_numpy(np.append((way.strength == 0) & (way.lasso == 0), way.objective.intercept))
        return torch.where(free[:, None], coef - coef.mean(dim=1, keepdim=True), coef)

    def _guarded(self, objective: Objective) -> bool:
        """Whether steps are halved where they are too long: the loss can bend more than it does at the start."""
        return self.lr is None and objective.loss.bound is None

    def _too_long(self, way: Way, state: State, before: Walk, done: Epochs, rate: float) -> bool:
        """Whether a step of all rows went up, or farther than the curvature along it lets momentum go."""
        if not np.isfinite(done.walk.theta).all():
            return True
        value, ceiling, last = way.value(done.walk.theta), float(state.memory["ceiling"]), done.losses[-1]
        if not value <= (last + ROUNDING * (abs(last) + abs(ceiling)) if self._falls else ceiling):
            return True
        moved = done.walk.theta - before.theta
        if self.code != update.SGD or self._falls or np.abs(moved).max() <= SEEN * np.abs(before.theta).max():
            return False
        bend = moved @ (way.slope(done.walk.theta) - done.walk.grad)
        return bool(rate * bend > moved @ moved)

    def _lifts(self, part: Part, n: int, state: State) -> bool:
        """Whether an epoch of batches ended above the ceiling."""
        return not part.total / n <= float(state.memory["ceiling"])

    @property
    def _falls(self) -> bool:
        """Whether a short step always lowers the objective."""
        return self.code == update.SGD and self.options()["momentum"] == 0.0

    def _all_rows(self, rows: Rows) -> bool:
        return self.batch_size is None or (rows.n_rows is not None and self.batch_size >= rows.n_rows)

    def _way(self, problem: Any, memory: Any) -> Way:
        level = Level(*memory["level"].numpy()) if "level" in memory else None
        size = None if self._all_rows(problem.rows) else self.batch_size
        return way_of(problem, level, size, users=self.lr is not None)

    def _spectrum(self, way: Way) -> Tensor:
        found = way.spectrum() if self.follows_curvature else Spectrum(1.0, 1.0, 1.0)
        n, b, rough, steps = way.objective.rows.n_rows, way.size, found.top, 1
        if b is not None and n is not None:
            steps = -(-n // b)
            if self.follows_curvature:
                rough = (n * (b - 1) * found.top + (n - b) * way.steepest) / (b * (n - 1.0))
        numbers = [found.top, found.bottom, rough, steps, found.constant]
        return torch.tensor(numbers, dtype=torch.float64, device="cpu")

    def _rule(self, way: Way) -> Rule:
        options, objective = self.options(), way.objective
        hyper = np.zeros((1, 8))
        names = ("lr", "weight_decay", "maximize", *update.HYPER[self.code])
        hyper[0, : len(names)] = [options.get(name, 0.0) for name in names]
        k, p = objective.n_outputs, objective.n_features
        group = np.zeros(k * (p + 1), dtype=np.int64)
        if not objective.intercept:
            group[k * p :] = -1
        return Rule(self.code, hyper, spans_of(group), lasso=way.prices)


def _ceiling(problem: SummedObjective, coef: Tensor, level: Level) -> float:
    """What the objective may rise to: above the start by what perfect predictors would lower it (about)."""
    return problem.value(coef) + problem.size**2 / (2.0 * problem.weight * float(level.bend.mean()))


def _scalar(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64, device="cpu")


def _walk(state: State) -> Walk:
    theta, slots, clock = (state.memory[name].numpy() for name in ("theta", "slots", "clock"))
    return Walk(theta, slots, clock, np.zeros(theta.size))


def _memory(walk: Walk) -> dict[str, Tensor]:
    return {name: torch.from_numpy(getattr(walk, name)) for name in ("theta", "slots", "clock")}


def _calls(units: int, seconds: float, unit_seconds: float) -> Iterator[int]:
    """Yield how many units of work each call of a kernel should do, until units or seconds are used up."""
    end, each = time.perf_counter() + seconds, max(1, int(CALL_SECONDS / unit_seconds))
    while units > 0:
        yield min(each, units)
        units -= each
        if time.perf_counter() >= end:
            return
