"""The interior-point method for sums of hinges and a ridge.

The predictor and corrector of Mehrotra 1992, "On the implementation of a primal-dual interior point method", for the
quadratic programme of a linear support vector machine (Ferris, Munson 2002, "Interior-point methods for massive
support vector machines"). Whatever the number of rows, each iteration solves one system of as many equations as there
are columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from torchlinear import interruption
from torchlinear.hinges.problem import Hinges, Optimum
from torchlinear.pinball.matrices import gram

__all__ = ["JITTER", "Walk"]

Array = NDArray[np.float64]

ITERATIONS = 100
STALLS = (
    5  # iterations that neither narrow the gap nor come nearer to a feasible dual: rounding has taken over
)
SHORTENED = 0.9995  # of the step to the boundary
JITTER = 1e-14  # of each diagonal entry: columns that depend on others do no harm
PERFECT = 1e-14  # of the sizes that residuals begin with, what is rounding


@dataclass
class Walk:
    """Where the method stands; columns are of similar norms.

    The dual is 0 < a < w, with s = w - a, and residuals are r = x - v with x, v > 0. On the central path a v = s x =
    mu times the weight of the hinge, so that a hinge of weight 2 counts as two, and mu falls to 0. A Newton step
    solves ``(L + Z' Q Z) db = Z' S Q xi + g - L b`` with ``Q = 1 / (v / a + x / s)`` and moves a by
    ``Q (xi - S Z db)``.
    """

    problem: Hinges
    b: Array
    a: Array
    s: Array
    r: Array
    x: Array
    v: Array
    negligible: float
    left: int = ITERATIONS
    before: tuple[Array, Array] | None = None

    @classmethod
    def start(cls, problem: Hinges) -> Walk:
        """From the least squares of the residuals, with every dual in the middle of its interval."""
        w = problem.weight
        weight, target = problem.gathered(w), problem.gathered(w * problem.sign * problem.at)
        b = cho_solve(_factor(problem, weight), np.asarray(problem.Z.T @ target), check_finite=False)
        r = problem.residual(b)
        size = float(np.average(np.abs(r), weights=w))
        start = float(np.average(np.abs(problem.at), weights=w))
        apart = max(size, 1e-3 * start, np.finfo(np.float64).tiny)
        x, v = np.maximum(r, 0.0) + apart, np.maximum(-r, 0.0) + apart
        return cls(problem, b, w / 2.0, w / 2.0, x - v, x, v, PERFECT * float(w.sum()) * apart)

    def to(self, tolerance: float) -> Optimum:
        """Go on until the relative gap is `tolerance`, or as near as float64 comes.

        Returns
        -------
        Optimum
            An interior point: no residual is exactly 0.
        """
        first = self.problem.optimum(self.b, np.zeros_like(self.a))
        if first.gap <= self.negligible:
            self.left = 0
        least, stalled = np.full(2, np.inf), 0
        while self.left:
            interruption.check()
            here = np.array([self.gap, np.abs(self.missed).max(initial=0.0)])
            if here[0] <= tolerance * self.value + self.negligible:
                break
            stalled = 0 if (here < least).any() else stalled + 1
            least, before = np.minimum(least, here), (self.inside, self.slack)
            self.left = self.left - 1 if stalled < STALLS and self.step() else 0
            self.before = before if self.left else self.before
        return min(self.problem.optimum(self.b, self.a), first, key=lambda point: point.gap)

    @property
    def inside(self) -> Array:
        """How far duals are from the ends of their intervals, shape (m,)."""
        return np.minimum(self.a, self.s)

    @property
    def slack(self) -> Array:
        """How far residuals are from 0, shape (m,)."""
        return np.maximum(self.x, self.v)

    @property
    def sides(self) -> NDArray[np.int8]:
        """1 for open hinges, -1 for shut ones, 0 for those whose residual goes to 0; shape (m,).

        In an iteration near the optimum the residual of these falls and their dual stays, and the other way round for
        the others (El-Bakry, Tapia, Zhang 1994, "A study of indicators for identifying zero variables in
        interior-point methods").
        """
        open_or_shut = np.where(self.x > self.v, 1, -1).astype(np.int8)
        if self.before is None:
            return open_or_shut
        inside, slack = self.before
        return np.where(self.slack * inside < self.inside * slack, np.int8(0), open_or_shut)

    @property
    def missed(self) -> Array:
        """g - L b, which is 0 at the optimum; shape (q,)."""
        return self.problem.pull(self.a) - self.problem.ridge * self.b

    @property
    def gap(self) -> float:
        """Sum of the products that vanish at the optimum, and what the dual misses."""
        return float(self.a @ self.v + self.s @ self.x + np.abs(self.missed) @ np.abs(self.b))

    @property
    def value(self) -> float:
        """F(b)."""
        return self.problem.value(self.b, self.r)

    def step(self) -> bool:
        """Predict with mu = 0, then correct; False where rounding has left no direction."""
        problem = self.problem
        products, q = float(self.a @ self.v + self.s @ self.x), 1.0 / (self.v / self.a + self.x / self.s)
        try:
            solved = _factor(problem, problem.gathered(q))
        except np.linalg.LinAlgError:
            return False
        zero, missed = np.zeros(()), self.missed
        predicted = self._direction(solved, q, missed, zero, zero)
        width = problem.weight
        mu = (self._products_after(predicted) / products) ** 3 * products / (2.0 * width.sum()) * width
        da, _, _, dx, dv = predicted
        step = self._direction(solved, q, missed, mu - da * dv, mu + da * dx)
        if not all(np.isfinite(part).all() for part in step):
            return False
        self._move(step)
        return True

    def _direction(
        self, solved: tuple[Array, bool], q: Array, missed: Array, mu_a: Array, mu_s: Array
    ) -> tuple[Array, ...]:
        """Steps of a, b, r, x and v towards ``a v = mu_a``, ``s x = mu_s`` and ``g = L b``."""
        problem = self.problem
        xi = self.r + mu_a / self.a - mu_s / self.s
        db = cho_solve(solved, problem.pull(q * xi) + missed, check_finite=False)
        dr = -problem.sign * problem.spread(np.asarray(problem.Z @ db))
        da = q * (xi + dr)
        return da, db, dr, (mu_s + self.x * da) / self.s - self.x, (mu_a - self.v * da) / self.a - self.v

    def _length(self, step: tuple[Array, ...]) -> float:
        """The longest step that stays inside: one length for b and a, which the ridge ties to each other."""
        da, _, _, dx, dv = step
        pairs = ((self.x, dx), (self.v, dv), (self.a, da), (self.s, -da))
        return min(_longest(value, change) for value, change in pairs)

    def _products_after(self, step: tuple[Array, ...]) -> float:
        length, (da, _, _, dx, dv) = self._length(step), step
        below = (self.a + length * da) @ (self.v + length * dv)
        return float(below + (self.s - length * da) @ (self.x + length * dx))

    def _move(self, step: tuple[Array, ...]) -> None:
        length, (da, db, dr, dx, dv) = self._length(step), step
        self.b, self.r = self.b + length * db, self.r + length * dr
        self.x, self.v = self.x + length * dx, self.v + length * dv
        self.a, self.s = self.a + length * da, self.s - length * da


def _factor(problem: Hinges, q: Array) -> tuple[Array, bool]:
    """Cholesky factor of ``L + Z' diag(q) Z`` for q of the rows, shape (n,)."""
    products = gram(problem.Z, q)
    diagonal = np.diagonal(products) + problem.ridge
    jitter = JITTER * np.where(diagonal > 0, diagonal, 1.0)
    products[np.diag_indices_from(products)] = diagonal + jitter
    return cho_factor(products, check_finite=False)  # type: ignore[no-any-return]


def _longest(x: Array, dx: Array) -> float:
    """How much of dx keeps x above 0, at most 1."""
    fastest = float((-dx / x).max(initial=0.0))
    return min(1.0, SHORTENED / fastest) if fastest > 0 else 1.0
