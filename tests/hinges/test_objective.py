"""Support vector machines by the words that users type, against libsvm, other losses and optimality itself."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.svm import SVC, SVR

import torchlinear as tl

LIBSVM = 2e-5  # what libsvm leaves of its coefficients' digits at C = 1 and tol=1e-10


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    X = rng.normal(size=(150, 3)) + 0.3
    return X, X @ [1.0, -1.0, 0.2] + rng.normal(size=150), rng.uniform(0.2, 2.0, size=150)


@pytest.mark.parametrize("C", [0.01, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_hinge_is_libsvms(rows: tuple[Any, Any, Any], C: float, weighted: bool) -> None:
    X, y, weight = rows
    weight = weight if weighted else np.ones(150)
    theirs = SVC(kernel="linear", C=C, tol=1e-10).fit(X, y > 0, weight)
    fit = tl.fit(X, y > 0, loss="hinge", penalty=tl.L2(1 / (C * weight.sum())), weights=weight)
    np.testing.assert_allclose(fit.coef, theirs.coef_[0], rtol=LIBSVM, atol=LIBSVM)
    assert (fit.predict(X) == theirs.predict(X)).mean() > 0.99
    assert fit.status is tl.Status.CONVERGED
    assert fit.certificate <= 1e-12
    assert fit.solver == "interior_point: hinge loss with a ridge is a quadratic programme"
    assert _cost(fit, X, np.where(y > 0, 1, -1), weight, C) <= _cost(
        theirs, X, np.where(y > 0, 1, -1), weight, C
    )


def _cost(fit: Any, X: Any, sign: Any, weight: Any, C: float) -> float:
    """C sum(w hinge) + |coef|^2 / 2, the intercept chosen by the fit; what rounding adds taken off."""
    ours = isinstance(fit, tl.Fit)
    coef, last = (fit.coef, fit.intercept) if ours else (fit.coef_, fit.intercept_)
    coef, intercept = np.ravel(coef), float(np.ravel(last)[0])
    hinges = weight @ np.maximum(0.0, 1.0 - sign * (X @ coef + intercept))
    total = float(C * hinges + coef @ coef / 2.0)
    return total * (1.0 - 1e-13) if ours else total


@pytest.mark.parametrize("C", [0.01, 1.0])
def test_epsilon_insensitive_is_libsvms(rows: tuple[Any, Any, Any], C: float) -> None:
    X, y, weight = rows
    theirs = SVR(kernel="linear", C=C, tol=1e-10, epsilon=0.3).fit(X, y, weight)
    penalty = tl.L2(1 / (C * weight.sum()))
    fit = tl.fit(X, y, loss=tl.EpsilonInsensitive(0.3), penalty=penalty, weights=weight)
    np.testing.assert_allclose(fit.coef, theirs.coef_[0], rtol=LIBSVM, atol=LIBSVM)
    assert fit.certificate <= 1e-12


def test_a_narrow_ridge_is_the_linear_programme(rows: tuple[Any, Any, Any]) -> None:
    """Of the median: with hardly any ridge the optimum is the vertex that is found without one."""
    X, y, weight = rows
    vertex = tl.fit(X, y, loss="absolute", weights=weight)
    for loss in ("absolute", tl.EpsilonInsensitive(0.0)):
        fit = tl.fit(X, y, loss=loss, penalty=tl.L2(1e-7), weights=weight)
        np.testing.assert_allclose(fit.coef, vertex.coef, rtol=1e-10)
    low = tl.fit(X, y, loss=tl.Quantile(0.2), penalty=tl.L2(1e-7))
    np.testing.assert_allclose(low.coef, tl.fit(X, y, loss=tl.Quantile(0.2)).coef, rtol=1e-10)


@pytest.mark.parametrize("loss", ["hinge", tl.EpsilonInsensitive(0.5), "quantile"])
@pytest.mark.parametrize("intercept", [True, False])
def test_slopes_at_the_optimum_have_0_among_them(
    loss: Any, intercept: bool, rows: tuple[Any, Any, Any], rng: np.random.Generator
) -> None:
    """No step in any direction lowers the objective, with offsets, weights and columns that are not penalised."""
    X, y, weight = rows
    target = y > 0 if loss == "hinge" else y
    offset, penalty = rng.normal(size=150), tl.L2(0.05, column_weights=[1.0, 0.0, 3.0])
    fit = tl.fit(X, target, loss=loss, penalty=penalty, weights=weight, offset=offset, intercept=intercept)
    family = fit.solution.family
    assert family is not None
    y_ = torch.as_tensor(target, dtype=torch.float64)[:, None]

    def value(coef: torch.Tensor) -> float:
        eta = torch.from_numpy(X) @ coef[:-1] + coef[-1] + torch.from_numpy(offset)[:, None]
        loss_ = torch.from_numpy(weight / weight.sum()) @ family.value(eta, y_)
        return float(loss_ + penalty.value(coef[:-1]))

    least = value(fit.solution.coef)
    assert fit.history.loss[-1].item() == pytest.approx(least, rel=1e-13)
    for _ in range(200):
        step = torch.from_numpy(rng.normal(size=(4, 1))) * 10.0 ** rng.uniform(-7, 0)
        step[-1] *= intercept
        assert value(fit.solution.coef + step) >= least * (1 - 1e-14)
    assert bool((fit.solution.coef[-1] != 0).all()) is intercept


def test_bounds_and_other_penalties_are_refused(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    with pytest.raises(tl.InvalidInput, match=r"hinge loss takes no bounds, got .*; use penalty='l2'"):
        tl.fit(X, y > 0, loss="hinge", penalty=tl.L2(0.1) + tl.NonNegative())
    for penalty in (None, tl.L1(0.1), tl.L2(0.0)):
        with pytest.raises(
            tl.InvalidInput, match=r"hinge loss with .* has no unique optimum; use penalty=tl\.L2"
        ):
            tl.fit(X, y > 0, loss="hinge", penalty=penalty)


def test_an_elastic_net_makes_zeros(rows: tuple[Any, Any, Any], rng: np.random.Generator) -> None:
    X, y, _ = rows
    X = np.hstack([X, rng.normal(size=(150, 4))])
    fit = tl.fit(X, y > 0, loss="hinge", penalty=tl.L1L2(0.15, 0.8))
    zero = fit.coef == 0
    assert 1 <= zero.sum() <= 5
    assert not zero[:2].any()
    assert fit.certificate <= 1e-12
    rest = tl.fit(X[:, ~zero.numpy()], y > 0, loss="hinge", penalty=tl.L1L2(0.15, 0.8))
    np.testing.assert_allclose(fit.coef[~zero], rest.coef, rtol=1e-10)


def test_labels_of_any_kind_and_proportions(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    fit = tl.fit(X, np.where(y > 0, "yes", "no"), loss="hinge", penalty="l2")
    assert fit.classes == ("no", "yes")
    assert fit.equation.startswith("decision(y=yes) = ")
    share = (y > 0) * 0.75 + 0.125  # 7 of 8 rows one way, 1 the other
    both = np.concatenate([y > 0, y <= 0])
    split = tl.fit(
        np.vstack([X, X]), both, loss="hinge", penalty="l2", weights=np.repeat([0.875, 0.125], 150)
    )
    np.testing.assert_allclose(tl.fit(X, share, loss="hinge", penalty="l2").coef, split.coef, rtol=1e-9)
    for kind in ("proba", "mean"):
        with pytest.raises(
            tl.InvalidInput, match="takes a model of probabilities, but hinge loss tells classes"
        ):
            fit.predict(X, kind=kind)


def test_several_targets_are_several_fits(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    both = tl.fit(X, np.column_stack([y, -2.0 * y]), loss="epsilon_insensitive", penalty=tl.L2(0.01))
    for j, target in enumerate((y, -2.0 * y)):
        alone = tl.fit(X, target, loss="epsilon_insensitive", penalty=tl.L2(0.01))
        np.testing.assert_allclose(both.coef[:, j], alone.coef, rtol=1e-11)
    assert both.certificate <= 1e-12


def test_squared_hinge_is_newtons_and_names_what_separates(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    fit = tl.fit(X, y > 0, loss="squared_hinge")
    assert fit.status is tl.Status.CONVERGED
    assert fit.solver.startswith("newton")
    assert fit.certificate <= 1e-13
    assert len(fit.history) <= 8
    with pytest.warns(
        tl.ConvergenceWarning, match=r"separated: .* no coefficients are the best .* It is: x1\."
    ):
        apart = tl.fit(X, np.where(X[:, 1] > 0.3, "a", "b"), loss="squared_hinge")
    assert apart.status is tl.Status.SEPARATED
    assert tl.fit(X, X[:, 1] > 0.3, loss="squared_hinge", penalty="l2").status is tl.Status.CONVERGED


def test_sparse_rows_never_become_dense(rng: np.random.Generator) -> None:
    n, p = 400, 200_000
    X = scipy.sparse.random_array((n, p), density=2e-4, rng=rng, format="csr")
    y = np.asarray(X @ rng.normal(size=p)) > 0
    tracemalloc.start()
    fit = tl.fit(X, y, loss="hinge", penalty=tl.L2(1e-3))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 0.1 * n * p * 8
    assert fit.certificate <= 1e-12
    few = scipy.sparse.random_array((2_000, 30), density=0.1, rng=rng, format="csr")
    labels = np.asarray(few @ rng.normal(size=30)) + 0.3 * rng.normal(size=2_000) > 0
    found, dense = (tl.fit(part, labels, loss="hinge", penalty=tl.L2(1e-3)) for part in (few, few.toarray()))
    np.testing.assert_allclose(found.coef, dense.coef, rtol=1e-8, atol=1e-10)
