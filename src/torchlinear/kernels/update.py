"""One update of the parameters by each rule of the descent family, exactly as torch.optim makes it.

The order of the operations is that of the single-tensor code of `torch.optim` (PyTorch 2.13), so that
parameters and every state entry agree with it to rounding. Per entry, with gradient g (its sign turned for
`maximize`) and parameter t, where ~a~ is a moving mean:

    SGD       b <- m b + (1 - dampening) g  (b <- g first);  t <- t - lr b;  Nesterov: t - lr (g + m b)
    AdaGrad   s <- s + g^2;  t <- t - lr / (1 + (step - 1) lr_decay) g / (sqrt(s) + eps)
    RMSprop   v <- ~g^2~;  t <- t - lr g / (sqrt(v) + eps), v less ~g~^2 if centered, or by a momentum buffer
    Adam      m <- ~g~;  v <- ~g^2~;  t <- t - lr / (1 - b1^step) m / (sqrt(v) / sqrt(1 - b2^step) + eps)
    Adadelta  v <- ~g^2~;  d <- sqrt(a + eps) / sqrt(v + eps) g;  a <- ~d^2~;  t <- t - lr d
    NAdam     Adam with Nesterov's momentum, which grows with the steps

Sources: Qian 1999 and Sutskever et al. 2013 (momentum, Nesterov); Duchi, Hazan, Singer 2011 (AdaGrad);
Tieleman, Hinton 2012 (RMSprop); Kingma, Ba 2015 (Adam); Reddi, Kale, Kumar 2018 (AMSGrad);
Loshchilov, Hutter 2019 (AdamW); Zeiler 2012 (Adadelta); Dozat 2016 (NAdam).

`shrink` follows an update where coefficients have a price per absolute value: the proximal step of that price in
the metric of the update, which is what g was multiplied by (Yun, Lozano, Yang 2021, "Adaptive proximal gradient
methods for structured neural networks"). A momentum buffer then remembers the way that was really gone (Ochs, Chen,
Brox, Pock 2014, "iPiano"; with Nesterov's momentum it is Beck and Teboulle's FISTA 2009), so that the optimum stays
where it is.

Arithmetic is float64. When the parameters are float32 (`single`), everything that is kept, a parameter or a
state entry, is rounded to float32 as it is stored, which is how torch keeps it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import compiled, inlined

__all__ = [
    "ADADELTA",
    "ADAGRAD",
    "ADAM",
    "HYPER",
    "NADAM",
    "RMSPROP",
    "SGD",
    "SLOTS",
    "Array",
    "advance",
    "shrink",
    "stored",
    "tick",
]

Array = NDArray[np.float64]

SGD, ADAGRAD, RMSPROP, ADAM, ADADELTA, NADAM = range(6)

# Columns of a row of hyper-parameters after (lr, weight_decay, maximize), by rule; flags are 0.0 or 1.0.
HYPER: dict[int, tuple[str, ...]] = {
    SGD: ("momentum", "dampening", "nesterov"),
    ADAGRAD: ("lr_decay", "eps"),
    RMSPROP: ("alpha", "eps", "momentum", "centered"),
    ADAM: ("beta1", "beta2", "eps", "amsgrad", "decoupled_weight_decay"),
    ADADELTA: ("rho", "eps"),
    NADAM: ("beta1", "beta2", "eps", "momentum_decay", "decoupled_weight_decay"),
}
# Names, in torch's `optimizer.state`, of the arrays that a rule remembers per parameter entry.
SLOTS: dict[int, tuple[str, ...]] = {
    SGD: ("momentum_buffer",),
    ADAGRAD: ("sum",),
    RMSPROP: ("square_avg", "momentum_buffer", "grad_avg"),
    ADAM: ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
    ADADELTA: ("square_avg", "acc_delta"),
    NADAM: ("exp_avg", "exp_avg_sq"),
}


@inlined
def stored(x: float, single: bool) -> float:
    """Round x as it is kept: to float32 when `single`."""
    return np.float64(np.float32(x)) if single else x


@inlined
def lerp(start: float, end: float, share: float) -> float:
    """Move from `start` by `share` of the way to `end`, from the nearer side as torch.lerp does."""
    return start + share * (end - start) if share < 0.5 else end - (end - start) * (1.0 - share)


@inlined
def tick(code: int, hyper: Array, clock: Array, single_scalars: bool) -> None:
    """Count a step in each row (step, mu_product); float32 scalars stick at 2**24, as torch's do."""
    for row in range(clock.shape[0]):
        step = stored(clock[row, 0] + 1.0, single_scalars)
        clock[row, 0] = step
        if code == NADAM:
            mu = _nadam_mu(hyper[row, 3], hyper[row, 6], step)
            clock[row, 1] = stored(clock[row, 1] * stored(mu, single_scalars), single_scalars)


@inlined
def advance(
    code: int, spans: NDArray[np.int64], hyper: Array, rates: Array, clock: Array,
    theta: Array, grad: Array, slots: Array, single: bool,
) -> None:  # fmt: skip
    """Update the entries of each span (start, stop, row) by the rule with that row's hyper-parameters."""
    for s in range(spans.shape[0]):
        start, stop, row = spans[s, 0], spans[s, 1], spans[s, 2]
        h, lr, step = hyper[row], rates[row], clock[row, 0]
        # Loops over slices vectorise; over start <= i < stop they would not, for fear of a negative index.
        t, g, a = theta[start:stop], grad[start:stop], slots[0, start:stop]
        if code == SGD:
            _sgd(h, lr, step, t, g, a, single)
        elif code == ADAGRAD:
            _adagrad(h, lr, step, t, g, a, single)
        elif code == ADAM:
            _adam(h, lr, step, t, g, a, slots[1, start:stop], slots[2, start:stop], single)
        elif code == RMSPROP:
            _rmsprop(h, lr, t, g, a, slots[1, start:stop], slots[2, start:stop], single)
        elif code == ADADELTA:
            _adadelta(h, lr, t, g, a, slots[1, start:stop], single)
        else:
            _nadam(h, lr, step, clock[row, 1], t, g, a, slots[1, start:stop], single)


@inlined
def _left(beta: float, step: float) -> float:
    """Return beta**step; 0 once ``1 - beta**step`` rounds to 1, which saves much of a small step's time."""
    return 0.0 if step * (1.0 - beta) > 40.0 else beta**step


@inlined
def _sgd(h: Array, lr: float, step: float, theta: Array, grad: Array, buffer: Array, single: bool) -> None:
    decay, sign = h[1], -1.0 if h[2] != 0.0 else 1.0
    momentum, share, nesterov = h[3], 1.0 - h[4], h[5]
    if momentum == 0.0:
        for i in range(theta.size):
            theta[i] = stored(theta[i] - lr * stored(sign * grad[i] + decay * theta[i], single), single)
        return
    if step == 1.0:  # the first gradient is taken whole, whatever the dampening
        momentum, share = 0.0, 1.0
    for i in range(theta.size):
        g = stored(sign * grad[i] + decay * theta[i], single)
        b = stored(stored(momentum * buffer[i], single) + share * g, single)
        buffer[i] = b
        along = stored(g + h[3] * b, single) if nesterov != 0.0 else b
        theta[i] = stored(theta[i] - lr * along, single)


@inlined
def _adagrad(h: Array, lr: float, step: float, theta: Array, grad: Array, total: Array, single: bool) -> None:
    decay, sign = h[1], -1.0 if h[2] != 0.0 else 1.0
    eps, rate = h[4], lr / (1.0 + (step - 1.0) * h[3])
    for i in range(theta.size):
        g = stored(sign * grad[i] + decay * theta[i], single)
        s = stored(total[i] + g * g, single)
        total[i] = s
        theta[i] = stored(theta[i] - rate * g / (math.sqrt(s) + eps), single)


@inlined
def _rmsprop(
    h: Array, lr: float, theta: Array, grad: Array, square: Array, buffer: Array, mean: Array, single: bool
) -> None:  # fmt: skip
    decay, sign = h[1], -1.0 if h[2] != 0.0 else 1.0
    alpha, eps, momentum, centered = h[3], h[4], h[5], h[6]
    for i in range(theta.size):
        g = stored(sign * grad[i] + decay * theta[i], single)
        v = stored(alpha * square[i] + (1.0 - alpha) * g * g, single)
        square[i] = v
        if centered != 0.0:
            m = stored(lerp(mean[i], g, 1.0 - alpha), single)
            mean[i] = m
            v = stored(v - m * m, single)
        root = math.sqrt(v) + eps
        if momentum > 0.0:
            b = stored(momentum * buffer[i] + g / root, single)
            buffer[i] = b
            theta[i] = stored(theta[i] - lr * b, single)
        else:
            theta[i] = stored(theta[i] - lr * g / root, single)


@inlined
def _adam(
    h: Array, lr: float, step: float,
    theta: Array, grad: Array, mean: Array, square: Array, top: Array, single: bool,
) -> None:  # fmt: skip
    beta1, beta2, eps, amsgrad, decoupled = h[3], h[4], h[5], h[6], h[7]
    sign = -1.0 if h[2] != 0.0 else 1.0
    decay, kept = (0.0, 1.0 - lr * h[1]) if decoupled != 0.0 else (h[1], 1.0)
    rate, root = lr / (1.0 - _left(beta1, step)), math.sqrt(1.0 - _left(beta2, step))
    for i in range(theta.size):
        t = stored(theta[i] * kept, single)
        g = stored(sign * grad[i] + decay * t, single)
        m = stored(lerp(mean[i], g, 1.0 - beta1), single)
        v = stored(beta2 * square[i] + (1.0 - beta2) * g * g, single)
        mean[i] = m
        square[i] = v
        if amsgrad != 0.0:
            v = max(top[i], v)
            top[i] = v
        theta[i] = stored(t - rate * m / (math.sqrt(v) / root + eps), single)


@inlined
def _adadelta(
    h: Array, lr: float, theta: Array, grad: Array, square: Array, moved: Array, single: bool
) -> None:  # fmt: skip
    decay, sign = h[1], -1.0 if h[2] != 0.0 else 1.0
    rho, eps = h[3], h[4]
    for i in range(theta.size):
        g = stored(sign * grad[i] + decay * theta[i], single)
        v = stored(rho * square[i] + (1.0 - rho) * g * g, single)
        d = stored(math.sqrt(moved[i] + eps) / math.sqrt(v + eps) * g, single)
        square[i] = v
        moved[i] = stored(rho * moved[i] + (1.0 - rho) * d * d, single)
        theta[i] = stored(theta[i] - lr * d, single)


@inlined
def _nadam_mu(beta1: float, decay: float, step: float) -> float:
    return beta1 * (1.0 - 0.5 * 0.96 ** (step * decay))


@inlined
def _nadam(
    h: Array, lr: float, step: float, product: float,
    theta: Array, grad: Array, mean: Array, square: Array, single: bool,
) -> None:  # fmt: skip
    beta1, beta2, eps, decoupled = h[3], h[4], h[5], h[7]
    sign = -1.0 if h[2] != 0.0 else 1.0
    decay, kept = (0.0, 1.0 - lr * h[1]) if decoupled != 0.0 else (h[1], 1.0)
    mu, mu_next = _nadam_mu(beta1, h[6], step), _nadam_mu(beta1, h[6], step + 1.0)
    left = 1.0 - _left(beta2, step)
    on_gradient, on_mean = lr * (1.0 - mu) / (1.0 - product), lr * mu_next / (1.0 - product * mu_next)
    for i in range(theta.size):
        t = stored(theta[i] * kept, single)
        g = stored(sign * grad[i] + decay * t, single)
        m = stored(lerp(mean[i], g, 1.0 - beta1), single)
        v = stored(beta2 * square[i] + (1.0 - beta2) * g * g, single)
        mean[i] = m
        square[i] = v
        root = math.sqrt(v / left) + eps
        t = stored(t - on_gradient * g / root, single)
        theta[i] = stored(t - on_mean * m / root, single)


@inlined
def _beyond(x: float, price: float) -> float:
    """What x has beyond the interval from -price to price: exactly 0 inside."""
    return x - min(max(x, -price), price)


@compiled(
    "void(int64, const int64[:, ::1], const float64[:, ::1], const float64[::1], const float64[:, ::1],"
    " const float64[::1], float64[::1], float64[:, ::1], boolean)"
)
def shrink(
    code: int, spans: NDArray[np.int64], hyper: Array, rates: Array, clock: Array, lasso: Array,
    theta: Array, slots: Array, single: bool,
) -> None:  # fmt: skip
    """Take the proximal step of ``sum_i lasso_i |theta_i|`` that belongs to the update just made."""
    for s in range(spans.shape[0]):
        start, stop, row = spans[s, 0], spans[s, 1], spans[s, 2]
        h, lr, step = hyper[row], rates[row], clock[row, 0]
        price, t = lasso[start:stop], theta[start:stop]
        if code == SGD:
            _shrink_sgd(h, lr, step, price, t, slots[0, start:stop], single)
        elif code == RMSPROP:
            _shrink_rmsprop(h, lr, price, t, slots[:, start:stop], single)
        else:
            for i in range(t.size):
                metric = _metric(code, h, lr, step, clock[row, 1], slots[:, start + i])
                t[i] = stored(_beyond(t[i], metric * price[i]), single)


@inlined
def _metric(code: int, h: Array, lr: float, step: float, product: float, slots: Array) -> float:
    """What the gradient of an entry was multiplied by; of Adadelta, what it will be multiplied by."""
    if code == ADAGRAD:
        return lr / (1.0 + (step - 1.0) * h[3]) / (math.sqrt(slots[0]) + h[4])
    if code == ADAM:
        v = slots[2] if h[6] != 0.0 else slots[1]
        return lr / (math.sqrt(v / (1.0 - _left(h[4], step))) + h[5])
    if code == ADADELTA:
        return lr * math.sqrt(slots[1] + h[4]) / math.sqrt(slots[0] + h[4])
    mu, mu_next = _nadam_mu(h[3], h[6], step), _nadam_mu(h[3], h[6], step + 1.0)
    share = (1.0 - mu) / (1.0 - product) + mu_next / (1.0 - product * mu_next)
    return lr * share / (math.sqrt(slots[1] / (1.0 - _left(h[4], step))) + h[5])


@inlined
def _shrink_sgd(
    h: Array, lr: float, step: float, price: Array, theta: Array, buffer: Array, single: bool
) -> None:
    momentum, nesterov = h[3], h[5] != 0.0
    metric = lr if momentum == 0.0 or step == 1.0 else lr * (1.0 - h[4])
    for i in range(theta.size):
        ahead = lr * momentum * buffer[i] if nesterov else 0.0  # theta is so far ahead of the iterate
        reached = theta[i] + ahead
        kept = _beyond(reached, metric * price[i])
        if nesterov and kept == 0.0:  # where rounding would keep it a little ahead of 0 for ever
            buffer[i] = 0.0
        elif momentum != 0.0 and lr > 0.0:
            buffer[i] = stored(buffer[i] + (reached - kept) / lr, single)
        theta[i] = stored(kept - lr * momentum * buffer[i] if nesterov else kept, single)


@inlined
def _shrink_rmsprop(h: Array, lr: float, price: Array, theta: Array, slots: Array, single: bool) -> None:
    eps, momentum, centered = h[4], h[5], h[6] != 0.0
    for i in range(theta.size):
        v = slots[0, i] - slots[2, i] * slots[2, i] if centered else slots[0, i]
        kept = _beyond(theta[i], lr / (math.sqrt(v) + eps) * price[i])
        if momentum > 0.0 and lr > 0.0:
            slots[1, i] = stored(slots[1, i] + (theta[i] - kept) / lr, single)
        theta[i] = stored(kept, single)
