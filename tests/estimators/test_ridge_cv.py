"""`RidgeCV` and `RidgeClassifierCV` choose and fit as scikit-learn's do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import sklearn.linear_model as reference
import torch
from sklearn.datasets import load_diabetes, load_iris
from sklearn.metrics import accuracy_score, make_scorer, mean_absolute_error
from sklearn.model_selection import GroupKFold

import torchlinear as tl

ALPHAS = np.logspace(-4, 3, 15)
DIABETES, PROGRESSION = load_diabetes(return_X_y=True)
IRIS, SPECIES = load_iris(return_X_y=True)

SEARCHES: list[dict[str, Any]] = [
    {},
    {"fit_intercept": False},
    {"scoring": "neg_mean_absolute_error"},
    {"scoring": make_scorer(mean_absolute_error, greater_is_better=False)},
    {"cv": 4},
    {"cv": 4, "scoring": "neg_mean_squared_error"},
    {"gcv_mode": "svd"},
]


def targets(shape: str) -> np.ndarray:
    two = np.stack([PROGRESSION, np.sqrt(PROGRESSION)], axis=1)
    return {"flat": PROGRESSION, "column": PROGRESSION[:, None], "two": two}[shape]


@pytest.mark.parametrize("parameters", SEARCHES, ids=str)
@pytest.mark.parametrize("shape", ["flat", "column", "two"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_choice_and_values(
    parameters: dict[str, Any], shape: str, weighted: bool, wide: bool, rng: np.random.Generator
) -> None:
    X, y = DIABETES, targets(shape)
    if wide:
        X, y = np.hstack([X, rng.normal(scale=0.05, size=(len(X), 30))])[:25], y[:25]
    weight = rng.uniform(0.5, 2.0, len(X)) if weighted else None
    ours = tl.RidgeCV(ALPHAS, **parameters).fit(X, y, weight)
    theirs = reference.RidgeCV(ALPHAS, **parameters).fit(X, y, weight)
    assert ours.alpha_ == theirs.alpha_
    assert ours.best_score_ == pytest.approx(theirs.best_score_, rel=1e-6)
    assert ours.coef_.shape == theirs.coef_.shape
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_) or not ours.fit_intercept
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-7)


@pytest.mark.parametrize("scoring", [None, "r2"])
@pytest.mark.parametrize("shape", ["flat", "column", "two"])
@pytest.mark.parametrize("n", [442, 8])
def test_what_is_stored(scoring: str | None, shape: str, n: int, rng: np.random.Generator) -> None:
    X, y, weight = DIABETES[:n], targets(shape)[:n], rng.uniform(0.5, 2.0, n)
    options: dict[str, Any] = {"store_cv_results": True, "scoring": scoring}
    ours = tl.RidgeCV(ALPHAS, **options).fit(X, y, weight)
    theirs = reference.RidgeCV(ALPHAS, **options).fit(X, y, weight)
    assert ours.cv_results_.shape == theirs.cv_results_.shape
    np.testing.assert_allclose(ours.cv_results_, theirs.cv_results_, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_a_strength_for_each_target(scoring: str | None, rng: np.random.Generator) -> None:
    noise = rng.normal(size=(len(PROGRESSION), 1)) * 500
    y = np.hstack([targets("two"), noise])
    ours = tl.RidgeCV(ALPHAS, alpha_per_target=True, scoring=scoring).fit(DIABETES, y)
    theirs = reference.RidgeCV(ALPHAS, alpha_per_target=True, scoring=scoring).fit(DIABETES, y)
    np.testing.assert_array_equal(ours.alpha_, theirs.alpha_)
    assert len(set(ours.alpha_)) > 1
    np.testing.assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-8)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7)


@pytest.mark.parametrize("n", [442, 8])
def test_float32_and_tensors(n: int) -> None:
    X, y = DIABETES[:n].astype(np.float32), PROGRESSION[:n].astype(np.float32)
    plain = tl.RidgeCV(store_cv_results=True).fit(X, y)
    assert plain.coef_.dtype == plain.intercept_.dtype == plain.cv_results_.dtype == np.float32
    tensors = tl.RidgeCV(store_cv_results=True).fit(torch.from_numpy(X), torch.from_numpy(y))
    assert tensors.coef_.dtype == tensors.cv_results_.dtype == tensors.predict(torch.from_numpy(X)).dtype
    np.testing.assert_array_equal(tensors.coef_.numpy(), plain.coef_)
    folds = tl.RidgeCV(cv=2).fit(torch.from_numpy(X), torch.from_numpy(y))
    assert isinstance(folds.coef_, torch.Tensor)


def test_names_of_a_frame() -> None:
    frame = pd.DataFrame(DIABETES, columns=[f"column {j}" for j in range(10)])
    for cv in (None, 3):
        model = tl.RidgeCV(cv=cv).fit(frame, PROGRESSION)
        assert list(model.feature_names_in_) == list(frame.columns)


@pytest.mark.parametrize("labels", ["numbers", "texts", "two", "several"])
@pytest.mark.parametrize(
    "parameters", [{}, {"class_weight": "balanced"}, {"cv": 3}, {"fit_intercept": False}], ids=str
)
@pytest.mark.parametrize("weighted", [False, True])
def test_classifier(
    labels: str, parameters: dict[str, Any], weighted: bool, rng: np.random.Generator
) -> None:
    y = {
        "numbers": SPECIES,
        "texts": np.array(["a", "b", "c"])[SPECIES],
        "two": SPECIES == 1,
        "several": np.stack([SPECIES == 0, SPECIES > 0], axis=1).astype(int),
    }[labels]
    weight = rng.uniform(0.5, 2.0, len(y)) if weighted else None
    ours = tl.RidgeClassifierCV(**parameters).fit(IRIS, y, weight)
    theirs = reference.RidgeClassifierCV(**parameters).fit(IRIS, y, weight)
    assert ours.alpha_ == theirs.alpha_
    assert ours.best_score_ == pytest.approx(theirs.best_score_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7, atol=1e-10)
    np.testing.assert_array_equal(ours.predict(IRIS), theirs.predict(IRIS))
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)


def test_accuracy_of_two_classes_left_out() -> None:
    """scikit-learn's scores 1 whatever the predictions: it takes the largest of one column."""
    y = np.array(["no", "yes"])[(SPECIES == 1).astype(int)]
    model = tl.RidgeClassifierCV(scoring="accuracy", alphas=[1.0], store_cv_results=True).fit(IRIS, y)
    predicted = np.array(["no", "yes"])[(model.cv_results_[:, 0, 0] > 0).astype(int)]
    assert model.best_score_ == accuracy_score(y, predicted) < 0.9


@pytest.mark.parametrize("estimator", [tl.RidgeCV, tl.RidgeClassifierCV])
def test_groups_reach_the_splitter_and_weights_the_scorer(estimator: Any, rng: np.random.Generator) -> None:
    X, y = (DIABETES, PROGRESSION) if estimator is tl.RidgeCV else (IRIS, SPECIES)
    groups, weight = rng.integers(0, 6, len(X)), rng.uniform(0.5, 2.0, len(X))
    theirs = getattr(reference, estimator.__name__)
    with sklearn.config_context(enable_metadata_routing=True):
        found = [
            model(ALPHAS, cv=GroupKFold(3)).fit(X, y, sample_weight=weight, groups=groups)
            for model in (estimator, theirs)
        ]
    assert found[0].alpha_ == found[1].alpha_
    assert found[0].best_score_ == pytest.approx(found[1].best_score_)


@pytest.mark.parametrize(
    ("parameters", "error", "sentence"),
    [
        ({"alphas": [1.0, 0.0]}, ValueError, r"alphas\[1\] == 0.0, must be > 0.0"),
        ({"alphas": []}, ValueError, "alphas is empty"),
        ({"alphas": [1.0, "2"]}, TypeError, r"alphas\[1\] must be an instance of float"),
        (
            {"cv": 3, "store_cv_results": True},
            ValueError,
            "cv!=None and store_cv_results=True are incompatible",
        ),
        (
            {"cv": 3, "alpha_per_target": True},
            ValueError,
            "cv!=None and alpha_per_target=True are incompatible",
        ),
        ({"gcv_mode": "gram"}, ValueError, "'gcv_mode' parameter of RidgeCV must be a str among"),
    ],
)
def test_parameters(parameters: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        tl.RidgeCV(**parameters).fit(DIABETES, PROGRESSION)


def test_one_row_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match="leave-one-out needs at least 2"):
        tl.RidgeCV().fit([[1.0, 2.0]], [1.0])
