"""Coefficients along a path of penalties, for losses that are summed over the rows at each point.

Each solution starts the next. Penalties that keep coefficients at zero are followed in the columns that may matter
(`solvers.screened`), smooth ones by Newton's method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.api import chosen_for, solve
from torchlinear.block import Block
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.penalties.separable import Separable
from torchlinear.selection.grid import Sensitivity
from torchlinear.selection.heldout import least
from torchlinear.solvers.newton import Newton, model_at
from torchlinear.solvers.screened import Screened, descended, penalised
from torchlinear.summed import SummedObjective

__all__ = ["Followed", "along", "explained", "sensitivity"]

Array = NDArray[np.float64]

DOUBLINGS = 60  # of a strength, until it keeps all columns that have one at zero


@dataclass(frozen=True, slots=True)
class Followed:
    """Where a path leads.

    Attributes
    ----------
    coef : ndarray, shape (m, p + 1, k)
        Coefficients in the user's units, the intercept last.
    certificates : ndarray, shape (m,)
        Certificate of each.
    losses : ndarray, shape (m,)
        Mean loss of the rows at each, without the penalty.
    """

    coef: Array
    certificates: Array
    losses: Array


def along(make: Callable[[Separable], Objective], penalties: Sequence[Separable]) -> Followed:
    """Coefficients at each penalty, best from the strongest to the weakest.

    Parameters
    ----------
    make : callable
        The objective of the rows with a penalty.
    penalties : sequence of Separable
        The m penalties.
    """
    problem = make(penalties[0])
    steps = _slow(make, penalties)
    if type(problem) is SummedObjective and "start" not in vars(problem):
        if not problem.smooth:
            steps = _screened(problem, penalties)
        elif isinstance(chosen_for(problem)[0], Newton):
            steps = _newton(problem, penalties)
    found = [(coef.numpy().copy(), at.certificate(coef), _mean_loss(at, coef)) for at, coef in steps]
    return Followed(*(np.stack([step[i] for step in found]) for i in range(3)))


Steps = Iterator[tuple[Objective, Tensor]]  # the objective with each penalty, and its optimum


def _screened(problem: SummedObjective, penalties: Sequence[Separable]) -> Steps:
    way = Screened(problem)
    for penalty in penalties:
        yield way.to(penalty), way.coef


def _newton(problem: SummedObjective, penalties: Sequence[Separable]) -> Steps:
    coef, curvature = problem.start, model_at(problem)
    for penalty in penalties:
        at = penalised(problem, penalty)
        coef, _ = descended(at, coef, None, curvature)
        yield at, coef


def _slow(make: Callable[[Separable], Objective], penalties: Sequence[Separable]) -> Steps:
    """Each by the solver that suits."""
    coef: Tensor | None = None
    for penalty in penalties:
        at = make(penalty)
        coef = solve(at, infer=False, start=coef).coef
        yield at, coef


def _mean_loss(objective: Objective, coef: Tensor) -> float:
    """The mean loss of the rows, without the penalty."""
    penalty = objective.penalty
    return objective.value(coef) - (0.0 if penalty is None else float(penalty.value(coef[:-1])))


def sensitivity(problem: SummedObjective, family: Separable) -> Sensitivity:
    """What decides where the grid of a penalty begins, in the model of the intercept and unpenalised columns alone."""
    p, seen, start = problem.n_features, problem.spread, problem.start
    mean = seen.mean[:p, np.newaxis] * problem.intercept
    response = torch.from_numpy(seen.mean[np.newaxis, p:])
    bend = float(problem.loss.expected(start[-1:], response).max())
    around = seen.squares[:p] / seen.weight + np.square(seen.mean[:p] * (not problem.intercept))
    null = penalised(problem, None)
    slope = -null.pull(_null(problem, family), mean) / seen.weight
    return Sensitivity(slope, bend * around, np.sqrt(seen.squares[:p] / seen.weight), seen.rows <= p)


def _null(problem: SummedObjective, family: Separable) -> Tensor:
    """The optimum where only the intercept and columns that no penalty holds have coefficients."""
    unit = penalised(problem, family.with_alpha(1.0))
    lasso, p = unit.lasso(1.0), problem.n_features
    held = lasso > 0
    if held.all() or not held.any() or not problem.loss.smooth:
        return problem.start
    mean = problem.spread.mean[:p, np.newaxis] * problem.intercept
    pull = np.abs(penalised(problem, None).pull(problem.start, mean)).max(axis=1) / problem.weight
    alpha, way = float((pull[held] / lasso[held]).max()) or 1.0, Screened(problem)
    for _ in range(DOUBLINGS):
        alpha *= 2.0
        way.to(family.with_alpha(alpha))
        if not bool(way.coef[:-1][torch.from_numpy(held)].any()):
            break
    return way.coef


def explained(problem: SummedObjective, losses: Array) -> Array:
    """Share of the null deviance that mean losses, shape (m,), explain; NaN where there is none. Shape (m, 1).

    Of a loss that is no likelihood, share of the loss of the model of the intercept alone.
    """
    floor = problem.loaded.sum(_least, problem.loss) / problem.weight
    null = problem.at(problem.start).value / problem.weight
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1.0 - (losses - floor) / np.float64(null - floor))[:, np.newaxis]


def _least(block: Block, loss: Loss) -> float:
    """Weighted sum of the least that rows can cost."""
    block = block.counted()
    each = least(loss, block.y.double())
    return float(each.sum() if block.weight is None else block.weight.to(each.device) @ each)
