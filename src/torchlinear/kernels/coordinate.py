"""Coordinate descent on a quadratic given by its matrix, finished exactly.

For H positive semi-definite, shape (p, p), minimise

    1/2 b'Hb - g'b + sum_j (lasso_j |b_j| + ridge_j / 2 b_j^2)      over  lower <= b <= upper.

Each coordinate in turn goes to its best value with the others held (Friedman, Hastie, Tibshirani 2010,
"Regularization paths for generalized linear models via coordinate descent", covariance updates). Sweeps run over an
active set: coordinates that are not zero and those that want to move. When the sweeps have settled which
coordinates are zero, the linear system of the others is solved by Cholesky, to the first of them that would
change its sign: so the end point has the digits of a direct solution, and correlated columns cost no more.

>>> import numpy as np
>>> from torchlinear.kernels.coordinate import minimise
>>> H = np.array([[2.0, 1.0], [1.0, 2.0]])
>>> minimise(H, np.array([3.0, 1.0]), np.zeros(2), lasso=np.ones(2), ridge=np.zeros(2)).beta
array([1., 0.])
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from torchlinear.kernels import compiled

__all__ = ["Minimum", "minimise"]

Array = NDArray[np.float64]

SETTLED = 1e-4  # sweeps end when a step is this share of the first one; the linear system does the rest
SWEEPS = 50  # at most, before the linear system is tried
TURNS = 1_000  # of sweeps and linear system, at most; a handful is usual, singular matrices take a hundred
FACES = 10  # linear systems in a row, each after the first coordinate that reached zero or a bound
FEWEST = 100  # coordinates that may always join the active set together
SMALL = 1e-9  # a residual that is smaller and no longer falls is rounding
DOUBTFUL = 1e-7  # smallest pivot of an equilibrated Cholesky factor that is still trusted
FLAT = 1e-9  # share of the penalty's slope above which a direction without curvature is followed


@dataclass(frozen=True, slots=True)
class Minimum:
    """Where `minimise` ended.

    Attributes
    ----------
    beta : ndarray, shape (p,)
        The coefficients b; zeros are exact.
    pull : ndarray, shape (p,)
        ``g - H b``.
    residual : float
        Largest step that a coordinate would still take, in units in which its curvature is 1, relative to the
        largest first step from zero: 0 at the optimum.
    sweeps : int
        Sweeps over the active set.
    """

    beta: Array
    pull: Array
    residual: float
    sweeps: int


@dataclass(frozen=True, slots=True)
class _Problem:
    """The quadratic and what bounds it; fields as in `minimise`, all of shape (p,) but H."""

    H: Array
    g: Array
    lasso: Array
    ridge: Array
    lower: Array
    upper: Array

    @property
    def bend(self) -> Array:
        """Curvature of each coordinate."""
        return np.asarray(np.diagonal(self.H) + self.ridge)

    def part(self, chosen: NDArray[np.int_], pull: Array, beta: Array) -> _Problem:
        """The problem in the chosen coordinates, the others held; `pull` is that of all at `beta`."""
        H = self.H if chosen.size == self.g.size else np.ascontiguousarray(self.H[np.ix_(chosen, chosen)])
        g = pull[chosen] + H @ beta[chosen]
        return _Problem(H, g, self.lasso[chosen], self.ridge[chosen], self.lower[chosen], self.upper[chosen])

    def pull(self, beta: Array) -> Array:
        """``g - H b``."""
        support = np.flatnonzero(beta)
        if 3 * support.size < beta.size:
            return np.asarray(self.g - beta[support] @ self.H[support])
        return np.asarray(self.g - self.H @ beta)

    def best(self, pull: Array, beta: Array) -> Array:
        """Where each coordinate alone would go."""
        bend = self.bend
        curved = np.where(bend > 0, bend, 1.0)
        z = np.where(bend > 0, pull + np.diagonal(self.H) * beta, 0.0)
        free = np.copysign(np.maximum(np.abs(z) - self.lasso, 0.0), z) / curved
        return np.asarray(np.clip(free, self.lower, self.upper))


def minimise(
    H: Array,
    g: Array,
    start: Array,
    lasso: Array,
    ridge: Array,
    lower: Array | None = None,
    upper: Array | None = None,
    *,
    tol: float = 1e-13,
    turns: int = TURNS,
    finish: bool = True,
) -> Minimum:
    """Minimise ``1/2 b'Hb - g'b + sum(lasso |b| + ridge / 2 b^2)`` within bounds.

    Parameters
    ----------
    H : ndarray, shape (p, p), float64, row-major
        Symmetric and positive semi-definite.
    g : ndarray, shape (p,), float64
        Linear term.
    start : ndarray, shape (p,), float64
        Where to begin: near the end is fast.
    lasso, ridge : ndarray, shape (p,), float64
        Strengths on each ``|b_j|`` and ``b_j^2 / 2``, at least 0.
    lower, upper : ndarray, shape (p,), float64, optional
        Bounds, which may be infinite; none by default.
    tol : float
        Ends when `Minimum.residual` is at most this, or cannot be made smaller. It is usually near 1e-16, because
        the end is exact.
    turns : int
        Turns of sweeps and a linear system, at most.
    finish : bool
        Whether turns end with the linear system; without, a turn is a few sweeps.

    Returns
    -------
    Minimum
        The coefficients and how far they are from the optimum.
    """
    p = g.size
    low = np.full(p, -np.inf) if lower is None else lower
    high = np.full(p, np.inf) if upper is None else upper
    problem = _Problem(np.ascontiguousarray(H), g, lasso, ridge, low, high)
    beta = np.clip(start, low, high)
    pull, bend = problem.pull(beta), problem.bend
    root = np.sqrt(np.maximum(bend, 0.0))
    unit = float((np.abs(g) / np.where(root > 0, root, 1.0)).max(initial=0.0)) or 1.0
    at = Minimum(beta, pull, np.inf, 0)
    for _ in range(turns):
        step = root * np.abs(problem.best(at.pull, at.beta) - at.beta) / unit
        before, at = at.residual, replace(at, residual=float(step.max(initial=0.0)))
        if at.residual <= tol or before <= at.residual <= SMALL:
            break
        at = _turn(problem, at, step, unit, finish)
    return at


def _turn(problem: _Problem, at: Minimum, step: Array, unit: float, finish: bool) -> Minimum:
    """Sweeps over the active set, then its linear system."""
    active = _active(at.beta, step)
    part = problem.part(active, at.pull, at.beta)
    beta, pull = at.beta[active].copy(), at.pull[active].copy()
    floor = (min(SETTLED, 0.01 * at.residual) * unit) ** 2
    count = sweep(part.H, pull, beta, part.lasso, part.ridge, part.lower, part.upper, floor, SWEEPS)
    for _ in range(FACES if finish else 0):
        if _finish(part, beta, pull):
            break
    full = at.beta.copy()
    full[active] = beta
    return Minimum(full, problem.pull(full), at.residual, at.sweeps + count)


def _active(beta: Array, step: Array) -> NDArray[np.int_]:
    """Coordinates that are not zero, and those that want to move most: as many again at most."""
    wanted = np.flatnonzero((beta == 0.0) & (step > 0.0))
    support = np.flatnonzero(beta)
    most = max(FEWEST, support.size)
    if wanted.size > most:
        wanted = wanted[np.argpartition(-step[wanted], most)[:most]]
    return np.sort(np.concatenate([support, wanted]))


def _finish(part: _Problem, beta: Array, pull: Array) -> bool:
    """Solve the linear system of the coordinates that are free; whether all kept their signs and bounds.

    Otherwise `beta`, changed in place as `pull` is, stops where the first of them reaches zero or its bound.
    """
    penalised = part.lasso > 0
    free = np.flatnonzero(
        (beta > part.lower) & (beta < part.upper) & ((beta != 0.0) | ~penalised) & (part.bend > 0)
    )
    if free.size == 0:
        return True
    now, signed = beta[free], penalised[free]
    sign = np.where(signed, np.sign(now), 0.0)
    way, length = _way(part, free, pull[free] - part.ridge[free] * now - part.lasso[free] * sign)
    low = np.where(sign > 0, np.maximum(part.lower[free], 0.0), part.lower[free])
    high = np.where(sign < 0, np.minimum(part.upper[free], 0.0), part.upper[free])
    edge = np.where(way < 0, low, high)
    share = np.divide(edge - now, way, out=np.full_like(way, np.inf), where=way != 0)
    first = float(share.min())
    if first > length or first == np.inf:
        beta[free] = now + length * way if np.isfinite(length) else now
        return True
    beta[free] = np.clip(now + first * way, low, high)
    beta[free[share == first]] = edge[share == first]
    pull -= part.H[:, free] @ (beta[free] - now)
    return False


def _way(part: _Problem, free: NDArray[np.int_], slope: Array) -> tuple[Array, float]:
    """Direction to the optimum of the free coordinates with their signs, and how far that is along it, shape (r,).

    Coordinates that depend on one another leave a direction along which only the penalty changes, down to the
    next sign change: its length is infinite. Without one, rounding is all that falls along it, and it is left alone.
    """
    scale = 1.0 / np.sqrt(part.bend[free])
    matrix = part.H.copy() if free.size == part.g.size else part.H[np.ix_(free, free)]
    matrix *= scale[:, None]
    matrix *= scale
    matrix[np.diag_indices(free.size)] += part.ridge[free] * scale**2
    factor, info = lapack.dpotrf(matrix.T)  # symmetric, and in the order that LAPACK has
    if info == 0 and np.diagonal(factor).min() > DOUBTFUL:
        return scale * lapack.dpotrs(factor, scale * slope)[0], 1.0
    values, vectors = np.linalg.eigh(matrix)
    along = vectors.T @ (scale * slope)
    flat = values <= DOUBTFUL**2 * values[-1]
    rough = part.lasso[free] if part.lasso[free].any() else part.g[free]
    if np.linalg.norm(along[flat]) > FLAT * np.linalg.norm(rough * scale):
        return scale * (vectors[:, flat] @ along[flat]), np.inf
    return scale * (vectors[:, ~flat] @ (along[~flat] / values[~flat])), 1.0


@compiled(
    "int64(const float64[:, ::1], float64[::1], float64[::1], const float64[::1], const float64[::1],"
    " const float64[::1], const float64[::1], float64, int64)",
    fastmath={"contract"},
)
def sweep(
    H: Array, pull: Array, beta: Array, lasso: Array, ridge: Array, lower: Array, upper: Array,
    floor: float, most: int,
) -> int:  # fmt: skip
    """Sweep over all coordinates until no step gains more than `floor`; return how many sweeps."""
    for count in range(most):
        largest = 0.0
        for j in range(beta.size):
            bend = H[j, j] + ridge[j]
            if bend <= 0.0:
                continue
            z = pull[j] + H[j, j] * beta[j]
            if z > lasso[j]:
                to = (z - lasso[j]) / bend
            elif z < -lasso[j]:
                to = (z + lasso[j]) / bend
            else:
                to = 0.0
            to = min(max(to, lower[j]), upper[j])
            step = to - beta[j]
            if step != 0.0:
                beta[j] = to
                for i in range(pull.size):
                    pull[i] -= step * H[j, i]
                largest = max(largest, bend * step * step)
        if largest <= floor:
            return count + 1
    return most
