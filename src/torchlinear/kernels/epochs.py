"""The compiled loops of `descent`, over flat arrays; their arguments are the fields of its records.

Full batch. With S the centred cross products of X, xbar its means, W the sum of the weights, and
d = theta - a the way from an anchor a near the optimum, the sum of squares of one output is exactly

    SSE(a + d) = SSE(a) + 2 h'd + W c^2 + dw' S dw,     c = db + xbar'dw,     h = half the gradient at a,

so an epoch costs O(k p^2) however many rows there are, and nothing cancels near the optimum: a loss of 1e-15
of the target's variance still has its digits.

Mini-batch. Rows are gathered in blocks (the random reads of a block overlap in memory), then used one after
another. A call starts and ends at a batch boundary, and cutting an epoch into calls does not change a bit.

SGD without momentum and weight decay is written out in both: to call `advance` costs more than its step.
"""

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled, inlined, prefetch
from torchlinear.kernels.update import SGD, Array, advance, shrink, stored, tick

__all__ = [
    "AHEAD",
    "BLOCK_ROWS",
    "LINE",
    "RULE",
    "WALK",
    "follow",
    "full_batch",
    "gather",
    "is_plain",
    "kinks",
    "mini_batch",
    "move",
    "penalty",
]

AHEAD = 16  # rows that are asked for before they are gathered
LINE = 8  # float64 numbers of a cache line
BLOCK_ROWS = 256  # rows gathered at a time: 20 float64 columns fill 40 KB, inside the second-level cache

RULE = (
    "int64, boolean, boolean, const int64[:, ::1], const float64[:, ::1], const float64[:, ::1],"
    " const float64[::1]"
)
WALK = "float64[::1], float64[:, ::1], float64[:, ::1], float64[::1]"
_FORM = ", ".join(["const float64[:, ::1]", "const float64[::1]", "float64"] + 5 * ["const float64[::1]"])
_SCALES = ", ".join(4 * ["const float64[::1]"] + ["float64"] + 2 * ["const float64[::1]"])
_DTYPES = [(x, y) for x in ("float64", "float32") for y in ("float64", "float32")]


@inlined
def is_plain(code: int, spans: NDArray[np.int64], hyper: Array, lasso: Array) -> tuple[bool, float, int, int]:
    """Whether a step is ``t - sign * lr * g`` on one span; with the sign and the span."""
    alone = code == SGD and spans.shape[0] == 1 and hyper.shape[0] == 1 and lasso.size == 0
    if not alone or hyper[0, 1] != 0.0 or hyper[0, 3] != 0.0:
        return False, 1.0, 0, 0
    return True, -1.0 if hyper[0, 2] != 0.0 else 1.0, spans[0, 0], spans[0, 1]


@inlined
def move(
    code: int, single: bool, single_scalars: bool, spans: NDArray[np.int64], hyper: Array, rates: Array,
    lasso: Array, theta: Array, slots: Array, clock: Array, grad: Array,
) -> None:  # fmt: skip
    """Take the step of the rule with the learning rates (G,) along `grad`."""
    tick(code, hyper, clock, single_scalars)
    advance(code, spans, hyper, rates, clock, theta, grad, slots, single)
    if lasso.size:
        shrink(code, spans, hyper, rates, clock, lasso, theta, slots, single)


@compiled(f"void({RULE}, {WALK}, const float64[:, ::1])")
def follow(
    code: int, single: bool, single_scalars: bool, spans: NDArray[np.int64], hyper: Array, rates: Array,
    lasso: Array, theta: Array, slots: Array, clock: Array, grad: Array, gradients: Array,
) -> None:  # fmt: skip
    """Apply the rule to given gradients."""
    for t in range(gradients.shape[0]):
        for i in range(theta.size):
            grad[i] = stored(gradients[t, i], single)
        move(code, single, single_scalars, spans, hyper, rates[t], lasso, theta, slots, clock, grad)


@compiled(f"int64({RULE}, {WALK}, {_FORM}, float64[::1])")
def full_batch(
    code: int, single: bool, single_scalars: bool, spans: NDArray[np.int64], hyper: Array, rates: Array,
    lasso: Array, theta: Array, slots: Array, clock: Array, grad: Array,
    curvature: Array, mean: Array, weight: float, anchor: Array, slope: Array, floor: Array,
    ridge: Array, gain: Array, losses: Array,
) -> int:  # fmt: skip
    """Run epochs on the quadratic; return how many."""
    p, k = mean.size, floor.size
    d, pull = np.empty(p), np.empty(p)
    plain, sign, start, stop = is_plain(code, spans, hyper, lasso)
    t, g = theta[start:stop], grad[start:stop]
    for epoch in range(losses.size):
        loss = 0.0
        for o in range(k):
            s, b = o * p, k * p + o
            c = theta[b] - anchor[b]
            along = slope[b] * c
            for i in range(p):
                d[i] = theta[s + i] - anchor[s + i]
                c += mean[i] * d[i]
                along += slope[s + i] * d[i]
                pull[i] = 0.0
            for j in range(p):
                for i in range(p):
                    pull[i] += curvature[j, i] * d[j]
            bend = weight * c * c
            for i in range(p):
                w = theta[s + i]
                bend += d[i] * pull[i] + ridge[i] * w * w
                grad[s + i] = stored(slope[s + i] + pull[i] + weight * c * mean[i] + ridge[i] * w, single)
            grad[b] = stored(slope[b] + weight * c, single)
            loss += gain[o] * (floor[o] + along + 0.5 * bend)
        if lasso.size:
            loss += kinks(theta, lasso, gain)
        losses[epoch] = loss
        if plain:
            rate = sign * rates[epoch, 0]
            for i in range(t.size):
                t[i] = stored(t[i] - rate * g[i], single)
        else:
            move(code, single, single_scalars, spans, hyper, rates[epoch], lasso, theta, slots, clock, grad)
        if not np.isfinite(loss) and not np.isfinite(theta).all():
            return epoch + 1
    return losses.size


@inlined
def gather(
    X: Array, y: Array, weight: Array, centre: Array, scale: Array, order: NDArray[np.int32], count: int,
    rows: Array, targets: Array, weights: Array,
) -> None:  # fmt: skip
    """Copy the first `count` rows of `order`, standardised, with their targets; ask for the rows that follow."""
    p = X.shape[1]
    for i in range(count):
        if i + AHEAD < order.size:
            ahead = order[i + AHEAD]
            for j in range(0, p, LINE):
                prefetch(X, ahead, j)
            prefetch(X, ahead, p - 1)
            prefetch(y, ahead, 0)
        source = order[i]
        for j in range(p):
            rows[i, j] = (X[source, j] - centre[j]) * scale[j]
        for o in range(y.shape[1]):
            targets[i, o] = y[source, o]
        if weight.size:
            weights[i] = weight[source]


@compiled(
    "int64(const float64[:, ::1], const float64[:, ::1], const float64[::1], int64, float64[::1], float64[::1],"
    " float64, float64, float64, boolean, float64[::1])",
    fastmath={"reassoc", "contract", "nsz"},
)
def _one_by_one(
    rows: Array, targets: Array, weights: Array, count: int, theta: Array, grad: Array,
    rate: float, factor: float, gain: float, single: bool, total: Array,
) -> int:  # fmt: skip
    """Step along each of `count` rows of one target; return how many were used, fewer at a number not finite."""
    p = theta.size - 1
    t, bias, c = theta[:p], theta[p], 0.0
    for i in range(count):
        row, eta = rows[i], bias
        for j in range(p):
            eta += row[j] * t[j]
        r = eta - targets[i, 0]
        total[0] += factor * gain * weights[i] * r * r
        c = stored(2.0 * factor * weights[i] * r, single)
        bias = stored(bias - rate * c, single)
        if single:
            for j in range(p):
                t[j] = stored(t[j] - rate * stored(c * row[j], True), True)
        else:
            step = rate * c
            for j in range(p):
                t[j] -= step * row[j]
        if not np.isfinite(c):
            count = i + 1
            break
    theta[p] = bias
    if count:
        grad[p] = c
        for j in range(p):
            grad[j] = stored(c * rows[count - 1, j], single)
    return count


_MINI_BATCH = [
    f"int64({RULE}, {WALK}, const {x}[:, ::1], const {y}[:, ::1], const float64[::1], const int32[::1],"
    f" int64, int64, int64, {_SCALES}, float64[::1])"
    for x, y in _DTYPES
]


@compiled(*_MINI_BATCH, fastmath={"reassoc", "contract", "nsz"})
def mini_batch(
    code: int, single: bool, single_scalars: bool, spans: NDArray[np.int64], hyper: Array, rates: Array,
    lasso: Array, theta: Array, slots: Array, clock: Array, grad: Array,
    X: Array, y: Array, weight: Array, order: NDArray[np.int32], first: int, last: int, batch_size: int,
    centre: Array, scale: Array, target_centre: Array, target_scale: Array, factor: float,
    ridge: Array, gain: Array, total: Array,
) -> int:  # fmt: skip
    """Run batches over the rows of `order` from `first`; return where it ended.

    It holds as many epochs as `total`, one after another, each with its learning rates.
    """
    p, k, n = X.shape[1], y.shape[1], order.size // total.size
    rows, targets, weights = np.empty((BLOCK_ROWS, p)), np.empty((BLOCK_ROWS, k)), np.ones(BLOCK_ROWS)
    plain, sign, start, stop = is_plain(code, spans, hyper, lasso)
    t, g, penalised = theta[start:stop], grad[start:stop], ridge.any()
    alone = plain and k == 1 and batch_size == 1 and not penalised and start == 0 and stop == p + 1
    loss, used, size, at = 0.0, 0, 0, first
    while at < last:
        epoch = at // n
        end, rate = (epoch + 1) * n, sign * rates[epoch, 0]
        if used == 0:
            size = min(batch_size, end - at)
        count = min(BLOCK_ROWS, last - at, end - at)
        gather(X, y, weight, centre, scale, order[at:last], count, rows, targets, weights)
        for o in range(k):
            for i in range(count):
                targets[i, o] = (targets[i, o] - target_centre[o]) * target_scale[o]
        if alone:
            used = _one_by_one(
                rows, targets, weights, count, theta, grad, rate, factor, gain[0], single,
                total[epoch : epoch + 1],
            )  # fmt: skip
            at += used
            if used < count:
                return at
            continue
        for i in range(count):
            for o in range(k):
                s, b = o * p, k * p + o
                eta = theta[b]
                for j in range(p):
                    eta += rows[i, j] * theta[s + j]
                r = eta - targets[i, o]
                loss += gain[o] * weights[i] * r * r
                c = 2.0 * factor / size * weights[i] * r
                if used == 0:
                    for j in range(p):
                        grad[s + j] = c * rows[i, j]
                    grad[b] = c
                else:
                    for j in range(p):
                        grad[s + j] += c * rows[i, j]
                    grad[b] += c
            used += 1
            if used < size:
                continue
            loss *= factor
            if penalised:
                loss += 0.5 * size * penalty(theta, grad, ridge, gain)
            if lasso.size:
                loss += size * kinks(theta, lasso, gain)
            if single:
                for j in range(theta.size):
                    grad[j] = stored(grad[j], True)
            total[epoch] += loss
            if plain:
                for j in range(t.size):
                    t[j] = stored(t[j] - rate * g[j], single)
            else:
                move(
                    code, single, single_scalars, spans, hyper, rates[epoch], lasso, theta, slots, clock, grad
                )
            if not np.isfinite(loss) and not np.isfinite(theta).all():
                return at + i + 1
            loss, used, size = 0.0, 0, min(batch_size, end - (at + i + 1))
        at += count
    return last


@inlined
def penalty(theta: Array, grad: Array, ridge: Array, gain: Array) -> float:
    """Add the penalty's gradient to `grad`; return twice the penalty."""
    p, value = ridge.size, 0.0
    for o in range(gain.size):
        for j in range(p):
            t = theta[o * p + j]
            grad[o * p + j] += ridge[j] * t
            value += gain[o] * ridge[j] * t * t
    return value


@inlined
def kinks(theta: Array, lasso: Array, gain: Array) -> float:
    """Return ``sum_i lasso_i |theta_i|``, weighted by what the outputs count."""
    p, value = theta.size // gain.size - 1, 0.0
    for o in range(gain.size):
        for j in range(o * p, o * p + p):
            value += gain[o] * lasso[j] * abs(theta[j])
    return value
