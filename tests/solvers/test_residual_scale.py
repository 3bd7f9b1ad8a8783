"""Huber fits whose scale is estimated: as R's rlm, and beside the coefficients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import torchlinear as tl


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    X = rng.normal(size=(300, 4)) * [1.0, 100.0, 0.01, 1.0] + [0.0, 5.0, 1.0, 0.0]
    y = X @ [1.0, 0.02, 50.0, 0.0] + rng.standard_t(2, size=300) + 7.0
    return X, y, rng.integers(1, 4, size=300)


def scale_of(fit: tl.Fit) -> float:
    family = fit.solution.family
    assert isinstance(family, tl.Huber)
    assert isinstance(family.scale, float)
    return family.scale


def test_stack_loss_as_rlm(truth: Path) -> None:
    case = json.loads((truth / "r" / "rlm_stackloss.json").read_text())
    X, y = np.array(case["X"])[:, 1:], np.array(case["y"], dtype=float)
    fit = tl.fit(X, y, loss=tl.Huber(1.345, scale="mad"))
    found = [fit.intercept.item(), *fit.coef.tolist()]
    np.testing.assert_allclose(found, case["coef"], rtol=2e-14)  # R prints 15 digits
    assert scale_of(fit) == pytest.approx(case["scale"], rel=2e-14)
    weight = np.minimum(1.0, 1.345 * scale_of(fit) / np.abs(y - fit.predict(X)))
    np.testing.assert_allclose(weight, case["w"], rtol=1e-12)
    assert fit.status is tl.Status.CONVERGED
    assert fit.certificate < 1e-12


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("penalty", [None, tl.L2(0.3, column_weights=[1.0, 1e4, 1e-4, 0.0])])
def test_the_median_residual_is_its_scale(
    rows: tuple[Any, Any, Any], penalty: tl.L2 | None, weighted: bool
) -> None:
    X, y, weight = rows
    fit = tl.fit(X, y, loss=tl.Huber(1.5, "mad"), penalty=penalty, weights=weight if weighted else None)
    r = np.abs(y - fit.predict(X)).repeat(weight if weighted else 1)
    assert np.median(r) / 0.6745 == pytest.approx(scale_of(fit), rel=1e-9)
    fixed = tl.fit(
        X, y, loss=tl.Huber(1.5, scale_of(fit)), penalty=penalty, weights=weight if weighted else None
    )
    torch.testing.assert_close(fit.coef, fixed.coef, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("penalty", [None, tl.L2(0.3, column_weights=[1.0, 1e4, 1e-4, 0.0])])
def test_the_cut_residuals_have_the_mean_square_1(
    rows: tuple[Any, Any, Any], penalty: tl.L2 | None, weighted: bool
) -> None:
    X, y, weight = rows
    weights = weight if weighted else np.ones(len(y))
    fit = tl.fit(X, y, loss=tl.Huber(1.35, "concomitant"), penalty=penalty, weights=weights)
    z = np.minimum(np.abs(y - fit.predict(X)) / scale_of(fit), 1.35)
    assert np.average(z**2, weights=weights) == pytest.approx(1.0, rel=1e-10)


def test_units_of_the_target_are_units_of_the_scale(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    for scale in ("mad", "concomitant"):
        one, other = (tl.fit(X, a * y + b, loss=tl.Huber(1.35, scale)) for a, b in ((1.0, 0.0), (1e6, -3e7)))
        assert scale_of(other) == pytest.approx(1e6 * scale_of(one), rel=1e-10)
        torch.testing.assert_close(other.coef, 1e6 * one.coef, rtol=1e-8, atol=0)


@pytest.mark.parametrize("scale", ["mad", "concomitant"])
def test_a_perfect_fit_of_most_rows(scale: str, rng: np.random.Generator) -> None:
    X = rng.normal(size=(60, 2))
    y = X @ [1.0, 2.0] + 3.0
    exact = tl.fit(X, y, loss=tl.Huber(1.35, scale))
    np.testing.assert_allclose(exact.coef, [1.0, 2.0], rtol=1e-10)
    y[:10] += 100.0 * rng.normal(size=10)
    most = tl.fit(X, y, loss=tl.Huber(1.35, scale))
    np.testing.assert_allclose(most.coef, [1.0, 2.0], rtol=1e-4)  # the least scale is 1e-6 of the deviation


@pytest.mark.parametrize("scale", ["mad", "concomitant"])
def test_what_it_cannot_do_it_says(scale: str, rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    with pytest.raises(tl.InvalidInput, match=r"takes one target, got 2; fit them one at a time"):
        tl.fit(X, np.column_stack([y, y]), loss=tl.Huber(1.35, scale))
    with pytest.raises(tl.InvalidInput, match=r"takes penalty='l2' or none, got L1\(1\); give scale=1.0"):
        tl.fit(X, y, loss=tl.Huber(1.35, scale), penalty="l1")


@pytest.mark.parametrize("delta", [1e-3, 0.01, 0.1, 1.0, 100.0])
def test_a_fixed_threshold_whatever_its_size(delta: float, rng: np.random.Generator) -> None:
    """From nearly the median, where few rows are near the plane, to least squares."""
    X = rng.normal(size=(1_000, 5)) * [1.0, 100.0, 0.01, 1.0, 1.0]
    y = X @ rng.normal(size=5) + rng.standard_t(2, size=1_000)
    fit = tl.fit(X, y, loss=tl.Huber(delta))
    assert fit.status is tl.Status.CONVERGED
    assert fit.certificate < 1e-9
    pull = np.clip(y - fit.predict(X), -delta, delta)
    slope = np.abs(np.column_stack([X, np.ones(1_000)]).T @ pull) / np.append(
        np.linalg.norm(X, axis=0), 1_000**0.5
    )
    assert (slope <= 1e-8 * delta * 1_000**0.5).all()
