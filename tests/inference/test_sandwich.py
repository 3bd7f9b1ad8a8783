"""Standard errors of Huber and quantile fits: R's rlm, statsmodels' QuantReg, and their own formulas."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.regression.quantile_regression import QuantReg, hall_sheather, kernels

import torchlinear as tl

Array = np.ndarray[Any, Any]

N = 250


def rows(rng: np.random.Generator) -> tuple[Array, Array]:
    """Errors whose spread grows along the first column."""
    X = rng.normal(size=(N, 3)) + 0.5 * rng.normal(size=(N, 1))
    return X, X @ [1.0, -2.0, 0.5] + np.exp(0.4 * X[:, 0]) * rng.standard_t(4, size=N)


def theirs(X: Array, y: Array, q: float, vcov: str) -> Array:
    """Standard errors by statsmodels, the intercept first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its iterations go round in a circle near the end
        found = QuantReg(y, np.column_stack([np.ones(len(y)), X])).fit(
            q=q, vcov=vcov, p_tol=1e-9, max_iter=3_000
        )
    return np.asarray(found.bse)


def ours(fit: tl.Fit, cov: str = "classical") -> Array:
    return np.asarray(fit.summary(cov=cov).tables[0].se)


def test_huber_has_those_of_rlm(truth: Path) -> None:
    known = json.loads((truth / "r" / "rlm_stackloss.json").read_text())
    X, y = np.array(known["X"], dtype=float)[:, 1:], np.array(known["y"], dtype=float)
    fit = tl.fit(X, y, loss=tl.Huber(1.345, "mad"))
    np.testing.assert_allclose(ours(fit), known["se"], rtol=1e-12)
    summary = fit.summary()
    assert summary.tables[0].statistic == "z"
    assert "std err   classical (Huber's psi, as R's rlm)" in str(summary)
    assert summary.inference


@pytest.mark.parametrize("q", [0.1, 0.5, 0.75])
def test_quantiles_have_those_of_statsmodels(rng: np.random.Generator, q: float) -> None:
    X, y = rows(rng)
    fit = tl.fit(X, y, loss=tl.Quantile(q))
    # Mostly 1e-6; now and then statsmodels stops beside the optimum, which moves the quartiles of its residuals.
    np.testing.assert_allclose(ours(fit, "iid"), theirs(X, y, q, "iid"), rtol=1e-2)
    # Four of the rows lie on the plane itself, on a side that its rounding chose; exactly, see the formula below.
    np.testing.assert_allclose(ours(fit), theirs(X, y, q, "robust"), rtol=1e-2 if q == 0.5 else 0.4)


def test_r_prints_the_same_errors_of_alike_rows_nearly(truth: Path) -> None:
    """R estimates the density at 0 otherwise, by the slope of the sorted residuals."""
    known = json.loads((truth / "r" / "quantile_engel.json").read_text())
    X, y = np.array(known["X"])[:, 1:], np.array(known["y"])
    for each in known["fits"]:
        fit = tl.fit(X, y, loss=tl.Quantile(each["tau"]))
        np.testing.assert_allclose(ours(fit, "iid"), each["se_iid"], rtol=0.35)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("q", [0.2, 0.6])
def test_the_formula_in_the_open(rng: np.random.Generator, q: float, intercept: bool) -> None:
    X, y = rows(rng)
    fit = tl.fit(X, y, loss=tl.Quantile(q), intercept=intercept)
    design = np.column_stack([np.ones(N), X]) if intercept else X
    r = y - X @ fit.coef.numpy() - float(fit.intercept)
    r[np.abs(r) < 1e-10] = 0.0
    h = hall_sheather(N, q)
    width = min(y.std(), np.subtract(*np.percentile(r, [75, 25])) / 1.34) * (
        norm.ppf(q + h) - norm.ppf(q - h)
    )
    d = np.where(r > 0, q, 1 - q) / (kernels["epa"](r / width).sum() / (N * width))
    A = np.linalg.inv(design.T @ design)
    robust = A @ (design.T * d**2) @ design @ A
    np.testing.assert_allclose(ours(fit), np.sqrt(np.diag(robust)), rtol=1e-9)


@pytest.mark.parametrize(
    "loss", [tl.Quantile(0.3), tl.Absolute(), tl.Huber(1.345), tl.Huber(1.345, "mad")], ids=str
)
def test_frequency_weights_stand_for_equal_rows(rng: np.random.Generator, loss: Any) -> None:
    X, y = rows(rng)
    weights = rng.integers(0, 4, N)
    counted = tl.fit(X, y, loss=loss, weights=weights, weight_type="frequency")
    listed = tl.fit(np.repeat(X, weights, axis=0), np.repeat(y, weights), loss=loss)
    np.testing.assert_allclose(ours(counted), ours(listed), rtol=1e-6)
    np.testing.assert_allclose(
        counted.summary().tables[0].p, listed.summary().tables[0].p, rtol=1e-5, atol=1e-12
    )
    weighed = tl.fit(X, y, loss=loss, weights=weights).summary()
    assert not weighed.inference
    assert "weight_type='frequency'" in weighed.notes[0]


@pytest.mark.parametrize("loss", [tl.Quantile(0.3), tl.Huber(1.345, "mad")], ids=str)
def test_units_and_places_of_the_columns_do_not_matter(rng: np.random.Generator, loss: Any) -> None:
    X, y = rows(rng)
    units = np.array([1e6, 1.0, 1e-4])
    here, there = (ours(tl.fit(Z, y, loss=loss))[1:] for Z in (X, (X + np.array([0.0, 10.0, 0.0])) * units))
    np.testing.assert_allclose(there * units, here, rtol=1e-6)


def test_two_targets_dropped_columns_and_files(rng: np.random.Generator, tmp_path: Path) -> None:
    X, y = rows(rng)
    both = tl.fit(X, np.column_stack([y, -2.0 * y]), loss="absolute")
    se = both.summary().tables
    np.testing.assert_allclose(se[1].se, 2.0 * se[0].se, rtol=1e-6)
    both.save(tmp_path / "m.safetensors")
    loaded = tl.load(tmp_path / "m.safetensors")
    for cov in ("classical", "robust", "iid"):
        assert str(loaded.summary(cov=cov)) == str(both.summary(cov=cov))
    with pytest.raises(tl.InvalidInput, match=r"cov='HC9' is not known\. Known: classical, robust, iid"):
        both.summary(cov="HC9")
