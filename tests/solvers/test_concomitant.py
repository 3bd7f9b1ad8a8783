"""Coefficients and scale together: the least of a convex function, from wherever it starts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import check_grad, minimize
from sklearn.linear_model._huber import _huber_loss_and_gradient

from torchlinear.engines.local import Local
from torchlinear.rows import TensorRows
from torchlinear.solvers.concomitant import Problem, minimise

N, P = 150, 3


def problem_of(
    X: Any, y: Any, weight: Any = None, *, delta: float = 1.35, alpha: float = 0.1, intercept: bool = True
) -> Problem:
    tensors = [
        None if a is None else torch.from_numpy(np.asarray(a, dtype=float)) for a in (X, y[:, None], weight)
    ]
    return Problem(Local(1).load(TensorRows(*tensors)), delta, np.full(X.shape[1], alpha), intercept)  # type: ignore[arg-type]


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    X = rng.normal(size=(N, P)) + 0.5
    y = X @ [1.0, -2.0, 0.0] + rng.standard_t(2, size=N) + 3.0
    return X, y, rng.uniform(0.5, 2.0, size=N)


@pytest.mark.parametrize("delta", [1.1, 1.35, 5.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_it_is_no_higher_than_scikit_learns_function_gets(
    delta: float, intercept: bool, rows: tuple[Any, Any, Any]
) -> None:
    X, y, weight = rows
    found = minimise(problem_of(X, y, weight, delta=delta, intercept=intercept), np.zeros(P + 1), 1.0)
    arguments = X, y, delta, 0.1, weight
    start = np.append(np.zeros(P + intercept), 1.0)
    bounds = [(None, None)] * (P + intercept) + [(1e-12, None)]
    theirs = minimize(
        _huber_loss_and_gradient, start, args=arguments, jac=True, method="L-BFGS-B", bounds=bounds,
        options={"gtol": 1e-9, "ftol": 1e-15, "maxiter": 10_000},
    )  # fmt: skip
    ours = np.append(found.coef[: P + intercept], found.scale)
    value, slope = _huber_loss_and_gradient(ours, *arguments)
    assert value <= theirs.fun * (1 + 1e-14)
    np.testing.assert_allclose(slope, 0.0, atol=1e-9 * N)
    np.testing.assert_allclose(ours, theirs.x, rtol=1e-3, atol=1e-4)
    assert found.settled
    assert found.slope < 1e-10


def test_wherever_it_starts(rows: tuple[Any, Any, Any], rng: np.random.Generator) -> None:
    X, y, weight = rows
    problem = problem_of(X, y, weight)
    best = minimise(problem, np.zeros(P + 1), 1.0)
    for _ in range(5):
        found = minimise(problem, 10.0 * rng.normal(size=P + 1), float(rng.uniform(0.01, 100.0)))
        np.testing.assert_allclose(found.coef, best.coef, rtol=1e-8, atol=1e-9)
        assert found.scale == pytest.approx(best.scale, rel=1e-9)
    again = minimise(problem, best.coef, best.scale, kept=1e-6)
    assert again.rounds == 0
    assert again.scale == best.scale


def test_rounds_are_counted_and_kept_to(rows: tuple[Any, Any, Any]) -> None:
    problem = problem_of(*rows)
    values = []
    for rounds in range(4):
        found = minimise(problem, np.zeros(P + 1), 1.0, rounds=rounds)
        assert found.rounds == rounds
        assert not found.settled
        sums = problem.sums(found.coef, found.scale, np.zeros(P))
        values.append(sums.value + problem.alpha @ found.coef[:-1] ** 2)
    assert (np.diff(values) < 0).all()


def test_columns_in_other_units(rows: tuple[Any, Any, Any]) -> None:
    X, y, weight = rows
    units = np.array([1e-4, 1.0, 1e5])
    one = minimise(problem_of(X, y, weight, alpha=0.0), np.zeros(P + 1), 1.0)
    other = minimise(problem_of(X * units, y, weight, alpha=0.0), np.zeros(P + 1), 1.0)
    np.testing.assert_allclose(other.coef[:-1] * units, one.coef[:-1], rtol=1e-8)
    assert other.scale == pytest.approx(one.scale, rel=1e-10)


@pytest.mark.parametrize("alpha", [0.0, 1e-3])
def test_dependent_columns_and_more_columns_than_rows(alpha: float, rng: np.random.Generator) -> None:
    X = rng.normal(size=(60, 2))
    y = X[:, 0] + rng.normal(size=60)
    doubled = minimise(problem_of(X[:, [0, 1, 0]], y, alpha=alpha), np.zeros(4), 1.0)
    single = minimise(replace(problem_of(X, y), alpha=np.array([alpha / 2.0, alpha])), np.zeros(3), 1.0)
    assert doubled.coef[0] == pytest.approx(doubled.coef[2], rel=1e-6)
    np.testing.assert_allclose(doubled.coef[0] + doubled.coef[2], single.coef[0], rtol=1e-7)
    wide = minimise(problem_of(rng.normal(size=(6, 15)), rng.normal(size=6), alpha=1.0), np.zeros(16), 1.0)
    assert np.isfinite(wide.coef).all()
    assert wide.scale > 0


def test_the_slope_is_the_gradient_that_scikit_learn_checks(rows: tuple[Any, Any, Any]) -> None:
    """Their function is our reference above, so it is checked itself."""
    X, y, weight = rows
    at = np.array([0.3, -0.2, 0.1, 1.0, 0.8])
    error = check_grad(
        lambda x: _huber_loss_and_gradient(x, X, y, 1.35, 0.1, weight)[0],
        lambda x: _huber_loss_and_gradient(x, X, y, 1.35, 0.1, weight)[1],
        at,
    )
    assert error < 1e-3
