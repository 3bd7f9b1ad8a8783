"""Laws of every loss in the registry: a new one is tested by being listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from torchlinear.losses import REGISTRY
from torchlinear.losses.base import Loss

N, K = 40, 3

# What the loss of each row is in torch, where it has it; and the best prediction of a target.
IN_TORCH: dict[str, nn.Module] = {"squared": nn.MSELoss(reduction="none")}
BEST: dict[str, Callable[[Tensor], Tensor]] = {"squared": lambda y: y}


@pytest.fixture(params=REGISTRY.entries)
def name(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def loss(name: str) -> Loss:
    made = REGISTRY.load(name)()
    assert isinstance(made, Loss)
    assert made.name == name
    return made


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(rng.normal(size=(N, K))), torch.from_numpy(rng.normal(size=(N, K)))


def test_one_value_a_row(loss: Loss, pair: tuple[Tensor, Tensor]) -> None:
    value = loss.value(*pair)
    assert (value.shape, value.dtype) == ((N,), torch.float64)
    alone = torch.cat([loss.value(eta[None], y[None]) for eta, y in zip(*pair)])
    torch.testing.assert_close(alone, value, rtol=1e-15, atol=0)


def test_the_value_is_torchs(loss: Loss, name: str, pair: tuple[Tensor, Tensor]) -> None:
    torch.testing.assert_close(loss.value(*pair), IN_TORCH[name](*pair).sum(dim=1), rtol=1e-14, atol=0)


def test_the_gradient_is_that_of_autograd(loss: Loss, pair: tuple[Tensor, Tensor]) -> None:
    eta, y = pair
    leaf = eta.clone().requires_grad_()
    (truth,) = torch.autograd.grad(loss.value(leaf, y).sum(), leaf)
    torch.testing.assert_close(loss.gradient(eta, y), truth, rtol=1e-13, atol=1e-15)


def test_the_gradient_is_that_of_finite_differences(loss: Loss, pair: tuple[Tensor, Tensor]) -> None:
    eta, y = pair
    h = 1e-5  # the error of central differences is h^2 of the third derivative and eps / h: both about 1e-10
    for j in range(K):
        step = torch.zeros_like(eta)
        step[:, j] = h
        slope = (loss.value(eta + step, y) - loss.value(eta - step, y)) / (2 * h)
        torch.testing.assert_close(loss.gradient(eta, y)[:, j], slope, rtol=1e-8, atol=1e-8)


def test_a_perfect_prediction_costs_least(loss: Loss, name: str, pair: tuple[Tensor, Tensor]) -> None:
    eta, y = pair
    best = BEST[name](y)
    assert (loss.value(best, y) <= loss.value(eta, y)).all()
    torch.testing.assert_close(
        loss.gradient(best, y), torch.zeros(N, K, dtype=torch.float64), rtol=0, atol=1e-14
    )
    if loss.quadratic:
        assert (loss.value(best, y) == 0).all()


def test_it_is_convex(loss: Loss, pair: tuple[Tensor, Tensor]) -> None:
    eta, y = pair
    other = eta.flip(0)
    middle = loss.value((eta + other) / 2, y)
    assert (middle <= (loss.value(eta, y) + loss.value(other, y)) / 2 + 1e-12).all()


def test_quadratic_means_a_constant_curvature(loss: Loss, pair: tuple[Tensor, Tensor]) -> None:
    eta, y = pair
    step = torch.ones_like(eta)
    second = loss.gradient(eta + step, y) - loss.gradient(eta, y)
    constant = torch.allclose(second, torch.full_like(second, float(second[0, 0])), rtol=1e-12)
    assert constant == loss.quadratic
