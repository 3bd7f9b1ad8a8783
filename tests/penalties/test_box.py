"""Bounds: against SciPy's NNLS, bounded least squares and L-BFGS-B, and the conditions of an optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import torch

import torchlinear as tl

Array = np.ndarray[Any, Any]

INF = np.inf
# Slope left at an optimum, times norms of column and residual: 1e-15 is a few roundings; conditions below 1e4 cost
# what refinement brings back.
SLOPE = 1e-12


@dataclass
class Rows:
    """Random rows: correlated columns in different units, away from zero; weights."""

    X: Array
    y: Array
    w: Array

    @classmethod
    def of(cls, rng: np.random.Generator, n: int = 100, p: int = 7) -> Rows:
        units = 10.0 ** rng.uniform(-2, 2, size=p)
        X = (rng.normal(size=(n, p)) + rng.normal(size=(n, 1))) * units + 3.0
        y = X @ (rng.normal(size=p) / units) + rng.normal(size=n) + 5.0
        return cls(X, y, rng.gamma(2.0, size=n))

    @property
    def units(self) -> Array:
        return np.asarray(self.X.std(axis=0))


def bounds_of(rng: np.random.Generator, rows: Rows) -> tuple[Array, Array]:
    """Of each kind of bound some: none, one, both, not around zero, and a coefficient that is given."""
    p = rows.X.shape[1]
    low, high = np.sort(rng.normal(size=(2, p)), axis=0) / rows.units
    low[:2], high[1:3], high[-1] = -INF, INF, low[-1]
    return low, high


def left(rows: Rows, coef: Array, intercept: float | None, lasso: Array, ridge: Array, box: Any) -> Array:
    """Smallest subgradient of the objective in standardised units, shape (p,), which is zero at the optimum."""
    share = rows.w / rows.w.sum()
    r = rows.y - rows.X @ coef - (intercept or 0.0)
    centre = share @ rows.X if intercept is not None else 0.0
    slope = -2.0 * (rows.X - centre).T @ (share * r) + ridge * coef
    low = slope + np.where(coef > 0, lasso, -lasso)
    high = slope + np.where(coef < 0, -lasso, lasso)
    low, high = np.where(coef == box[0], -INF, low), np.where(coef == box[1], INF, high)
    about = rows.X - centre
    size = np.sqrt((share @ about**2) * (share @ (rows.y - share @ rows.y) ** 2))
    return np.asarray(np.clip(0.0, low, high) / size)


@pytest.mark.parametrize("intercept", [True, False])
def test_non_negative_least_squares_is_scipys(rng: np.random.Generator, intercept: bool) -> None:
    rows = Rows.of(rng)
    X, y = (part - part.mean(axis=0) if intercept else part for part in (rows.X, rows.y))
    fit = tl.fit(rows.X, rows.y, penalty="nonnegative", intercept=intercept)
    exact, _ = scipy.optimize.nnls(X / rows.units, y)
    assert fit.status is tl.Status.CONVERGED
    np.testing.assert_allclose(fit.coef.numpy() * rows.units, exact, rtol=1e-9, atol=1e-9)
    assert ((fit.coef.numpy() == 0.0) == (exact == 0.0)).all()
    assert (fit.coef >= 0).all()
    assert fit.certificate < 1e-14


def test_bounded_least_squares_is_scipys(rng: np.random.Generator) -> None:
    rows = Rows.of(rng)
    low, high = bounds_of(rng, rows)
    fit = tl.fit(rows.X, rows.y, penalty=tl.Box(low, high), intercept=False)
    wide = np.where(low == high, high + 1e-9 / rows.units, high)  # SciPy refuses a coefficient that is given
    truth = scipy.optimize.lsq_linear(
        rows.X / rows.units, rows.y, (low * rows.units, wide * rows.units), method="bvls", tol=1e-14
    )
    np.testing.assert_allclose(fit.coef.numpy() * rows.units, truth.x, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("precision", ["auto", "double"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(
    "penalty", [None, tl.L1(0.2), tl.L2(0.2), tl.L1L2(0.3, 0.5), tl.L1(0.1, standardize=True)]
)
def test_the_conditions_of_an_optimum(
    rng: np.random.Generator, penalty: Any, intercept: bool, precision: str
) -> None:
    rows = Rows.of(rng)
    low, high = bounds_of(rng, rows)
    box = tl.Box(low, high)
    summed = box if penalty is None else penalty + box
    fit = tl.fit(rows.X, rows.y, penalty=summed, weights=rows.w, intercept=intercept, precision=precision)
    coef = fit.coef.numpy()
    assert ((low <= coef) & (coef <= high)).all()
    lasso, ridge = np.zeros(7), np.zeros(7)
    if penalty is not None:
        share = rows.w / rows.w.sum()
        deviation = torch.from_numpy(np.sqrt(share @ (rows.X - share @ rows.X) ** 2))
        lasso, ridge = (
            part(7).numpy() for part in (penalty.in_units(deviation).lasso, penalty.in_units(deviation).ridge)
        )
    slopes = left(rows, coef, float(fit.intercept) if intercept else None, lasso, ridge, (low, high))
    assert np.abs(slopes).max() < SLOPE
    assert fit.certificate < 1e-13
    assert coef[-1] == low[-1]


def test_each_target_is_a_fit_of_its_own(rng: np.random.Generator) -> None:
    rows = Rows.of(rng)
    Y = np.column_stack([rows.y, -rows.y, rng.normal(size=len(rows.y))])
    together = tl.fit(rows.X, Y, penalty=tl.NonNegative())
    for j, y in enumerate(Y.T):
        alone = tl.fit(rows.X, y, penalty=tl.NonNegative())
        torch.testing.assert_close(together.coef[:, j], alone.coef, rtol=1e-11, atol=1e-13)


def test_bounds_that_do_not_bind_change_nothing(rng: np.random.Generator) -> None:
    rows = Rows.of(rng)
    free = tl.fit(rows.X, rows.y)
    held = tl.fit(rows.X, rows.y, penalty=tl.Box(free.coef - 1e3, free.coef + 1e3))
    torch.testing.assert_close(held.coef, free.coef, rtol=1e-11, atol=0)
    assert held.certificate < 1e-13


def test_more_columns_than_rows(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(20, 60)), rng.normal(size=20)
    fit = tl.fit(X, y, penalty=tl.NonNegative(), intercept=False)
    _, residual = scipy.optimize.nnls(X, y)
    assert np.linalg.norm(y - X @ fit.coef.numpy()) == pytest.approx(residual, rel=1e-9, abs=1e-9)
    boxed = tl.fit(X, y, penalty=tl.Box(-0.05, 0.05), intercept=False)
    truth = scipy.optimize.lsq_linear(X, y, (-0.05, 0.05), method="bvls", tol=1e-14)
    assert np.square(y - X @ boxed.coef.numpy()).sum() / 2 == pytest.approx(truth.cost, rel=1e-9, abs=1e-12)
    assert boxed.certificate < 1e-10


def test_a_wide_matrix_is_walked_like_scikit_learns_positive_lasso(rng: np.random.Generator) -> None:
    from sklearn.linear_model import Lasso

    X = rng.normal(size=(50, 1_200))
    y = X[:, :5] @ [1.0, 2.0, 3.0, -4.0, 5.0] + 0.1 * rng.normal(size=50)
    fit = tl.fit(X, y, penalty=tl.L1(0.4) + tl.NonNegative())
    truth = Lasso(alpha=0.2, positive=True, tol=1e-12, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(fit.coef, truth.coef_, rtol=1e-6, atol=1e-7)
    assert "few columns at a time" in fit.solver


TARGETS = {
    "logistic": lambda eta, rng: (rng.uniform(size=len(eta)) < 1 / (1 + np.exp(-eta))).astype(float),
    "poisson": lambda eta, rng: rng.poisson(np.exp(np.clip(eta, -3, 3))).astype(float),
}
VALUES = {
    "logistic": lambda eta, y: np.logaddexp(0.0, eta) - y * eta,
    "poisson": lambda eta, y: np.exp(eta) - y * eta,
}
SLOPES = {"logistic": lambda eta, y: 1 / (1 + np.exp(-eta)) - y, "poisson": lambda eta, y: np.exp(eta) - y}


@pytest.mark.parametrize("loss", TARGETS)
@pytest.mark.parametrize("penalty", [None, tl.L2(0.1), tl.L1(0.02)])
def test_other_losses_end_where_l_bfgs_b_does(rng: np.random.Generator, loss: str, penalty: Any) -> None:
    rows = Rows.of(rng, n=200, p=4)
    Z = (rows.X - rows.X.mean(axis=0)) / rows.units
    y = TARGETS[loss](Z @ rng.normal(size=4) * 0.5, rng)
    low, high = bounds_of(rng, Rows(Z, y, rows.w))
    box = tl.Box(low / rows.units, high / rows.units)
    scaled = None if penalty is None else type(penalty)(penalty.alpha, standardize=True)
    fit = tl.fit(rows.X, y, loss=loss, penalty=box if scaled is None else scaled + box)
    assert fit.status is tl.Status.CONVERGED
    coef = fit.coef.numpy() * rows.units
    lasso, ridge = (0.0, 0.0) if penalty is None else penalty.shares()
    start = float(fit.intercept) + fit.coef.numpy() @ rows.X.mean(axis=0)

    def total(at: Array) -> float:
        eta = Z @ at[:4] + at[4]
        return float(
            VALUES[loss](eta, y).mean() + lasso * np.abs(at[:4]).sum() + ridge / 2 * np.square(at[:4]).sum()
        )

    slope = Z.T @ SLOPES[loss](Z @ coef + start, y) / len(y) + ridge * coef
    at_low, at_high = fit.coef.numpy() == box.low, fit.coef.numpy() == box.high
    least = np.where(at_low, -INF, slope + np.where(coef > 0, lasso, -lasso))
    most = np.where(at_high, INF, slope + np.where(coef < 0, -lasso, lasso))
    assert np.abs(np.clip(0.0, least, most)).max() < 1e-7
    assert abs(SLOPES[loss](Z @ coef + start, y).mean()) < 1e-7
    assert coef[-1] == pytest.approx(low[-1], rel=1e-15)
    if lasso == 0.0:  # L-BFGS-B needs slopes

        def both(at: Array) -> tuple[float, Array]:
            r = SLOPES[loss](Z @ at[:4] + at[4], y) / len(y)
            return total(at), np.append(Z.T @ r + ridge * at[:4], r.sum())

        truth = scipy.optimize.minimize(
            both, np.zeros(5), jac=True, method="L-BFGS-B", bounds=[*zip(low, high), (-INF, INF)],
            options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000},
        )  # fmt: skip
        assert total(np.append(coef, start)) <= truth.fun + 1e-12 * abs(truth.fun)
        np.testing.assert_allclose(coef, truth.x[:4], rtol=1e-4, atol=1e-5)


def test_softmax_within_bounds(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(150, 3)), rng.integers(0, 3, size=150)
    X[:, 0] += y
    fit = tl.fit(X, y, loss="softmax", penalty=tl.L2(0.05) + tl.Box(-0.3, 0.3))
    coef, intercept = fit.coef.numpy(), fit.intercept.numpy()
    eta = X @ coef + intercept
    share = np.exp(eta - eta.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    slope = X.T @ (share - np.eye(3)[y]) / 150 + 0.05 * coef
    least, most = np.where(coef == -0.3, -INF, slope), np.where(coef == 0.3, INF, slope)
    assert np.abs(np.clip(0.0, least, most)).max() < 1e-7
    assert (np.abs(coef) == 0.3).any()


def test_bounds_are_in_the_users_units_and_spare_the_intercept(rng: np.random.Generator) -> None:
    rows = Rows.of(rng)
    fit = tl.fit(rows.X, rows.y - 1e3, penalty=tl.L1(0.0, standardize=True) + tl.NonNegative())
    plain = tl.fit(rows.X, rows.y - 1e3, penalty=tl.NonNegative())
    torch.testing.assert_close(fit.coef, plain.coef, rtol=1e-11, atol=0)
    assert fit.intercept.item() < 0


def test_a_path_and_cross_validation_keep_to_bounds(rng: np.random.Generator) -> None:
    rows = Rows.of(rng)
    penalty = tl.L1(standardize=True) + tl.NonNegative()
    path = tl.path(rows.X, rows.y, penalty=penalty, n_penalties=10)
    alone = tl.fit(rows.X, rows.y, penalty=penalty.with_alpha(float(path.penalties[-1].alpha)))
    torch.testing.assert_close(
        path.coef[-1].squeeze(), torch.cat([alone.coef, alone.intercept[None]]), rtol=1e-9, atol=1e-9
    )
    found = tl.cross_validate(rows.X, rows.y, penalty=penalty, n_penalties=5, folds=3)
    assert (found.fit.coef >= 0).all()
    with pytest.raises(tl.InvalidInput, match=r"NonNegative\(\) has no strength to vary; add it"):
        tl.path(rows.X, rows.y, penalty="nonnegative")


def test_no_standard_errors_and_a_reason(rng: np.random.Generator) -> None:
    rows = Rows.of(rng)
    fit = tl.fit(rows.X, rows.y, penalty=tl.L2(0.1) + tl.Box(0, 1))
    summary = fit.summary()
    assert summary.to_frame()["se"].isna().all()
    text = " ".join(str(summary).split())
    assert "L2(0.1) + Box(0, 1) keeps the coefficients within bounds, and classical standard errors" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((1.0, 0.0), "low <= high"),
        ((float("nan"), 1.0), "low <= high"),
        ((INF, INF), "low <= high"),
        (([0.0, 0.0], [1.0, 1.0, 1.0]), "low <= high"),
        (([[0.0]], 1.0), "a number or one number for each column"),
    ],
)
def test_bounds_that_are_none(arguments: Any, words: str) -> None:
    with pytest.raises(tl.InvalidInput, match=words):
        tl.Box(*arguments)


def test_what_takes_no_bounds_says_so(rng: np.random.Generator) -> None:
    rows = Rows.of(rng)
    with pytest.raises(tl.InvalidInput, match=r"Box\.low has 2 entries for 7 columns"):
        tl.fit(rows.X, rows.y, penalty=tl.Box([0.0, 0.0]))
    with pytest.raises(tl.InvalidInput, match=r"quantile.* takes no bounds, got NonNegative\(\); use"):
        tl.fit(rows.X, rows.y, loss="quantile", penalty="nonnegative")
    for solver in ("cholesky", "qr", "adam"):
        with pytest.raises(tl.InvalidInput, match=rf"{solver}.*NonNegative\(\)"):
            tl.fit(rows.X, rows.y, solver=solver, penalty="nonnegative")
    for solver in ("newton", "lbfgs", "newton_cg"):
        with pytest.raises(tl.InvalidInput, match=rf"{solver}.*use"):
            tl.fit(rows.X, rows.y > np.median(rows.y), loss="logistic", solver=solver, penalty="nonnegative")
    with pytest.raises(tl.InvalidInput, match=r"can be added to L1, L2 and L1L2"):
        tl.Box(0, 1) + tl.NonNegative()
