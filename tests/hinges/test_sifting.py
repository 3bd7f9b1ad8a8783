"""Many rows by few: the same optimum as by all rows, whatever the order of the rows and however rare a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from torchlinear.hinges import sifting
from torchlinear.hinges.problem import Hinges
from torchlinear.hinges.solution import solve

N = 6_000


def _rows(rng: np.random.Generator) -> tuple[Any, Any]:
    X = rng.normal(size=(N, 3))
    return X, X @ [1.0, -1.0, 0.5] + rng.normal(size=N)


def _labels(rng: np.random.Generator, share: float = 0.4) -> Hinges:
    X, y = _rows(rng)
    return _of(X, np.where(y > np.quantile(y, 1.0 - share), 1.0, -1.0), rng.uniform(0.2, 2.0, size=N))


def _of(X: Any, sign: Any, weight: Any) -> Hinges:
    Z = np.column_stack([X, np.ones(N)])
    return Hinges(
        Z, np.array([3.0, 3.0, 3.0, 0.0]), np.arange(N), sign, np.ones(N), weight, np.zeros(N, dtype=bool)
    )


def _tube(rng: np.random.Generator) -> Hinges:
    X, y = _rows(rng)
    two = np.tile(np.arange(N), 2)
    at, sign = np.concatenate([y - 0.5, -y - 0.5]), np.repeat([1.0, -1.0], N)
    Z, ridge = np.column_stack([X, np.ones(N)]), np.array([3.0, 3.0, 3.0, 0.0])
    return Hinges(Z, ridge, two, sign, at, np.ones(2 * N), np.zeros(2 * N, dtype=bool))


def _sorted(rng: np.random.Generator) -> Hinges:
    X, y = _rows(rng)
    order = np.argsort(y)
    return _of(X[order], np.where(y > 0, 1.0, -1.0)[order], np.ones(N))


def _with_lasso(rng: np.random.Generator) -> Hinges:
    problem = _labels(rng)
    unit, both = np.eye(3, 4), np.tile(np.arange(3) + N, 2)
    return Hinges(
        np.vstack([problem.Z, unit]),
        problem.ridge,
        np.concatenate([problem.row, both]),
        np.concatenate([problem.sign, np.repeat([1.0, -1.0], 3)]),
        np.concatenate([problem.at, np.zeros(6)]),
        np.concatenate([problem.weight, np.full(6, 400.0)]),
        np.concatenate([problem.penalties, np.ones(6, dtype=bool)]),
    )


def _sparse(rng: np.random.Generator) -> Hinges:
    X, y = _rows(rng)
    plain = _of(X * (rng.random(X.shape) < 0.5), np.where(y > 0, 1.0, -1.0), np.ones(N))
    return Hinges(
        scipy.sparse.csr_array(plain.Z),
        plain.ridge,
        plain.row,
        plain.sign,
        plain.at,
        plain.weight,
        plain.penalties,
    )


KINDS: dict[str, Callable[[np.random.Generator], Hinges]] = {
    "labels": _labels,
    "a class of few": lambda rng: _labels(rng, 0.005),
    "tube": _tube,
    "sorted": _sorted,
    "lasso": _with_lasso,
    "sparse": _sparse,
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_optimum_of_all_rows(
    kind: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = KINDS[kind](rng)
    every = solve(problem)
    seen: list[int] = []
    direct = sifting._direct

    def counted(some: Hinges, rough: bool) -> Any:
        seen.append(len(some.row))
        return direct(some, rough)

    monkeypatch.setattr(sifting, "DIRECT_ROWS", 300)
    monkeypatch.setattr(sifting, "_direct", counted)
    found = solve(problem)
    assert len(seen) > 1
    np.testing.assert_allclose(found.coef, every.coef, rtol=1e-9, atol=1e-11)
    assert found.gap <= 1e-12 * found.value
    assert found.dual.shape == every.dual.shape
    if kind != "a class of few":  # of which a sample knows little
        assert max(seen) < 0.6 * len(problem.row)


def test_a_misleading_sample_costs_rounds_and_not_the_optimum(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = _labels(rng)
    every = solve(problem)
    found = sifting._sifted(problem, np.array([-5.0, 5.0, 1.0, 2.0]), np.zeros(N, dtype=bool), False)
    np.testing.assert_allclose(found.coef, every.coef, rtol=1e-8, atol=1e-10)
    assert found.gap <= 1e-12 * found.value
