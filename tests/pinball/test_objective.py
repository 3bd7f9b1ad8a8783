"""The objective of quantile and absolute loss: its certificate is the relative duality gap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import torchlinear as tl
from torchlinear.api import objective_of
from torchlinear.pinball.objective import PinballObjective
from torchlinear.rows import TensorRows

N, P, K = 200, 3, 2


@pytest.fixture
def rows(rng: np.random.Generator) -> TensorRows:
    X = rng.normal(size=(N, P)) * [1.0, 100.0, 0.01]
    y = X @ rng.normal(size=(P, K)) + rng.standard_t(2, size=(N, K)) + [[3.0, -50.0]]
    return TensorRows(*(torch.from_numpy(a) for a in (X, y, rng.uniform(0.5, 2.0, size=N))))


@pytest.fixture(params=["intercept", "origin", "lasso"])
def problem(request: Any, rows: TensorRows) -> PinballObjective:
    penalty = tl.L1(0.05, column_weights=[1.0, 0.0, 2.0]) if request.param == "lasso" else None
    made = objective_of(tl.Quantile(0.3), penalty, rows, intercept=request.param != "origin")
    assert isinstance(made, PinballObjective)
    return made


def test_the_bound_is_the_value_at_the_optimum(problem: PinballObjective) -> None:
    best = problem.optimum
    assert best.bound == pytest.approx(problem.value(best.coef), rel=1e-13)
    assert problem.certificate(best.coef) == 0.0


def test_the_certificate_is_how_far_the_value_is_above(
    problem: PinballObjective, rng: np.random.Generator
) -> None:
    best = problem.optimum.coef
    for size in (1e-8, 1e-3, 1.0):
        coef = best + size * torch.from_numpy(rng.normal(size=best.shape))
        coef[-1] *= problem.intercept
        above = 1.0 - problem.value(best) / problem.value(coef)
        assert problem.certificate(coef) == pytest.approx(
            above, rel=1e-6, abs=1e-11
        )  # less what rounding makes
    origin = torch.zeros_like(best)
    assert 0.01 < problem.certificate(origin) <= 1.0


def test_coefficients_that_overflow_are_infinitely_far(problem: PinballObjective) -> None:
    assert problem.certificate(torch.full_like(problem.optimum.coef, float("inf"))) == float("inf")


def test_the_value_is_that_of_its_definition(problem: PinballObjective, rng: np.random.Generator) -> None:
    coef = torch.from_numpy(rng.normal(size=(P + 1, K)))
    rows = problem.rows
    assert isinstance(rows, TensorRows)
    assert rows.weight is not None
    part = rows.weight / rows.weight.sum()
    value = part @ tl.Quantile(0.3).value(rows.X @ coef[:-1] + coef[-1], rows.y)
    if problem.penalty is not None:
        value = value + problem.penalty.value(coef[:-1])
    assert problem.value(coef) == pytest.approx(value.item(), rel=1e-12)


def test_targets_do_not_know_of_each_other(rows: TensorRows) -> None:
    both = tl.fit(rows.X, rows.y, loss="absolute", weights=rows.weight)
    for k in range(K):
        alone = tl.fit(rows.X, rows.y[:, k], loss="absolute", weights=rows.weight)
        torch.testing.assert_close(both.coef[:, k], alone.coef, rtol=1e-12, atol=0)


def test_the_median_is_the_quantile_a_half(rows: TensorRows) -> None:
    fits = [tl.fit(rows.X, rows.y, loss=loss) for loss in ("quantile", "absolute")]
    torch.testing.assert_close(fits[0].coef, fits[1].coef, rtol=1e-12, atol=0)
    values = [float(fit.history.loss[-1]) for fit in fits]
    assert 2.0 * values[0] == pytest.approx(values[1], rel=1e-14)


def test_a_perfect_fit_is_certified(rng: np.random.Generator) -> None:
    X = rng.normal(size=(40, 3)) * 1e3
    for y in (X @ [1.0, 2.0, 3.0] + 4.0, np.full(40, 1e5), np.zeros(40)):
        fit = tl.fit(X, y, loss="quantile")
        assert fit.status is tl.Status.CONVERGED
        assert fit.certificate == 0.0
        np.testing.assert_allclose(fit.predict(X), y, rtol=1e-12, atol=1e-9)


def test_frames_weights_and_float32(rng: np.random.Generator) -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {"a": rng.normal(size=50), "c": rng.choice(["u", "v"], 50), "w": rng.integers(1, 4, 50)}
    )
    frame["y"] = frame.a + (frame.c == "v") + rng.normal(size=50)
    loss = tl.Quantile(0.2537)  # of no number of rows a whole number: the optimum is one point
    fit = tl.fit(frame, formula="y ~ a + C(c)", loss=loss, weights="w")
    assert fit.names == ("a", "C(c)[v]") or len(fit.names) == 2
    X = np.column_stack([frame.a, frame.c == "v"])
    repeated = np.repeat(np.arange(50), frame.w)
    whole = tl.fit(X[repeated], frame.y.to_numpy()[repeated], loss=loss)
    np.testing.assert_allclose(fit.coef, whole.coef, rtol=1e-9)
    single = tl.fit(X.astype(np.float32), frame.y.to_numpy(), loss=loss, weights=frame.w.to_numpy())
    exact: Tensor = torch.from_numpy(X.astype(np.float32).astype(float))
    double = tl.fit(exact, frame.y.to_numpy(), loss=loss, weights=frame.w.to_numpy())
    torch.testing.assert_close(single.coef.double(), double.coef, rtol=1e-6, atol=1e-7)
