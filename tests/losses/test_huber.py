"""Huber loss: between squares and absolute errors, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import torchlinear as tl


@pytest.mark.parametrize("delta", [0.1, 1.0, 30.0])
def test_it_is_torchs_in_the_units_of_the_target(delta: float, rng: np.random.Generator) -> None:
    eta, y = (torch.from_numpy(rng.normal(size=(50, 1))) for _ in range(2))
    truth = nn.HuberLoss(delta=delta)(eta, y)
    torch.testing.assert_close(tl.Huber(delta).value(eta, y).mean(), truth, rtol=1e-14, atol=0)


def test_the_scale_multiplies_the_threshold(rng: np.random.Generator) -> None:
    eta, y = (torch.from_numpy(rng.normal(size=(50, 2))) for _ in range(2))
    torch.testing.assert_close(
        tl.Huber(1.5, 0.2).value(eta, y), tl.Huber(0.3).value(eta, y), rtol=1e-14, atol=0
    )
    scaled = 0.2**2 * tl.Huber(1.5).value(eta / 0.2, y / 0.2)
    torch.testing.assert_close(tl.Huber(1.5, 0.2).value(eta, y), scaled, rtol=1e-13, atol=0)


def test_what_a_newton_step_takes_for_its_curvature_is_above_0(rng: np.random.Generator) -> None:
    eta, y = (
        torch.zeros(5, 1, dtype=torch.float64),
        torch.tensor([[0.0], [1.0], [1.1], [10.0], [-1e9]]).double(),
    )
    expected = tl.Huber(1.0).expected(eta, y)[:, 0]
    assert (expected[:2] == 1.0).all()
    assert (expected[2:] > 0.0).all()
    assert (expected[2:] < 0.01).all()
    assert (expected.diff()[2:] < 0).all()  # the further, the less


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"delta": 0.0}, r"finite delta above 0, got delta=0\.0"),
        ({"delta": float("inf")}, "finite delta above 0"),
        ({"delta": "1"}, "finite delta above 0"),
        ({"scale": 0.0}, "scale=a number above 0, 'mad' or 'concomitant', got scale=0.0"),
        ({"scale": "madd"}, "got scale='madd'"),
        ({"delta": 1.0, "scale": "concomitant"}, r"needs a delta above 1, got delta=1\.0"),
    ],
)
def test_arguments_that_are_none(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(tl.InvalidInput, match=sentence):
        tl.Huber(**arguments)


def test_without_a_scale_it_has_no_value() -> None:
    at = torch.zeros(1, 1)
    with pytest.raises(tl.InvalidInput, match="before a fit has estimated the scale"):
        tl.Huber(scale="mad").value(at, at)


def test_its_text() -> None:
    assert str(tl.Huber(1.345, "mad")) == "huber(delta=1.345, scale=mad)"
    assert str(tl.Huber(1.5)) == "huber(delta=1.5, scale=1)"
