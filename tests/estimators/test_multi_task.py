"""MultiTaskLasso and MultiTaskElasticNet keep scikit-learn's contract and its values."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import sklearn.linear_model as reference
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import torchlinear as tl
from torchlinear import MultiTaskElasticNet, MultiTaskLasso

Array = np.ndarray[Any, Any]

TIGHT = {"tol": 1e-14, "max_iter": 1_000_000}


@parametrize_with_checks(
    [
        MultiTaskLasso(),
        MultiTaskElasticNet(),
        MultiTaskElasticNet(fit_intercept=False, warm_start=True),
    ]
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[Array, Array]:
    X = (rng.normal(size=(80, 9)) + 0.5 * rng.normal(size=(80, 1))) * rng.uniform(0.5, 5, 9)
    X += rng.normal(size=9)
    return X, X[:, :4] @ rng.normal(size=(4, 3)) + rng.normal(size=(80, 3)) + 3


PAIRS = [
    (MultiTaskLasso(0.3), reference.MultiTaskLasso(0.3)),
    (MultiTaskLasso(0.3, fit_intercept=False), reference.MultiTaskLasso(0.3, fit_intercept=False)),
    (MultiTaskElasticNet(0.3), reference.MultiTaskElasticNet(0.3)),
    (MultiTaskElasticNet(0.3, l1_ratio=0.9), reference.MultiTaskElasticNet(0.3, l1_ratio=0.9)),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_values(
    rows: tuple[Array, Array], ours: Any, theirs: Any, targets: int, weighted: bool, sparse: bool,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    X, Y = rows[0], rows[1][:, :targets]
    weight = rng.uniform(0.1, 2, len(X)) if weighted else None
    ours = clone(ours).fit(csr_array(X) if sparse else X, Y, weight)
    theirs = clone(theirs).set_params(**TIGHT).fit(X, Y, weight)
    for name in ("coef_", "intercept_", "dual_gap_", "n_iter_", "eps_"):
        assert np.shape(getattr(ours, name)) == np.shape(getattr(theirs, name))
    # scikit-learn stops at a duality gap of 1e-14 of the targets' variance: a ten-millionth of their deviation
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=2e-6 * np.abs(theirs.coef_).max())
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=0, atol=1e-5)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(ours.sparse_coef_.toarray(), ours.coef_)
    np.testing.assert_allclose(ours.set_params(tol=1e-14).fit(X, Y, weight).eps_, theirs.eps_, rtol=1e-9)
    assert (ours.coef_ == 0).all(axis=0).sum() == (ours.coef_ == 0).any(axis=0).sum()
    assert ours.dual_gap_ <= 1e-13 * Y.var(axis=0).sum()


def test_the_gap_is_scikit_learns_definition(rows: tuple[Array, Array]) -> None:
    X, Y = rows
    model = MultiTaskElasticNet(0.3, l1_ratio=0.6).fit(X, Y)
    n, W = len(X), model.coef_
    R = Y - model.predict(X)
    about = X - X.mean(axis=0)
    slope = about.T @ R / n - 0.3 * 0.4 * W.T
    norms = np.linalg.norm(slope, axis=1)
    used = (W != 0).any(axis=0)
    np.testing.assert_allclose(norms[used], 0.3 * 0.6, rtol=1e-9)
    assert (norms[~used] <= 0.3 * 0.6 * (1 + 1e-12)).all()


def test_it_is_tl_fit_with_groups_across_targets(rows: tuple[Array, Array]) -> None:
    X, Y = rows
    fit = tl.fit(X, Y, penalty=tl.GroupLasso(0.6, mix=0.25))
    face = MultiTaskElasticNet(0.3, l1_ratio=0.25).fit(X, Y)
    np.testing.assert_allclose(face.coef_, fit.coef.numpy().T, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(face.module_(torch.from_numpy(X)).detach(), fit.predict(X), rtol=1e-9)


def test_tensors_float32_and_pickles(rows: tuple[Array, Array]) -> None:
    X, Y = (torch.from_numpy(part).float() for part in rows)
    model = MultiTaskLasso(0.1).fit(X, Y)
    assert model.coef_.dtype == model.predict(X).dtype == torch.float32
    exact = MultiTaskLasso(0.1).fit(X.double(), Y.double())
    np.testing.assert_allclose(model.coef_.numpy(), exact.coef_.numpy(), rtol=1e-5, atol=1e-6)
    assert torch.equal(pickle.loads(pickle.dumps(model)).coef_, model.coef_)


def test_warm_starts_and_parameters(rows: tuple[Array, Array]) -> None:
    X, Y = rows
    model = MultiTaskLasso(0.3, warm_start=True).fit(X, Y)
    cold = MultiTaskLasso(0.2).fit(X, Y).coef_
    np.testing.assert_allclose(model.set_params(alpha=0.2).fit(X, Y).coef_, cold, rtol=1e-9, atol=1e-12)
    with pytest.raises(tl.InvalidInput, match="For mono-task outputs, use Lasso"):
        model.fit(X, Y[:, 0])
    for bad in ({"alpha": -1.0}, {"selection": "best"}, {"max_iter": 0}):
        with pytest.raises(tl.InvalidInput, match=next(iter(bad))):
            MultiTaskLasso(**bad).fit(X, Y)


def test_more_columns_than_rows(rng: np.random.Generator) -> None:
    X = rng.normal(size=(30, 100))
    Y = X[:, :5] @ rng.normal(size=(5, 4)) + 0.1 * rng.normal(size=(30, 4))
    for ours, theirs in (
        (MultiTaskLasso(0.1), reference.MultiTaskLasso(0.1)),
        (MultiTaskElasticNet(0.1), reference.MultiTaskElasticNet(0.1)),
    ):
        truth = theirs.set_params(**TIGHT).fit(X, Y).coef_
        np.testing.assert_allclose(ours.fit(X, Y).coef_, truth, rtol=0, atol=1e-5 * np.abs(truth).max())
        assert ours.dual_gap_ < 1e-12
