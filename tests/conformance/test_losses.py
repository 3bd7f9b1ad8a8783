"""Laws of every loss in the registry, with every link it may have: a new one is tested by being listed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from torchlinear.losses import ALIASES, REGISTRY, made
from torchlinear.losses.base import Loss
from torchlinear.losses.family import Family

N, K = 40, 3

Random = np.random.Generator

# Targets that the families have, and means to put linear predictors at; both are normal for the others.
TARGETS: dict[str, Callable[[Random], Any]] = {
    "binomial": lambda rng: np.where(
        rng.random((N, K)) < 0.5, rng.random((N, K)), rng.integers(2, size=(N, K))
    ),
    "poisson": lambda rng: rng.poisson(2.0, size=(N, K)),
    "negative_binomial": lambda rng: rng.negative_binomial(1, 0.3, size=(N, K)),
    "gamma": lambda rng: rng.gamma(2.0, size=(N, K)) + 1e-3,
    "tweedie": lambda rng: rng.gamma(2.0, size=(N, K)) * rng.integers(2, size=(N, K)),
    "inverse_gaussian": lambda rng: rng.wald(1.0, 2.0, size=(N, K)) + 1e-3,
    "softmax": lambda rng: rng.integers(K, size=(N, 1)),
} | dict.fromkeys(
    ("hinge", "squared_hinge"),  # proportions on the grid on which the others are put, and labels
    lambda rng: np.where(rng.random((N, K)) < 0.5, rng.random((N, K)), rng.integers(2, size=(N, K))),
)
MEANS: dict[str, Callable[[Random], Any]] = {
    "binomial": lambda rng: rng.uniform(0.02, 0.98, size=(N, K)),
    "squared": lambda rng: rng.uniform(0.2, 4.0, size=(N, K)),
} | dict.fromkeys(
    ("poisson", "negative_binomial", "gamma", "tweedie", "inverse_gaussian"),
    lambda rng: rng.uniform(0.2, 4.0, size=(N, K)),
)


def _summed(criterion: Callable[..., Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda eta, y: criterion(eta, y).sum(dim=1)


# What the loss of each row is in torch, where it has it.
IN_TORCH: dict[tuple[str, str], Callable[[Tensor, Tensor], Tensor]] = {
    ("softmax", ""): lambda eta, y: nn.functional.cross_entropy(eta, y[:, 0].long(), reduction="none"),
    ("squared", "identity"): _summed(nn.MSELoss(reduction="none")),
    ("binomial", "logit"): _summed(nn.BCEWithLogitsLoss(reduction="none")),
    ("poisson", "log"): _summed(nn.PoissonNLLLoss(reduction="none")),
    ("poisson", "identity"): _summed(nn.PoissonNLLLoss(log_input=False, eps=0.0, reduction="none")),
    ("absolute", ""): _summed(nn.L1Loss(reduction="none")),
    ("huber", ""): _summed(nn.HuberLoss(delta=1.35, reduction="none")),
}

# Their means are positive, or a probability below 1, and some predictors belong to none.
BOUNDED = {
    ("binomial", "log"), ("poisson", "identity"), ("poisson", "sqrt"), ("gamma", "inverse"), ("gamma", "identity"),
    ("tweedie", "identity"), ("tweedie", "inverse"), ("tweedie", "sqrt"), ("inverse_gaussian", "inverse_squared"),
    ("inverse_gaussian", "inverse"), ("inverse_gaussian", "identity"), ("negative_binomial", "sqrt"),
    ("negative_binomial", "identity"),
}  # fmt: skip

# Losses that have more than one minimum along some line; the others are convex in the linear predictor.
NOT_CONVEX = [
    ("squared", "log"), ("squared", "inverse"), ("binomial", "cauchit"), ("gamma", "identity"),
    ("tweedie", "identity"), ("tweedie", "inverse"), ("inverse_gaussian", "identity"),
    ("inverse_gaussian", "log"), ("negative_binomial", "sqrt"), ("negative_binomial", "identity"),
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A loss with points to look at."""

    name: str
    link: str
    loss: Loss
    eta: Tensor
    y: Tensor

    @property
    def points(self) -> tuple[Tensor, Tensor]:
        return self.eta, self.y

    @property
    def kind(self) -> tuple[str, str]:
        return self.name, self.link


def _links(name: str) -> list[str]:
    return list(getattr(REGISTRY.load(name), "links", [""]))


NAMES = [name for name in REGISTRY.entries if name not in ALIASES]
KINDS = [(name, link) for name in NAMES for link in _links(name)]


def of(kinds: Iterable[tuple[str, str]]) -> pytest.MarkDecorator:
    """Run the test on these losses only."""
    listed = list(kinds)
    return pytest.mark.parametrize(
        "case", listed, indirect=True, ids=["-".join(filter(None, k)) for k in listed]
    )


of_families = of((name, link) for name, link in KINDS if link)


@pytest.fixture(params=KINDS, ids=lambda kind: "-".join(filter(None, kind)))
def case(request: Any, rng: Random) -> Case:
    name, link = request.param
    loss = made(name, link or None)
    y = torch.from_numpy(np.asarray(TARGETS.get(name, _normal)(rng), dtype=float))
    if name in MEANS:
        eta = loss.predictor(torch.from_numpy(MEANS[name](rng)))
    else:  # targets on a grid, predictions off it: no kink is closer than a thousandth
        y, eta = y.mul(100).round() / 100, torch.from_numpy(_normal(rng)).mul(100).round() / 100 + 0.0037
    return Case(name, link, loss, eta, y)


def _normal(rng: Random) -> Any:
    return rng.normal(size=(N, K))


def test_its_names(case: Case) -> None:
    assert case.loss.name == case.name
    assert case.name in str(case.loss)
    assert (case.link in str(case.loss)) or case.loss.quadratic


def test_one_value_a_row(case: Case) -> None:
    value = case.loss.value(*case.points)
    assert (value.shape, value.dtype) == ((N,), torch.float64)
    assert torch.isfinite(value).all()
    alone = torch.cat([case.loss.value(eta[None], y[None]) for eta, y in zip(*case.points)])
    torch.testing.assert_close(alone, value, rtol=1e-14, atol=1e-15)


def test_single_precision_targets_are_counted_in_double(case: Case) -> None:
    single = case.y.float()
    for method in (case.loss.value, case.loss.gradient, case.loss.curvature):
        torch.testing.assert_close(
            method(case.eta, single), method(case.eta, single.double()), rtol=1e-14, atol=1e-15
        )


@of(kind for kind in KINDS if kind in IN_TORCH)
def test_the_value_is_torchs(case: Case) -> None:
    truth = IN_TORCH[case.name, case.link](case.eta, case.y)
    torch.testing.assert_close(case.loss.value(*case.points), truth, rtol=1e-13, atol=1e-14)


def test_the_gradient_is_that_of_autograd(case: Case) -> None:
    leaf = case.eta.clone().requires_grad_()
    (truth,) = torch.autograd.grad(case.loss.value(leaf, case.y).sum(), leaf)
    torch.testing.assert_close(case.loss.gradient(*case.points), truth, rtol=1e-11, atol=1e-12)


def test_the_gradient_is_that_of_finite_differences(case: Case) -> None:
    h = 1e-5  # the error of central differences is h^2 of the third derivative and eps / h: both about 1e-10
    gradient = case.loss.gradient(*case.points)
    for j in range(K):
        step = torch.zeros_like(case.eta)
        step[:, j] = h
        up, down = (case.loss.value(case.eta + s, case.y) for s in (step, -step))
        torch.testing.assert_close(gradient[:, j], (up - down) / (2 * h), rtol=1e-6, atol=1e-6)


def test_curvature_and_product_are_those_of_autograd(case: Case, rng: Random) -> None:
    leaf = case.eta.clone().requires_grad_()
    direction = torch.from_numpy(_normal(rng))
    gradient = case.loss.gradient(leaf, case.y)
    if not gradient.requires_grad:  # of a loss that is a straight line on either side
        assert (case.loss.curvature(*case.points) == 0).all()
        return
    (truth,) = torch.autograd.grad((gradient * direction).sum(), leaf, retain_graph=True)
    product = case.loss.product(case.eta, case.y, direction)
    torch.testing.assert_close(product, truth, rtol=1e-10, atol=1e-11)
    diagonal = [torch.autograd.grad(gradient[:, j].sum(), leaf, retain_graph=True)[0][:, j] for j in range(K)]
    torch.testing.assert_close(
        case.loss.curvature(*case.points), torch.stack(diagonal, dim=1), rtol=1e-10, atol=1e-11
    )


def test_all_derivatives_at_once(case: Case) -> None:
    separate = case.loss.value, case.loss.gradient, case.loss.curvature
    for together, method in zip(case.loss.derivatives(*case.points), separate):
        torch.testing.assert_close(together, method(*case.points), rtol=1e-14, atol=1e-15)


@of(kind for kind in KINDS if kind not in NOT_CONVEX)
def test_it_is_convex(case: Case) -> None:
    eta, y, other = case.eta, case.y, case.eta.flip(0)
    middle = case.loss.value((eta + other) / 2, y)
    assert (middle <= (case.loss.value(eta, y) + case.loss.value(other, y)) / 2 + 1e-12).all()
    assert (case.loss.curvature(eta, y) >= 0).all()


@of(NOT_CONVEX)
def test_where_it_is_not_convex(case: Case) -> None:
    """So the list above is right, and solvers need the expected curvature."""
    mean = torch.logspace(-2, 2 if case.name != "binomial" else -0.004, 99, dtype=torch.float64)[:, None]
    y = torch.tensor([[1e-3, 0.1, 1.0, 3.0 if case.name != "binomial" else 1.0]], dtype=torch.float64)
    eta = case.loss.predictor(mean).expand(-1, 4)
    assert (case.loss.curvature(eta, y.expand(99, -1)) < 0).any()


def test_the_expected_curvature_is_never_negative(case: Case) -> None:
    expected = case.loss.expected(*case.points)
    assert expected.shape == (N, K)
    assert (expected >= 0).all()


def test_quadratic_means_a_constant_curvature(case: Case) -> None:
    second = case.loss.curvature(*case.points)
    constant = torch.allclose(second, torch.full_like(second, float(second[0, 0])), rtol=1e-12)
    if case.loss.smooth:
        assert constant == case.loss.quadratic


# Of the families with links: what makes them likelihoods.


def _family(case: Case) -> Family:
    assert isinstance(case.loss, Family)
    return case.loss


@of_families
def test_targets_at_their_means_cost_least(case: Case) -> None:
    """The score has expectation 0: at y = mu it vanishes, and no other mean is better."""
    family = _family(case)
    mean = family.mean(case.eta)
    scale = family.gradient(case.eta, 1.1 * mean).abs()  # the score is linear in y
    assert (family.gradient(case.eta, mean).abs() <= 1e-12 * (scale + 1.0)).all()
    assert (family.value(case.eta, mean) <= family.value(case.eta.flip(0), mean) + 1e-12).all()


@of_families
def test_the_expected_curvature_is_that_of_the_mean_target(case: Case) -> None:
    """The curvature is affine in y, so its average over targets is its value at their mean."""
    family = _family(case)
    expected = family.expected(*case.points)
    torch.testing.assert_close(
        family.curvature(case.eta, family.mean(case.eta)), expected, rtol=1e-10, atol=1e-12
    )
    torch.testing.assert_close(family.expected(case.eta, 0 * case.y), expected, rtol=0, atol=0)


@of_families
def test_it_is_the_slope_of_the_mean_over_the_variance(case: Case) -> None:
    family = _family(case)
    leaf = case.eta.clone().requires_grad_()
    (slope,) = torch.autograd.grad(family.mean(leaf).sum(), leaf)
    truth = slope.square() / family.variance(family.mean(case.eta))
    factor = 2.0 if case.name == "squared" else 1.0  # twice the log-likelihood of variance 1
    torch.testing.assert_close(family.expected(*case.points), factor * truth, rtol=1e-11, atol=0)
    torch.testing.assert_close(family.links[case.link].slope(case.eta), slope, rtol=1e-11, atol=0)


@of_families
def test_the_predictor_is_the_inverse_of_the_mean(case: Case) -> None:
    family = _family(case)
    torch.testing.assert_close(family.predictor(family.mean(case.eta)), case.eta, rtol=1e-12, atol=1e-13)


@of_families
def test_the_least_loss_is_that_of_the_target_as_its_mean(case: Case) -> None:
    family = _family(case)
    y = case.y if case.name != "binomial" else case.y.clamp(0.05, 0.95)
    y = y if case.name in ("gamma", "inverse_gaussian", "binomial") else y.abs() + 0.1
    least = family.least(y)
    assert least.shape == (N,)
    torch.testing.assert_close(family.value(family.predictor(y), y), least, rtol=1e-11, atol=1e-12)
    assert (least <= family.value(case.eta, y) + 1e-12).all()
    edge = case.y.round()  # labels 0 and 1, counts of 0: 0 log 0 is 0
    if family.refusal(edge) is None:
        assert torch.isfinite(family.least(edge)).all()


LOG_PROBABILITY: dict[str, Callable[[Any, Any], Any]] = {
    "poisson": lambda y, mean: stats.poisson.logpmf(y, mean),
    "binomial": lambda y, mean: stats.binom.logpmf(np.round(7 * y), 7, mean) / 7,  # weight 7: seven trials
    "negative_binomial": lambda y, mean: stats.nbinom.logpmf(y, 1.0, 1.0 / (1.0 + mean)),
}


@of((name, link) for name, link in KINDS if name in LOG_PROBABILITY)
def test_value_and_constant_are_the_log_likelihood(case: Case) -> None:
    y = (case.y * 7).round() / 7 if case.name == "binomial" else case.y
    mean = case.loss.mean(case.eta)
    truth = LOG_PROBABILITY[case.name](y.numpy(), mean.numpy()).sum(axis=1)
    constant = case.loss.constant(y, torch.full((N,), 7.0, dtype=torch.float64))
    found = case.loss.value(case.eta, y) + constant
    torch.testing.assert_close(found, -torch.from_numpy(truth), rtol=1e-11, atol=1e-12)


@of_families
def test_the_start_is_near_the_target(case: Case) -> None:
    family = _family(case)
    start = family.start(case.y)
    assert torch.isfinite(family.value(start, case.y)).all()
    good = case.y > 0.2 if case.name != "binomial" else (case.y > 0.25) & (case.y < 0.75)
    assert ((family.mean(start) - case.y).abs() <= 0.25 * case.y.abs() + 0.3)[good].all()


@of_families
def test_its_domain_is_said(case: Case) -> None:
    assert (_family(case).inside(case.eta) is not None) == (case.kind in BOUNDED)


@of(kind for kind in KINDS if kind in BOUNDED)
def test_outside_of_its_domain_it_costs_infinitely_much(case: Case) -> None:
    family = _family(case)
    inside = family.inside(case.eta)
    assert inside is not None
    assert inside.all()
    eta = case.eta.clone()
    eta[::2, 0] *= -1.0  # the domains are half lines from 0
    eta[1, 0] = 0.0
    value, gradient, curvature = family.derivatives(eta, case.y)
    out = ~family.inside(eta)[:, 0]  # type: ignore[index]
    assert out[::2].all()
    assert out[1]
    assert torch.equal(value.isinf(), out)
    for derivative in (gradient, curvature, family.expected(eta, case.y)):
        assert (derivative[out, 0] == 0).all()
        assert torch.isfinite(derivative).all()


BAD: dict[str, list[float]] = {
    "binomial": [-0.1, 1.1, 2.0], "poisson": [-1.0], "tweedie": [-1.0], "negative_binomial": [-1.0],
    "gamma": [0.0, -1.0], "inverse_gaussian": [0.0, -1.0], "squared": [],
}  # fmt: skip


@of_families
def test_it_takes_its_targets_and_refuses_others_in_a_sentence(case: Case) -> None:
    family = _family(case)
    assert family.refusal(case.y) is None
    for bad in BAD[case.name]:
        y = case.y.clone()
        y[3, 1] = bad
        sentence = family.refusal(y)
        assert sentence is not None
        assert f"{bad:g}" in sentence
        assert case.name.replace("_", " ") in sentence
        assert sentence.endswith(".")
        assert family.refusal(y.float()) is not None
    y = case.y.clone()
    y[0, 0] = math.nan  # counted by name elsewhere
    assert family.refusal(y) is None
