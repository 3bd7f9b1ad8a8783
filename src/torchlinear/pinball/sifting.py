"""Many rows by few: rows that are far from the plane are summed up into two, and the rest is solved exactly.

A row far above the plane stays above it, and pulls with the same force wherever the plane moves meanwhile. All of
them together pull as one row at their weighted mean with their total weight (Portnoy, Koenker 1997, section 4,
call it a glob). By convexity that row costs at most what they cost together, so the optimum of the reduced problem
is a lower bound of the whole; when no row of a glob turns out to lie on the other side, it is the optimum.

A row is far when it is further than a band from the first plane and on the same side of every plane that came
after. So each pass over the rows checks the last plane and makes the next problem, and the rows kept only grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from torchlinear.engines.base import Loaded
from torchlinear.pinball.kept import Kept, kept, sampled
from torchlinear.pinball.matrices import stacked, with_constant
from torchlinear.pinball.problem import Optimum, Pinball
from torchlinear.pinball.solution import solve

__all__ = ["Target", "least"]

Array = NDArray[np.float64]

DIRECT_ROWS = 4_000  # up to which all rows are kept
INSIDE = 1.0 - 1e-9  # of a dual's interval
KEPT = 1.2  # of the sample; Portnoy and Koenker keep 0.8, which now and then has to begin again
REGROUPED = 0.3  # of the kept rows: as many that turn out to lie on the other side ask for a new first plane


@dataclass(frozen=True, slots=True)
class Target:
    """One target of a loss.

    Attributes
    ----------
    column : int
        Which of the targets.
    slopes : tuple of float
        Derivatives of the loss by the residual, below and above 0.
    strengths : ndarray, shape (p,)
        Of the L1 penalty, for a sum of weights of 1.
    intercept : bool
        Whether there is one.
    centre : ndarray, shape (p,)
        A point near the rows, about which features are summed; zeros without an intercept, and if they are sparse.
    """

    column: int
    slopes: tuple[float, float]
    strengths: Array
    intercept: bool
    centre: Array

    def problem(self, some: Kept) -> Pinball:
        """The rows and the penalty as one problem, for the weights of all rows."""
        (below, above), rows, p = self.slopes, some.rows(), len(self.strengths)
        penalised = np.flatnonzero(self.strengths)
        strength = some.weight * self.strengths[penalised]
        unit = scipy.sparse.eye_array(p, p + self.intercept, format="csr")[penalised]
        return Pinball(
            stacked([with_constant(rows.X) if self.intercept else rows.X, unit]),
            np.concatenate([rows.y, np.zeros(len(penalised))]),
            np.concatenate([below * rows.weight, -strength]),
            np.concatenate([above * rows.weight, strength]),
        )

    def plane(self, found: Optimum, weight: float) -> Array:
        """Coefficients of a problem in the user's units, the intercept last (0 without one), shape (p + 1,).

        Where the dual of a penalty is inside of its interval, the coefficient is 0 (complementary slackness).
        """
        p, penalised = len(self.strengths), np.flatnonzero(self.strengths)
        beta, dual = found.coef[:p].copy(), np.abs(found.dual[len(found.dual) - len(penalised) :])
        beta[penalised[dual < INSIDE * weight * self.strengths[penalised]]] = 0.0
        return np.append(beta, found.coef[p] - self.centre @ beta if self.intercept else 0.0)


def least(loaded: Loaded, target: Target, rows: int) -> tuple[Array, float]:
    """Coefficients of the least sum of pinball losses, and what the sum cannot be below.

    Parameters
    ----------
    loaded : Loaded
        The rows.
    target : Target
        Which target, which loss.
    rows : int
        Rows with a weight above zero.

    Returns
    -------
    coef : ndarray, shape (p + 1,)
        The intercept last; 0 without one.
    bound : float
        Lower bound of the weighted sum of the losses and of the penalty times the sum of the weights.
    """
    size = int(((loaded.rows.n_features + 1) * rows) ** (2 / 3))
    if rows <= max(DIRECT_ROWS, 3 * size):
        every = loaded.sum(kept, target.column, target.centre, None, np.inf)
        found = solve(target.problem(every))
        return target.plane(found, every.weight), found.value - found.gap
    few = loaded.sum(sampled, target.column, target.centre, size / rows)
    first = solve(target.problem(few), exact=False)
    return _sifted(loaded, target, target.plane(first, few.weight), few, KEPT * size / rows)


def _sifted(loaded: Loaded, target: Target, plane: Array, few: Kept, share: float) -> tuple[Array, float]:
    """The optimum of all rows: from a plane near it, a sample to measure distances by, and the share to keep."""
    planes, band = plane[:, None], _band(target, few, plane, share)
    some = loaded.sum(kept, target.column, target.centre, planes, band)
    while True:
        found = solve(target.problem(some))
        planes = np.column_stack([planes, target.plane(found, some.weight)])
        after = loaded.sum(kept, target.column, target.centre, planes, band)
        if after.count == some.count:
            return planes[:, -1], found.value - found.gap
        if after.count > (1.0 + REGROUPED) * some.count:
            share, planes = 2.0 * share, planes[:, -1:]
            band = _band(target, few, planes[:, 0], share)
            after = loaded.sum(kept, target.column, target.centre, planes, band)
        some = after


def _band(target: Target, few: Kept, plane: Array, share: float) -> float:
    """The distance from the plane within which a share of the rows lies."""
    if share >= 1.0 or not few.count:
        return float("inf")
    rows, offset = few.rows(), plane[-1] + target.centre @ plane[:-1]
    return float(np.quantile(np.abs(rows.y - rows.X @ plane[:-1] - offset), share))
