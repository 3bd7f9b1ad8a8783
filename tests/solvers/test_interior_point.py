"""`tl.InteriorPoint` by the words that users type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from sklearn.linear_model import QuantileRegressor

import torchlinear as tl


@pytest.mark.parametrize("solver", ["auto", "interior_point", tl.InteriorPoint()])
def test_engels_food_expenditures_as_r(solver: str, truth: Path) -> None:
    case = json.loads((truth / "r" / "quantile_engel.json").read_text())
    income, y = np.array(case["X"])[:, 1], np.array(case["y"])
    for there in case["fits"]:
        fit = tl.fit(income, y, loss=tl.Quantile(there["tau"]), solver=solver)
        found = [fit.intercept.item(), fit.coef.item()]
        np.testing.assert_allclose(found, there["coef"], rtol=2e-14)  # R prints 15 digits
        assert len(y) * fit.history.loss[-1].item() == pytest.approx(there["rho"], rel=2e-14)
        assert fit.status is tl.Status.CONVERGED
        assert fit.certificate == 0.0
        assert fit.solver.startswith("interior_point")


@pytest.mark.parametrize("alpha", [0.003, 0.05, 10.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_l1_as_scikit_learn(alpha: float, intercept: bool, rng: np.random.Generator) -> None:
    X = rng.normal(size=(150, 6)) + 0.5
    y = X @ [1.0, -1.0, 0.1, 0.0, 0.0, 0.05] + rng.normal(size=150)
    theirs = QuantileRegressor(quantile=0.3, alpha=alpha, fit_intercept=intercept).fit(X, y)
    fit = tl.fit(X, y, loss=tl.Quantile(0.3), penalty=tl.L1(alpha), intercept=intercept)
    np.testing.assert_allclose(
        fit.coef, theirs.coef_, rtol=1e-8, atol=1e-9
    )  # HiGHS ends within 1e-7 of its rows
    np.testing.assert_allclose(fit.intercept, theirs.intercept_, rtol=1e-8, atol=1e-9)
    assert (fit.coef.numpy() == 0).tolist() == (np.abs(theirs.coef_) < 1e-12).tolist()
    assert fit.certificate == 0.0


def test_what_it_cannot_do_it_says() -> None:
    X, y = np.arange(6.0), np.array([1.0, 0.0, 3.0, 1.0, 5.0, 2.0])
    with pytest.raises(
        tl.InvalidInput, match=r"piecewise linear, not squared; use loss='quantile' or 'absolute'"
    ):
        tl.fit(X, y, solver="interior_point")
    with pytest.raises(
        tl.InvalidInput, match=r"hinge loss with no penalty has no unique optimum; use penalty=tl.L2"
    ):
        tl.fit(X, y > 1, loss="hinge")
    with pytest.raises(tl.InvalidInput, match=r"epsilon_insensitive loss with L1\(1\) has no unique optimum"):
        tl.fit(X, y, loss="epsilon_insensitive", penalty="l1")


@pytest.mark.parametrize("penalty", [tl.GroupLasso(0.1, ["a", "a"]), tl.Box(0, 1), tl.L1(0.1) + tl.Box(0, 1)])
def test_a_refusal_names_what_there_is(penalty: Any, rng: np.random.Generator) -> None:
    X = rng.normal(size=(40, 2))
    y = X @ [1.0, 2.0] + rng.normal(size=40)
    with pytest.raises(
        tl.InvalidInput, match=r"use penalty='l1', 'l2', 'elastic_net' or none, or loss='huber'"
    ):
        tl.fit(X, y, loss="quantile", penalty=penalty)
    for allowed in ("l1", "l2", "elastic_net", None):
        assert tl.fit(X, y, loss="quantile", penalty=allowed).status is tl.Status.CONVERGED
    assert tl.fit(X, y, loss="huber", penalty=penalty).status is tl.Status.CONVERGED


def test_very_many_columns_are_refused_before_they_fill_the_memory() -> None:
    X = scipy.sparse.random_array((20, 200_000), density=1e-4, format="csr", rng=0)
    words = r"quantile loss takes up to 8,000 columns, not 200,000; use loss='huber'"
    with pytest.raises(tl.InvalidInput, match=words):
        tl.fit(X, np.arange(20.0), loss="quantile", penalty=tl.L1(0.1))
    with pytest.raises(tl.InvalidInput, match=words):
        tl.QuantileRegressor().fit(X, np.arange(20.0))


def test_groups_go_with_the_smooth_sister_of_the_hinge(rng: np.random.Generator) -> None:
    X = rng.normal(size=(40, 2))
    y = X[:, 0] + rng.normal(size=40) > 0
    with pytest.raises(tl.InvalidInput, match=r"'l2' or 'elastic_net', or loss='squared_hinge'"):
        tl.fit(X, y, loss="hinge", penalty=tl.GroupLasso(0.1))
    assert tl.fit(X, y, loss="squared_hinge", penalty=tl.GroupLasso(0.1)).status is tl.Status.CONVERGED


def test_quantiles_do_not_mind_outliers(rng: np.random.Generator) -> None:
    X = rng.normal(size=(500, 2))
    y = X @ [1.0, 2.0] + rng.normal(size=500)
    fit = tl.fit(X, y, loss="absolute")
    above = y > fit.predict(X) + 1e-9
    y[above] += 1e6 * rng.random(above.sum())  # rows that stay above the plane pull as before
    moved = tl.fit(X, y, loss="absolute")
    np.testing.assert_allclose(moved.coef, fit.coef, rtol=1e-9)
