"""The summed objective against autograd, and Newton's method where it is easy to go wrong."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor

import torchlinear as tl
from torchlinear.engines.local import Local
from torchlinear.losses.base import Loss
from torchlinear.penalties.l2 import L2
from torchlinear.rows import SHARD_ROWS, TensorRows
from torchlinear.summed import SummedObjective

N, P = 50, 3
LOSSES: dict[str, tuple[Loss, Any]] = {
    "binomial": (tl.Binomial(), lambda rng: rng.integers(0, 2, size=(N, 2))),
    "cloglog": (tl.Binomial(link="cloglog"), lambda rng: rng.integers(0, 2, size=(N, 1))),
    "poisson": (tl.Poisson(), lambda rng: rng.poisson(3.0, size=(N, 1))),
    "gamma": (tl.Gamma(link="log"), lambda rng: rng.gamma(3.0, size=(N, 2))),
}


@pytest.fixture(params=LOSSES)
def case(request: Any, rng: np.random.Generator) -> tuple[SummedObjective, TensorRows]:
    loss, targets = LOSSES[request.param]
    y = torch.from_numpy(np.asarray(targets(rng), dtype=np.float64))
    rows = TensorRows(
        torch.from_numpy(rng.normal(size=(N, P)) + np.array([0.0, 5.0, -1.0])), y, torch.rand(N).double()
    )
    penalty = L2(0.3, column_weights=[1.0, 0.0, 2.0])
    return SummedObjective(loss, penalty, Local().load(rows)), rows


def by_hand(problem: SummedObjective, rows: TensorRows, coef: Tensor) -> Tensor:
    assert rows.weight is not None
    assert problem.penalty is not None
    loss = problem.loss.value(rows.X @ coef[:-1] + coef[-1], rows.y)
    return (rows.weight * loss).sum() / rows.weight.sum() + problem.penalty.value(coef[:-1])


def test_value_and_slope(case: tuple[SummedObjective, TensorRows], rng: np.random.Generator) -> None:
    problem, rows = case
    coef = torch.from_numpy(0.3 * rng.normal(size=(P + 1, rows.y.shape[1]))).requires_grad_()
    truth = by_hand(problem, rows, coef)
    (slope,) = torch.autograd.grad(truth, coef)
    found = coef.detach()
    assert problem.value(found) == pytest.approx(truth.item(), rel=1e-13)
    torch.testing.assert_close(problem.slope(found), slope, rtol=1e-11, atol=1e-13)


def test_the_optimum_has_no_slope_and_the_start_a_large_one(
    case: tuple[SummedObjective, TensorRows],
) -> None:
    problem, rows = case
    fit = tl.fit(rows.X, rows.y, loss=problem.loss, penalty=problem.penalty, weights=rows.weight)
    coef = fit.solution.coef.clone().requires_grad_()
    (slope,) = torch.autograd.grad(by_hand(problem, rows, coef), coef)
    assert slope.abs().max() < 1e-10
    assert fit.status is tl.Status.CONVERGED
    assert problem.certificate(fit.solution.coef) < 1e-9 < problem.certificate(problem.start) < 2.0


def test_the_certificate_knows_no_units(case: tuple[SummedObjective, TensorRows]) -> None:
    problem, rows = case
    units = torch.tensor([1e-6, 1.0, 1e8], dtype=torch.float64)
    there = TensorRows(rows.X * units, rows.y, rows.weight)
    other = SummedObjective(problem.loss, None, Local().load(there))
    plain = SummedObjective(problem.loss, None, problem.loaded)
    coef = problem.start.clone()
    coef[:-1] += 0.1
    same = coef.clone()
    same[:-1] /= units[:, None]
    assert other.certificate(same) == pytest.approx(plain.certificate(coef), rel=1e-9)
    a, b = (tl.fit(part.X, part.y, loss=problem.loss, weights=part.weight) for part in (rows, there))
    torch.testing.assert_close(
        b.solution.coef[:-1] * units[:, None], a.solution.coef[:-1], rtol=1e-8, atol=1e-10
    )


def test_rows_without_weight_do_not_count_whatever_they_hold() -> None:
    x = torch.tensor([0.0, 1.0, 2.0, 3.0, 1e6], dtype=torch.float64)
    y = torch.tensor([1.0, 0.0, 3.0, 4.0, 7.0], dtype=torch.float64)
    weights = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    some = tl.fit(x[:4], y[:4], loss="poisson")
    all_rows = tl.fit(x, y, loss="poisson", weights=weights)
    torch.testing.assert_close(all_rows.coef, some.coef, rtol=1e-10, atol=0)


@pytest.mark.parametrize("loss", ["huber", "squared_epsilon_insensitive"])
def test_rows_without_weight_do_not_count_though_their_squares_overflow(
    loss: str, rng: np.random.Generator
) -> None:
    X, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    X[:3], y[:3], weights = 1e200, 1e200, np.append(np.zeros(3), np.ones(57))
    some = tl.fit(X[3:], y[3:], loss=loss, penalty=tl.L2(0.1))
    every = tl.fit(X, y, loss=loss, penalty=tl.L2(0.1), weights=weights)
    assert every.status is tl.Status.CONVERGED
    torch.testing.assert_close(every.coef, some.coef, rtol=1e-9, atol=1e-12)
    for penalty in ("l1", "l2"):
        paths = [
            tl.path(X[k:], y[k:], loss=loss, penalty=penalty, weights=weights[k:], n_penalties=4)
            for k in (0, 3)
        ]
        np.testing.assert_allclose(paths[0].r2, paths[1].r2, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("penalty", [None, tl.L2(0.1), tl.L1(0.05)], ids=str)
@pytest.mark.parametrize("loss", ["logistic", "squared_hinge", "huber"])
def test_columns_a_million_deviations_from_zero(loss: str, penalty: Any, rng: np.random.Generator) -> None:
    """Values of the objective lose six digits there, slopes fewer: they decide about the last steps."""
    X = rng.normal(size=(200, 3))
    y = X[:, 0] + rng.logistic(size=200)
    y = y if loss == "huber" else (y > 0).astype(float)
    near, far = (tl.fit(Z, y, loss=loss, penalty=penalty) for Z in (X, X + 1e6))
    assert far.status is tl.Status.CONVERGED
    torch.testing.assert_close(far.coef, near.coef, rtol=0, atol=1e-6)


@pytest.mark.parametrize("penalty", [None, "l2", "l1"])
@pytest.mark.parametrize(
    ("loss", "link", "intercept"),
    [("poisson", "log", math.log(7.3)), ("gamma", "inverse", 1.0 / 7.3), ("tweedie", "log", math.log(7.3)),
     ("squared", "log", math.log(7.3)), ("huber", None, 7.3), ("squared_epsilon_insensitive", None, 7.3)],
)  # fmt: skip
def test_a_target_that_does_not_vary(
    loss: str, link: str | None, intercept: float, penalty: str | None, rng: np.random.Generator
) -> None:
    """The start is the optimum, whose slope is rounding and so is what slopes are measured against."""
    X = rng.normal(size=(50, 3))
    fit = tl.fit(X, np.full(50, 7.3), loss=loss, link=link, penalty=penalty)
    assert fit.status is tl.Status.CONVERGED
    assert fit.coef.abs().max() < 1e-12
    assert float(fit.intercept) == pytest.approx(intercept, rel=0.02 if "epsilon" in loss else 1e-12)


def test_many_rows_start_from_a_sample_and_end_where_few_passes_would(rng: np.random.Generator) -> None:
    n = 2 * SHARD_ROWS
    X = torch.from_numpy(rng.normal(size=(n, 4)))
    y = (torch.rand(n) < torch.sigmoid(X[:, 0] - 1.0)).double()
    fit = tl.fit(X, y, loss="logistic")
    assert fit.certificate < 1e-9
    assert len(fit.history) <= 2
    step = tl.fit(X, y, loss="logistic", callback=None, solver=tl.Newton(epochs=1))
    torch.testing.assert_close(step.coef, fit.coef, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", ["complete", "quasi-complete"])
def test_separation_is_not_convergence(kind: str, rng: np.random.Generator) -> None:
    X = rng.normal(size=(100, 3))
    X[:, 1] = np.arange(100) % 2
    y = X[:, 1].copy()
    if kind != "complete":
        y[::2] = rng.integers(0, 2, size=50)
    with pytest.warns(tl.ConvergenceWarning, match=r"separated: .* add a ridge.* It is: x1\.$"):
        fit = tl.fit(X, y, loss="logistic")
    assert fit.status is tl.Status.SEPARATED
    assert np.isnan(fit.summary().to_dict()["targets"]["y"]["se"][0] or np.nan)
    ridge = tl.fit(X, y, loss="logistic", penalty=tl.L2(1e-3))
    assert ridge.status is tl.Status.CONVERGED


def test_counts_that_are_zero_wherever_a_column_is(rng: np.random.Generator) -> None:
    group = np.arange(200) % 2
    y = rng.poisson(2.0, size=200) * group
    with pytest.warns(tl.ConvergenceWarning, match=r"separated"):
        assert tl.fit(group[:, None].astype(float), y, loss="poisson").status is tl.Status.SEPARATED


def test_dependent_columns_are_dropped_by_name(rng: np.random.Generator) -> None:
    X = rng.normal(size=(200, 3))
    X = np.column_stack([X, X[:, 0] + X[:, 1]])
    y = rng.integers(0, 2, size=200)
    with pytest.warns(tl.RankWarning, match=r"dropped x3:"):
        fit = tl.fit(X, y, loss="logistic")
    assert fit.coef[3] == 0.0
    torch.testing.assert_close(fit.coef[:3], tl.fit(X[:, :3], y, loss="logistic").coef, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("logistic", {"solver": "newton_cg"}),
        ("poisson", {"solver": "lbfgs"}),
        ("softmax", {}),
        ("softmax", {"solver": "newton_cg", "intercept": False}),
        ("absolute", {"weights": np.linspace(0.5, 2.0, 200)}),
        (tl.Huber(1.345, scale="mad"), {"weights": np.linspace(0.5, 2.0, 200)}),
        ("squared_hinge", {}),
        ("squared_epsilon_insensitive", {}),
    ],
)
def test_dependent_columns_are_dropped_whatever_the_solver(
    loss: Any, options: dict[str, Any], rng: np.random.Generator
) -> None:
    X = rng.normal(size=(200, 3))
    y = rng.integers(0, 3 if loss == "softmax" else 2, size=200)
    with pytest.warns(tl.RankWarning, match=r"^dropped x3: .* coefficient 0"):
        fit = tl.fit(np.column_stack([X, X[:, 0] + X[:, 1]]), y, loss=loss, **options)
    apart = tl.fit(X, y, loss=loss, **options)
    assert (fit.coef[3] == 0.0).all()
    torch.testing.assert_close(fit.coef[:3], apart.coef, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(fit.intercept, apart.intercept, rtol=1e-6, atol=1e-8)
    ours, theirs = (model.summary().to_frame()["se"].dropna() for model in (fit, apart))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_a_coefficient_may_be_zero_without_depending_on_others() -> None:
    fit = tl.fit(np.arange(10.0), np.full(10, 2.0), loss="huber", weights=np.ones(10))
    assert (fit.coef[0], fit.intercept) == (0.0, 2.0)


def test_without_intercept_the_start_may_be_outside_of_the_domain(rng: np.random.Generator) -> None:
    x = rng.uniform(1.0, 2.0, size=(80, 2))
    y = rng.gamma(20.0, 1.0 / (20.0 * (x @ [0.3, 0.5])))
    fit = tl.fit(x, y, loss="gamma", link="inverse", intercept=False)
    assert fit.status is tl.Status.CONVERGED
    mean = 1.0 / (x @ fit.coef.numpy())
    np.testing.assert_allclose(x.T @ (y - mean), 0.0, atol=1e-9 * len(y))


def test_targets_outside_of_the_range_are_refused_by_name() -> None:
    with pytest.raises(tl.DataError, match="gamma target is above 0"):
        tl.fit(torch.arange(3.0), torch.tensor([1.0, 0.0, 2.0]), loss="gamma")
    with pytest.raises(tl.DataError, match="NaN or inf"):
        tl.fit(torch.tensor([0.0, float("nan"), 2.0]), torch.tensor([1.0, 0.0, 2.0]), loss="poisson")


def test_newton_leaves_squared_error_to_the_direct_solvers() -> None:
    with pytest.raises(tl.InvalidInput, match=r"solver='newton': .*use solver='auto'"):
        tl.fit(torch.eye(3), torch.ones(3), solver="newton")


def test_separated_classes_of_a_softmax_are_named_too(rng: np.random.Generator) -> None:
    X = rng.normal(size=(90, 2))
    y = np.arange(90) % 3
    X[:, 1] += 100.0 * (y == 0)
    with pytest.warns(tl.ConvergenceWarning, match=r"separated: .* It is: x1\.$"):
        fit = tl.fit(X, y, loss="softmax")
    assert fit.status is tl.Status.SEPARATED
    assert tl.fit(X, y, loss="softmax", penalty=tl.L2(1e-3)).status is tl.Status.CONVERGED


@pytest.mark.parametrize("solver", ["auto", "newton_cg", "lbfgs"])
@pytest.mark.parametrize("kind", ["complete", "quasi-complete"])
def test_classes_of_a_softmax_told_apart_without_error(
    solver: str, kind: str, rng: np.random.Generator
) -> None:
    """All probabilities come so near 0 and 1 that the curvature is rounding: no warnings of NumPy, no convergence."""
    X = rng.normal(size=(120, 4))
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    if kind == "quasi-complete":  # the second and third classes overlap
        y = np.where(y > 0, 1 + rng.integers(0, 2, size=120), 0)
    with pytest.warns(tl.ConvergenceWarning, match=r"separated: .* It is: .*x0") as caught:
        fit = tl.fit(X, y, loss="softmax", solver=solver)
    assert [warning.category for warning in caught] == [tl.ConvergenceWarning]
    assert fit.status is tl.Status.SEPARATED


def separable(X: np.ndarray, codes: np.ndarray) -> bool:
    """Whether scores exist that put no row on a wrong side and some on the right one: a linear programme."""
    k, Z = codes.max() + 1, np.column_stack([X, np.ones(len(X))])
    ahead = np.zeros(
        (len(Z), k, k, Z.shape[1])
    )  # of each row: the score of its class less those of the others
    for i, own in enumerate(codes):
        ahead[i, :, own] += Z[i]
        ahead[i, range(k), range(k)] -= Z[i]
    A = ahead.reshape(len(Z) * k, -1)
    return bool(-linprog(-A.sum(axis=0), A_ub=-A, b_ub=np.zeros(len(A)), bounds=(-1, 1)).fun > 1e-6)


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_separation_is_what_a_linear_programme_says(loss: str, rng: np.random.Generator) -> None:
    for rows in (20, 30, 40, 60, 80):
        X = rng.normal(size=(rows, 3))
        scores = X[:, 0] + rng.logistic(size=rows)
        codes = np.digitize(scores, [0.0] if loss == "logistic" else [-1.0, 1.0, 2.5])
        codes = np.unique(codes, return_inverse=True)[1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tl.ConvergenceWarning)
            fit = tl.fit(X, codes, loss=loss)
        assert (fit.status is tl.Status.SEPARATED) == separable(X, codes)


@pytest.mark.parametrize(
    ("options", "y"),
    [
        ({"loss": "poisson", "link": "identity"}, [0, 0, 0, 0, 1, 2, 3, 5, 6, 7]),
        ({"loss": tl.NegativeBinomial(2.0, link="identity")}, [0, 0, 0, 0, 1, 2, 3, 5, 6, 7]),
        ({"loss": "tweedie", "link": "identity"}, [0, 0, 0, 0, 1, 2, 3, 5, 6, 7]),
        ({"loss": "binomial", "link": "log"}, [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]),
    ],
)
def test_a_mean_at_the_end_of_its_range_is_the_cause_and_the_warning_says_so(
    options: dict[str, Any], y: list[int]
) -> None:
    x = np.arange(10.0)
    with pytest.warns(tl.ConvergenceWarning, match=r"boundary: the mean of a row .* 'log' or of .* 'logit'"):
        fit = tl.fit(x, np.array(y, dtype=float), **options)
    assert fit.status is tl.Status.BOUNDARY
    mean = fit.predict(x, kind="mean")
    assert mean.min() < 1e-5 or mean.max() > 1 - 1e-5
    assert np.isnan(fit.summary().to_frame()["se"]).all()


def test_what_ends_early_inside_of_the_range_is_not_at_its_end(rng: np.random.Generator) -> None:
    x = rng.uniform(size=200)
    y = rng.poisson(3.0 + 2.0 * x).astype(float)
    fit = tl.fit(x, y, loss="poisson", link="identity", solver="lbfgs", max_epochs=1)
    assert fit.status is tl.Status.BUDGET_USED


def test_a_softmax_agrees_with_r_to_the_last_digits() -> None:
    case = json.loads((Path(__file__).parent / "truth" / "r" / "multinom_housing.json").read_text())
    X = np.array(case["X"], dtype=float)[:, 1:]
    fit = tl.fit(X, case["y"], loss="softmax", weights=np.array(case["weights"], dtype=float))
    coef = torch.vstack([fit.intercept, fit.coef])
    truth = np.array([float(c) for c in case["exact25"]["coef"]]).reshape(2, -1)
    np.testing.assert_allclose((coef[:, 1:] - coef[:, :1]).T.numpy(), truth, rtol=1e-10)
    np.testing.assert_allclose(coef.sum(dim=1).numpy(), 0.0, atol=1e-12)
