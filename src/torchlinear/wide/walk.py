"""The walk along a path of penalties on a wide matrix: a few columns at a time, the others proved not to matter.

In columns z_j of norm 1, for one target t, minimise

    1/2 |t - Z b|^2 + sum_j (lasso_j |b_j| + ridge_j / 2 b_j^2).

A *working set* of columns is solved exactly on their cross products (`kernels.coordinate`). Any other column stays at
zero if its pull ``|z_j' r|`` on the residuals r is at most lasso_j. Most of them need not be looked at to know that:
where the pull was known for earlier residuals s,

    |z_j' r| <= c |z_j' s| + |r - c s|,      c = r's / s's,

because z_j has norm 1 (a safe rule as in El Ghaoui, Viallon, Rabbani 2012, with every earlier point of the path as
its reference). Columns that the bound does not clear are multiplied out; those which pull too much join the
working set, most first (Massias, Gramfort, Salmon 2018, "Celer"), and it is solved again, until none does. So each
solution is certified for all columns, with few of them touched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torchlinear import interruption
from torchlinear.kernels.columns import sweep
from torchlinear.kernels.coordinate import TURNS, minimise
from torchlinear.kernels.duality import gap
from torchlinear.wide.columns import Columns

__all__ = ["Stop", "Walk"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

REFERENCES = 64  # earlier residuals that bounds refer to
ROUNDING = 4.0 * float(
    np.finfo(np.float64).eps
)  # of r'r - (r's)^2 / s's: three sums of n products, relative to r'r
FEWEST = 50  # columns that may always join the working set together
BEYOND = 1e-12  # share of its strength by which a pull must exceed it
ROUNDS = 1_000
SETTLED = {
    False: 1e-4,
    True: 1e-12,
}  # step that ends sweeps over columns, relative to the largest pull of the target
SWEEPS = 2_000  # tens of sweeps over columns, at most


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a walk stops for one penalty.

    Attributes
    ----------
    support : ndarray of int, shape (s,)
        Columns with a coefficient other than zero.
    beta : ndarray, shape (s,)
        Their coefficients, of the z_j.
    gap : float
        Duality gap, relative to half the target's sum of squares.
    squares : float
        Residual sum of squares.
    """

    support: Indices
    beta: Array
    gap: float
    squares: float


class Walk:
    """One target's way along a path; each `to` starts from where the last one ended.

    Parameters
    ----------
    columns : Columns
        The matrix.
    target : int
        Which target.
    positive : bool
        Whether coefficients must not be negative.
    """

    def __init__(self, columns: Columns, target: int = 0, *, positive: bool = False) -> None:
        self.columns, self.positive = columns, positive
        self.target = columns.frame.target[target]
        self.total = float(self.target @ self.target)
        self._set = _WorkingSet(columns, self.target)
        self._known = _Known(columns, self.target)
        self.left = self.target  # residuals, shape (n,)

    @property
    def pull(self) -> Array:
        """Pull of the target itself on each column, shape (p,)."""
        return self._known.first

    def to(self, lasso: Array, ridge: Array, *, exact: bool = True) -> Stop:
        """Go to the optimum at strengths per column, shape (p,); or only near it."""
        free = np.flatnonzero((lasso == 0) & (ridge == 0))
        self._set.add(free[~self._set.holds[free]])
        last = False  # the linear systems wait until no column is missing
        for _ in range(ROUNDS):
            interruption.check()
            self._set.solve(lasso, ridge, positive=self.positive, exact=last)
            self.left = self._set.left()
            wanted = self._wanted(self.left, lasso)
            if wanted.size == 0 and (last or not exact):
                break
            last = last or wanted.size == 0
            self._set.add(wanted)
        return self._stop(self.left, lasso, ridge)

    def _wanted(self, left: Array, lasso: Array) -> Indices:
        """Columns that pull more than they cost, most first; as many as are in use already, at most."""
        bound = self._known.bound(left)
        look = np.flatnonzero((bound > lasso * (1.0 + BEYOND)) & ~self._set.holds)
        pull = self._known.look(left, look)
        over = (pull if self.positive else np.abs(pull)) - lasso[look] * (1.0 + BEYOND)
        most = max(FEWEST, self._set.used)
        chosen = np.flatnonzero(over > 0)
        if chosen.size > most:
            chosen = chosen[np.argpartition(-over[chosen], most)[:most]]
        return np.asarray(look[chosen])

    def _stop(self, left: Array, lasso: Array, ridge: Array) -> Stop:
        at, beta = self._set.columns_in, self._set.beta
        pull = self._set.pull(left)
        squares = float(left @ left)
        free = (lasso[at] == 0) & (ridge[at] == 0)
        lower = 0.0 if self.positive else -np.inf
        found = gap(np.where(free, 0.0, pull), beta, lasso[at], ridge[at], squares, lower=lower)
        lost = float(np.abs(pull[free]).max(initial=0.0)) ** 2
        support = np.flatnonzero(beta)
        relative = (found + lost) / (self.total / 2.0 or 1.0)
        return Stop(at[support], beta[support], relative, squares)


class _WorkingSet:
    """Columns in use, their products with each other and with the target, and their coefficients.

    Up to `most` columns; beyond, sweeps go over the columns themselves.
    """

    most = 8_000  # half a gigabyte

    def __init__(self, columns: Columns, target: Array) -> None:
        self._columns, self._target, self._stock = columns, target, columns.stock()
        self.holds = np.zeros(columns.frame.norm.size, dtype=np.bool_)
        self.columns_in: Indices = np.empty(0, np.int64)
        self._H, self._g = np.empty((FEWEST, FEWEST)), np.empty(0)
        self.beta = np.empty(0)

    @property
    def used(self) -> int:
        """Columns with a coefficient other than zero."""
        return int(np.count_nonzero(self.beta))

    def add(self, chosen: Indices) -> None:
        """Take columns in, at zero."""
        if chosen.size == 0:
            return
        first, last = self.columns_in.size, self.columns_in.size + chosen.size
        if last > self.most and self._stock.dense is not None:
            self._stock.add(chosen, products=False)
            self._H = np.empty((0, 0))
        else:
            self._grow(last)
            self._H[first:last, :last] = self._stock.add(chosen)
            self._H[:first, first:last] = self._H[first:last, :first].T
        self._g = np.concatenate([self._g, self._columns.pull(self._target, chosen)])
        self.holds[chosen] = True
        self.columns_in = np.concatenate([self.columns_in, chosen])
        self.beta = np.concatenate([self.beta, np.zeros(chosen.size)])

    def _grow(self, size: int) -> None:
        if size > len(self._H):
            first = self.columns_in.size
            grown = np.empty((max(size, 2 * first),) * 2)
            grown[:first, :first] = self._H[:first, :first]
            self._H = grown

    def solve(self, lasso: Array, ridge: Array, *, positive: bool, exact: bool) -> None:
        """Go to the optimum in the columns in use, or near it."""
        at, size = self.columns_in, self.columns_in.size
        if size > len(self._H):
            self._sweep(lasso[at], ridge[at], positive, exact)
        elif size:
            lower = np.zeros(size) if positive else None
            turns = TURNS if exact else 1
            found = minimise(
                self._H[:size, :size],
                self._g,
                self.beta,
                lasso[at],
                ridge[at],
                lower,
                turns=turns,
                finish=exact,
            )
            self.beta = found.beta

    def _sweep(self, lasso: Array, ridge: Array, positive: bool, exact: bool) -> None:
        """The same by the residuals, for more columns than whose products are held."""
        left, Z = self.left(), self._stock.dense
        floor = (SETTLED[exact] * float(np.abs(self._g).max(initial=0.0))) ** 2
        lower = 0.0 if positive else -np.inf
        for _ in range(SWEEPS if exact else 1):
            interruption.check()
            if sweep(Z, left, self.beta, lasso, ridge, lower, floor, 10) < 10:
                break

    def left(self) -> Array:
        """Residuals, shape (n,)."""
        return np.asarray(self._target - self._stock.fitted(self.beta))

    def pull(self, left: Array) -> Array:
        """Pull of the residuals on the columns in use."""
        return self._stock.pull(left)


class _Known:
    """The last pull on each column that was multiplied out, and the residuals that it belongs to."""

    def __init__(self, columns: Columns, target: Array) -> None:
        p = columns.frame.norm.size
        self._columns = columns
        self._references, self._count = np.zeros((REFERENCES, target.size)), 1
        self._references[0], self._squares = target, np.zeros(REFERENCES)
        self._squares[0] = target @ target
        self.first = columns.pull(target, columns.every)
        self._pull, self._at = np.abs(self.first), np.zeros(p, np.int64)

    def bound(self, left: Array) -> Array:
        """What the pull of residuals on each column can be at most, shape (p,)."""
        products = self._references @ left
        share = products / np.where(self._squares > 0, self._squares, 1.0)
        squares = float(left @ left)
        lost = ROUNDING * left.size * squares  # where r is nearly c s, their difference is rounding alone
        apart = np.sqrt(np.maximum(squares - share * products, 0.0) + lost)
        at = self._at % REFERENCES
        bound = np.abs(share)[at] * self._pull + apart[at]
        bound[self._at <= self._count - 1 - REFERENCES] = np.inf  # their reference was overwritten
        return bound

    def look(self, left: Array, chosen: Indices) -> Array:
        """Multiply the chosen columns out with the residuals, and remember."""
        pull = self._columns.pull(left, chosen)
        if chosen.size:
            place = self._count % REFERENCES
            self._references[place], self._squares[place] = left, left @ left
            self._pull[chosen], self._at[chosen] = np.abs(pull), self._count
            self._count += 1
        return pull
