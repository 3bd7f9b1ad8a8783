"""SAGA against the solvers that are exact, against scikit-learn's, and against its own definition step by step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

import torchlinear as tl
from torchlinear.api import objective_of, solve
from torchlinear.errors import InvalidInput
from torchlinear.kernels import saga
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.penalties.l1 import L1
from torchlinear.rows import TensorRows
from torchlinear.solvers.base import Budget, State
from torchlinear.solvers.saga import SAGA

N, P = 150, 4
Random = np.random.Generator
TIGHT = 1e-10  # certificate


def solved(problem: Objective, solver: SAGA | None = None) -> State:
    solver = SAGA() if solver is None else solver
    state = solver.init(problem, problem.start)
    while state.epoch < solver.epochs and problem.certificate(state.coef) > TIGHT:
        state = solver.step(problem, state, Budget(10, math.inf))
    assert problem.certificate(state.coef) <= TIGHT
    # As many again: where the certificate is a duality gap, coefficients are as near as its root.
    return solver.step(problem, state, Budget(state.epoch, math.inf))


def tensors(*arrays: Any) -> list[Tensor]:
    return [torch.from_numpy(np.asarray(array, dtype=np.float64)) for array in arrays]


LOSSES: dict[str, Loss] = {
    "squared": tl.Squared(),
    "binomial": tl.Binomial(),
    "huber": tl.Huber(1.35),
    "squared_hinge": tl.SquaredHinge(),
    "squared_epsilon_insensitive": tl.SquaredEpsilonInsensitive(0.2),
}
KINDS = {
    "squared": saga.Kind(saga.SQUARED),
    "binomial": saga.Kind(saga.LOGISTIC),
    "huber": saga.Kind(saga.HUBER, 1.35),
    "squared_hinge": saga.Kind(saga.SQUARED_HINGE),
    "squared_epsilon_insensitive": saga.Kind(saga.SQUARED_TUBE, 0.2),
}
PENALTIES = [None, tl.L2(0.1), L1(0.08), tl.L1L2(0.1, 0.5), L1(0.08, standardize=True)]


def targets(kind: str, eta: Any, rng: Random) -> Any:
    if LOSSES[kind].labels:
        return (eta + rng.logistic(size=eta.shape) > 0).astype(float)
    return eta + rng.standard_t(3.0, size=eta.shape)


def close(found: Tensor, exact: Tensor) -> None:
    """Coefficients to 1e-8 of the largest."""
    torch.testing.assert_close(found, exact, rtol=0.0, atol=1e-8 * float(exact.abs().max().clamp(min=1.0)))


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize("kind", LOSSES)
def test_it_ends_at_the_optimum_of_the_exact_solvers(
    kind: str, penalty: Any, intercept: bool, rng: Random
) -> None:
    X = rng.normal(loc=[0.0, 1.0, 0.0, -1.0], size=(N, P))
    y, weight = targets(kind, X @ [0.8, -0.5, 0.3, 0.0], rng), rng.uniform(0.5, 2.0, size=N)
    problem = objective_of(
        LOSSES[kind], penalty, TensorRows(*tensors(X, y[:, None], weight)), intercept=intercept
    )
    state = solved(problem)
    exact = solve(problem, tol=1e-12, infer=False)
    assert exact.status is tl.Status.CONVERGED
    close(state.coef, exact.coef)
    assert torch.equal(state.coef[:-1] == 0, exact.coef[:-1] == 0)
    assert bool((state.coef[-1] == 0).all()) != intercept


def test_l1_is_scikit_learns(rng: Random) -> None:
    X = rng.normal(size=(N, P))
    y = X @ [1.0, -1.0, 0.0, 0.0] + rng.logistic(size=N) > 0
    theirs = LogisticRegression(C=0.1, l1_ratio=1.0, solver="saga", tol=1e-12, max_iter=20_000).fit(X, y)
    fit = tl.fit(X, y, loss="logistic", penalty=tl.L1(1.0 / (0.1 * N)), solver="saga")
    assert fit.status is tl.Status.CONVERGED
    np.testing.assert_allclose(fit.coef, theirs.coef_[0], rtol=1e-5, atol=1e-6)
    assert ((fit.coef == 0).tolist()) == (theirs.coef_[0] == 0).tolist()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", LOSSES)
def test_the_kernel_is_the_papers_steps(kind: str, dtype: Any, rng: Random) -> None:
    n, p, k, step = 12, 3, 2, 0.02
    X, truth = rng.normal(size=(n, p)).astype(dtype), rng.normal(size=(p, k))
    y, theta = targets(kind, X @ truth, rng), rng.normal(size=k * (p + 1))
    rows = saga.Rows(
        X, y, rng.normal(size=n), rng.uniform(0.5, 2.0, size=n), rng.uniform(0.5, 2.0, size=n),
        rng.normal(size=p), rng.uniform(0.5, 2.0, size=p), rng.uniform(size=p), rng.uniform(size=p),
    )  # fmt: skip
    order = rng.integers(n, size=60)
    walk = saga.start(rows, KINDS[kind], theta)
    found = saga.follow(rows, KINDS[kind], walk, order, step)

    Z = np.column_stack([(X - rows.centre) * rows.scale, np.ones(n)])
    w = np.vstack([theta[: k * p].reshape(k, p).T, theta[k * p :]])

    def slope(i: int, at: Any) -> Any:
        eta = torch.from_numpy(Z[i] @ at + rows.offset[i])[None]
        return rows.weight[i] * LOSSES[kind].gradient(eta, torch.from_numpy(y[i])[None]).numpy()[0]

    table = np.array([slope(i, w) for i in range(n)])
    np.testing.assert_allclose(walk.table, table, rtol=1e-12, atol=1e-13)
    for i in order:
        new = slope(i, w)
        w = w - step * (rows.share[i] * np.outer(Z[i], new - table[i]) + Z.T @ table / n)
        table[i] = new
        priced = np.sign(w[:p]) * np.maximum(np.abs(w[:p]) - step * rows.lasso[:, None], 0.0)
        w[:p] = priced / (1.0 + step * rows.ridge[:, None])
    np.testing.assert_allclose(found.theta[: k * p].reshape(k, p).T, w[:p], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.theta[k * p :], w[p], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.table, table, rtol=1e-9, atol=1e-11)


def test_an_offset_and_rows_that_do_not_count(rng: Random) -> None:
    X, offset = rng.normal(size=(N, P)), rng.normal(size=N)
    y = (X[:, 0] + offset + rng.logistic(size=N) > 0).astype(float)
    weight = rng.integers(0, 3, size=N).astype(float)
    X[weight == 0] = 1e6  # long rows, which must not shorten the steps either
    rows = TensorRows(*tensors(X, y[:, None], weight), offset=torch.from_numpy(offset))
    problem = objective_of(tl.Binomial(), tl.L2(0.05), rows)
    close(solved(problem).coef, solve(problem, tol=1e-12, infer=False).coef)


def test_units_and_long_rows_do_not_matter_much(rng: Random) -> None:
    X = rng.normal(size=(N, P))
    X[0] *= 30.0
    y = (X[:, 0] + rng.logistic(size=N) > 0).astype(float)[:, None]
    units = np.array([1e6, 1e-6, 1.0, 1e3])
    epochs = [
        solved(objective_of(tl.Binomial(), tl.L2(0.05, standardize=True), TensorRows(*tensors(Z, y)))).epoch
        for Z in (X, X * units + units)
    ]
    assert abs(epochs[0] - epochs[1]) <= 20


def test_seeds_are_orders_and_halves_are_the_whole_to_the_bit(rng: Random) -> None:
    X = rng.normal(size=(N, P)).astype(np.float32)
    y = (X[:, :1] + rng.logistic(size=(N, 1)) > 0).astype(float)
    problem = objective_of(tl.Binomial(), L1(0.02), TensorRows(torch.from_numpy(X), *tensors(y)))
    ends = []
    for seed, budgets in ((3, (6,)), (3, (3, 3)), (3, (1, 5)), (4, (6,))):
        solver = SAGA(seed=seed)
        state = solver.init(problem, problem.start)
        for epochs in budgets:
            state = solver.step(problem, state, Budget(epochs, math.inf))
        ends.append(state)
    for other in ends[1:3]:
        assert torch.equal(other.coef, ends[0].coef)
        assert all(torch.equal(other.memory[key], ends[0].memory[key]) for key in ends[0].memory)
    assert not torch.equal(ends[3].coef, ends[0].coef)


def test_it_says_what_it_is_and_what_it_refuses() -> None:
    x, y = torch.arange(6.0).double(), torch.tensor([0.0, 0.0, 1.0, 0.0, 1.0, 1.0]).double()
    fit = tl.fit(x, y, loss="logistic", penalty="l2", solver="saga")
    assert fit.status is tl.Status.CONVERGED
    assert fit.solver.startswith("saga: one row a step with the memory of all")
    asked: list[tuple[str, dict[str, Any]]] = [
        (r"saga follows a slope, and absolute loss has kinks; use solver='auto'", {"loss": "absolute"}),
        (r"saga takes the squared, logistic, .* not poisson.*; use solver='auto'", {"loss": "poisson"}),
        (r"saga takes L1, L2 and elastic net, not NonNegative", {"penalty": tl.NonNegative()}),
    ]
    for message, options in asked:
        with pytest.raises(InvalidInput, match=message):
            tl.fit(x, y, solver="saga", **options)
    with pytest.raises(InvalidInput, match=r"SAGA.epochs takes a whole number of at least 1, got 0"):
        tl.SAGA(epochs=0)
    with pytest.raises(InvalidInput, match=r"SAGA.seed takes a whole number from 0 to .*, got -1"):
        tl.SAGA(seed=-1)
