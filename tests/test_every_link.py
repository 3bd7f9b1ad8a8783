"""Every family with every link, fitted to rows drawn from it: the likelihood equations hold to the last digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import torchlinear as tl
from torchlinear.losses import ALIASES, REGISTRY, made
from torchlinear.losses.family import Family

Array = NDArray[np.float64]
N = 400

KINDS = [
    (name, link)
    for name in REGISTRY.entries
    for link in getattr(REGISTRY.load(name), "links", ())
    if name not in ALIASES
]

DRAWN: dict[str, Callable[[np.random.Generator, Array], Array]] = {
    "squared": lambda rng, mean: mean * (1.0 + 0.1 * rng.normal(size=N)),
    "binomial": lambda rng, mean: rng.binomial(20, mean) / 20.0,
    "poisson": lambda rng, mean: rng.poisson(mean).astype(float),
    "negative_binomial": lambda rng, mean: rng.negative_binomial(1.0, 1.0 / (1.0 + mean)).astype(float),
    "gamma": lambda rng, mean: rng.gamma(4.0, mean / 4.0),
    "inverse_gaussian": lambda rng, mean: rng.wald(mean, 4.0 * mean),
    "tweedie": lambda rng, mean: rng.gamma(2.0, mean / 1.6) * (rng.random(N) < 0.8),
}


@pytest.fixture(params=KINDS, ids="-".join)
def case(request: Any, rng: np.random.Generator) -> tuple[Family, Array, Array]:
    """Means between 2 and 6, so that the optimum is inside of the domain; of probabilities between 0.2 and 0.6."""
    name, link = request.param
    loss = made(name, link)
    assert isinstance(loss, Family)
    low, high = (0.2, 0.6) if name == "binomial" else (2.0, 6.0)
    ends = loss.predictor(torch.tensor([low, high], dtype=torch.float64)).numpy()
    X = rng.random(size=(N, 3))
    eta = ends[0] + (ends[1] - ends[0]) * X @ [0.5, 0.3, 0.2]
    return loss, X * [1.0, 1e3, 1e-3], DRAWN[name](rng, loss.mean(torch.from_numpy(eta)).numpy())


def test_the_likelihood_equations_hold(case: tuple[Family, Array, Array]) -> None:
    loss, X, y = case
    fit = tl.fit(X, y, loss=loss)
    assert fit.status is tl.Status.CONVERGED
    design = np.column_stack([X, np.ones(N)])
    eta = torch.from_numpy(design @ np.append(fit.coef, fit.intercept))
    mean = loss.mean(eta)
    terms = ((torch.from_numpy(y) - mean) * loss.links[loss.link].slope(eta) / loss.variance(mean)).numpy()
    score, scale = design.T @ terms, np.linalg.norm(design, axis=0) * np.linalg.norm(terms)
    assert (np.abs(score) <= 1e-11 * scale).all()


def test_it_is_a_minimum(case: tuple[Family, Array, Array], rng: np.random.Generator) -> None:
    loss, X, y = case
    fit = tl.fit(X, y, loss=loss)
    target = torch.from_numpy(y)[:, None]

    def cost(coef: Array) -> float:
        return float(loss.value(torch.from_numpy(X @ coef[:-1] + coef[-1])[:, None], target).sum())

    best = np.append(fit.coef, fit.intercept)
    for size in (1e-3, 1e-2, 0.1):
        for _ in range(5):
            assert cost(best) <= cost(best * (1.0 + size * rng.normal(size=4)))


def test_units_do_not_matter(case: tuple[Family, Array, Array]) -> None:
    loss, X, y = case
    units = np.array([1e-6, 1e5, 30.0])
    here, there = tl.fit(X, y, loss=loss), tl.fit(X * units, y, loss=loss)
    np.testing.assert_allclose(np.asarray(there.coef) * units, here.coef, rtol=1e-8)
