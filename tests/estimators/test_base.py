"""What all faces share: scikit-learn's parameters and defaults, warm starts, warnings that name the caller's line."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import sklearn.exceptions
import sklearn.linear_model
import sklearn.svm
from sklearn.base import clone

import torchlinear as tl
from torchlinear.estimators.base import LinearEstimator

FACES = {
    name: face
    for name, face in ((name, getattr(tl, name)) for name in tl.__all__)
    if isinstance(face, type) and issubclass(face, LinearEstimator)
}


def theirs(name: str) -> Any:
    return getattr(sklearn.linear_model, name, None) or getattr(sklearn.svm, name)


def test_there_are_faces() -> None:
    assert len(FACES) > 20


@pytest.mark.parametrize("name", FACES)
def test_parameters_and_defaults_are_scikit_learns(name: str) -> None:
    ours, reference = (inspect.signature(face).parameters for face in (FACES[name], theirs(name)))
    assert list(ours) == list(reference)  # in the same order
    for parameter, said in reference.items():
        assert (ours[parameter].default, ours[parameter].kind) == (said.default, said.kind), parameter


@pytest.mark.parametrize("name", FACES)
def test_arguments_of_methods_are_scikit_learns(name: str) -> None:
    for method in ("fit", "partial_fit", "predict", "decision_function", "score", "get_metadata_routing"):
        if hasattr(theirs(name), method):
            ours, reference = (
                inspect.signature(getattr(face, method)) for face in (FACES[name], theirs(name))
            )
            assert list(ours.parameters) == list(reference.parameters), method


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[Any, Any]:
    X = rng.normal(size=(60, 3)) + 1.0
    return X, X @ [1.0, -2.0, 0.5] + 3.0 + rng.normal(size=60)


WARM = [
    (tl.LogisticRegression(), lambda y: y > np.median(y)),
    (tl.LogisticRegression(), lambda y: np.digitize(y, np.quantile(y, [0.3, 0.6]))),
    (tl.PoissonRegressor(alpha=0.1), lambda y: np.exp(0.2 * y)),
    (tl.HuberRegressor(), lambda y: y),
    (tl.ElasticNet(0.1), lambda y: y),
    (tl.MultiTaskElasticNet(0.1), lambda y: np.stack([y, -y], axis=1)),
]


@pytest.mark.parametrize(("model", "target"), WARM)
def test_a_warm_start_ends_where_a_cold_one_does(model: Any, target: Any, rows: tuple[Any, Any]) -> None:
    X, y = rows[0], target(rows[1])
    warm = clone(model).set_params(warm_start=True).fit(X, y)
    for changed, columns in (({"fit_intercept": False}, 3), ({"fit_intercept": True}, 2)):
        cold = clone(model).set_params(**changed).fit(X[:, :columns], y)
        warm.set_params(**changed).fit(X[:, :columns], y)
        np.testing.assert_allclose(warm.coef_, cold.coef_, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(warm.intercept_, cold.intercept_, rtol=1e-6, atol=1e-8)


def test_a_warm_start_begins_at_sparse_coefficients(rows: tuple[Any, Any]) -> None:
    X, y = rows[0], rows[1] > 0
    model = tl.LogisticRegression(warm_start=True).fit(X, y)
    before = model.coef_
    np.testing.assert_allclose(model.sparsify().fit(X, y).coef_, before, rtol=1e-6)


SHORT = [
    tl.HuberRegressor(max_iter=1),
    tl.LogisticRegression(max_iter=1, C=1e4),
    tl.LogisticRegressionCV(
        Cs=[1e4], cv=3, max_iter=1, l1_ratios=(0,), scoring="accuracy", use_legacy_attributes=False
    ),
    tl.SGDClassifier(max_iter=1),
]


@pytest.mark.parametrize("model", SHORT, ids=lambda model: type(model).__name__)
def test_warnings_are_of_both_libraries_and_name_the_line_that_called(
    model: Any, rows: tuple[Any, Any]
) -> None:
    X, y = rows
    with pytest.warns(tl.ConvergenceWarning) as caught:
        model.fit(X * [1.0, 10.0, 0.1], y > np.median(y) if sklearn.base.is_classifier(model) else y)
    assert all(issubclass(each.category, sklearn.exceptions.ConvergenceWarning) for each in caught)
    assert {each.filename for each in caught} == {__file__}
