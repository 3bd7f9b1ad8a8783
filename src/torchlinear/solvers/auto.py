"""Which solver suits an objective, and why: one sentence that users read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchlinear.jeffreys import JeffreysObjective
from torchlinear.pinball.objective import PinballObjective
from torchlinear.quadratic import QuadraticObjective
from torchlinear.solvers.base import Solver
from torchlinear.solvers.cholesky import Cholesky
from torchlinear.solvers.coordinate import Coordinate
from torchlinear.solvers.fista import FISTA
from torchlinear.solvers.interior_point import InteriorPoint
from torchlinear.solvers.newton import Newton
from torchlinear.solvers.newton_cg import NewtonCG
from torchlinear.solvers.proximal_newton import ProximalNewton
from torchlinear.solvers.qr import QR
from torchlinear.solvers.working_set import WorkingSet
from torchlinear.statistics import Triangle

if TYPE_CHECKING:
    from torchlinear.objective import Objective

__all__ = ["Choice", "choose", "refusal"]

# Normal equations lose 2 log10(condition) of the 16 (double-double: 32) digits: below these limits
# at least 10 (double-double: 16) are left, and the residual sum of squares keeps 6. Refinement brings the
# coefficients the others back, but not their standard errors.
CONDITION_DOUBLE = 1e3
CONDITION_EXTENDED = 1e7
UNEXPLAINED = 1e-10
JOINT_COEFFICIENTS = 200  # of a softmax, whose Hessian then costs less than many products with it
NEWTON_FEATURES = 3_000  # beyond, p^3 and p^2 numbers cost more than passes that form no Hessian


@dataclass(frozen=True, slots=True)
class Choice:
    """A solver and the reason for it."""

    solver: Solver
    reason: str


def refusal(solver: Solver, objective: Objective) -> str | None:
    """Why a solver cannot minimise an objective, one sentence; None when it can."""
    if isinstance(objective, JeffreysObjective) and not isinstance(solver, Newton):
        return f"{solver.name} does not know {objective.asked}; use solver='newton'."
    return solver.refusal(objective)


def choose(objective: Objective) -> Choice:
    """The solver that suits; it may look at the moments, which the fit then reuses."""
    if isinstance(objective, QuadraticObjective):
        return (
            _direct(objective) if objective.smooth else Choice(Coordinate(), Coordinate().reason(objective))
        )
    if isinstance(objective, PinballObjective):
        return Choice(InteriorPoint(), f"interior_point: {objective.programme}")
    if not objective.smooth:
        return _proximal(objective)
    if isinstance(objective, JeffreysObjective):
        return Choice(Newton(), "newton: reweighted least squares with the scores of Firth")
    count = (objective.n_features + 1) * objective.n_outputs
    if not objective.loss.separable and count > JOINT_COEFFICIENTS:
        return Choice(NewtonCG(), "newton_cg: the classes interact, and their Hessian is never formed")
    if objective.n_features > NEWTON_FEATURES:
        return Choice(
            NewtonCG(), f"newton_cg: {objective.n_features:,} columns, whose Hessian is never formed"
        )
    return Choice(Newton(), "newton: a smooth loss, reweighted least squares")


def _proximal(objective: Objective) -> Choice:
    """The solver of a penalty that is not smooth: second derivatives of all columns, of some, or of none."""
    does = f"{objective.asked} {'bounds coefficients' if objective.bounded else 'makes coefficients exactly zero'}"
    newton, some, none, p = ProximalNewton(), WorkingSet(), FISTA(), objective.n_features
    if newton.refusal(objective) is not None and not objective.bounded and some.refusal(objective) is None:
        return Choice(some, f"working_set: {does}, few of {p:,} columns at a time")
    if newton.refusal(objective) is not None and none.refusal(objective) is None:
        return Choice(none, f"fista: {does}; {p:,} columns, whose second derivatives are never formed")
    return Choice(newton, f"proximal_newton: {does}")


def _direct(objective: QuadraticObjective) -> Choice:
    """The exact solver that keeps the digits."""
    by_moments = objective.least_squares("cholesky")
    words = "double-double" if objective.extended else "float64"
    limit = CONDITION_EXTENDED if objective.extended else CONDITION_DOUBLE
    hidden = objective.penalty is not None and Triangle.of(objective.moments).deficient
    if by_moments.dependent.any() or hidden:
        return Choice(QR(), f"qr ({words}): columns look dependent, which normal equations cannot judge")
    if not by_moments.condition <= limit:
        return Choice(QR(), f"qr ({words}): condition number {by_moments.condition:.2g}")
    if not objective.extended and (by_moments.rss < UNEXPLAINED * by_moments.tss).any():
        return Choice(QR(), f"qr ({words}): a nearly perfect fit, whose residuals would cancel")
    passes = ("one pass", "one pass and one of refinement")[min(objective.refinements("cholesky"), 1)]
    return Choice(Cholesky(), f"cholesky ({words}): condition number {by_moments.condition:.2g}, {passes}")
