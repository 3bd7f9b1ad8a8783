"""Working sets: smooth losses with penalties that keep coefficients at zero, solved in the columns that may matter.

At the coefficients of one penalty, column j pulls with ``g_j = dF / dbeta_j`` of its loss. On the way from strengths
``before_j`` to ``now_j`` a column is left out while

    |g_j| < 2 now_j - before_j,

the strong rule (Tibshirani, Bien, Friedman, Hastie, Simon, Taylor, Tibshirani 2012, "Strong rules for discarding
predictors in lasso-type problems"). It may err, so that after each solution one pass over the rows looks at all
columns; those that pull more than they cost join, and it is solved again, until none does. The quadratic model of
the loss (`proximal_newton`) is kept from penalty to penalty as long as its steps gain.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear import interruption
from torchlinear.engines.local import Local
from torchlinear.penalties.separable import Separable
from torchlinear.rows import TensorRows
from torchlinear.solvers.base import Budget
from torchlinear.solvers.fista import FISTA
from torchlinear.solvers.newton import GAIN, Model, ModelAt, searched
from torchlinear.solvers.proximal_newton import ProximalNewton, model_at
from torchlinear.sparse import SparseRows
from torchlinear.summed import SummedObjective

__all__ = ["Screened", "descended", "penalised"]

Array = NDArray[np.float64]
Columns = NDArray[np.int64]

FEW = 50  # columns that are worth no choice among them
SLACK = 0.8  # of the strong rule's bound: columns that come near it will be wanted soon
SHARE = 0.5  # of the columns, above which a copy of them costs more than it saves
MOST_BYTES = 2 << 30  # of such a copy
BEYOND = 1e-9  # share of its strength by which a pull must exceed it
ENOUGH, ENOUGH_LARGE = 1e-12, 1e-10  # certificates at which a solution on the way is good enough
ENOUGH_SLOW = 1e-9  # the same where each digit takes many passes
STEP_SECONDS = 0.1  # after which Ctrl-C is looked for
CHEAP = 1_000_000  # numbers in X, up to which it is the first of them
GAIN_FEW = 1e3  # by which a step must lower the certificate for its model to be kept, where models are cheap
ROUNDS = 100
STEPS = 200


class Screened:
    """The way of one objective along penalties; each `to` starts from where the last one ended.

    Parameters
    ----------
    problem : SummedObjective
        With a smooth loss; its own penalty does not matter.

    Attributes
    ----------
    coef : Tensor, shape (p + 1, k)
        Where it stands.
    """

    def __init__(self, problem: SummedObjective) -> None:
        self._problem, self.coef = problem, problem.start.clone()
        _ = problem.size  # known once, before there are copies of the objective
        self._before: Array | None = None
        self._part: _Part | None = None

    def to(self, penalty: Separable) -> SummedObjective:
        """Go to the optimum with a penalty; its objective, which has looked at all columns there."""
        problem = penalised(self._problem, penalty)
        lasso = problem.lasso(problem.weight)
        chosen = self._first(problem, lasso)
        for _ in range(ROUNDS):
            interruption.check()
            self._solve(problem, chosen)
            over = self._over(problem, chosen)
            if not over.any():
                break
            chosen = chosen | over
        self._before = lasso
        return problem

    def _first(self, problem: SummedObjective, lasso: Array) -> NDArray[np.bool_]:
        """Columns that the strong rule keeps, and those in use."""
        before = lasso if self._before is None else np.maximum(self._before, lasso)
        pull = np.abs(problem.pull(self.coef, _middle(problem))).max(axis=1)
        used = (self.coef[:-1] != 0).any(dim=1).numpy()
        kept = used | (lasso == 0)
        wanted = kept | (pull >= 2.0 * lasso - before)
        part = self._part
        if problem.bounded or not self._divides(int(wanted.sum())):
            return np.ones_like(wanted)
        if part is not None and not (wanted & ~part.holds).any():
            return part.holds
        return np.asarray(kept | (pull >= SLACK * (2.0 * lasso - before)))

    def _divides(self, count: int) -> bool:
        """Whether so many columns are better copied than all of them used."""
        rows, p = self._problem.rows, self._problem.n_features
        if not isinstance(rows, (TensorRows, SparseRows)) or p <= FEW or count > SHARE * p:
            return False
        return 8 * count * len(rows.y) <= MOST_BYTES

    def _over(self, problem: SummedObjective, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Columns that were left out and pull more than they cost."""
        if chosen.all():
            return np.zeros_like(chosen)
        pull = np.abs(problem.pull(self.coef, _middle(problem))).max(axis=1)
        return np.asarray((pull > problem.lasso(problem.weight) * (1.0 + BEYOND)) & ~chosen)

    def _solve(self, problem: SummedObjective, chosen: NDArray[np.bool_]) -> None:
        """Go to the optimum in the chosen columns."""
        if not chosen.any():
            self.coef = problem.start.clone()
            return
        if self._part is None or (chosen != self._part.holds).any():
            self._part = _Part.of(self._problem, chosen)
        part, penalty = self._part, problem.penalty
        assert isinstance(penalty, Separable)
        sub = penalised(
            part.problem, penalty if chosen.all() else Some(penalty, part.index, problem.n_features)
        )
        start = torch.cat([self.coef[part.index], self.coef[-1:]])
        if ProximalNewton().refusal(sub) is None:
            found, part.model = descended(sub, start, part.model, model_at(sub))
        else:
            found = _accelerated(sub, start)
        self.coef = torch.zeros_like(self.coef)
        self.coef[part.index], self.coef[-1] = found[:-1], found[-1]


@dataclass(slots=True)
class _Part:
    """Some columns of an objective, and the last model of its loss."""

    holds: NDArray[np.bool_]
    index: Tensor
    problem: SummedObjective
    model: Model | None = None

    @classmethod
    def of(cls, problem: SummedObjective, chosen: NDArray[np.bool_]) -> _Part:
        index = torch.from_numpy(np.flatnonzero(chosen))
        return cls(chosen, index, problem if chosen.all() else narrowed(problem, index))


@dataclass(frozen=True, slots=True, eq=False)
class Some(Separable):
    """A penalty in the user's units on some of its columns.

    Parameters
    ----------
    asked : Separable
        On all columns.
    index : Tensor of int64, shape (r,)
        Which.
    columns : int
        How many there are.
    """

    asked: Separable
    index: Tensor
    columns: int
    name: ClassVar[str] = "some"
    standardize: bool = False

    @property
    def smooth(self) -> bool:  # type: ignore[override]
        """As the penalty that was asked for."""
        return self.asked.smooth

    def shares(self) -> tuple[float, float]:
        """As those of the penalty that was asked for."""
        return self.asked.shares()

    def with_alpha(self, alpha: float) -> Some:
        """The same penalty at another strength."""
        return replace(self, asked=self.asked.with_alpha(alpha))

    def lasso(self, n_features: int) -> Tensor:
        """Strengths of the absolute values, shape (r,)."""
        return self.asked.lasso(self.columns)[self.index]

    def ridge(self, n_features: int) -> Tensor:
        """Strengths of the squares, shape (r,)."""
        return self.asked.ridge(self.columns)[self.index]


def penalised(problem: SummedObjective, penalty: Separable | None) -> SummedObjective:
    """The same objective with another penalty; what is known of the rows stays known."""
    other = copy(problem)
    other.asked = penalty
    for name in ("penalty", "bounds"):
        other.__dict__.pop(name, None)
    return other


def narrowed(problem: SummedObjective, index: Tensor) -> SummedObjective:
    """The same objective of some columns, without a penalty; it takes no pass over the rows but the copy."""
    rows, p = problem.rows, problem.n_features
    assert isinstance(rows, (TensorRows, SparseRows))
    few = SummedObjective(
        problem.loss,
        None,
        Local().load(rows.columns(index)),
        intercept=problem.intercept,
        n_outputs=problem.n_outputs,
    )
    spread = problem.spread
    some = np.append(index.numpy(), np.arange(p, len(spread.mean)))
    few.spread = replace(spread, mean=spread.mean[some], squares=spread.squares[some])
    few.start = torch.cat([problem.start[index], problem.start[-1:]])
    few.shift = problem.shift[np.append(index.numpy(), np.arange(p, len(problem.shift)))]
    few.size = problem.size
    return few


def descended(
    problem: SummedObjective, coef: Tensor, model: Model | None, model_at: ModelAt
) -> tuple[Tensor, Model | None]:
    """The optimum from coefficients near it, and the last model of the loss; `model` may be one of another place.

    A model is used as long as each step brings the certificate down by a factor.
    """
    left, fresh = problem.certificate(coef), False
    small = (problem.rows.n_rows or CHEAP) * problem.n_features < CHEAP
    for _ in range(STEPS):
        if left <= (ENOUGH if small else ENOUGH_LARGE):
            break
        if model is None:
            model, fresh = model_at(problem, coef), True
        nearer = None if model is None else searched(problem, coef, *model.step(problem, coef))
        reached = left if nearer is None else problem.certificate(nearer)
        if fresh and (
            nearer is None or (reached >= left / 2.0 and problem.value(nearer) >= problem.value(coef))
        ):
            break
        if nearer is not None and (fresh or reached < left):
            coef = nearer
        if reached > left / (GAIN if problem.n_features > FEW else GAIN_FEW):
            model = None
        left, fresh = problem.certificate(coef), False
    return coef, model


def _accelerated(problem: SummedObjective, coef: Tensor) -> Tensor:
    """The optimum from coefficients near it where a matrix would be too large: no second derivatives."""
    solver = FISTA()
    state = solver.init(problem, coef)
    while not state.done and state.epoch < solver.epochs and problem.certificate(state.coef) > ENOUGH_SLOW:
        interruption.check()
        state = solver.step(problem, state, Budget(solver.epochs - state.epoch, STEP_SECONDS))
    return state.coef


def _middle(problem: SummedObjective) -> Array:
    """Means of the features, shape (p, 1); zeros without an intercept."""
    p = problem.n_features
    return np.asarray(problem.spread.mean[:p, np.newaxis] * problem.intercept)
