"""QuantileRegressor and HuberRegressor keep scikit-learn's contract and its values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn.linear_model as reference
import torch
from sklearn.base import clone
from sklearn.linear_model._huber import _huber_loss_and_gradient
from sklearn.utils.estimator_checks import parametrize_with_checks

import torchlinear as tl
from torchlinear import HuberRegressor, QuantileRegressor


@parametrize_with_checks(
    [
        QuantileRegressor(),
        QuantileRegressor(alpha=0.0),
        QuantileRegressor(quantile=0.9, fit_intercept=False),
        HuberRegressor(),
        HuberRegressor(fit_intercept=False),
        HuberRegressor(alpha=0.0, epsilon=2.0),
    ]
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    X = rng.normal(size=(120, 5)) * [1.0, 10.0, 0.1, 1.0, 1.0] + [0.0, 5.0, 0.0, 1.0, 0.0]
    y = X @ [1.0, 0.2, 3.0, 0.0, -1.0] + rng.standard_t(3, size=120) + 4.0
    return X, y, rng.integers(0, 4, size=120)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(("quantile", "alpha"), [(0.5, 0.0), (0.2, 0.01), (0.9, 0.1), (0.5, 1e3)])
def test_values_of_quantile(
    rows: tuple[Any, Any, Any], quantile: float, alpha: float, intercept: bool, weighted: bool
) -> None:
    X, y, weight = rows
    given = weight if weighted else None
    options = {"quantile": quantile, "alpha": alpha, "fit_intercept": intercept}
    ours = QuantileRegressor(**options).fit(X, y, given)
    theirs = reference.QuantileRegressor(**options).fit(X, y, given)

    def value(model: Any) -> float:
        r = y - model.predict(X)
        loss = np.average(np.where(r > 0, quantile * r, (quantile - 1.0) * r), weights=given)
        return float(loss + alpha * np.abs(model.coef_).sum())

    assert value(ours) <= value(theirs) * (1 + 1e-12)
    assert value(theirs) == pytest.approx(value(ours), rel=1e-8)
    assert ours.coef_.shape == theirs.coef_.shape
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(("epsilon", "alpha"), [(1.35, 1e-4), (1.1, 10.0), (1e3, 0.0)])
def test_values_of_huber(
    rows: tuple[Any, Any, Any], epsilon: float, alpha: float, intercept: bool, weighted: bool
) -> None:
    X, y, weight = rows
    given = weight if weighted else np.ones(len(y))
    options = {"epsilon": epsilon, "alpha": alpha, "fit_intercept": intercept}
    ours = HuberRegressor(**options).fit(X, y, given)
    theirs = reference.HuberRegressor(**options, max_iter=20_000, tol=1e-10).fit(X, y, given)

    def value(model: Any) -> float:
        parameters = [*model.coef_, *([model.intercept_] if intercept else []), model.scale_]
        return float(_huber_loss_and_gradient(np.array(parameters), X, y, epsilon, alpha, given)[0])

    assert value(ours) <= value(theirs) * (1 + 1e-13)
    # L-BFGS ends where a difference of two values is rounding: about half of the digits are left.
    assert value(theirs) == pytest.approx(value(ours), rel=1e-4)
    assert ours.scale_ == pytest.approx(theirs.scale_, rel=1e-2)
    assert ours.coef_.shape == theirs.coef_.shape
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)
    doubtful = np.abs(np.abs(y - ours.predict(X)) - epsilon * ours.scale_) < 0.1
    assert (ours.outliers_ == theirs.outliers_)[~doubtful].all()


def test_the_same_fits_by_words(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    fit = tl.fit(X, y, loss=tl.Quantile(0.3), penalty=tl.L1(0.02))
    np.testing.assert_array_equal(QuantileRegressor(quantile=0.3, alpha=0.02).fit(X, y).coef_, fit.coef)
    fit = tl.fit(X, y, loss=tl.Huber(1.35, scale="concomitant"))
    np.testing.assert_allclose(HuberRegressor(alpha=0.0).fit(X, y).coef_, fit.coef, rtol=1e-8)


@pytest.mark.parametrize("estimator", [QuantileRegressor(alpha=0.01), HuberRegressor()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_in_tensors_out(estimator: Any, dtype: torch.dtype, rows: tuple[Any, Any, Any]) -> None:
    X, y = (torch.from_numpy(part).to(dtype) for part in rows[:2])
    fitted = clone(estimator).fit(X, y)
    assert isinstance(fitted.coef_, torch.Tensor)
    assert fitted.coef_.dtype == fitted.intercept_.dtype == dtype
    prediction = fitted.predict(X)
    torch.testing.assert_close(fitted.module_(X)[:, 0], prediction, rtol=1e-5, atol=1e-4)
    plain = clone(estimator).fit(X.numpy(), y.numpy())
    np.testing.assert_array_equal(fitted.coef_.numpy(), plain.coef_)
    if hasattr(fitted, "outliers_"):
        assert isinstance(fitted.outliers_, torch.Tensor)
        np.testing.assert_array_equal(fitted.outliers_.numpy(), plain.outliers_)


def test_a_warm_start_goes_on_where_the_last_fit_ended(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    model = HuberRegressor(warm_start=True).fit(X, y)
    cold = model.n_iter_
    assert cold > 1
    before = model.coef_.copy()
    assert model.fit(X, y).n_iter_ == 0
    np.testing.assert_array_equal(model.coef_, before)
    assert model.fit(X, y + 0.01).n_iter_ <= cold


def test_too_few_steps_are_said(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    with pytest.warns(
        tl.ConvergenceWarning, match=r"used max_iter=1 steps and its slope is still .*; raise max_iter"
    ):
        assert HuberRegressor(max_iter=1).fit(X, y).n_iter_ == 1


@pytest.mark.parametrize(
    ("estimator", "sentence"),
    [
        (
            QuantileRegressor(quantile=1.0),
            "'quantile' parameter of QuantileRegressor must be a float in the range",
        ),
        (QuantileRegressor(alpha=-1.0), "'alpha' parameter of QuantileRegressor"),
        (QuantileRegressor(solver="simplex"), "'solver' parameter of QuantileRegressor must be a str among"),
        (HuberRegressor(epsilon=0.9), "'epsilon' parameter of HuberRegressor must be a float in the range"),
        (HuberRegressor(alpha=-1.0), "'alpha' parameter of HuberRegressor"),
    ],
)
def test_parameters_that_are_none(estimator: Any, sentence: str, rows: tuple[Any, Any, Any]) -> None:
    with pytest.raises(ValueError, match=sentence):
        estimator.fit(*rows[:2])


@pytest.mark.parametrize("form", ["csr_array", "csc_matrix", "coo_array"])
@pytest.mark.parametrize(
    "estimator",
    [QuantileRegressor(alpha=0.0), QuantileRegressor(alpha=0.01, fit_intercept=False), HuberRegressor()],
)
def test_sparse_rows(estimator: Any, form: str, rng: np.random.Generator) -> None:
    X = scipy.sparse.random_array((6_000, 8), density=0.3, rng=rng)
    y = X @ np.linspace(-1.0, 1.0, 8) + rng.standard_t(2, size=6_000) + 3.0
    sparse = clone(estimator).fit(getattr(scipy.sparse, form)(X), y)
    dense = clone(estimator).fit(X.toarray(), y)
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(sparse.intercept_, dense.intercept_, rtol=1e-9)
    np.testing.assert_allclose(
        sparse.predict(scipy.sparse.csr_array(X)), dense.predict(X.toarray()), rtol=1e-9
    )
