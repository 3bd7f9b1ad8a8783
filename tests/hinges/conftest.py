"""Random problems of every kind that is awkward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from torchlinear.hinges.problem import Hinges

Random = np.random.Generator
Array = np.ndarray[Any, np.dtype[np.float64]]


def of_labels(X: Array, ridge: float, labels: Array, weight: Array | None = None, free: int = 0) -> Hinges:
    """Hinge loss with an intercept; the first `free` columns are not penalised."""
    n, p = X.shape
    Z = np.column_stack([X, np.ones(n)])
    strength = np.append(np.full(p, ridge), 0.0)
    strength[:free] = 0.0
    weight = np.ones(n) if weight is None else weight
    none = np.zeros(n, dtype=bool)
    return Hinges(Z, strength, np.arange(n), np.where(labels > 0, 1.0, -1.0), np.ones(n), weight, none)


def of_tube(X: Array, ridge: float, y: Array, epsilon: float) -> Hinges:
    """Epsilon-insensitive loss with an intercept."""
    n, p = X.shape
    Z, both = np.column_stack([X, np.ones(n)]), np.tile(np.arange(n), 2)
    at, sign = np.concatenate([y - epsilon, -y - epsilon]), np.repeat([1.0, -1.0], n)
    none = np.zeros(2 * n, dtype=bool)
    return Hinges(Z, np.append(np.full(p, ridge), 0.0), both, sign, at, np.ones(2 * n), none)


def noisy(rng: Random, n: int = 120, p: int = 4, noise: float = 1.0) -> tuple[Array, Array]:
    X = rng.normal(size=(n, p))
    return X, X @ rng.normal(size=p) + noise * rng.normal(size=n) + 0.3


def classes(rng: Random, ridge: float, n: int = 120, p: int = 4, **more: Any) -> Hinges:
    X, y = noisy(rng, n, p)
    return of_labels(X, ridge, y, **more)


def _sparse(rng: Random) -> Hinges:
    X, y = noisy(rng, 150, 20)
    dense = of_labels(X * (rng.random(X.shape) < 0.1), 2.0, y)
    return Hinges(scipy.sparse.csr_array(dense.Z), *_rest(dense))


def _sparse_and_wide(rng: Random) -> Hinges:
    X, y = noisy(rng, 40, 300)
    dense = of_labels(X * (rng.random(X.shape) < 0.2), 2.0, y)
    return Hinges(scipy.sparse.csr_array(dense.Z), *_rest(dense))


def _rest(problem: Hinges) -> tuple[Any, ...]:
    return problem.ridge, problem.row, problem.sign, problem.at, problem.weight, problem.penalties


KINDS: dict[str, Callable[[Random], Hinges]] = {
    "plain": lambda rng: classes(rng, 1.0),
    "weights": lambda rng: classes(rng, 1.0, weight=rng.uniform(0.1, 3.0, size=120)),
    "next to no ridge": lambda rng: classes(rng, 1e-5),
    "hardly more than a ridge": lambda rng: classes(rng, 1e5),
    "unpenalised columns": lambda rng: classes(rng, 1.0, free=2),
    "separated": lambda rng: of_labels(X := noisy(rng)[0], 0.1, X[:, 0] - 0.2),
    "one class": lambda rng: of_labels(noisy(rng)[0], 1.0, np.ones(120)),
    "ties": lambda rng: of_labels(rng.integers(0, 3, size=(120, 3)).astype(float), 0.5, rng.normal(size=120)),
    "every row four times": lambda rng: of_labels(
        (X := noisy(rng, 30)[0])[(rows := np.arange(120) % 30)], 0.5, (X[:, 0] + rng.normal(size=30))[rows]
    ),
    "duplicated column": lambda rng: of_labels((X := noisy(rng)[0])[:, [0, 1, 0, 2]], 1.0, X[:, 0] - X[:, 1]),
    "constant column": lambda rng: of_labels(
        np.column_stack([np.full(120, 7.0), noisy(rng)[0]]), 1.0, rng.normal(size=120)
    ),
    "units": lambda rng: of_labels(
        (X := noisy(rng)[0]) * [1e-3, 1e3, 1.0, 10.0] + [1.0, 0.0, 100.0, 0.0], 1e-4, X[:, 1] + X[:, 2]
    ),
    "more columns than rows": lambda rng: classes(rng, 5.0, 30, 90),
    "one row": lambda rng: classes(rng, 1.0, 1, 2),
    "sparse": _sparse,
    "sparse, more columns than rows": _sparse_and_wide,
    "tube": lambda rng: of_tube(*_with(noisy(rng), 1.0), 0.5),
    "tube of width 0": lambda rng: of_tube(*_with(noisy(rng), 1.0), 0.0),
    "tube around everything": lambda rng: of_tube(*_with(noisy(rng), 1.0), 100.0),
    "tube far from 0": lambda rng: of_tube((X := noisy(rng))[0], 1.0, X[1] + 1e5, 0.5),
    "perfect fit in a tube of width 0": lambda rng: of_tube(*_with(noisy(rng, noise=0.0), 1e-3), 0.0),
}


def _with(rows: tuple[Array, Array], ridge: float) -> tuple[Array, float, Array]:
    return rows[0], ridge, rows[1]


@pytest.fixture(params=KINDS)
def problem(request: Any, rng: Random) -> Hinges:
    return KINDS[request.param](rng)
