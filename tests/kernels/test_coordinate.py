"""`minimise` against the optimality conditions, written out, and against SciPy's bounded quasi-Newton method."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from torchlinear.kernels import coordinate
from torchlinear.kernels.coordinate import minimise

ROUNDING = 1e-11  # of slopes, relative to the largest; condition numbers here are at most 1e4

Array = np.ndarray


def quadratic(rng: np.random.Generator, p: int, rows: int, common: float = 0.5) -> tuple[Array, Array]:
    """Cross products of correlated columns in different units, and their products with a target."""
    X = rng.normal(size=(rows, p)) + common * rng.normal(size=(rows, 1))
    X *= 10.0 ** rng.uniform(-2, 2, size=p)
    y = X @ (rng.normal(size=p) / np.linalg.norm(X, axis=0)) * np.sqrt(rows) + rng.normal(size=rows)
    return X.T @ X, X.T @ y


def strengths(H: Array, g: Array, share: float) -> tuple[Array, Array]:
    scale = np.sqrt(np.diag(H))
    return share * np.abs(g / scale).max() * scale, 0.1 * np.diag(H)


def violation(
    H: Array, g: Array, b: Array, lasso: Array, ridge: Array, lower: float = -np.inf, upper: float = np.inf
) -> float:
    """How far zero is from the subdifferential, over the curvature's root, relative to the largest slope at 0."""
    slope = H @ b - g + ridge * b
    least = np.where(b > 0, slope + lasso, slope - lasso)
    most = np.where(b < 0, slope - lasso, slope + lasso)
    at_low, at_high = b <= lower, b >= upper
    above = np.where(at_high, 0.0, np.maximum(-most, 0.0))  # it would go up
    below = np.where(at_low, 0.0, np.maximum(least, 0.0))  # it would go down
    scale = np.sqrt(np.diag(H) + ridge)
    return float((np.maximum(above, below) / scale).max() / (np.abs(g) / scale).max())


@pytest.mark.parametrize("share", [0.5, 0.1, 1e-3])
@pytest.mark.parametrize(("p", "rows"), [(1, 9), (7, 50), (150, 400), (60, 30)])
def test_it_ends_at_the_optimum(rng: np.random.Generator, p: int, rows: int, share: float) -> None:
    H, g = quadratic(rng, p, rows)
    lasso, ridge = strengths(H, g, share)
    for each in (ridge, np.zeros(p)):
        found = minimise(H, g, np.zeros(p), lasso, each)
        assert found.residual <= 1e-10
        assert violation(H, g, found.beta, lasso, each) <= ROUNDING
        np.testing.assert_allclose(found.pull, g - H @ found.beta, rtol=0, atol=1e-12 * np.abs(g).max())


def test_within_bounds(rng: np.random.Generator) -> None:
    H, g = quadratic(rng, 12, 60)
    scale = np.sqrt(np.diag(H))
    lasso, ridge = strengths(H, g, 0.05)
    upper = 0.3 * np.abs(g / scale).max() / scale
    found = minimise(H, g, np.zeros(12), lasso, ridge, np.zeros(12), upper)
    assert (found.beta >= 0).all()
    assert (found.beta <= upper).all()

    def value(t: Array) -> tuple[float, Array]:  # above zero |b| is b; in units in which bounds are 1
        b = t * upper
        slope = H @ b - g + lasso + ridge * b
        return float(0.5 * b @ (H @ b) - g @ b + lasso @ b + 0.5 * ridge @ b**2), slope * upper

    best = minimize(value, np.full(12, 0.5), jac=True, bounds=12 * [(0, 1)], options={"ftol": 1e-15})
    assert value(found.beta / upper)[0] <= best.fun + 1e-12 * abs(best.fun)


def test_zeros_are_exact_and_appear_from_any_start(rng: np.random.Generator) -> None:
    H, g = quadratic(rng, 40, 200)
    lasso, ridge = strengths(H, g, 0.2)
    ends = [
        minimise(H, g, s, lasso, ridge).beta
        for s in (np.zeros(40), rng.normal(size=40) / np.sqrt(np.diag(H)))
    ]
    assert 0 < np.count_nonzero(ends[0]) < 40
    np.testing.assert_array_equal(ends[0] == 0.0, ends[1] == 0.0)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-9, atol=0)


def test_no_penalty_is_least_squares(rng: np.random.Generator) -> None:
    H, g = quadratic(rng, 8, 50)
    found = minimise(H, g, np.zeros(8), np.zeros(8), np.zeros(8))
    np.testing.assert_allclose(found.beta, np.linalg.solve(H, g), rtol=1e-9)


def test_columns_of_zeros_and_twins(rng: np.random.Generator) -> None:
    X = rng.normal(size=(50, 4))
    X[:, 1], X[:, 2] = X[:, 0], 0.0
    H, g = X.T @ X, X.T @ (X[:, 0] + X[:, 3])
    lasso = np.full(4, 0.01 * np.abs(g).max())
    found = minimise(H, g, np.zeros(4), lasso, np.zeros(4))
    assert found.beta[2] == 0.0
    assert found.residual <= 1e-10
    assert violation(H + np.diag([0, 0, 1.0, 0]), g, found.beta, lasso, np.zeros(4)) <= ROUNDING


def test_the_kernel_is_its_python_twin(rng: np.random.Generator) -> None:
    H, g = quadratic(rng, 6, 30)
    lasso, ridge = strengths(H, g, 0.1)
    ends = []
    for run in (coordinate.sweep, coordinate.sweep.function):
        pull, beta = g.copy(), np.zeros(6)
        count = run(H, pull, beta, lasso, ridge, np.full(6, -np.inf), np.full(6, np.inf), 0.0, 7)
        ends.append((count, pull, beta))
    assert ends[0][0] == ends[1][0]
    np.testing.assert_allclose(ends[0][2], ends[1][2], rtol=1e-12)
    np.testing.assert_allclose(ends[0][1], ends[1][1], rtol=0, atol=1e-12 * np.abs(g).max())


@pytest.mark.parametrize("bound", [np.inf, 10.0])
def test_what_rounding_falls_along_is_left_alone(rng: np.random.Generator, bound: float) -> None:
    """Three columns without a penalty depend on one another; nothing, or a bound far off, ends the way along them."""
    X = rng.normal(size=(100, 4))
    X[:, 2] = X[:, 0] + X[:, 1]
    H, g = X.T @ X, X.T @ (X @ [1.0, -2.0, 0.0, 0.0] + rng.normal(size=100))
    lasso, limit = np.array([0.0, 0.0, 0.0, 1e6]), np.full(4, bound)
    found = minimise(H, g, np.zeros(4), lasso, np.zeros(4), -limit, limit)
    assert found.beta[3] == 0.0
    assert np.abs(found.beta).max() < 4.0
    np.testing.assert_allclose(H[:3, :3] @ found.beta[:3], g[:3], atol=ROUNDING * np.abs(g).max())
