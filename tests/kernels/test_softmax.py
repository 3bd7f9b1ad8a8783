"""The softmax kernels against their twin in torch, and against arithmetic of 50 digits where losses are tiny."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
import torch

from torchlinear.kernels import softmax as kernels
from torchlinear.probe import passes

R, M, K = 40, 3, 5


@pytest.mark.parametrize("scale", [0.5, 5.0, 200.0])
def test_slopes_are_those_of_torch(rng: np.random.Generator, scale: float) -> None:
    eta, codes = rng.normal(size=(R, M * K)) * scale, rng.integers(0, K, size=R)
    value, slope = passes._slopes(torch.from_numpy(eta.copy()), torch.from_numpy(codes), M, None)
    found, mean, total = eta.copy(), np.empty(eta.shape, dtype=np.float32), np.zeros(M)
    kernels.slopes(found, codes, K, total, mean)
    np.testing.assert_allclose(total, value, rtol=1e-13)
    np.testing.assert_allclose(found, slope, rtol=1e-12, atol=1e-300)
    truth = torch.from_numpy(eta).view(R, M, K).softmax(dim=2).view(R, M * K)
    np.testing.assert_allclose(mean, truth, rtol=3e-7, atol=1e-38)


def test_tiny_losses_keep_their_digits() -> None:
    eta, total = np.array([[40.0, 0.0, -3.0]]), np.zeros(1)
    slope = eta.copy()
    kernels.slopes(slope, np.array([0]), 3, total, np.empty((0, 3), dtype=np.float32))
    with mp.workdps(50):
        others = mp.exp(-40) + mp.exp(-43)
        assert total[0] == pytest.approx(float(mp.log(1 + others)), rel=1e-14)
        assert slope[0, 0] == pytest.approx(float(-others / (1 + others)), rel=1e-14)


def test_products_are_those_of_torch(rng: np.random.Generator) -> None:
    mean = torch.from_numpy(rng.normal(size=(R, M, K))).softmax(dim=2).flatten(1).float()
    which = torch.tensor([2, 0])
    v = rng.normal(size=(R, len(which) * K)).astype(np.float32)
    truth = passes._products(torch.from_numpy(v.copy()).double(), mean.double(), which, K)
    kernels.products(v, mean.numpy(), which.numpy(), K)
    np.testing.assert_allclose(v, truth, rtol=1e-5, atol=1e-7)
