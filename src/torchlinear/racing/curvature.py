"""The Hessian of a race: what decides which learning rates are short enough, and how long the way is.

Steps of gradient descent shrink the error along an eigenvector of eigenvalue l by ``1 - lr l``, so they diverge
above ``2 / top``, and the flattest direction takes about ``1 / (lr bottom)`` steps a factor e (Nocedal, Wright
2006, "Numerical Optimization", section 3.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.errors import InvalidInput
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.quadratic import QuadraticObjective
from torchlinear.solvers.frame import Frame, Spectrum, quadratic
from torchlinear.summed import SummedObjective

__all__ = ["Curvature", "curvature", "slope_of"]

Array = NDArray[np.float64]

FORMED = 200  # coefficients of a loss that is summed, up to which its Hessian is formed
POWERS = 60  # products of the power method beyond
SINGLE, DOUBLE = 1e-6, 1e-14  # rounding of products, relative, for each coefficient
ROUGH = 0.5  # largest curvature of a row of softmax


@dataclass(frozen=True)
class Curvature:
    """Eigenvalues of the Hessian, in the units of the race.

    Attributes
    ----------
    top, bottom : float
        The largest one, and the smallest that is not rounding; NaN when that is not known.
    start : float
        The largest one at the start; that of squared loss is the same everywhere.
    steepest : float
        Of the loss of a single row, times its weight over the mean weight, the largest.
    values : ndarray, shape (q,)
        All of them at the optimum, ascending; empty when they are not known.
    vectors : ndarray, shape (q, q)
        Their eigenvectors, flat coefficients (p + 1) k in C order.
    standardised : float
        Condition number that columns of mean 0 and standard deviation 1 would have; NaN when it is not known.
    slope : float
        Typical step to the minimum of one coefficient alone, at the start.
    flat : int
        Directions of free coefficients along which there is none but rounding.
    """

    top: float
    bottom: float
    start: float
    steepest: float
    values: Array
    vectors: Array
    standardised: float
    slope: float
    flat: int = 0

    @property
    def condition(self) -> float:
        """Steepest over flattest."""
        return self.top / self.bottom

    @cached_property
    def edge(self) -> float:
        """The learning rate above which gradient descent on all rows diverges."""
        return 2.0 / max(self.top, self.start)

    def steepness(self, rows: int, columns: int) -> Array:
        """Curvature along each coefficient alone, shape (rows, columns); 1 where it is not known."""
        if len(self.values) != rows * columns:
            return np.ones((rows, columns))
        return np.asarray((np.square(self.vectors) @ self.values).reshape(rows, columns))

    def spectrum(self, batch: int | None, rows: int) -> Spectrum:
        """What a rule chooses its step from."""
        top = max(self.top, self.start)
        bottom = self.bottom if np.isfinite(self.bottom) else top
        if batch is None or batch >= rows:
            return Spectrum(top, bottom, top)
        rough = (rows * (batch - 1) * top + (rows - batch) * self.steepest) / (batch * (rows - 1.0))
        return Spectrum(top, bottom, rough, -(-rows // batch))


def curvature(objective: Objective, best: Tensor, start: Tensor) -> Curvature:
    """The curvature of an objective at its optimum and at the start."""
    steepest = max(
        objective.loaded.sum(_steepest, objective.loss, at, objective.intercept).of_mean_weight
        for at in (best, start)
    )
    slope = slope_of(objective, start)
    there = hessian(objective, best)
    here = there if isinstance(objective, QuadraticObjective) else hessian(objective, start)
    if there is None or here is None:
        assert isinstance(objective, SummedObjective)
        top, first = (_power(objective, at) for at in (best, start))
        typical = float(np.abs(slope).max()) / max(top, first)
        return Curvature(top, math.nan, first, steepest, np.empty(0), np.empty((0, 0)), math.nan, typical)
    if not np.isfinite(here).all():
        raise InvalidInput("start: the curvature of the loss is not finite there; start nearer.")
    values, vectors = np.linalg.eigh(there)
    first = float(values[-1]) if here is there else float(np.linalg.eigvalsh(here)[-1])
    noise = len(values) * (SINGLE if getattr(objective, "product_error", 0.0) > SINGLE else DOUBLE)
    return Curvature(
        top=float(values[-1]),
        bottom=_least(values, noise),
        start=first,
        steepest=steepest,
        values=values,
        vectors=vectors,
        standardised=_standardised(objective, there, noise),
        slope=_typical(slope, np.maximum(np.diagonal(here), np.diagonal(there))),
        flat=_flat(objective, values, noise),
    )


def _least(values: Array, noise: float) -> float:
    """The smallest eigenvalue that is more than rounding."""
    return float(values[values > values[-1] * noise].min(initial=values[-1]))


def _flat(objective: Objective, values: Array, noise: float) -> int:
    """Eigenvalues that are rounding, but for those of an intercept that is not free."""
    held = 0 if objective.intercept else len(values) // (objective.n_features + 1)
    return max(int((values <= values[-1] * noise).sum()) - held, 0)


def _typical(slope: Array, bent: Array) -> float:
    """The median step to the minimum of one coefficient alone, `bent` the curvature along each, shape (q,).

    It is the larger one of start and optimum: far from its targets Huber's loss has next to none.
    """
    diagonal = np.repeat(bent, slope.size // len(bent))  # of several targets it may be that of each
    told = diagonal > 0
    return float(np.median(np.abs(slope.ravel()[told]) / diagonal[told])) if told.any() else 1.0


def _standardised(objective: Objective, bent: Array, noise: float) -> float:
    """The condition number with columns of mean 0 and standard deviation 1."""
    p = objective.n_features
    k = len(bent) // (p + 1)
    if isinstance(objective, QuadraticObjective):
        triangle = objective.factor
        mean, squares, weight = (
            triangle.mean.high[:p],
            np.square(triangle.R.high[:, :p]).sum(axis=0),
            triangle.weight,
        )
    else:
        assert isinstance(objective, SummedObjective)
        mean, squares, weight = (
            objective.spread.mean[:p],
            objective.spread.squares[:p],
            objective.spread.weight,
        )
    spread = np.sqrt(squares / weight)
    into = np.diag(np.append(1.0 / np.where(spread > 0, spread, 1.0), 1.0))
    if objective.intercept:
        into[p, :p] = -mean * np.diagonal(into)[:p]
    into = np.kron(into, np.eye(k))
    values = np.linalg.eigvalsh(into.T @ bent @ into)
    return float(values[-1]) / _least(values, noise)


def hessian(objective: Objective, coef: Tensor) -> Array | None:
    """The Hessian of the objective, shape (q, q), coefficients (p + 1, k) flat; None when it is too large."""
    p, k = objective.n_features, objective.n_outputs
    if isinstance(objective, QuadraticObjective):
        triangle = objective.factor
        form = quadratic(triangle, Frame.users(p, k), objective.ridge(2.0), 1.0 / triangle.weight)
        one = np.zeros((p + 1, p + 1))
        one[:p, :p] = form.curvature + form.weight * np.outer(form.mean, form.mean) + np.diag(form.ridge)
        if objective.intercept:
            one[:p, p] = one[p, :p] = form.weight * form.mean
            one[p, p] = form.weight
        return np.asarray(np.kron(one, np.eye(k))) if k * (p + 1) <= 10 * FORMED else one
    assert isinstance(objective, SummedObjective)
    count = (p + 1) * k
    if count > FORMED:
        return None
    units = torch.eye(count, dtype=torch.float64).reshape(count, p + 1, k)
    found = np.stack([product(objective, coef, unit).ravel() for unit in units])
    return np.asarray((found + found.T) / 2.0)


def product(objective: SummedObjective, coef: Tensor, direction: Tensor) -> Array:
    """The Hessian of the objective times a direction, both in its units, shape (p + 1, k)."""
    if not objective.intercept:
        direction = torch.cat([direction[:-1], torch.zeros_like(direction[-1:])])
    bent = objective.product(coef, direction).numpy().copy()
    bent[:-1] += objective.centre[:, None] * bent[-1]
    if objective.penalty is not None:
        bent[:-1] += objective.ridge(1.0)[:, None] * direction[:-1].numpy()
    if not objective.intercept:
        bent[-1] = 0.0
    return np.asarray(bent)


def _power(objective: SummedObjective, coef: Tensor) -> float:
    """The largest eigenvalue by the power method."""
    at = torch.randn(
        objective.n_features + 1,
        objective.n_outputs,
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(0),
    )
    size = 1.0
    for _ in range(POWERS):
        at = torch.from_numpy(product(objective, coef, at / at.norm()))
        before, size = size, float(at.norm())
        if abs(size - before) <= 1e-4 * size:
            break
    return size


def slope_of(objective: Objective, coef: Tensor) -> Array:
    """The derivative of the objective, shape (p + 1, k)."""
    if isinstance(objective, SummedObjective):
        return np.asarray(objective.slope(coef).numpy())
    assert isinstance(objective, QuadraticObjective)
    p, triangle = objective.n_features, objective.factor
    R, mean, at = triangle.R.high, triangle.mean.high, coef.numpy()
    missed = at[-1] - (mean[p:] - mean[:p] @ at[:-1])
    pull = 2.0 / triangle.weight * (R[:p, :p].T @ (R[:p, :p] @ at[:-1] - R[:p, p:]))
    pull += 2.0 * np.outer(mean[:p], missed) + objective.ridge(2.0)[:, None] * at[:-1]
    return np.vstack([pull, 2.0 * missed * objective.intercept])


@dataclass(frozen=True)
class _Largest:
    """A maximum over weighted rows as something to add up."""

    value: float
    weight: float
    rows: int

    def __add__(self, other: _Largest) -> _Largest:
        return _Largest(max(self.value, other.value), self.weight + other.weight, self.rows + other.rows)

    @property
    def of_mean_weight(self) -> float:
        """The maximum where weights are divided by their mean, as in the steps of a descent."""
        return self.value * self.rows / self.weight


def _steepest(block: Block, loss: Loss, coef: Tensor, intercept: bool) -> _Largest:
    """The largest curvature of a row's loss, ``w h (|x|^2 + 1)``."""
    rows = len(block.y)
    block = block.counted()
    if loss.separable:
        bent = loss.expected(block.predict(coef), block.y).double().amax(dim=1)
    else:
        bent = torch.full((len(block.y),), ROUGH, dtype=torch.float64)
    lengths = torch.ones_like(bent) * float(intercept)
    for j in range(block.X.shape[1]):
        column = block.X[:, j]
        lengths += (column.to_dense() if column.is_sparse else column).double().square()
    weight = torch.ones_like(bent) if block.weight is None else block.weight.double()
    largest = float((weight * bent * lengths).max()) if len(lengths) else 0.0
    return _Largest(largest, float(weight.sum()), rows)
