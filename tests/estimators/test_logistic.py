"""Logistic regression keeps scikit-learn's contract and its values."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn.linear_model as reference
import torch
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from torchlinear import ConvergenceWarning, InvalidInput, LogisticRegression, LogisticRegressionCV

QUIET: dict[str, Any] = {"l1_ratios": (0,), "scoring": "neg_log_loss", "use_legacy_attributes": False}
X, Y = load_iris(return_X_y=True)
TWO = Y > 0


@parametrize_with_checks(
    [
        LogisticRegression(),
        LogisticRegression(l1_ratio=1.0, solver="saga"),
        LogisticRegressionCV(Cs=3, cv=3, **QUIET),
    ]
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("labels", [Y, TWO], ids=["three classes", "two classes"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"C": 0.1, "class_weight": "balanced"},
        {"fit_intercept": False},
        {"C": 0.5, "l1_ratio": 1.0, "solver": "saga"},
        {"C": 0.5, "l1_ratio": 0.5, "solver": "saga"},
    ],
    ids=str,
)
def test_values(options: dict[str, Any], labels: Any, rng: np.random.Generator) -> None:
    weight = rng.uniform(0.5, 2.0, len(X))
    standard = (X - X.mean(axis=0)) / X.std(axis=0)  # scikit-learn's saga needs it
    ours = LogisticRegression(**options).fit(standard, labels, weight)
    theirs = reference.LogisticRegression(**options, tol=1e-10, max_iter=50_000).fit(standard, labels, weight)
    assert ours.coef_.shape == theirs.coef_.shape
    assert ours.intercept_.shape == theirs.intercept_.shape
    np.testing.assert_allclose(ours.predict_proba(standard), theirs.predict_proba(standard), atol=2e-6)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=2e-5)
    assert (ours.predict(standard) == theirs.predict(standard)).all()


def test_the_optimum_whatever_the_units_and_the_layout() -> None:
    units = np.array([1e-4, 1.0, 1e5, 10.0])
    plain, scaled = (LogisticRegression(C=np.inf).fit(part, Y > 1) for part in (X, X * units))
    np.testing.assert_allclose(scaled.coef_ * units, plain.coef_, rtol=1e-7)
    sparse = LogisticRegression().fit(scipy.sparse.csr_array(X), Y)
    np.testing.assert_allclose(sparse.coef_, LogisticRegression().fit(X, Y).coef_, rtol=1e-8)


def test_the_intercept_is_never_penalised() -> None:
    for solver in ("lbfgs", "liblinear"):
        fit = LogisticRegression(C=1e-9, solver=solver).fit(X, TWO)
        assert np.abs(fit.coef_).max() < 1e-6
        assert fit.predict_proba(X)[0, 1] == pytest.approx(2.0 / 3.0, rel=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", ["complete", "quasi-complete"])
def test_separated_classes_are_no_convergence(classes: int, kind: str, rng: np.random.Generator) -> None:
    frame = pd.DataFrame(rng.normal(size=(150, 3)), columns=["age", "dose", "weight"])
    frame["dose"] = np.arange(150) % classes
    y = frame["dose"].to_numpy() == 1 if classes == 2 else frame["dose"].to_numpy().copy()
    if kind != "complete":
        y[::classes] = rng.integers(0, 2, size=len(y[::classes]))
    with pytest.warns(ConvergenceWarning, match=r"LogisticRegression: the classes can be told .*dose\.$"):
        LogisticRegression(C=np.inf).fit(frame, y)
    LogisticRegression(C=1e3).fit(frame, y)  # a ridge, and no warning


def test_tensors_and_single_precision_stay_what_they_are() -> None:
    fit = LogisticRegression().fit(torch.from_numpy(X).float(), torch.from_numpy(Y))
    assert fit.coef_.dtype == fit.predict_proba(torch.from_numpy(X).float()).dtype == torch.float32
    assert isinstance(fit.predict(torch.from_numpy(X).float()), torch.Tensor)
    scores = fit.module_(torch.from_numpy(X).float())
    assert (scores.argmax(dim=1).numpy() == fit.predict(X)).all()


def test_it_pickles_and_searches() -> None:
    fit = pickle.loads(pickle.dumps(LogisticRegression().fit(X, Y)))
    assert fit.score(X, Y) > 0.95
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3, n_jobs=2).fit(X, Y)
    assert search.best_score_ > 0.9


def test_a_warm_start_begins_where_the_last_fit_ended() -> None:
    fit = LogisticRegression(warm_start=True).fit(X, TWO)
    first = fit.n_iter_[0]
    assert fit.fit(X, TWO).n_iter_[0] <= first


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"l1_ratio": 1.0}, "supports only 'l2' or None"),
        ({"l1_ratio": 0.5, "solver": "liblinear"}, "Only 'saga' solver supports elasticnet"),
        ({"dual": True}, "supports only dual=False"),
        ({"C": -1.0}, "'C' parameter"),
        ({"C": np.inf, "solver": "liblinear"}, "not supported for the liblinear solver"),
    ],
)
def test_what_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        LogisticRegression(**options).fit(X, TWO)


def test_one_class_is_refused() -> None:
    with pytest.raises(InvalidInput, match="only one class"):
        LogisticRegression().fit(X, np.zeros(len(X)))


@pytest.mark.parametrize("labels", [Y, TWO], ids=["three classes", "two classes"])
@pytest.mark.parametrize("legacy", [False, True])
def test_cross_validation_finds_what_scikit_learn_does(labels: Any, legacy: bool) -> None:
    options = {**QUIET, "Cs": 3, "cv": 3, "use_legacy_attributes": legacy}
    ours = LogisticRegressionCV(**options).fit(X, labels)
    theirs = reference.LogisticRegressionCV(**options, tol=1e-8, max_iter=10_000).fit(X, labels)
    np.testing.assert_array_equal(ours.C_, theirs.C_)
    for name in ("scores_", "coefs_paths_"):
        a, b = (
            np.stack(list(value.values())) if isinstance(value, dict) else value
            for value in (getattr(ours, name), getattr(theirs, name))
        )
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-2 if name == "coefs_paths_" else 1e-5)
    assert ours.n_iter_.shape == theirs.n_iter_.shape
    C = float(np.ravel(ours.C_)[0])
    ours_, theirs_ = (
        C * log_loss(labels, fit.predict_proba(X)) * len(X) + norm(fit) for fit in (ours, theirs)
    )
    assert ours_ <= theirs_ * (1 + 1e-9)
    assert theirs_ == pytest.approx(ours_, rel=1e-4)


def test_a_penalty_that_is_named_has_its_own_share_of_l1() -> None:
    options: dict[str, Any] = {**QUIET, "penalty": "l2", "l1_ratios": [0.5, 1.0], "Cs": [0.05], "cv": 3}
    with pytest.warns(match="'penalty' was deprecated|l1_ratios parameter is only used"):
        ours = LogisticRegressionCV(**options).fit(X, TWO)
    theirs = reference.LogisticRegression(C=0.05, tol=1e-10).fit(X, TWO)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4, atol=1e-6)


def test_strengths_are_above_0() -> None:
    with pytest.raises(InvalidInput, match=r"Cs=\[0, 1.0\]: expected numbers above 0"):
        LogisticRegressionCV(Cs=[0, 1.0], **QUIET).fit(X, TWO)


def norm(fit: Any) -> float:
    return float(0.5 * np.square(fit.coef_).sum())
