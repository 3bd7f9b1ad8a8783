"""Curvatures are those of automatic differentiation; the noise floor solves the recursion that it stands for."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import solve_discrete_lyapunov
from torch import Tensor
from torch.nn import functional

import torchlinear as tl
from torchlinear.losses import made
from torchlinear.problem import objective_of
from torchlinear.racing.curvature import curvature, hessian, slope_of
from torchlinear.racing.noise import floor, scatter
from torchlinear.rows import TensorRows

LOSSES: dict[str, Any] = {
    "squared": lambda eta, y: (eta - y).square().sum(dim=1),
    "logistic": lambda eta, y: functional.softplus(eta)[:, 0] - (y * eta)[:, 0],
    "poisson": lambda eta, y: eta.exp()[:, 0] - (y * eta)[:, 0],
    "softmax": lambda eta, y: functional.cross_entropy(eta, y[:, 0].long(), reduction="none"),
}


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("loss", list(LOSSES))
def test_hessian_and_slope_are_those_of_autograd(
    rng: np.random.Generator, loss: str, weighted: bool, intercept: bool
) -> None:
    X = torch.from_numpy(rng.normal(size=(40, 3)) + 0.5)
    y = torch.from_numpy(rng.integers(0, 3 if loss == "softmax" else 2, size=(40, 1)).astype(float))
    weight = torch.from_numpy(rng.uniform(0.5, 2.0, size=40)) if weighted else torch.ones(40).double()
    k = 3 if loss == "softmax" else 1
    objective = objective_of(
        made(loss), tl.L2(0.2), TensorRows(X, y, weight), intercept=intercept, n_outputs=k
    )
    coef = torch.from_numpy(0.3 * rng.normal(size=(4, k)))
    if not intercept:
        coef[-1] = 0.0

    def value(flat: Tensor) -> Tensor:
        b = flat.reshape(4, k)
        losses = LOSSES[loss](X @ b[:-1] + b[-1] * float(intercept), y)
        return (weight * losses).sum() / weight.sum() + 0.1 * b[:-1].square().sum()

    bent = torch.autograd.functional.hessian(value, coef.flatten())
    slope = torch.autograd.functional.jacobian(value, coef.flatten()).reshape(4, k)
    np.testing.assert_allclose(hessian(objective, coef), bent, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(slope_of(objective, coef), slope, rtol=1e-9, atol=1e-12)
    found = curvature(objective, coef, coef)
    assert found.top == pytest.approx(float(torch.linalg.eigvalsh(bent)[-1]), rel=1e-9)
    assert found.edge == pytest.approx(2.0 / found.top, rel=1e-12)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_steepest_row_counts_as_much_as_its_weight(rng: np.random.Generator, loss: str) -> None:
    """As in a step along one row, whose weight is divided by the mean of all."""
    X = torch.from_numpy(rng.normal(size=(30, 3)))
    y = torch.from_numpy(rng.integers(0, 2, size=(30, 1)).astype(float))
    weight = torch.from_numpy(rng.uniform(0.1, 9.0, size=30))
    weight[:3] = 0.0
    objective = objective_of(made(loss), None, TensorRows(X, y, weight))
    coef = torch.zeros(4, 1, dtype=torch.float64)
    tops = []
    for i in range(30):

        def one(b: Tensor, i: int = i) -> Tensor:
            return (
                weight[i]
                / weight.mean()
                * LOSSES[loss]((X[i] @ b[:-1] + b[-1])[None, None], y[i : i + 1]).sum()
            )

        bent = torch.autograd.functional.hessian(one, coef.flatten())
        tops.append(float(torch.linalg.eigvalsh(bent)[-1]))
    assert curvature(objective, coef, coef).steepest == pytest.approx(max(tops), rel=1e-9)


def test_condition_numbers_in_the_users_units_and_standardised(rng: np.random.Generator) -> None:
    X = rng.normal(size=(80, 3)) * np.array([1.0, 30.0, 0.2]) + np.array([5.0, 0.0, 1.0])
    y = rng.normal(size=80)
    race = tl.race(X, y, solvers=["exact"])
    design = np.column_stack([X, np.ones(80)])
    scaled = np.column_stack([(X - X.mean(axis=0)) / X.std(axis=0), np.ones(80)])
    assert race.curvature.condition == pytest.approx(np.linalg.cond(design) ** 2, rel=1e-6)
    assert race.curvature.standardised == pytest.approx(np.linalg.cond(scaled) ** 2, rel=1e-6)
    again = tl.race(X, y, solvers=["exact"], standardize=True)
    assert again.curvature.condition == pytest.approx(race.curvature.standardised, rel=1e-6)


@pytest.mark.parametrize("batch", [1, 5])
def test_the_noise_floor_solves_the_recursion(rng: np.random.Generator, batch: int) -> None:
    X = torch.from_numpy(rng.normal(size=(200, 3)) * np.array([1.0, 0.6, 1.7]))
    y = (X.sum(dim=1) + torch.from_numpy(rng.normal(size=200)))[:, None]
    objective = objective_of(made("squared"), None, TensorRows(X, y))
    design = torch.column_stack([X, torch.ones(200)])
    best = torch.linalg.lstsq(design, y).solution
    bend = curvature(objective, best, best)
    lr = 0.3 / bend.top
    gradients = (2.0 * (design @ best - y) * design).numpy()
    noise = np.cov(gradients.T, bias=True) / batch * (200 - batch) / 199
    H = (2.0 * design.T @ design / 200).numpy()
    # V = (I - lr H) V (I - lr H) + lr^2 noise, whose objective above the optimum is tr(H V) / 2. The formula takes
    # the diagonal of the noise in the eigenbasis of H, which is all that the trace sees.
    V = solve_discrete_lyapunov(np.eye(4) - lr * H, lr**2 * noise)
    variance = scatter(objective, best, bend)
    assert variance is not None
    assert floor(variance, bend, lr, batch, 200) == pytest.approx(np.trace(H @ V) / 2.0, rel=1e-8)
    assert floor(variance, bend, 2.1 / bend.top, batch, 200) == np.inf


def test_sgd_hovers_where_the_noise_holds_it(rng: np.random.Generator) -> None:
    X = torch.from_numpy(rng.normal(size=(3_000, 2)))
    y = X.sum(dim=1) + torch.from_numpy(rng.normal(size=3_000))
    race = tl.race(X, y, solvers=["sgd"], lr=0.02, epochs=12)
    told = [float(number) / 100 for number in re.findall(r"([0-9.e-]+) %", race["sgd"].why)]
    late = race["sgd"].gap[race["sgd"].passes > 6].median()
    # Rows come once an epoch, which lowers the noise a little, and late frames are few: within a factor of three.
    assert float(late) / 3 < told[1] < 3 * float(late)
    assert race["sgd"].within[0.1] is not None
    assert race["sgd"].within[0.1].passes < 1.0
