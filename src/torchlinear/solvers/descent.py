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

from abc import abstractmethod
from dataclasses import KW_ONLY, dataclass, fields
from functools import cache, cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.kernels import update
from torchlinear.kernels.descent import Rule, Walk, spans_of
from torchlinear.kernels.orders import seeded
from torchlinear.penalties.separable import Separable
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import Rows
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.descent_epochs import (
    ceiling,
    guarded,
    in_batches,
    kept_of,
    memory_of,
    on_all_rows,
    scalar,
)
from torchlinear.solvers.descent_losses import inside, level_of
from torchlinear.solvers.descent_way import Way, picks
from torchlinear.solvers.descent_ways import way_of
from torchlinear.solvers.frame import Level, Spectrum
from torchlinear.solvers.schedules import Schedule, factors, named
from torchlinear.wide.objective import WideObjective

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["Descent"]

Array = NDArray[np.float64]

FULL_BATCH_EPOCHS, MINI_BATCH_EPOCHS = 1_000, 100  # unless told
LONGEST_ORDER = 2**31 - 1  # rows are numbered in int32, which halves the time of a permutation
MOST_FEATURES = 10_000  # whose matrix of second derivatives takes 0.8 GB


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
        self._check_numbers()
        named(self._called, self.schedule)
        if self.schedule != "constant" and self.lr is None:
            raise InvalidInput(
                f"{self._called}.schedule is of a learning rate that you choose, got lr=None; give lr, or leave "
                "the schedule out."
            )

    def _check_numbers(self) -> None:
        """Refuse rates and factors that are no numbers of at least 0, and a seed that is none."""
        for option in fields(self):
            value = getattr(self, option.name)
            if not isinstance(option.default, float) and (option.name != "lr" or value is None):
                continue
            if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < np.inf:
                raise InvalidInput(
                    f"{self._called}.{option.name} takes a finite number of at least 0, got {value!r}."
                )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise InvalidInput(
                f"{self._called}.seed takes a whole number from 0 to 2**63 - 1, got {self.seed!r}."
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
        return {f.name: float(v) for f in fields(self) if isinstance(v := getattr(self, f.name), Real)}

    def describe(self, objective: Objective) -> str:
        """Say what runs, in one sentence."""
        some = "one row" if self.batch_size == 1 else f"{self.batch_size} rows"
        rows = "all rows" if self._all_rows(objective.rows) else some
        if self.lr is not None:
            schedule = "" if self.schedule == "constant" else f" times {named(self._called, self.schedule)}"
            return f"{self.name}: {rows} a step, lr={self.lr:g}{schedule} in your units, the trajectory of torch.optim"
        halved = ", halved where the objective rises" if guarded(self, objective) else ""
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
            memory["ceiling"] = scalar(ceiling(problem, coef, level))
        way = self._way(problem, memory)
        theta = way.frame.theta(coef)
        if self.lr is None and quadratic and problem.intercept:
            theta[-problem.n_outputs :] = 0.0  # its best for any slopes, which may be many steps away
        walk = Walk.start(theta, rows=1)
        if self.code == update.ADAGRAD:
            walk.slots[0] = self.options()["initial_accumulator_value"]
        memory |= {**memory_of(walk), "share": scalar(1.0)}
        if not self._all_rows(problem.rows):
            memory["generator"] = kept_of(seeded(self.seed))
            memory["total"] = scalar(0.0)
            memory["before"] = memory["theta"]
        if self.lr is None:
            memory["spectrum"] = self._spectrum(way)
        return State(self.users(way, theta), memory=memory)

    def step(self, problem: Any, state: State, budget: Budget) -> State:
        """Go on until the budget is used, at a batch's end."""
        advance = on_all_rows if self._all_rows(problem.rows) else in_batches
        return advance(self, self._way(problem, state.memory), state, budget)

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

    def users(self, way: Way, theta: Array) -> Tensor:
        """Return coefficients in the user's units; what classes may share without a price sums to zero over them."""
        coef = way.frame.coef(theta)
        if self.lr is not None or way.objective.loss.separable:
            return coef
        free = torch.from_numpy(np.append((way.strength == 0) & (way.lasso == 0), way.objective.intercept))
        return torch.where(free[:, None], coef - coef.mean(dim=1, keepdim=True), coef)

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

    def rule(self, way: Way) -> Rule:
        """Return the rule as the kernels take it."""
        objective = way.objective
        spans = _spans(objective.n_outputs, objective.n_features, objective.intercept)
        return Rule(self.code, self._hyper, spans, lasso=way.prices)

    @cached_property
    def _hyper(self) -> Array:
        """Hyper-parameters in the order of `update.HYPER`, shape (1, 8); kept, for steps may be many and short."""
        options, hyper = self.options(), np.zeros((1, 8))
        names = ("lr", "weight_decay", "maximize", *update.HYPER[self.code])
        hyper[0, : len(names)] = [options.get(name, 0.0) for name in names]
        hyper.setflags(write=False)
        return hyper


@cache
def _spans(outputs: int, features: int, intercept: bool) -> NDArray[np.int64]:
    """What moves of theta: all, or all but the intercepts; see `Rule`."""
    group = np.zeros(outputs * (features + 1), dtype=np.int64)
    if not intercept:
        group[outputs * features :] = -1
    spans = spans_of(group)
    spans.setflags(write=False)
    return spans
