"""One-sample descent against a plain twin without its tricks, and its order against scikit-learn's generator."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.utils._seq_dataset import ArrayDataset64

from torchlinear.kernels import sgd

PAIRS = [
    *itertools.product(range(sgd.MODIFIED_HUBER + 1), (sgd.CONSTANT, sgd.OPTIMAL, sgd.INVERSE)),
    *itertools.product((sgd.HINGE, sgd.INSENSITIVE), (sgd.PASSIVE, sgd.PASSIVE_SQUARED)),
]


def plainly(X: Any, y: Any, weight: Any, order: Any, plan: sgd.Plan, walk: sgd.Walk) -> dict[str, Any]:
    """The same epoch step by step: coefficients are numbers, means are means, L1 is Tsuruoka's pseudo-code."""
    beta, b, mean, paid = walk.coef, walk.intercept, walk.mean_coef, walk.paid.copy()
    mean_b, t, eta, debt = walk.numbers[[sgd.MEAN_INTERCEPT, sgd.STEP, sgd.RATE, sgd.DEBT]]
    for i in order:
        p = X[i] @ beta + b
        if plan.schedule == sgd.OPTIMAL:
            eta = 1 / (plan.alpha * (plan.alpha**-0.75 + t - 1))  # 1 / (alpha sqrt(1 / sqrt(alpha)))
        elif plan.schedule == sgd.INVERSE:
            eta = plan.eta0 / t**plan.power
        value, slope = sgd.judge(plan.loss, y[i], p, plan.margin, True)
        step = -eta * slope
        if plan.schedule == sgd.PASSIVE:
            step = -np.sign(slope) * min(plan.eta0, value / (X[i] @ X[i]))
        elif plan.schedule == sgd.PASSIVE_SQUARED:
            step = -np.sign(slope) * value / (X[i] @ X[i] + 0.5 / plan.eta0)
        beta = max(0.0, 1 - eta * plan.strength * (1 - plan.mix)) * beta + step * weight[i] * X[i]
        b += plan.decay * step * weight[i]
        age = t - plan.average + 1
        before, debt = beta.copy(), debt + eta * plan.strength * plan.mix
        if plan.average and age >= 1:  # before L1
            mean, mean_b = mean + (beta - mean) / age, mean_b + (b - mean_b) / age
        for j in np.flatnonzero(X[i]) if plan.mix else ():
            if beta[j] > 0:
                beta[j] = max(0.0, beta[j] - (debt + paid[j]))
            elif beta[j] < 0:
                beta[j] = min(0.0, beta[j] + (debt - paid[j]))
            paid[j] += beta[j] - before[j]
        t += 1
    return {"coef": beta, "intercept": b, "mean_coef": mean, "paid": paid}


@pytest.mark.parametrize("averaged", [False, True])  # the mean of coefficients that L1 moves is another
@pytest.mark.parametrize("form", ["dense", "sparse", "sparse64"])
@pytest.mark.parametrize(("loss", "schedule"), PAIRS)
def test_a_plain_twin_agrees(
    rng: np.random.Generator, loss: int, schedule: int, form: str, averaged: bool
) -> None:
    n, p = 70, 6
    X = rng.normal(size=(n, p)) * (rng.uniform(size=(n, p)) < (1.0 if form == "dense" else 0.6))
    X[:, 0] = rng.normal(size=n)  # a sparse row has something, or a passive-aggressive step is left out
    X *= 0.8 / np.linalg.norm(X, axis=1, keepdims=True)  # longer steps would blow rounding up
    y = X @ rng.normal(size=p) + rng.normal(size=n)
    y = y if loss < sgd.HINGE else np.where(y > 0, 1.0, -1.0)
    plan = sgd.Plan(
        loss,
        margin=rng.uniform(0.1, 1.0),
        strength=rng.uniform(0.0, 0.2),
        mix=0.0 if averaged else rng.uniform(),
        schedule=schedule,
        eta0=rng.uniform(0.01, 0.1),
        alpha=rng.uniform(0.5, 1.0),
        power=rng.uniform(0.1, 1.0),
        decay=rng.uniform(0.1, 1.0),
        average=int(rng.integers(1, 100)) if averaged else 0,
    )
    rows = sgd.dense(X)
    if form != "dense":
        csr = scipy.sparse.csr_array(X)
        index = np.int32 if form == "sparse" else np.int64
        rows = sgd.sparse(csr.data, csr.indices.astype(index), csr.indptr.astype(index))
    weight, order = rng.uniform(0.5, 2, n), rng.permutation(n).astype(np.int32)
    walk = sgd.Walk.start(rng.normal(size=p), rng.normal(), np.zeros(p), rate=plan.eta0)
    for _ in range(2):
        truth = plainly(X, y, weight, order, plan, walk)
        sgd.epoch(rows, y, weight, order, plan, walk, watch=True)
        for name, value in truth.items():
            np.testing.assert_allclose(getattr(walk, name), value, rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("n", [1, 2, 3, 1_000])
def test_the_order_is_that_of_scikit_learns_datasets(rng: np.random.Generator, n: int) -> None:
    seed = int(rng.integers(0, 2**31 - 1))
    theirs = ArrayDataset64(np.zeros((n, 1)), np.arange(float(n)), np.ones(n))
    order = np.arange(n, dtype=np.int32)
    for given in (seed, seed, 0):
        sgd.shuffle(order, given)
        theirs._shuffle_py(given)
        assert order.tolist() == [theirs._next_py()[1] for _ in range(n)]


def test_single_precision(rng: np.random.Generator) -> None:
    X = rng.normal(size=(300, 4)).astype(np.float32)
    y = (X @ [1.0, -1.0, 0.5, 0.0] + rng.normal(size=300)).astype(np.float32)
    plan = sgd.Plan(sgd.SQUARED, strength=1e-3, mix=0.5, average=20)
    order, weight = np.arange(300, dtype=np.int32), np.ones(300)
    single = sgd.Walk.start(np.zeros(4, np.float32), 0.0, np.zeros(4, np.float32), rate=0.01)
    double = sgd.Walk.start(np.zeros(4), 0.0, np.zeros(4), rate=0.01)
    sgd.epoch(sgd.dense(X), y, weight, order, plan, single)
    sgd.epoch(sgd.dense(X.astype(float)), y.astype(float), weight, order, plan, double)
    assert single.coef.dtype == single.mean_coef.dtype == np.float32
    # 300 roundings of about 6e-8.
    np.testing.assert_allclose(single.coef, double.coef, atol=1e-5)
    np.testing.assert_allclose(single.mean_coef, double.mean_coef, atol=1e-5)


def test_a_small_scale_is_multiplied_in(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(50, 3)), rng.normal(size=50)
    plan = sgd.Plan(sgd.SQUARED, strength=50.0, eta0=0.01)  # halves coefficients in every step
    walk = sgd.Walk.start(np.ones(3), 0.0, np.zeros(3), rate=0.01)
    order = np.arange(50, dtype=np.int32)
    truth = plainly(X, y, np.ones(50), order, plan, walk)
    sgd.epoch(sgd.dense(X), y, np.ones(50), order, plan, walk)
    assert walk.numbers[sgd.SCALE] > 0.5**50
    np.testing.assert_allclose(walk.coef, truth["coef"], rtol=1e-10, atol=1e-12)
