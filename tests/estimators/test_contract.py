"""The faces keep scikit-learn's contract and its values."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import sklearn.linear_model as reference
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from torchlinear import LinearRegression, Ridge, RidgeClassifier, RidgeClassifierCV, RidgeCV

RNG = np.random.default_rng(5)


@parametrize_with_checks(
    [
        LinearRegression(),
        LinearRegression(fit_intercept=False),
        LinearRegression(positive=True),
        Ridge(),
        Ridge(fit_intercept=False),
        Ridge(positive=True),
        RidgeCV(),
        RidgeCV(cv=3, fit_intercept=False),
        RidgeClassifier(),
        RidgeClassifierCV(),
        RidgeClassifierCV(cv=3),
    ]
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def rows(n: int = 80, p: int = 5, k: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    X = RNG.normal(size=(n, p)) * RNG.uniform(0.1, 10, p) + RNG.normal(size=p)
    y = X @ RNG.normal(size=(p, k or 1)) + RNG.normal(size=(n, k or 1)) + 3
    return X, y if k else y[:, 0]


PAIRS = [
    (LinearRegression(), reference.LinearRegression(tol=0)),
    (LinearRegression(fit_intercept=False), reference.LinearRegression(fit_intercept=False, tol=0)),
    (LinearRegression(positive=True), reference.LinearRegression(positive=True)),
    (Ridge(3.0), reference.Ridge(3.0, solver="svd")),
    (Ridge(3.0, fit_intercept=False), reference.Ridge(3.0, fit_intercept=False, solver="svd")),
    (Ridge(0.5, positive=True), reference.Ridge(0.5, positive=True, tol=1e-14, max_iter=200_000)),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("targets", [None, 1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_values(ours: Any, theirs: Any, targets: int | None, weighted: bool) -> None:
    X, y = rows(k=targets)
    weight = RNG.uniform(0.1, 2, len(X)) if weighted else None
    ours, theirs = clone(ours).fit(X, y, weight), clone(theirs).fit(X, y, weight)
    assert ours.coef_.shape == theirs.coef_.shape
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_) or not ours.fit_intercept
    # scikit-learn's positive Ridge is L-BFGS-B, which stops near the optimum.
    rtol, atol = (1e-4, 1e-5) if isinstance(ours, Ridge) and ours.positive else (1e-9, 1e-9)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=rtol, atol=atol)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=rtol, atol=10 * atol)
    assert ours.score(X, y, weight) == pytest.approx(theirs.score(X, y, weight), rel=1e-6)


@pytest.mark.parametrize("shape", [(6, 10), (40, 7)])
@pytest.mark.parametrize("intercept", [True, False])
def test_rank_deficient_problems_have_the_solution_of_least_norm(
    shape: tuple[int, int], intercept: bool
) -> None:
    X, y = rows(*shape)
    X[:, 3] = X[:, 0] + 2 * X[:, 1]
    ours = LinearRegression(fit_intercept=intercept).fit(X, y)
    theirs = reference.LinearRegression(fit_intercept=intercept, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7, atol=1e-9)
    assert ours.rank_ == theirs.rank_


def test_rank_and_singular_values() -> None:
    X, y = rows()
    ours, theirs = LinearRegression().fit(X, y), reference.LinearRegression(tol=0).fit(X, y)
    np.testing.assert_allclose(ours.singular_, theirs.singular_, rtol=1e-10)
    assert ours.rank_ == theirs.rank_ == 5


def test_good_columns_of_very_different_scales_are_kept() -> None:
    X = RNG.normal(size=(500, 2)) * [1.0, 1e8]
    y = X @ [3.0, 2e-8]
    np.testing.assert_allclose(LinearRegression().fit(X, y).coef_, [3.0, 2e-8], rtol=1e-10)


def test_one_alpha_for_each_target() -> None:
    X, y = rows(k=3)
    alphas = np.array([0.1, 5.0, 0.1])
    theirs = reference.Ridge(alphas, solver="svd").fit(X, y)
    np.testing.assert_allclose(Ridge(alphas).fit(X, y).coef_, theirs.coef_, rtol=1e-10)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"alpha": -1.0}, r"'alpha' parameter of Ridge must be a float in the range \[0.0, inf\)"),
        ({"alpha": [-1.0]}, "expected finite numbers of at least 0"),
        ({"alpha": np.ones(2)}, "Number of targets and number of penalties do not correspond: 2 != 1"),
        ({"solver": "qr"}, "'solver' parameter of Ridge must be a str among"),
        ({"solver": "svd", "positive": True}, "solver='svd' does not support positive fitting"),
        ({"solver": "lbfgs"}, "'lbfgs' solver can be used only when positive=True"),
    ],
)
def test_parameters_of_ridge(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Ridge(**parameters).fit(*rows())


@pytest.mark.parametrize("estimator", [LinearRegression(), Ridge()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_in_tensors_out(estimator: Any, dtype: torch.dtype) -> None:
    X, y = (torch.from_numpy(part).to(dtype) for part in rows())
    fitted = clone(estimator).fit(X, y)
    assert isinstance(fitted.coef_, torch.Tensor)
    assert fitted.coef_.dtype == fitted.intercept_.dtype == dtype
    prediction = fitted.predict(X)
    assert isinstance(prediction, torch.Tensor)
    assert prediction.dtype == dtype
    torch.testing.assert_close(fitted.module_(X)[:, 0], prediction, rtol=1e-5, atol=1e-4)
    plain = clone(estimator).fit(X.numpy(), y.numpy())
    np.testing.assert_array_equal(fitted.coef_.numpy(), plain.coef_)
    assert fitted.score(X, y) == plain.score(X.numpy(), y.numpy())


def test_pickles_hold_no_rows() -> None:
    X, y = rows(5_000, 3)
    fitted = LinearRegression().fit(X, y)
    text = pickle.dumps(fitted)
    assert len(text) < 2_000
    np.testing.assert_array_equal(pickle.loads(text).predict(X), fitted.predict(X))


def test_grid_search_in_two_processes() -> None:
    X, y = rows(200)
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, n_jobs=2).fit(X, y)
    theirs = GridSearchCV(reference.Ridge(), {"alpha": [0.1, 1.0, 10.0]}).fit(X, y)
    assert search.best_params_ == theirs.best_params_
