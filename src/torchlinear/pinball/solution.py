"""The least sum of pinball losses, whatever the units of the columns and however they depend on each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from torchlinear.pinball.interior import walk
from torchlinear.pinball.matrices import Matrix, gram, scaled, squares, triangle
from torchlinear.pinball.problem import Optimum, Pinball
from torchlinear.pinball.vertex import polish

__all__ = ["solve"]

Array = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)
NEAR = 1e-7  # relative gap from which a vertex is sought: few steps from there, if any
CORRELATED = 1e-3  # smallest eigenvalue of the correlations below which columns are made orthogonal
HELD = 1e-9  # of its size, what a dependent column's pull may be
DEPENDENT = 1e-11  # of a column of length 1, what is left of it beside the others


def solve(problem: Pinball, *, exact: bool = True) -> Optimum:
    """Coefficients of the least sum of pinball losses.

    Parameters
    ----------
    problem : Pinball
        The rows. A last column of ones, and of zeros in rows of a penalty, is taken for the intercept's.
    exact : bool
        Whether to end at a vertex; otherwise within the relative gap `NEAR`.

    Returns
    -------
    Optimum
        In the units of the columns; those that depend on others have the coefficient 0.

    Examples
    --------
    >>> import numpy as np
    >>> from torchlinear.pinball.problem import Pinball
    >>> y, half = np.array([1.0, 2.0, 9.0]), np.full(3, 0.5)
    >>> solve(Pinball(np.ones((3, 1)), y, -half, half)).coef
    array([2.])
    """
    counted = problem.width > 0
    rows = Pinball(*(part[counted] for part in (problem.Z, problem.y, problem.below, problem.above)))
    units = _Units.of(rows)
    inside = replace(rows, Z=units.forth(rows.Z))
    with np.errstate(all="ignore"):  # of a perfect fit, rounding is all that is left to divide by
        found = walk(inside, NEAR)
        if exact:
            found = polish(inside, found)
    dual = np.zeros(len(counted))
    dual[counted] = found.dual
    gap = found.gap if units.hold(rows, found.dual) else found.value
    return replace(found, coef=units.back(found.coef), dual=dual, gap=gap)


@dataclass(frozen=True, slots=True)
class _Units:
    """Columns about their means, of mean square 1, without those that depend on others.

    Attributes
    ----------
    centre, scale : ndarray, shape (q,)
        What is subtracted, times the constant column; by what the rest is divided.
    kept : ndarray, shape (rank,)
        Independent columns.
    root : ndarray or None, shape (rank, rank)
        Triangle by which columns that nearly depend on each other are made orthogonal.
    """

    centre: Array
    scale: Array
    kept: NDArray[np.intp]
    root: Array | None

    @classmethod
    def of(cls, problem: Pinball) -> _Units:
        """Of sparse columns the means stay, and none is made orthogonal: both would fill them up."""
        Z, weight = problem.Z, problem.width / problem.width.sum()
        seen, centre, sparse = np.sqrt(squares(Z, weight)), np.zeros(Z.shape[1]), scipy.sparse.issparse(Z)
        if sparse or Z.shape[1] == 0:
            scale = np.where(seen > 0, seen, np.inf)
            standard = scaled(Z, scale)
            if _uncorrelated(standard, weight):
                return cls(centre, scale, np.arange(len(scale)), None)
            return cls(centre, scale, _independent(triangle(standard, weight))[0], None)
        last = Z[:, -1]
        if (last == 1.0).any() and np.isin(last, (0.0, 1.0)).all():
            centre[:-1] = (weight * last) @ Z[:, :-1] / (weight @ last)
        about = Z - np.outer(last, centre)
        scale = np.sqrt(squares(about, weight))
        scale = np.where(scale > 4 * EPS * seen, scale, np.inf)
        standard = scaled(about, scale)
        if _uncorrelated(standard, weight):
            return cls(centre, scale, np.arange(len(scale)), None)
        return cls(centre, scale, *_independent(triangle(standard, weight)))

    def forth(self, Z: Matrix) -> Matrix:
        """Columns in these units, shape (n, rank)."""
        centre, scale = self.centre[self.kept], self.scale[self.kept]
        some = Z if len(self.kept) == Z.shape[1] else Z[:, self.kept]
        columns = scaled(some - np.outer(Z[:, -1], centre) if centre.any() else some, scale)
        if self.root is None:
            return columns if scipy.sparse.issparse(columns) else np.ascontiguousarray(columns)
        return np.ascontiguousarray(solve_triangular(self.root, columns.T, trans="T").T)

    def hold(self, rows: Pinball, dual: Array) -> bool:
        """Whether the dual that was found without the other columns is one with them."""
        Z = rows.Z[:, np.setdiff1d(np.arange(rows.Z.shape[1]), self.kept)]
        most = np.sqrt(len(dual) * squares(Z, np.square(rows.width)))
        return bool((np.abs(Z.T @ dual) <= HELD * most).all())

    def back(self, b: Array) -> Array:
        """Coefficients in the units of the columns, shape (q,)."""
        coef = np.zeros(len(self.scale))
        coef[self.kept] = (b if self.root is None else solve_triangular(self.root, b)) / self.scale[self.kept]
        coef[-1:] -= self.centre @ coef
        return coef


def _uncorrelated(Z: Matrix, weight: Array) -> bool:
    """Whether the columns are far from depending on each other."""
    return Z.shape[0] >= Z.shape[1] > 0 and float(np.linalg.eigvalsh(gram(Z, weight))[0]) > CORRELATED


def _independent(columns: Array) -> tuple[NDArray[np.intp], Array]:
    """Columns of length 1 that do not depend on those before them, and their triangle."""
    kept: list[int] = []
    basis = np.zeros((len(columns), 0))
    for j in range(columns.shape[1]):
        left = columns[:, j] - basis @ (basis.T @ columns[:, j])
        left -= basis @ (basis.T @ left)
        length = float(np.linalg.norm(left))
        if length > DEPENDENT:
            kept.append(j)
            basis = np.column_stack([basis, left / length])
    return np.asarray(kept, dtype=np.intp), basis.T @ columns[:, kept]
