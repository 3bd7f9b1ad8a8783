"""What a descent knows of a smooth loss: its kernel, how steeply it bends, and how far its predictors go."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.kernels import losses
from torchlinear.kernels.criteria import Criterion
from torchlinear.losses.base import Loss
from torchlinear.losses.binomial import Binomial
from torchlinear.losses.huber import Huber
from torchlinear.losses.poisson import Poisson
from torchlinear.losses.softmax import Softmax
from torchlinear.solvers.frame import Level

if TYPE_CHECKING:
    from torchlinear.summed import SummedObjective

__all__ = ["criterion_of", "inside", "level_of", "steepest"]

Array = NDArray[np.float64]

SAFETY = 2.0  # how much steeper than at the start a loss without a bound may bend before steps are halved
UNITLESS = ("log", "logit", "probit", "cloglog", "cauchit")  # links whose predictors have no unit
IGNORED = -1.0  # a class that no row has


def criterion_of(loss: Loss, outputs: int) -> Criterion | None:
    """The loss as the kernels of `criteria` take it; None where they do not know it."""
    if isinstance(loss, Binomial) and loss.link == "logit":
        return Criterion.of(losses.LOGISTIC, outputs)
    if isinstance(loss, Poisson) and loss.link == "log":
        return Criterion.of(losses.POISSON, outputs, numbers={"full": 0.0})
    if isinstance(loss, Softmax):
        return Criterion.of(losses.SOFTMAX, outputs, numbers={"smoothing": 0.0, "ignored": IGNORED})
    if isinstance(loss, Huber):
        return Criterion.of(losses.HUBER, outputs, numbers={"delta": loss.threshold, "scale": 1.0})
    return None


def level_of(objective: SummedObjective, coef: Tensor) -> Level:
    """What the loss is like at `coef`, shape (p + 1, k); a pass over the rows."""
    k, spread = objective.n_outputs, objective.spread
    bend = objective.loaded.sum(_bend, objective.loss, coef).numpy() / objective.weight
    bend = np.where(np.isfinite(bend) & (bend > 0), bend, 1.0)
    link = getattr(objective.loss, "link", None)
    if objective.loss.labels or link in UNITLESS:
        return Level(bend, np.ones(k))
    deviation = np.sqrt(spread.squares[objective.n_features :] / spread.weight)
    reach = deviation / _slope_of_mean(objective.loss, coef[-1])
    return Level(bend, np.where(np.isfinite(reach) & (reach > 0), reach, 1.0))


def _bend(block: Block, loss: Loss, coef: Tensor) -> Tensor:
    """Weighted sums of the expected second derivatives, shape (k,)."""
    block = block.counted()
    bend = loss.expected(block.predict(coef), block.y).double()
    return (bend if block.weight is None else block.weight[:, None] * bend).sum(dim=0).cpu()


def _slope_of_mean(loss: Loss, eta: Tensor) -> Array:
    """How fast the mean changes with the predictor at `eta`, shape (k,), by central differences."""
    step = 1e-6 * (1.0 + eta.abs())
    up, down = (loss.mean((eta + way * step)[None])[0] for way in (1.0, -1.0))
    return np.asarray(((up - down) / (2.0 * step)).abs().numpy())


def steepest(loss: Loss, level: Level) -> Array:
    """The most that the loss bends, shape (k,), or `SAFETY` times what it bends at the start."""
    return np.full_like(level.bend, loss.bound) if loss.bound is not None else SAFETY * level.bend


def inside(problem: SummedObjective, coef: Tensor) -> Tensor:
    """`coef`, or where the model of the intercept alone or the loss itself would start, if it is out of the domain."""
    for at in (coef, problem.start):
        if math.isfinite(problem.value(at)):
            return at
    return problem.first_step()
