"""A sweep: every problem at its optimum, by scikit-learn's and by its own duality gap, however it is batched."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from torchlinear.engines.local import Local
from torchlinear.loop import Status
from torchlinear.probe import choice, sweep
from torchlinear.probe.passes import products
from torchlinear.probe.rows import EmbeddingRows
from torchlinear.probe.sweep import Moments, Sweep, side_by_side
from torchlinear.solvers.base import Budget, State
from torchlinear.solvers.newton_cg import NewtonCG

N, P, K = 700, 12, 4
ALPHA = torch.tensor([1.0, 1e-2, 1e-4, 1e-6], dtype=torch.float64)


@pytest.fixture
def data(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings whose spectrum decays 100-fold, off the origin; float32 holds them exactly."""
    Z = rng.normal(size=(N, P))
    X = (Z * np.logspace(0, -2, P)) @ np.linalg.qr(rng.normal(size=(P, P))).Q + 0.3
    y = (Z @ rng.normal(size=(P, K)) + rng.gumbel(size=(N, K))).argmax(axis=1)
    y[:K] = np.arange(K)
    return X.astype(np.float32).astype(np.float64), y


def settings(**changed: Any) -> choice.Settings:
    given = {"classes": K, "intercept": True, "tolerance": 1e-8, "device": torch.device("cpu")} | changed
    return choice.Settings(**given)


def fitted(X: np.ndarray, y: np.ndarray, dtype: torch.dtype = torch.float64, **changed: Any) -> choice.Fitted:
    made = settings(**changed)
    loaded = made.load(torch.from_numpy(X).to(dtype), torch.from_numpy(y))
    return choice.solved(loaded, ALPHA, Moments(loaded), made)


def objective(coef: torch.Tensor, alpha: float, X: np.ndarray, y: np.ndarray) -> float:
    eta = torch.from_numpy(X) @ coef[:-1] + coef[-1]
    loss = torch.nn.functional.cross_entropy(eta, torch.from_numpy(y))
    return float(loss + alpha / 2 * coef[:-1].square().sum())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("intercept", [True, False])
def test_every_problem_is_at_its_optimum(data: Any, dtype: torch.dtype, intercept: bool) -> None:
    found = fitted(*data, dtype=dtype, intercept=intercept)
    assert found.status is Status.CONVERGED
    for coef, alpha, gap in zip(found.coef, ALPHA.tolist(), found.gap.tolist()):
        truth = LogisticRegression(
            C=1 / (N * alpha), tol=1e-10, max_iter=10_000, solver="newton-cg", fit_intercept=intercept
        ).fit(*data)
        best = torch.from_numpy(np.vstack([truth.coef_.T, np.broadcast_to(truth.intercept_, K)]))
        above = objective(coef, alpha, *data) / objective(best, alpha, *data) - 1.0
        assert above <= gap + 1e-12  # the certificate is a bound
        assert gap <= 1e-8
        assert bool((coef[-1] == 0).all()) == (not intercept)


def test_narrow_floats_are_what_they_hold(data: Any) -> None:
    held = torch.from_numpy(data[0]).to(torch.bfloat16).double().numpy()
    narrow, wide = (
        fitted(X, data[1], dtype) for X, dtype in ((data[0], torch.bfloat16), (held, torch.float64))
    )
    for alpha, a, b in zip(ALPHA.tolist(), narrow.coef, wide.coef):
        assert objective(a, alpha, held, data[1]) == pytest.approx(
            objective(b, alpha, held, data[1]), rel=2e-8
        )


def test_problems_do_not_depend_on_their_company(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time, and without room to keep probabilities: the same optima."""
    together = fitted(*data, tolerance=1e-12)
    monkeypatch.setattr(choice, "GROUP_BYTES", 1)
    monkeypatch.setattr(sweep, "CACHE_BYTES", 0)
    alone = fitted(*data, tolerance=1e-12)
    for alpha, a, b in zip(ALPHA.tolist(), together.coef, alone.coef):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6 * float(b.abs().max()))
        assert objective(a, alpha, *data) == pytest.approx(objective(b, alpha, *data), rel=1e-11)


def test_products_are_those_of_autograd(data: Any) -> None:
    X, y = torch.from_numpy(data[0]), torch.from_numpy(data[1])
    made = Sweep(Local(1).load(EmbeddingRows(X, y)), ALPHA, K, Moments(Local(1).load(EmbeddingRows(X, y))))
    coef = torch.randn(len(ALPHA), P + 1, K, dtype=torch.float64)
    direction = torch.randn(2, P + 1, K, dtype=torch.float64)
    which = torch.tensor([1, 3])
    made.at(coef, torch.arange(4))
    found = made.product(coef[which], direction, which)
    centred = X - X.mean(dim=0)
    for i, place in enumerate(which.tolist()):
        here = coef[place].clone()
        here[-1] += X.mean(dim=0) @ here[:-1]  # about the mean

        def value(b: torch.Tensor, place: int = place) -> torch.Tensor:
            loss = torch.nn.functional.cross_entropy(centred @ b[:-1] + b[-1], y)
            return loss + ALPHA[place] / 2 * b[:-1].square().sum()

        _, truth = torch.autograd.functional.hvp(value, here, direction[i])
        torch.testing.assert_close(found[i], truth, rtol=1e-4, atol=1e-6)


def test_products_without_kept_probabilities_are_the_same(data: Any) -> None:
    X, y = torch.from_numpy(data[0]), torch.from_numpy(data[1])
    made = Sweep(Local(1).load(EmbeddingRows(X, y)), ALPHA, K, Moments(Local(1).load(EmbeddingRows(X, y))))
    coef = torch.randn(4, P + 1, K, dtype=torch.float64)
    along = side_by_side(torch.randn(2, P + 1, K, dtype=torch.float64)).float()
    which = torch.tensor([0, 2])
    made.at(coef, torch.arange(4))
    kept, again = (
        made.loaded.sum(products, side_by_side(coef[which]), along, which, K, cache)
        for cache in (made._kept, None)
    )
    torch.testing.assert_close(kept, again, rtol=1e-4, atol=1e-3)


def test_half_the_budget_twice_is_the_whole_to_the_bit(data: Any) -> None:
    X, y = torch.from_numpy(data[0]).float(), torch.from_numpy(data[1])

    def ends(*epochs: int) -> State:
        loaded = Local(2).load(EmbeddingRows(X, y))
        made = Sweep(loaded, ALPHA, K, Moments(loaded))
        state = NewtonCG().init(made, made.start)
        for count in epochs:
            made._last = None  # as after a restart
            state = NewtonCG().step(made, state, Budget(count, math.inf))
        return state

    whole, halves = ends(4), ends(2, 2)
    assert torch.equal(whole.coef, halves.coef)
    assert torch.equal(whole.memory["left"], halves.memory["left"])


def test_sums_do_not_depend_on_the_number_of_workers(data: Any) -> None:
    X, y = torch.from_numpy(data[0]).float(), torch.from_numpy(data[1])
    found = []
    for workers in (1, 3):
        loaded = Local(workers).load(EmbeddingRows(X, y))
        found.append(choice.solved(loaded, ALPHA, Moments(loaded), settings()).coef)
    assert torch.equal(*found)


def test_rows_in_blocks_are_the_rows(rng: np.random.Generator) -> None:
    X, codes = torch.from_numpy(rng.normal(size=(1_000, 600))), torch.arange(1_000)
    index = torch.arange(0, 1_000, 3)
    for rows, truth in (
        (EmbeddingRows(X, codes), X),
        (EmbeddingRows(X, codes[index], index), X[index]),
    ):
        blocks = [block for shard in rows.shards() for block in rows.blocks(shard)]
        assert torch.equal(torch.cat([block.X for block in blocks]), truth)
        assert torch.equal(
            torch.cat([block.y for block in blocks])[:, 0], codes if len(truth) == 1_000 else index
        )
        assert rows.spaced(10).X.shape == (10, 600)
        again = [block.X for shard in rows.shards() for block in list(rows.blocks(shard, 1))]
        assert sum(map(len, again)) == len(truth) - sum(len(next(rows.blocks(s)).X) for s in rows.shards())
