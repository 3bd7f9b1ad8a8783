"""LinearSVC and LinearSVR keep scikit-learn's contract and its values."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn.svm as reference
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import compute_class_weight
from sklearn.utils.estimator_checks import parametrize_with_checks

import torchlinear as tl
from torchlinear import LinearSVC, LinearSVR


@parametrize_with_checks(
    [
        LinearSVC(),
        LinearSVC(loss="hinge"),
        LinearSVC(penalty="l1"),  # without an intercept scikit-learn's own fails the check of class weights
        LinearSVR(),
        LinearSVR(epsilon=0.1, fit_intercept=False),
        LinearSVR(loss="squared_epsilon_insensitive", epsilon=0.1),
    ]
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    X = rng.normal(size=(120, 4)) + np.array([0.0, 0.5, 0.0, 1.0])
    return X, X @ [1.0, -0.7, 0.1, 0.0] + rng.normal(size=120), rng.integers(0, 4, size=120).astype(float)


def classes_of(y: Any, count: int) -> Any:
    return np.digitize(y, np.quantile(y, np.linspace(0, 1, count + 1)[1:-1]))


def liblinear(model: Any, *rows: Any) -> Any:
    """scikit-learn's fit, as near to the optimum as liblinear comes in moderate time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.set_params(tol=1e-10, max_iter=20_000, random_state=0).fit(*rows)


# liblinear's Newton (dual=False) ends within 1e-9 of the optimum, its coordinate descents far from it.
NEWTON, COORDINATE = 1e-7, 2e-2


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 0.5}])
@pytest.mark.parametrize("options", [{}, {"penalty": "l1"}, {"loss": "hinge"}], ids=str)
def test_values_of_svc(
    rows: tuple[Any, Any, Any], count: int, weighted: bool, class_weight: Any, options: Any
) -> None:
    X, y, weight = rows
    labels, given = classes_of(y, count), weight if weighted else None
    parameters = {"C": 0.3, "fit_intercept": False, "class_weight": class_weight, **options}
    ours = LinearSVC(**parameters).fit(X, labels, given)
    theirs = liblinear(reference.LinearSVC(**parameters), X, labels, given)
    tolerance = COORDINATE if options else NEWTON
    assert ours.coef_.shape == theirs.coef_.shape
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    factors = compute_class_weight(class_weight, classes=ours.classes_, y=labels, sample_weight=given)
    for j, number in enumerate([1] if count == 2 else range(count)):
        mine = labels == number
        rest = factors[0] if count == 2 else 1.0  # liblinear's, see `RowsAgainstRest`
        each = np.where(mine, factors[number], rest) * (weight if weighted else 1.0)

        def cost(coef: Any, mine: Any = mine, each: Any = each) -> float:
            lacks = np.maximum(0.0, 1.0 - np.where(mine, 1.0, -1.0) * (X @ coef))
            size = np.abs(coef).sum() if "penalty" in options else coef @ coef / 2.0
            return float(0.3 * each @ lacks ** (1 if "loss" in options else 2) + size)

        assert cost(ours.coef_[j]) <= cost(theirs.coef_[j]) * (1 + 1e-13)
        assert cost(theirs.coef_[j]) == pytest.approx(cost(ours.coef_[j]), rel=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("epsilon", [0.0, 0.4])
@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_epsilon_insensitive"])
def test_values_of_svr(rows: tuple[Any, Any, Any], weighted: bool, epsilon: float, loss: str) -> None:
    X, y, weight = rows
    given, smooth = weight if weighted else None, loss.startswith("squared")
    parameters: dict[str, Any] = {
        "C": 0.3,
        "epsilon": epsilon,
        "loss": loss,
        "dual": not smooth,
        "fit_intercept": False,
    }
    ours = LinearSVR(**parameters).fit(X, y, given)
    theirs = liblinear(reference.LinearSVR(**parameters), X, y, given)
    tolerance = NEWTON if smooth else COORDINATE
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=tolerance, atol=tolerance)

    def cost(coef: Any) -> float:
        beyond = np.maximum(0.0, np.abs(y - X @ coef) - epsilon)
        return float(
            0.3 * (weight if weighted else np.ones(120)) @ beyond ** (1 + smooth) + coef @ coef / 2.0
        )

    assert cost(ours.coef_) <= cost(theirs.coef_) * (1 + 1e-13)
    assert cost(theirs.coef_) == pytest.approx(cost(ours.coef_), rel=1e-4)
    assert ours.intercept_ == theirs.intercept_ == 0.0
    with_one = LinearSVR(**{**parameters, "fit_intercept": True}).fit(X, y, given)
    theirs = liblinear(reference.LinearSVR(**{**parameters, "fit_intercept": True}), X, y, given)
    assert with_one.coef_.shape == theirs.coef_.shape
    assert with_one.intercept_.shape == theirs.intercept_.shape


def test_the_intercept_costs_nothing(rows: tuple[Any, Any, Any]) -> None:
    """liblinear comes there as its synthetic feature grows; libsvm has it, too."""
    X, y, _ = rows
    labels = y > 1.0
    ours = LinearSVC().fit(X, labels)
    far, near = (
        liblinear(reference.LinearSVC(dual=False, intercept_scaling=scale), X, labels) for scale in (1.0, 1e4)
    )
    np.testing.assert_allclose(ours.intercept_, near.intercept_, rtol=1e-6)
    assert abs(far.intercept_[0] - ours.intercept_[0]) > 1e-4
    theirs = reference.SVC(kernel="linear", tol=1e-10).fit(X, labels)
    ours = LinearSVC(loss="hinge").fit(X, labels)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-4)
    moved = LinearSVC(loss="hinge").fit(X + 100.0, labels)
    np.testing.assert_allclose(moved.coef_, ours.coef_, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_the_same_fits_by_words(rows: tuple[Any, Any, Any], loss: str) -> None:
    X, y, weight = rows
    model = LinearSVC(loss=loss, C=0.5).fit(X, y > 0, weight)
    fit = tl.fit(X, y > 0, loss=loss, penalty=tl.L2(1 / (0.5 * weight.sum())), weights=weight)
    np.testing.assert_allclose(model.coef_[0], fit.coef, rtol=1e-12)
    np.testing.assert_allclose(model.decision_function(X), fit.predict(X, kind="link"), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("estimator", [LinearSVC(), LinearSVC(loss="hinge"), LinearSVR(epsilon=0.1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_in_tensors_out(estimator: Any, dtype: torch.dtype, rows: tuple[Any, Any, Any]) -> None:
    X, y = (torch.from_numpy(part).to(dtype) for part in rows[:2])
    target = y if isinstance(estimator, LinearSVR) else y > 0
    fitted = clone(estimator).fit(X, target)
    assert isinstance(fitted.coef_, torch.Tensor)
    assert fitted.coef_.dtype == fitted.intercept_.dtype == dtype
    scores = fitted.predict(X) if isinstance(estimator, LinearSVR) else fitted.decision_function(X)
    torch.testing.assert_close(fitted.module_(X)[:, 0], scores, rtol=1e-5, atol=1e-4)
    plain = clone(estimator).fit(X.numpy(), target.numpy())
    np.testing.assert_array_equal(fitted.coef_.numpy(), plain.coef_)
    copy = pickle.loads(pickle.dumps(fitted))
    torch.testing.assert_close(copy.predict(X), fitted.predict(X))


@pytest.mark.parametrize("form", ["csr_array", "csc_matrix"])
@pytest.mark.parametrize(
    "estimator", [LinearSVC(), LinearSVC(loss="hinge"), LinearSVC(penalty="l1"), LinearSVR(epsilon=0.1)]
)
def test_sparse_rows(estimator: Any, form: str, rng: np.random.Generator) -> None:
    X = scipy.sparse.random_array((1_500, 8), density=0.3, rng=rng)
    y = X @ np.linspace(-1.0, 1.0, 8) + 0.3 * rng.normal(size=1_500)
    target = y if isinstance(estimator, LinearSVR) else classes_of(y, 3)
    sparse = clone(estimator).fit(getattr(scipy.sparse, form)(X), target)
    dense = clone(estimator).fit(X.toarray(), target)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(sparse.intercept_, dense.intercept_, rtol=1e-7, atol=1e-9)
    scores = "decision_function" if hasattr(sparse, "classes_") else "predict"
    there, here = (getattr(sparse, scores)(part) for part in (scipy.sparse.csr_array(X), X.toarray()))
    np.testing.assert_allclose(there, here, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("estimator", "sentence"),
    [
        (LinearSVC(C=0.0), "'C' parameter of LinearSVC must be a float in the range"),
        (LinearSVC(loss="log"), "'loss' parameter of LinearSVC must be a str among"),
        (
            LinearSVC(penalty="l1", loss="hinge"),
            "The combination of penalty='l1' and loss='hinge' is not supported",
        ),
        (LinearSVC(loss="hinge", dual=False), "loss='hinge' are not supported when dual=False"),
        (LinearSVC(penalty="l1", dual=True), "loss='squared_hinge' are not supported when dual=True"),
        (LinearSVC(multi_class="crammer_singer"), r"takes multi_class='ovr'.* use LogisticRegression\."),
        (LinearSVR(epsilon=-1.0), "'epsilon' parameter of LinearSVR must be a float in the range"),
        (LinearSVR(dual=False), "loss='epsilon_insensitive' are not supported when dual=False"),
    ],
)
def test_parameters_that_are_none(estimator: Any, sentence: str, rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    with pytest.raises(ValueError, match=sentence):
        estimator.fit(X, y if isinstance(estimator, LinearSVR) else y > 0)


def test_one_class_and_too_few_iterations_are_said(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    with pytest.raises(ValueError, match=r"needs samples of at least 2 classes .* only one class: .*'a'"):
        LinearSVC().fit(X, ["a"] * 120)
    with pytest.warns(tl.ConvergenceWarning, match="LinearSVC: fit budget used"):
        LinearSVC(max_iter=1, C=1e4).fit(X * [1, 10, 100, 1], y > 0)
