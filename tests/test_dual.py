"""Ridge regression by rows equals ridge regression by features, and definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from torchlinear.dual import Dual
from torchlinear.rows import TensorRows


def problem(
    rng: np.random.Generator, n: int, p: int, weighted: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, y = rng.normal(size=(n, p)) + 3.0, rng.normal(size=(n, 2)) + 5.0
    return X, y, rng.uniform(0.5, 3.0, n) if weighted else np.ones(n)


def dual(X: np.ndarray, y: np.ndarray, weight: np.ndarray, intercept: bool) -> Dual:
    rows = TensorRows(torch.from_numpy(X), torch.from_numpy(y), torch.from_numpy(weight))
    return Dual.of(rows, intercept=intercept)


@pytest.mark.parametrize("shape", [(12, 30), (12, 12), (2, 3)])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
def test_coefficients(
    shape: tuple[int, int], intercept: bool, weighted: bool, alpha: float, rng: np.random.Generator
) -> None:
    X, y, weight = problem(rng, *shape, weighted)
    theirs = Ridge(alpha, fit_intercept=intercept, solver="svd").fit(X, y, weight)
    ours = dual(X, y, weight, intercept).coef(alpha)
    np.testing.assert_allclose(ours[:-1].T, theirs.coef_, rtol=1e-7, atol=1e-11)
    np.testing.assert_allclose(ours[-1], theirs.intercept_, rtol=1e-7, atol=1e-11)


@pytest.mark.parametrize("intercept", [True, False])
def test_a_tiny_strength_gives_the_solution_of_least_norm(intercept: bool, rng: np.random.Generator) -> None:
    X, y, weight = problem(rng, 20, 50, weighted=False)
    centre_x, centre_y = (X.mean(axis=0), y.mean(axis=0)) if intercept else (0.0, 0.0)
    least = np.linalg.lstsq(X - centre_x, y - centre_y)[0]
    np.testing.assert_allclose(dual(X, y, weight, intercept).coef(1e-16)[:-1], least, atol=1e-11)


@pytest.mark.parametrize("intercept", [True, False])
def test_rows_without_weight_decide_nothing(intercept: bool, rng: np.random.Generator) -> None:
    X, y, weight = problem(rng, 10, 15, weighted=True)
    weight[[0, 4]] = 0.0
    some, rest = dual(X, y, weight, intercept), weight > 0
    fewer = dual(X[rest], y[rest], weight[rest], intercept)
    np.testing.assert_allclose(some.coef(2.0), fewer.coef(2.0), rtol=1e-9, atol=1e-12)
    errors = some.errors(np.array([2.0]))[0]
    np.testing.assert_allclose(errors[rest], fewer.errors(np.array([2.0]))[0], rtol=1e-8, atol=1e-10)
    coef = fewer.coef(2.0)
    np.testing.assert_allclose(errors[~rest], y[~rest] - X[~rest] @ coef[:-1] - coef[-1], rtol=1e-9)
