"""The least sum of pinball losses, whatever the units of the columns and however they depend on each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from torchlinear.pinball.interior import walk
from torchlinear.pinball.problem import Optimum, Pinball
from torchlinear.pinball.vertex import polish

__all__ = ["solve"]

Array = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)
NEAR = 1e-7  # relative gap from which a vertex is sought: few steps from there, if any
CORRELATED = 1e-3  # smallest eigenvalue of the correlations below which columns are made orthogonal
DEPENDENT = 1e-11  # of a column of length 1, what is left of it beside the others


def solve(problem: Pinball, *, exact: bool = True) -> Optimum:
    """Coefficients of the least sum of pinball losses.

    Parameters
    ----------
    problem : Pinball
        The rows. The last column is the constant one if it is 1 in any row.
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
    return replace(found, coef=units.back(found.coef), dual=dual)


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
        Z, weight = problem.Z, problem.width
        constant = Z.shape[1] > 0 and bool((Z[:, -1] == 1.0).any())
        centre = np.zeros(Z.shape[1])
        if constant:
            centre[:-1] = (weight * Z[:, -1]) @ Z[:, :-1] / (weight @ Z[:, -1])
        about = Z - np.outer(Z[:, -1], centre) if constant else Z
        scale, seen = (np.sqrt(np.average(np.square(part), axis=0, weights=weight)) for part in (about, Z))
        scale = np.where(scale > 4 * EPS * seen, scale, np.inf)
        return cls(centre, scale, *_independent(np.sqrt(weight / weight.mean())[:, None] * (about / scale)))

    def forth(self, Z: Array) -> Array:
        """Columns in these units, shape (n, rank)."""
        centre = self.centre[self.kept]
        about = Z[:, self.kept] - np.outer(Z[:, -1], centre) if centre.any() else Z[:, self.kept]
        columns = np.ascontiguousarray(about / self.scale[self.kept])
        if self.root is None:
            return columns
        return np.ascontiguousarray(solve_triangular(self.root, columns.T, trans="T").T)

    def back(self, b: Array) -> Array:
        """Coefficients in the units of the columns, shape (q,)."""
        coef = np.zeros(len(self.scale))
        coef[self.kept] = (b if self.root is None else solve_triangular(self.root, b)) / self.scale[self.kept]
        coef[-1:] -= self.centre @ coef
        return coef


def _independent(Z: Array) -> tuple[NDArray[np.intp], Array | None]:
    """Columns that do not depend on those before them, and the triangle that makes them orthogonal if need be."""
    n, q = Z.shape
    if n >= q > 0 and np.linalg.eigvalsh(Z.T @ Z / n)[0] > CORRELATED:
        return np.arange(q), None
    columns = np.linalg.qr(Z, mode="r") / np.sqrt(max(n, 1))
    kept: list[int] = []
    basis = np.zeros((len(columns), 0))
    for j in range(q):
        left = columns[:, j] - basis @ (basis.T @ columns[:, j])
        left -= basis @ (basis.T @ left)
        length = float(np.linalg.norm(left))
        if length > DEPENDENT:
            kept.append(j)
            basis = np.column_stack([basis, left / length])
    return np.asarray(kept, dtype=np.intp), basis.T @ columns[:, kept]
