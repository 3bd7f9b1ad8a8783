"""LassoCV and ElasticNetCV keep scikit-learn's contract and its values."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn
import sklearn.linear_model as reference
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from torchlinear import DataError, ElasticNetCV, LassoCV

EXACT = {"tol": 1e-14, "max_iter": 1_000_000}


@parametrize_with_checks(
    [
        LassoCV(),
        LassoCV(positive=True, cv=3),
        ElasticNetCV(),
        ElasticNetCV(l1_ratio=[0.3, 0.9], fit_intercept=False),
    ]
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def rows(rng: np.random.Generator, n: int = 90, p: int = 6) -> tuple[np.ndarray, np.ndarray]:
    X = rng.normal(size=(n, p)) * rng.uniform(0.1, 10, p) + rng.normal(size=p)
    return X, X[:, :3] @ rng.normal(size=3) + rng.normal(size=n) + 3


PAIRS = [
    (LassoCV(), reference.LassoCV()),
    (LassoCV(alphas=20, eps=1e-2, cv=3), reference.LassoCV(alphas=20, eps=1e-2, cv=3)),
    (LassoCV(fit_intercept=False), reference.LassoCV(fit_intercept=False)),
    (LassoCV(positive=True), reference.LassoCV(positive=True)),
    (LassoCV(alphas=[0.1, 1.0, 0.01]), reference.LassoCV(alphas=[0.1, 1.0, 0.01])),
    (ElasticNetCV(), reference.ElasticNetCV()),
    (ElasticNetCV(l1_ratio=[0.1, 0.9, 1.0]), reference.ElasticNetCV(l1_ratio=[0.1, 0.9, 1.0])),
    (
        ElasticNetCV(l1_ratio=[0.0, 0.5], alphas=[0.1, 1.0]),
        reference.ElasticNetCV(l1_ratio=[0.0, 0.5], alphas=[0.1, 1.0]),
    ),
    (ElasticNetCV(l1_ratio=[0.5]), reference.ElasticNetCV(l1_ratio=[0.5])),
    (
        ElasticNetCV(cv=KFold(4, shuffle=True, random_state=0)),
        reference.ElasticNetCV(cv=KFold(4, shuffle=True, random_state=0)),
    ),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of gaps of rounding
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("weighted", [False, True])
def test_values(rng: np.random.Generator, ours: Any, theirs: Any, weighted: bool) -> None:
    X, y = rows(rng)
    weight = rng.uniform(0.1, 2, len(X)) if weighted else None
    ours, theirs = clone(ours).fit(X, y, weight), clone(theirs).set_params(**EXACT).fit(X, y, weight)
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-12)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-8)  # theirs ends at a duality gap
    assert ours.alphas_.shape == theirs.alphas_.shape
    assert ours.mse_path_.shape == theirs.mse_path_.shape
    assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=1e-12)
    assert getattr(ours, "l1_ratio_", None) == getattr(theirs, "l1_ratio_", None)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5, atol=1e-5)
    assert 0 <= ours.dual_gap_ <= 1e-12 * y.var()
    assert ours.n_iter_ == 1


def test_the_duality_gap_bounds_what_is_left(rng: np.random.Generator) -> None:
    X, y = rows(rng)
    model = LassoCV().fit(X, y)

    def objective(coef: np.ndarray) -> float:
        residual = y - X @ coef
        residual = residual - residual.mean()
        return float(residual @ residual / (2 * len(y)) + model.alpha_ * np.abs(coef).sum())

    best = reference.Lasso(alpha=model.alpha_, **EXACT).fit(X, y).coef_
    assert objective(model.coef_) <= objective(best) * (1 + 1e-14)


def test_float32_and_tensors(rng: np.random.Generator) -> None:
    X, y = rows(rng)
    for dtype in (torch.float32, torch.float64):
        tensors = torch.from_numpy(X).to(dtype), torch.from_numpy(y).to(dtype)
        model = ElasticNetCV().fit(*tensors)
        assert model.coef_.dtype == model.intercept_.dtype == dtype
        prediction = model.predict(tensors[0])
        assert isinstance(prediction, torch.Tensor)
        torch.testing.assert_close(model.module_(tensors[0])[:, 0], prediction, rtol=1e-5, atol=1e-4)
        plain = ElasticNetCV().fit(tensors[0].numpy(), tensors[1].numpy())
        np.testing.assert_array_equal(model.coef_.numpy(), plain.coef_)


@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csc_matrix])
@pytest.mark.parametrize("columns", [20, 1_200])
def test_sparse_rows(rng: np.random.Generator, kind: Any, columns: int) -> None:
    X = rng.normal(size=(80, columns)) * (rng.uniform(size=(80, columns)) < 0.2)
    y = X[:, :4].sum(axis=1) + 0.1 * rng.normal(size=80)
    ours = LassoCV(alphas=10, eps=0.05).fit(kind(X), y)
    dense = LassoCV(alphas=10, eps=0.05).fit(X, y)
    np.testing.assert_allclose(ours.mse_path_, dense.mse_path_, rtol=1e-8)
    np.testing.assert_allclose(ours.coef_, dense.coef_, atol=1e-8)
    np.testing.assert_allclose(ours.predict(kind(X)), dense.predict(X), atol=1e-7)


def test_pickles_hold_no_rows(rng: np.random.Generator) -> None:
    X, y = rows(rng, 20_000)
    model = LassoCV(cv=3).fit(X, y)
    text = pickle.dumps(model)
    assert len(text) < 10_000
    np.testing.assert_array_equal(pickle.loads(text).predict(X), model.predict(X))


@pytest.fixture
def routing() -> Iterator[None]:
    sklearn.set_config(enable_metadata_routing=True)
    yield
    sklearn.set_config(enable_metadata_routing=False)


@pytest.mark.usefixtures("routing")
def test_groups_are_routed_to_the_splitter(rng: np.random.Generator) -> None:
    X, y = rows(rng)
    groups = rng.integers(0, 9, len(X))
    model = LassoCV(cv=GroupKFold(3)).fit(X, y, groups=groups)
    listed = LassoCV(cv=list(GroupKFold(3).split(X, y, groups))).fit(X, y)
    np.testing.assert_array_equal(model.mse_path_, listed.mse_path_)


def test_groups_without_routing_are_refused(rng: np.random.Generator) -> None:
    X, y = rows(rng)
    with pytest.raises(ValueError, match="only supported if enable_metadata_routing=True"):
        LassoCV().fit(X, y, groups=np.zeros(len(X)))


def test_inside_another_search_in_two_processes(rng: np.random.Generator) -> None:
    X, y = rows(rng)
    grid = {"l1_ratio": [0.2, 0.8], "fit_intercept": [True, False]}
    ours = GridSearchCV(ElasticNetCV(cv=3, alphas=10), grid, n_jobs=2).fit(X, y)
    theirs = GridSearchCV(reference.ElasticNetCV(cv=3, alphas=10, **EXACT), grid).fit(X, y)
    assert ours.best_params_ == theirs.best_params_
    assert ours.best_score_ == pytest.approx(theirs.best_score_, rel=1e-6)


def test_more_columns_than_rows(rng: np.random.Generator) -> None:
    X = rng.normal(size=(40, 80))
    y = X[:, :3] @ [3.0, -2.0, 1.0] + 0.1 * rng.normal(size=40)
    ours, theirs = LassoCV(cv=4).fit(X, y), reference.LassoCV(cv=4, **EXACT).fit(X, y)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-5)
    assert set(np.flatnonzero(ours.coef_)) == set(np.flatnonzero(theirs.coef_))


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"alphas": [1.0, -1.0]}, r"alphas\[1\] == -1.0, must be >= 0.0"),
        ({"alphas": 0}, "The 'alphas' parameter of ElasticNetCV must be an int"),
        ({"eps": 0.0}, "The 'eps' parameter of ElasticNetCV must be a float"),
        ({"l1_ratio": 0}, "not supported for l1_ratio=0"),
        ({"l1_ratio": 2.0}, "The 'l1_ratio' parameter"),
        ({"l1_ratio": [0.5, 1.5]}, "takes a mix from 0"),
        ({"cv": 1}, "The 'cv' parameter"),
        ({"selection": "any"}, "The 'selection' parameter"),
    ],
)
def test_parameters(rng: np.random.Generator, parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ElasticNetCV(**parameters).fit(*rows(rng))


def test_a_fold_without_weight_is_named(rng: np.random.Generator) -> None:
    X, y = rows(rng)
    weight = np.ones(len(X))
    weight[:30] = 0.0
    with pytest.raises(DataError, match="split 0 has no test row with a weight above 0"):
        LassoCV(cv=3).fit(X, y, weight)
