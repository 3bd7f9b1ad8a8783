"""Block coordinate descent: its optimum, its twin in Python, and the gaps that certify it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from torchlinear.kernels.duality import gap, group_gap
from torchlinear.kernels.groups import alone, minimise, sweep

Array = np.ndarray[Any, Any]


def quadratic(rng: np.random.Generator, p: int, k: int, rows: int) -> tuple[Array, Array, Array, Array]:
    """X and Y, correlated columns, and the quadratic of their least squares."""
    X = (rng.normal(size=(rows, p)) + 0.5 * rng.normal(size=(rows, 1))) / np.sqrt(rows)
    Y = X @ (rng.normal(size=(p, k)) * (np.arange(p) < p / 2)[:, None]) + 0.3 * rng.normal(size=(rows, k))
    return X, Y, X.T @ X, X.T @ Y


def total(X: Array, Y: Array, B: Array, groups: Array, strengths: Array) -> float:
    norms = np.sqrt(np.bincount(groups, np.square(B).sum(axis=1)))
    return float(np.square(Y - X @ B).sum() / 2.0 + strengths @ norms)


@pytest.mark.parametrize(("p", "k", "rows"), [(12, 1, 60), (12, 4, 60), (30, 2, 15), (7, 1, 200)])
@pytest.mark.parametrize("share", [0.05, 0.4])
def test_it_ends_at_the_optimum(rng: np.random.Generator, p: int, k: int, rows: int, share: float) -> None:
    X, Y, H, G = quadratic(rng, p, k, rows)
    groups = rng.permutation(np.arange(p) % 5)
    pulls = np.sqrt(np.bincount(groups, np.square(G).sum(axis=1)))
    strengths = share * pulls.max() * rng.uniform(0.5, 1.5, size=5)
    found = minimise(H, G, rng.normal(size=(p, k)), groups, strengths)
    beta, left = found.beta, G - H @ found.beta
    norms = np.sqrt(np.bincount(groups, np.square(beta).sum(axis=1)))
    for g in range(5):
        at = groups == g
        if norms[g] == 0.0:
            assert (beta[at] == 0.0).all()
            assert np.linalg.norm(left[at]) <= strengths[g] * (1 + 1e-12)
        else:
            np.testing.assert_allclose(
                left[at], strengths[g] * beta[at] / norms[g], rtol=0, atol=1e-11 * pulls.max()
            )
    bound = group_gap(left, beta, strengths, groups, float(np.square(Y - X @ beta).sum()))
    assert 0.0 <= bound < 1e-11 * np.square(Y).sum()


def test_groups_without_a_strength_are_least_squares(rng: np.random.Generator) -> None:
    X, Y, H, G = quadratic(rng, 9, 2, 50)
    found = minimise(H, G, np.zeros((9, 2)), np.arange(9) // 3, np.zeros(3))
    np.testing.assert_allclose(found.beta, np.linalg.lstsq(X, Y)[0], rtol=1e-10, atol=1e-12)


def test_columns_of_zeros_and_twins(rng: np.random.Generator) -> None:
    X, Y, _, _ = quadratic(rng, 8, 1, 40)
    X[:, 2], X[:, 5] = 0.0, X[:, 4]
    groups, strengths = np.arange(8) // 2, np.full(4, 0.05)
    found = minimise(X.T @ X, X.T @ Y, np.zeros((8, 1)), groups, strengths)
    assert found.beta[2] == 0.0
    np.testing.assert_allclose(found.beta[4], found.beta[5], rtol=1e-9)  # the least norm of their sum
    assert found.residual < 1e-9


def test_gaps_bound_the_distance_from_the_optimum(rng: np.random.Generator) -> None:
    X, Y, H, G = quadratic(rng, 12, 2, 60)
    groups, strengths = np.arange(12) // 3, rng.uniform(0.05, 0.5, size=4)
    best = minimise(H, G, np.zeros((12, 2)), groups, strengths).beta
    least = total(X, Y, best, groups, strengths)
    for size in (1e-3, 0.1, 1.0):
        B = best + size * rng.normal(size=best.shape)
        bound = group_gap(G - H @ B, B, strengths, groups, float(np.square(Y - X @ B).sum()))
        assert total(X, Y, B, groups, strengths) - least <= bound * (1 + 1e-12)


def test_gaps_within_bounds_hold_and_close(rng: np.random.Generator) -> None:
    from torchlinear.kernels.coordinate import minimise as within

    X, Y, H, G = quadratic(rng, 12, 1, 60)
    y, g = Y[:, 0], np.ascontiguousarray(G[:, 0])
    lasso, ridge = (
        rng.uniform(0.0, 0.2, size=12),
        rng.uniform(0.0, 0.2, size=12) * (rng.uniform(size=12) < 0.5),
    )
    low, high = np.sort(rng.normal(size=(2, 12)), axis=0)
    low[:3], high[2:5] = -np.inf, np.inf

    def objective(b: Array) -> float:
        return float(np.square(y - X @ b).sum() / 2.0 + lasso @ np.abs(b) + ridge @ np.square(b) / 2.0)

    def bound(b: Array) -> float:
        return gap(g - H @ b, b, lasso, ridge, float(np.square(y - X @ b).sum()), lower=low, upper=high)

    best = within(H, g, np.zeros(12), lasso, ridge, low, high).beta
    assert 0.0 <= bound(best) < 1e-11
    for size in (1e-3, 0.1, 1.0):
        b = np.clip(best + size * rng.normal(size=12), low, high)
        assert objective(b) - objective(best) <= bound(b) * (1 + 1e-12) + 1e-13


def test_the_kernels_are_their_python_twins(rng: np.random.Generator) -> None:
    _, _, H, G = quadratic(rng, 9, 3, 40)
    edges, strengths = np.array([0, 3, 4, 9]), np.array([0.1, 0.0, 0.3])
    for a, b in ((0, 3), (4, 9)):  # as in the kernels' own coordinates
        H[a:b, a:b] = np.diag(np.diag(H[a:b, a:b]))
    ends = []
    runs: tuple[Any, ...] = (sweep, sweep.function)
    for run in runs:
        pull, beta, work = G.copy(), np.zeros((9, 3)), np.empty((9, 3))
        count = run(H, pull, beta, edges, strengths, work, 1e-12, 20)
        ends.append((count, pull, beta))
    assert ends[0][0] == ends[1][0]
    # Multiplications that are contracted with additions round once: 9 rows of 20 sweeps are added up.
    rounding = 20 * 9 * np.finfo(float).eps
    np.testing.assert_allclose(ends[0][1], ends[1][1], rtol=0, atol=rounding * np.abs(G).max())
    np.testing.assert_allclose(ends[0][2], ends[1][2], rtol=0, atol=rounding * np.abs(ends[0][2]).max())
    moved = [np.zeros((9, 3)) for _ in range(2)]
    both: tuple[Any, ...] = (alone, alone.function)
    for call, beta in zip(both, moved, strict=True):
        call(H, G, beta, edges, strengths, np.empty((9, 3)))
    np.testing.assert_allclose(moved[0], moved[1], rtol=1e-13, atol=1e-15)
