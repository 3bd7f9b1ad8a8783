"""One update of the parameters by each rule of the descent family, exactly as torch.optim makes it.

The order of the operations is that of the single-tensor code of `torch.optim` (PyTorch 2.13), so that
parameters and every state entry agree with it to rounding. Per entry, with gradient g (negated for `maximize`)
and parameter t:

    SGD       b <- m b + (1 - dampening) g  (b <- g first);  t <- t - lr b,  or  t - lr (g + m b)  for Nesterov
    AdaGrad   s <- s + g^2;  t <- t - lr / (1 + (step - 1) lr_decay) g / (sqrt(s) + eps)
    RMSprop   v <- a v + (1 - a) g^2;  t <- t - lr g / (sqrt(v [- mean^2]) + eps), or through a momentum buffer
    Adam      m, v <- moving means of g, g^2;  t <- t - lr / (1 - b1^step) m / (sqrt(v) / sqrt(1 - b2^step) + eps)
    Adadelta  v <- r v + (1 - r) g^2;  d <- sqrt(a + eps) / sqrt(v + eps) g;  a <- r a + (1 - r) d^2;  t <- t - lr d
    NAdam     Adam with Nesterov's momentum (Dozat 2016)

Sources: Qian 1999 and Sutskever et al. 2013 (momentum, Nesterov); Duchi, Hazan, Singer 2011 (AdaGrad);
Tieleman, Hinton 2012 (RMSprop); Kingma, Ba 2015 (Adam); Reddi, Kale, Kumar 2018 (AMSGrad);
Loshchilov, Hutter 2019 (AdamW); Zeiler 2012 (Adadelta); Dozat 2016 (NAdam).

Arithmetic is float64. When the parameters are float32 (`single`), everything that is kept, a parameter or a
state entry, is rounded to float32 as it is stored, which is how torch keeps it.
"""

import math

import numpy as np

from torchlinear.kernels import inlined

__all__ = ["ADADELTA", "ADAGRAD", "ADAM", "HYPER", "NADAM", "RMSPROP", "SGD", "SLOTS", "advance", "tick"]

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
def stored(x, single):  # type: ignore[no-untyped-def]
    """Round x as it is kept: to float32 when `single`."""
    return np.float64(np.float32(x)) if single else x


@inlined
def lerp(start, end, share):  # type: ignore[no-untyped-def]
    """Move from `start` by `share` of the way to `end`, from the nearer side as torch.lerp does."""
    return start + share * (end - start) if share < 0.5 else end - (end - start) * (1.0 - share)


@inlined
def tick(rule, hyper, clock, single_clock):  # type: ignore[no-untyped-def]
    """Count one step in every row of `clock` (step, mu_product); float32 scalars stick at 2**24 as torch's do."""
    for row in range(clock.shape[0]):
        step = stored(clock[row, 0] + 1.0, single_clock)
        clock[row, 0] = step
        if rule == NADAM:
            mu = _nadam_mu(hyper[row, 3], hyper[row, 6], step)
            clock[row, 1] = stored(clock[row, 1] * stored(mu, single_clock), single_clock)


@inlined
def advance(rule, spans, hyper, rates, clock, theta, grad, slots, single):  # type: ignore[no-untyped-def]
    """Update the entries of each span (start, stop, row) by the rule with that row's hyper-parameters."""
    for s in range(spans.shape[0]):
        start, stop, row = spans[s, 0], spans[s, 1], spans[s, 2]
        h, lr, step = hyper[row], rates[row], clock[row, 0]
        if rule == SGD:
            _sgd(start, stop, h, lr, step, theta, grad, slots, single)
        elif rule == ADAM:
            _adam(start, stop, h, lr, step, theta, grad, slots, single)
        elif rule == ADAGRAD:
            _adagrad(start, stop, h, lr, step, theta, grad, slots, single)
        elif rule == RMSPROP:
            _rmsprop(start, stop, h, lr, theta, grad, slots, single)
        elif rule == ADADELTA:
            _adadelta(start, stop, h, lr, theta, grad, slots, single)
        else:
            _nadam(start, stop, h, lr, step, clock[row, 1], theta, grad, slots, single)


@inlined
def _gradient(g, t, h, single):  # type: ignore[no-untyped-def]
    """Gradient with the sign of `maximize` and the weight decay that is coupled to it."""
    if h[2] != 0.0:
        g = -g
    return stored(g + h[1] * t, single) if h[1] != 0.0 else g


@inlined
def _sgd(start, stop, h, lr, step, theta, grad, slots, single):  # type: ignore[no-untyped-def]
    momentum, share, nesterov = h[3], 1.0 - h[4], h[5] != 0.0
    if momentum == 0.0:
        for i in range(start, stop):
            theta[i] = stored(theta[i] - lr * _gradient(grad[i], theta[i], h, single), single)
        return
    first = step == 1.0
    for i in range(start, stop):
        g = _gradient(grad[i], theta[i], h, single)
        b = g if first else stored(stored(momentum * slots[0, i], single) + share * g, single)
        slots[0, i] = b
        theta[i] = stored(theta[i] - lr * (stored(g + momentum * b, single) if nesterov else b), single)


@inlined
def _adagrad(start, stop, h, lr, step, theta, grad, slots, single):  # type: ignore[no-untyped-def]
    eps, rate = h[4], lr / (1.0 + (step - 1.0) * h[3])
    for i in range(start, stop):
        g = _gradient(grad[i], theta[i], h, single)
        slots[0, i] = stored(slots[0, i] + g * g, single)
        theta[i] = stored(theta[i] - rate * g / (math.sqrt(slots[0, i]) + eps), single)


@inlined
def _rmsprop(start, stop, h, lr, theta, grad, slots, single):  # type: ignore[no-untyped-def]
    alpha, eps, momentum, centered = h[3], h[4], h[5], h[6] != 0.0
    for i in range(start, stop):
        g = _gradient(grad[i], theta[i], h, single)
        v = stored(alpha * slots[0, i] + (1.0 - alpha) * g * g, single)
        slots[0, i] = v
        if centered:
            mean = stored(lerp(slots[2, i], g, 1.0 - alpha), single)
            slots[2, i] = mean
            v = stored(v - mean * mean, single)
        root = stored(math.sqrt(v), single) + eps
        if momentum > 0.0:
            slots[1, i] = stored(momentum * slots[1, i] + g / root, single)
            theta[i] = stored(theta[i] - lr * slots[1, i], single)
        else:
            theta[i] = stored(theta[i] - lr * g / root, single)


@inlined
def _adam(start, stop, h, lr, step, theta, grad, slots, single):  # type: ignore[no-untyped-def]
    beta1, beta2, eps, amsgrad, decoupled = h[3], h[4], h[5], h[6] != 0.0, h[7] != 0.0
    rate = lr / (1.0 - beta1**step)
    root = math.sqrt(1.0 - beta2**step)
    kept = 1.0 - lr * h[1] if decoupled else 1.0
    decay = 0.0 if decoupled else h[1]
    sign = -1.0 if h[2] != 0.0 else 1.0
    for i in range(start, stop):
        t = stored(theta[i] * kept, single)
        g = stored(sign * grad[i] + decay * t, single)
        m = stored(lerp(slots[0, i], g, 1.0 - beta1), single)
        v = stored(beta2 * slots[1, i] + (1.0 - beta2) * g * g, single)
        slots[0, i] = m
        slots[1, i] = v
        if amsgrad:
            v = max(slots[2, i], v)
            slots[2, i] = v
        theta[i] = stored(t - rate * m / (math.sqrt(v) / root + eps), single)


@inlined
def _adadelta(start, stop, h, lr, theta, grad, slots, single):  # type: ignore[no-untyped-def]
    rho, eps = h[3], h[4]
    for i in range(start, stop):
        g = _gradient(grad[i], theta[i], h, single)
        v = stored(rho * slots[0, i] + (1.0 - rho) * g * g, single)
        d = stored(math.sqrt(slots[1, i] + eps) / math.sqrt(v + eps) * g, single)
        slots[0, i] = v
        slots[1, i] = stored(rho * slots[1, i] + (1.0 - rho) * d * d, single)
        theta[i] = stored(theta[i] - lr * d, single)


@inlined
def _nadam_mu(beta1, decay, step):  # type: ignore[no-untyped-def]
    return beta1 * (1.0 - 0.5 * 0.96 ** (step * decay))


@inlined
def _nadam(start, stop, h, lr, step, product, theta, grad, slots, single):  # type: ignore[no-untyped-def]
    beta1, beta2, eps, decoupled = h[3], h[4], h[5], h[7] != 0.0
    mu, mu_next = _nadam_mu(beta1, h[6], step), _nadam_mu(beta1, h[6], step + 1.0)
    correction = 1.0 - beta2**step
    on_gradient = lr * (1.0 - mu) / (1.0 - product)
    on_mean = lr * mu_next / (1.0 - product * mu_next)
    kept = 1.0 - lr * h[1] if decoupled else 1.0
    decay = 0.0 if decoupled else h[1]
    sign = -1.0 if h[2] != 0.0 else 1.0
    for i in range(start, stop):
        t = stored(theta[i] * kept, single)
        g = stored(sign * grad[i] + decay * t, single)
        m = stored(lerp(slots[0, i], g, 1.0 - beta1), single)
        v = stored(beta2 * slots[1, i] + (1.0 - beta2) * g * g, single)
        slots[0, i] = m
        slots[1, i] = v
        root = stored(math.sqrt(v / correction), single) + eps
        t = stored(t - on_gradient * g / root, single)
        theta[i] = stored(t - on_mean * m / root, single)
