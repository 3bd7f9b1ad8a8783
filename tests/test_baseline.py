"""The model of the intercept alone with an offset: closed forms, a bracketing root finder, and offsets far away."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

import torchlinear as tl
from torchlinear.baseline import intercept_alone
from torchlinear.engines.local import Local
from torchlinear.losses.base import Loss
from torchlinear.rows import TensorRows

N = 300
RNG = np.random.default_rng(9)
OFFSET = RNG.normal(size=N) * 2
WEIGHT = RNG.integers(0, 4, N) * 1.0
COUNT = RNG.poisson(np.exp(OFFSET - 1)) * 1.0

EXACT = 1e-12  # what Newton's last step is below, relative


def intercept(
    loss: Loss, y: np.ndarray, offset: np.ndarray = OFFSET, weight: np.ndarray | None = WEIGHT
) -> float:
    rows = TensorRows(
        torch.zeros(N, 1), torch.from_numpy(y)[:, None],
        None if weight is None else torch.from_numpy(weight), offset=torch.from_numpy(offset),
    )  # fmt: skip
    weights = np.ones(N) if weight is None else weight
    mean = torch.tensor([np.average(y, weights=weights)])
    return float(intercept_alone(Local().load(rows), loss, loss.predictor(mean)))


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("shift", [0.0, 40.0, -300.0])
def test_poisson_has_a_closed_form(weight: np.ndarray | None, shift: float) -> None:
    w = np.ones(N) if weight is None else weight
    expected = np.log(w @ COUNT / (w @ np.exp(OFFSET))) - shift
    assert intercept(tl.Poisson(), COUNT, OFFSET + shift, weight) == pytest.approx(expected, rel=EXACT)


def test_squared_loss_is_a_mean() -> None:
    expected = np.average(COUNT - OFFSET, weights=WEIGHT)
    assert intercept(tl.Squared(), COUNT) == pytest.approx(expected, rel=EXACT)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "cauchit"])
@pytest.mark.parametrize("spread", [1.0, 10.0])
def test_labels_as_a_root_finder_has_them(link: str, spread: float) -> None:
    loss, y = tl.Binomial(link=link), (COUNT > 0) * 1.0

    def slope(at: float) -> float:
        eta = torch.from_numpy(spread * OFFSET + at)[:, None]
        return float(torch.from_numpy(WEIGHT) @ loss.gradient(eta, torch.from_numpy(y)[:, None])[:, 0])

    expected = brentq(slope, -60, 60, xtol=1e-13)
    assert intercept(loss, y, spread * OFFSET) == pytest.approx(expected, rel=1e-9, abs=1e-11)
