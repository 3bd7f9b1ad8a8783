"""Losses of the margin and of a tube: by their definitions, far out, and as sums of hinges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import torchlinear as tl
from torchlinear.losses.base import Loss

MARGINS: list[Loss] = [tl.Hinge(), tl.SquaredHinge()]
TUBES: list[Loss] = [tl.EpsilonInsensitive(0.25), tl.SquaredEpsilonInsensitive(0.25)]
FAR = [-1e300, -800.0, -30.0, -1.0, 0.0, 0.7, 1.0, 30.0, 800.0, 1e300]


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


@pytest.mark.parametrize("loss", MARGINS, ids=str)
@pytest.mark.parametrize("y", [0.0, 1.0])
def test_the_margin_as_it_is_defined(loss: Loss, y: float) -> None:
    eta = column(*FAR)
    power = 1 if loss.name == "hinge" else 2
    lacks = np.maximum(0.0, 1.0 - (2 * y - 1) * np.array(FAR))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(loss.value(eta, torch.full_like(eta, y)), lacks**power)
    slope = -(2 * y - 1) * ((lacks > 0) if power == 1 else 2 * lacks)
    np.testing.assert_array_equal(loss.gradient(eta, torch.full_like(eta, y)), slope[:, None])
    assert not any(part.isnan().any() for part in loss.derivatives(eta, torch.full_like(eta, y)))


@pytest.mark.parametrize("loss", TUBES, ids=str)
def test_the_tube_as_it_is_defined(loss: Loss) -> None:
    r = np.array([-1e150, -800.0, -0.26, -0.25, -0.1, 0.0, 0.25, 0.5, 800.0, 1e150])
    power = 1 if loss.name == "epsilon_insensitive" else 2
    beyond = np.maximum(0.0, np.abs(r) - 0.25)
    zeros = torch.zeros(len(r), 1, dtype=torch.float64)
    np.testing.assert_allclose(loss.value(zeros, column(*r)), beyond**power, rtol=1e-15)
    slope = -np.sign(r) * ((beyond > 0) if power == 1 else 2 * beyond)
    np.testing.assert_allclose(loss.gradient(zeros, column(*r))[:, 0], slope, rtol=1e-15)


@pytest.mark.parametrize(
    "loss", [tl.Hinge(), tl.EpsilonInsensitive(0.25), tl.EpsilonInsensitive(0.0)], ids=str
)
def test_it_is_the_sum_of_its_hinges(loss: Any, rng: np.random.Generator) -> None:
    y = rng.random(50) if loss.labels else rng.normal(size=50)
    eta, pieces = 2.0 * rng.normal(size=50), loss.pieces(y)
    assert (pieces.share >= 0).all()
    hinges = pieces.share * np.maximum(0.0, pieces.at - pieces.sign[:, None] * eta)
    np.testing.assert_allclose(
        loss.value(column(*eta), column(*y)), hinges.sum(axis=0), rtol=1e-13, atol=1e-15
    )


@pytest.mark.parametrize("loss", MARGINS, ids=str)
def test_the_sign_decides(loss: Loss) -> None:
    assert loss.mean(column(-800.0, -1e-9, 0.0, 1e-9, 800.0))[:, 0].tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert loss.start(column(0.0, 1.0))[:, 0].tolist() == [-1.0, 1.0]
    assert (loss.value(loss.start(column(0.0, 1.0)), column(0.0, 1.0)) == 0).all()


@pytest.mark.parametrize("loss", MARGINS, ids=str)
@pytest.mark.parametrize("bad", [-1.0, 2.0])
def test_targets_that_are_no_labels(loss: Loss, bad: float) -> None:
    assert loss.refusal(column(0.0, 1.0, 0.4)) is None
    reason = loss.refusal(column(0.0, bad))
    assert reason is not None
    assert f"{bad:g}" in reason
    assert reason.endswith("pass labels of two classes.")


@pytest.mark.parametrize("kind", [tl.EpsilonInsensitive, tl.SquaredEpsilonInsensitive])
@pytest.mark.parametrize("epsilon", [-0.1, float("inf"), float("nan"), "0.1"])
def test_an_epsilon_that_is_none(kind: Any, epsilon: Any) -> None:
    with pytest.raises(tl.InvalidInput, match=f"{kind.__name__} takes a finite epsilon of at least 0, got"):
        kind(epsilon)


def test_a_tube_of_width_0_is_known() -> None:
    eta, y = column(0.3, -2.0), column(1.0, 4.0)
    torch.testing.assert_close(tl.EpsilonInsensitive(0.0).value(eta, y), tl.Absolute().value(eta, y))
    for method in ("value", "gradient", "curvature"):
        ours, squared = (
            getattr(loss, method)(eta, y) for loss in (tl.SquaredEpsilonInsensitive(0), tl.Squared())
        )
        torch.testing.assert_close(ours, squared)
