"""The least sum of hinges and a ridge, whatever the units of the columns, and however many of them there are.

Columns are taken about their means where there is an intercept, and divided by their root mean squares. Where the
penalised columns are more than the rows, their span is n-dimensional: with ``Z L^(-1/2) = R' Q'`` the problem in the
coefficients ``u = Q' L^(1/2) b`` of the columns R' has the ridge 1 and the same optimum, ``b = L^(-1/2) Q u``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from torchlinear.hinges.problem import Hinges, Optimum
from torchlinear.hinges.sifting import least
from torchlinear.pinball.matrices import Matrix, dense, scaled, squares

__all__ = ["solve"]

Array = NDArray[np.float64]

CHUNK = 1024  # rows, of which hundreds of columns stay in a second cache
EPS = float(np.finfo(np.float64).eps)


def solve(problem: Hinges) -> Optimum:
    """Coefficients of the least sum of hinges and a ridge.

    Parameters
    ----------
    problem : Hinges
        The rows. A last column of ones, and of zeros in rows of a penalty, is taken for the intercept's.

    Returns
    -------
    Optimum
        In the units of the columns.

    Examples
    --------
    >>> import numpy as np
    >>> Z, ones = np.array([[-1.0], [1.0], [2.0]]), np.ones(3)
    >>> signs = np.array([-1.0, 1.0, 1.0])
    >>> found = solve(Hinges(Z, np.array([0.1]), np.arange(3), signs, ones, ones, np.zeros(3, bool)))
    >>> found.coef.round(12), found.gap < 1e-12
    (array([1.]), True)
    """
    centre, scale = _units(problem)
    inside = replace(problem, Z=_standard(problem.Z, centre, scale), ridge=problem.ridge / np.square(scale))
    small, back = _narrowed(inside)
    with np.errstate(all="ignore"):  # of a perfect fit, rounding is all that is left to divide by
        found = least(small)
    known = inside.optimum(back(found.coef), found.dual)
    coef = known.coef / scale
    coef[-1:] -= centre @ coef
    return replace(known, coef=coef)


def _units(problem: Hinges) -> tuple[Array, Array]:
    """What is subtracted from the columns, times the constant one, and by what they are divided; of sparse ones 0."""
    Z, weight = problem.Z, problem.gathered(problem.weight)
    weight = weight / weight.sum()
    seen, centre = np.sqrt(squares(Z, weight)), np.zeros(Z.shape[1])
    if not scipy.sparse.issparse(Z):
        last = Z[:, -1]
        if problem.ridge[-1] == 0 and (last == 1.0).any() and np.isin(last, (0.0, 1.0)).all():
            centre[:-1] = (weight * last) @ Z[:, :-1] / (weight @ last)
            spread = np.sqrt(_squares_about(Z, weight, centre))
            centre[spread <= 4 * EPS * seen] = 0.0  # a constant column, which stays as it is
            seen = np.where(spread > 4 * EPS * seen, spread, seen)
    return centre, np.where(seen > 0, seen, 1.0)


def _narrowed(problem: Hinges) -> tuple[Hinges, Callable[[Array], Array]]:
    """The problem in no more columns than rows where the ridge allows it, and the way back from its coefficients."""
    held = np.flatnonzero(problem.ridge > 0)
    n = problem.Z.shape[0]
    if len(held) <= n:
        return problem, lambda b: b
    free, root = np.flatnonzero(problem.ridge == 0), np.sqrt(problem.ridge[held])
    span, expand = _span(scaled(problem.Z[:, held], root))
    Z = np.hstack([span, dense(problem.Z[:, free])])
    ridge = np.concatenate([np.ones(span.shape[1]), np.zeros(len(free))])

    def back(u: Array) -> Array:
        b = np.zeros(problem.columns)
        b[held], b[free] = expand(u[: span.shape[1]]) / root, u[span.shape[1] :]
        return b

    return replace(problem, Z=np.ascontiguousarray(Z), ridge=ridge), back


def _span(X: Matrix) -> tuple[Array, Callable[[Array], Array]]:
    """A matrix S of at most n columns with S S' = X X', and the least v with X v = S u for a given u."""
    if not scipy.sparse.issparse(X):
        Q, R = np.linalg.qr(X.T)
        return np.ascontiguousarray(R.T), lambda u: np.asarray(Q @ u)
    values, vectors = np.linalg.eigh(dense(X @ X.T))
    kept = values > EPS * len(values) * values[-1]
    root, vectors = np.sqrt(values[kept]), vectors[:, kept]
    return vectors * root, lambda u: np.asarray(X.T @ (vectors @ (u / root)))


def _squares_about(Z: Array, weight: Array, centre: Array) -> Array:
    """Weighted sums of the squares of the columns without the centre times the last one, shape (q,)."""
    total = np.zeros(Z.shape[1])
    for start in range(0, len(Z), CHUNK):
        rows = Z[start : start + CHUNK]
        total += weight[start : start + CHUNK] @ np.square(rows - np.outer(rows[:, -1], centre))
    return total


def _standard(Z: Matrix, centre: Array, scale: Array) -> Matrix:
    """Columns without the centre times the last one, over the scale; a copy, in which rows lie one after the other."""
    if scipy.sparse.issparse(Z):
        return scaled(Z, scale)
    found = np.empty(Z.shape)
    for start in range(0, len(Z), CHUNK):
        part, rows = found[start : start + CHUNK], Z[start : start + CHUNK]
        np.subtract(rows, np.outer(rows[:, -1], centre), out=part)
        part /= scale
    return found
