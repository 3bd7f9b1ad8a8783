"""Coordinate descent for penalties that make coefficients exactly zero, and bounds, finished by a direct solve.

With more rows than columns everything is computed from second moments, one pass over the rows; where float64
sums lose digits of the coefficients that are not zero, another pass over rows in memory brings them back. With
more columns it walks among them (`wide`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.penalties.group_lasso import GroupLasso
from torchlinear.penalties.separable import Separable
from torchlinear.shrinkage import Gram, pull_of
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.blocks import from_gram
from torchlinear.wide.objective import WideObjective

if TYPE_CHECKING:
    from torchlinear.objective import Objective
    from torchlinear.quadratic import QuadraticObjective

__all__ = ["Coordinate"]

Array = NDArray[np.float64]

REFINED_FROM = 10.0  # rounding of H times this is still that of the coefficients; see `quadratic`
CORRECTIONS = 3  # at most
STOPS = 3.0  # of a walk to one penalty, for each factor e that it is weaker than the first that matters
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Coordinate(Solver):
    """Cyclic coordinate descent with active sets, for squared loss with L1, elastic net, L2, and bounds on them.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.tensor([-1.0, 0.0, 1.0])
    >>> tl.fit(x, 3 * x + 0.8, penalty=tl.L1(1.0), solver="coordinate").equation
    'y = 2.25 x + 0.8'
    """

    name: ClassVar[str] = "coordinate"

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        if not objective.loss.quadratic:
            return (
                f"coordinate descent solves squared loss only, not {objective.loss.name}; use solver='auto'."
            )
        if objective.asked is not None and not isinstance(objective.asked, (Separable, GroupLasso)):
            return (
                f"coordinate descent takes L1, L2, elastic net and bounds, not {objective.asked}; "
                "use solver='auto'."
            )
        return None

    def reason(self, objective: QuadraticObjective) -> str:
        """Why `auto` takes it, one sentence."""
        if isinstance(objective, WideObjective):
            return f"coordinate: {objective.asked} makes coefficients exactly zero, few columns at a time"
        words = "double-double" if objective.extended else "float64"
        does = "bounds coefficients" if objective.bounded else "makes coefficients exactly zero"
        return f"coordinate ({words}): {objective.asked} {does}, one pass"

    def init(self, problem: QuadraticObjective, coef: Tensor) -> State:
        """State before the pass."""
        return State(coef.double())

    def step(self, problem: QuadraticObjective, state: State, budget: Budget) -> State:
        """The optimum."""
        if isinstance(problem, WideObjective):
            coef = torch.from_numpy(_from_columns(problem))
        else:
            coef = torch.from_numpy(_from_moments(problem, state.coef[:-1].numpy()))
        trace = torch.tensor([problem.value(coef)], dtype=torch.float64, device="cpu")
        return State(coef, epoch=1, trace=trace, done=True)


def _from_columns(problem: WideObjective) -> Array:
    """Coefficients at the optimum, shape (p + 1, k), at the end of a walk from the strongest penalty that matters."""
    lasso, ridge = problem.strengths(problem.penalty)
    frame = problem.frame
    beta = np.zeros((problem.n_features, problem.n_outputs))
    for j in range(problem.n_outputs):
        walk = problem.walk(j)
        top = float((np.abs(walk.pull) / np.where(lasso > 0, lasso, np.inf)).max())
        for times in np.geomspace(top, 1.0, 2 + int(STOPS * math.log(top)))[1:-1] if top > 1.0 else ():
            walk.to(times * lasso, times * ridge, exact=False)
        stop = walk.to(lasso, ridge)
        beta[stop.support, j] = stop.beta / frame.norm[stop.support]
    mean = np.concatenate([frame.centre, frame.target_centre])
    return with_intercept(mean, beta, intercept=problem.intercept)


def _from_moments(problem: QuadraticObjective, start: Array) -> Array:
    """Coefficients at the optimum, shape (p + 1, k)."""
    moments = problem.moments
    lasso, ridge = (2.0 * part(1.0) for part in (problem.lasso, problem.ridge))
    gram = Gram.of(moments, intercept=problem.intercept)
    if isinstance(problem.penalty, GroupLasso):
        beta = from_gram(gram, problem.penalty, start)
        return with_intercept(moments.mean.high, beta, intercept=problem.intercept)
    beta = gram.minimise(lasso, ridge, start, *problem.bounds)
    for _ in range(_corrections(problem, gram, beta)):
        beta = gram.corrected(beta, _pull(problem, beta), lasso, ridge, *problem.bounds)
    return with_intercept(moments.mean.high, beta, intercept=problem.intercept)


def with_intercept(mean: Array, beta: Array, *, intercept: bool) -> Array:
    """Coefficients (p, k) and below them the intercepts through the means, shape (p + 1, k)."""
    p = beta.shape[0]
    offset = mean[p:] - mean[:p] @ beta if intercept else np.zeros(beta.shape[1])
    return np.vstack([beta, offset])


def _corrections(problem: QuadraticObjective, gram: Gram, beta: Array) -> int:
    """How often residuals with more digits are worth their pass.

    The rounding of a solve is a share r of the coefficients; each correction leaves the share r of what there was.
    """
    if not (problem.extended or problem.rows.in_memory):
        return 0
    lost = gram.lost(beta, *problem.bounds)
    if lost <= REFINED_FROM:
        return int(problem.extended)
    share = min(10.0 * EPS * lost, 0.1)
    return min(math.ceil(math.log(EPS) / math.log(share)) - 1, CORRECTIONS)


def _pull(problem: QuadraticObjective, beta: Array) -> Array:
    """Pull of the residuals on the features in double-double, shape (p, k)."""
    moments, p = problem.moments, problem.n_features
    if problem.extended:
        return pull_of(moments, beta, intercept=problem.intercept)
    centre = moments.mean.high if problem.intercept else np.zeros_like(moments.mean.high)
    left = problem.loaded.sum(Block.residuals, centre, beta)
    return np.asarray(left.pull.high[:p])
