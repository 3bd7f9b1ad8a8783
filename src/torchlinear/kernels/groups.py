"""Block coordinate descent on a quadratic given by its matrix, with exact updates of groups, finished by Newton.

For H positive semi-definite, shape (p, p), and B of shape (p, k), minimise

    1/2 tr(B'H B) - tr(G'B) + sum over groups g of strength_g |B_g|,

with |B_g| the norm of the rows of group g. In coordinates in which H of the group is diagonal, d, and with the others
held, z = pull_g + d B_g, the group goes to zero where |z| <= strength, and else to z / (d + strength / r), where r, its
norm, is the root of

    sum_i |z_i|^2 / (r d_i + strength)^2 = 1.

The root of the inverse sum is concave in r, and Newton's method from below goes up to it (More, Sorensen 1983, for
trust regions; Qin, Scheinberg, Goldfarb 2013, "Efficient block-coordinate descent algorithms for the group lasso").
When sweeps have settled which groups are zero, the objective is smooth in the others, and Newton's method ends at its
minimum to the last digits.

>>> import numpy as np
>>> from torchlinear.kernels.groups import minimise
>>> found = minimise(np.eye(3), np.array([[3.0], [4.0], [0.5]]), np.zeros((3, 1)), np.array([0, 0, 1]), np.ones(2))
>>> found.beta.round(12).ravel().tolist()
[2.4, 3.2, 0.0]
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from torchlinear.kernels import compiled, inlined

__all__ = ["Blocks", "minimise"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

SETTLED = 1e-3  # sweeps end when a step is this share of the first one; Newton's method does the rest
SWEEPS = 50  # at most, before Newton's method is tried
TURNS = 500  # of sweeps and Newton's method, at most
NEWTON = 20  # of its steps in a turn
HALVINGS = 4
LARGEST = 1_500  # numbers in the groups in use, up to which their system is solved
SMALL = 1e-10  # a residual that is smaller and no longer falls is rounding
FLAT = 1e-13  # share of a group's largest curvature below which there is none


@dataclass(frozen=True, slots=True)
class Blocks:
    """Where `minimise` ended.

    Attributes
    ----------
    beta : ndarray, shape (p, k)
        The coefficients B; zeros of whole groups are exact.
    residual : float
        Largest step that a group would still take, in units in which its curvature is 1, relative to the largest first
        step from zero: 0 at the optimum.
    """

    beta: Array
    residual: float


@dataclass(frozen=True, slots=True)
class _Problem:
    """The quadratic in coordinates in which groups lie together and their own matrices are diagonal.

    `edges` are where groups begin and end, shape (groups + 1,).
    """

    H: Array
    G: Array
    edges: Indices
    strengths: Array

    @property
    def number(self) -> Indices:
        """Group of each row."""
        return np.repeat(np.arange(self.strengths.size), np.diff(self.edges))

    def part(self, groups: Indices, beta: Array, pull: Array) -> tuple[_Problem, Indices]:
        """The problem in some groups, the others held, and its rows."""
        rows = np.flatnonzero(np.isin(self.number, groups))
        H = np.ascontiguousarray(self.H[np.ix_(rows, rows)])
        edges = np.concatenate([[0], np.cumsum(np.diff(self.edges)[groups])])
        return _Problem(H, pull[rows] + H @ beta[rows], edges, self.strengths[groups]), rows

    def pull(self, beta: Array) -> Array:
        """``G - H B``."""
        return np.ascontiguousarray(self.G - self.H @ beta)

    def steps(self, beta: Array, pull: Array) -> Array:
        """Length of the step that each group would take, in units of its curvature, shape (groups,)."""
        after, work = beta.copy(), np.empty_like(beta)
        alone(self.H, pull, after, self.edges, self.strengths, work)
        squares = np.diagonal(self.H) * np.square(after - beta).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(np.add.reduceat(squares, self.edges[:-1]), 0.0)))


def minimise(
    H: Array, G: Array, start: Array, groups: Indices, strengths: Array, *, tol: float = 1e-15
) -> Blocks:
    """Minimise ``1/2 tr(B'H B) - tr(G'B) + sum(strengths * norms of the groups)``.

    Parameters
    ----------
    H : ndarray, shape (p, p), float64
        Symmetric and positive semi-definite; best with a curvature near 1 in each group.
    G : ndarray, shape (p, k), float64
        Linear term.
    start : ndarray, shape (p, k), float64
        Where to begin: near the end is fast.
    groups : ndarray of int64, shape (p,)
        Number of each row's group, from 0.
    strengths : ndarray, shape (groups,), float64
        Of each group's norm, at least 0.
    tol : float
        Ends when `Blocks.residual` is at most this, or cannot be made smaller.

    Returns
    -------
    Blocks
        The coefficients and how far they are from the optimum.
    """
    order = np.argsort(groups, kind="stable")
    edges = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=strengths.size))])
    turned, beta = _turned(H[np.ix_(order, order)], G[order], edges, start[order])
    basis, problem = turned.basis, _Problem(turned.H, turned.G, edges, strengths)
    pull = problem.pull(beta)
    unit = float(problem.steps(np.zeros_like(beta), problem.G.copy()).max(initial=0.0)) or 1.0
    residual = np.inf
    for _ in range(TURNS):
        steps = problem.steps(beta, pull) / unit
        before, residual = residual, float(steps.max(initial=0.0))
        if residual <= tol or before <= residual <= SMALL:
            break
        beta, pull = _turn(problem, beta, pull, steps, unit, tol)
    found = np.empty_like(beta)
    for (a, b), Q in zip(pairwise(edges), basis):
        found[order[a:b]] = Q @ beta[a:b]
    return Blocks(found, residual)


@dataclass(frozen=True, slots=True)
class _Turned:
    basis: list[Array]
    H: Array
    G: Array


def _turned(H: Array, G: Array, edges: Indices, start: Array) -> tuple[_Turned, Array]:
    """The quadratic in bases in which the matrices of the groups are diagonal, and the start."""
    H, G, beta, basis = H.copy(), G.copy(), np.ascontiguousarray(start, dtype=np.float64).copy(), []
    for a, b in pairwise(edges):
        if b - a == 1:
            basis.append(np.ones((1, 1)))
            continue
        values, Q = np.linalg.eigh(H[a:b, a:b])
        H[a:b] = Q.T @ H[a:b]
        H[:, a:b] = H[:, a:b] @ Q
        H[a:b, a:b] = np.diag(np.where(values > FLAT * values[-1], values, 0.0))
        G[a:b], beta[a:b] = Q.T @ G[a:b], Q.T @ beta[a:b]
        basis.append(Q)
    return _Turned(basis, np.ascontiguousarray(H), np.ascontiguousarray(G)), beta


def _turn(
    problem: _Problem, beta: Array, pull: Array, steps: Array, unit: float, tol: float
) -> tuple[Array, Array]:
    """Sweeps over the groups in use and those that want to be, then Newton's method in those in use."""
    used = np.add.reduceat(np.square(beta).sum(axis=1), problem.edges[:-1]) > 0
    part, rows = problem.part(np.flatnonzero(used | (steps > 0)), beta, pull)
    b, left = beta[rows].copy(), np.ascontiguousarray(pull[rows])
    floor = (min(SETTLED, 0.01 * float(steps.max())) * unit) ** 2
    sweep(part.H, left, b, part.edges, part.strengths, np.empty_like(b), floor, SWEEPS)
    beta = beta.copy()
    beta[rows] = _finished(part, b, unit, tol)
    return beta, problem.pull(beta)


def _finished(part: _Problem, beta: Array, unit: float, tol: float) -> Array:
    """Newton's method in the groups that are not zero, as long as it brings the optimum nearer."""
    norms = np.sqrt(np.add.reduceat(np.square(beta).sum(axis=1), part.edges[:-1]))
    used = np.flatnonzero((norms > 0) | (part.strengths == 0))
    few, rows = part.part(used, beta, part.pull(beta))
    if rows.size == 0 or rows.size * beta.shape[1] > LARGEST:
        return beta
    b = beta[rows]
    left = float(few.steps(b, few.pull(b)).max()) / unit
    for _ in range(NEWTON):
        nearer = None if left <= tol else _newton(few, b, left, unit)
        if nearer is None:
            break
        b, left = nearer
    beta[rows] = b
    return beta


def _newton(few: _Problem, b: Array, left: float, unit: float) -> tuple[Array, float] | None:
    """The Newton step, or a share of it, that brings the optimum nearer, and how near; None when there is none."""
    number, k = few.number, b.shape[1]
    norms = np.sqrt(np.add.reduceat(np.square(b).sum(axis=1), few.edges[:-1]))
    if (norms[few.strengths > 0] == 0).any():
        return None
    share = np.divide(few.strengths, norms, out=np.zeros_like(norms), where=few.strengths > 0)
    slope = few.pull(b) - share[number, None] * b
    matrix = np.kron(few.H, np.eye(k)) if k > 1 else few.H.copy()
    for g in np.flatnonzero(few.strengths > 0):
        at = slice(k * few.edges[g], k * few.edges[g + 1])
        flat = b[few.edges[g] : few.edges[g + 1]].ravel() / norms[g]
        matrix[at, at] += share[g] * (np.eye(flat.size) - np.outer(flat, flat))
    _, step, singular = lapack.dposv(matrix, slope.ravel())
    if singular:
        return None
    for _ in range(HALVINGS):
        there = np.ascontiguousarray(b + step.reshape(b.shape))
        reached = float(few.steps(there, few.pull(there)).max()) / unit
        if reached < left:
            return there, reached
        step = step / 2.0
    return None


@inlined
def radius(H, z, a, b, strength):  # type: ignore[no-untyped-def]
    """The norm r of a group at its best, given z of its rows a to b; 0 where it is zero."""
    size, top = 0.0, 0.0
    for i in range(a, b):
        top = max(top, H[i, i])
        for c in range(z.shape[1]):
            size += z[i, c] * z[i, c]
    size = np.sqrt(size)
    if size <= strength or top <= 0.0:
        return 0.0
    r = (size - strength) / top
    for _ in range(100):
        total, bend = 0.0, 0.0
        for i in range(a, b):
            square = 0.0
            for c in range(z.shape[1]):
                square += z[i, c] * z[i, c]
            width = r * H[i, i] + strength
            if width > 0.0:
                square /= width * width
                total += square
                bend += square * H[i, i] / width
        root = np.sqrt(total)
        more = (total - root) * root / bend if bend > 0.0 else 0.0
        if not more > 1e-16 * r:
            break
        r += more
    return r


@inlined
def move(H, pull, beta, a, b, strength, work):  # type: ignore[no-untyped-def]
    """Move rows a to b to their best, the others held; `work` gets the steps. Returns the largest gain."""
    for i in range(a, b):
        for c in range(beta.shape[1]):
            work[i, c] = pull[i, c] + H[i, i] * beta[i, c]
    r = radius(H, work, a, b, strength) if strength > 0.0 else 1.0
    largest = 0.0
    for i in range(a, b):
        bend = H[i, i] + (strength / r if r > 0.0 else 0.0)
        for c in range(beta.shape[1]):
            to = 0.0
            if r > 0.0:
                to = work[i, c] / bend if bend > 0.0 else beta[i, c]
            work[i, c] = to - beta[i, c]
            beta[i, c] = to
            largest = max(largest, H[i, i] * work[i, c] * work[i, c])
    return largest


@compiled(
    "void(const float64[:, ::1], const float64[:, ::1], float64[:, ::1], const int64[::1], const float64[::1],"
    " float64[:, ::1])"
)
def alone(H: Array, pull: Array, beta: Array, edges: Indices, strengths: Array, work: Array) -> None:
    """Move each group to where it would go alone, from the same `pull`."""
    for g in range(strengths.size):
        move(H, pull, beta, edges[g], edges[g + 1], strengths[g], work)


@compiled(
    "int64(const float64[:, ::1], float64[:, ::1], float64[:, ::1], const int64[::1], const float64[::1],"
    " float64[:, ::1], float64, int64)",
    fastmath={"contract"},
)
def sweep(
    H: Array, pull: Array, beta: Array, edges: Indices, strengths: Array, work: Array, floor: float, most: int
) -> int:
    """Sweep over all groups until no step gains more than `floor`; return how many sweeps."""
    for count in range(most):
        largest = 0.0
        for g in range(strengths.size):
            gain = move(H, pull, beta, edges[g], edges[g + 1], strengths[g], work)
            if gain > 0.0:
                for i in range(edges[g], edges[g + 1]):
                    for j in range(pull.shape[0]):
                        for c in range(pull.shape[1]):
                            pull[j, c] -= H[i, j] * work[i, c]
                largest = max(largest, gain)
        if largest <= floor:
            return count + 1
    return most
