"""Laws of every penalty in the registry."""

from __future__ import annotations

import math
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


@pytest.fixture(params=[name for name in REGISTRY.entries if REGISTRY.load(name).has_strength])
def kind(request: Any) -> Any:
    return REGISTRY.load(request.param)


@pytest.fixture(params=[name for name in REGISTRY.entries if not REGISTRY.load(name).has_strength])
def bounds(request: Any) -> Any:
    return REGISTRY.load(request.param)()


def weighted(kind: Any, alpha: float, weights: Any = WEIGHTS, **options: Any) -> Any:
    """A penalty with a weight for each column; of groups, each column is one."""
    name = "weights" if kind is tl.GroupLasso else "column_weights"
    return kind(alpha, **{name: weights}, **options)


@pytest.fixture(params=["plain", "column weights"])
def penalty(request: Any, kind: Any) -> Penalty:
    made = kind(0.7) if request.param == "plain" else weighted(kind, 0.7)
    assert isinstance(made, Penalty)
    return made


@pytest.fixture
def beta(rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.normal(size=(P, K)))


def test_zero_at_zero_and_never_below(penalty: Penalty, beta: Tensor) -> None:
    assert penalty.value(torch.zeros(P, K)).item() == 0.0
    assert penalty.value(beta).item() > 0.0
    assert penalty.value(-beta).item() == penalty.value(beta).item()


def slope(penalty: Penalty, beta: Tensor) -> Tensor:
    """Gradient of the value by autograd, where no coefficient is zero."""
    leaf = beta.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(penalty.value(leaf), leaf)
    return gradient


def test_the_smallest_subgradient_is_the_slope_where_there_is_one(penalty: Penalty, beta: Tensor) -> None:
    steepest = penalty.steepest(penalty.gradient(beta), beta)
    torch.testing.assert_close(steepest, slope(penalty, beta), rtol=1e-13, atol=1e-15)


def test_the_smallest_subgradient_vanishes_at_the_prox(
    penalty: Penalty, beta: Tensor, rng: np.random.Generator
) -> None:
    """``b = prox(beta, t)`` says that ``(beta - b) / t`` is a subgradient of what is not smooth at b."""
    step = torch.from_numpy(rng.uniform(0.1, 2.0, size=(P, 1)))
    best = penalty.prox(beta, step)
    assert penalty.steepest((best - beta) / step, best).abs().max() < 1e-12 * beta.abs().max() / step.min()


def test_derivatives_are_those_of_autograd(penalty: Penalty, beta: Tensor) -> None:
    """What is not smooth is linear between zeros: differences of slopes and curvatures know nothing of it."""
    if isinstance(penalty, tl.GroupLasso):
        leaf = beta.clone().requires_grad_()
        (smooth,) = torch.autograd.grad(penalty.value(leaf) - penalty.rough(leaf), leaf)
        torch.testing.assert_close(penalty.gradient(beta), smooth, rtol=1e-13, atol=1e-14)
        torch.testing.assert_close(penalty.curvature(beta) * beta, smooth, rtol=1e-13, atol=1e-14)
        return
    other = beta * 3.0
    smooth = slope(penalty, other) - slope(penalty, beta)
    torch.testing.assert_close(
        penalty.gradient(other) - penalty.gradient(beta), smooth, rtol=1e-13, atol=1e-14
    )
    assert (penalty.gradient(torch.zeros_like(beta)) == 0).all()
    if penalty.smooth:
        torch.testing.assert_close(penalty.gradient(beta), slope(penalty, beta), rtol=1e-14, atol=0)
    hessian = torch.autograd.functional.hessian(penalty.value, beta)
    diagonal = torch.tensor([[hessian[i, t, i, t] for t in range(K)] for i in range(P)], dtype=torch.float64)
    torch.testing.assert_close(penalty.curvature(beta).contiguous(), diagonal, rtol=1e-14, atol=0)
    off = hessian.reshape(P * K, P * K) - torch.diag(diagonal.reshape(-1))
    assert off.abs().max() == 0.0


def test_prox_is_the_least_of_what_defines_it(
    penalty: Penalty, beta: Tensor, rng: np.random.Generator
) -> None:
    step = torch.from_numpy(rng.uniform(0.1, 2.0, size=(P, 1)))

    def rough(b: Tensor) -> Tensor:
        return penalty.value(b) - 0.5 * (penalty.curvature(b) * b.square()).sum()

    def total(b: Tensor) -> float:
        return float(((b - beta).square() / (2.0 * step)).sum() + rough(b))

    best = penalty.prox(beta, step)
    for size in (1e-6, 1e-3, 1.0):
        for _ in range(20):
            assert total(best) <= total(best + size * torch.from_numpy(rng.normal(size=(P, K)))) + 1e-14
            one = best.clone()
            one.view(-1)[int(rng.integers(P * K))] = 0.0
            assert total(best) <= total(one) + 1e-14
    if penalty.smooth:
        assert torch.equal(best, beta)
    else:
        assert (penalty.prox(beta, 1e6 * step)[np.array(WEIGHTS) > 0] == 0).all()
    other = 2.0 * beta.flip(0)
    moved = penalty.prox(other, step[:1]) - penalty.prox(beta, step[:1])
    assert moved.norm() <= (other - beta).norm() * (1 + 1e-14)


def test_standardised_columns(kind: Any, beta: Tensor, rng: np.random.Generator) -> None:
    deviation = torch.from_numpy(rng.uniform(0.1, 10.0, size=P))
    made = weighted(kind, 0.7, standardize=True)
    plain, units = weighted(kind, 0.7), made.in_units(deviation)
    assert plain.in_units(deviation) is plain
    scaled = deviation[:, None] * beta
    assert units.value(beta).item() == pytest.approx(plain.value(scaled).item(), rel=1e-14)
    chain = deviation[:, None] * plain.gradient(scaled)
    torch.testing.assert_close(units.gradient(beta), chain, rtol=1e-13, atol=0)
    bend = deviation.square()[:, None] * plain.curvature(scaled)
    torch.testing.assert_close(units.curvature(beta), bend, rtol=1e-13, atol=0)
    moved = plain.prox(scaled, torch.ones(P, 1)) / deviation[:, None]
    steps = 1.0 / deviation.square()[:, None]
    torch.testing.assert_close(units.prox(beta, steps), moved, rtol=1e-12, atol=1e-15)
    assert str(units) == str(made) != str(plain)
    assert units.smooth == plain.smooth


def test_units_of_the_columns_do_not_matter_when_they_are_standardised(
    kind: Any, rng: np.random.Generator
) -> None:
    X = torch.from_numpy(rng.normal(size=(60, P)))
    y = X.sum(dim=1) + torch.from_numpy(rng.normal(size=60))
    scale = torch.tensor([1e-3, 1.0, 1e3, 10.0, 0.1], dtype=torch.float64)
    made = kind(0.3, standardize=True)
    plain, other = tl.fit(X, y, penalty=made), tl.fit(X * scale + 5.0, y, penalty=made)
    torch.testing.assert_close(other.coef * scale, plain.coef, rtol=1e-9, atol=1e-12)
    assert "standardised columns" in str(other.summary()).replace("\n", " ")


def test_it_is_proportional_to_its_strength(kind: Any, beta: Tensor) -> None:
    assert kind(3.0).value(beta).item() == pytest.approx(3.0 * kind(1.0).value(beta).item(), rel=1e-14)
    assert kind(0.0).value(beta).item() == 0.0


def test_each_column_has_its_weight(kind: Any, beta: Tensor) -> None:
    whole = weighted(kind, 1.0).value(beta).item()
    parts = [kind(w).value(beta[j : j + 1]).item() for j, w in enumerate(WEIGHTS)]
    assert whole == pytest.approx(sum(parts), rel=1e-14)
    with pytest.raises(tl.InvalidInput, match=r"weights has 5 entries for 4 (columns|groups)"):
        weighted(kind, 1.0).value(beta[:4])


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_strengths_that_are_none(kind: Any, bad: float) -> None:
    for alpha, weights in ((bad, None), (1.0, [1.0, bad])):
        with pytest.raises(tl.InvalidInput, match="at least 0"):
            weighted(kind, alpha, weights)


def test_it_spares_the_intercept_and_columns_of_weight_zero(kind: Any, rng: np.random.Generator) -> None:
    X = torch.from_numpy(rng.normal(size=(60, P)))
    X = torch.linalg.qr(X - X.mean(dim=0)).Q  # orthogonal to each other and to the intercept
    y = X.sum(dim=1) + 100.0
    fit = tl.fit(X, y, penalty=weighted(kind, 1e6))
    torch.testing.assert_close(
        fit.coef, torch.tensor(WEIGHTS, dtype=torch.float64).eq(0.0).double(), rtol=0, atol=1e-6
    )
    assert fit.coef[1].item() == pytest.approx(1.0, rel=1e-12)
    assert fit.intercept.item() == pytest.approx(100.0, rel=1e-12)


def test_bounds_cost_nothing_inside_and_everything_outside(bounds: Any, beta: Tensor) -> None:
    inside = bounds.prox(beta, torch.ones(P, 1))
    assert bounds.value(inside).item() == 0.0
    assert bounds.value(beta).item() == (0.0 if torch.equal(inside, beta) else math.inf)
    assert torch.equal(bounds.prox(inside, torch.ones(P, 1)), inside)
    assert (bounds.gradient(beta) == 0).all()
    assert (bounds.curvature(beta) == 0).all()


def test_bounds_can_be_added_to_a_strength(bounds: Any, beta: Tensor, rng: np.random.Generator) -> None:
    step = torch.from_numpy(rng.uniform(0.1, 2.0, size=(P, 1)))
    both = tl.L1L2(0.7, 0.5, column_weights=WEIGHTS, standardize=True) + bounds
    assert both == bounds.__radd__(both.penalty) == bounds + both.penalty
    best = both.prox(beta, step)
    assert torch.equal(best, bounds.prox(both.penalty.prox(beta, step), step))
    assert both.value(best).item() == both.penalty.value(best).item()
    assert both.with_alpha(1.4).value(best).item() == pytest.approx(2.0 * both.value(best).item(), rel=1e-14)
    assert str(both) == f"{both.penalty} + {bounds}"


@pytest.mark.parametrize("member", REGISTRY.entries)
def test_its_name_and_text(member: str) -> None:
    made = REGISTRY.load(member)()
    assert made.name in REGISTRY.entries
    assert isinstance(REGISTRY.load(made.name)(), Penalty)
    fit = tl.fit(torch.eye(3), torch.arange(3.0), penalty=made)
    assert fit.solution.penalty == str(made) != "none"
