"""Standard errors of softmax: R's multinom at 50 digits, statsmodels' MNLogit, and what any base must say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from statsmodels.discrete.discrete_model import MNLogit

import torchlinear as tl

Array = np.ndarray[Any, Any]

N = 300


def housing(truth: Path) -> tuple[tl.Fit, dict[str, Any]]:
    known = json.loads((truth / "r" / "multinom_housing.json").read_text())
    labels = [known["levels"][i - 1] for i in known["y"]]
    X = np.array(known["X"], dtype=float)[:, 1:]
    options = {"weights": known["weights"], "weight_type": "frequency"}
    return tl.fit(X, labels, loss="softmax", **options), known  # type: ignore[arg-type]


def classes(rng: np.random.Generator) -> tuple[Array, Array]:
    """Columns far from zero in different units, and the numbers of three classes."""
    X = (rng.normal(size=(N, 3)) + np.array([0.0, 100.0, -5.0])) * [1.0, 1e3, 1e-3]
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    eta = np.column_stack([np.zeros(N), Z @ [0.8, -0.5, 0.2], Z @ [0.3, 0.4, -0.6] + 0.3])
    return X, (eta + rng.gumbel(size=eta.shape)).argmax(axis=1)


def test_they_are_those_of_r(truth: Path) -> None:
    fit, known = housing(truth)
    summary = fit.summary(base="Low")
    frame = summary.to_frame()
    exact = {name: np.array(values, dtype=float).reshape(2, 7) for name, values in known["exact25"].items()}
    for i, level in enumerate(("Medium", "High")):
        table = frame.loc[f"{level} over Low"]
        np.testing.assert_allclose(table["coef"], exact["coef"][i], rtol=1e-11)
        np.testing.assert_allclose(table["se"], exact["se"][i], rtol=1e-11)
    assert summary.quality is not None
    measures = summary.to_dict()["targets"]["High over Low"]
    assert measures["deviance"] == pytest.approx(known["deviance"], rel=1e-12)
    assert measures["log_likelihood"] == pytest.approx(known["loglik"], rel=1e-12)
    assert measures["aic"] == pytest.approx(known["aic"], rel=1e-12)
    assert str(summary).count("log-likelihood") == 1


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("base", [0, 2])
def test_they_are_those_of_statsmodels(rng: np.random.Generator, intercept: bool, base: int) -> None:
    X, y = classes(rng)
    if not intercept:
        X = X - X.mean(axis=0)
    fit = tl.fit(X, y, loss="softmax", intercept=intercept)
    ours = fit.summary(base=base).to_frame()
    scale = X.std(axis=0)
    Z = X / scale - (X.mean(axis=0) / scale) * intercept  # statsmodels does not bear such columns
    design = np.column_stack([np.ones(N), Z]) if intercept else Z
    others = [c for c in range(3) if c != base]
    theirs = MNLogit(
        np.searchsorted([base, *others], y) if base == 0 else np.array([1, 2, 0])[y], design
    ).fit(method="newton", maxiter=50, tol=1e-14, disp=False)
    for j, label in enumerate(others):
        table = ours.loc[f"{label} over {base}"].iloc[int(intercept) :]
        np.testing.assert_allclose(
            table["se"], np.asarray(theirs.bse)[int(intercept) :, j] / scale, rtol=1e-7
        )
        np.testing.assert_allclose(table["z"], np.asarray(theirs.tvalues)[int(intercept) :, j], rtol=1e-6)
        np.testing.assert_allclose(
            table["p"], np.asarray(theirs.pvalues)[int(intercept) :, j], rtol=1e-5, atol=1e-15
        )


def test_coefficients_that_sum_to_zero_have_the_errors_of_their_contrasts(rng: np.random.Generator) -> None:
    """Var(b_c - mean b) from the contrasts with one class, whose covariance the intervals of all bases know."""
    X, y = classes(rng)
    fit = tl.fit(X, y, loss="softmax")
    plain = fit.summary().to_frame()["se"].to_numpy().reshape(3, 4)
    pairs = np.zeros((3, 3, 4))  # variances of differences of classes
    for base in range(3):
        frame = fit.summary(base=base).to_frame()
        for other in {0, 1, 2} - {base}:
            pairs[base, other] = np.square(frame.loc[f"{other} over {base}"]["se"])
    np.testing.assert_allclose(pairs, pairs.transpose(1, 0, 2), rtol=1e-10)
    variance = (
        pairs.mean(axis=1) - pairs.mean(axis=(0, 1)) / 2.0
    )  # of x_c - mean x, from those of all differences
    np.testing.assert_allclose(np.square(plain), variance, rtol=1e-9)


def test_two_classes_are_a_logistic_regression(rng: np.random.Generator) -> None:
    X, y = classes(rng)
    labels = np.where(y > 0, "yes", "no")
    ours = tl.fit(X, labels, loss="softmax").summary(base="no")
    theirs = tl.fit(X, labels, loss="logistic").summary()
    for name, column in theirs.tables[0].columns.items():
        np.testing.assert_allclose(ours.tables[0].columns[name], column, rtol=1e-7, atol=1e-15)
    measures = [each.to_dict()["targets"] for each in (ours, theirs)]
    for name in ("deviance", "null_deviance", "log_likelihood", "aic", "bic", "pearson", "residual_df"):
        mine, other = (next(iter(targets.values()))[name] for targets in measures)
        assert mine == pytest.approx(other, rel=1e-9), name


def test_they_are_kept_in_files(truth: Path, tmp_path: Path) -> None:
    fit, _ = housing(truth)
    fit.save(tmp_path / "m.safetensors")
    loaded = tl.load(tmp_path / "m.safetensors")
    for base in (None, "High"):
        assert str(loaded.summary(base=base)) == str(fit.summary(base=base))


def test_a_column_that_is_there_twice_is_dropped(rng: np.random.Generator) -> None:
    X, y = classes(rng)
    once = tl.fit(X, y, loss="softmax")
    with pytest.warns(tl.RankWarning, match=f"dropped x{X.shape[1]}: "):
        twice = tl.fit(np.column_stack([X, X[:, 0]]), y, loss="softmax")
    for base in (None, 1):
        frames = [fit.summary(base=base).to_frame().dropna() for fit in (once, twice)]
        pd.testing.assert_frame_equal(*frames, rtol=1e-6)
    assert twice.summary().to_frame()["se"].isna().sum() == 3


def test_where_there_are_none(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = classes(rng)
    with monkeypatch.context() as patch:
        patch.setattr("torchlinear.api.MOST_INFORMED", 5)
        many = tl.fit(X, y, loss="softmax").summary()
    assert not many.inference
    assert "too many coefficients" in many.notes[0]
    held = tl.fit(X, y, loss="softmax", penalty=tl.L2(0.1)).summary(base=1)
    assert np.isnan(held.tables[0].se).all()
    assert "towards zero on purpose" in held.notes[0]
    fit = tl.fit(X, y, loss="softmax")
    with pytest.raises(tl.InvalidInput, match=r"base=7 is no class\. Classes: 0, 1, 2\."):
        fit.summary(base=7)
    with pytest.raises(tl.InvalidInput, match="base='u' goes with loss='softmax'"):
        tl.fit(X, torch.from_numpy(X[:, 0])).summary(base="u")
