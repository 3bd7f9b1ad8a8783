"""Laws of every penalty in the registry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import torchlinear as tl
from torchlinear.penalties import REGISTRY
from torchlinear.penalties.base import Penalty

P, K = 5, 2
WEIGHTS = [1.0, 0.0, 2.5, 0.3, 7.0]


@pytest.fixture(params=REGISTRY.entries)
def kind(request: Any) -> Any:
    return REGISTRY.load(request.param)


@pytest.fixture(params=["plain", "column weights"])
def penalty(request: Any, kind: Any) -> Penalty:
    made = kind(0.7) if request.param == "plain" else kind(0.7, column_weights=WEIGHTS)
    assert isinstance(made, Penalty)
    return made


@pytest.fixture
def beta(rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.normal(size=(P, K)))


def test_zero_at_zero_and_never_below(penalty: Penalty, beta: Tensor) -> None:
    assert penalty.value(torch.zeros(P, K)).item() == 0.0
    assert penalty.value(beta).item() > 0.0
    assert penalty.value(-beta).item() == penalty.value(beta).item()


def test_derivatives_are_those_of_autograd(penalty: Penalty, beta: Tensor) -> None:
    leaf = beta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(penalty.value(leaf), leaf, create_graph=True)
    torch.testing.assert_close(penalty.gradient(beta), gradient.detach(), rtol=1e-14, atol=0)
    hessian = torch.autograd.functional.hessian(penalty.value, beta)
    diagonal = torch.tensor([[hessian[i, t, i, t] for t in range(K)] for i in range(P)], dtype=torch.float64)
    torch.testing.assert_close(penalty.curvature(beta).contiguous(), diagonal, rtol=1e-14, atol=0)
    off = hessian.reshape(P * K, P * K) - torch.diag(diagonal.reshape(-1))
    assert off.abs().max() == 0.0


def test_it_is_proportional_to_its_strength(kind: Any, beta: Tensor) -> None:
    assert kind(3.0).value(beta).item() == pytest.approx(3.0 * kind(1.0).value(beta).item(), rel=1e-14)
    assert kind(0.0).value(beta).item() == 0.0


def test_each_column_has_its_weight(kind: Any, beta: Tensor) -> None:
    whole = kind(1.0, column_weights=WEIGHTS).value(beta).item()
    parts = [kind(w).value(beta[j : j + 1]).item() for j, w in enumerate(WEIGHTS)]
    assert whole == pytest.approx(sum(parts), rel=1e-14)
    with pytest.raises(tl.InvalidInput, match=r"column_weights has 5 entries for 4 columns"):
        kind(1.0, column_weights=WEIGHTS).value(beta[:4])


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_strengths_that_are_none(kind: Any, bad: float) -> None:
    for arguments in ({"alpha": bad}, {"alpha": 1.0, "column_weights": [1.0, bad]}):
        with pytest.raises(tl.InvalidInput, match="at least 0"):
            kind(**arguments)


def test_it_spares_the_intercept_and_columns_of_weight_zero(kind: Any, rng: np.random.Generator) -> None:
    X = torch.from_numpy(rng.normal(size=(60, P)))
    X = torch.linalg.qr(X - X.mean(dim=0)).Q  # orthogonal to each other and to the intercept
    y = X.sum(dim=1) + 100.0
    fit = tl.fit(X, y, penalty=kind(1e6, column_weights=WEIGHTS))
    torch.testing.assert_close(
        fit.coef, torch.tensor(WEIGHTS, dtype=torch.float64).eq(0.0).double(), rtol=0, atol=1e-6
    )
    assert fit.coef[1].item() == pytest.approx(1.0, rel=1e-12)
    assert fit.intercept.item() == pytest.approx(100.0, rel=1e-12)


def test_its_name_and_text(kind: Any) -> None:
    made = kind()
    assert made.name in REGISTRY.entries
    assert isinstance(REGISTRY.load(made.name)(), Penalty)
    fit = tl.fit(torch.eye(3), torch.arange(3.0), penalty=made)
    assert fit.solution.penalty == str(made) != "none"
