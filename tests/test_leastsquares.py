"""Least squares against exact arithmetic, augmented rows, scikit-learn, numpy and scipy; rank by name."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.optimize
import torch
from sklearn.linear_model import Ridge as SklearnRidge

from torchlinear.engines.local import Local
from torchlinear.leastsquares import LeastSquares
from torchlinear.losses.squared import Squared
from torchlinear.penalties.l2 import L2
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import TensorRows
from torchlinear.solvers.auto import choose

Array = np.ndarray[Any, Any]

precisions = pytest.mark.parametrize("precision", ["double", "extended"])
factors = pytest.mark.parametrize("by", ["cholesky", "qr"])


def objective(
    X: Array, y: Array, weight: Array | None = None, *, penalty: L2 | None = None, **options: Any
) -> QuadraticObjective:
    y = y[:, None] if y.ndim == 1 else y
    rows = TensorRows(*(None if a is None else torch.from_numpy(a) for a in (X, y, weight)))  # type: ignore[arg-type]
    return QuadraticObjective(Squared(), penalty, Local().load(rows), **options)


def solved(by: str, X: Array, y: Array, weight: Array | None = None, **options: Any) -> LeastSquares:
    return objective(X, y, weight, **options).optimum(by)


def exact(
    X: Array, y: Array, weight: Array | None = None, ridge: Array | None = None, intercept: bool = True
) -> Any:
    """Coefficients, (p + 1,), and inverse of the cross products of [X, 1], in 60 digits."""
    ones = np.ones((len(X), 1))
    with mpmath.workdps(60):
        A = mpmath.matrix((np.hstack([X, ones]) if intercept else X).tolist())
        w = [1] * len(X) if weight is None else [mpmath.mpf(v) for v in weight.tolist()]
        WA = mpmath.matrix([[w[i] * A[i, j] for j in range(A.cols)] for i in range(A.rows)])
        M = WA.T * A
        for j, r in enumerate([] if ridge is None else ridge.tolist()):
            M[j, j] += r
        return mpmath.lu_solve(M, WA.T * mpmath.matrix(y.tolist())), M**-1


def digits(found: Array, truth: Any) -> float:
    """Correct digits of the vector, by its Euclidean norm, at most 16."""
    with mpmath.workdps(40):
        off = mpmath.norm([mpmath.mpf(float(a)) - b for a, b in zip(found, truth)])
        share = off / mpmath.norm(list(truth))
        return 16.0 if share == 0 else min(16.0, float(-mpmath.log10(share)))


def conditioned(rng: np.random.Generator, n: int, p: int, condition: float) -> Array:
    """Centred columns with the given condition number, near 1 in norm, and small means."""
    U = np.linalg.qr(rng.normal(size=(n, p)))[0]
    V = np.linalg.qr(rng.normal(size=(p, p)))[0]
    return U * np.geomspace(1.0, 1.0 / condition, p) @ V + 0.1 * rng.normal(size=p)


def lstsq(X: Array, y: Array) -> Array:
    return np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]


@pytest.mark.parametrize("noise", [1.0, 1e-6, 0.0])
@pytest.mark.parametrize("power", range(1, 13))
def test_float64_is_never_less_accurate_than_lstsq(
    rng: np.random.Generator, power: int, noise: float
) -> None:
    X = conditioned(rng, 60, 5, 10.0**power)
    y = X @ rng.normal(size=5) + 0.5 + noise * rng.normal(size=60)
    problem = objective(X, y, precision="double")
    by = choose(problem).solver.name
    found, truth = problem.optimum(by).coef[:, 0], exact(X, y)[0]
    ours, theirs = digits(found, truth), digits(lstsq(X, y), truth)
    print(f"condition 1e{power}, {by}: {ours:.1f} digits, lstsq {theirs:.1f}")
    # Refined by residuals in two words above a condition number of 10: all digits up to 1e6. At 10 both have
    # rounding errors of a few eps, and either may be the luckier.
    assert ours >= min(theirs, 15.0) - (0.7 if power == 1 else 0.0)
    assert ours >= min(14.0 if power == 1 else 15.0, 24.0 - 1.5 * power)


@pytest.mark.parametrize("power", range(1, 13))
def test_double_double_has_every_digit(rng: np.random.Generator, power: int) -> None:
    X = conditioned(rng, 60, 5, 10.0**power)
    y = X @ rng.normal(size=5) + 0.5 + rng.normal(size=60)
    problem = objective(X, y, precision="extended")
    truth, inverse = exact(X, y)
    found = problem.optimum(choose(problem).solver.name)
    assert digits(found.coef[:, 0], truth) >= 15.5
    errors = np.sqrt(np.diag(found.inverse))
    assert digits(errors, [mpmath.sqrt(inverse[j, j]) for j in range(6)]) >= 14.0


@pytest.mark.parametrize("shape", [(2_000, 5), (20_000, 20), (300_000, 3)])
def test_large_well_conditioned_sums_are_as_good_as_lstsq(
    rng: np.random.Generator, shape: tuple[int, int]
) -> None:
    ours, theirs = [], []
    for _ in range(3):
        X = rng.normal(size=shape)
        y = X @ rng.normal(size=shape[1]) + 0.5 + rng.normal(size=shape[0])
        truth = solved("cholesky", X, y, precision="extended").coef[:, 0]  # tested above
        ours.append(digits(solved("cholesky", X, y, precision="double").coef[:, 0], truth))
        theirs.append(digits(lstsq(X, y), truth))
    assert np.mean(ours) >= np.mean(theirs) - 0.3  # about 15.3 against 14.8


@precisions
@factors
def test_the_inverse_and_the_sums_of_squares(rng: np.random.Generator, precision: str, by: str) -> None:
    X, weight = rng.normal([0.0, 5.0, -100.0], size=(40, 3)), rng.gamma(2.0, size=40)
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=40)
    coef, inverse = exact(X, y, weight)
    found = solved(by, X, y, weight, precision=precision)
    assert digits(found.coef[:, 0], coef) >= 13.0
    expected = np.array(inverse.tolist(), dtype=float)
    np.testing.assert_allclose(found.inverse, expected, rtol=1e-11)
    residuals = y - X @ found.coef[:-1, 0] - found.coef[-1, 0]
    assert found.rss[0] == pytest.approx(weight @ residuals**2, rel=1e-12)
    centred = y - np.average(y, weights=weight)
    assert found.tss[0] == pytest.approx(weight @ centred**2, rel=1e-12)
    assert (found.rows, found.rank) == (40, 3)
    assert found.log_weight == pytest.approx(np.log(weight).sum())


@pytest.mark.parametrize("noise", [1e-5, 1e-9])
@factors
def test_refined_sums_of_squares_do_not_cancel(rng: np.random.Generator, by: str, noise: float) -> None:
    X = conditioned(rng, 200, 4, 100.0)
    y = X @ [1.0, -2.0, 0.5, 3.0] + 1.0 + noise * rng.normal(size=200)
    found = solved(by, X, y, precision="double").rss[0]
    with mpmath.workdps(40):
        coef = exact(X, y)[0]
        rss = sum((mpmath.mpf(b) - coef[4] - sum(v * coef[j] for j, v in enumerate(a))) ** 2 for a, b in
                  zip(X.tolist(), y.tolist()))  # fmt: skip
        assert found == pytest.approx(float(rss), rel=1e-9)


@factors
def test_the_condition_number_is_that_of_numpy_and_indifferent_to_units(
    rng: np.random.Generator, by: str
) -> None:
    X, y = conditioned(rng, 80, 4, 50.0), rng.normal(size=80)
    units = np.array([1e-8, 1e8, 1e3, 1.0])
    centred = X - X.mean(axis=0)
    truth = np.linalg.cond(centred / np.linalg.norm(centred, axis=0))
    plain = solved(by, X, y).condition
    assert truth / 4 <= plain <= 4 * 2 * truth  # 1-norm for 2-norm, and scaling to a power of 2 only
    assert solved(by, X * units, y * 1e5).condition == pytest.approx(plain, rel=1.0)


def dependent(X: Array, y: Array | None = None, by: str = "qr", **options: Any) -> list[int]:
    y = X.sum(axis=1) if y is None else y
    found = solved(by, np.ascontiguousarray(X), y, **options)
    assert (found.coef[:-1][found.dependent] == 0).all()
    assert np.isnan(found.inverse[:-1][found.dependent]).all()
    kept = ~np.append(found.dependent, False)
    assert np.isfinite(found.inverse[np.ix_(kept, kept)]).all()
    return np.flatnonzero(found.dependent).tolist()


@precisions
@factors
def test_later_columns_are_dropped(rng: np.random.Generator, precision: str, by: str) -> None:
    a, b, c = rng.normal(size=(3, 50))
    options = {"precision": precision, "by": by}
    assert dependent(np.column_stack([a, a, b]), **options) == [1]
    assert dependent(np.column_stack([a, b, a - 2 * b, c]), **options) == [2]
    assert dependent(np.column_stack([a, 3 * a + 7, b, 0.1 * b]), **options) == [1, 3]
    assert dependent(np.column_stack([np.full(50, 0.1), a, np.zeros(50)]), **options) == [0, 2]
    assert dependent(np.column_stack([np.full(50, 0.1), a]), **options, intercept=False) == []
    assert dependent(np.column_stack([np.zeros(50), a]), **options, intercept=False) == [0]


@precisions
def test_fewer_rows_than_columns(rng: np.random.Generator, precision: str) -> None:
    assert dependent(rng.normal(size=(4, 7)), precision=precision) == [3, 4, 5, 6]
    assert dependent(rng.normal(size=(4, 7)), precision=precision, intercept=False) == [4, 5, 6]
    assert dependent(rng.normal(size=(1, 3)), precision=precision) == [0, 1, 2]


@precisions
@factors
def test_a_sum_of_dummies_is_dropped_as_lm_does(rng: np.random.Generator, precision: str, by: str) -> None:
    level = rng.integers(3, size=60)
    dummies = np.eye(3)[level]
    y = level + rng.normal(size=60)
    assert dependent(dummies, y, by, precision=precision) == [2]
    found = solved(by, dummies, y, precision=precision)
    means = np.array([y[level == v].mean() for v in range(3)])
    np.testing.assert_allclose(
        found.coef[:, 0], [means[0] - means[2], means[1] - means[2], 0, means[2]], rtol=1e-12
    )


@precisions
@pytest.mark.parametrize("scale", [1e-150, 1e-8, 1.0, 1e8, 1e120])
def test_columns_of_any_scale_are_kept(rng: np.random.Generator, precision: str, scale: float) -> None:
    X = rng.normal(size=(40, 3)) * [1.0, scale, 1.0]
    assert dependent(X, X @ [1.0, 1 / scale, 2.0], precision=precision) == []
    found = solved("qr", X, X @ [1.0, 1 / scale, 2.0], precision=precision)
    np.testing.assert_allclose(found.coef[:-1, 0], [1.0, 1 / scale, 2.0], rtol=1e-12)


@precisions
@pytest.mark.parametrize("mean", [1e4, 1e8, 1e10])
def test_columns_far_from_zero_are_kept(rng: np.random.Generator, precision: str, mean: float) -> None:
    X = rng.normal(size=(200, 3)) + mean
    assert dependent(X, rng.normal(size=200), precision=precision) == []


@precisions
@pytest.mark.parametrize("apart", [1e-6, 1e-9, 1e-11])
def test_nearly_equal_columns_are_kept(rng: np.random.Generator, precision: str, apart: float) -> None:
    a, b = rng.normal(size=(2, 50))
    X = np.column_stack([a, a + apart * b])
    assert dependent(X, precision=precision) == []
    coef = solved("qr", X, a + 3.0 * (X[:, 1] - X[:, 0]) / apart, precision=precision).coef[:, 0]
    truth = exact(X, a + 3.0 * (X[:, 1] - X[:, 0]) / apart)[0]
    assert digits(coef, truth) >= (15.0 if precision == "extended" or apart > 1e-8 else 6.0)


@precisions
def test_equal_up_to_rounding_is_dropped(rng: np.random.Generator, precision: str) -> None:
    a, b = rng.normal(size=(2, 50))
    X = np.column_stack([a, b, (0.1 * a + 0.2 * b) / 0.3])
    assert dependent(X, rng.normal(size=50), precision=precision) == [2]


@pytest.mark.parametrize("shape", [(50, 4), (6, 9)])
@pytest.mark.parametrize("intercept", [True, False])
def test_minimum_norm_is_that_of_numpy(
    rng: np.random.Generator, shape: tuple[int, int], intercept: bool
) -> None:
    X = rng.normal(size=shape) + 1.0
    X[:, -1] = X[:, 0] - X[:, 1]
    y = rng.normal(size=(shape[0], 2))
    mean_x, mean_y = (X.mean(axis=0), y.mean(axis=0)) if intercept else (0.0 * X[0], 0.0 * y[0])
    beta = np.linalg.lstsq(X - mean_x, y - mean_y, rcond=1e-12)[0]
    found = solved("qr", X, y, solution="minimum_norm", intercept=intercept)
    np.testing.assert_allclose(found.coef[:-1], beta, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.coef[-1], mean_y - mean_x @ beta, rtol=1e-9, atol=1e-11)


@precisions
@pytest.mark.parametrize("intercept", [True, False])
def test_nonnegative_is_that_of_scipy(rng: np.random.Generator, precision: str, intercept: bool) -> None:
    X = rng.normal(size=(80, 6))
    Y = X @ rng.normal(size=(6, 3)) + 2.0 + rng.normal(size=(80, 3))
    mean_x, mean_y = (X.mean(axis=0), Y.mean(axis=0)) if intercept else (np.zeros(6), np.zeros(3))
    found = solved("qr", X, Y, solution="nonnegative", intercept=intercept, precision=precision)
    for t in range(3):
        beta, norm = scipy.optimize.nnls(X - mean_x, Y[:, t] - mean_y[t])
        np.testing.assert_allclose(found.coef[:-1, t], beta, rtol=1e-9, atol=1e-12)
        assert found.coef[-1, t] == pytest.approx(mean_y[t] - mean_x @ beta, abs=1e-12)
        assert found.rss[t] == pytest.approx(norm**2, rel=1e-9)


@precisions
@factors
@pytest.mark.parametrize("intercept", [True, False])
def test_ridge_is_rows_added(rng: np.random.Generator, precision: str, by: str, intercept: bool) -> None:
    """Rows sqrt(ridge_j) e_j with target 0, about the means if there is an intercept: the same equations."""
    X, weight = conditioned(rng, 50, 4, 30.0) + 3.0, rng.gamma(2.0, size=50)
    y = X @ rng.normal(size=4) + rng.normal(size=50)
    strength = np.array([0.0, 1.0, 0.3, 7.0])
    ridge = 0.2 / 2 * weight.sum() * strength  # of alpha/2 sum c b^2, against the mean loss
    truth, inverse = exact(X, y, weight, ridge, intercept)
    found = solved(
        by,
        X,
        y,
        weight,
        penalty=L2(0.2, column_weights=strength.tolist()),
        precision=precision,
        intercept=intercept,
    )
    assert digits(found.coef[:, 0] if intercept else found.coef[:-1, 0], truth) >= 14.0
    size = 5 if intercept else 4
    np.testing.assert_allclose(
        found.inverse[:size, :size], np.array(inverse.tolist(), dtype=float), rtol=1e-9
    )
    residuals = y - X @ found.coef[:-1, 0] - found.coef[-1, 0]
    assert found.rss[0] == pytest.approx(weight @ residuals**2, rel=1e-12)
    if not intercept:
        assert found.coef[-1, 0] == 0.0


@pytest.mark.parametrize("alpha", [1e-6, 1.0, 1e4])
def test_ridge_is_that_of_scikit_learn(rng: np.random.Generator, alpha: float) -> None:
    X, Y = rng.normal(size=(60, 5)) + 2.0, rng.normal(size=(60, 3))
    theirs = SklearnRidge(alpha=alpha, solver="svd").fit(X, Y)
    found = solved("cholesky", X, Y, penalty=L2(2 * alpha / 60))
    np.testing.assert_allclose(found.coef[:-1].T, theirs.coef_, rtol=1e-9)
    np.testing.assert_allclose(found.coef[-1], theirs.intercept_, rtol=1e-9)


def test_a_penalty_keeps_dependent_columns(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(2, 50))
    X, y = np.column_stack([a, b, a]), a + b + rng.normal(size=50)
    found = solved("qr", X, y, penalty=L2(0.1))
    assert not found.dependent.any()
    assert digits(found.coef[:, 0], exact(X, y, ridge=np.full(3, 0.1 / 2 * 50))[0]) >= 15.0


@precisions
@factors
def test_targets_are_solved_each_for_itself(rng: np.random.Generator, precision: str, by: str) -> None:
    X, Y, weight = conditioned(rng, 60, 4, 100.0), rng.normal(size=(60, 3)) * [1.0, 1e-6, 1e6], rng.random(60)
    together = solved(by, X, Y, weight, precision=precision)
    for t in range(3):
        alone = solved(by, X, np.ascontiguousarray(Y[:, t]), weight, precision=precision)
        np.testing.assert_allclose(together.coef[:, t], alone.coef[:, 0], rtol=1e-13)
        assert together.rss[t] == pytest.approx(alone.rss[0], rel=1e-12)
        assert together.tss[t] == pytest.approx(alone.tss[0], rel=1e-12)


@precisions
@factors
def test_units_change_nothing_but_units(rng: np.random.Generator, precision: str, by: str) -> None:
    X, y = rng.normal(size=(70, 3)), rng.normal(size=70)
    units, unit = 2.0 ** rng.integers(-40, 40, size=3), 2.0**33  # powers of 2, so that data stay the same
    plain, scaled = (
        solved(by, X, y, precision=precision),
        solved(by, X * units, y * unit, precision=precision),
    )
    np.testing.assert_allclose(scaled.coef[:-1, 0] * units / unit, plain.coef[:-1, 0], rtol=1e-12)
    np.testing.assert_allclose(scaled.coef[-1] / unit, plain.coef[-1], rtol=1e-11)
