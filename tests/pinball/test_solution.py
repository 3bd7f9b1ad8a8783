"""The least sum of pinball losses: as low as HiGHS finds it, with a dual point that proves it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from torchlinear.pinball.problem import Pinball
from torchlinear.pinball.solution import solve

# HiGHS keeps its constraints within 1e-10, so its sums are that far from the least ones, on either side.
HIGHS = 1e-8
ROUNDING = 1e-12


def size(problem: Pinball, b: np.ndarray) -> float:
    """What the sum is rounded by."""
    return float(problem.width @ (np.abs(problem.y) + np.abs(problem.Z) @ np.abs(b)))


def test_it_is_as_low_as_highs_and_the_dual_proves_it(problem: Pinball, least: float) -> None:
    found = solve(problem)
    rounding = ROUNDING * size(problem, found.coef)
    value = problem.costs(problem.residual(found.coef)).sum()
    assert found.value == pytest.approx(value, abs=rounding)
    assert value == pytest.approx(least, rel=HIGHS, abs=rounding + 1e-9)
    assert 0.0 <= found.gap <= ROUNDING * found.value + rounding
    assert (problem.below <= found.dual).all()
    assert (found.dual <= problem.above).all()
    norms = np.abs(problem.Z).T @ problem.width
    assert (np.abs(problem.Z.T @ found.dual) <= 1e-9 * norms).all()
    assert problem.y @ found.dual == pytest.approx(value, abs=1e-9 * size(problem, found.coef))


def test_it_passes_through_as_many_rows_as_there_are_coefficients(rng: np.random.Generator) -> None:
    Z = np.column_stack([rng.normal(size=(200, 3)), np.ones(200)])
    y = Z @ [1.0, -2.0, 0.5, 3.0] + rng.normal(size=200)
    r = solve(Pinball(Z, y, np.full(200, -0.7), np.full(200, 0.3))).coef @ Z.T - y
    assert (np.abs(r) < 1e-13).sum() == 4
    assert (r > 0).mean() == pytest.approx(0.3, abs=0.03)


def test_engels_food_expenditures_as_r(truth: Path) -> None:
    case = json.loads((truth / "r" / "quantile_engel.json").read_text())
    X, y = np.array(case["X"])[:, ::-1], np.array(case["y"])
    assert [fit["tau"] for fit in case["fits"]] == [0.1, 0.25, 0.5, 0.75, 0.9]
    for fit in case["fits"]:
        q = fit["tau"]
        found = solve(Pinball(X, y, np.full(len(y), q - 1.0), np.full(len(y), q)))
        np.testing.assert_allclose(found.coef[::-1], fit["coef"], rtol=2e-14)  # R prints 15 digits
        assert found.value == pytest.approx(fit["rho"], rel=2e-14)


def test_a_weight_is_as_many_rows(rng: np.random.Generator) -> None:
    Z, y = np.column_stack([rng.normal(size=(60, 2)), np.ones(60)]), rng.normal(size=60)
    times = rng.integers(0, 4, size=60)
    weighted = solve(Pinball(Z, y, -0.4 * times, 0.6 * times))
    repeated = np.repeat(np.arange(60), times)
    whole = solve(
        Pinball(Z[repeated], y[repeated], np.full(len(repeated), -0.4), np.full(len(repeated), 0.6))
    )
    np.testing.assert_allclose(weighted.coef, whole.coef, rtol=1e-10)
    assert (weighted.dual[times == 0] == 0).all()


def test_columns_that_depend_on_those_before_have_the_coefficient_0(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(50, 2)), rng.normal(size=50)
    half = np.full(50, 0.5)
    Z = np.column_stack([X[:, 0], X[:, 1], 2.0 * X[:, 0] - X[:, 1] + 4.0, np.full(50, 5.0), np.ones(50)])
    found = solve(Pinball(Z, y, -half, half))
    plain = solve(Pinball(Z[:, [0, 1, 4]], y, -half, half))
    np.testing.assert_allclose(found.coef[[0, 1, 4]], plain.coef, rtol=1e-9)
    assert (found.coef[[2, 3]] == 0.0).all()


def test_shifts_and_scales_of_the_target_come_back(problem: Pinball) -> None:
    b = np.linspace(-1.0, 2.0, problem.Z.shape[1])
    moved = replace(problem, y=5.0 * problem.y + problem.Z @ b)
    value, there = solve(problem).value, solve(moved).value
    assert there == pytest.approx(5.0 * value, rel=1e-9, abs=ROUNDING * size(moved, b))


def test_a_point_inside_is_near(problem: Pinball) -> None:
    inside, exact = solve(problem, exact=False), solve(problem)
    rounding = ROUNDING * size(problem, inside.coef)
    assert exact.value <= inside.value + rounding
    assert inside.value - exact.value <= inside.gap + rounding
    assert inside.gap <= 2e-7 * inside.value + rounding
