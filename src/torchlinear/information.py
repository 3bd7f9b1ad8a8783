"""Information: what inference needs of a fit by maximum likelihood, from one pass at its coefficients.

With the expected curvature E h of each row (Fisher's information of one observation) at the optimum,

    S = ([X, 1]' diag(w E h) [X, 1])^-1,    dispersion = sum w (y - mu)^2 / V(mu) / df,

dispersion S is the covariance of the coefficients; the dispersion is 1 where the family says so (Poisson,
binomial). The deviance is twice what the loss exceeds that of a model with a parameter for every row.

McCullagh, Nelder 1989, "Generalized Linear Models", section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.leastsquares import LeastSquares, solve
from torchlinear.losses.base import Loss
from torchlinear.statistics import Moments, Triangle
from torchlinear.summed import SummedObjective

__all__ = ["Information", "information", "separated", "told_apart"]

Array = NDArray[np.float64]

ORTHOGONAL_WORK = 20_000_000  # n p^2 up to which orthogonal transformations cost milliseconds
DRIFT = (
    0.01  # standard deviations of its column that a Newton step may still move a coefficient at an optimum
)


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


def separated(problem: SummedObjective, moved: Array) -> tuple[str, ...]:
    """Features whose coefficients would still be `moved`, shape (p, k), by a step of Newton's though the slope is 0."""
    p, spread = problem.n_features, problem.spread
    drift = np.abs(moved).max(axis=1, initial=0.0) * np.sqrt(spread.squares[:p] / spread.weight)
    worst = max(DRIFT, 0.1 * drift.max(initial=0.0))
    return tuple(name for name, far in zip(problem.rows.names, drift > worst) if far)


def told_apart(problem: SummedObjective, coef: Tensor) -> tuple[str, ...]:
    """Features that decide between labels where `coef`, shape (p + 1, k), errs in no row; none where it errs."""
    if problem.loaded.sum(_errors, problem.loss, coef) > 0:
        return ()
    spread, beta = problem.spread, coef[:-1].abs().amax(dim=1).numpy()
    share = beta * np.sqrt(spread.squares[: problem.n_features])
    return tuple(name for name, far in zip(problem.rows.names, share >= 0.1 * share.max()) if far)


def _errors(block: Block, loss: Loss, coef: Tensor) -> float:
    """Rows whose mean is not their target."""
    block = block.counted()
    return float((loss.mean(block.predict(coef)) != block.y).any(dim=1).sum())


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
    sums = np.array([[float(weight @ part) for part in parts] for parts in found])
    return Goodness(*sums.T)
