"""From a point near the optimum of a sum of pinball losses to a vertex that is the optimum.

A vertex passes through a basis h of q rows: ``Z_h b = y_h``. Rows off 0 force their duals, and those of the basis
solve ``Z_h' d_h = -(the others' Z' d)``. When they are within their intervals the vertex is optimal. Otherwise
the row that is furthest outside leaves, b moves along the edge that this opens to the lowest point of F on it,
and the row that it reaches there enters: the simplex method of Barrodale, Roberts 1973, "An improved algorithm
for discrete l1 linear approximation". From an interior point near the optimum no or few such steps are needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from torchlinear import interruption
from torchlinear.pinball.matrices import dense, lengths
from torchlinear.pinball.problem import Optimum, Pinball

__all__ = ["polish"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]

EPS = float(np.finfo(np.float64).eps)
ROUNDING = (
    1e-12  # of the value: a vertex is taken though a point inside of the optimal face looks better by this
)
PIVOTS = 1_000
OUTSIDE = 1e-12  # of its interval, by which a dual is outside for more than rounding
DEPENDENT = 1e-10  # of a row, what is left of it beside the rows of the basis


def polish(problem: Pinball, near: Optimum) -> Optimum:
    """The optimal vertex, or `near` if it is better.

    Parameters
    ----------
    problem : Pinball
        Columns of similar norms, none depending on the others.
    near : Optimum
        An interior point near the optimum.

    Returns
    -------
    Optimum
        The vertex and its dual.
    """
    basis = _basis(problem, near)
    if basis is None:
        return near
    vertex = _Vertex(problem, basis, near)
    for _ in range(PIVOTS):
        interruption.check()
        if vertex.optimal or not vertex.pivot():
            break
    found, inside = (
        min((problem.optimum(b, dual) for dual in (vertex.dual, near.dual)), key=lambda point: point.gap)
        for b in (vertex.b, near.coef)
    )
    return found if found.gap <= inside.gap + ROUNDING * inside.value else inside


class _Vertex:
    """A basis, the coefficients that pass through its rows, and the duals of all rows."""

    def __init__(self, problem: Pinball, basis: Index, near: Optimum) -> None:
        self.problem, self.basis = problem, basis
        self.length = lengths(problem.Z)
        self.dual = near.dual.copy()
        self._place()
        self.dual = np.where(self.zero, self.dual, problem.signed(self.r))
        self._price()

    def _place(self) -> None:
        """Coefficients, refined once, and residuals."""
        Z, y = dense(self.problem.Z[self.basis]), self.problem.y[self.basis]
        b = np.linalg.solve(Z, y)
        self.b = b + np.linalg.solve(Z, y - Z @ b)
        self.r = self.problem.residual(self.b)
        self.r[self.basis] = 0.0
        rounded = 64 * EPS * (np.abs(self.problem.y) + self.length * float(np.linalg.norm(self.b)))
        self.zero = np.abs(self.r) <= rounded

    def _price(self) -> None:
        """Duals of the basis, and by how much of their intervals they are outside."""
        h, problem = self.basis, self.problem
        self.dual[h] = 0.0
        self.dual[h] = np.linalg.solve(dense(problem.Z[h]).T, -(problem.Z.T @ self.dual))
        over = np.maximum(self.dual[h] - problem.above[h], problem.below[h] - self.dual[h])
        self.outside = over / problem.width[h]

    @property
    def optimal(self) -> bool:
        """Whether no dual is outside of its interval."""
        return bool(self.outside.max(initial=0.0) <= OUTSIDE)

    def pivot(self) -> bool:
        """Exchange one row of the basis; False when none can enter."""
        problem, j = self.problem, int(self.outside.argmax())
        leaving = self.basis[j]
        up = bool(self.dual[leaving] > problem.above[leaving])  # its residual becomes positive
        unit = np.zeros(len(self.basis))
        unit[j] = -1.0 if up else 1.0
        v = problem.Z @ np.linalg.solve(dense(problem.Z[self.basis]), unit)
        slope = -self.outside[j] * problem.width[leaving]
        entering, passed = self._lowest(v, slope)
        if entering is None:
            return False
        self.dual[passed] = np.where(v[passed] > 0, problem.below[passed], problem.above[passed])
        self.dual[leaving] = problem.above[leaving] if up else problem.below[leaving]
        self.basis = self.basis.copy()
        self.basis[j] = entering
        self._place()
        self._price()
        return True

    def _lowest(self, v: Array, slope: float) -> tuple[int | None, Index]:
        """Where F is lowest on the edge ``r - t v``: the row that is 0 there, and the rows passed before."""
        problem, r = self.problem, np.where(self.zero, 0.0, self.r)
        met = (np.abs(v) > DEPENDENT * self.length) & (self.zero | (r * v > 0))
        met[self.basis] = False
        rows = np.flatnonzero(met)
        at = r[rows] / v[rows]
        limit = np.where(v[rows] > 0, problem.below[rows], problem.above[rows])
        rise = (self.dual[rows] - limit) * v[rows]
        order = np.argsort(at, kind="stable")
        reached = int(np.searchsorted(slope + np.cumsum(rise[order]), 0.0))
        if reached == len(order):
            return None, rows[:0]
        return int(rows[order[reached]]), rows[order[:reached]]


def _basis(problem: Pinball, near: Optimum) -> Index | None:
    """Independent rows that are near 0 while their duals are far from their ends; None if there are too few."""
    q = problem.Z.shape[1]
    r, slack = problem.residual(near.coef), np.minimum(near.dual - problem.below, problem.above - near.dual)
    scale = float(np.abs(r).mean()) or 1.0
    score = np.maximum(slack / problem.width, EPS) / (np.abs(r) / scale + EPS)
    count = 4 * q
    while True:
        rows = np.argpartition(-score, count)[:count] if count < len(r) else np.arange(len(r))
        rows = rows[np.argsort(-score[rows], kind="stable")]
        chosen = _independent(dense(problem.Z[rows]))
        if len(chosen) == q:
            return rows[chosen]
        if count >= len(r):
            return None
        count *= 8


def _independent(rows: Array) -> Index:
    """Greedily, each row that does not depend on those taken before it, in their order."""
    taken: list[int] = []
    left, length = rows.copy(), np.sqrt(np.square(rows).sum(axis=1))
    for i in range(len(rows)):
        norm = float(np.sqrt(np.square(left[i]).sum()))
        if norm > 1e-6 * length[i] and len(taken) < rows.shape[1]:
            direction = left[i] / norm
            left[i:] -= np.outer(left[i:] @ direction, direction)
            taken.append(i)
    return np.asarray(taken, dtype=np.intp)
