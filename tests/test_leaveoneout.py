"""Rows left out by algebra equal rows left out by fits to the others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from torchlinear import leaveoneout
from torchlinear.dual import Dual
from torchlinear.engines.local import Local
from torchlinear.leaveoneout import LeaveOneOut, of_columns, of_rows
from torchlinear.losses.squared import Squared
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import TensorRows
from torchlinear.sparse import SparseRows, as_csr

ALPHAS = [1e-2, 1.0, 100.0]


def left_out(rows: TensorRows | SparseRows, intercept: bool, keep: bool = True) -> LeaveOneOut:
    if rows.X.shape[0] <= rows.X.shape[1]:
        return of_rows(Dual.of(rows, intercept=intercept), ALPHAS, keep=keep)
    loaded = Local().load(rows)
    objective = QuadraticObjective(Squared(), None, loaded, intercept=intercept, solution="minimum_norm")
    return of_columns(objective, ALPHAS, keep=keep)


def one_by_one(X: np.ndarray, y: np.ndarray, weight: np.ndarray, intercept: bool) -> np.ndarray:
    """The definition, by scikit-learn's ridge regression."""
    errors = np.empty((len(ALPHAS), *y.shape))
    for j, alpha in enumerate(ALPHAS):
        for i in range(len(X)):
            others = np.arange(len(X)) != i
            model = Ridge(alpha, fit_intercept=intercept, solver="svd")
            model.fit(X[others], y[others], weight[others])
            errors[j, i] = y[i] - model.predict(X[i : i + 1])[0]
    return errors


@pytest.mark.parametrize("shape", [(30, 6), (13, 12), (12, 12), (12, 30)])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_errors(
    shape: tuple[int, int],
    intercept: bool,
    weighted: bool,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leaveoneout, "CHUNK", 7)
    n, p = shape
    X, y = rng.normal(size=(n, p)) + 3.0, rng.normal(size=(n, 2)) + 5.0
    weight = rng.uniform(0.5, 3.0, n) if weighted else np.ones(n)
    weights = torch.from_numpy(weight) if weighted else None
    found = left_out(TensorRows(torch.from_numpy(X), torch.from_numpy(y), weights), intercept)
    truth = one_by_one(X, y, weight, intercept)
    assert found.rows == n
    np.testing.assert_allclose(found.errors, truth, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.squares, (weight[:, None] * truth**2).sum(axis=1), rtol=1e-7)


@pytest.mark.parametrize("n", [30, 9])
def test_sparse_rows(n: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaveoneout, "CHUNK", 7)
    X = torch.from_numpy(np.where(rng.random((n, 10)) < 0.4, rng.normal(size=(n, 10)), 0.0))
    y, weight = torch.from_numpy(rng.normal(size=(n, 2))), torch.from_numpy(rng.uniform(0.5, 2.0, n))
    sparse = left_out(SparseRows(as_csr(X.to_sparse_csr()), y, weight), True)
    dense = left_out(TensorRows(X, y, weight), True)
    np.testing.assert_allclose(sparse.errors, dense.errors, rtol=1e-8, atol=1e-10)


def test_dependent_columns(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 1))
    X[:, 3] = X[:, 0] - X[:, 1]
    found = left_out(TensorRows(torch.from_numpy(X), torch.from_numpy(y)), True)
    np.testing.assert_allclose(found.errors, one_by_one(X, y, np.ones(20), True), rtol=1e-7, atol=1e-9)


def test_errors_are_kept_only_when_asked_for(rng: np.random.Generator) -> None:
    for n in (4, 20):
        rows = TensorRows(
            torch.from_numpy(rng.normal(size=(n, 5))), torch.from_numpy(rng.normal(size=(n, 1)))
        )
        assert left_out(rows, True, keep=False).errors is None
        np.testing.assert_array_equal(left_out(rows, True, keep=False).squares, left_out(rows, True).squares)
