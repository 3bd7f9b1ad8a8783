"""`RidgeClassifier` and what classifiers share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.linear_model as reference
import torch
from scipy.special import expit, softmax
from sklearn.datasets import load_iris
from sklearn.multiclass import OneVsRestClassifier

import torchlinear as tl
from torchlinear.estimators.classifier import LinearClassifier, Probabilities

IRIS, SPECIES = load_iris(return_X_y=True)
LABELS = {
    "numbers": SPECIES + 5,
    "texts": np.array(["setosa", "versicolor", "virginica"])[SPECIES],
    "two texts": np.where(SPECIES == 1, "yes", "no"),
    "booleans": SPECIES == 2,
    "several": np.stack([SPECIES == 0, SPECIES > 0, SPECIES == 1], axis=1).astype(int),
}


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "parameters", [{}, {"alpha": 20.0}, {"fit_intercept": False}, {"class_weight": "balanced"}], ids=str
)
def test_values(labels: str, parameters: dict[str, Any], weighted: bool, rng: np.random.Generator) -> None:
    y, weight = LABELS[labels], rng.uniform(0.5, 2.0, len(IRIS)) if weighted else None
    ours = tl.RidgeClassifier(**parameters).fit(IRIS, y, weight)
    theirs = reference.RidgeClassifier(**parameters, solver="svd").fit(IRIS, y, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(ours.decision_function(IRIS), theirs.decision_function(IRIS), atol=1e-9)
    np.testing.assert_array_equal(ours.predict(IRIS), theirs.predict(IRIS))
    assert ours.predict(IRIS).dtype == theirs.predict(IRIS).dtype
    assert ours.score(IRIS, y) == theirs.score(IRIS, y)


def test_weights_of_classes() -> None:
    named = {"setosa": 1.0, "versicolor": 3.0, "virginica": 0.5}
    ours = tl.RidgeClassifier(class_weight=named).fit(IRIS, LABELS["texts"])
    by_row = tl.RidgeClassifier().fit(IRIS, LABELS["texts"], [named[label] for label in LABELS["texts"]])
    np.testing.assert_allclose(ours.coef_, by_row.coef_, rtol=1e-12)


def test_tensors_in_tensors_out() -> None:
    X, y = torch.from_numpy(IRIS).float(), torch.from_numpy(SPECIES)
    model = tl.RidgeClassifier().fit(X, y)
    for part in (model.coef_, model.intercept_, model.decision_function(X)):
        assert isinstance(part, torch.Tensor)
        assert part.dtype == torch.float32
    assert torch.equal(model.predict(X), torch.from_numpy(model.predict(IRIS)))
    torch.testing.assert_close(model.module_(X), model.decision_function(X))
    assert model.score(X, y) == model.score(IRIS, SPECIES)
    named = tl.RidgeClassifier().fit(X, LABELS["texts"])
    assert named.predict(X)[0] == "setosa"  # texts have no tensor


def test_one_class_is_predicted() -> None:
    assert tl.RidgeClassifier().fit(IRIS, np.ones(150)).predict(IRIS).tolist() == [1.0] * 150


def test_inside_one_against_rest() -> None:
    ours = OneVsRestClassifier(tl.RidgeClassifier()).fit(IRIS, SPECIES).predict(IRIS)
    theirs = OneVsRestClassifier(reference.RidgeClassifier()).fit(IRIS, SPECIES).predict(IRIS)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"alpha": -1.0}, "'alpha' parameter of RidgeClassifier must be a float"),
        ({"class_weight": "equal"}, "'class_weight' parameter of RidgeClassifier must be"),
    ],
)
def test_parameters(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(tl.InvalidInput, match=sentence):
        tl.RidgeClassifier(**parameters).fit(IRIS, SPECIES)


def test_numbers_are_no_labels() -> None:
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        tl.RidgeClassifier().fit(IRIS, IRIS[:, 0])


class Logits(Probabilities, LinearClassifier):
    """A classifier that decides by the first columns of X."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.classes_ = np.arange(max(classes, 2))
        self.coef_ = np.eye(max(classes, 1))[: 1 if classes == 2 else classes]
        self.intercept_ = np.zeros(len(self.coef_))
        self.n_features_in_ = self.coef_.shape[1]

    def fit(self, X: Any, y: Any) -> Any:
        return self


def test_probabilities_of_two_classes_at_the_extremes() -> None:
    X = np.array([[-800.0, 0.0], [-1.0, 0.0], [800.0, 0.0]])
    model = Logits(2)
    np.testing.assert_array_equal(model.predict_proba(X)[:, 1], expit(X[:, 0]))
    np.testing.assert_allclose(
        model.predict_log_proba(X)[:, 1], [-800.0, np.log(expit(-1.0)), 0.0], rtol=1e-15
    )
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0, rtol=1e-15)


@pytest.mark.parametrize("against_rest", [False, True])
def test_probabilities_of_three_classes_at_the_extremes(against_rest: bool) -> None:
    X = np.array([[-800.0, -801.0, -900.0], [0.5, 0.0, -0.5], [800.0, -800.0, 0.0]])
    model = Logits(3)
    model._one_against_rest = against_rest
    truth = expit(X[1]) / expit(X[1]).sum() if against_rest else softmax(X[1])
    np.testing.assert_allclose(model.predict_proba(X)[1], truth, rtol=1e-14)
    np.testing.assert_allclose(model.predict_proba(X)[0], softmax(X[0]), rtol=1e-12)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), rtol=1e-12)
    assert np.isfinite(model.predict_log_proba(X)).all()
    tensors = model.predict_proba(torch.from_numpy(X))
    np.testing.assert_array_equal(tensors.numpy(), model.predict_proba(X))
