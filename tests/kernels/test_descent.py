"""The descent kernels against torch and autograd, against themselves cut in pieces, and at their limits."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from torchlinear.kernels import descent, epochs, update
from torchlinear.kernels.descent import Batches, Quadratic, Rule, Walk

N, P, K = 700, 5, 2  # more rows than the kernel gathers at a time
RULES = [update.SGD, update.ADAGRAD, update.RMSPROP, update.ADAM, update.ADADELTA, update.NADAM]
# A row of hyper-parameters for each rule: lr, weight_decay, maximize, then those of update.HYPER.
HYPER = {
    update.SGD: [0.05, 1e-3, 0, 0.9, 0.1, 0],
    update.ADAGRAD: [0.05, 1e-3, 0, 1e-3, 1e-8],
    update.RMSPROP: [0.01, 1e-3, 0, 0.9, 1e-6, 0.5, 1],
    update.ADAM: [0.01, 1e-3, 0, 0.9, 0.99, 1e-6, 1, 0],
    update.ADADELTA: [1.0, 1e-3, 0, 0.9, 1e-5],
    update.NADAM: [0.01, 1e-3, 0, 0.9, 0.99, 1e-6, 4e-3, 1],
}


def rule_of(code, *, group=None, **changes):
    hyper = np.zeros((1, 8))
    hyper[0, : len(HYPER[code])] = HYPER[code]
    group = np.zeros(K * (P + 1), dtype=int) if group is None else group
    return Rule(code, hyper, descent.spans_of(group), **changes)


def plain_sgd(lr, group=None):
    rule = rule_of(update.SGD, group=group)
    rule.hyper[0, :] = [lr, *[0.0] * 7]
    return rule


def rows(seed=0, x_dtype=np.float64, y_dtype=np.float64, n=N):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, P)) * [1, 2, 0.5, 1, 1] + [0, 1, 0, -1, 3]
    y = X @ rng.normal(size=(P, K)) + [1.0, -2.0] + 0.3 * rng.normal(size=(n, K))
    return X.astype(x_dtype), y.astype(y_dtype)


def order_of(seed=0, n=N):
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed), dtype=torch.int32).numpy()


def start(seed=1):
    return Walk.start(np.random.default_rng(seed).normal(size=K * (P + 1)), rows=1)


def form_of(X, y, ridge=0.0, anchor=None, gain=1.0):
    """MSELoss plus 1/2 ridge |w|^2 of all rows, about `anchor`, the optimum by default."""
    X, y = X.astype(np.longdouble), y.astype(np.longdouble)
    n, factor = len(X), 1.0 / y.size
    mean = X.mean(axis=0)
    if anchor is None:
        Z = np.column_stack([X, np.ones(n)]).astype(np.float64)
        best = np.linalg.lstsq(Z, y.astype(np.float64), rcond=None)[0]
        anchor = np.concatenate([best[:-1].T.ravel(), best[-1]])
    weight, bias = anchor[: K * P].reshape(K, P), anchor[K * P :]
    r = y - X @ weight.T - bias
    slope = np.concatenate([-2 * factor * (X.T @ r).T.ravel(), -2 * factor * r.sum(axis=0)])
    return Quadratic(
        np.asarray(2 * factor * (X - mean).T @ (X - mean), dtype=np.float64),
        np.asarray(mean, dtype=np.float64),
        2.0 * factor * n,
        anchor,
        np.asarray(slope, dtype=np.float64),
        np.asarray(factor * np.square(r).sum(axis=0), dtype=np.float64),
        np.full(P, ridge),
        np.full(K, gain),
    )


def by_autograd(theta, X, y, ridge=0.0):
    """MSELoss and its gradient, by torch."""
    t = torch.tensor(theta, requires_grad=True)
    weight, bias = t[: K * P].reshape(K, P), t[K * P :]
    eta = torch.nn.functional.linear(torch.tensor(X, dtype=torch.float64), weight, bias)
    loss = torch.nn.functional.mse_loss(eta, torch.tensor(y, dtype=torch.float64))
    loss = loss + 0.5 * ridge * weight.square().sum()
    loss.backward()
    return float(loss.detach()), t.grad.numpy()


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("far", [False, True])
def test_full_batch_loss_and_gradient_are_autograds(ridge, far):
    X, y = rows()
    anchor = np.random.default_rng(5).normal(size=K * (P + 1)) if far else None
    done = descent.full_batch(form_of(X, y, ridge, anchor), plain_sgd(0.01), start(), np.full((1, 1), 0.01))
    loss, grad = by_autograd(start().theta, X, y, ridge)
    assert done.losses[0] == pytest.approx(loss, rel=1e-13)
    np.testing.assert_allclose(done.walk.grad, grad, rtol=1e-12)
    np.testing.assert_allclose(done.walk.theta, start().theta - 0.01 * grad, rtol=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("batch_size", [1, 7, 32, 300, N, 10_000])
@pytest.mark.parametrize("dtypes", [("f8", "f8"), ("f4", "f4"), ("f4", "f8"), ("f8", "f4")])
def test_mini_batches_are_autograds(batch_size, dtypes, ridge):
    X, y = rows(0, *dtypes)
    order, walk, lr = order_of(), start(), 1e-3
    batches = replace(Batches.plain(X, y, batch_size), ridge=np.full(P, ridge))
    part = descent.mini_batch(batches, plain_sgd(lr), walk, np.array([lr]), order)
    theta, total = walk.theta, 0.0
    for batch in torch.tensor(order).split(batch_size):
        loss, grad = by_autograd(theta, X[batch], y[batch], ridge)
        theta, total = theta - lr * grad, total + loss * len(batch)
    assert part.cursor == N
    assert part.total == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(part.walk.theta, theta, rtol=1e-11)
    np.testing.assert_allclose(part.walk.grad, grad, rtol=1e-9)


def test_weighted_rows_in_other_units_are_the_same_rows_written_out():
    X, y = rows()
    weight = np.random.default_rng(3).integers(0, 4, size=N).astype(float)
    centre, scale, target_centre, target_scale = X.mean(0), 1 / X.std(0), y.mean(0), 1 / y.std(0)
    plain = Batches.plain((X - centre) * scale, (y - target_centre) * target_scale, 50)
    inside = replace(
        Batches.plain(X, y, 50),
        weight=weight / weight.mean(),
        centre=centre,
        scale=scale,
        target_centre=target_centre,
        target_scale=target_scale,
    )
    order, walk = order_of(), start()
    for batch in np.split(order, range(50, N, 50)):
        share = weight[batch] / weight.mean() / len(batch)
        residual = plain.X[batch] @ walk.theta[: K * P].reshape(K, P).T + walk.theta[K * P :] - plain.y[batch]
        r = share[:, None] * residual * 2 / K
        grad = np.concatenate([(r.T @ plain.X[batch]).ravel(), r.sum(axis=0)])
        walk = replace(walk, theta=walk.theta - 0.01 * grad)
    part = descent.mini_batch(inside, plain_sgd(0.01), start(), np.array([0.01]), order)
    np.testing.assert_allclose(part.walk.theta, walk.theta, rtol=1e-11)


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("code", RULES)
def test_compiled_loops_are_their_plain_python(code, single):
    X, y = rows(n=40)
    form, rule = form_of(X, y, ridge=0.1), rule_of(code, single=single)
    rates = np.linspace(0.05, 0.01, 12)[:, None]
    done = descent.full_batch(form, rule, start(), rates)
    walk, losses = start(), np.empty(12)
    epochs.full_batch.function(
        *descent.rule_numbers(rule, rates), walk.theta, walk.slots, walk.clock, walk.grad,
        form.curvature, form.mean, form.weight, form.anchor, form.slope, form.floor, form.ridge, form.gain,
        losses,
    )  # fmt: skip
    np.testing.assert_allclose(done.walk.theta, walk.theta, rtol=1e-14)
    np.testing.assert_allclose(done.walk.slots, walk.slots, rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(done.losses, losses, rtol=1e-14)
    if single:
        for kept in (done.walk.theta, done.walk.slots, done.walk.grad):
            np.testing.assert_array_equal(kept, kept.astype(np.float32))


@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize("code", RULES)
def test_an_epoch_in_pieces_gives_the_same_bits(code, batch_size):
    X, y = rows()
    batches, rule, rates, order = Batches.plain(X, y, batch_size), rule_of(code), np.array([0.01]), order_of()
    whole = descent.mini_batch(batches, rule, start(), rates, order)
    rng, walk, total, at = np.random.default_rng(7), start(), 0.0, 0
    while at < N:
        stop = min(at + batch_size * int(rng.integers(1, 1 + 200 // batch_size)), N)
        part = descent.mini_batch(batches, rule, walk, rates, order, at, stop, total)
        walk, total, at = part.walk, part.total, part.cursor
    assert total == whole.total
    for name in ("theta", "slots", "clock", "grad"):
        np.testing.assert_array_equal(getattr(walk, name), getattr(whole.walk, name))


@pytest.mark.parametrize("code", RULES)
def test_epochs_in_pieces_give_the_same_bits(code):
    form, rule, rates = form_of(*rows()), rule_of(code), np.linspace(0.05, 0.0, 200)[:, None]
    whole = descent.full_batch(form, rule, start(), rates)
    first = descent.full_batch(form, rule, start(), rates[:77])
    second = descent.full_batch(form, rule, first.walk, rates[77:])
    np.testing.assert_array_equal(np.r_[first.losses, second.losses], whole.losses)
    for name in ("theta", "slots", "clock", "grad"):
        np.testing.assert_array_equal(getattr(second.walk, name), getattr(whole.walk, name))


def test_what_is_given_stays_as_it_is():
    X, y = rows()
    rule, walk = rule_of(update.ADAM), start()
    descent.full_batch(form_of(X, y), rule, walk, np.full((3, 1), 0.1))
    descent.mini_batch(Batches.plain(X, y, 32), rule, walk, np.array([0.1]), order_of())
    np.testing.assert_array_equal(walk.theta, start().theta)
    assert not walk.slots.any()
    assert walk.clock.tolist() == [[0.0, 1.0]]


def test_frozen_entries_stay():
    X, y = rows()
    group = np.zeros(K * (P + 1), dtype=int)
    group[[0, 4, K * P]] = -1
    frozen = group == -1
    for code in RULES:
        rule = rule_of(code, group=group)
        done = descent.full_batch(form_of(X, y), rule, start(), np.full((50, 1), 0.05))
        part = descent.mini_batch(Batches.plain(X, y, 32), rule, start(), np.array([0.05]), order_of())
        for walk in (done.walk, part.walk):
            np.testing.assert_array_equal(walk.theta[frozen], start().theta[frozen])
            assert (walk.theta[~frozen] != start().theta[~frozen]).all()


def test_each_group_follows_its_own_numbers():
    """Outputs do not meet in squared loss: two groups at once are two descents."""
    form = form_of(*rows())
    group = np.repeat([0, 1, 0, 1], [P, P, 1, 1])
    rates = np.column_stack([np.linspace(0.1, 0.01, 60), np.linspace(0.02, 0.2, 60)])
    for code in RULES:
        both = rule_of(code, group=group)
        hyper = np.repeat(both.hyper, 2, axis=0)
        hyper[1, 1] = 0.05
        walk = Walk.start(start().theta, rows=2)
        joint = descent.full_batch(form, replace(both, hyper=hyper), walk, rates)
        for g in (0, 1):
            alone = replace(rule_of(code, group=np.where(group == g, 0, -1)), hyper=hyper[g : g + 1].copy())
            done = descent.full_batch(form, alone, start(), np.ascontiguousarray(rates[:, g : g + 1]))
            np.testing.assert_array_equal(joint.walk.theta[group == g], done.walk.theta[group == g])


def test_spans_are_the_runs_of_a_group():
    assert descent.spans_of(np.array([0, 0, -1, 1, 1, 0])).tolist() == [[0, 2, 0], [3, 5, 1], [5, 6, 0]]
    assert descent.spans_of(np.array([-1])).tolist() == []


def test_small_losses_keep_their_digits():
    """A line meets the targets to 1e-8: the last loss is 1e-16 of their variance, right to 9 digits."""
    rng = np.random.default_rng(0)
    X = rng.random((50, P))
    y = X @ rng.normal(size=(P, K)) + 0.8 + 1e-8 * rng.normal(size=(50, K))
    done = descent.full_batch(form_of(X, y), plain_sgd(1.0), start(), np.full((20_000, 1), 0.3))
    theta = done.walk.theta.astype(np.longdouble)
    r = y.astype(np.longdouble) - X @ theta[: K * P].reshape(K, P).T - theta[K * P :]
    truth = float(np.square(r).mean())
    assert truth < 1e-15 * y.var()
    assert done.losses[-1] == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_divergence_stops(momentum):
    X, y = rows()
    rule = plain_sgd(10.0)
    rule.hyper[0, 3] = momentum
    done = descent.full_batch(form_of(X, y), rule, start(), np.full((10_000, 1), 10.0))
    assert len(done.losses) < 1_000
    assert not np.isfinite(done.walk.theta).all()
    part = descent.mini_batch(Batches.plain(X, y, 1), rule, start(), np.array([10.0]), order_of())
    assert part.cursor < N
    assert not np.isfinite(part.walk.theta).all()


def test_steps_in_float32_stick_at_two_to_the_24th():
    rule, walk = rule_of(update.ADAM), start()
    walk.clock[0, 0] = 2.0**24
    gradients, rates = np.ones((3, K * (P + 1))), np.full((3, 1), 0.1)
    assert descent.follow(rule, walk, gradients, rates).clock[0, 0] == 2.0**24
    wide = replace(rule, single_scalars=False)
    assert descent.follow(wide, walk, gradients, rates).clock[0, 0] == 2.0**24 + 3
    step = torch.tensor(2.0**24)
    step += 1
    assert float(step) == 2.0**24  # torch's own scalar
