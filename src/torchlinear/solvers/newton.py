"""Newton's method, iteratively reweighted least squares: each step solves a weighted least-squares problem.

Where the loss has a curvature below zero its expected one takes its place (Fisher scoring). A step that
does not lower the objective, or leaves the domain of the link, is halved. After each step, slopes at the new
point are solved against the same curvature as long as that gains at least a factor `GAIN`: a pass that needs no
second moments costs a fraction of one that does (Shamanskii 1967, "A modification of Newton's method").

Many rows start from the optimum of an even sample of them, which leaves two or three passes over all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.factor import Factor
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.joint import MOST_COEFFICIENTS, Joint
from torchlinear.statistics import Triangle
from torchlinear.summed import SummedObjective

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["Model", "ModelAt", "Newton", "goal", "iterate", "model_at", "nearby", "searched"]

Array = NDArray[np.float64]

# Certificates that are good enough: 1e-11 leaves 8 correct digits of R's esoph, but of many rows coefficients are
# not known to that many.
ACCURATE, ACCURATE_LARGE = 1e-13, 1e-9
FINISH, CHEAP = 1e-8, 1_000_000  # certificate, and numbers in X, at which the clock does not end a step
GAIN = 8.0  # by which a chord step must lower the certificate to be worth another
HALVINGS = 40
ARMIJO = 1e-4
ROUNDING = 1e-14  # of the objective, relative
CLOSE = 1e-9  # the same where columns lie far from zero, whose predictors lose digits
CONDITION = 1e7  # beyond which normal equations would misjudge the rank of the working rows
SAMPLE_ROWS, SAMPLE_SHARE = 20_000, 8  # sample at least so many rows, if they are at most an eighth of all
NEAR = 1e-4  # certificate at which the optimum of a sample is near enough to that of all rows


@dataclass(frozen=True, slots=True)
class Newton(Solver):
    """Newton's method with step halving, for smooth losses.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.tensor([0.0, 1.0, 2.0, 3.0])
    >>> fit = tl.fit(x, torch.tensor([0.0, 1.0, 0.0, 1.0]), loss="logistic", solver="newton")
    >>> fit.status is tl.Status.CONVERGED
    True
    """

    epochs: int = 100
    name: ClassVar[str] = "newton"

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        if not isinstance(objective, SummedObjective):
            return "newton is for losses that are not quadratic; use solver='auto', which solves this one directly."
        count = (objective.n_features + 1) * objective.n_outputs
        if not objective.loss.separable and count > MOST_COEFFICIENTS:
            return (
                f"newton takes up to {MOST_COEFFICIENTS:,} coefficients of {objective.loss.name}, not {count:,}; "
                "use solver='newton_cg'."
            )
        if not objective.loss.smooth or (objective.penalty is not None and not objective.penalty.smooth):
            pair = " with ".join(
                str(part) for part in (objective.loss.name, objective.asked) if part is not None
            )
            return f"newton takes smooth losses and penalties, not {pair}; use solver='auto'."
        return None

    def init(self, problem: SummedObjective, coef: Tensor) -> State:
        """State before the first step: at the optimum of a sample, if there are many rows."""
        return nearby(problem, coef, model_at(problem), self.epochs)

    def step(self, problem: SummedObjective, state: State, budget: Budget) -> State:
        """Newton iterations until the budget is used."""
        return iterate(problem, state, budget, model_at(problem))


class Model(Protocol):
    """The loss near a point, as simple as its steps can be computed."""

    def step(self, problem: SummedObjective, coef: Tensor) -> tuple[Array, float]:
        """The step from `coef`, shape (p + 1, k), and how F begins to fall along it."""
        ...


ModelAt = Callable[[SummedObjective, Tensor], Model | None]


def nearby(problem: SummedObjective, coef: Tensor, model_at: ModelAt, epochs: int) -> State:
    """State at `coef`; of many rows, at the optimum of a sample of them."""
    sample = _sample(problem) if torch.equal(coef, problem.start) else None
    if sample is not None:
        state = nearby(sample, sample.start, model_at, epochs)
        while not state.done and state.epoch < epochs and sample.certificate(state.coef) > NEAR:
            state = _iteration(sample, state, model_at(sample, state.coef), NEAR)
        if torch.isfinite(state.coef).all():
            coef = state.coef
            if _everywhere(problem):
                return State(coef)
    if not math.isfinite(problem.value(coef)):
        coef = problem.start if math.isfinite(problem.value(problem.start)) else problem.first_step()
    return State(coef.double())


def iterate(problem: SummedObjective, state: State, budget: Budget, model_at: ModelAt) -> State:
    """Iterations until the budget is used, each with the model that `model_at` makes at a point."""
    end, trace, first = time.perf_counter() + budget.seconds, [], state.epoch
    enough = goal(problem)
    while not state.done and state.epoch - first < budget.epochs:
        state = _iteration(problem, state, model_at(problem, state.coef), enough)
        trace.append(problem.value(state.coef))
        finishing = _cheap(problem) and problem.certificate(state.coef) <= FINISH
        if time.perf_counter() >= end and not finishing:
            break
    return replace(state, trace=torch.tensor(trace, dtype=torch.float64, device="cpu"))


@dataclass(frozen=True, slots=True)
class Curvature:
    """H, output by output, ready to be solved with.

    Attributes
    ----------
    factors : tuple of Factor
        Of the features about their means under the working weights, penalty included.
    mean : ndarray, shape (p, k)
        Those means; zeros without an intercept.
    weight : ndarray, shape (k,)
        Sums of the working weights.
    """

    factors: tuple[Factor, ...]
    mean: Array
    weight: Array

    @classmethod
    def of(cls, triangles: list[Triangle], ridge: Array, *, intercept: bool) -> Curvature:
        """Of the working rows of each output."""
        p = len(ridge)
        factors = tuple(Factor.of(triangle, ridge, intercept=intercept) for triangle in triangles)
        mean = np.column_stack([triangle.mean.high[:p] for triangle in triangles])
        return cls(factors, mean, np.array([triangle.weight for triangle in triangles]))

    @classmethod
    def at(cls, problem: SummedObjective, coef: Tensor) -> Curvature | None:
        """H at `coef`, by orthogonal transformations where normal equations would not do; None if it overflows."""
        ridge = problem.ridge(problem.weight)
        for by in ("cholesky", "qr"):
            working = problem.working(coef, by)
            if not all(part.finite for part in working.parts):
                return None
            triangles = [part if isinstance(part, Triangle) else Triangle.of(part) for part in working.parts]
            if not problem.intercept:
                triangles = [triangle.uncentred() for triangle in triangles]
            found = cls.of(triangles, ridge, intercept=problem.intercept)
            if by == "qr" or found.sound:
                break
        return found

    @property
    def sound(self) -> bool:
        """Whether normal equations kept enough digits to judge dependent columns and to solve."""
        return all(
            len(factor.kept) == len(factor.scale) and factor.condition <= CONDITION for factor in self.factors
        )

    def step(self, problem: SummedObjective, coef: Tensor) -> tuple[Array, float]:
        """The Newton step from `coef`, shape (p + 1, k), and the derivative of F along it."""
        pull = problem.pull(coef, self.mean)
        beta = -np.column_stack([factor.step(pull[:, j : j + 1]) for j, factor in enumerate(self.factors)])
        slope = float((pull * beta).sum())
        if not problem.intercept:
            return np.vstack([beta, np.zeros(len(self.weight))]), slope / problem.weight
        missed = problem.at(coef).pull[-1]
        offset = -missed / self.weight
        slope += float((missed * offset).sum())
        return np.vstack([beta, offset - (self.mean * beta).sum(axis=0)]), slope / problem.weight


def _iteration(problem: SummedObjective, state: State, model: Model | None, goal: float) -> State:
    """One step with a model, and chord steps after it while they gain and the certificate is above `goal`."""
    before, old = problem.certificate(state.coef), problem.value(state.coef)
    coef = None if model is None else searched(problem, state.coef, *model.step(problem, state.coef))
    if model is None or coef is None:
        return replace(state, epoch=state.epoch + 1, done=True)
    left, value = problem.certificate(coef), problem.value(coef)
    while left > goal:
        nearer = searched(problem, coef, *model.step(problem, coef))
        if nearer is None or not (reached := problem.certificate(nearer)) < left:
            break
        gained, left, value = left / reached if reached else math.inf, reached, problem.value(nearer)
        coef = nearer
        if gained < GAIN:
            break
    stuck = left > before / 1.1 and value >= old - ROUNDING * abs(old)
    return replace(state, coef=coef, epoch=state.epoch + 1, done=stuck or left <= goal)


def _everywhere(problem: SummedObjective) -> bool:
    """Whether any linear predictor is in the domain of the loss."""
    eta = torch.tensor([[-1.0], [1.0]], dtype=torch.float64).expand(2, problem.n_outputs)
    targets = problem.rows.n_outputs
    return bool(torch.isfinite(problem.loss.value(eta, torch.ones(2, targets, dtype=torch.float64))).all())


def model_at(problem: SummedObjective) -> ModelAt:
    """What makes models of this objective."""
    return Curvature.at if problem.loss.separable else Joint.at


def goal(problem: SummedObjective) -> float:
    """The certificate at which coefficients cannot be told from the optimum."""
    return ACCURATE if _cheap(problem) else ACCURATE_LARGE


def _cheap(problem: SummedObjective) -> bool:
    """Whether passes cost so little that the last digits are worth them and must not depend on the clock."""
    n = problem.rows.n_rows
    return n is not None and n * problem.n_features <= CHEAP


def searched(problem: SummedObjective, coef: Tensor, step: Array, slope: float) -> Tensor | None:
    """The first of the points ``coef + step / 2^i`` that lowers F enough; None when there is none.

    Where rounding hides what the whole step gains, the certificate decides: slopes keep more digits than values.
    """
    here, left = problem.value(coef), problem.certificate(coef)
    share, along = 1.0, torch.from_numpy(step)
    if not np.isfinite(step).all():
        return None
    for _ in range(HALVINGS):
        there = problem.within(coef + share * along)
        value = problem.value(there)
        if value <= here + ARMIJO * share * slope + ROUNDING * abs(here):
            return there
        if share == 1.0 and value <= here + CLOSE * abs(here) and problem.certificate(there) < left / 2.0:
            return there
        share /= 2.0
    return None


def _sample(problem: SummedObjective) -> SummedObjective | None:
    """The same problem on evenly spaced rows; None where there are too few to spare."""
    n, count = problem.rows.n_rows or 0, max(SAMPLE_ROWS, 100 * problem.n_features)
    return problem.sampled(max(count, n // 10)) if n >= SAMPLE_SHARE * count else None
