"""The objective of any loss, summed over the rows at each point that a solver asks for.

At coefficients b, with g = dl/deta and h = d^2 l/deta^2 of each row and c a point near the rows:

    value   sum w l,
    pull    [X - c, 1]' (w g),                      the slope in the user's units, times W,
    model   H = [X, 1]' diag(w h) [X, 1]            of each output, as the moments of rows weighted by w h
                                                    with the working target -g / h beside them,

so that a Newton step is a weighted least-squares fit (iteratively reweighted least squares; McCullagh,
Nelder 1989, "Generalized Linear Models", section 2.5), with its pivoting, its centring and its merging.

The certificate is the largest slope in standardised units: for a feature of norm s_j about its mean, and t the
norm of g in the model of the intercept alone,

    |sum w g (x_j - mean_j) + W P'_j| / (s_j t).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.baseline import intercept_alone
from torchlinear.block import Block
from torchlinear.engines.base import Loaded
from torchlinear.engines.local import Local
from torchlinear.errors import DataError
from torchlinear.leastsquares import solve
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.penalties.base import Penalty
from torchlinear.rows import TensorRows
from torchlinear.statistics import Moments, Spread, Triangle

__all__ = ["Slope", "SummedObjective", "Working", "working_of"]

Array = NDArray[np.float64]
Kept = dict[tuple[int, int], Tensor]  # linear predictors of blocks

MANY_NUMBERS = 10_000_000  # n p k, a product of about 1 ms
FAR = 1e3  # standard deviations between 0 and the mean that float32 can bear
SINGLE_ERROR, DOUBLE_ERROR = 1e-3, 1e-10
KEPT_BYTES = 2 << 30
NOTHING = 64.0 * float(np.finfo(np.float64).eps)  # share of what a slope can be that is its rounding
LEAST_WEIGHT = 1e-30  # of a working row, whose target -g / h must stay finite


@dataclass(frozen=True)
class Slope:
    """Sums of the rows at one point; ``a + b`` are those of both sets of rows.

    Attributes
    ----------
    value : float
        Weighted sum of the losses.
    pull : ndarray, shape (p + 1, k)
        Weighted sums of dl/deta times each feature about the objective's shift; of dl/deta in the last row.
    """

    value: float
    pull: Array

    def __add__(self, other: Slope) -> Slope:
        return Slope(self.value + other.value, self.pull + other.pull)


@dataclass(frozen=True)
class Working:
    """The working least-squares problem of a Newton step; ``a + b`` is that of both sets of rows.

    Attributes
    ----------
    value : float
        Weighted sum of the losses.
    parts : tuple of Moments or Triangle
        One for each output: of the features, and of the working target -g / h, weighted by w h.
    """

    value: float
    parts: tuple[Moments, ...] | tuple[Triangle, ...]

    def __add__(self, other: Working) -> Working:
        parts = tuple(a + b for a, b in zip(self.parts, other.parts))  # type: ignore[operator]
        return Working(self.value + other.value, parts)


class SummedObjective(Objective):
    """An objective of any loss.

    Parameters
    ----------
    loss, penalty, loaded, intercept
        As in `Objective`.
    n_outputs : int, optional
        Columns of the coefficients; one for each target by default.
    """

    def __init__(
        self,
        loss: Loss,
        penalty: Penalty | None,
        loaded: Loaded,
        *,
        intercept: bool = True,
        n_outputs: int | None = None,
    ) -> None:
        super().__init__(loss, penalty, loaded, intercept=intercept)
        self._n_outputs = loaded.rows.n_outputs if n_outputs is None else n_outputs
        self._last: tuple[Tensor, Slope] | None = None
        self._kept: tuple[Tensor, Kept] = (torch.empty(0), {})

    @property
    def n_outputs(self) -> int:
        """k."""
        return self._n_outputs

    @property
    def centre(self) -> Array:
        """The point about which features are summed, shape (p,)."""
        return self.shift[: self.n_features]

    @cached_property
    def spread(self) -> Spread:
        """Means and sums of squares of the features and of the response; one pass, kept."""
        found = self.loaded.sum(_spread, self.loss, self.centre, self.n_outputs)
        if found.weight == 0.0:
            raise DataError("the weights sum to zero: give at least one row a weight above 0.")
        if not found.finite:
            self.refuse_nonfinite()
        return found

    @property
    def weight(self) -> float:
        """W, the sum of the weights."""
        return self.spread.weight

    @cached_property
    def start(self) -> Tensor:
        """Coefficients of the model of the intercept alone, shape (p + 1, k); zeros without one."""
        coef = super().start
        if self.intercept:
            coef[-1] = self.loss.predictor(torch.from_numpy(self.spread.mean[self.n_features :]))
            if self.rows.has_offset:
                coef[-1] = intercept_alone(self.loaded, self.loss, coef[-1])
        return torch.nan_to_num(coef, posinf=0.0, neginf=0.0)

    @cached_property
    def size(self) -> float:
        """Norm of dl/deta in the model of the intercept alone: what slopes are measured against.

        Where that is rounding, of a target that does not vary, it is what predictors off by ``1 + |eta|`` make of it.
        """
        size, most = np.sqrt(self.loaded.sum(_squares, self.loss, self.start[-1])).tolist()
        size = most if np.isfinite(most) and size <= NOTHING * most else size
        return size or 1.0

    def sampled(self, count: int) -> SummedObjective | None:
        """The same objective of `count` evenly spaced rows; None of rows that do not lie in memory."""
        if not isinstance(self.rows, TensorRows):
            return None
        few = Local(1).load(self.rows.spaced(count))
        return SummedObjective(
            self.loss, self.penalty, few, intercept=self.intercept, n_outputs=self.n_outputs
        )

    def at(self, coef: Tensor) -> Slope:
        """Sums over the rows at `coef`; one pass, the last one kept."""
        if self._last is None or not torch.equal(self._last[0], coef):
            self._last = (coef.clone(), self.loaded.sum(_slope, self.loss, coef, self.centre))
        return self._last[1]

    def value(self, coef: Tensor) -> float:
        """F at `coef`, shape (p + 1, k)."""
        return self.total(self.at(coef).value, coef)

    def total(self, value: float, coef: Tensor) -> float:
        """F from the weighted sum of the losses at `coef`."""
        loss = value / self.weight
        return loss if self.penalty is None else loss + float(self.penalty.value(coef[:-1]))

    def slope(self, coef: Tensor) -> Tensor:
        """Derivative of the smooth part of F in the user's units, shape (p + 1, k)."""
        pull = self.at(coef).pull.copy()
        pull[:-1] += self.centre[:, None] * pull[-1]
        if not self.intercept:
            pull[-1] = 0.0
        slope = torch.from_numpy(pull / self.weight)
        if self.penalty is not None:
            slope[:-1] += self.penalty.gradient(coef[:-1])
        return slope

    def product(self, coef: Tensor, direction: Tensor) -> Tensor:
        """The second derivative of the mean loss at `coef` times a direction, both shape (p + 1, k); one pass.

        It is with respect to coefficients about `centre`, without the penalty, and to `product_error`.
        """
        if not torch.equal(self._kept[0], coef):
            self._kept = (coef.clone(), {})
        dtype = torch.float64 if self.product_error < SINGLE_ERROR else torch.float32
        kept = self._kept[1] if self._keeps else None
        total = self.loaded.sum(_product, self.loss, coef, direction, self.centre, dtype, kept)
        return total / self.weight

    @cached_property
    def product_error(self) -> float:
        """Relative error of `product`: that of float32 for many numbers near each other, where it saves time."""
        p, spread = self.n_features, self.spread
        few = self.rows.n_rows is not None and self.rows.n_rows * p * self.n_outputs < MANY_NUMBERS
        far = np.square(spread.mean[:p]) * spread.weight > np.square(FAR) * spread.squares[:p]
        return DOUBLE_ERROR if self.loss.separable or few or bool(far.any()) else SINGLE_ERROR

    @property
    def _keeps(self) -> bool:
        """Whether linear predictors may be kept from product to product."""
        rows = self.rows  # whose blocks are views, known by where they begin
        return isinstance(rows, TensorRows) and 8 * len(rows.y) * self.n_outputs <= KEPT_BYTES

    def working(self, coef: Tensor, by: str = "cholesky", *, expected: bool = False) -> Working:
        """The least-squares problem whose solution is the Newton step from `coef`; one pass.

        Parameters
        ----------
        coef : Tensor, shape (p + 1, k)
            Where.
        by : {"cholesky", "qr"}
            Whether the parts are moments, or triangles by orthogonal transformations of the rows.
        expected : bool
            Whether h is averaged over targets: then H is Fisher's information.
        """
        found = self.loaded.sum(working_of, self.loss, coef, self.centre, by, expected)
        if not expected and all(part.finite for part in found.parts):
            pulls = np.column_stack([_pull(part, self.centre) for part in found.parts])
            self._last = (coef.clone(), Slope(found.value, pulls))
        return found

    def first_step(self) -> Tensor:
        """Coefficients of the working problem at `Loss.start`, shape (p + 1, k): where no other start is valid."""
        found = self.loaded.sum(_first, self.loss, self.centre)
        ridge, intercept = self.ridge(self.weight), self.intercept
        coef = [
            solve(part if intercept else part.uncentred(), ridge, intercept=intercept).coef[:, 0]
            for part in found.parts
            if isinstance(part, Triangle)
        ]
        return torch.from_numpy(np.column_stack(coef))

    def pull(self, coef: Tensor, about: Array) -> Array:
        """W times the slope by the features about the points `about`, shape (p, k), penalty included; (p, k)."""
        sums = self.at(coef).pull
        pull = sums[:-1] + (self.centre[:, None] - about) * sums[-1]
        if self.penalty is not None:
            pull = pull + self.weight * self.penalty.gradient(coef[:-1]).numpy()
        return np.asarray(pull)

    def ridge(self, weight: float) -> Array:
        """What the penalty adds to the diagonal of H, shape (p,), for a sum of weights `weight`."""
        return 2.0 * super().ridge(weight)

    def lasso(self, weight: float) -> Array:
        """Strengths of the penalty's absolute values, shape (p,), for a sum of weights `weight`."""
        return 2.0 * super().lasso(weight)

    def certificate(self, coef: Tensor) -> float:
        """Largest slope at `coef` in standardised units: 0 at the optimum, at most about 1 at the start.

        Where the penalty has a kink, the slope is the smallest of its subgradients.
        """
        p, spread = self.n_features, self.spread
        mean = spread.mean[:p, None] if self.intercept else np.zeros((p, 1))
        squares = spread.squares[:p] + (0.0 if self.intercept else spread.weight * np.square(spread.mean[:p]))
        norms = np.sqrt(np.where(squares > 0, squares, 1.0))[:, None]
        with np.errstate(invalid="ignore", over="ignore"):
            pull = self._subgradient(self.pull(coef, mean), coef[:-1])
            steepest = (np.abs(pull) / norms)[squares > 0].max(initial=0.0)
            missed = np.abs(self.at(coef).pull[-1]).max() / np.sqrt(spread.weight) if self.intercept else 0.0
            return float(np.maximum(steepest, missed) / self.size)

    def _subgradient(self, pull: Array, beta: Tensor) -> Array:
        """The smallest subgradient of W F by beta, shape (p, k), given the slope of its smooth part."""
        if self.penalty is None:
            return pull
        return self.weight * self.penalty.steepest(torch.from_numpy(pull / self.weight), beta).numpy()


def _spread(block: Block, loss: Loss, centre: Array, n_outputs: int) -> Spread:
    reason = loss.refusal(block.y)
    if reason is not None:
        raise DataError(reason)
    response = replace(block, y=loss.response(block.y, n_outputs))
    return response.spread(np.concatenate([centre, np.zeros(n_outputs)]))


def _squares(block: Block, loss: Loss, predictor: Tensor) -> Array:
    """Weighted sums of squares, shape (2,): of dl/deta, and of what it changes by as eta changes by ``1 + |eta|``."""
    block = block.counted()
    eta = block.flat(predictor)
    slope, change = loss.gradient(eta, block.y), loss.expected(eta, block.y) * (1.0 + eta.abs())
    return np.array([float(_weighted(block, part.square()).sum()) for part in (slope, change)])


def _slope(block: Block, loss: Loss, coef: Tensor, centre: Array) -> Slope:
    block = block.counted()
    eta = block.predict(coef)
    value, gradient = loss.value_gradient(eta, block.y)
    gradient = _weighted(block, gradient)
    pull = block.pull(gradient).cpu().numpy()
    pull[:-1] -= centre[:, None] * pull[-1]
    return Slope(_total(block, value), pull)


def _product(
    block: Block,
    loss: Loss,
    coef: Tensor,
    direction: Tensor,
    centre: Array,
    dtype: torch.dtype,
    kept: Kept | None,
) -> Tensor:
    key = (block.y.data_ptr(), len(block.y))
    eta = None if kept is None else kept.get(key)
    if eta is None:
        eta = block.predict(coef).to(dtype)
        if kept is not None:
            kept[key] = eta
    bent = _weighted(block, loss.product(eta, block.y, block.linear(direction, dtype)))
    pull = block.pull(bent, dtype).cpu()
    pull[:-1] -= torch.from_numpy(centre)[:, None] * pull[-1]
    return pull


def working_of(block: Block, loss: Loss, coef: Tensor, centre: Array, by: str, expected: bool) -> Working:
    """The working problem of one block; see `SummedObjective.working`."""
    block = block.counted()
    eta = block.predict(coef)
    value, gradient, curvature = loss.derivatives(eta, block.y)
    if expected:
        curvature = loss.expected(eta, block.y)
    elif bool((curvature <= 0).any()):
        curvature = torch.where(curvature > 0, curvature, loss.expected(eta, block.y))
    curvature = curvature.clamp(min=LEAST_WEIGHT)
    parts = _parts(block, -gradient / curvature, curvature, centre, by)
    return Working(_total(block, value), tuple(parts))  # type: ignore[arg-type]


def _first(block: Block, loss: Loss, centre: Array) -> Working:
    """The working problem at the starting values, with the predictor itself as its target."""
    block = block.counted()
    eta = loss.start(block.y)
    curvature = loss.expected(eta, block.y).clamp(min=LEAST_WEIGHT)
    target = eta - loss.gradient(eta, block.y) / curvature
    if block.offset is not None:
        target = target - block.offset.to(target.device).unsqueeze(1)
    return Working(0.0, tuple(_parts(block, target, curvature, centre, "qr")))  # type: ignore[arg-type]


def _parts(
    block: Block, target: Tensor, curvature: Tensor, centre: Array, by: str
) -> Iterator[Moments | Triangle]:
    weight, shift = _weighted(block, curvature), np.append(centre, 0.0)
    for j in range(target.shape[1]):
        part = replace(block, y=target[:, j : j + 1], weight=weight[:, j])
        yield part.moments(shift) if by == "cholesky" else part.triangle(shift)


def _pull(part: Moments | Triangle, centre: Array) -> Array:
    """The pull of `Slope` from a working problem: of -g / h weighted by h, shape (p + 1,)."""
    p, mean = part.n_features, part.mean.high
    cross = part.cross.high[:p, p] if isinstance(part, Moments) else part.R.high[:, :p].T @ part.R.high[:, p]
    total = part.weight * mean[p]
    return -np.append(cross + (mean[:p] - centre) * total, total)


def _weighted(block: Block, values: Tensor) -> Tensor:
    """Rows of `values`, shape (n, k), times their weights."""
    return values if block.weight is None else block.weight.unsqueeze(1) * values


def _total(block: Block, value: Tensor) -> float:
    """Weighted sum of a value of each row."""
    return float(value.sum() if block.weight is None else block.weight @ value)
