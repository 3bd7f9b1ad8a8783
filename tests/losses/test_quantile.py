"""Pinball loss and its median: values, subgradients at the kink, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_pinball_loss

import torchlinear as tl


@pytest.mark.parametrize("q", [0.05, 0.5, 0.9])
def test_its_mean_is_scikit_learns(q: float, rng: np.random.Generator) -> None:
    eta, y = rng.normal(size=(50, 1)), rng.normal(size=(50, 1))
    value = tl.Quantile(q).value(torch.from_numpy(eta), torch.from_numpy(y))
    assert value.mean().item() == pytest.approx(mean_pinball_loss(y, eta, alpha=q), rel=1e-14)


def test_the_median_is_half_the_absolute_error(rng: np.random.Generator) -> None:
    eta, y = (torch.from_numpy(rng.normal(size=(50, 2))) for _ in range(2))
    for method in ("value", "gradient"):
        half, whole = (getattr(loss, method)(eta, y) for loss in (tl.Quantile(0.5), tl.Absolute()))
        torch.testing.assert_close(2.0 * half, whole, rtol=1e-15, atol=0)


@pytest.mark.parametrize("loss", [tl.Quantile(0.2), tl.Absolute()])
def test_at_the_kink_0_is_among_the_slopes(loss: tl.Quantile | tl.Absolute) -> None:
    below, above = loss.slopes
    at = torch.zeros(1, 1, dtype=torch.float64)
    assert loss.gradient(at, at).item() == 0.0
    assert -above < 0.0 < -below
    for residual, slope in ((-1.0, below), (1.0, above)):
        assert loss.gradient(at - residual, at).item() == -slope
        assert loss.value(at - residual, at).item() == slope * residual


@pytest.mark.parametrize("q", [0.0, 1.0, -0.1, 2, float("nan"), "half"])
def test_quantiles_that_are_none(q: float) -> None:
    with pytest.raises(tl.InvalidInput, match=r"Quantile takes a q above 0 and below 1, got q="):
        tl.Quantile(q)


def test_their_texts() -> None:
    assert str(tl.Quantile(0.9)) == "quantile(0.9)"
    assert str(tl.Absolute()) == "absolute"
