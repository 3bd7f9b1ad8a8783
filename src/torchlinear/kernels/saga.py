"""SAGA, one row a step: a slope that remembers the last slope of every row, and a proximal step.

With z = (x - centre) * scale and the slope s_i = weight_i l'(eta_i, y_i) of row i as it was when the row was last seen,

    theta <- prox(theta - step (share_i (s_i(theta) - s_i) z_i + mean)),      mean = sum_i s_i z_i / n,

where share_i = 1 / (n p_i) for a row that is drawn with probability p_i, so that the direction is that of all rows on
average. The noise in it dies out as the remembered slopes come near those of the optimum. Squares of the penalty are
part of the prox. `theta` is the weight (k, p) before the bias (k,), as in `descent`; outputs do not meet.

Source: Defazio, Bach, Lacoste-Julien 2014, "SAGA: a fast incremental gradient method with support for non-strongly
convex composite objectives", equations 1-3.

>>> import numpy as np
>>> from torchlinear.kernels import saga
>>> x = np.linspace(-1.0, 1.0, 50)[:, None]
>>> rows = saga.Rows.plain(x, 3.0 * x + 0.8)
>>> walk = saga.start(rows, saga.Kind(saga.SQUARED), np.zeros(2))
>>> order = np.random.default_rng(0).integers(50, size=2_000)
>>> saga.follow(rows, saga.Kind(saga.SQUARED), walk, order, step=1 / 12).theta.round(6).tolist()
[3.0, 0.8]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled, inlined, prefetch
from torchlinear.kernels.exponential import exp

__all__ = ["HUBER", "LOGISTIC", "SQUARED", "SQUARED_HINGE", "SQUARED_TUBE", "Kind", "Rows", "Walk"]
__all__ += ["follow", "start"]

Array = NDArray[np.float64]

SQUARED, LOGISTIC, HUBER, SQUARED_HINGE, SQUARED_TUBE = range(5)

AHEAD = 8  # rows that are asked for before they are used
LINE = 64  # bytes of a cache line
LINES = 16  # of a row, at most; the processor sees for itself how a longer one goes on
LOOSE = frozenset({"reassoc", "contract", "nsz"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A loss as the kernel takes it.

    Attributes
    ----------
    code : int
        `SQUARED`, ...
    margin : float
        The threshold of `HUBER`, the epsilon of `SQUARED_TUBE`.
    """

    code: int
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in memory, and what coefficients cost.

    Attributes
    ----------
    X : array, shape (n, p), float32 or float64, row-major
        Features, used as ``(X - centre) * scale``.
    y : array, shape (n, k)
        Targets; of a class 0 or 1.
    offset : array, shape (n,)
        What the predictor has besides.
    weight, share : arrays, shape (n,)
        What the loss of a row is multiplied by (0: the row is not looked at), and its change of slope.
    centre, scale : arrays, shape (p,)
        See X.
    ridge, lasso : arrays, shape (p,)
        Penalty ``sum_j ridge_j / 2 w_oj^2 + lasso_j |w_oj|`` beside the mean loss.
    intercept : bool
        Whether the bias is free.
    """

    X: NDArray[np.floating]
    y: Array
    offset: Array
    weight: Array
    share: Array
    centre: Array
    scale: Array
    ridge: Array
    lasso: Array
    intercept: bool = True

    @classmethod
    def plain(cls, X: NDArray[np.floating], y: Array) -> Rows:
        """Rows as they are, all alike."""
        (n, p), none = X.shape, np.zeros(X.shape[1])
        return cls(X, y, np.zeros(n), np.ones(n), np.ones(n), none, np.ones(p), none, none)


@dataclass(frozen=True, slots=True)
class Walk:
    """Where SAGA stands.

    Attributes
    ----------
    theta : array, shape (k (p + 1),)
        Weight (k, p) before bias (k,).
    table : array, shape (n, k)
        The remembered slope of each row.
    mean : array, shape (k (p + 1),)
        The slope that these make, laid out as `theta`.
    """

    theta: Array
    table: Array
    mean: Array


def start(rows: Rows, kind: Kind, theta: Array) -> Walk:
    """Look at all rows from `theta`."""
    walk = Walk(theta, np.zeros(rows.y.shape), np.zeros(theta.size))
    return follow(rows, kind, walk, np.arange(len(rows.y)), step=0.0)


def follow(rows: Rows, kind: Kind, walk: Walk, order: NDArray[np.int64], step: float) -> Walk:
    """Steps of length `step` at the rows that `order` names, any of them any number of times."""
    went = Walk(walk.theta.copy(), walk.table.copy(), walk.mean.copy())
    _follow(
        kind.code, kind.margin, rows.X, rows.y, rows.offset, rows.weight, rows.share, rows.centre, rows.scale,
        1.0 / (1.0 + step * rows.ridge), step * rows.lasso, float(rows.intercept), order, step,
        went.theta, went.table, went.mean,
    )  # fmt: skip
    return went


@inlined
def _slope(code: int, margin: float, eta: float, y: float) -> float:
    """The derivative of the loss by eta."""
    if code == LOGISTIC:
        e = exp(-abs(eta))
        return (1.0 / (1.0 + e) if eta >= 0.0 else e / (1.0 + e)) - y
    if code == SQUARED_HINGE:
        below, above = 1.0 - eta if eta < 1.0 else 0.0, 1.0 + eta if eta > -1.0 else 0.0
        return 2.0 * ((1.0 - y) * above - y * below)
    r = eta - y
    if code == SQUARED:
        return 2.0 * r
    inside = -margin if r < -margin else r
    inside = margin if inside > margin else inside
    return inside if code == HUBER else 2.0 * (r - inside)


@compiled("float64(float64[::1], float64[::1])", fastmath=LOOSE)
def _dot(w: Array, z: Array) -> float:
    total = 0.0
    for j in range(z.size):
        total += w[j] * z[j]
    return total


@compiled(
    "void(float64[::1], float64[::1], float64[::1], float64, float64, float64, const float64[::1],"
    " const float64[::1])",
    fastmath={"contract"},
)
def _move(
    w: Array, mean: Array, z: Array, push: float, step: float, change: float, shrink: Array, price: Array
) -> None:  # fmt: skip
    """Step and its prox; then the mean takes the new slope in. Not reordered, so that zeros are zeros."""
    for j in range(z.size):
        v = (w[j] - push * z[j]) - step * mean[j]
        lost = -price[j] if v < -price[j] else v
        lost = price[j] if lost > price[j] else lost
        w[j] = (v - lost if price[j] > 0.0 else v) * shrink[j]
        mean[j] += change * z[j]


@compiled(
    *(
        f"void(int64, float64, const {dtype}[:, ::1], const float64[:, ::1], const float64[::1], const float64[::1],"
        " const float64[::1], const float64[::1], const float64[::1], const float64[::1], const float64[::1], float64,"
        " const int64[::1], float64, float64[::1], float64[:, ::1], float64[::1])"
        for dtype in ("float64", "float32")
    )
)
def _follow(
    code: int, margin: float, X: Array, y: Array, offset: Array, weight: Array, share: Array, centre: Array,
    scale: Array, shrink: Array, price: Array, intercept: float, order: Array, step: float,
    theta: Array, table: Array, mean: Array,
) -> None:  # fmt: skip
    (n, p), k, z = X.shape, table.shape[1], np.empty(X.shape[1])
    together = LINE // X.itemsize
    for t in range(order.size):
        i = order[t]
        if t + AHEAD < order.size:
            for j in range(0, min(p, LINES * together), together):
                prefetch(X, order[t + AHEAD], j)
        if weight[i] == 0.0:
            continue
        for j in range(p):
            z[j] = (X[i, j] - centre[j]) * scale[j]
        for o in range(k):
            w, m, b = theta[o * p : o * p + p], mean[o * p : o * p + p], k * p + o
            slope = weight[i] * _slope(code, margin, offset[i] + theta[b] + _dot(w, z), y[i, o])
            change = slope - table[i, o]
            table[i, o] = slope
            push = step * share[i] * change
            _move(w, m, z, push, step, change / n, shrink, price)
            theta[b] -= intercept * (push + step * mean[b])
            mean[b] += change / n
