"""Stochastic gradient descent, one row a step, as scikit-learn's SGD estimators define it.

For each row x of a shuffled order, with target y (labels are -1 and 1), weight w and ``p = x'beta + b``:

    eta  = eta0, 1 / (alpha (t0 + t - 1)) or eta0 / t^power
    beta <- max(0, 1 - eta ridge) beta - eta w loss'(y, p) x,     b <- b - decay eta w loss'(y, p)
    beta_j towards 0 by what L1 has summed up to, eta lasso a step, less what beta_j has paid already

for ``ridge = strength (1 - mix)`` and ``lasso = strength mix``, and the mean of all beta since a given step. As in
L. Bottou, "Stochastic gradient descent tricks" (2012), beta is ``scale v`` and the mean ``(mean + share v) / base``, so
that a step touches only what a row stores; L1 is that of Y. Tsuruoka, J. Tsujii, S. Ananiadou, "Stochastic gradient
descent training for L1-regularized log-linear models with cumulative penalty" (2009). Passive-aggressive steps are
those of K. Crammer et al., "Online passive-aggressive algorithms" (2006).

Early steps are often so long that they blow rounding up, so what a step does to beta is computed term by term in
scikit-learn's order, never reordered: in float64 the bits are the same. One kernel serves dense and sparse rows; only
`_dot`, `_add`, `_norms` and `_truncate` look at which columns a row has.

>>> import numpy as np
>>> from torchlinear.kernels import sgd
>>> X = np.linspace(-1.0, 1.0, 50)[:, np.newaxis]
>>> rows, plan = sgd.dense(X), sgd.Plan(sgd.SQUARED, schedule=sgd.CONSTANT, eta0=0.5)
>>> walk, order = sgd.Walk.start(np.zeros(1), 0.0, rate=0.5), np.arange(50, dtype=np.int32)
>>> for epoch in range(20):
...     sgd.shuffle(order, 7)
...     sgd.epoch(rows, 3.0 * X[:, 0] + 0.8, np.ones(50), order, plan, walk)
>>> walk.coef.round(6).tolist(), round(walk.intercept, 6)
([3.0], 0.8)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled, inlined, prefetch
from torchlinear.kernels.sgd_losses import (
    HINGE,
    HUBER,
    INSENSITIVE,
    LOG,
    MODIFIED_HUBER,
    SQUARED,
    SQUARED_HINGE,
    SQUARED_INSENSITIVE,
    judge,
)

__all__ = ["Plan", "Rows", "Walk", "dense", "epoch", "shuffle", "sparse"]
__all__ += ["HINGE", "HUBER", "INSENSITIVE", "LOG", "MODIFIED_HUBER"]
__all__ += ["SQUARED", "SQUARED_HINGE", "SQUARED_INSENSITIVE"]

Array = NDArray[Any]  # float32 or float64

CONSTANT, OPTIMAL, INVERSE, ADAPTIVE, PASSIVE, PASSIVE_SQUARED = range(6)

# What a walk remembers beside its vectors: the intercept and its mean, the step that comes next and its rate; what L1
# has summed up to; scale, share and base; sums of squares and of absolute values of the coefficients that the last row
# touched; loss and objective summed over the last epoch.
(
    INTERCEPT, MEAN_INTERCEPT, STEP, RATE, DEBT, SCALE, SHARE, BASE, SQUARES, ABSOLUTES, LOSS_SUM, OBJECTIVE_SUM,
) = range(12)  # fmt: skip

STEEPEST = 1e12  # slopes are cut here
AHEAD = 16  # rows that are asked for before they are used
LINE = 64  # bytes of a cache line
LINES = 64  # of a row, at most; the processor sees for itself how a longer one goes on


class Rows(NamedTuple):
    """Rows as the kernel takes them.

    Attributes
    ----------
    values : ndarray of float32 or float64
        What is stored, row by row: of dense rows everything.
    columns : ndarray of int, shape (stored,)
        Column of each stored value; empty of dense rows.
    starts : ndarray of int, shape (n + 1,)
        Where each row begins among what is stored; empty of dense rows.
    """

    values: Array
    columns: NDArray[Any]
    starts: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is minimised, and by which steps.

    Attributes
    ----------
    loss : int
        `SQUARED` (halved), `HUBER`, ..., `MODIFIED_HUBER`.
    margin : float
        Of `HUBER` and the insensitive losses the width, of `HINGE` and `SQUARED_HINGE` the threshold.
    strength, mix : float
        Of the penalty ``strength (mix |beta|_1 + (1 - mix) / 2 beta'beta)``.
    schedule : int
        `CONSTANT`, `OPTIMAL`, `INVERSE`, `ADAPTIVE` (constant in an epoch), `PASSIVE`, `PASSIVE_SQUARED`.
    eta0, alpha, power : float
        Numbers of the schedule.
    decay : float
        Share of a step that the intercept takes: 0 for a fixed one.
    average : int
        Step from which coefficients are averaged; 0 for never.
    """

    loss: int
    margin: float = 1.0
    strength: float = 0.0
    mix: float = 0.0
    schedule: int = CONSTANT
    eta0: float = 0.01
    alpha: float = 0.0001
    power: float = 0.5
    decay: float = 1.0
    average: int = 0


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a descent stands; `epoch` moves it on, in place.

    Attributes
    ----------
    v, mean, paid : ndarray, shape (p,)
        What stands for the coefficients; for their mean since the step from which they are averaged (empty without);
        what each has paid of L1. Float32 for float32 rows.
    numbers : ndarray, shape (12,), float64
        The intercept and what else there is to remember, by the constants of this module.
    """

    v: Array
    mean: Array
    paid: Array
    numbers: NDArray[np.float64]

    @classmethod
    def start(
        cls, coef: Array, intercept: float, mean: Array | None = None, mean_intercept: float = 0.0, *,
        rate: float, step: float = 1.0,
    ) -> Walk:  # fmt: skip
        """Begin at copies of coefficients (and of their mean so far), at a given step and rate."""
        numbers = np.zeros(OBJECTIVE_SUM + 1)
        numbers[[INTERCEPT, MEAN_INTERCEPT, STEP, RATE]] = intercept, mean_intercept, step, rate
        numbers[[SCALE, BASE]] = 1.0
        numbers[[SQUARES, ABSOLUTES]] = np.square(coef, dtype=np.float64).sum(), np.abs(coef).sum()
        averaged = np.zeros(0, coef.dtype) if mean is None else np.array(mean, coef.dtype)
        return cls(np.array(coef), averaged, np.zeros_like(coef), numbers)

    def copy(self) -> Walk:
        """The same in memory of its own."""
        return Walk(self.v.copy(), self.mean.copy(), self.paid.copy(), self.numbers.copy())

    @property
    def coef(self) -> Array:
        """The coefficients, shape (p,)."""
        return np.asarray(self.v * self.v.dtype.type(self.numbers[SCALE]))

    @property
    def mean_coef(self) -> Array:
        """The mean of the coefficients, shape (p,)."""
        share, base = self.numbers[[SHARE, BASE]]
        return ((self.mean + share * self.v) / base).astype(self.v.dtype)

    @property
    def intercept(self) -> float:
        """The intercept."""
        return float(self.numbers[INTERCEPT])


def dense(X: Array) -> Rows:
    """Rows of a matrix (n, p), which is copied unless it is row-major."""
    none = np.zeros(0, dtype=np.int32)
    return Rows(np.ascontiguousarray(X).reshape(-1), none, none)


def sparse(values: Array, columns: NDArray[Any], starts: NDArray[Any]) -> Rows:
    """Rows in compressed sparse row form."""
    index = np.result_type(columns, starts)
    return Rows(values, columns.astype(index, copy=False), starts.astype(index, copy=False))


def epoch(
    rows: Rows, y: Array, weight: Array, order: NDArray[np.int32], plan: Plan, walk: Walk, watch: bool = False
) -> None:
    """Step along each row of `order`.

    Parameters
    ----------
    rows : Rows
        n rows of p columns.
    y, weight : ndarray, shape (n,), dtype of the rows; float64
        Targets, or labels -1 and 1; what each row counts.
    order : ndarray of int32
        Which rows, one after another.
    plan : Plan
        What is minimised, and how.
    walk : Walk
        Where to begin; moved on in place.
    watch : bool
        Whether to sum up the loss and the objective of each row before its step.
    """
    # The rate of "optimal" is about the size of a typical coefficient at first; scikit-learn divides it by
    # max(1, slope(1, -typical)), but no loss has a slope above 0 there.
    typical = math.sqrt(1.0 / math.sqrt(plan.alpha)) if plan.schedule == OPTIMAL else 1.0
    first = 1.0 / (typical * plan.alpha) if plan.schedule == OPTIMAL else 0.0
    walk.numbers[[LOSS_SUM, OBJECTIVE_SUM]] = 0.0
    _epoch(
        *rows, y, weight, order, walk.v, walk.mean, walk.paid, walk.numbers,
        plan.loss, plan.margin, plan.strength, plan.mix,
        plan.schedule, plan.eta0, plan.alpha, first, plan.power, plan.decay, plan.average, watch,
    )  # fmt: skip


@compiled("void(int32[::1], int64)")
def shuffle(order: NDArray[np.int32], seed: int) -> None:
    """Permute in place as scikit-learn's datasets do: Fisher and Yates by Marsaglia's 32-bit xorshift generator."""
    state = np.uint32(seed) if seed else np.uint32(1)
    for i in range(order.size - 1):
        state = np.uint32(state ^ np.uint32(state << np.uint32(13)))
        state = np.uint32(state ^ np.uint32(state >> np.uint32(17)))
        state = np.uint32(state ^ np.uint32(state << np.uint32(5)))
        j = i + np.int64(np.uint32(state & np.uint32(0x7FFFFFFF)) % np.uint32(order.size - i))
        order[i], order[j] = order[j], order[i]


_TWO = [(f, i) for f in ("float64", "float32") for i in ("int32", "int64")]


@inlined
def _dot(x: Array, at: NDArray[Any], v: Array) -> float:
    """Product of a row and coefficients, term by term; `at` are its columns, empty of a dense one."""
    total = 0.0
    if at.size == 0:
        for j in range(x.size):
            total += v[j] * x[j]
    else:
        for j in range(x.size):
            total += v[at[j]] * x[j]
    return total


@inlined
def _add(x: Array, at: NDArray[Any], v: Array, c: float) -> None:
    """Add a multiple of a row."""
    if at.size == 0:
        for j in range(x.size):
            v[j] += c * x[j]
    else:
        for j in range(x.size):
            v[at[j]] += c * x[j]


@compiled(
    *(f"UniTuple(float64, 2)(const {f}[::1], const {i}[::1], const {f}[::1])" for f, i in _TWO),
    fastmath={"reassoc", "contract", "nsz"},
)
def _norms(x: Array, at: NDArray[Any], v: Array) -> tuple[float, float]:
    """Sums of squares and of absolute values of the coefficients that a row touches."""
    squares, absolutes = 0.0, 0.0
    for j in range(x.size):
        value = v[j] if at.size == 0 else v[at[j]]
        squares += value * value
        absolutes += abs(value)
    return squares, absolutes


@inlined
def _truncate(x: Array, at: NDArray[Any], v: Array, paid: Array, debt: float, scale: float) -> None:
    """Move coefficients towards 0 by what they have not paid of L1 yet."""
    for s in range(x.size):
        j = s if at.size == 0 else at[s]
        before = v[j]
        if before > 0.0:
            v[j] = max(0.0, before - (debt + paid[j]) / scale)
        elif before < 0.0:
            v[j] = min(0.0, before + (debt - paid[j]) / scale)
        paid[j] += scale * (v[j] - before)


@inlined
def _fold(v: Array, mean: Array, scale: float, share: float, base: float) -> None:
    """Make coefficients and their mean of what stands for them."""
    for j in range(mean.size):
        mean[j] = (mean[j] + share * v[j]) / base
    for j in range(v.size):
        v[j] *= scale


@compiled(
    *(
        f"void(const {f}[::1], const {i}[::1], const {i}[::1], const {f}[::1], const float64[::1], const int32[::1],"
        f" {f}[::1], {f}[::1], {f}[::1], float64[::1], int64, float64, float64, float64,"
        " int64, float64, float64, float64, float64, float64, int64, boolean)"
        for f, i in _TWO
    )
)
def _epoch(
    values: Array, columns: NDArray[Any], starts: NDArray[Any], y: Array, weight: Array, order: NDArray[np.int32],
    v: Array, mean: Array, paid: Array, numbers: Array,
    loss: int, margin: float, strength: float, mix: float,
    schedule: int, eta0: float, alpha: float, first: float, power: float, decay: float, average: int, watch: bool,
) -> None:  # fmt: skip
    sheet, line = values.reshape((1, values.size)), LINE // values.itemsize
    intercept, mean_intercept, t, eta = numbers[0], numbers[1], numbers[2], numbers[3]
    debt, scale, share, base = numbers[4], numbers[5], numbers[6], numbers[7]
    squares, absolutes = numbers[8], numbers[9]
    loss_sum, objective_sum = 0.0, 0.0
    passive = schedule >= PASSIVE
    smallest = 1e-9 if v.itemsize == 8 else 1e-6
    for k in range(order.size):
        if k + AHEAD < order.size:
            ahead = np.int64(order[k + AHEAD])
            begin, end = (
                (ahead * v.size, (ahead + 1) * v.size)
                if starts.size == 0
                else (np.int64(starts[ahead]), np.int64(starts[ahead + 1]))
            )
            for j in range(begin, min(end, begin + LINES * line), line):
                prefetch(sheet, 0, j)
        i = np.int64(order[k])
        begin, end = (
            (i * v.size, (i + 1) * v.size)
            if starts.size == 0
            else (np.int64(starts[i]), np.int64(starts[i + 1]))
        )
        x, at, target = values[begin:end], columns[begin:end], np.float64(y[i])
        p = scale * _dot(x, at, v) + intercept
        if schedule == OPTIMAL:
            eta = 1.0 / (alpha * (first + t - 1.0))
        elif schedule == INVERSE:
            eta = eta0 / t**power
        value, slope = judge(loss, target, p, margin, watch or passive)
        if watch:
            loss_sum += value
            objective_sum += value
            if not passive:
                objective_sum += strength * (0.5 * (1.0 - mix) * squares + mix * absolutes)
        if passive:
            square = _dot(x, columns[:0], x)
            if schedule == PASSIVE_SQUARED:
                step = value / (square + 0.5 / eta0)
            elif square == 0.0:
                continue
            else:
                step = min(eta0, value / square)
            if (loss == HINGE and target < 0.0) or (loss != HINGE and target < p):
                step = -step
        else:
            if slope > STEEPEST:  # min and max would make a number of NaN
                slope = STEEPEST
            elif slope < -STEEPEST:
                slope = -STEEPEST
            step = -eta * slope
        step *= weight[i]
        if strength > 0.0 and mix < 1.0:
            shrink = max(0.0, 1.0 - (1.0 - mix) * eta * strength)
            scale *= shrink
            squares *= shrink * shrink
            absolutes *= shrink
            if scale < smallest:
                _fold(v, mean, scale, share, base)
                scale, share, base = 1.0, 0.0, 1.0
        if step != 0.0:
            _add(x, at, v, step / scale)
            if watch:
                squares, absolutes = _norms(x, at, v)
                squares *= scale * scale
                absolutes *= scale
        intercept += decay * step
        if 0 < average <= t:
            age = t - average + 1.0
            _add(x, at, mean, -share * step / scale)
            if age > 1.0:
                base /= 1.0 - 1.0 / age
            share += base * scale / age
            mean_intercept += (intercept - mean_intercept) / age
        if strength > 0.0 and mix > 0.0:
            debt += mix * eta * strength
            _truncate(x, at, v, paid, debt, scale)
        t += 1.0
    state = (
        intercept, mean_intercept, t, eta, debt, scale, share, base, squares, absolutes, loss_sum, objective_sum
    )  # fmt: skip
    for j in range(len(state)):
        numbers[j] = state[j]
