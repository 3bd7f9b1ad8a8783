"""FISTA against scikit-learn, against the solvers that are exact, and in awkward units."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import ElasticNet, MultiTaskLasso
from torch import Tensor

import torchlinear as tl
from torchlinear.api import objective_of, solve
from torchlinear.errors import InvalidInput
from torchlinear.losses.base import Loss
from torchlinear.losses.softmax import Softmax
from torchlinear.objective import Objective
from torchlinear.penalties.l1 import L1
from torchlinear.rows import TensorRows
from torchlinear.solvers.base import Budget, State
from torchlinear.solvers.fista import FISTA

N, P = 150, 4
Random = np.random.Generator
TIGHT = 1e-10  # certificate


def solved(problem: Objective, solver: FISTA | None = None) -> State:
    solver = FISTA() if solver is None else solver
    state = solver.init(problem, problem.start)
    while not state.done and state.epoch < solver.epochs and problem.certificate(state.coef) > TIGHT:
        state = solver.step(problem, state, Budget(10, math.inf))
    assert problem.certificate(state.coef) <= TIGHT
    return state


def tensors(*arrays: Any) -> list[Tensor]:
    return [torch.from_numpy(np.asarray(array, dtype=np.float64)) for array in arrays]


def test_elastic_net_is_scikit_learns(rng: Random) -> None:
    X = rng.normal(size=(N, P)) @ (np.eye(P) + 0.3) + 3.0
    y = X[:, 0] - 2.0 * X[:, 1] + rng.normal(size=N)
    theirs = ElasticNet(alpha=0.3, l1_ratio=0.6, tol=1e-14, max_iter=100_000).fit(X, y)
    problem = objective_of(tl.Squared(), tl.L1L2(0.6, 0.6), TensorRows(*tensors(X, y[:, None])))
    coef = solved(problem).coef
    np.testing.assert_allclose(coef[:-1, 0].numpy(), theirs.coef_, rtol=1e-4, atol=1e-6)
    assert ((coef[:-1, 0].numpy() == 0) == (theirs.coef_ == 0)).all()
    assert float(coef[-1, 0]) == pytest.approx(theirs.intercept_, rel=1e-4)


def test_groups_are_scikit_learns_multi_task_lasso(rng: Random) -> None:
    X = rng.normal(size=(N, P))
    Y = X[:, :2] @ rng.normal(size=(2, 3)) + rng.normal(size=(N, 3))
    theirs = MultiTaskLasso(alpha=0.2, tol=1e-14, max_iter=100_000).fit(X, Y)
    coef = solved(objective_of(tl.Squared(), tl.GroupLasso(0.4), TensorRows(*tensors(X, Y)))).coef
    np.testing.assert_allclose(coef[:-1].T.numpy(), theirs.coef_, rtol=1e-4, atol=1e-6)


def _targets(kind: str, eta: Any, rng: Random) -> Any:
    return {
        "binomial": lambda: eta + rng.logistic(size=N) > 0,
        "probit": lambda: eta + rng.normal(size=N) > 0,
        "softmax": lambda: np.digitize(eta + rng.logistic(size=N), [-1.0, 1.0]),
        "poisson": lambda: rng.poisson(np.exp(eta)),
        "gamma": lambda: np.exp(eta) * rng.gamma(3.0, size=N),
        "huber": lambda: eta + rng.standard_t(2.0, size=N),
        "squared_hinge": lambda: eta + rng.logistic(size=N) > 0,
    }[kind]()


LOSSES: dict[str, Loss] = {
    "binomial": tl.Binomial(),
    "probit": tl.Binomial(link="probit"),
    "softmax": Softmax(),
    "poisson": tl.Poisson(),
    "gamma": tl.Gamma(link="log"),
    "huber": tl.Huber(1.35),
    "squared_hinge": tl.SquaredHinge(),
}
PENALTIES = [None, tl.L2(0.1), L1(0.08), tl.L1L2(0.1, 0.5), tl.GroupLasso(0.1, ["a", "a", "b", "b"])]


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize("kind", LOSSES)
def test_it_ends_at_the_optimum_of_the_exact_solvers(
    kind: str, penalty: Any, intercept: bool, rng: Random
) -> None:
    X = rng.normal(loc=[0.0, 1.0, 0.0, -1.0], size=(N, P))
    y, weight = _targets(kind, X @ [0.8, -0.5, 0.3, 0.0], rng), rng.uniform(0.5, 2.0, size=N)
    rows = TensorRows(*tensors(X, np.asarray(y)[:, None], weight))
    outputs = 3 if kind == "softmax" else None
    problem = objective_of(LOSSES[kind], penalty, rows, intercept=intercept, n_outputs=outputs)
    state = solved(problem)
    exact = solve(problem, tol=1e-12, infer=False)
    assert exact.status is tl.Status.CONVERGED
    assert problem.value(state.coef) <= problem.value(exact.coef) + 1e-12
    assert torch.equal((state.coef == 0).all(dim=1)[:-1], (exact.coef == 0).all(dim=1)[:-1])
    assert bool((state.coef[-1] == 0).all()) != intercept


def test_bounds_are_kept(rng: Random) -> None:
    X = rng.normal(size=(N, 2))
    y = rng.poisson(np.exp(X @ [0.5, -0.5]))
    problem = objective_of(tl.Poisson(), tl.NonNegative(), TensorRows(*tensors(X, y[:, None])))
    coef = solved(problem).coef
    assert float(coef[1, 0]) == 0.0
    assert float(coef[0, 0]) > 0.0


def test_units_do_not_matter(rng: Random) -> None:
    X = rng.normal(size=(N, P))
    y = rng.poisson(np.exp(X @ [0.5, -0.5, 0.2, 0.0]))[:, None]
    units = np.array([1e6, 1e-6, 1.0, 1e3])
    paths = [
        solved(objective_of(tl.Poisson(), L1(0.05, standardize=True), TensorRows(*tensors(Z, y))))
        for Z in (X, X * units + units)
    ]
    assert abs(paths[0].epoch - paths[1].epoch) <= 10
    torch.testing.assert_close(
        paths[1].coef[:-1] * torch.from_numpy(units)[:, None], paths[0].coef[:-1], rtol=1e-6, atol=1e-9
    )


def test_restarts_save_steps(rng: Random) -> None:
    near = 0.9 ** np.abs(
        np.subtract.outer(np.arange(20), np.arange(20))
    )  # correlations; condition number about 300
    X = rng.normal(size=(400, 20)) @ np.linalg.cholesky(near).T
    y = X @ rng.normal(size=20) + 0.1 * rng.normal(size=400)
    problem = objective_of(tl.Squared(), None, TensorRows(*tensors(X, y[:, None])))
    left = {}
    for restart in (True, False):
        solver = FISTA(restart=restart)
        state = solver.step(problem, solver.init(problem, problem.start), Budget(400, math.inf))
        left[restart] = problem.certificate(state.coef)
    assert left[True] < 1e-2 * left[False]


def test_it_says_what_it_is_and_what_it_refuses() -> None:
    x, y = torch.arange(6.0), torch.tensor([0.0, 0.0, 1.0, 0.0, 1.0, 1.0])
    fit = tl.fit(x.double(), y.double(), loss="logistic", penalty="l1", solver="fista")
    assert fit.status is tl.Status.CONVERGED
    assert fit.solver.startswith("fista: accelerated proximal gradient descent, with adaptive restart")
    with pytest.raises(
        InvalidInput, match=r"fista follows a slope, and absolute loss has kinks; use solver='auto'"
    ):
        tl.fit(x, y, loss="absolute", solver=tl.FISTA())
    with pytest.raises(InvalidInput, match=r"FISTA.epochs takes a whole number of at least 1, got 0"):
        tl.FISTA(epochs=0)
