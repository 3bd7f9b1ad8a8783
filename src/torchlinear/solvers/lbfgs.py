"""L-BFGS: a quasi-Newton method that remembers its last steps and what they did to the slope.

The metric of the rows (`Metric`) stands where the textbook starts from a multiple of the identity, so that the
first direction is nearly Newton's and units do not matter. Steps satisfy the strong Wolfe conditions.

Nocedal, Wright 2006, "Numerical Optimization", algorithms 7.4 (two loops), 3.5 and 3.6 (line search).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.bundle import Bundle, bundle_of, coupling, remembered, smooth_refusal, whole_numbers
from torchlinear.solvers.metric import Inverse

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["LBFGS"]

ARMIJO, WOLFE = 1e-4, 0.9
TRIALS = 30  # evaluations of one line search
ROUNDING = 1e-14  # of the objective, relative


@dataclass(frozen=True, slots=True)
class LBFGS(Solver):
    """Limited-memory BFGS with a strong Wolfe line search.

    Parameters
    ----------
    memory : int
        Steps that are remembered.
    epochs : int
        Steps when the fit sets no limit.

    Raises
    ------
    InvalidInput
        When `memory` or `epochs` is not a whole number above 0.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.tensor([0.0, 1.0, 2.0, 3.0])
    >>> fit = tl.fit(x, torch.tensor([0.0, 1.0, 0.0, 1.0]), loss="logistic", solver=tl.LBFGS(memory=5))
    >>> fit.status is tl.Status.CONVERGED
    True
    """

    memory: int = 10
    epochs: int = 1_000
    name: ClassVar[str] = "lbfgs"

    def __post_init__(self) -> None:
        whole_numbers(self, "memory", "epochs")

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        return smooth_refusal(self.name, objective)

    def init(self, problem: Any, coef: Tensor) -> State:
        """State before the first step."""
        state = remembered(problem, coef)
        none = torch.empty(0, *state.coef.shape, dtype=torch.float64, device="cpu")
        return replace(state, memory={**state.memory, "steps": none, "changes": none})

    def step(self, problem: Any, state: State, budget: Budget) -> State:
        """Steps until the budget is used."""
        end, trace, first = time.perf_counter() + budget.seconds, [], state.epoch
        bundle = bundle_of(problem, state)
        while not state.done and state.epoch - first < budget.epochs:
            state = self._iteration(bundle, state)
            trace.append(float(_at(bundle, state.coef, 0.0, torch.zeros_like(state.coef)).value))
            state = replace(state, done=state.done or bundle.accurate(state.coef[None]))
            if time.perf_counter() >= end:
                break
        return replace(state, trace=torch.tensor(trace, dtype=torch.float64, device="cpu"))

    def _iteration(self, bundle: Bundle, state: State) -> State:
        steps, changes = state.memory["steps"], state.memory["changes"]
        here = _at(bundle, state.coef, 0.0, torch.zeros_like(state.coef))
        inverse = bundle.metric.inverse(
            coupling(bundle.loss, bundle.few, state.coef[None]), bundle.alpha, intercept=bundle.intercept
        )
        along = -_two_loops(here.gradient, steps, changes, inverse)
        if not float((along * here.gradient).sum()) < 0:
            along, steps, changes = -inverse(here.gradient[None])[0], steps[:0], changes[:0]
        found = _wolfe(lambda share: _at(bundle, state.coef, share, along), here.along(along))
        if found is None:
            return replace(state, epoch=state.epoch + 1, done=True)
        step, change = found.share * along, found.gradient - here.gradient
        if float((step * change).sum()) > 1e-14 * float((step * here.gradient).sum().abs()):
            steps = torch.cat([steps, step[None]])[-self.memory :]
            changes = torch.cat([changes, change[None]])[-self.memory :]
        coef = state.coef + found.share * bundle.users(along[None])[0]
        memory = {**state.memory, "steps": steps, "changes": changes}
        return replace(state, coef=coef, epoch=state.epoch + 1, memory=memory)


class Trial(NamedTuple):
    """The objective at a share of a direction: its value, the derivative along, the gradient about the mean."""

    share: float
    value: float
    slope: float
    gradient: Tensor

    def along(self, direction: Tensor) -> Trial:
        """The same with the derivative along another direction."""
        return self._replace(slope=float((self.gradient * direction).sum()))


def _at(bundle: Bundle, coef: Tensor, share: float, along: Tensor) -> Trial:
    there = coef if share == 0.0 else coef + share * bundle.users(along[None])[0]
    point = bundle.at(there[None], torch.zeros(1, dtype=torch.long))
    return Trial(share, float(point.value[0]), 0.0, point.slope[0]).along(along)


def _two_loops(gradient: Tensor, steps: Tensor, changes: Tensor, inverse: Inverse) -> Tensor:
    """The approximate inverse Hessian times the gradient."""
    q, pulls = gradient, []
    for s, y in zip(steps.flip(0), changes.flip(0)):
        rho = 1.0 / (s * y).sum()
        pulls.append((rho, rho * (s * q).sum(), s, y))
        q = q - pulls[-1][1] * y
    r = inverse(q[None])[0]
    if len(steps):
        s, y = steps[-1], changes[-1]
        r = r * ((s * y).sum() / (y * inverse(y[None])[0]).sum())
    for rho, pulled, s, y in reversed(pulls):
        r = r + s * (pulled - rho * (y * r).sum())
    return r


def _wolfe(at: Callable[[float], Trial], here: Trial) -> Trial | None:
    """A trial that satisfies the strong Wolfe conditions, or lowers the objective as rounding allows; else None."""
    noise = ROUNDING * abs(here.value)
    before, share = here, 1.0
    for trial in range(TRIALS):
        there = at(share)
        worse = not there.value <= here.value + ARMIJO * share * here.slope + noise
        if worse or (trial and there.value >= before.value + noise):
            return _zoom(at, here, before, there)
        if abs(there.slope) <= -WOLFE * here.slope:
            return there
        if there.slope >= 0:
            return _zoom(at, here, there, before)
        before, share = there, 2.0 * share
    return None if before is here else before


def _zoom(at: Callable[[float], Trial], here: Trial, low: Trial, high: Trial) -> Trial | None:
    """A trial between two: `low` is the better one, and its slope points to `high`."""
    noise = ROUNDING * abs(here.value)
    for _ in range(TRIALS):
        there = at(_between(low, high))
        if not there.value <= here.value + ARMIJO * there.share * here.slope + noise or (
            there.value >= low.value + noise
        ):
            high = there
        else:
            if abs(there.slope) <= -WOLFE * here.slope:
                return there
            if there.slope * (high.share - low.share) >= 0:
                high = low
            low = there
    return None if low.share == 0.0 else low


def _between(low: Trial, high: Trial) -> float:
    """The lowest point of the cubic through both, or the middle where that is outside or near an end."""
    width = high.share - low.share
    middle = low.share + 0.5 * width
    if not (math.isfinite(high.value) and math.isfinite(high.slope)):
        return middle
    first = low.slope + high.slope - 3.0 * (low.value - high.value) / (low.share - high.share)
    root = first * first - low.slope * high.slope
    if root < 0:
        return middle
    second = math.copysign(math.sqrt(root), width)
    under = high.slope - low.slope + 2.0 * second
    share = high.share - width * (high.slope + second - first) / under if under else middle
    edge = 0.1 * abs(width)
    inside = min(low.share, high.share) + edge <= share <= max(low.share, high.share) - edge
    return share if inside else middle
