"""Newton's method whose steps are solved by conjugate gradients, so that the Hessian is never formed.

Each product of the Hessian with a direction is a pass over the rows, X'(h o X v); the conjugate gradients run in
the `Metric` of the rows, so that few are needed whatever the units and the conditioning of the columns. They
end when what is left is the forcing term of the slope: a share that shrinks with the distance to the optimum,
which keeps the convergence of Newton's method (Dembo, Eisenstat, Steihaug 1982, "Inexact Newton methods"). A
step that does not lower the objective enough is halved.

Several problems on the same rows are solved together, and share every pass; those that are done leave.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from torchlinear import interruption
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.solvers.bundle import (
    Bundle,
    Point,
    bundle_of,
    coupling,
    remembered,
    smooth_refusal,
    whole_numbers,
)
from torchlinear.solvers.metric import Inverse

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["NewtonCG", "conjugate_gradients", "searched"]

ARMIJO = 1e-4
HALVINGS = 40
ROUNDING = 1e-14  # of the objective, relative
TINY = 1e-300
FORCING = 0.5  # most of the slope that a step may leave


@dataclass(frozen=True, slots=True)
class NewtonCG(Solver):
    """Newton's method by conjugate gradients: for any size, the Hessian is never formed.

    Parameters
    ----------
    epochs : int
        Newton steps when the fit sets no limit.
    products : int
        Passes over the rows that one step may take.

    Raises
    ------
    InvalidInput
        When `epochs` or `products` is not a whole number above 0.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]])
    >>> fit = tl.fit(X, ["a", "b", "a", "c", "b", "c"], loss="softmax", solver=tl.NewtonCG())
    >>> fit.status is tl.Status.CONVERGED
    True
    """

    epochs: int = 100
    products: int = 100
    name: ClassVar[str] = "newton_cg"

    def __post_init__(self) -> None:
        whole_numbers(self, "epochs", "products")

    def refusal(self, objective: Objective) -> str | None:
        """Why not, or None."""
        return smooth_refusal(self.name, objective)

    def init(self, problem: Any, coef: Tensor) -> State:
        """State before the first step."""
        return remembered(problem, coef)

    def step(self, problem: Any, state: State, budget: Budget) -> State:
        """Newton steps until the budget is used."""
        end, trace, first = time.perf_counter() + budget.seconds, [], state.epoch
        bundle = bundle_of(problem, state)
        while not state.done and state.epoch - first < budget.epochs:
            state, value = self._iteration(bundle, state)
            trace.append(value)
            state = replace(state, done=state.done or bundle.accurate(bundle.stacked(state.coef)))
            if time.perf_counter() >= end:
                break
        return replace(state, trace=torch.tensor(trace, dtype=torch.float64, device="cpu"))

    def _iteration(self, bundle: Bundle, state: State) -> tuple[State, float]:
        """One Newton step of every problem that is not done."""
        coef = bundle.stacked(state.coef).clone()
        seen = state.memory["seen"].nonzero()[:, 0]
        left = state.memory["left"][seen]
        point = bundle.at(coef[seen], seen)
        open_ = (left > bundle.enough).nonzero()[:, 0]
        which, here = seen[open_], point.of(open_)
        inverse = bundle.metric.inverse(
            coupling(bundle.loss, bundle.few, coef[which]), bundle.alpha[which], intercept=bundle.intercept
        )
        size = (here.slope * inverse(here.slope)).sum(dim=(1, 2)).clamp_min(TINY)
        scale = here.value.abs().clamp_min(TINY)
        forcing = (size / scale).sqrt().clamp(bundle.precision, FORCING)
        loose = (bundle.remaining(here, which, inverse, 0.5 * size) / (0.5 * size)).clamp_min(1.0)

        def product(direction: Tensor, some: Tensor) -> Tensor:
            return bundle.product(coef[which[some]], direction, which[some])

        target = torch.maximum(forcing.square() * size, 0.1 * bundle.enough * scale / loose)
        step = conjugate_gradients(product, -here.slope, inverse, target, self.products)
        gain = -(here.slope * step).sum(dim=(1, 2))
        moved, there = searched(bundle, coef[which], which, here, bundle.users(step), -gain)
        # What is left above the optimum: the metric's estimate, in the measure of the step's own gain.
        after = 0.5 * (there.slope * inverse(there.slope)).sum(dim=(1, 2)) * gain / size
        left = bundle.remaining(there, which, inverse, after) / there.value.abs().clamp_min(TINY)
        stuck = (moved == coef[which]).all(dim=2).all(dim=1)
        coef[which] = moved
        memory = dict(state.memory)
        memory["left"] = memory["left"].index_copy(0, which, torch.where(stuck, 0.0, left))
        memory["value"] = memory["value"].index_copy(0, which, there.value)
        memory["seen"] = torch.zeros_like(memory["seen"]).index_fill(0, which, True)
        done = not bool((memory["left"][which] > bundle.enough).any())
        state = State(
            bundle.unstacked(coef), epoch=state.epoch + 1, memory=memory, done=done or bool(stuck.all())
        )
        return state, float(memory["value"].sum())


def conjugate_gradients(
    product: Callable[[Tensor, Tensor], Tensor], r: Tensor, inverse: Inverse, target: Tensor, most: int
) -> Tensor:
    """Solve H s = r of m problems together, each until its residual is small in the metric.

    Parameters
    ----------
    product : callable
        Of directions (a, p + 1, k) and the problems they are of, shape (a,): H times them.
    r : Tensor, shape (m, p + 1, k)
        Right-hand sides.
    inverse : Inverse
        The preconditioner.
    target : Tensor, shape (m,)
        Squared size, in the metric, of a residual that is small enough.
    most : int
        Products at most.

    Returns
    -------
    Tensor, shape (m, p + 1, k)
        s. At a direction of no curvature it stays where it is; the preconditioned r, if that is the first one.
    """
    s, live = torch.zeros_like(r), torch.arange(len(r), device=r.device)
    z = inverse(r)
    d, size = z, (r * z).sum(dim=(1, 2))
    for count in range(most):
        interruption.check()
        Hd = product(d, live)
        bend = (d * Hd).sum(dim=(1, 2))
        convex = bend > 0
        length = torch.where(convex, size / bend, 1.0 if count == 0 else 0.0)[:, None, None]
        s[live] += length * d
        r = r - length * Hd
        z = inverse.of(live)(r)
        before, size = size, (r * z).sum(dim=(1, 2))
        on = ((size > target[live]) & convex).nonzero()[:, 0]
        if not len(on):
            break
        d = z[on] + (size[on] / before[on])[:, None, None] * d[on]
        r, size, live = r[on], size[on], live[on]
    return s


def searched(
    bundle: Bundle, coef: Tensor, which: Tensor, here: Point, along: Tensor, slope: Tensor
) -> tuple[Tensor, Point]:
    """The first of the points ``coef + along / 2^i`` that lowers F enough, for each problem; where it is if none."""
    share = torch.ones_like(slope)
    share = torch.where(torch.isfinite(along).all(dim=2).all(dim=1) & (slope <= 0), share, 0.0)
    along = torch.nan_to_num(along)
    for halving in range(HALVINGS + 1):
        there = coef + share[:, None, None] * along
        point = bundle.at(there, which)
        enough = point.value <= here.value + ARMIJO * share * slope + ROUNDING * here.value.abs()
        good = enough | (share == 0)
        if bool(good.all()):
            return there, point
        share = torch.where(good, share, share / 2.0 if halving < HALVINGS - 1 else 0.0)
    return there, point
