"""Descent on other losses than the squared: against autograd, against itself cut in pieces, at its limits."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from torchlinear.kernels import criteria, descent, losses, passes, update
from torchlinear.kernels.criteria import ENTRIES, NOTHING, ROWS, SHARES, Criterion, Minibatches, Tiles
from torchlinear.kernels.descent import Rule, Walk

N, P = 300, 5  # more rows than a tile
RULES = [update.SGD, update.ADAGRAD, update.RMSPROP, update.ADAM, update.ADADELTA, update.NADAM]
F = torch.nn.functional


def softplus(x):
    return torch.clamp(x, min=0) + torch.log1p(torch.exp(-x.abs()))


def cross_entropy(eta, y, numbers, weights):
    """The definition in the module, by autograd."""
    k, log_p = eta.shape[1], eta.log_softmax(dim=1)
    hit = F.one_hot(y[:, 0].long().clamp(min=0), k).double() if y.shape[1] == 1 else y
    q = weights[0] * ((1 - numbers[0]) * hit + numbers[0] / k)
    if y.shape[1] == 1:
        q = q * (y != numbers[1])
    return -(q * log_p).sum(dim=1)


# Loss of each row, (m,), from scores and targets (m, k), the numbers and the weights.
DEFINITIONS = {
    losses.ABSOLUTE: lambda e, y, n, w: (e - y).abs().sum(dim=1),
    losses.HUBER: lambda e, y, n, w: n[1] * F.huber_loss(e, y, delta=float(n[0]), reduction="none").sum(dim=1),
    losses.LOGISTIC: lambda e, y, n, w: (
        (w[0] * ((1 - y) * softplus(e) + w[1] * y * softplus(-e))).sum(dim=1)
    ),
    losses.POISSON: lambda e, y, n, w: F.poisson_nll_loss(e, y, full=bool(n[0]), reduction="none").sum(dim=1),
    losses.MEAN: lambda e, y, n, w: F.poisson_nll_loss(
        e, y, log_input=False, full=bool(n[0]), eps=float(n[1]), reduction="none"
    ).sum(dim=1),
    losses.SOFTMAX: cross_entropy,
}  # fmt: skip
# A loss, how many outputs, numbers, and what the sum is divided by.
CASES = {
    "absolute": (losses.ABSOLUTE, 2, {}, ENTRIES),
    "huber": (losses.HUBER, 2, {"delta": 0.6, "scale": 1.7}, ENTRIES),
    "logistic": (losses.LOGISTIC, 2, {}, NOTHING),
    "one logistic": (losses.LOGISTIC, 1, {}, ROWS),
    "one huber": (losses.HUBER, 1, {"delta": 0.6, "scale": 1.7}, NOTHING),
    "one absolute": (losses.ABSOLUTE, 1, {}, ENTRIES),
    "poisson": (losses.POISSON, 1, {"full": 1.0}, ROWS),
    "means": (losses.MEAN, 1, {"full": 0.0, "eps": 0.1}, ROWS),
    "classes": (losses.SOFTMAX, 4, {"smoothing": 0.1, "ignored": 2.0}, SHARES),
    "probabilities": (losses.SOFTMAX, 3, {"smoothing": 0.2, "ignored": -100.0}, ROWS),
}


def problem(name, *, batch_size=32, n=N, weighted=False, ridge=0.0, framed=False, dtype=np.float64, seed=0):
    code, k, numbers, divisor = CASES[name]
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, P)) * [1, 2, 0.5, 1, 1] + [0, 1, 0, -1, 0.5]).astype(dtype)
    y = {
        losses.LOGISTIC: lambda: (rng.random((n, k)) < 0.5).astype(float),
        losses.POISSON: lambda: rng.poisson(2.0, size=(n, k)).astype(float),
        losses.MEAN: lambda: rng.poisson(2.0, size=(n, k)).astype(float),
        losses.SOFTMAX: lambda: (
            rng.dirichlet(np.ones(k), size=n) if name == "probabilities"
            else rng.integers(0, k, size=(n, 1)).astype(float)
        ),
    }.get(code, lambda: rng.normal(size=(n, k)))()  # fmt: skip
    criterion = Criterion.of(
        code,
        k,
        numbers=numbers,
        divisor=divisor,
        weight=rng.uniform(0.5, 2, k),
        positive=rng.uniform(0.5, 2, k),
    )
    return replace(
        Minibatches.plain(X, y, criterion, batch_size),
        weight=rng.uniform(0.2, 3.0, n) if weighted else np.empty(0),
        centre=rng.normal(size=P) if framed else np.zeros(P),
        scale=rng.uniform(0.5, 1.5, P) if framed else np.ones(P),
        ridge=np.full(P, ridge),
    )


def start_of(batches, seed=1):
    """Small weights, and scores far above zero where they are means."""
    k = batches.criterion.outputs
    theta = 0.05 * np.random.default_rng(seed).normal(size=k * (P + 1))
    if batches.criterion.code == losses.MEAN:
        theta[-k:] = 3.0
    return Walk.start(theta, rows=1)


def rule_of(code, batches, lr=0.01):
    defaults = {
        update.SGD: [lr, 1e-3, 0, 0.9, 0.1, 0],
        update.ADAGRAD: [lr, 1e-3, 0, 1e-3, 1e-8],
        update.RMSPROP: [lr, 1e-3, 0, 0.9, 1e-6, 0.5, 1],
        update.ADAM: [lr, 1e-3, 0, 0.9, 0.99, 1e-6, 1, 0],
        update.ADADELTA: [lr, 1e-3, 0, 0.9, 1e-5],
        update.NADAM: [lr, 1e-3, 0, 0.9, 0.99, 1e-6, 4e-3, 1],
    }[code]
    hyper = np.zeros((1, 8))
    hyper[0, : len(defaults)] = defaults
    return Rule(code, hyper, descent.spans_of(np.zeros(batches.criterion.outputs * (P + 1), dtype=int)))


def plain(batches):
    hyper = np.zeros((1, 8))
    return Rule(update.SGD, hyper, descent.spans_of(np.zeros(batches.criterion.outputs * (P + 1), dtype=int)))


def truth(batches, theta, rows):
    """Loss and gradient of some rows by autograd."""
    c = batches.criterion
    k, t = c.outputs, torch.tensor(theta, requires_grad=True)
    X = torch.from_numpy((batches.X[rows] - batches.centre) * batches.scale)
    y, numbers, weights = (torch.from_numpy(a) for a in (batches.y[rows], c.numbers, c.weights))
    W = t[: k * P].reshape(k, P)
    eta = X @ W.T + t[k * P :]
    each = DEFINITIONS[c.code](eta, y, numbers, weights)
    w = torch.from_numpy(batches.weight[rows]) if batches.weight.size else torch.ones(len(y))
    divisor = {NOTHING: 1.0, ROWS: len(y), ENTRIES: len(y) * k}.get(c.divisor)
    if divisor is None:
        label = y[:, 0].long()
        divisor = (w * weights[0][label] * (label != int(numbers[1]))).sum()
    loss = (w * each).sum() / divisor + 0.5 * (torch.from_numpy(batches.ridge) * W.square()).sum()
    loss.backward()
    return loss.item(), t.grad.numpy()


OPTIONS = {
    "plain": {},
    "row weights": {"weighted": True},
    "ridge": {"ridge": 0.3},
    "frame": {"framed": True},
    "all, float32": {"weighted": True, "ridge": 0.3, "framed": True, "dtype": np.float32},
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_of_all_rows_and_of_batches(name, option):
    batches = problem(name, **OPTIONS[option])
    start, still = start_of(batches), np.array([0.0])
    loss, grad = truth(batches, start.theta, np.arange(N))
    done = criteria.full_batch(Tiles.of(batches), plain(batches), start, np.zeros((1, 1)))
    size = np.abs(grad).max()
    np.testing.assert_allclose(done.walk.grad, grad, rtol=1e-12, atol=1e-13 * size)
    assert done.losses[0] == pytest.approx(loss, rel=1e-13)
    order = np.random.default_rng(3).permutation(N).astype(np.int32)
    for size in (7, 150, N) if name == "classes" else (1, 7, 150, N):  # one ignored row alone is 0 / 0
        sized = replace(batches, batch_size=size)
        part = criteria.mini_batch(sized, plain(batches), start, still, order)
        cuts = [order[first : first + size] for first in range(0, N, size)]
        found = [(truth(batches, start.theta, rows), len(rows)) for rows in cuts]
        grad = found[-1][0][1]
        np.testing.assert_allclose(part.walk.grad, grad, rtol=1e-11, atol=1e-13 * (1 + np.abs(grad).max()))
        total = sum(one[0] * rows for one, rows in found)
        assert part.total == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("batch_size", [1, 32, 200])
@pytest.mark.parametrize("name", ["logistic", "probabilities", "huber", "one logistic"])
def test_an_epoch_in_pieces_gives_the_same_bits(name, batch_size):
    batches = problem(name, batch_size=batch_size)
    order = np.random.default_rng(3).permutation(N).astype(np.int32)
    for rule in (plain(batches), rule_of(update.SGD, batches), rule_of(update.ADAM, batches)):
        rates = np.array([0.01])
        whole = criteria.mini_batch(batches, rule, start_of(batches), rates, order)
        rng, walk, total, at = np.random.default_rng(7), start_of(batches), 0.0, 0
        while at < N:
            stop = min(at + batch_size * int(rng.integers(1, 1 + max(1, 90 // batch_size))), N)
            part = criteria.mini_batch(batches, rule, walk, rates, order, at, stop, total)
            walk, total, at = part.walk, part.total, part.cursor
        assert total == whole.total
        for field in ("theta", "slots", "clock", "grad"):
            np.testing.assert_array_equal(getattr(walk, field), getattr(whole.walk, field))


ALONE = ["one logistic", "one huber", "one absolute", "poisson", "means"]


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", ALONE)
def test_one_row_a_step_is_the_loop_that_it_stands_for(name, option):
    """Many epochs in a call, against steps along gradients by autograd."""
    batches = problem(name, batch_size=1, n=150, **OPTIONS[option])
    order = np.concatenate([np.random.default_rng(s).permutation(150) for s in range(3)]).astype(np.int32)
    rates = np.array([[0.01], [0.002], [0.005]])
    done = criteria.shuffled(batches, plain(batches), start_of(batches), rates, order)
    theta, totals, grad = start_of(batches).theta.copy(), np.zeros(3), None
    for at, row in enumerate(order):
        loss, grad = truth(batches, theta, np.array([row]))
        totals[at // 150] += loss
        theta -= rates[at // 150, 0] * grad
    assert done.used == 450
    np.testing.assert_allclose(done.walk.theta, theta, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(done.walk.grad, grad, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(done.totals, totals, rtol=1e-11)


def test_one_row_a_step_keeps_float32_parameters_as_float32():
    batches = problem("one logistic", batch_size=1, ridge=0.1)
    order = np.random.default_rng(3).permutation(N).astype(np.int32)
    wide = plain(batches)
    rule = Rule(wide.code, wide.hyper, wide.spans, single=True)
    start = start_of(batches)
    start = replace(start, theta=start.theta.astype(np.float32).astype(float))
    part = criteria.mini_batch(batches, rule, start, np.array([0.01]), order)
    np.testing.assert_array_equal(part.walk.theta, part.walk.theta.astype(np.float32))
    exact = criteria.mini_batch(batches, wide, start, np.array([0.01]), order)
    np.testing.assert_allclose(part.walk.theta, exact.walk.theta, atol=1e-5)  # N roundings of 6e-8


@pytest.mark.parametrize("name", ALONE)
def test_a_row_alone_is_judged_as_rows_together(name):
    criterion = problem(name).criterion
    code, numbers, weights = criterion.code, criterion.numbers, criterion.weights
    eta = np.array([[0.3, -0.4, 2.5, -6.0, 30.0, -30.0, 500.0, -500.0, 0.0]])
    eta = np.abs(eta) if name == "means" else eta
    targets = np.array([[1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]])
    slopes, loss, share, room = eta.copy(), np.empty(9), np.empty(9), np.empty((5, 9))
    losses.slopes(code, numbers, weights, 9, slopes, targets, loss, share, room)
    found = [
        losses.judge(code, numbers, *weights[:, 0], e, t)
        for e, t in zip(eta[0].tolist(), targets[0].tolist())
    ]
    np.testing.assert_allclose([value for value, _ in found], loss, rtol=1e-14)
    np.testing.assert_allclose([slope for _, slope in found], slopes[0], rtol=1e-14)


def test_epochs_in_pieces_give_the_same_bits():
    batches = problem("logistic")
    tiles, rule, rates = Tiles.of(batches), rule_of(update.ADAM, batches), np.linspace(0.05, 0.0, 60)[:, None]
    whole = criteria.full_batch(tiles, rule, start_of(batches), rates)
    first = criteria.full_batch(tiles, rule, start_of(batches), rates[:23])
    second = criteria.full_batch(tiles, rule, first.walk, rates[23:])
    np.testing.assert_array_equal(np.r_[first.losses, second.losses], whole.losses)
    np.testing.assert_array_equal(second.walk.theta, whole.walk.theta)


@pytest.mark.parametrize("code", RULES)
def test_every_rule_moves_as_it_does_on_given_gradients(code):
    """The gradients of the walk, one by one, given to the rule alone."""
    batches = problem("classes")
    tiles, rule = Tiles.of(batches), rule_of(code, batches)
    walk = alone = start_of(batches)
    for rate in np.linspace(0.05, 0.01, 8):
        walk = criteria.full_batch(tiles, rule, walk, np.array([[rate]])).walk
        alone = descent.follow(rule, alone, walk.grad[None, :], np.array([[rate]]))
        np.testing.assert_array_equal(walk.theta, alone.theta)
        np.testing.assert_array_equal(walk.slots, alone.slots)


@pytest.mark.parametrize("name", ["logistic", "classes", "huber", "means"])
def test_compiled_loops_are_their_plain_python(name):
    batches = problem(name, n=70, batch_size=33, weighted=True)
    c, b, rule = batches.criterion, batches, rule_of(update.ADAM, batches)
    order = np.random.default_rng(3).permutation(70).astype(np.int32)
    part = criteria.mini_batch(batches, rule, start_of(batches), np.array([0.01]), order)
    walk, total = start_of(batches), np.zeros(1)
    with np.errstate(over="ignore"):
        passes.mini_batch.function(
            *descent.rule_numbers(rule, np.array([[0.01]])), walk.theta, walk.slots, walk.clock, walk.grad,
            c.code, c.numbers, c.weights, c.divisor, c.factor, b.ridge,
            b.X, b.y, b.weight, b.centre, b.scale, order, 0, 70, b.batch_size, b.width, total,
        )  # fmt: skip
    np.testing.assert_allclose(part.walk.theta, walk.theta, rtol=1e-12)
    assert part.total == pytest.approx(total[0], rel=1e-13)


@pytest.mark.parametrize("eta", [-800.0, -40.0, 0.0, 40.0, 800.0])
@pytest.mark.parametrize("hit", [0.0, 1.0])
def test_scores_of_800(eta, hit):
    """One row whose score is eta: logistic, and softmax between eta and 0, in closed form."""
    wrong = eta * (1.0 - 2.0 * hit)  # how far on the wrong side
    loss = max(wrong, 0.0) + np.log1p(np.exp(-abs(wrong)))
    slope = np.exp(min(wrong, 0.0)) / (1.0 + np.exp(-abs(wrong)))
    X, y = np.zeros((1, 1)), np.array([[hit]])
    rule = Rule(update.SGD, np.zeros((1, 8)), descent.spans_of(np.zeros(2, dtype=int)))
    logistic = Minibatches.plain(X, y, Criterion.of(losses.LOGISTIC, 1), 1)
    done = criteria.full_batch(
        Tiles.of(logistic), rule, Walk.start(np.array([1.0, eta]), 1), np.zeros((1, 1))
    )
    assert done.losses[0] == pytest.approx(loss, rel=1e-15)
    assert done.walk.grad[1] == pytest.approx(slope * (1.0 - 2.0 * hit), rel=1e-15)
    softmax = Criterion.of(losses.SOFTMAX, 2, numbers={"smoothing": 0.0, "ignored": -100.0}, divisor=SHARES)
    rule = replace(rule, spans=descent.spans_of(np.zeros(4, dtype=int)))
    start = Walk.start(np.array([1.0, 1.0, 0.0, eta]), 1)
    done = criteria.full_batch(Tiles.of(Minibatches.plain(X, y, softmax, 1)), rule, start, np.zeros((1, 1)))
    assert done.losses[0] == pytest.approx(loss, rel=1e-15, abs=1e-16)
    assert done.walk.grad[3] == pytest.approx(slope * (1.0 - 2.0 * hit), rel=1e-15, abs=1e-15)


def test_what_is_given_stays_as_it_is():
    batches = problem("logistic")
    start = start_of(batches)
    criteria.full_batch(Tiles.of(batches), rule_of(update.ADAM, batches), start, np.full((3, 1), 0.1))
    order = np.arange(N, dtype=np.int32)
    criteria.mini_batch(batches, rule_of(update.ADAM, batches), start, np.array([0.1]), order)
    np.testing.assert_array_equal(start.theta, start_of(batches).theta)
    assert not start.slots.any()


def test_tiles_hold_every_row_once():
    for n in (1, 127, 128, 129, 300):
        batches = problem("classes", n=n, weighted=True)
        tiles = Tiles.of(batches)
        for laid, rows in (
            (tiles.X, batches.X),
            (tiles.y, batches.y),
            (tiles.weight[:, None], batches.weight[:, None]),
        ):
            flat = laid.transpose(0, 2, 1).reshape(-1, rows.shape[1])
            np.testing.assert_array_equal(flat[:n], rows)
            assert not flat[n:].any()


@pytest.mark.parametrize("batch_size", [1, 7])
def test_divergence_stops_in_batches(batch_size):
    batches = problem("poisson", batch_size=batch_size)
    order = np.arange(N, dtype=np.int32)
    part = criteria.mini_batch(batches, plain(batches), start_of(batches), np.array([1e3]), order)
    assert part.cursor < N
    assert not np.isfinite(part.walk.theta).all()
    before = criteria.mini_batch(
        batches, plain(batches), start_of(batches), np.array([1e3]), order, 0, part.cursor - batch_size
    )
    assert np.isfinite(before.walk.theta).all()


def test_divergence_stops():
    batches = problem("poisson")
    done = criteria.full_batch(Tiles.of(batches), plain(batches), start_of(batches), np.full((5_000, 1), 1e3))
    assert len(done.losses) < 5_000
    assert not np.isfinite(done.walk.theta).all()
