"""From a point near the optimum of a sum of hinges to the optimum itself.

Once it is known which residuals are 0, which hinges are open (a = w) and which are shut (a = 0), the optimum solves
linear equations, with A the signed rows of the residuals that are 0 and a their duals:

    L b - A' a  =  sum of w_k s_k z_k over the open hinges,        A b = t.

They are solved by the method of multipliers, whose matrix is as large as there are columns however many residuals are
0, and which changes the duals least where the equations leave them open: ``(L + A' A / d) db`` equals what is missed,
and ``da`` is what ``A b`` then still misses, over d. Hinges whose dual leaves its interval or whose residual has the
wrong sign change sides, and the equations are solved again (Hintermueller, Ito, Kunisch 2002, "The primal-dual active
set strategy as a semismooth Newton method"). From an interior point near the optimum no or few such rounds are needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from torchlinear import interruption
from torchlinear.hinges.interior import JITTER
from torchlinear.hinges.problem import Hinges, Optimum
from torchlinear.pinball.matrices import dense, squares

__all__ = ["polish"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]
Sides = NDArray[np.int8]

ROUNDS = 12
REFINEMENTS = 40
STIFF = 1e-8  # d, in units of the columns: each refinement gains about eight digits
EXACT = 1e-15  # relative gap at which nothing is left to gain
GAINED = 0.5  # of what was missed before, that a refinement must leave to be followed by another


def polish(problem: Hinges, near: Optimum, side: Sides) -> Optimum:
    """The optimum, or the best point on the way to it, starting with `near`.

    Parameters
    ----------
    problem : Hinges
        Columns of similar norms.
    near : Optimum
        An interior point near the optimum.
    side : ndarray of int8, shape (m,)
        1 for hinges that look open there, -1 for shut ones, 0 for those whose residual looks like 0.

    Returns
    -------
    Optimum
        The best point and its dual.
    """
    best, b, a, seen = near, near.coef, near.dual, set()
    for _ in range(ROUNDS):
        interruption.check()
        known = side.tobytes()
        if known in seen:
            break
        seen.add(known)
        b, a = _solved(problem, side, b, a)
        if not (np.isfinite(b).all() and np.isfinite(a).all()):
            break
        found = min((problem.optimum(b, dual) for dual in (a, best.dual)), key=lambda point: point.gap)
        best = min(best, found, key=lambda point: point.gap)
        if best.gap <= EXACT * best.value:
            break
        side = _changed(problem, side, b, a)
    return best


def _changed(problem: Hinges, side: Sides, b: Array, a: Array) -> Sides:
    """The sides after hinges that contradict theirs have left them."""
    r, changed = problem.residual(b), side.copy()
    changed[(side == 0) & (a > problem.weight)] = 1
    changed[(side == 0) & (a < 0.0)] = -1
    changed[(side != 0) & (side * r < 0.0)] = 0
    return changed


def _solved(problem: Hinges, side: Sides, b: Array, a: Array) -> tuple[Array, Array]:
    """The b and the duals that the sides ask for, shape (q,) and (m,), as near to those given as can be."""
    zero, ridge = np.flatnonzero(side == 0), problem.ridge
    a = np.where(side > 0, problem.weight, np.where(side < 0, 0.0, a))
    A = _rows(problem, zero)
    soft = STIFF * (float(squares(A, np.ones(len(zero))).mean()) or 1.0) / (float(ridge.max()) or 1.0)
    H = np.diag(ridge) + dense(A.T @ A) / soft
    diagonal = np.diagonal(H)
    H[np.diag_indices_from(H)] = diagonal + JITTER * np.where(diagonal > 0, diagonal, 1.0)
    try:
        factor = cho_factor(H, check_finite=False)
    except np.linalg.LinAlgError:
        return b, a
    before = np.inf
    for _ in range(REFINEMENTS):
        pull, r = problem.pull(a) - ridge * b, problem.at[zero] - A @ b
        db = cho_solve(factor, pull + A.T @ (r / soft), check_finite=False)
        da = (r - A @ db) / soft
        b, a[zero] = b + db, a[zero] + da
        moved = _relative(db, b) + _relative(da, a)
        if not moved < GAINED * before:
            break
        before = moved
    return b, a


def _rows(problem: Hinges, which: Index) -> Array:
    """Rows of Z times their signs, shape (e, q)."""
    return dense(problem.Z[problem.row[which]]) * problem.sign[which, None]


def _relative(change: Array, value: Array) -> float:
    """Largest change in units of the largest value."""
    return float(np.abs(change).max(initial=0.0)) / (float(np.abs(value).max(initial=0.0)) or 1.0)
