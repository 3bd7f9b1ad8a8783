"""Sparse X gives the least-squares faces what the same X gives them dense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.base import clone

import torchlinear as tl
from torchlinear.estimators.base import TrainingRows

KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "csr_array": scipy.sparse.csr_array,
    "csc_matrix": scipy.sparse.csc_matrix,
    "coo_array": scipy.sparse.coo_array,
    "csr tensor": lambda X: torch.from_numpy(X).to_sparse_csr(),
    "coo tensor": lambda X: torch.from_numpy(X).to_sparse_coo(),
}
FACES = [
    tl.LinearRegression(),
    tl.Ridge(fit_intercept=False),
    tl.Ridge(positive=True),
    tl.RidgeCV(store_cv_results=True),
    tl.RidgeCV(cv=3, scoring="neg_mean_squared_error"),
    tl.RidgeClassifier(class_weight="balanced"),
    tl.RidgeClassifierCV(),
]


def rows(rng: np.random.Generator, n: int, p: int) -> np.ndarray:
    return np.where(rng.random((n, p)) < 0.3, rng.normal(size=(n, p)), 0.0)


def as_array(values: Any) -> np.ndarray:
    return values.numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("face", FACES, ids=str)
@pytest.mark.parametrize("shape", [(60, 8), (20, 40)])
def test_sparse_equals_dense(kind: str, face: Any, shape: tuple[int, int], rng: np.random.Generator) -> None:
    X, weight = rows(rng, *shape), rng.uniform(0.5, 2.0, shape[0])
    y = X[:, 0] - X[:, 1] + rng.normal(size=len(X)) + 0.5
    y = (y > 0.5).astype(int) if "Classifier" in str(face) else y
    dense, sparse = clone(face).fit(X, y, weight), clone(face).fit(KINDS[kind](X), y, weight)
    for name in ("coef_", "intercept_", "alpha_", "cv_results_"):
        if hasattr(dense, name):
            theirs = getattr(dense, name)
            np.testing.assert_allclose(as_array(getattr(sparse, name)), theirs, rtol=1e-7, atol=1e-9)
    predicted = sparse.predict(KINDS[kind](X))
    assert isinstance(predicted, torch.Tensor) == ("tensor" in kind)
    np.testing.assert_allclose(as_array(predicted), dense.predict(X), rtol=1e-7, atol=1e-9)


def test_positive_coefficients_need_dense_rows() -> None:
    with pytest.raises(TypeError, match="Sparse data was passed for X, but dense data is required"):
        tl.LinearRegression(positive=True).fit(scipy.sparse.eye_array(4), np.ones(4))


def test_float32_stays_float32(rng: np.random.Generator) -> None:
    X = scipy.sparse.csr_array(rows(rng, 50, 4).astype(np.float32))
    model = tl.RidgeCV().fit(X, np.asarray(X.sum(axis=1)))
    assert model.coef_.dtype == model.predict(X).dtype == np.float32


def test_many_columns_need_no_dense_matrix_of_them(rng: np.random.Generator) -> None:
    n, p = 40, 300_000  # X dense would be 96 MB, X'X 720 GB
    X = scipy.sparse.random_array((n, p), density=1e-4, format="csr", rng=rng)
    y = rng.normal(size=n)
    model = tl.Ridge(2.0).fit(X, y)
    assert TrainingRows(model, X, y, None).X.nnz == X.nnz
    slope = X.T @ (y - model.predict(X)) - 2.0 * model.coef_  # 0 at the optimum
    np.testing.assert_allclose(slope, 0.0, atol=1e-10)
    assert np.mean(y - model.predict(X)) == pytest.approx(0.0, abs=1e-12)


def test_what_is_not_finite_is_named(rng: np.random.Generator) -> None:
    for shape in ((30, 4), (4, 30)):
        X = rows(rng, *shape)
        X[2, 3] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            tl.Ridge().fit(scipy.sparse.csr_array(X), np.ones(shape[0]))
