import numpy as np
from torchlinear.kernels import compiled
from torchlinear.kernels.update import advance, stored, tick

_RULE = "int64, boolean, boolean, const int64[:, ::1], const float64[:, ::1], const float64[:, ::1]"
_WALK = "float64[::1], float64[:, ::1], float64[:, ::1], float64[::1]"


@compiled(
    f"int64({_RULE}, {_WALK}, int64, const float64[:, ::1], const float64[::1], float64,"
    " const float64[::1], const float64[::1], const float64[::1], const float64[::1], const float64[::1], float64[::1])"
)
def _full_batch(
    rule, single, single_clock, spans, hyper, rates, theta, slots, clock, grad, k,
    curvature, mean, weight, anchor, slope, floor, ridge, gain, losses,
):
    p = mean.size
    d = np.empty(p)
    pull = np.empty(p)
    for epoch in range(losses.size):
        loss = 0.0
        for o in range(k):
            w = theta[o * p : (o + 1) * p]
            a = anchor[o * p : (o + 1) * p]
            h = slope[o * p : (o + 1) * p]
            g = grad[o * p : (o + 1) * p]
            c = theta[k * p + o] - anchor[k * p + o]
            along = slope[k * p + o] * c
            for i in range(p):
                d[i] = w[i] - a[i]
                c += mean[i] * d[i]
                along += h[i] * d[i]
                pull[i] = 0.0
            for j in range(p):
                dj = d[j]
                for i in range(p):
                    pull[i] += curvature[j, i] * dj
            bend = weight * c * c
            shrink = 0.0
            for i in range(p):
                bend += d[i] * pull[i]
                shrink += ridge[i] * w[i] * w[i]
                g[i] = stored(h[i] + pull[i] + weight * c * mean[i] + ridge[i] * w[i], single)
            grad[k * p + o] = stored(slope[k * p + o] + weight * c, single)
            loss += gain[o] * (floor[o] + along + 0.5 * (bend + shrink))
        losses[epoch] = loss
        tick(rule, hyper, clock, single_clock)
        advance(rule, spans, hyper, rates[epoch], clock, theta, grad, slots, single)
        if not np.isfinite(loss) and not np.isfinite(theta).all():
            return epoch + 1
    return losses.size


_ROWS = ", ".join
_MINI = [
    f"int64({_RULE}, {_WALK}, const {x}[:, ::1], const {y}[:, ::1], const float64[::1], const int32[::1], int64, int64, int64,"
    " const float64[::1], const float64[::1], const float64[::1], const float64[::1], float64, const float64[::1], const float64[::1], float64[::1])"
    for x, y in (("float64", "float64"), ("float32", "float32"), ("float32", "float64"), ("float64", "float32"))
]


@compiled(*_MINI, fastmath={"reassoc", "contract", "nsz"})
def _mini_batch(
    rule, single, single_clock, spans, hyper, rates, theta, slots, clock, grad,
    X, y, weight, order, first, last, batch,
    centre, scale, y_centre, y_scale, factor, ridge, gain, total,
):
    n, p = X.shape
    k = y.shape[1]
    b = k * p
    depth = max(1, min(256, last - first))
    rows = np.empty((depth, p))
    targets = np.empty((depth, k))
    weights = np.ones(depth)
    penalised = ridge.any()
    used = 0
    loss = 0.0
    size = min(batch, n - first)
    at = first
    while at < last:
        count = min(depth, last - at)
        for i in range(count):
            source = order[at + i]
            for j in range(p):
                rows[i, j] = (X[source, j] - centre[j]) * scale[j]
            for o in range(k):
                targets[i, o] = (y[source, o] - y_centre[o]) * y_scale[o]
        if weight.size:
            for i in range(count):
                weights[i] = weight[order[at + i]]
        for i in range(count):
            share = 2.0 * factor * weights[i] / size
            for o in range(k):
                s = o * p
                eta = theta[b + o]
                for j in range(p):
                    eta += rows[i, j] * theta[s + j]
                r = eta - targets[i, o]
                loss += gain[o] * weights[i] * r * r
                c = share * r
                if used == 0:
                    for j in range(p):
                        grad[s + j] = c * rows[i, j]
                    grad[b + o] = c
                else:
                    for j in range(p):
                        grad[s + j] += c * rows[i, j]
                    grad[b + o] += c
            used += 1
            if used == size:
                loss *= factor
                if penalised:
                    for o in range(k):
                        for j in range(p):
                            t = theta[o * p + j]
                            grad[o * p + j] += ridge[j] * t
                            loss += 0.5 * size * gain[o] * ridge[j] * t * t
                if single:
                    for j in range(grad.size):
                        grad[j] = stored(grad[j], single)
                total[0] += loss
                tick(rule, hyper, clock, single_clock)
                advance(rule, spans, hyper, rates[0], clock, theta, grad, slots, single)
                if not np.isfinite(loss) and not np.isfinite(theta).all():
                    return at + i + 1
                used = 0
                loss = 0.0
                size = min(batch, n - (at + i + 1))
        at += count
    return last
