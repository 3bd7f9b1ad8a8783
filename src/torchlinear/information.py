"""Information: what inference needs of a fit by maximum likelihood, from one pass at its coefficients.

With the expected curvature E h of each row (Fisher's information of one observation) at the optimum,

    S = ([X, 1]' diag(w E h) [X, 1])^-1,    dispersion = sum w (y - mu)^2 / V(mu) / df,

dispersion S is the covariance of the coefficients; the dispersion is 1 where the family says so (Poisson,
binomial). The deviance is twice what the loss exceeds that of a model with a parameter for every row.

The classes of a softmax share one information matrix, whose blocks are ``[X, 1]' diag(w (pi_a [a = b] - pi_a pi_b))
[X, 1]``. It is inverted with the coefficients of the first class at 0, where it is regular; coefficients that sum to
zero over the classes are theirs less the mean.

McCullagh, Nelder 1989, "Generalized Linear Models", sections 2 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import lapack
from torch import Tensor

from torchlinear.block import Block
from torchlinear.leastsquares import LeastSquares, solve
from torchlinear.losses.base import Loss
from torchlinear.losses.family import Family
from torchlinear.statistics import Moments, Triangle
from torchlinear.summed import SummedObjective

__all__ = ["Information", "at_boundary", "dependent", "information", "separated", "told_apart", "without"]

Array = NDArray[np.float64]

SINGULAR = 1e-12  # smallest squared pivot of information scaled to a unit diagonal
ORTHOGONAL_WORK = 20_000_000  # n p^2 up to which orthogonal transformations cost milliseconds
DRIFT = (
    0.01  # standard deviations of its column that a Newton step may still move a coefficient at an optimum
)

NEAR = 1e-6  # of the usual linear predictor, how near the end of its domain one is that ran into it

MEASURES = ("pearson", "deviance", "null_deviance", "log_likelihood")


@dataclass(frozen=True)
class Information:
    """What a fit by maximum likelihood knows about its coefficients.

    Attributes
    ----------
    inverse : ndarray, shape (k, p + 1, p + 1)
        S of each output, the intercept last; NaN in the rows and columns of dropped features.
    dependent : ndarray of bool, shape (p,)
        Features that were found to depend on those before them.
    rows : int
        Rows with a weight above zero.
    weight : float
        Sum of the weights.
    pearson : ndarray, shape (k,)
        Weighted sums of ``(y - mu)^2 / V(mu)``.
    deviance, null_deviance : ndarray, shape (k,)
        Of the fit, and of the intercept alone.
    log_likelihood : ndarray, shape (k,)
        Where the dispersion is known; NaN elsewhere.
    dispersed : bool
        Whether the dispersion is estimated, by `pearson` over the degrees of freedom, or known to be 1.
    moved : ndarray, shape (p, k)
        How far a Newton step would still move each coefficient.
    joint : ndarray, shape (k, p + 1, k, p + 1), or None
        Covariance of the coefficients of all classes of a softmax; None where outputs do not interact.
    """

    inverse: Array
    dependent: NDArray[np.bool_]
    rows: int
    weight: float
    pearson: Array
    deviance: Array
    null_deviance: Array
    log_likelihood: Array
    dispersed: bool
    moved: Array
    joint: Array | None = None

    @property
    def sets(self) -> int:
        """Sets of coefficients that are free: one by default, all but one of the classes of a softmax."""
        return 1 if self.joint is None else len(self.joint) - 1

    def against(self, base: int) -> Information:
        """The same of the coefficients of the other classes less those of class `base`."""
        assert self.joint is not None
        others = [c for c in range(len(self.joint)) if c != base]
        inverse = [
            self.joint[c, :, c] + self.joint[base, :, base] - self.joint[c, :, base] - self.joint[base, :, c]
            for c in others
        ]
        parts = {name: getattr(self, name)[others] for name in MEASURES}
        return replace(self, inverse=np.stack(inverse), moved=self.moved[:, others], **parts)

    @property
    def rank(self) -> int:
        """Independent features."""
        return int((~self.dependent).sum())


@dataclass(frozen=True)
class Goodness:
    """Sums over rows that measure the fit, each of shape (k,); ``a + b`` are those of both sets of rows."""

    pearson: Array
    loss: Array
    null: Array
    least: Array
    constant: Array

    def __add__(self, other: Goodness) -> Goodness:
        return Goodness(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def information(problem: SummedObjective, coef: Tensor) -> Information:
    """Look at the rows once more, at the coefficients of a fit without penalty; shape (p + 1, k).

    Parameters
    ----------
    problem : SummedObjective
        With a loss whose outputs do not interact.
    coef : Tensor, shape (p + 1, k)
        Where.
    """
    n, p = problem.rows.n_rows, problem.n_features
    by = "qr" if n is not None and n * p * p <= ORTHOGONAL_WORK else "cholesky"
    parts = [_solved(part, problem.intercept) for part in problem.working(coef, by, expected=True).parts]
    good = problem.loaded.sum(_goodness, problem.loss, coef, problem.start[-1])
    spread = problem.spread
    known = not problem.loss.dispersed
    return Information(
        inverse=problem.loss.multiple * np.stack([part.inverse for part in parts]),
        dependent=np.logical_or.reduce([part.dependent for part in parts]),
        rows=spread.rows,
        weight=spread.weight,
        pearson=good.pearson,
        deviance=2.0 / problem.loss.multiple * (good.loss - good.least),
        null_deviance=2.0 / problem.loss.multiple * (good.null - good.least),
        log_likelihood=-(good.loss + good.constant) if known else np.full_like(good.loss, np.nan),
        dispersed=problem.loss.dispersed,
        moved=np.column_stack([part.coef[:-1, 0] for part in parts]),
    )


def joint_information(
    problem: SummedObjective,
    coef: Tensor,
    H: Array,
    scale: Array,
    centre: Array,
    out: NDArray[np.bool_] | None = None,
) -> Information | None:
    """The same for a loss whose outputs interact (softmax); None where columns depend on one another.

    Parameters
    ----------
    problem : SummedObjective
        With a softmax loss.
    coef : Tensor, shape (p + 1, k)
        Where.
    H : ndarray, shape (k (p + 1), k (p + 1))
        Second derivatives of the summed loss there, output by output, for coefficients about `centre` that are
        multiplied by `scale`; without the intercept's where there is none.
    scale : ndarray, shape (p + 1, k) or (p, k)
        What makes their diagonal 1.
    centre : ndarray, shape (p,)
        A point near the rows; zeros without an intercept.
    out : ndarray of bool, shape (p,), optional
        Features that depend on those before them, and are left out; none by default.
    """
    k, p = problem.n_outputs, problem.n_features
    out = np.zeros(p, dtype=np.bool_) if out is None else out
    size = len(scale)
    kept = np.append(~out, True)[:size]
    H, scale = H[np.ix_(np.tile(kept, k), np.tile(kept, k))], scale[kept]
    free = len(scale)
    flat = scale.T.ravel()[free:]
    factor, info = lapack.dpotrf(H[free:, free:])
    if info or not np.square(np.diagonal(factor)).min(initial=1.0) > SINGULAR:
        return None
    against_first = np.zeros((k, free, k, free))
    inverse, _ = lapack.dpotri(factor)
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    against_first[1:, :, 1:] = (inverse / np.outer(flat, flat)).reshape(k - 1, free, k - 1, free)
    centred = np.eye(k) - 1.0 / k
    joint = np.zeros((k, size, k, size))
    classes = np.arange(k)
    joint[np.ix_(classes, kept, classes, kept)] = np.einsum(
        "ab,bicj,cd->aidj", centred, against_first, centred
    )
    joint = _about_zero(joint, centre, p, problem.intercept)
    joint[:, :p][:, out], joint[:, :, :, :p][:, :, :, out] = np.nan, np.nan
    spread, each = problem.spread, np.ones(k)
    at, flat_loss = problem.at(coef).value, problem.at(problem.start).value
    pearson = problem.loaded.sum(_pearson, problem.loss, coef)
    return Information(
        inverse=np.stack([joint[c, :, c] for c in range(k)]),
        dependent=out,
        rows=spread.rows,
        weight=spread.weight,
        pearson=pearson * each,
        deviance=2.0 * at * each,
        null_deviance=2.0 * flat_loss * each,
        log_likelihood=-at * each,
        dispersed=False,
        moved=np.zeros((p, k)),
        joint=joint,
    )


def _about_zero(joint: Array, centre: Array, p: int, intercept: bool) -> Array:
    """A covariance of coefficients about `centre` as one of those about zero, the intercept last of each class."""
    k = len(joint)
    shift = np.eye(p + 1) if intercept else np.eye(p + 1, p)
    if intercept:
        shift[p, :p] = -centre
    found = np.einsum("ri,aibj,sj->arbs", shift, joint, shift)
    if not intercept:
        found[:, p], found[:, :, :, p] = np.nan, np.nan
    return np.ascontiguousarray(found.reshape(k, p + 1, k, p + 1))


def _pearson(block: Block, loss: Loss, coef: Tensor) -> float:
    """Weighted sum of ``(1 - pi)^2 / pi`` of a row's class and pi of the others: Pearson's chi-squared of one block."""
    block = block.counted()
    mean = loss.mean(block.predict(coef))
    response = loss.response(block.y, coef.shape[1]).to(mean)
    each = ((response - mean).square() / mean).sum(dim=1)
    return float(each.sum() if block.weight is None else block.weight.to(each) @ each)


def separated(problem: SummedObjective, moved: Array) -> tuple[str, ...]:
    """Features whose coefficients would still be `moved`, shape (p, k), by a step of Newton's though the slope is 0."""
    p, spread = problem.n_features, problem.spread
    drift = np.abs(moved).max(axis=1, initial=0.0) * np.sqrt(spread.squares[:p] / spread.weight)
    drift = np.nan_to_num(drift, nan=np.inf)
    worst = max(DRIFT, 0.1 * drift.max(initial=0.0))
    return tuple(name for name, far in zip(problem.rows.names, drift > worst) if far)


def told_apart(problem: SummedObjective, coef: Tensor) -> tuple[str, ...]:
    """Features that decide between labels where `coef`, shape (p + 1, k), errs in no row; none where it errs."""
    if problem.loaded.sum(_errors, problem.loss, coef) > 0:
        return ()
    beta = coef[:-1] if problem.loss.separable else coef[:-1] - coef[:-1].mean(dim=1, keepdim=True)
    share = beta.abs().amax(dim=1).numpy() * np.sqrt(problem.spread.squares[: problem.n_features])
    far = (share > 0) & (share >= 0.1 * share.max(initial=0.0))
    return tuple(name for name, decides in zip(problem.rows.names, far) if decides)


def dependent(problem: SummedObjective) -> NDArray[np.bool_]:
    """Which features are constant, or linear combinations of those before them, shape (p,); one pass."""
    part = _features(problem)
    return solve(part, np.zeros(part.n_features), intercept=problem.intercept).dependent


def without(problem: SummedObjective, coef: Tensor, out: NDArray[np.bool_]) -> Tensor:
    """Coefficients of the same predictions, shape (p + 1, k), 0 of the features `out`, which depend on the others."""
    part, found = _features(problem), coef.numpy().copy()
    mean, R = part.mean.high[:-1], part.R.high[:, : part.n_features]
    share = np.linalg.lstsq(R[:, ~out], R[:, out])[0]
    moved, found[:-1][out] = found[:-1][out], 0.0
    found[:-1][~out] += share @ moved
    if problem.intercept:
        found[-1] += (mean[out] - mean[~out] @ share) @ moved
    return torch.from_numpy(found)


def _features(problem: SummedObjective) -> Triangle:
    """The features beside one target, about their means where there is an intercept."""
    n, p = problem.rows.n_rows, problem.n_features
    small = n is not None and n * p * p <= ORTHOGONAL_WORK
    part = problem.loaded.sum(_columns, np.append(problem.centre, 0.0), small)
    triangle = part if isinstance(part, Triangle) else Triangle.of(part)
    return triangle if problem.intercept else triangle.uncentred()


def _columns(block: Block, shift: Array, small: bool) -> Moments | Triangle:
    """The features of one block, beside one target."""
    block = block.counted()
    block = replace(block, y=block.y[:, :1].double())
    return block.triangle(shift) if small else block.moments(shift)


def at_boundary(problem: SummedObjective, coef: Tensor) -> bool:
    """Whether a linear predictor at `coef`, shape (p + 1, k), is all but at the end of the domain of its link."""
    loss = problem.loss
    if not isinstance(loss, Family) or loss.inside(coef[:1]) is None:
        return False
    usual = loss.predictor(torch.from_numpy(problem.spread.mean[problem.n_features :])).abs()
    return problem.loaded.sum(_at_end, loss, coef, NEAR * usual) > 0


def _at_end(block: Block, loss: Family, coef: Tensor, near: Tensor) -> float:
    """Rows whose linear predictor leaves the domain when it moves by `near`, shape (k,)."""
    eta = block.counted().predict(coef)
    inside = [loss.inside(eta + side * near.to(eta)) for side in (-1.0, 1.0)]
    return float(sum((~part).sum() for part in inside if part is not None))


def _errors(block: Block, loss: Loss, coef: Tensor) -> float:
    """Rows whose mean, or likeliest class, is not their target."""
    block = block.counted()
    mean = loss.mean(block.predict(coef))
    told = mean if loss.separable else mean.argmax(dim=1, keepdim=True)
    return float((told != block.y).any(dim=1).sum())


def _solved(part: Moments | Triangle, intercept: bool) -> LeastSquares:
    triangle = part if isinstance(part, Triangle) else Triangle.of(part)
    ridge = np.zeros(triangle.n_features)
    return solve(triangle if intercept else triangle.uncentred(), ridge, intercept=intercept)


def _goodness(block: Block, loss: Loss, coef: Tensor, null: Tensor) -> Goodness:
    """Sums of one block, output by output."""
    block = block.counted()
    eta, weight = block.predict(coef), block.weight
    weight = torch.ones(len(eta), dtype=torch.float64, device=eta.device) if weight is None else weight
    mean, response = loss.mean(eta), loss.response(block.y, eta.shape[1])
    pearson = (response - mean).square() / loss.variance(mean)
    flat = block.flat(null)
    found = []
    for j in range(eta.shape[1]):
        y, column = block.y[:, j : j + 1], slice(j, j + 1)
        found.append(
            [
                pearson[:, j],
                loss.value(eta[:, column], y),
                loss.value(flat[:, column], y),
                loss.least(y),
                loss.constant(y, weight),
            ]
        )
    sums = np.array([[float(weight @ part.double()) for part in parts] for parts in found])
    return Goodness(*sums.T)
