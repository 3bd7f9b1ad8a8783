"""The compiled losses against their plain torch twins; `losses/test_extremes` holds both against mpmath."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import torchlinear as tl
from torchlinear.losses.base import Loss

CASES = {"binomial": tl.Binomial(), "poisson": tl.Poisson()}


@pytest.fixture(params=CASES)
def loss(request: Any) -> Any:
    return CASES[request.param]


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_pass_is_what_three_are(loss: Any, k: int, dtype: torch.dtype, rng: np.random.Generator) -> None:
    eta = torch.from_numpy(30.0 * rng.normal(size=(5000, k)))
    y = torch.from_numpy(rng.random((5000, k))).to(dtype)
    eta[:7, 0] = torch.tensor([0.0, -0.0, 1e-300, 709.0, 800.0, -800.0, -745.0])
    y[:400] = y[:400].round()
    assert loss.fused(eta) is not None
    once, separate = (
        loss.derivatives(eta, y),
        (loss.value(eta, y), loss.gradient(eta, y), loss.curvature(eta, y)),
    )
    for found, truth in zip(once, separate):
        torch.testing.assert_close(found, truth, rtol=2e-15 * 4, atol=1e-14, equal_nan=True)
    pair = loss.value_gradient(eta, y)
    assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(pair, once))


def test_rows_in_any_layout(loss: Any, rng: np.random.Generator) -> None:
    wide = torch.from_numpy(rng.normal(size=(7, 200)))
    eta, y = wide[2:4].T, torch.from_numpy(rng.integers(0, 2, size=(200, 4)))[:, ::2].double()
    for found, truth in zip(
        loss.derivatives(eta, y), Loss.derivatives(loss, eta.contiguous(), y.contiguous())
    ):
        torch.testing.assert_close(found, truth, rtol=1e-14, atol=1e-15)


def test_what_autograd_asks_for_is_not_compiled(loss: Any) -> None:
    eta = torch.zeros(3, 1, dtype=torch.float64, requires_grad=True)
    assert loss.fused(eta) is None
    assert loss.derivatives(eta, torch.ones(3, 1))[0].requires_grad
    assert loss.fused(eta.detach()) is not None
    assert loss.fused(eta.detach().float()) is None
