"""SAGA: steps of one row each that need not shrink, for losses that bend no more than a bound.

What each step does is in `kernels.saga`. Rows are drawn with replacement, row i with a probability p_i in proportion
to ``L_i + mean(L)``, where L_i = w_i bound (|z_i|^2 + 1) is the most that its loss can bend and z the standardised
features. So a few long rows do not shorten the steps of all: they are 1 / (3 max_i L_i / (n p_i)), and that maximum is
below twice the mean of L, and never above the largest L_i.

Sources: Defazio, Bach, Lacoste-Julien 2014, "SAGA: a fast incremental gradient method with support for non-strongly
convex composite objectives"; Schmidt, Babanezhad, Ahmed, Defazio, Clifton, Sarkar 2015, "Non-uniform stochastic
average gradient method for training conditional random fields" (probabilities that are half uniform).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.kernels import saga
from torchlinear.kernels.saga import Kind, Walk
from torchlinear.losses.base import Loss
from torchlinear.losses.binomial import Binomial
from torchlinear.losses.huber import Huber
from torchlinear.losses.squared import Squared
from torchlinear.losses.squared_epsilon_insensitive import SquaredEpsilonInsensitive
from torchlinear.losses.squared_hinge import SquaredHinge
from torchlinear.penalties.separable import Separable
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import TensorRows
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.bundle import whole_numbers
from torchlinear.solvers.descent_losses import inside
from torchlinear.solvers.frame import Frame, Level
from torchlinear.wide.objective import WideObjective

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["SAGA"]

Array = NDArray[np.float64]

CHUNK = 4_096  # rows whose lengths are taken together


@dataclass(frozen=True, slots=True)
class SAGA(Solver):
    """Stochastic descent, one row a step, with the memory of each row's slope: linear convergence.

    Parameters
    ----------
    epochs : int
        Passes over as many rows as there are, when the fit sets no limit.
    seed : int
        Of the order of the rows, from 0 to 2**63 - 1.

    Raises
    ------
    InvalidInput
        When `epochs` is not a whole number above 0, or `seed` not one of at least 0.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> y = torch.tensor([2.0, 0.1, -2.0, -0.1])
    >>> fit = tl.fit(X, y, penalty=tl.L1(0.5), solver=tl.SAGA())
    >>> [round(b, 6) for b in fit.coef.tolist()]
    [1.5, 0.0]
    """

    epochs: int = 2_000
    seed: int = 0
    name: ClassVar[str] = "saga"

    def __post_init__(self) -> None:
        whole_numbers(self, "epochs")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise InvalidInput(f"SAGA.seed takes a whole number from 0 to 2**63 - 1, got {self.seed!r}.")

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        loss, penalty = objective.loss, objective.asked
        if not loss.smooth:
            return f"saga follows a slope, and {loss.name} loss has kinks; use solver='auto'."
        if _kind(loss) is None:
            return (
                "saga takes the squared, logistic, Huber, squared hinge and squared epsilon-insensitive losses, whose "
                f"curvature has a bound, not {loss}; use solver='auto' or 'lbfgs'."
            )
        if penalty is not None and (not isinstance(penalty, Separable) or objective.bounded):
            return f"saga takes L1, L2 and elastic net, not {penalty}; use solver='auto' or 'fista'."
        if objective.bounded:
            return "saga takes no bounds; use solver='auto' or 'fista'."
        if isinstance(objective, WideObjective):
            return "saga does not take L1 with more columns than rows; use solver='coordinate' or 'auto'."
        if not isinstance(objective.rows, TensorRows):
            return "saga draws rows at random, dense and in memory; use tensors, arrays or a frame, or solver='auto'."
        return None

    def describe(self, objective: Objective) -> str:
        """Say what runs, in one sentence."""
        return "saga: one row a step with the memory of all, columns standardised inside, step from the loss's bound"

    def init(self, problem: Any, coef: Tensor) -> State:
        """State before the first step; one pass over the rows."""
        if not isinstance(problem, QuadraticObjective):
            coef = inside(problem, coef)
        task = _task(problem)
        theta = task.frame.theta(coef.double())
        if isinstance(problem, QuadraticObjective) and problem.intercept:
            theta[-problem.n_outputs :] = 0.0  # its best for any slopes
        generator = torch.Generator().manual_seed(self.seed)
        walk = saga.start(task.rows, task.kind, theta)
        return State(task.frame.coef(theta), memory={**_memory(walk), "generator": generator.get_state()})

    def step(self, problem: Any, state: State, budget: Budget) -> State:
        """Whole epochs until the budget is used."""
        end, trace, last = time.perf_counter() + budget.seconds, [], state.epoch + budget.epochs
        task, walk, generator = _task(problem), _walk(state), torch.Generator()
        generator.set_state(state.memory["generator"])
        while state.epoch < last:
            walk = saga.follow(task.rows, task.kind, walk, task.order(generator), task.step)
            coef = task.frame.coef(walk.theta)
            state = replace(state, coef=coef, epoch=state.epoch + 1)
            trace.append(problem.value(coef))
            if time.perf_counter() >= end:
                break
        memory = {**_memory(walk), "generator": generator.get_state()}
        return replace(state, memory=memory, trace=torch.tensor(trace, dtype=torch.float64, device="cpu"))


@dataclass(frozen=True, slots=True)
class _Task:
    """An objective as the kernel takes it: rows, loss, units, length of the steps; ``n p_i``, summed up to i."""

    rows: saga.Rows
    kind: Kind
    frame: Frame
    step: float
    reach: Array

    def order(self, generator: torch.Generator) -> NDArray[np.int64]:
        """As many rows as there are, drawn with replacement, shape (n,)."""
        n = len(self.reach)
        drawn = torch.rand(n, generator=generator, dtype=torch.float64, device="cpu").numpy()
        found = np.searchsorted(self.reach, drawn * self.reach[-1], side="right")
        return np.asarray(np.minimum(found, n - 1), dtype=np.int64)


_tasks: WeakKeyDictionary[Any, _Task] = WeakKeyDictionary()


def _task(problem: Any) -> _Task:
    """What SAGA needs to know of an objective, which does not change; kept as long as that is."""
    if problem not in _tasks:
        _tasks[problem] = _posed(problem)
    return _tasks[problem]


def _posed(problem: Any) -> _Task:
    frame, kind, factor = _frame(problem), _kind(problem.loss), 1.0
    assert kind is not None
    if isinstance(problem, QuadraticObjective):
        factor = 2.0  # its strengths are those beside half the squares
    given: TensorRows = problem.rows
    X, centre = given.X.detach().cpu().contiguous().numpy(), frame.centre
    if given.low is not None:
        X, centre = (X - centre) + given.low.detach().cpu().numpy(), np.zeros_like(centre)
    n = len(X)
    weight = np.ones(n) if given.weight is None else given.weight.detach().cpu().double().numpy()
    weight = weight / weight.mean()
    with np.errstate(invalid="ignore", over="ignore"):  # rows that do not count may hold anything
        lengths = _lengths(X, centre, frame.scale) + problem.intercept
        bends = np.where(weight > 0, weight * problem.loss.bound * lengths, 0.0)
    chances = np.where(weight > 0, bends + bends.mean(), 0.0)
    chances = chances * n / chances.sum() if chances.any() else np.ones(n)
    share = 1.0 / np.where(chances > 0, chances, 1.0)
    steepest = float((bends * share).max())
    rows = saga.Rows(
        X=X,
        y=np.ascontiguousarray(given.y.detach().cpu().double().numpy() - frame.target_centre),
        offset=np.zeros(n) if given.offset is None else given.offset.detach().cpu().double().numpy(),
        weight=weight,
        share=share,
        centre=centre,
        scale=frame.scale,
        ridge=frame.ridge(problem.ridge(factor)),
        lasso=problem.lasso(factor) * frame.scale,
        intercept=problem.intercept,
    )
    return _Task(rows, kind, frame, 1.0 / (3.0 * steepest) if steepest > 0 else 1.0, np.cumsum(chances))


def _frame(problem: Any) -> Frame:
    """Features standardised, the penalty left to the prox; predictors in their own units."""
    p, k = problem.n_features, problem.n_outputs
    if isinstance(problem, QuadraticObjective):
        return replace(Frame.standardised(problem.factor, np.zeros(p)), target_scale=np.ones(k))
    return Frame.levelled(
        problem.spread, Level(np.ones(k), np.ones(k)), np.zeros(p), intercept=problem.intercept
    )


def _lengths(X: NDArray[np.floating], centre: Array, scale: Array) -> Array:
    """Squared lengths of the standardised rows, shape (n,)."""
    parts = (X[at : at + CHUNK] for at in range(0, len(X), CHUNK))
    return np.concatenate([np.square((part - centre) * scale).sum(axis=1) for part in parts])


def _kind(loss: Loss) -> Kind | None:
    """The loss as the kernel takes it; None where it does not."""
    if isinstance(loss, Squared) and loss.quadratic:
        return Kind(saga.SQUARED)
    if isinstance(loss, Binomial) and loss.link == "logit":
        return Kind(saga.LOGISTIC)
    if isinstance(loss, Huber):
        return Kind(saga.HUBER, loss.threshold)
    if isinstance(loss, SquaredHinge):
        return Kind(saga.SQUARED_HINGE)
    if isinstance(loss, SquaredEpsilonInsensitive):
        return Kind(saga.SQUARED_TUBE, float(loss.epsilon))
    return None


def _walk(state: State) -> Walk:
    return Walk(*(state.memory[name].numpy() for name in ("theta", "table", "mean")))


def _memory(walk: Walk) -> dict[str, Tensor]:
    return {name: torch.from_numpy(getattr(walk, name)) for name in ("theta", "table", "mean")}
