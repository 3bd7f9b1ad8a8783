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
LEAST = 1e-10  # of the first scale: residuals below are rounding
SETTLED = 1e-14  # change of the scale, relative
ROUNDING = 1e-15  # certificate at which coefficients cannot come nearer
ROUNDS = 200


def with_scale(loss: Loss, penalty: Penalty | None, loaded: Loaded, *, intercept: bool) -> Loss:
    """The loss with its scale estimated, if it is to be; otherwise the loss itself.

    Parameters
    ----------
    loss, penalty, loaded, intercept
        Of the objective. Coefficients of the scale that is found are its optimum.

    Returns
    -------
    Loss
        With a number for its scale.

    Raises
    ------
    InvalidInput
        When there are several targets, or the penalty is not smooth.
    """
    if not isinstance(loss, Huber) or not isinstance(loss.scale, str):
        return loss
    if loaded.rows.n_outputs != 1:
        raise InvalidInput(
            f"Huber(scale={loss.scale!r}) takes one target, got {loaded.rows.n_outputs}; fit them one at a time."
        )
    if penalty is not None and not penalty.smooth:
        raise InvalidInput(
            f"Huber(scale={loss.scale!r}) takes penalty='l2' or none, got {penalty}; give scale=1.0."
        )
    problem = SummedObjective(replace(loss, scale=1.0), penalty, loaded, intercept=intercept)
    found = _concomitant(problem, loss.delta) if loss.scale == "concomitant" else _median(problem, loss.delta)
    return replace(loss, scale=found)


def _concomitant(problem: SummedObjective, delta: float) -> float:
    """The scale beside which the coefficients of its own fit are optimal; a penalty keeps its strength by it."""
    p, spread = problem.n_features, problem.spread
    scale = float(np.sqrt(spread.squares[p] / spread.weight)) or 1.0
    coef, ridge = problem.start.numpy()[:, 0], problem.ridge(spread.weight)
    for _ in range(ROUNDS):
        found = minimise(Problem(problem.loaded, delta, ridge / scale, problem.intercept), coef, scale)
        settled = not ridge.any() or abs(found.scale - scale) <= SETTLED * scale
        coef, scale = found.coef, found.scale
        if settled:
            break
    return scale


def _median(problem: SummedObjective, delta: float) -> float:
    """The scale that is the median absolute residual of its own fit, over 0.6745, from least squares on."""
    squared = QuadraticObjective(
        Squared(), None, problem.loaded, intercept=problem.intercept, precision="double"
    )
    coef = torch.from_numpy(squared.least_squares("qr").coef.copy())
    first = scale = problem.loaded.sum(_sizes, coef).median() / NORMAL
    for _ in range(ROUNDS):
        if scale <= LEAST * first or first == 0.0:
            return scale or 1.0
        at = SummedObjective(
            Huber(delta, scale), problem.penalty, problem.loaded, intercept=problem.intercept
        )
        coef = _optimum(at, coef)
        before, scale = scale, problem.loaded.sum(_sizes, coef).median() / NORMAL
        if abs(scale - before) <= SETTLED * before:
            return scale
    warnings.warn(
        f"the scale did not settle in {ROUNDS} rounds: its last values are {before:g} and {scale:g}. "
        "Give scale= a number, or 'concomitant', which always settles.",
        ConvergenceWarning,
        stacklevel=2,
    )
    return scale


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
