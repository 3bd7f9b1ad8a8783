"""Losses in link space for inner loops, chosen by a code as the rules of `update` are.

`slopes` is given the scores eta of some rows, output by output, and turns them into their slopes dl/deta in
place, in loops over rows that vectorise. Per number, with r = eta - t for a target t:

    ABSOLUTE   |r|
    HUBER      scale r^2 / 2 where |r| <= delta, else scale delta (|r| - delta / 2)
    LOGISTIC   w ((1 - t) log(1 + e^eta) + positive t log(1 + e^-eta))
    POISSON    e^eta - t eta
    MEAN       eta - t log(eta + eps): Poisson, where the score is the mean

and per row, with targets q that sum to Q over the classes,

    SOFTMAX    Q log(sum_c e^eta_c) - sum_c q_c eta_c,   slope Q softmax(eta) - q,
               q_c = w_c ((1 - smoothing) t_c + smoothing / k), t the one-hot class or probabilities.

`judge` is the same for one score, for loops in which each row waits for the step along the row before.

Nothing overflows for large scores: exponentials are taken of numbers up to 0, but for Poisson's, whose loss
is infinite where e^eta is.
"""

import math

import numpy as np

from torchlinear.kernels import compiled, inlined
from torchlinear.kernels.exponential import exp, log1p
from torchlinear.kernels.update import Array

__all__ = [
    "ABSOLUTE",
    "HUBER",
    "LOGISTIC",
    "MEAN",
    "NUMBERS",
    "POISSON",
    "SOFTMAX",
    "WEIGHTS",
    "judge",
    "slopes",
]

ABSOLUTE, HUBER, LOGISTIC, POISSON, MEAN, SOFTMAX = range(6)

# What `numbers` holds, by loss; `full` is 0.0 or 1.0: whether Stirling's approximation of log t! is added.
NUMBERS: dict[int, tuple[str, ...]] = {
    ABSOLUTE: (),
    HUBER: ("delta", "scale"),
    LOGISTIC: (),
    POISSON: ("full",),
    MEAN: ("full", "eps"),
    SOFTMAX: ("smoothing", "ignored"),
}
# Rows of `weights`, one number for each output or class.
WEIGHTS: tuple[str, ...] = ("weight", "positive")

LOOSE = frozenset({"reassoc", "contract", "nsz"})


@inlined
def slopes(
    code: int, numbers: Array, weights: Array, m: int, eta: Array, targets: Array,
    loss: Array, share: Array, room: Array,
) -> None:  # fmt: skip
    """Turn the scores of m rows into slopes; write to `loss` what each row costs, to `share` what it counts.

    Arrays have room for more rows than m along their last axis: `eta` (k, ...), `targets` (k, ...), or
    (1, ...) with the numbers of classes for `SOFTMAX`, `loss`, `share`, and `room` (5, ...), which is
    scratch. A row counts 1 but where classes are weighted or ignored, as in the mean of
    `nn.CrossEntropyLoss`.
    """
    for i in range(m):
        loss[i] = 0.0
        share[i] = 1.0
    if code == SOFTMAX:
        _softmax(numbers, weights[0], m, eta, targets, loss[:m], share[:m], room)
        return
    for o in range(eta.shape[0]):
        e, t = eta[o, :m], targets[o, :m]
        if code == LOGISTIC:
            _logistic(weights[0, o], weights[1, o], e, t, loss[:m], room[0, :m])
        elif code == HUBER:
            _huber(numbers[0], numbers[1], e, t, loss[:m])
        elif code == ABSOLUTE:
            _absolute(e, t, loss[:m])
        elif code == POISSON:
            _poisson(e, t, loss[:m])
        else:
            _mean(numbers[1], e, t, loss[:m])
        if code in (POISSON, MEAN) and numbers[0] != 0.0:
            _log_factorial(t, loss[:m])


@inlined
def judge(
    code: int, numbers: Array, weight: float, positive: float, eta: float, target: float
) -> tuple[float, float]:
    """Loss and slope of a row with one score; of any loss but `SOFTMAX`."""
    if code == LOGISTIC:
        e = exp(-abs(eta))
        left, near = log1p(e), 1.0 / (1.0 + e)
        above, below = eta if eta > 0.0 else 0.0, -eta if eta < 0.0 else 0.0
        up, down = near if eta >= 0.0 else e * near, e * near if eta >= 0.0 else near
        value = (1.0 - target) * (above + left) + positive * target * (below + left)
        return weight * value, weight * ((1.0 - target) * up - positive * target * down)
    if code == HUBER:
        r = eta - target
        inside = -numbers[0] if r < -numbers[0] else r
        inside = numbers[0] if inside > numbers[0] else inside
        return numbers[1] * inside * (r - 0.5 * inside), numbers[1] * inside
    if code == ABSOLUTE:
        r = eta - target
        return abs(r), 1.0 if r > 0.0 else (-1.0 if r < 0.0 else r)
    more = log_factorial(target) if numbers[0] != 0.0 else 0.0
    if code == POISSON:
        mean = exp(eta)
        return mean - target * eta + more, mean - target
    mean = eta + numbers[1]
    return eta - target * math.log(mean) + more, 1.0 - target / mean


@inlined
def log_factorial(t: float) -> float:
    """Return Stirling's approximation of log t!, 0 up to t = 1."""
    if not t > 1.0:
        return 0.0
    log = log1p(t - 1.0)
    return t * log - t + 0.5 * (log + math.log(2.0 * math.pi))


@compiled("void(float64, float64, float64[::1], float64[::1], float64[::1], float64[::1])", fastmath=LOOSE)
def _logistic(weight: float, positive: float, eta: Array, target: Array, loss: Array, room: Array) -> None:
    # In three loops: one alone needs more registers than there are, and takes half as long again.
    for i in range(eta.size):
        room[i] = exp(-abs(eta[i]))
    for i in range(eta.size):
        x, t, left = eta[i], target[i], log1p(room[i])
        above, below = x if x > 0.0 else 0.0, -x if x < 0.0 else 0.0
        loss[i] += weight * ((1.0 - t) * (above + left) + positive * t * (below + left))
    for i in range(eta.size):
        x, t, e = eta[i], target[i], room[i]
        near = 1.0 / (1.0 + e)  # the probability of the side that x is on
        far = e * near
        up, down = near if x >= 0.0 else far, far if x >= 0.0 else near
        eta[i] = weight * ((1.0 - t) * up - positive * t * down)


@compiled(
    "void(float64[::1], float64[::1], int64, float64[:, ::1], float64[:, ::1], float64[::1], float64[::1],"
    " float64[:, ::1])",
    fastmath=LOOSE,
)
def _softmax(
    numbers: Array, weight: Array, m: int, eta: Array, targets: Array, loss: Array, share: Array, room: Array
) -> None:  # fmt: skip
    k, labels = eta.shape[0], targets.shape[0] == 1
    top, total, mass, q, live = room[0, :m], room[1, :m], room[2, :m], room[3, :m], room[4, :m]
    scores = eta[0, :m]
    for i in range(m):
        top[i], total[i], mass[i], live[i] = scores[i], 0.0, 0.0, 1.0
    if labels:
        _count(weight, numbers[1], targets[0, :m], share, live)
    for o in range(1, k):
        scores = eta[o, :m]
        for i in range(m):
            top[i] = scores[i] if scores[i] > top[i] else top[i]
    for o in range(k):
        scores = eta[o, :m]
        _wanted(weight[o], numbers[0], o, k, labels, targets[0 if labels else o, :m], live, q)
        for i in range(m):
            z = scores[i] - top[i]
            loss[i] -= q[i] * z
            mass[i] += q[i]
            e = exp(z)
            total[i] += e
            scores[i] = e
    for i in range(m):
        loss[i] += mass[i] * log1p(total[i] - 1.0)
        total[i] = mass[i] / total[i]
    for o in range(k):
        scores = eta[o, :m]
        _wanted(weight[o], numbers[0], o, k, labels, targets[0 if labels else o, :m], live, q)
        for i in range(m):
            scores[i] = scores[i] * total[i] - q[i]


@compiled("void(float64[::1], float64, float64[::1], float64[::1], float64[::1])")
def _count(weight: Array, ignored: float, target: Array, share: Array, live: Array) -> None:
    """Write what each row counts in the mean, and whether it counts at all."""
    for i in range(target.size):
        label = int(target[i])
        live[i] = 0.0 if target[i] == ignored else 1.0
        share[i] = weight[label] if live[i] != 0.0 and 0 <= label < weight.size else 0.0


@compiled(
    "void(float64, float64, int64, int64, boolean, float64[::1], float64[::1], float64[::1])", fastmath=LOOSE
)
def _wanted(
    weight: float, smoothing: float, o: int, k: int, labels: bool, target: Array, live: Array, q: Array
) -> None:  # fmt: skip
    """Write the share q of class o in the target of each row."""
    on, off = weight * (1.0 - smoothing), weight * smoothing / k
    if labels:
        for i in range(q.size):
            q[i] = live[i] * ((on if target[i] == o else 0.0) + off)
    else:
        for i in range(q.size):
            q[i] = on * target[i] + off


@compiled("void(float64, float64, float64[::1], float64[::1], float64[::1])", fastmath=LOOSE)
def _huber(delta: float, scale: float, eta: Array, target: Array, loss: Array) -> None:
    for i in range(eta.size):
        r = eta[i] - target[i]
        inside = -delta if r < -delta else r
        inside = delta if inside > delta else inside
        loss[i] += scale * inside * (r - 0.5 * inside)
        eta[i] = scale * inside


@compiled("void(float64[::1], float64[::1], float64[::1])", fastmath=LOOSE)
def _absolute(eta: Array, target: Array, loss: Array) -> None:
    for i in range(eta.size):
        r = eta[i] - target[i]
        loss[i] += abs(r)
        eta[i] = 1.0 if r > 0.0 else (-1.0 if r < 0.0 else r)


@compiled("void(float64[::1], float64[::1], float64[::1])", fastmath=LOOSE)
def _poisson(eta: Array, target: Array, loss: Array) -> None:
    for i in range(eta.size):
        mean = exp(eta[i])
        loss[i] += mean - target[i] * eta[i]
        eta[i] = mean - target[i]


@compiled("void(float64, float64[::1], float64[::1], float64[::1])", fastmath=LOOSE)
def _mean(eps: float, eta: Array, target: Array, loss: Array) -> None:
    for i in range(eta.size):
        loss[i] += eta[i] - target[i] * np.log(eta[i] + eps)
        eta[i] = 1.0 - target[i] / (eta[i] + eps)


@compiled("void(float64[::1], float64[::1])", fastmath=LOOSE)
def _log_factorial(target: Array, loss: Array) -> None:
    for i in range(target.size):
        loss[i] += log_factorial(target[i])
