"""Random problems of every kind that is awkward, and their truth by HiGHS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from torchlinear.pinball.problem import Pinball

Random = np.random.Generator
Array = np.ndarray[Any, np.dtype[np.float64]]


def _of(X: Array, y: Array, q: float = 0.5, weight: Array | None = None, intercept: bool = True) -> Pinball:
    weight = np.ones(len(y)) if weight is None else weight
    Z = np.column_stack([X, np.ones(len(y))]) if intercept else X
    return Pinball(Z, y, (q - 1.0) * weight, q * weight)


def _noisy(rng: Random, n: int = 80, p: int = 4) -> tuple[Array, Array]:
    X = rng.normal(size=(n, p))
    return X, X @ rng.normal(size=p) + rng.standard_cauchy(size=n)


def _lasso(rng: Random) -> Pinball:
    X, y = _noisy(rng)
    unit, strength = np.eye(4, 5), np.full(4, rng.uniform(1.0, 20.0))
    rows = _of(X, y, 0.3)
    return Pinball(
        np.vstack([rows.Z, unit]),
        np.append(y, np.zeros(4)),
        np.append(rows.below, -strength),
        np.append(rows.above, strength),
    )


KINDS: dict[str, Callable[[Random], Pinball]] = {
    "plain": lambda rng: _of(*_noisy(rng)),
    "quantile 0.95": lambda rng: _of(*_noisy(rng), 0.95),
    "weights, some 0": lambda rng: _of(*_noisy(rng), 0.4, rng.integers(0, 4, size=80).astype(float)),
    "no intercept": lambda rng: _of(*_noisy(rng), intercept=False),
    "intercept alone": lambda rng: _of(np.empty((9, 0)), rng.normal(size=9)),
    "even, so not unique": lambda rng: _of(np.empty((10, 0)), rng.normal(size=10)),
    "ties": lambda rng: _of(
        rng.integers(0, 3, size=(80, 3)).astype(float), rng.integers(0, 4, size=80).astype(float)
    ),
    "mostly 0": lambda rng: _of(_noisy(rng)[0], np.where(rng.random(80) < 0.7, 0.0, rng.normal(size=80))),
    "constant target": lambda rng: _of(_noisy(rng)[0], np.full(80, 3.0)),
    "perfect fit": lambda rng: _of(X := _noisy(rng)[0], X @ np.ones(4) + 2.0),
    "fewer rows than columns": lambda rng: _of(*_noisy(rng, 6, 11)),
    "as many rows as columns": lambda rng: _of(*_noisy(rng, 5, 4)),
    "one row": lambda rng: _of(*_noisy(rng, 1, 2)),
    "duplicated column": lambda rng: _of(
        (X := _noisy(rng)[0])[:, [0, 1, 0, 2]], X[:, 0] + rng.normal(size=80)
    ),
    "constant column": lambda rng: _of(
        np.column_stack([np.full(80, 7.0), _noisy(rng)[0]]), rng.normal(size=80)
    ),
    "nearly dependent": lambda rng: _of(
        np.column_stack([X := _noisy(rng)[0], X[:, 0] + 1e-6 * rng.normal(size=80)]),
        X[:, 0] + rng.normal(size=80),
    ),
    "units": lambda rng: _of((X := _noisy(rng)[0]) * [1e-6, 1e6, 1.0, 1e3] + [1.0, 0.0, 1e3, 0.0], X[:, 1]),
    "lasso": _lasso,
}


@pytest.fixture(params=KINDS)
def problem(request: Any, rng: Random) -> Pinball:
    return KINDS[request.param](rng)


@pytest.fixture
def least(problem: Pinball) -> float:
    """The least sum by HiGHS, of the problem in columns of size 1, which is what its tolerances are made for."""
    n = len(problem.y)
    size = np.abs(problem.Z).max(axis=0)
    Z = problem.Z / np.where(size > 0, size, 1.0)
    cost = np.concatenate([np.zeros(2 * Z.shape[1]), problem.above, -problem.below])
    A = np.hstack([Z, -Z, np.eye(n), -np.eye(n)])
    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    found = linprog(cost, A_eq=A, b_eq=problem.y, bounds=(0, None), method="highs", options=options)
    assert found.status == 0
    return float(found.fun)
