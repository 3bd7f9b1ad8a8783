"""The scale of the residuals of a Huber fit, estimated together with the coefficients.

For each scale s the coefficients b(s) are the optimum of the Huber loss with the threshold delta s. Then

    concomitant   sum w (1 - min(|r| / s, delta)^2) = 0   (see `concomitant`),
    mad           s = median |r| / 0.6745   (Venables, Ripley 2002, "Modern applied statistics with S", section 6.5,
                  and the function `rlm` of their R package MASS).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.engines.base import Loaded
from torchlinear.errors import ConvergenceWarning, InvalidInput
from torchlinear.losses.base import Loss
from torchlinear.losses.huber import Huber
from torchlinear.losses.squared import Squared
from torchlinear.penalties.base import Penalty
from torchlinear.quadratic import QuadraticObjective
from torchlinear.solvers.base import Budget
from torchlinear.solvers.concomitant import Problem, minimise
from torchlinear.solvers.newton import Newton
from torchlinear.summed import SummedObjective

__all__ = ["with_scale"]

Array = NDArray[np.float64]

NORMAL = 0.6745  # median of |z| for a standard normal z, in the four digits that R takes
LEAST = 1e-6  # of the target's deviation: of a smaller scale the certificate would only see rounding
SETTLED = 1e-14  # change of the scale, relative
ROUNDING = 1e-15  # certificate at which coefficients cannot come nearer
ROUNDS = 200


def with_scale(
    loss: Loss, penalty: Penalty | None, loaded: Loaded, *, intercept: bool
) -> tuple[Loss, Tensor | None]:
    """The loss with its scale estimated, if it is to be, and its optimum; otherwise the loss itself, and None.

    Parameters
    ----------
    loss, penalty, loaded, intercept
        Of the objective.

    Returns
    -------
    loss : Loss
        With a number for its scale.
    coef : Tensor, shape (p + 1, 1), or None
        The optimum for that scale.

    Raises
    ------
    InvalidInput
        When there are several targets, or the penalty is not smooth.
    """
    if not isinstance(loss, Huber) or not isinstance(loss.scale, str):
        return loss, None
    if loaded.rows.n_outputs != 1:
        raise InvalidInput(
            f"Huber(scale={loss.scale!r}) takes one target, got {loaded.rows.n_outputs}; fit them one at a time."
        )
    if penalty is not None and not penalty.smooth:
        raise InvalidInput(
            f"Huber(scale={loss.scale!r}) takes penalty='l2' or none, got {penalty}; give scale=1.0."
        )
    problem = SummedObjective(replace(loss, scale=1.0), penalty, loaded, intercept=intercept)
    found, coef = (_concomitant if loss.scale == "concomitant" else _median)(problem, loss.delta)
    return replace(loss, scale=found), coef


def _concomitant(problem: SummedObjective, delta: float) -> tuple[float, Tensor]:
    """The scale beside which the coefficients of its own fit are optimal; a penalty keeps its strength by it."""
    deviation, coef, ridge = _deviation(problem), problem.start.numpy()[:, 0], problem.ridge(problem.weight)
    scale = deviation
    for _ in range(ROUNDS):
        part = Problem(problem.loaded, delta, ridge / scale, problem.intercept)
        found = minimise(part, coef, scale, least=LEAST * deviation)
        settled = not ridge.any() or abs(found.scale - scale) <= SETTLED * scale
        coef, scale = found.coef, found.scale
        if settled:
            break
    return scale, torch.from_numpy(coef)[:, None]


def _median(problem: SummedObjective, delta: float) -> tuple[float, Tensor]:
    """The scale that is the median absolute residual of its own fit, over 0.6745, from least squares on."""
    squared = QuadraticObjective(
        Squared(), None, problem.loaded, intercept=problem.intercept, precision="double"
    )
    coef = torch.from_numpy(squared.least_squares("qr").coef.copy())
    least, before = LEAST * _deviation(problem), 0.0
    for _ in range(ROUNDS):
        scale = max(problem.loaded.sum(_sizes, coef).median() / NORMAL, least)
        if abs(scale - before) <= SETTLED * before:
            break
        at = SummedObjective(
            Huber(delta, scale), problem.penalty, problem.loaded, intercept=problem.intercept
        )
        coef, before, last = _optimum(at, coef), scale, before
    else:
        warnings.warn(
            f"the scale did not settle in {ROUNDS} rounds: its last values are {last:g} and {scale:g}. "
            "Give scale= a number, or 'concomitant', which always settles.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return scale, coef


def _deviation(problem: SummedObjective) -> float:
    """Standard deviation of the target; of a constant one its size, and 1 for zeros."""
    p, spread = problem.n_features, problem.spread
    return float(np.sqrt(spread.squares[p] / spread.weight)) or abs(float(spread.mean[p])) or 1.0


def _optimum(problem: SummedObjective, coef: Tensor) -> Tensor:
    """The optimum for one scale, from `coef`, to the last digits."""
    solver = Newton()
    state = solver.init(problem, coef)
    while not state.done and state.epoch < solver.epochs and problem.certificate(state.coef) > ROUNDING:
        state = solver.step(problem, state, Budget(1, math.inf))
    return state.coef


@dataclass(frozen=True)
class Sizes:
    """Absolute residuals and weights of rows, each part of shape (2, n); ``a + b`` are those of both sets of rows."""

    parts: tuple[Array, ...]

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(self.parts + other.parts)

    def median(self) -> float:
        """Weighted median of the absolute residuals."""
        r, weight = np.hstack(self.parts)
        order = np.argsort(r)
        r, share = r[order], np.cumsum(weight[order]) / weight.sum()
        at = int(np.searchsorted(share, 0.5))
        return float(r[at] if share[at] > 0.5 else (r[at] + r[at + 1]) / 2.0)


def _sizes(block: Block, coef: Tensor) -> Sizes:
    r = (block.y.double() - block.predict(coef))[:, 0].abs()
    weight = torch.ones_like(r) if block.weight is None else block.weight
    return Sizes((torch.stack([r, weight.to(r)])[:, weight > 0].cpu().numpy(),))
