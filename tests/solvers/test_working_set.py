"""Working sets: the optimum of all columns, however few were looked at; what else takes very many columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch

import torchlinear as tl
from torchlinear.solvers import proximal_newton

Array = np.ndarray[Any, Any]

MANY = 10_500  # columns, more than proximal Newton takes


def target(loss: str, X: Array, rng: np.random.Generator) -> Array:
    """Something that the first columns tell about."""
    eta = X[:, :3] @ [1.5, -1.0, 1.0]
    draws = {
        "logistic": lambda: rng.logistic(size=len(eta)) < eta,
        "poisson": lambda: rng.poisson(np.exp(0.5 * eta)),
        "softmax": lambda: np.digitize(eta + rng.logistic(size=len(eta)), [-1.0, 1.0]),
    }
    return np.asarray(draws[loss]())


@pytest.mark.parametrize("penalty", [tl.L1(0.05), tl.L1L2(0.05, 0.5), tl.L1(0.05, standardize=True)], ids=str)
@pytest.mark.parametrize("loss", ["logistic", "poisson", "softmax"])
def test_the_optimum_of_all_columns(loss: str, penalty: Any, rng: np.random.Generator) -> None:
    X = rng.normal(size=(150, 200)) + 0.5 * rng.normal(size=(150, 1))
    y = target(loss, X, rng)
    some, all_ = (
        tl.fit(X, y, loss=loss, penalty=penalty, solver=s) for s in ("working_set", "proximal_newton")
    )
    assert some.status is tl.Status.CONVERGED
    assert 0 < int((some.coef != 0).sum()) < some.coef.numel()
    torch.testing.assert_close(some.coef, all_.coef, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_more_columns_than_a_matrix_of_them_could_hold(layout: str, rng: np.random.Generator) -> None:
    """No slope is steeper than its strength, and those of coefficients that are not zero equal it."""
    alpha, n = 0.05, 150
    X = rng.normal(size=(n, MANY)) * (rng.uniform(size=(n, MANY)) < 0.2)
    y = target("logistic", X, rng)
    fit = tl.fit(
        scipy.sparse.csr_array(X) if layout == "sparse" else X, y, loss="logistic", penalty=tl.L1(alpha)
    )
    assert (
        fit.solver
        == f"working_set: L1({alpha:g}) makes coefficients exactly zero, few of 10,500 columns at a time"
    )
    assert fit.status is tl.Status.CONVERGED
    coef = fit.coef.numpy()
    slope = X.T @ (y - fit.predict(X, kind="proba")[:, 1]) / n
    assert 0 < (coef != 0).sum() < n
    np.testing.assert_allclose(slope[coef != 0], alpha * np.sign(coef[coef != 0]), rtol=1e-6)
    assert np.abs(slope).max() <= alpha * (1 + 1e-6)


def test_it_goes_without_second_derivatives_where_too_many_columns_matter(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = rng.normal(size=(150, 200))
    y = target("logistic", X, rng)
    truth = tl.fit(X, y, loss="logistic", penalty=tl.L1(0.03))
    monkeypatch.setattr(proximal_newton, "MOST_FEATURES", 5)
    fit = tl.fit(X, y, loss="logistic", penalty=tl.L1(0.03))
    assert fit.solver.startswith("working_set")
    assert int((fit.coef != 0).sum()) > 5
    torch.testing.assert_close(fit.coef, truth.coef, rtol=1e-5, atol=1e-6)


def test_the_classes_of_a_softmax_may_have_many_coefficients(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = rng.normal(size=(150, 60))
    y = target("softmax", X, rng)
    truth = tl.fit(X, y, loss="softmax", penalty=tl.L1(0.05))
    monkeypatch.setattr(proximal_newton, "MOST_COEFFICIENTS", 100)
    fit = tl.fit(X, y, loss="softmax", penalty=tl.L1(0.05))
    assert fit.solver.startswith("working_set")
    torch.testing.assert_close(fit.coef, truth.coef, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("penalty", [tl.GroupLasso(0.1), tl.L1(0.05) + tl.NonNegative()], ids=str)
def test_groups_and_bounds_of_many_columns_descend(penalty: Any, rng: np.random.Generator) -> None:
    X = rng.normal(size=(80, MANY))
    fit = tl.fit(X, target("logistic", X, rng), loss="logistic", penalty=penalty)
    assert fit.solver.startswith("fista: ")
    assert fit.status is tl.Status.CONVERGED


def test_what_it_refuses() -> None:
    X, y = np.eye(3), np.array([0, 1, 1])
    for options, words in (
        ({}, "losses that are not quadratic"),
        ({"loss": "logistic"}, "not none"),
        ({"loss": "logistic", "penalty": tl.GroupLasso()}, "not GroupLasso"),
        ({"loss": "quantile", "penalty": "l1"}, "takes smooth losses, not quantile"),
    ):
        with pytest.raises(tl.InvalidInput, match=words):
            tl.fit(X, y, solver="working_set", **options)
