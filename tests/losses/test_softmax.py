"""Softmax: against arithmetic of 50 digits, torch's cross-entropy, and at the extremes."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
import torch
from torch import Tensor

import torchlinear as tl
from torchlinear.losses.softmax import Softmax

N, K = 30, 4
ROUNDING = 1e-13  # relative: a handful of operations in float64, errors of exp(d) growing with |d| < 100


@pytest.fixture(params=[0.1, 3.0, 30.0])
def pair(request: pytest.FixtureRequest, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    eta = rng.normal(size=(N, K)) * request.param
    return torch.from_numpy(eta), torch.from_numpy(rng.integers(0, K, size=(N, 1)).astype(float))


def exactly(eta: Tensor, y: Tensor) -> tuple[list[float], list[list[float]]]:
    """Loss and gradient of each row, by 50 digits."""
    values, gradients = [], []
    with mp.workdps(50):
        for row, label in zip(eta.tolist(), y[:, 0].long().tolist()):
            terms = [mp.exp(mp.mpf(e)) for e in row]
            total = mp.fsum(terms)
            values.append(float(mp.log(total / terms[label])))
            others = [term / total for term in terms]
            others[label] = -mp.fsum(t / total for j, t in enumerate(terms) if j != label)
            gradients.append([float(g) for g in others])
    return values, gradients


def test_value_and_gradient_keep_every_digit_however_small(pair: tuple[Tensor, Tensor]) -> None:
    values, gradients = exactly(*pair)
    np.testing.assert_allclose(Softmax().value(*pair), values, rtol=ROUNDING)
    np.testing.assert_allclose(Softmax().gradient(*pair), gradients, rtol=ROUNDING)


def test_the_mean_is_torchs_cross_entropy(pair: tuple[Tensor, Tensor]) -> None:
    eta, y = pair
    torch.testing.assert_close(
        Softmax().value(eta, y).mean(), torch.nn.functional.cross_entropy(eta, y[:, 0].long())
    )


def test_second_derivatives_are_those_of_autograd(
    pair: tuple[Tensor, Tensor], rng: np.random.Generator
) -> None:
    eta, y = pair
    direction = torch.from_numpy(rng.normal(size=(N, K)))
    for row in range(5):
        part = slice(row, row + 1)
        hessian = torch.autograd.functional.hessian(
            lambda e, part=part: Softmax().value(e, y[part]).sum(), eta[part]
        ).reshape(K, K)
        product = Softmax().product(eta[part], y[part], direction[part])
        torch.testing.assert_close(product[0], hessian @ direction[row], rtol=1e-10, atol=1e-14)
        torch.testing.assert_close(
            Softmax().curvature(eta[part], y[part])[0], hessian.diagonal(), rtol=1e-10, atol=1e-14
        )


@pytest.mark.parametrize("far", [800.0, 1e300])
def test_nothing_overflows(far: float) -> None:
    eta = torch.tensor([[far, -far, 0.0], [-far, far, 0.0]], dtype=torch.float64)
    y = torch.zeros(2, 1, dtype=torch.float64)
    torch.testing.assert_close(Softmax().value(eta, y), torch.tensor([0.0, 2.0 * far], dtype=torch.float64))
    gradient = Softmax().gradient(eta, y)
    assert gradient.tolist() == [[0.0, 0.0, 0.0], [-1.0, 1.0, 0.0]]
    assert bool(torch.isfinite(Softmax().product(eta, y, torch.ones_like(eta))).all())


def test_probabilities_and_back(pair: tuple[Tensor, Tensor]) -> None:
    eta = pair[0].clamp(-20, 20)
    mean = Softmax().mean(eta)
    torch.testing.assert_close(mean.sum(dim=1), torch.ones(N, dtype=torch.float64))
    torch.testing.assert_close(Softmax().predictor(mean), eta - eta.mean(dim=1, keepdim=True))


def test_targets_that_are_no_classes() -> None:
    assert Softmax().refusal(torch.tensor([[0.0], [2.0]])) is None
    assert "2 columns" in str(Softmax().refusal(torch.zeros(3, 2)))
    assert "got 0.5" in str(Softmax().refusal(torch.tensor([[0.0], [0.5]])))
    assert "got -1" in str(Softmax().refusal(torch.tensor([[-1.0]])))


def test_softmax_is_not_applied_twice(rng: np.random.Generator) -> None:
    """The trap of the name: cross-entropy of logits, not of probabilities."""
    X, y = rng.normal(size=(60, 2)), np.arange(60) % 3
    X += np.eye(3, 2)[y] * 2.0
    fit = tl.fit(X, y, loss="softmax", penalty=tl.L2(0.01))
    eta = torch.from_numpy(X) @ fit.coef + fit.intercept
    loss = torch.nn.functional.cross_entropy(eta, torch.from_numpy(y)) + 0.005 * fit.coef.square().sum()
    assert fit.history.loss[-1].item() == pytest.approx(loss.item(), rel=1e-13)
