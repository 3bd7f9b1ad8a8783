"""Generalised linear models behind scikit-learn's interface: its contract, its values, and R's where it has them."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn.exceptions
import sklearn.linear_model as reference
import torch
from sklearn.base import clone
from sklearn.metrics import d2_tweedie_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import torchlinear as tl
from torchlinear import GammaRegressor, PoissonRegressor, TweedieRegressor

KINDS = [
    PoissonRegressor(),
    GammaRegressor(),
    TweedieRegressor(),
    TweedieRegressor(power=0, link="log"),
    TweedieRegressor(power=1.5),
    TweedieRegressor(power=3, link="log"),
    TweedieRegressor(power=-1.0),
]


@parametrize_with_checks(
    [
        PoissonRegressor(),
        GammaRegressor(),
        PoissonRegressor(alpha=0.0, warm_start=True),
        TweedieRegressor(),
        TweedieRegressor(power=1.5, alpha=0.0),
        TweedieRegressor(power=3.0, link="log"),
    ]
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X = rng.normal(size=(90, 4)) * [1.0, 2.0, 0.5, 1.0] + [0.0, 1.0, -1.0, 0.5]
    mean = np.exp(0.2 * X @ [1.0, -0.5, 2.0, 0.3] + 1.0)
    return X, rng.gamma(3.0, mean / 3.0), rng.uniform(0.1, 2.0, size=90)


@pytest.mark.parametrize("ours", KINDS, ids=str)
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("intercept", [True, False])
def test_values(ours: Any, alpha: float, intercept: bool, rows: Any) -> None:
    X, y, weight = rows
    if getattr(ours, "power", 0) == -1.0:  # its mean is positive, which a line through the origin is not
        X = np.abs(X)
        y = X @ np.ones(4) + y
    ours = clone(ours).set_params(alpha=alpha, fit_intercept=intercept).fit(X, y, weight)
    parameters = {**ours.get_params(), "solver": "newton-cholesky", "tol": 1e-12, "max_iter": 10_000}
    theirs = getattr(reference, type(ours).__name__)(**parameters)
    if getattr(ours, "power", 0) == -1.0:  # whose loss has no value where theirs starts
        theirs.set_params(solver="lbfgs", warm_start=True)
        theirs.coef_, theirs.intercept_ = ours.coef_ * 1.01, float(ours.intercept_) * 1.01
    with warnings.catch_warnings(
        record=True
    ) as caught:  # where it resorts to L-BFGS, which stops near the optimum
        warnings.simplefilter("always", sklearn.exceptions.ConvergenceWarning)
        theirs.fit(X, y, weight)
    rtol = 1e-4 if caught or theirs.solver == "lbfgs" else 1e-8
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=10 * rtol)
    assert ours.score(X, y, weight) == pytest.approx(theirs.score(X, y, weight), rel=10 * rtol)


def test_scores_are_those_of_the_metric(rows: Any) -> None:
    X, y, weight = rows
    for power in (0, 1, 1.5, 2, 3):
        model = TweedieRegressor(power=power, link="log", alpha=0.1).fit(X, y)
        truth = d2_tweedie_score(y, model.predict(X), power=power, sample_weight=weight)
        assert model.score(X, y, weight) == pytest.approx(truth, rel=1e-10)


@pytest.mark.parametrize(("power", "link", "inverse"), [
    (0, "auto", lambda eta: eta), (-1, "auto", lambda eta: eta), (1, "auto", np.exp), (2, "auto", np.exp),
    (0, "log", np.exp), (1, "identity", lambda eta: eta),
])  # fmt: skip
def test_links(power: float, link: str, inverse: Any) -> None:
    X, y = np.array([[1.0], [2.0], [3.0]]), np.array([0.2, 0.5, 0.6])
    model = TweedieRegressor(power=power, link=link).fit(X, y)
    np.testing.assert_allclose(
        model.predict(X), inverse(X[:, 0] * model.coef_[0] + model.intercept_), rtol=1e-12
    )


def test_glmnet() -> None:
    """glmnet on four rows, to its threshold of 1e-10; printed in scikit-learn's test."""
    X = np.array([[-2, -1, 1, 2], [0, 0, 1, 1]]).T
    model = PoissonRegressor().fit(X, [0, 1, 1, 2])
    np.testing.assert_allclose(model.intercept_, -0.12889386979, rtol=1e-6)
    np.testing.assert_allclose(model.coef_, [0.29019207995, 0.03741173122], rtol=1e-6)


@pytest.mark.parametrize(("name", "model"), [
    ("dobson_poisson", PoissonRegressor(alpha=0.0)), ("clotting1_gamma_log", GammaRegressor(alpha=0.0)),
    ("quine_tweedie15_log", TweedieRegressor(power=1.5, alpha=0.0)),
    ("clotting1_invgauss_log", TweedieRegressor(power=3.0, alpha=0.0)),
])  # fmt: skip
def test_r(name: str, model: Any, truth: Path) -> None:
    case = json.loads((truth / "r" / f"glm_{name}.json").read_text())
    exact = np.array(case["exact25"]["coef"], dtype=float)
    model.fit(np.array(case["X"])[:, 1:], case["y"])
    np.testing.assert_allclose(np.append(model.intercept_, model.coef_), exact, rtol=1e-10, atol=1e-10)


def test_columns_that_depend_on_one_another(rows: Any) -> None:
    X, y, weight = rows
    whole = PoissonRegressor(alpha=0.0).fit(X, y, weight)
    twice = PoissonRegressor(alpha=0.0).fit(np.hstack([X, X]), y, weight)
    np.testing.assert_allclose(twice.coef_, np.tile(whole.coef_ / 2, 2), rtol=1e-8)
    np.testing.assert_allclose(twice.intercept_, whole.intercept_, rtol=1e-8)


@pytest.mark.parametrize("ours", KINDS[:5], ids=str)
@pytest.mark.parametrize("make", [scipy.sparse.csr_array, scipy.sparse.csc_matrix])
def test_sparse_rows(ours: Any, make: Any, rows: Any) -> None:
    X, y, weight = rows
    X = np.where(np.abs(X) > 0.7, X, 0.0)
    dense = clone(ours).set_params(alpha=0.1).fit(X, y, weight)
    sparse = clone(ours).set_params(alpha=0.1).fit(make(X), y, weight)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-9)
    np.testing.assert_allclose(sparse.predict(make(X)), dense.predict(X), rtol=1e-9)
    assert sparse.score(make(X), y, weight) == pytest.approx(dense.score(X, y, weight), rel=1e-9)
    whole, twice = clone(ours).set_params(alpha=0.0), clone(ours).set_params(alpha=0.0)
    whole.fit(X, y)
    twice.fit(make(np.hstack([X, X])), y)
    np.testing.assert_allclose(twice.coef_, np.tile(whole.coef_ / 2, 2), rtol=1e-7, atol=1e-12)


def test_tensors_in_tensors_out(rows: Any) -> None:
    X, y, _ = (torch.from_numpy(part).float() for part in rows)
    model = GammaRegressor().fit(X, y)
    assert isinstance(model.coef_, torch.Tensor)
    assert model.predict(X).dtype == model.coef_.dtype == torch.float32
    exact = GammaRegressor().fit(X.double(), y.double())
    torch.testing.assert_close(model.coef_, exact.coef_.float(), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(model.module_(X)[:, 0].exp(), model.predict(X), rtol=1e-5, atol=1e-6)


def test_a_warm_start_starts_where_the_last_fit_ended(rows: Any) -> None:
    X, y, _ = rows
    model = PoissonRegressor(max_iter=1, warm_start=True, alpha=1e-3)
    with pytest.warns(tl.ConvergenceWarning, match="PoissonRegressor: fit budget used") as caught:
        model.fit(X, y)
    assert issubclass(caught[0].category, sklearn.exceptions.ConvergenceWarning)
    cold = PoissonRegressor(alpha=1e-3).fit(X, y)
    model.set_params(max_iter=100).fit(X, y)
    assert model.n_iter_ < cold.n_iter_
    np.testing.assert_allclose(model.coef_, cold.coef_, rtol=1e-9)
    assert model.fit(X, y).n_iter_ == 1


def test_bad_targets_and_parameters_are_said(rows: Any) -> None:
    X, y, _ = rows
    with pytest.raises(
        tl.DataError, match=r"^Some value\(s\) of y are out of the valid range.*above 0, got -1 "
    ):
        GammaRegressor().fit(X, np.where(np.arange(90) == 3, -1.0, y))
    with pytest.raises(tl.DataError, match="valid range"):
        PoissonRegressor().fit(X, y).score(X, -y)
    with pytest.raises(tl.InvalidInput, match="at least 1 or at most 0"):
        TweedieRegressor(power=0.5).fit(X, y)
    with pytest.raises(tl.InvalidInput, match="'link' parameter of TweedieRegressor"):
        TweedieRegressor(link="probit").fit(X, y)
    with pytest.raises(tl.InvalidInput, match="'alpha' parameter of PoissonRegressor"):
        PoissonRegressor(alpha=-1.0).fit(X, y)


def test_they_are_pickled(rows: Any) -> None:
    X, y, _ = rows
    model = TweedieRegressor(power=1.5).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


def test_a_constant_target_leaves_nothing_to_explain(rows: Any) -> None:
    X, y, _ = rows
    constant = np.full(len(y), 1.5)
    assert PoissonRegressor().fit(X, constant).score(X, constant) == 1.0  # as `r2_score` has it
    assert PoissonRegressor().fit(X, y).score(X, constant) == 0.0
