"""Many rows are solved by few of them, and the result is that of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import torchlinear as tl
from torchlinear.engines.local import Local
from torchlinear.pinball import kept, sifting
from torchlinear.pinball.problem import Pinball
from torchlinear.pinball.sifting import Target, least
from torchlinear.pinball.solution import solve
from torchlinear.rows import TensorRows

Random = np.random.Generator
N, P = 12_000, 3

KINDS: dict[str, Callable[[Random, Any], tuple[Any, Any]]] = {
    "heavy tails": lambda rng, X: (X, X.sum(axis=1) + rng.standard_cauchy(size=N)),
    "a spread that grows": lambda rng, X: (X, X[:, 0] + np.exp(2.0 * X[:, 1]) * rng.normal(size=N)),
    "far features": lambda rng, X: (Y := rng.standard_cauchy(size=(N, P)), Y[:, 0] + rng.normal(size=N)),
    "ties": lambda rng, X: (X, np.round(X[:, 0] + rng.normal(size=N))),
    "mostly 0": lambda rng, X: (X, np.maximum(X[:, 0] + rng.normal(size=N) - 1.0, 0.0)),
    "rare dummies": lambda rng, X: (
        np.column_stack([X, np.arange(N) == 17, np.arange(N) % 5_000 == 0]),
        X[:, 0] + rng.normal(size=N),
    ),
    "far from the origin": lambda rng, X: (1e-3 * X + 1e4, X[:, 0] + rng.normal(size=N)),
    "in order": lambda rng, X: (np.sort(X, axis=0), np.arange(N) / N * rng.normal(size=N)),
}


@pytest.fixture(params=KINDS)
def rows(request: Any, rng: Random) -> tuple[Any, Any]:
    X, y = KINDS[request.param](rng, rng.normal(size=(N, P)))
    return X.astype(float), y


def target_of(X: Any, q: float, strength: float = 0.0, intercept: bool = True) -> Target:
    centre = X.mean(axis=0) if intercept else np.zeros(X.shape[1])
    return Target(0, (q - 1.0, q), np.full(X.shape[1], strength), intercept, centre)


def loaded_of(X: Any, y: Any, weight: Any = None) -> Any:
    tensors = [torch.from_numpy(np.asarray(a)) for a in (X, y[:, None])]
    return Local(2).load(TensorRows(*tensors, None if weight is None else torch.from_numpy(weight)))


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_it_is_the_optimum_of_all_rows(rows: tuple[Any, Any], q: float, rng: Random) -> None:
    X, y = rows
    weight = rng.integers(0, 3, size=N).astype(float)
    coef, bound = least(loaded_of(X, y, weight), target_of(X, q), int((weight > 0).sum()))
    Z = np.column_stack([X - X.mean(axis=0), np.ones(N)])
    whole = solve(Pinball(Z, y, (q - 1.0) * weight, q * weight))
    r = y - X @ coef[:-1] - coef[-1]
    value = (weight * np.where(r > 0, q * r, (q - 1.0) * r)).sum()
    rounding = 1e-15 * weight.sum() * (np.abs(X).max(axis=0) @ np.abs(coef[:-1]) + np.abs(coef[-1]))
    assert value == pytest.approx(whole.value, rel=1e-12, abs=10 * rounding)
    assert bound == pytest.approx(whole.value, rel=1e-11, abs=10 * rounding)


@pytest.mark.parametrize("intercept", [True, False])
def test_a_penalty_counts_by_all_rows(intercept: bool, rng: Random) -> None:
    X = rng.normal(size=(N, P))
    y = X @ [1.0, 0.01, 0.0] + rng.normal(size=N) + 2.0 * intercept
    coef, bound = least(loaded_of(X, y), target_of(X, 0.3, 0.02, intercept), N)
    assert coef[0] != 0.0
    assert coef[2] == 0.0
    Z = np.vstack([np.column_stack([X, np.ones(N)]), np.eye(P, P + 1)])[:, : P + intercept]
    ends = [
        np.append(np.full(N, 0.3 + side), np.full(P, 0.02 * N * sign)) for side, sign in ((-1, -1), (0, 1))
    ]
    whole = solve(Pinball(Z, np.append(y, np.zeros(P)), *ends))
    np.testing.assert_allclose(coef[: P + intercept], whole.coef, rtol=1e-9, atol=1e-12)
    assert bound == pytest.approx(whole.value, rel=1e-11)


def test_few_rows_are_enough(rng: Random, monkeypatch: pytest.MonkeyPatch) -> None:
    X = rng.normal(size=(N, P))
    seen: list[int] = []

    def counted(problem: Pinball, *, exact: bool = True) -> Any:
        seen.append(len(problem.y))
        return solve(problem, exact=exact)

    monkeypatch.setattr(sifting, "solve", counted)
    least(loaded_of(X, X[:, 0] + rng.normal(size=N)), target_of(X, 0.5), N)
    assert 2 <= len(seen) <= 5
    assert max(seen) < N / 4


def test_a_bad_first_plane_costs_time_only(rng: Random) -> None:
    X = rng.normal(size=(N, P))
    y = X[:, 0] + rng.normal(size=N)
    loaded, target = loaded_of(X, y), target_of(X, 0.5)
    coef, _ = least(loaded, target, N)
    sampled = loaded.sum(kept.sampled, 0, target.centre, 0.05)
    for plane in (np.array([5.0, 5.0, 5.0, 100.0]), np.zeros(P + 1)):
        found, _ = sifting._sifted(loaded, target, plane, sampled, 0.01)
        np.testing.assert_allclose(found, coef, rtol=1e-9, atol=1e-12)


class Streamed(TensorRows):
    """Rows in blocks of other sizes."""

    def blocks(self, shard: int, start: int = 0) -> Any:
        for block in super().blocks(shard, start):
            for first in range(0, len(block.y), 7_001):
                yield type(block)(block.X[first : first + 7_001], block.y[first : first + 7_001])


def test_streams_have_the_same_optimum(rng: Random) -> None:
    X = rng.normal(size=(N, P))
    y = X[:, 0] + rng.normal(size=N)
    parts = torch.from_numpy(X), torch.from_numpy(y[:, None])
    one, other = (
        least(Local(1).load(kind(*parts)), target_of(X, 0.7), N)[0] for kind in (TensorRows, Streamed)
    )
    np.testing.assert_allclose(one, other, rtol=1e-10)


def test_the_fit_of_all_is_certified(rows: tuple[Any, Any]) -> None:
    X, y = rows
    fit = tl.fit(X, y, loss=tl.Quantile(0.8))
    assert fit.status is tl.Status.CONVERGED
    assert fit.certificate <= 1e-12
    assert (y <= fit.predict(X) + 1e-9).mean() >= 0.8 - 2e-3
