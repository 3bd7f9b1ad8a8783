"""Grids of penalties: from the strongest that matters downwards.

With the slope g of the loss where only unpenalised columns have coefficients, the least alpha at which an L1 part
keeps every other coefficient at zero is ``max_j |g_j| / lasso_j``, lasso_j the strength at alpha = 1. Without an
L1 part nothing is ever zero; there the grid begins where no column keeps more than a hundredth of its
coefficient, at a hundred times the largest ``curvature_j / ridge_j``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from torchlinear.errors import InvalidInput
from torchlinear.penalties import REGISTRY as PENALTIES
from torchlinear.penalties.elastic_net import L1L2
from torchlinear.penalties.separable import Separable
from torchlinear.selection.gram import along, pull
from torchlinear.statistics import Moments

__all__ = ["MIXES", "Sensitivity", "check", "checked_alphas", "families", "sensitivity", "strengths"]

Array = NDArray[np.float64]

MIXES = (0.1, 0.5, 0.9)  # of an elastic net, where the user names none
ROUNDING = 1e-12  # added to the strongest, so that no coefficient there is rounding alone
LEAST_L1, LEAST_L1_WIDE, LEAST_L2 = (
    1e-4,
    1e-2,
    1e-8,
)  # weakest over strongest; wide: no more rows than columns


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What decides where a grid begins.

    Attributes
    ----------
    pull : ndarray, shape (p, k)
        Slope of the loss by each coefficient where only unpenalised columns have one, its sign turned.
    curvature : ndarray, shape (p,)
        Second derivative of the loss by each coefficient.
    deviation : ndarray, shape (p,)
        Standard deviations of the columns (1/n).
    wide : bool
        Whether there are no more rows than columns.
    """

    pull: Array
    curvature: Array
    deviation: Array
    wide: bool


def families(penalty: str | Separable, mixes: Sequence[float] | None) -> list[Separable]:
    """The penalties that a user asks for, one for each mix of an elastic net; their strengths mean nothing yet."""
    if isinstance(penalty, str):
        made = PENALTIES.load(penalty)()
        mixes = MIXES if mixes is None and isinstance(made, L1L2) else mixes
    else:
        made = penalty
    if not isinstance(made, Separable):
        got = f"the class {made.__name__}: call it" if isinstance(made, type) else str(made)
        raise InvalidInput(
            f"penalty= takes 'l1', 'l2', 'elastic_net' or such an object, whose strength can vary, got {got}; others "
            "go with tl.fit, one strength at a time."
        )
    if not made.has_strength:
        raise InvalidInput(f"{made} has no strength to vary; add it to a penalty that has: tl.L1() + {made}.")
    if mixes is None:
        return [made]
    if not isinstance(made, L1L2):
        raise InvalidInput(f"mixes= goes with penalty='elastic_net', not with {made.name!r}; leave it out.")
    if len(mixes) == 0:
        raise InvalidInput("mixes= is empty; give at least one number from 0 to 1.")
    return [replace(made, mix=float(mix)) for mix in mixes]


def sensitivity(moments: Moments, family: Separable, *, intercept: bool = True) -> Sensitivity:
    """What the moments of rows say of a squared loss."""
    p, k = moments.n_features, len(moments.mean.high) - moments.n_features
    cross, mean = np.diag(moments.cross.high) / moments.weight, moments.mean.high
    around = cross if intercept else cross + np.square(mean)
    deviation, curvature = np.sqrt(cross[:p]), 2.0 * around[:p]
    unit = family.with_alpha(1.0).in_units(torch.from_numpy(deviation))
    lasso, slope = unit.lasso(p).numpy(), pull(moments, intercept=intercept)
    held = lasso > 0
    if (
        held.any() and not held.all()
    ):  # fit the others: no slope exceeds the norms of its column and the target
        most = np.sqrt(2.0 * curvature[held] * around[p:].max()) / lasso[held]
        coef = along(moments, [family.with_alpha(2.0 * float(most.max()))], intercept=intercept)[0, :p]
        products = moments.cross.high[:p, :p]
        products = products if intercept else products + moments.weight * np.outer(mean[:p], mean[:p])
        slope = slope - (2.0 / moments.weight) * (products @ coef.reshape(p, k))
    return Sensitivity(slope, curvature, deviation, moments.rows <= p)


def strengths(family: Separable, seen: Sensitivity, count: int, least: float | None) -> Array:
    """`count` alphas, evenly spaced on a logarithmic scale, from the strongest that matters down to `least` of it."""
    p = len(seen.deviation)
    unit = family.with_alpha(1.0).in_units(torch.from_numpy(seen.deviation))
    lasso, ridge = unit.lasso(p).numpy(), unit.ridge(p).numpy()
    if lasso.any():
        held = lasso > 0
        top = float((np.abs(seen.pull[held]).max(axis=1) / lasso[held]).max()) * (1.0 + ROUNDING)
        ratio = LEAST_L1_WIDE if seen.wide else LEAST_L1
    else:
        held = ridge > 0
        top = 100.0 * float((seen.curvature[held] / ridge[held]).max(initial=0.0))
        ratio = LEAST_L2
    if not top > 0.0:
        top = 1.0  # a constant target or constant columns: every strength says the same
    return np.geomspace(top, top * (ratio if least is None else least), count)


def checked_alphas(alphas: Any) -> Array:
    """Strengths that a user lists, from the strongest down."""
    try:
        values = np.sort(np.asarray(alphas, dtype=np.float64).ravel())[::-1].copy()
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if values.size == 0 or not np.isfinite(values).all() or (values < 0).any():
        raise InvalidInput(f"alphas={alphas!r}: expected finite numbers of at least 0.")
    return values


def check(count: int, least: float | None) -> None:
    """Refuse a number of penalties, or a share of the strongest, that is none."""
    if not isinstance(count, Integral) or isinstance(count, bool) or count < 1:
        raise InvalidInput(f"n_penalties={count!r}: expected a whole number of at least 1.")
    if least is not None and not (isinstance(least, Real) and 0 < least < 1):
        raise InvalidInput(f"least={least!r}: expected a number between 0 and 1, such as 1e-4.")
