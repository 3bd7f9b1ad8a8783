"""Newton-CG and L-BFGS: against scikit-learn, torch and R, whatever the units and the conditioning."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import torchlinear as tl
from torchlinear.engines.local import Local
from torchlinear.losses.binomial import Binomial
from torchlinear.losses.poisson import Poisson
from torchlinear.losses.softmax import Softmax
from torchlinear.penalties.l1 import L1
from torchlinear.rows import TensorRows
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.summed import SummedObjective

N, P, K = 300, 5, 4
SCALE, SHIFT = np.array([1.0, 1e3, 1e-3, 1.0, 10.0]), np.array([0.0, 1e4, 0.0, 3.0, 0.0])
# scikit-learn stops at a gradient of 1e-12 in units of about 1 and a curvature of 0.01 and above.
AGREES = 1e-8
CLOSE = 1e-11  # certificate: on a slow machine a fit ends at the first step that is below its tolerance

SOLVERS = [tl.NewtonCG(), tl.LBFGS()]


@pytest.fixture(params=SOLVERS, ids=lambda solver: solver.name)
def solver(request: pytest.FixtureRequest) -> Solver:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[Any, Any]:
    """Correlated columns of mean 0, standard deviation 1 and K classes, none of them separable."""
    Z = rng.normal(size=(N, P)) @ (np.eye(P) + 0.5 * rng.uniform(-1, 1, size=(P, P)))
    Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
    y = (Z @ rng.normal(size=(P, K)) * 0.7 + rng.gumbel(size=(N, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    return Z, y


@pytest.mark.parametrize("alpha", [1.0, 1e-2, 1e-4])
def test_softmax_with_a_ridge_is_scikit_learns(solver: Solver, data: Any, alpha: float) -> None:
    X, y = data
    fit = tl.fit(X, y, loss="softmax", penalty=tl.L2(alpha), solver=solver, tol=CLOSE)
    truth = LogisticRegression(C=1.0 / (N * alpha), tol=1e-12, max_iter=10_000, solver="newton-cg").fit(X, y)
    assert fit.status is tl.Status.CONVERGED
    largest = np.abs(truth.coef_).max()
    np.testing.assert_allclose(fit.coef.numpy().T, truth.coef_, rtol=0, atol=AGREES * largest)
    np.testing.assert_allclose(
        fit.intercept.numpy(), truth.intercept_ - truth.intercept_.mean(), rtol=0, atol=AGREES
    )


def test_units_do_not_matter(solver: Solver, data: Any) -> None:
    X, y = data
    penalty, scaled = tl.L2(0.01), tl.L2(0.01, column_weights=SCALE**2)
    plain = tl.fit(X, y, loss="softmax", penalty=penalty, solver=solver, tol=CLOSE)
    other = tl.fit(X * SCALE + SHIFT, y, loss="softmax", penalty=scaled, solver=solver, tol=CLOSE)
    assert other.status is tl.Status.CONVERGED
    np.testing.assert_allclose(other.coef.numpy() * SCALE[:, None], plain.coef, rtol=1e-8, atol=1e-9)
    assert len(other.history) <= len(plain.history) + 2


def test_a_decaying_spectrum_does_not_matter(solver: Solver, rng: np.random.Generator) -> None:
    """Singular values from 1 to 1e-4: the steps are those of a sphere of noise."""
    p = 20
    Z = rng.normal(size=(500, p))
    rotation = np.linalg.qr(rng.normal(size=(p, p))).Q
    y = (Z @ rng.normal(size=(p, 3)) * 0.3 + rng.gumbel(size=(500, 3))).argmax(axis=1)
    fits = [
        tl.fit(Z * scale @ rotation.T, y, loss="softmax", solver=solver)
        for scale in (np.ones(p), np.logspace(0, -4, p))
    ]
    assert [fit.status for fit in fits] == [tl.Status.CONVERGED] * 2
    assert abs(len(fits[0].history) - len(fits[1].history)) <= 3
    assert fits[0].history.loss[-1].item() == pytest.approx(fits[1].history.loss[-1].item(), rel=1e-11)


def test_torch_agrees(solver: Solver, data: Any) -> None:
    X, y = torch.from_numpy(data[0]), torch.from_numpy(data[1])
    model = torch.nn.Linear(P, K, dtype=torch.float64)
    optimizer = torch.optim.LBFGS(
        model.parameters(),
        max_iter=2_000,
        tolerance_grad=1e-12,
        tolerance_change=1e-16,
        line_search_fn="strong_wolfe",
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(X), y) + 0.025 * model.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    fit = tl.fit(X, y, loss="softmax", penalty=tl.L2(0.05), solver=solver)
    torch.testing.assert_close(fit.coef.T, model.weight.detach(), rtol=0, atol=1e-6)  # where torch stops
    assert fit.history.loss[-1].item() <= closure().item() * (1 + 1e-13)


def test_multinomial_of_r(solver: Solver, truth: Path) -> None:
    case = json.loads((truth / "r" / "multinom_housing.json").read_text())
    X, y = np.array(case["X"], dtype=float)[:, 1:], np.array(case["y"])
    fit = tl.fit(
        X, y, loss="softmax", weights=np.array(case["weights"], dtype=float), solver=solver, tol=1e-12
    )
    found = np.vstack([fit.intercept.numpy(), fit.coef.numpy()])
    assert np.abs(found.sum(axis=1)).max() < 1e-12  # identified by classes that sum to zero
    exact = np.array(case["exact25"]["coef"], dtype=float).reshape(2, -1)
    np.testing.assert_allclose((found[:, 1:] - found[:, :1]).T, exact, rtol=1e-10)


def test_it_reaches_what_newton_reaches(solver: Solver, rng: np.random.Generator) -> None:
    X = rng.normal(size=(N, P)) * SCALE + SHIFT
    eta = (X - SHIFT) / SCALE @ rng.normal(size=P) * 0.3
    for loss, y in (
        (Binomial(), (rng.random(N) < 1 / (1 + np.exp(-eta))).astype(float)),
        (Poisson(), rng.poisson(np.exp(eta)).astype(float)),
    ):
        found, best = (tl.fit(X, y, loss=loss, solver=s, tol=CLOSE) for s in (solver, "newton"))
        assert found.status is tl.Status.CONVERGED
        torch.testing.assert_close(found.coef, best.coef, rtol=1e-8, atol=1e-12)


def summed(data: Any, intercept: bool = True) -> SummedObjective:
    rows = TensorRows(torch.from_numpy(data[0]), torch.from_numpy(data[1]).double()[:, None])
    return SummedObjective(Softmax(), tl.L2(1e-3), Local(1).load(rows), intercept=intercept, n_outputs=K)


def steps(solver: Solver, problem: SummedObjective, *epochs: int) -> list[State]:
    states = [solver.init(problem, problem.start)]
    for count in epochs:
        states.append(solver.step(problem, states[-1], Budget(count, math.inf)))
    return states


def test_half_the_budget_twice_is_the_whole_to_the_bit(solver: Solver, data: Any) -> None:
    problem = summed(data)
    whole, halves = steps(solver, problem, 4)[-1], steps(solver, problem, 2, 2)
    assert torch.equal(whole.coef, halves[-1].coef)
    assert whole.memory.keys() == halves[-1].memory.keys()
    assert all(torch.equal(whole.memory[name], halves[-1].memory[name]) for name in whole.memory)
    assert torch.equal(whole.trace, torch.cat([state.trace for state in halves[1:]]))
    assert whole.epoch == 4
    assert bool((whole.trace.diff() <= 0).all())


def test_a_step_is_pure(solver: Solver, data: Any) -> None:
    problem = summed(data)
    state = steps(solver, problem, 2)[-1]
    kept = {name: value.clone() for name, value in state.memory.items()} | {"coef": state.coef.clone()}
    once, twice = (solver.step(problem, state, Budget(2, math.inf)) for _ in range(2))
    assert torch.equal(once.coef, twice.coef)
    assert all(torch.equal(kept[name], value) for name, value in {**state.memory, "coef": state.coef}.items())


def test_without_an_intercept_it_stays_zero(solver: Solver, data: Any) -> None:
    problem = summed((data[0] + 0.5, data[1]), intercept=False)
    state = steps(solver, problem, 50)[-1]
    assert problem.certificate(state.coef) < 1e-8
    assert bool((state.coef[-1] == 0).all())
    truth = LogisticRegression(C=1e3 / N, tol=1e-12, max_iter=10_000, solver="newton-cg", fit_intercept=False)
    truth.fit(data[0] + 0.5, data[1])
    np.testing.assert_allclose(
        state.coef[:-1].T, truth.coef_, rtol=0, atol=AGREES * np.abs(truth.coef_).max()
    )


def test_columns_that_depend_on_others(solver: Solver, data: Any) -> None:
    X = np.column_stack([data[0], data[0][:, 0] - 2.0 * data[0][:, 1], np.full(N, 3.0)])
    with pytest.warns(tl.RankWarning, match="dropped x5, x6"):
        fit = tl.fit(X, data[1], loss="softmax", solver=solver)
    best = tl.fit(data[0], data[1], loss="softmax", solver=solver)
    assert fit.status is tl.Status.CONVERGED
    assert fit.history.loss[-1].item() == pytest.approx(best.history.loss[-1].item(), rel=1e-10)


def test_what_it_refuses(solver: Solver) -> None:
    with pytest.raises(tl.InvalidInput, match=rf"{solver.name}'?: .*needs a smooth loss and penalty"):
        tl.fit(
            torch.eye(4), torch.tensor([0.0, 1.0, 0.0, 1.0]), loss="logistic", penalty=L1(0.1), solver=solver
        )
    with pytest.raises(tl.InvalidInput, match="solver='auto'"):
        tl.fit(torch.eye(4), torch.arange(4.0), solver=solver)


def test_options_that_are_none() -> None:
    with pytest.raises(tl.InvalidInput, match=r"LBFGS.memory takes a whole number of at least 1, got 0"):
        tl.LBFGS(memory=0)
    with pytest.raises(
        tl.InvalidInput, match=r"NewtonCG.products takes a whole number of at least 1, got 2.5"
    ):
        tl.NewtonCG(products=2.5)  # type: ignore[arg-type]
