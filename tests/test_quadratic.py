"""The objective and its certificate against their definitions, written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from torchlinear.engines.local import Local
from torchlinear.errors import DataError
from torchlinear.losses.squared import Squared
from torchlinear.penalties.l2 import L2
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import TensorRows
from torchlinear.solvers.auto import choose

N, P, K = 60, 4, 2
Array = np.ndarray[Any, Any]

precisions = pytest.mark.parametrize("precision", ["double", "extended"])
intercepts = pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "origin"])
penalties = pytest.mark.parametrize("penalty", [None, L2(0.3, column_weights=[0.0, 1.0, 2.0, 0.5])])


class Problem:
    """Random rows, the objective over them, and both definitions by hand."""

    def __init__(self, rng: np.random.Generator, penalty: L2 | None, intercept: bool, precision: str) -> None:
        self.X = rng.normal(size=(N, P)) @ rng.normal(size=(P, P)) + [0.0, 1.0, -10.0, 100.0]
        self.Y = self.X @ rng.normal(size=(P, K)) + rng.normal(size=(N, K)) + 5.0
        self.w = rng.gamma(2.0, size=N)
        self.penalty, self.intercept = penalty, intercept
        self.objective = objective(self.X, self.Y, self.w, penalty, intercept=intercept, precision=precision)

    def value(self, coef: Tensor) -> float:
        beta, b0 = coef[:-1].numpy(), coef[-1].numpy()
        loss = (self.w * np.square(self.Y - self.X @ beta - b0).sum(axis=1)).sum() / self.w.sum()
        strength = np.zeros(P) if self.penalty is None else 0.3 * np.array(self.penalty.column_weights)
        return float(loss + 0.5 * (strength[:, None] * beta**2).sum())

    def certificate(self, coef: Tensor) -> float:
        """Largest correlation left; the intercept counts as a feature of ones, and so it is profiled out."""
        beta, b0 = coef[:-1].numpy(), coef[-1].numpy()
        mean_x, mean_y = (
            np.average(a, axis=0, weights=self.w) if self.intercept else 0 * a[0] for a in (self.X, self.Y)
        )
        Xc, Yc = self.X - mean_x, self.Y - mean_y
        pull = Xc.T @ (self.w[:, None] * (Yc - Xc @ beta))
        if self.penalty is not None:
            ridge = 0.3 / 2 * self.w.sum() * np.array(self.penalty.column_weights)
            pull = pull - ridge[:, None] * beta
        s, t = (np.sqrt((self.w[:, None] * a**2).sum(axis=0)) for a in (Xc, Yc))
        slopes = np.abs(pull) / np.outer(s, t)
        missed = np.abs(b0 - mean_y + mean_x @ beta) * np.sqrt(self.w.sum()) / t
        return float(max(slopes.max(), missed.max() if self.intercept else 0.0))

    def somewhere(self, rng: np.random.Generator) -> Tensor:
        coef = torch.from_numpy(rng.normal(size=(P + 1, K)))
        if not self.intercept:
            coef[-1] = 0.0
        return coef


def objective(
    X: Array, Y: Array, w: Array | None = None, penalty: L2 | None = None, **options: Any
) -> QuadraticObjective:
    rows = TensorRows(*(None if a is None else torch.from_numpy(a) for a in (X, Y, w)))  # type: ignore[arg-type]
    return QuadraticObjective(Squared(), penalty, Local().load(rows), **options)


@precisions
@intercepts
@penalties
def test_value_and_certificate_are_what_they_say(
    rng: np.random.Generator, penalty: L2 | None, intercept: bool, precision: str
) -> None:
    problem = Problem(rng, penalty, intercept, precision)
    for _ in range(3):
        coef = problem.somewhere(rng)
        assert problem.objective.value(coef) == pytest.approx(problem.value(coef), rel=1e-10)
        assert problem.objective.certificate(coef) == pytest.approx(problem.certificate(coef), rel=1e-9)


@precisions
@intercepts
@penalties
@pytest.mark.parametrize("by", ["cholesky", "qr"])
def test_the_optimum_is_certified(
    rng: np.random.Generator, penalty: L2 | None, intercept: bool, precision: str, by: str
) -> None:
    problem = Problem(rng, penalty, intercept, precision)
    optimum = torch.from_numpy(problem.objective.optimum(by).coef)
    lowest = problem.objective.value(optimum)
    assert problem.objective.certificate(optimum) < 1e-14
    assert lowest == pytest.approx(problem.value(optimum), rel=1e-12)
    for _ in range(5):
        step = 1e-3 * problem.somewhere(rng)
        assert problem.objective.value(optimum + step) > lowest
        assert problem.objective.certificate(optimum + step) > 1e-9


def test_the_value_is_torch_mseloss(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(30, 2)), rng.normal(size=(30, 1))
    coef = torch.from_numpy(rng.normal(size=(3, 1)))
    eta = torch.from_numpy(X) @ coef[:-1] + coef[-1]
    expected = torch.nn.MSELoss()(eta, torch.from_numpy(y))
    assert objective(X, y).value(coef) == pytest.approx(expected.item(), rel=1e-13)


@precisions
def test_the_value_of_a_nearly_perfect_fit_does_not_cancel(rng: np.random.Generator, precision: str) -> None:
    X = rng.normal(size=(N, 2)) + 100.0
    line = X @ [[3.0], [-2.0]] + 1000.0
    noise = rng.choice([-1.0, 1.0], size=(N, 1)) * 2.0**-30  # exact after rounding of y to 2**-42
    problem = objective(X, line + noise, precision=precision)
    problem.least_squares("qr")
    at = torch.tensor([[3.0], [-2.0], [1000.0]], dtype=torch.float64)
    assert problem.value(at) == pytest.approx(2.0**-60, rel=1e-2)
    best = problem.value(torch.from_numpy(problem.least_squares("qr").coef))
    assert 0 <= best < 2.0**-60


@precisions
def test_the_certificate_does_not_know_units(rng: np.random.Generator, precision: str) -> None:
    X, Y = rng.normal(size=(N, P)), rng.normal(size=(N, K))
    coef = torch.from_numpy(rng.normal(size=(P + 1, K)))
    units = torch.from_numpy(2.0 ** rng.integers(-30, 30, size=(P, 1)))
    unit = 2.0**21
    scaled = torch.cat([coef[:-1] * unit / units, coef[-1:] * unit])
    plain = objective(X, Y, precision=precision).certificate(coef)
    changed = objective(X * units.numpy()[:, 0], Y * unit, precision=precision).certificate(scaled)
    assert changed == pytest.approx(plain, rel=1e-10)


@pytest.mark.parametrize("mean", [0.0, 1e6, 1e15])
@pytest.mark.parametrize("target", ["noise", "constant", "zero"])
@intercepts
def test_every_exact_optimum_is_certified(
    rng: np.random.Generator, mean: float, target: str, intercept: bool
) -> None:
    """However far the columns, and with targets that leave nothing to explain."""
    X = rng.normal(size=(N, 3)) + mean
    y = {"noise": rng.normal(size=(N, 1)), "constant": np.full((N, 1), 0.1), "zero": np.zeros((N, 1))}[target]
    for precision in ("double", "extended"):
        problem = objective(X, y, intercept=intercept, precision=precision)
        coef = torch.from_numpy(problem.optimum(choose(problem).solver.name).coef)
        assert problem.certificate(coef) <= 1e-8


def test_columns_of_all_scales_and_ranks_are_certified(rng: np.random.Generator) -> None:
    """Random problems with duplicates, constants, dummies, far means, few rows and any ridge."""
    for _ in range(300):
        n, p = rng.choice([1, 2, 3, 5, 20, 50]), rng.choice([1, 2, 3, 8, 30])
        X = rng.normal(size=(n, p)) * 10.0 ** rng.integers(-6, 7, size=p) + rng.choice([0.0, 1.0, 1e8])
        kinds = rng.choice(["as it is", "constant", "copy", "dummy"], size=p, p=[0.7, 0.1, 0.1, 0.1])
        for j, kind in enumerate(kinds):
            if kind != "as it is":
                X[:, j] = {
                    "constant": X[0, j],
                    "copy": X[:, rng.integers(p)],
                    "dummy": rng.integers(2, size=n),
                }[kind]
        y = X @ rng.normal(size=(p, 1)) + rng.choice([0.0, 1.0, 1e6]) * rng.normal(size=(n, 1))
        penalty = L2(10.0 ** rng.integers(-8, 3)) if rng.random() < 0.3 else None
        problem = objective(X, y, None, penalty, precision=str(rng.choice(["double", "extended"])))
        found = problem.optimum(choose(problem).solver.name)
        assert problem.certificate(torch.from_numpy(found.coef)) <= 1e-8, (n, p, kinds, penalty)
        assert found.rss[0] <= found.tss[0] * (1 + 1e-9)


def test_the_residual_sum_at_other_coefficients(rng: np.random.Generator) -> None:
    X, y, w = rng.normal(size=(N, 2)), rng.normal(size=(N, 1)), rng.random(N)
    problem = objective(X, y, w)
    coef = torch.from_numpy(rng.normal(size=(3, 1)))
    there = problem.evidence_at(coef)
    residuals = y - X @ coef[:-1].numpy() - coef[-1].numpy()
    assert there.rss[0] == pytest.approx(w @ residuals[:, 0] ** 2, rel=1e-12)
    assert there.coef is not problem.evidence.coef
    at_optimum = problem.evidence_at(torch.from_numpy(problem.evidence.coef))
    assert at_optimum is problem.evidence


@intercepts
def test_singular_values(rng: np.random.Generator, intercept: bool) -> None:
    X = rng.normal(size=(N, 3)) + 2.0
    centred = X - X.mean(axis=0) * intercept
    found = objective(X, X[:, :1], intercept=intercept).singular()
    np.testing.assert_allclose(found, np.linalg.svd(centred, compute_uv=False), rtol=1e-12)


def test_what_cannot_be_summed_is_an_error() -> None:
    X, y = np.ones((3, 2)), np.ones((3, 1))
    with pytest.raises(DataError, match="weights sum to zero"):
        _ = objective(X, y, np.zeros(3)).moments
    X[1, 1] = np.inf
    for by in ("cholesky", "qr"):
        with pytest.raises(DataError, match=r"NaN or inf \(x1: 1\)"):
            objective(X, y).least_squares(by)
    with pytest.raises(DataError, match="sums overflow"):
        objective(np.array([[1e200], [-1e200], [0.0]]), y).least_squares("cholesky")
