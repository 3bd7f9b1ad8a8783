"""Lasso and ElasticNet keep scikit-learn's contract and its values."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import sklearn.linear_model as reference
import torch
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import torchlinear as tl
from torchlinear import ElasticNet, Lasso

Array = np.ndarray[Any, Any]

TIGHT = {"tol": 1e-14, "max_iter": 1_000_000}


@parametrize_with_checks(
    [
        Lasso(),
        Lasso(fit_intercept=False, positive=True),
        ElasticNet(),
        ElasticNet(fit_intercept=False, warm_start=True),
        ElasticNet(positive=True),
    ]
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[Array, Array]:
    X = (rng.normal(size=(80, 9)) + 0.5 * rng.normal(size=(80, 1))) * rng.uniform(0.5, 5, 9) + rng.normal(
        size=9
    )
    return X, X[:, :4] @ rng.normal(size=(4, 3)) + rng.normal(size=(80, 3)) + 3


PAIRS = [
    (Lasso(0.3), reference.Lasso(0.3)),
    (Lasso(0.1, fit_intercept=False), reference.Lasso(0.1, fit_intercept=False)),
    (Lasso(0.3, positive=True), reference.Lasso(0.3, positive=True)),
    (ElasticNet(0.3), reference.ElasticNet(0.3)),
    (ElasticNet(0.3, l1_ratio=0.9, positive=True), reference.ElasticNet(0.3, l1_ratio=0.9, positive=True)),
    (ElasticNet(0.3, l1_ratio=0.0), reference.ElasticNet(0.3, l1_ratio=0.0)),
]


@pytest.mark.filterwarnings(
    "ignore:.*l1_reg=0.*:UserWarning", "ignore::sklearn.exceptions.ConvergenceWarning"
)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("targets", [None, 1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_values(
    rows: tuple[Array, Array], ours: Any, theirs: Any, targets: int | None, weighted: bool,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    X, Y = rows
    y = Y[:, 0] if targets is None else Y[:, :targets]
    weight = rng.uniform(0.1, 2, len(X)) if weighted else None
    ours, theirs = clone(ours).fit(X, y, weight), clone(theirs).set_params(**TIGHT).fit(X, y, weight)
    for name in ("coef_", "intercept_", "dual_gap_", "n_iter_"):
        assert np.shape(getattr(ours, name)) == np.shape(getattr(theirs, name)) or name == "intercept_"
    # scikit-learn stops at a duality gap of 1e-14 of the target's variance: a ten-millionth of its deviation
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=2e-6 * np.abs(theirs.coef_).max())
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=0, atol=1e-5)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5, atol=1e-5)
    assert issparse(ours.sparse_coef_)
    np.testing.assert_array_equal(ours.sparse_coef_.toarray(), np.atleast_2d(ours.coef_))
    assert np.all(np.asarray(ours.dual_gap_) <= 1e-13 * y.var())
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-6)


def test_it_is_tl_fit(rows: tuple[Array, Array]) -> None:
    X, y = rows[0], rows[1][:, 0]
    fit = tl.fit(X, y, penalty=tl.L1L2(0.6, 0.25))
    face = ElasticNet(0.3, l1_ratio=0.25).fit(X, y)
    np.testing.assert_allclose(face.coef_, fit.coef.numpy(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(face.module_(torch.from_numpy(X)).detach()[:, 0], fit.predict(X), rtol=1e-10)


def test_tensors_and_float32(rows: tuple[Array, Array]) -> None:
    X, y = torch.from_numpy(rows[0]).float(), torch.from_numpy(rows[1][:, 0]).float()
    model = Lasso(0.1).fit(X, y)
    assert isinstance(model.coef_, torch.Tensor)
    assert model.coef_.dtype == model.predict(X).dtype == torch.float32
    exact = Lasso(0.1).fit(X.numpy().astype(np.float64), y.numpy().astype(np.float64))
    np.testing.assert_allclose(model.coef_.numpy(), exact.coef_, rtol=1e-6, atol=1e-7)
    assert model.sparse_coef_.shape == (1, 9)


def test_warm_starts_and_parameters(rows: tuple[Array, Array]) -> None:
    X, y = rows[0], rows[1][:, 0]
    model = Lasso(0.3, warm_start=True).fit(X, y)
    cold = Lasso(0.2).fit(X, y).coef_
    np.testing.assert_allclose(model.set_params(alpha=0.2).fit(X, y).coef_, cold, rtol=1e-10, atol=1e-13)
    np.testing.assert_array_equal(model.fit(X[:, :5], y).coef_ == 0, Lasso(0.2).fit(X[:, :5], y).coef_ == 0)
    assert (pickle.loads(pickle.dumps(model)).coef_ == model.coef_).all()
    np.testing.assert_array_equal(Lasso(0.3, precompute=X.T @ X).fit(X, y).coef_, Lasso(0.3).fit(X, y).coef_)
    for bad in ({"alpha": -1.0}, {"precompute": np.eye(3)}, {"selection": "best"}, {"positive": "yes"}):
        with pytest.raises(tl.InvalidInput, match=next(iter(bad))):
            Lasso(**bad).fit(X, y)


def test_more_columns_than_rows(rng: np.random.Generator) -> None:
    X = rng.normal(size=(30, 100))
    y = X[:, :5] @ rng.normal(size=5) + 0.1 * rng.normal(size=30)
    for ours, theirs in (
        (Lasso(0.05), reference.Lasso(0.05)),
        (ElasticNet(0.05), reference.ElasticNet(0.05)),
    ):
        truth = theirs.set_params(**TIGHT).fit(X, y).coef_
        np.testing.assert_allclose(ours.fit(X, y).coef_, truth, rtol=0, atol=1e-5 * np.abs(truth).max())
        assert ours.dual_gap_ < 1e-13
