"""Proximal Newton: Newton's method for smooth losses with penalties that make coefficients exactly zero.

Each quadratic model of the loss, penalty added, is minimised by coordinate descent on its matrix; the way there
is searched as in Newton's method. One pass over the rows makes a model, however many coordinates move.

Sources: Friedman, Hastie, Tibshirani 2010, "Regularization paths for generalized linear models via coordinate
descent"; Lee, Sun, Saunders 2014, "Proximal Newton-type methods for minimizing composite functions".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import block_diag
from torch import Tensor

from torchlinear.kernels.coordinate import minimise
from torchlinear.penalties.group_lasso import GroupLasso
from torchlinear.penalties.separable import Separable
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.blocks import of_model
from torchlinear.solvers.joint import MOST_COEFFICIENTS, Joint
from torchlinear.solvers.newton import ModelAt, iterate, nearby
from torchlinear.statistics import Moments
from torchlinear.summed import SummedObjective

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["ProximalNewton", "model_at"]

Array = NDArray[np.float64]

TOLERANCE = 1e-15  # of the coordinate descent, which starts near its end
MOST_FEATURES = 10_000  # whose matrix takes 0.8 GB


@dataclass(frozen=True, slots=True)
class ProximalNewton(Solver):
    """Newton's method with coordinate descent inside, for L1 and elastic net with any smooth loss.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 0.0], [5.0, 1.0]])
    >>> fit = tl.fit(x, torch.tensor([0.0, 0.0, 1.0, 0.0, 1.0, 1.0]), loss="logistic", penalty=tl.L1(0.2))
    >>> fit.coef.ne(0).tolist()
    [True, False]
    """

    epochs: int = 100
    name: ClassVar[str] = "proximal_newton"

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        if not isinstance(objective, SummedObjective):
            return "proximal_newton is for losses that are not quadratic; use solver='auto'."
        if not objective.loss.smooth:
            return f"proximal_newton takes smooth losses, not {objective.loss.name}; use solver='auto'."
        if objective.asked is not None and not isinstance(objective.asked, (Separable, GroupLasso)):
            return f"proximal_newton takes L1, L2, elastic net and bounds, not {objective.asked}; use solver='auto'."
        if objective.n_features > MOST_FEATURES:
            return f"proximal_newton takes up to {MOST_FEATURES:,} columns; use solver='auto'."
        count = (objective.n_features + 1) * objective.n_outputs
        if not objective.loss.separable and count > MOST_COEFFICIENTS:
            return (
                f"proximal_newton takes up to {MOST_COEFFICIENTS:,} coefficients of {objective.loss.name}, not "
                f"{count:,}; use penalty='l2'."
            )
        return None

    def init(self, problem: SummedObjective, coef: Tensor) -> State:
        """State before the first step: at the optimum of a sample, if there are many rows."""
        return nearby(problem, _allowed(problem, coef), model_at(problem), self.epochs)

    def step(self, problem: SummedObjective, state: State, budget: Budget) -> State:
        """Iterations until the budget is used."""
        return iterate(problem, state, budget, model_at(problem))


def _allowed(problem: SummedObjective, coef: Tensor) -> Tensor:
    """The nearest coefficients within the bounds, with the intercept of the same mean predictor."""
    moved = problem.within(coef)
    if problem.intercept and not torch.equal(moved, coef):
        moved[-1] -= torch.from_numpy(problem.spread.mean[: problem.n_features]) @ (moved - coef)[:-1]
    return moved


@dataclass(frozen=True, slots=True)
class Model:
    """The loss as a quadratic of the coefficients, for each of k outputs.

    Attributes
    ----------
    H : tuple of ndarray, shape (p, p)
        Second derivatives about the working means, for columns that are scaled to a curvature of 1.
    scale : ndarray, shape (p, k)
        What columns are divided by.
    mean : ndarray, shape (p, k)
        Working means; zeros without an intercept.
    weight : ndarray, shape (k,)
        Sums of the working weights.
    """

    H: tuple[Array, ...]
    scale: Array
    mean: Array
    weight: Array

    @classmethod
    def at(cls, problem: SummedObjective, coef: Tensor) -> Model | None:
        """The model at `coef`; None where sums overflow."""
        parts = [part for part in problem.working(coef).parts if isinstance(part, Moments)]
        if not all(part.finite for part in parts):
            return None
        p = problem.n_features
        means = np.column_stack([part.mean.high[:p] for part in parts])
        crosses = [part.cross.high[:p, :p] for part in parts]
        if not problem.intercept:
            about = zip(crosses, parts, means.T)
            crosses = [cross + part.weight * np.outer(mean, mean) for cross, part, mean in about]
            means = np.zeros_like(means)
        norms = np.sqrt(np.column_stack([np.diagonal(cross) for cross in crosses]))
        scale = np.where(norms > 0, norms, 1.0)
        H = tuple(np.ascontiguousarray(cross / np.outer(s, s)) for cross, s in zip(crosses, scale.T))
        return cls(H, scale, means, np.array([part.weight for part in parts]))

    def step(self, problem: SummedObjective, coef: Tensor) -> tuple[Array, float]:
        """The way from `coef` to the model's minimum, shape (p + 1, k), and how F begins to fall along it."""
        weight, beta = problem.weight, coef[:-1].numpy()
        lasso, ridge = problem.lasso(weight), problem.ridge(weight)
        low, high = problem.bounds
        pull = problem.pull(coef, self.mean) - ridge[:, None] * beta
        way, penalty = np.empty_like(beta), problem.penalty
        if isinstance(penalty, GroupLasso):
            H = block_diag(*(H * np.outer(s, s) for H, s in zip(self.H, self.scale.T)))
            way = of_model(H, penalty, beta, pull, weight, p=len(beta)) - beta
            kinks = weight * float(penalty.rough(torch.from_numpy(beta + way)) - penalty.rough(coef[:-1]))
        else:
            for j, (H, s) in enumerate(zip(self.H, self.scale.T)):
                now = np.ascontiguousarray(beta[:, j] * s)
                g = H @ now - pull[:, j] / s
                found = minimise(H, g, now, lasso / s, ridge / np.square(s), low * s, high * s, tol=TOLERANCE)
                way[:, j] = found.beta / s - beta[:, j]
            kinks = float((lasso[:, None] * (np.abs(beta + way) - np.abs(beta))).sum())
        slope = float(((pull + ridge[:, None] * beta) * way).sum()) + kinks
        if not problem.intercept:
            return np.vstack([way, np.zeros(len(self.weight))]), slope / weight
        missed = problem.at(coef).pull[-1]
        offset = -missed / self.weight
        slope += float((missed * offset).sum())
        return np.vstack([way, offset - (self.mean * way).sum(axis=0)]), slope / weight


def model_at(problem: SummedObjective) -> ModelAt:
    """What makes models of this objective."""
    return Model.at if problem.loss.separable else Joint.at
