"""The metric: the exact inverse of what it models, in any units, and diagonal where columns are too many."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import torchlinear as tl
from torchlinear.solvers import bundle
from torchlinear.solvers.metric import Metric

P, K = 6, 3
UNITS = torch.tensor([1.0, 1e6, 1e-6, 1.0, 1e3, 1e-3], dtype=torch.float64)


def model(rng: np.random.Generator, strength: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Second moments of P columns in different units, and a mean second derivative of K classes."""
    root = torch.from_numpy(rng.normal(size=(40, P))) * UNITS
    pi = torch.from_numpy(rng.dirichlet(np.ones(K)))
    return root.T @ root / 40, torch.diag(pi) - torch.outer(pi, pi)


@pytest.mark.parametrize("c", [torch.ones(P), torch.tensor([0.0, 1.0, 3.0, 0.0, 1.0, 2.0])])
@pytest.mark.parametrize("level", [1e-3, 1.0])
def test_it_inverts_the_model_of_the_hessian(rng: np.random.Generator, c: torch.Tensor, level: float) -> None:
    strength = c.double() * UNITS**2
    M, A = model(rng, strength)
    alpha = torch.tensor([1e-4, 1.0], dtype=torch.float64)
    metric = Metric.of(torch.zeros(P).double(), M, strength, level)
    inverse = metric.inverse(A.expand(2, K, K), alpha, intercept=True)
    x = torch.from_numpy(rng.normal(size=(2, P + 1, K))) / torch.cat([UNITS, torch.ones(1)])[:, None]
    x = x - x.mean(dim=2, keepdim=True)  # what is equal in all classes cannot be told
    r = torch.empty_like(x)
    for i, a in enumerate(alpha):
        r[i, :-1] = M @ x[i, :-1] @ A + a * strength[:, None] * x[i, :-1]
        r[i, -1] = A @ x[i, -1]
    found = inverse(r)
    scale = torch.cat([UNITS, torch.ones(1)])[:, None]
    torch.testing.assert_close(
        found * scale, x * scale, rtol=1e-5, atol=1e-6
    )  # the jitter, times the condition
    torch.testing.assert_close(inverse.of(torch.tensor([1]))(r[1:]), found[1:], rtol=1e-12, atol=0)


def test_what_no_row_tells_is_left_alone(rng: np.random.Generator) -> None:
    M, A = model(rng, torch.ones(P))
    M[:, 0] = M[0, :] = 0.0  # a constant column, without a penalty
    inverse = Metric.of(torch.zeros(P).double(), M, torch.zeros(P).double(), 1.0).inverse(
        A[None], torch.ones(1).double(), intercept=False
    )
    scale = torch.cat([UNITS, torch.ones(1)])[:, None]
    equal = inverse(scale.expand(1, P + 1, K)) * scale
    assert equal.abs().max() < 1e-9
    found = inverse(torch.from_numpy(rng.normal(size=(1, P + 1, K))) * scale) * scale
    assert found[0, 1:-1].abs().min() > 1e-3
    assert (found[0, 0].abs() < 1e-9).all()
    assert (found[0, -1] == 0).all()  # no intercept


@pytest.mark.parametrize("intercept", [True, False])
def test_many_columns_have_a_diagonal_metric(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, intercept: bool
) -> None:
    X = rng.normal(size=(200, P)) * UNITS.numpy() + UNITS.numpy()
    y = (X / UNITS.numpy() @ rng.normal(size=(P, K)) + rng.gumbel(size=(200, K))).argmax(axis=1)
    penalty = tl.L2(0.1, column_weights=UNITS.square().tolist())
    fits = []
    for most in (bundle.WHITENED_FEATURES, 2):
        monkeypatch.setattr(bundle, "WHITENED_FEATURES", most)
        for solver in ("newton_cg", "lbfgs"):
            made = tl.fit(
                X, y, loss="softmax", penalty=penalty, solver=solver, intercept=intercept, tol=1e-11
            )
            assert made.status is tl.Status.CONVERGED
            fits.append(made.coef * UNITS[:, None])
    for other in fits[1:]:
        torch.testing.assert_close(other, fits[0], rtol=0, atol=1e-8)
