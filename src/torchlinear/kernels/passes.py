"""The compiled loops of `criteria`: descent on a loss that needs every row again for every step.

Rows are worked on in tiles, a feature at a time: ``eta_o += w_oj z_j`` over the rows of the tile, then the
slopes of the loss, then ``g_oj += z_j' slope_o``. So each loop runs over rows, and vectorises, and a tile
stays in the first cache between its two uses. A batch starts a tile of its own, so its sums do not depend on
how an epoch is cut into calls.

Plain descent of one score, one row a step, is written out: to go through tiles costs several times its step. Rows
are gathered in blocks, as in `epochs`, then used one after another.
"""

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled, inlined, prefetch
from torchlinear.kernels.epochs import (
    AHEAD,
    BLOCK_ROWS,
    LINE,
    RULE,
    WALK,
    gather,
    is_plain,
    kinks,
    move,
    penalty,
)
from torchlinear.kernels.losses import SOFTMAX, judge, slopes
from torchlinear.kernels.update import Array, stored

__all__ = ["ENTRIES", "NOTHING", "ROWS", "SHARES", "full_batch", "mini_batch"]

# What the sum over a batch is divided by: 1, its rows, its rows times outputs, or what its rows count.
NOTHING, ROWS, ENTRIES, SHARES = range(4)

_LOSS = "int64, const float64[::1], const float64[:, ::1], int64, float64, const float64[::1]"
_DTYPES = ("float64", "float32")
LOOSE = frozenset({"reassoc", "contract", "nsz"})


@compiled("void(const float64[:, ::1], int64, const float64[::1], float64[:, ::1])", fastmath=LOOSE)
def _scores(tile: Array, m: int, theta: Array, eta: Array) -> None:
    """Scores eta (k, ...) of the m rows in a tile (p, ...)."""
    p, k = tile.shape[0], eta.shape[0]
    for o in range(k):
        w, bias = theta[o * p : o * p + p], theta[k * p + o]
        if m == 1:
            one = bias
            for j in range(p):
                one += w[j] * tile[j, 0]
            eta[o, 0] = one
            continue
        scores = eta[o, :m]
        for i in range(m):
            scores[i] = bias
        for j in range(0, p - 3, 4):
            a, b, c, d = tile[j, :m], tile[j + 1, :m], tile[j + 2, :m], tile[j + 3, :m]
            wa, wb, wc, wd = w[j], w[j + 1], w[j + 2], w[j + 3]
            for i in range(m):
                scores[i] += wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i]
        for j in range(p - p % 4, p):
            a, wa = tile[j, :m], w[j]
            for i in range(m):
                scores[i] += wa * a[i]


@compiled("void(const float64[:, ::1], int64, const float64[:, ::1], float64[::1])", fastmath=LOOSE)
def _pull(tile: Array, m: int, slope: Array, grad: Array) -> None:
    """Add the gradient of the m rows in a tile to `grad`, weight (k, p) before bias (k,)."""
    p, k = tile.shape[0], slope.shape[0]
    for o in range(k):
        g, along = grad[o * p : o * p + p], slope[o, :m]
        total = 0.0
        for i in range(m):
            total += along[i]
        grad[k * p + o] += total
        if m == 1:
            for j in range(p):
                g[j] += total * tile[j, 0]
            continue
        for j in range(0, p - 3, 4):
            a, b, c, d = tile[j, :m], tile[j + 1, :m], tile[j + 2, :m], tile[j + 3, :m]
            sa, sb, sc, sd = 0.0, 0.0, 0.0, 0.0
            for i in range(m):
                s = along[i]
                sa += s * a[i]
                sb += s * b[i]
                sc += s * c[i]
                sd += s * d[i]
            g[j] += sa
            g[j + 1] += sb
            g[j + 2] += sc
            g[j + 3] += sd
        for j in range(p - p % 4, p):
            a, sa = tile[j, :m], 0.0
            for i in range(m):
                sa += along[i] * a[i]
            g[j] += sa


@compiled(
    "void(int64, const float64[::1], const float64[:, ::1], int64, const float64[:, ::1], const float64[:, ::1],"
    " const float64[::1], const float64[::1], float64[:, ::1], float64[::1], float64[::1], float64[:, ::1],"
    " float64[::1], float64[::1])",
    fastmath=LOOSE,
)
def _add(
    code: int, numbers: Array, weights: Array, m: int, tile: Array, targets: Array, weight: Array,
    theta: Array, eta: Array, loss: Array, share: Array, room: Array, grad: Array, sums: Array,
) -> None:  # fmt: skip
    """Add the m rows of a tile to the gradient, and their loss and what they count to `sums`."""
    _scores(tile, m, theta, eta)
    slopes(code, numbers, weights, m, eta, targets, loss, share, room)
    if weight.size:
        for i in range(m):
            loss[i] *= weight[i]
            share[i] *= weight[i]
        for o in range(eta.shape[0]):
            for i in range(m):
                eta[o, i] *= weight[i]
    _pull(tile, m, eta, grad)
    total, counted = 0.0, 0.0
    for i in range(m):
        total += loss[i]
        counted += share[i]
    sums[0] += total
    sums[1] += counted


@inlined
def _finish(
    divisor: int, factor: float, size: int, sums: Array, theta: Array, grad: Array, ridge: Array, lasso: Array,
    single: bool,
) -> float:  # fmt: skip
    """Make the mean, or what is asked for, of the sums over a batch, with the penalty; return its loss."""
    share, k = factor, theta.size // (ridge.size + 1)
    if divisor == ROWS:
        share = factor / size
    elif divisor == ENTRIES:
        share = factor / (size * k)
    elif divisor == SHARES:
        share = factor / sums[1]
    for j in range(theta.size):
        grad[j] *= share
    loss = sums[0] * share
    if ridge.any():
        loss += 0.5 * penalty(theta, grad, ridge, np.ones(k))
    if lasso.size:
        loss += kinks(theta, lasso, np.ones(k))
    if single:
        for j in range(theta.size):
            grad[j] = stored(grad[j], True)
    return loss


@inlined
def _step(
    code: int, single: bool, single_scalars: bool, spans: NDArray[np.int64], hyper: Array, rates: Array,
    lasso: Array, theta: Array, slots: Array, clock: Array, grad: Array,
) -> None:  # fmt: skip
    """Apply the rule."""
    plain, sign, start, stop = is_plain(code, spans, hyper, lasso)
    if plain:
        t, g, rate = theta[start:stop], grad[start:stop], sign * rates[0]
        for j in range(t.size):
            t[j] = stored(t[j] - rate * g[j], single)
    else:
        move(code, single, single_scalars, spans, hyper, rates, lasso, theta, slots, clock, grad)


@compiled(
    *[
        f"int64({RULE}, {WALK}, {_LOSS}, const {x}[:, :, ::1], const float64[:, :, ::1], const float64[:, ::1],"
        " int64, float64[::1])"
        for x in _DTYPES
    ]
)
def full_batch(
    code: int, single: bool, single_scalars: bool, spans: NDArray[np.int64], hyper: Array, rates: Array,
    lasso: Array, theta: Array, slots: Array, clock: Array, grad: Array,
    loss_code: int, numbers: Array, weights: Array, divisor: int, factor: float, ridge: Array,
    tiles: Array, targets: Array, weight: Array, n: int, losses: Array,
) -> int:  # fmt: skip
    """Run epochs over all rows, laid out in tiles; return how many."""
    count, p, width = tiles.shape
    k = theta.size // (p + 1)
    eta, loss, share, room = np.empty((k, width)), np.empty(width), np.empty(width), np.empty((5, width))
    sums, none = np.empty(2), np.empty(0)
    for epoch in range(losses.size):
        for j in range(theta.size):
            grad[j] = 0.0
        sums[0], sums[1] = 0.0, 0.0
        for at in range(count):
            _add(
                loss_code, numbers, weights, min(width, n - at * width), tiles[at], targets[at],
                weight[at] if weight.size else none, theta, eta, loss, share, room, grad, sums,
            )  # fmt: skip
        losses[epoch] = _finish(divisor, factor, n, sums, theta, grad, ridge, lasso, single)
        _step(code, single, single_scalars, spans, hyper, rates[epoch], lasso, theta, slots, clock, grad)
        if not np.isfinite(losses[epoch]) and not np.isfinite(theta).all():
            return epoch + 1
    return losses.size


@inlined
def _gather(
    X: Array, y: Array, weight: Array, centre: Array, scale: Array, order: NDArray[np.int32],
    at: int, m: int, last: int, tile: Array, targets: Array, weights: Array,
) -> None:  # fmt: skip
    """Put the rows ``order[at : at + m]`` into the columns of a tile, and ask for the rows that follow."""
    p = X.shape[1]
    for i in range(m):
        if at + i + AHEAD < last:
            ahead = order[at + i + AHEAD]
            for j in range(0, p, LINE):
                prefetch(X, ahead, j)
            prefetch(X, ahead, p - 1)
            prefetch(y, ahead, 0)
        source = order[at + i]
        for j in range(p):
            tile[j, i] = (X[source, j] - centre[j]) * scale[j]
        for o in range(y.shape[1]):
            targets[o, i] = y[source, o]
        if weight.size:
            weights[i] = weight[source]


@compiled(
    "int64(int64, const float64[::1], const float64[:, ::1], const float64[:, ::1], const float64[:, ::1],"
    " const float64[::1], int64, float64[::1], float64[::1], float64, float64, const float64[::1], boolean,"
    " float64[::1])",
    fastmath=LOOSE,
)
def _one_by_one(
    code: int, numbers: Array, weights: Array, rows: Array, targets: Array, counts: Array, count: int,
    theta: Array, grad: Array, rate: float, factor: float, ridge: Array, single: bool, losses: Array,
) -> int:  # fmt: skip
    """Step along each of `count` rows of one score; return how many were used, fewer at parameters not finite."""
    p = theta.size - 1
    t, g, bias = theta[:p], grad[:p], theta[p]
    for i in range(count):
        row, eta = rows[i], bias
        for j in range(p):
            eta += row[j] * t[j]
        value, slope = judge(code, numbers, weights[0, 0], weights[1, 0], eta, targets[i, 0])
        losses[i] = factor * counts[i] * value
        c = factor * counts[i] * slope
        if ridge.size:
            squares = 0.0
            for j in range(p):
                squares += ridge[j] * t[j] * t[j]
                g[j] = stored(c * row[j] + ridge[j] * t[j], single)
            losses[i] += 0.5 * squares
        else:
            for j in range(p):
                g[j] = stored(c * row[j], single)
        grad[p] = stored(c, single)
        bias = stored(bias - rate * grad[p], single)
        for j in range(p):
            t[j] = stored(t[j] - rate * g[j], single)
        if not np.isfinite(losses[i]) and not (np.isfinite(bias) and np.isfinite(t).all()):
            count = i + 1
            break
    theta[p] = bias
    return count


@inlined
def _single_rows(
    single: bool, rates: Array, sign: float, theta: Array, grad: Array,
    loss_code: int, numbers: Array, weights: Array, factor: float, ridge: Array,
    X: Array, y: Array, weight: Array, centre: Array, scale: Array,
    order: NDArray[np.int32], first: int, last: int, total: Array,
) -> int:  # fmt: skip
    """`mini_batch` of plain descent, one row of one score a step."""
    n, at = order.size // total.size, first
    rows, targets = np.empty((BLOCK_ROWS, X.shape[1])), np.empty((BLOCK_ROWS, 1))
    counts, losses = np.ones(BLOCK_ROWS), np.empty(BLOCK_ROWS)
    strengths = ridge if ridge.any() else ridge[:0]
    while at < last:
        epoch = at // n
        count = min(BLOCK_ROWS, last - at, (epoch + 1) * n - at)
        gather(X, y, weight, centre, scale, order[at:last], count, rows, targets, counts)
        used = _one_by_one(
            loss_code, numbers, weights, rows, targets, counts, count,
            theta, grad, sign * rates[epoch, 0], factor, strengths, single, losses,
        )  # fmt: skip
        for i in range(used):
            total[epoch] += losses[i]
        at += used
        if not np.isfinite(losses[used - 1]) and not np.isfinite(theta).all():
            return at
    return last


@compiled(
    *[
        f"int64({RULE}, {WALK}, {_LOSS}, const {x}[:, ::1], const float64[:, ::1], const float64[::1],"
        " const float64[::1], const float64[::1], const int32[::1], int64, int64, int64, int64, float64[::1])"
        for x in _DTYPES
    ]
)
def mini_batch(
    code: int, single: bool, single_scalars: bool, spans: NDArray[np.int64], hyper: Array, rates: Array,
    lasso: Array, theta: Array, slots: Array, clock: Array, grad: Array,
    loss_code: int, numbers: Array, weights: Array, divisor: int, factor: float, ridge: Array,
    X: Array, y: Array, weight: Array, centre: Array, scale: Array,
    order: NDArray[np.int32], first: int, last: int, batch_size: int, width: int, total: Array,
) -> int:  # fmt: skip
    """Run batches over the rows of `order` from `first`; return where it ended.

    It holds as many epochs as `total`, one after another, each with its learning rates.
    """
    n, p, k = order.size // total.size, X.shape[1], theta.size // (X.shape[1] + 1)
    plain, sign, begin, end = is_plain(code, spans, hyper, lasso)
    if (
        plain
        and batch_size == 1
        and k == 1
        and end - begin == p + 1
        and loss_code != SOFTMAX
        and divisor != SHARES
    ):
        return _single_rows(
            single, rates, sign, theta, grad, loss_code, numbers, weights, factor, ridge,
            X, y, weight, centre, scale, order, first, last, total,
        )  # fmt: skip
    width = min(width, batch_size)
    tile, targets, counts = (
        np.empty((p, width)),
        np.empty((y.shape[1], width)),
        np.empty(width if weight.size else 0),
    )
    eta, loss, share, room = np.empty((k, width)), np.empty(width), np.empty(width), np.empty((5, width))
    sums, start = np.empty(2), first
    while start < last:
        epoch = start // n
        size = min(batch_size, (epoch + 1) * n - start)
        for j in range(theta.size):
            grad[j] = 0.0
        sums[0], sums[1] = 0.0, 0.0
        for at in range(start, start + size, width):
            m = min(width, start + size - at)
            _gather(X, y, weight, centre, scale, order, at, m, last, tile, targets, counts)
            _add(
                loss_code, numbers, weights, m, tile, targets, counts, theta, eta, loss, share, room, grad, sums,
            )  # fmt: skip
        mean = _finish(divisor, factor, size, sums, theta, grad, ridge, lasso, single)
        total[epoch] += mean * size
        start += size
        _step(code, single, single_scalars, spans, hyper, rates[epoch], lasso, theta, slots, clock, grad)
        if not np.isfinite(mean) and not np.isfinite(theta).all():
            return start
    return last
