"""Everything that R's `lm`, `confint`, `predict`, `logLik`, `AIC` and `BIC` say, to ten digits."""

import json
from pathlib import Path

import numpy as np
import pytest

import torchlinear as tl
from torchlinear.inference.covariance import classical
from torchlinear.inference.intervals import prediction

DIGITS = 1e-10  # relative; R prints 15 digits and its QR keeps at least 12 of them on these sets
CASES = {
    path.stem: json.loads(path.read_text())
    for path in sorted((Path(__file__).parent.parent / "truth" / "r").glob("lm_*.json"))
}
WITH_PREDICTIONS = [name for name, case in CASES.items() if "pred_conf" in case]


def fitted(case: dict) -> tl.Fit:
    X = np.array(case["X"], dtype=float)
    assert (X[:, 0] == 1).all()
    return tl.fit(X[:, 1:], np.array(case["y"], dtype=float), weights=case.get("weights"))


def close(got: object, truth: object) -> None:
    np.testing.assert_allclose(np.asarray(got), np.asarray(truth, dtype=float), rtol=DIGITS)


def test_the_cases_are_there() -> None:
    assert len(CASES) == 8
    assert len(WITH_PREDICTIONS) == 7
    assert "weights" in CASES["lm_mtcars_weighted"]


@pytest.mark.parametrize("name", CASES)
def test_coefficients_and_their_tests(name: str) -> None:
    case = CASES[name]
    frame = fitted(case).summary().to_frame()
    for column in ("coef", "se", "t", "p"):
        close(frame[column], case[column])
    close(frame[["low", "high"]], case["ci95"])


@pytest.mark.parametrize("name", CASES)
def test_the_fit_as_a_whole(name: str) -> None:
    case = CASES[name]
    whole = fitted(case).summary().to_dict()["targets"]["y"]
    f, model_df, residual_df = case["F"]
    close(whole["sigma"], case["sigma"])
    close(whole["r2"], case["r2"])
    close(whole["adjusted_r2"], case["adj_r2"])
    close(whole["f"], f)
    assert (whole["model_df"], whole["residual_df"]) == (model_df, residual_df)
    close(whole["log_likelihood"], case["loglik"])
    close(whole["aic"], case["aic"])
    close(whole["bic"], case["bic"])


@pytest.mark.parametrize("name", CASES)
def test_covariance(name: str) -> None:
    case = CASES[name]
    got = np.roll(classical(fitted(case).solution), (1, 1), axis=(0, 1))  # R puts the intercept first
    truth = np.array(case["cov"], dtype=float)
    scale = np.sqrt(np.outer(np.diag(truth), np.diag(truth)))  # a covariance near zero is a difference
    np.testing.assert_allclose(got / scale, truth / scale, rtol=DIGITS, atol=DIGITS)


@pytest.mark.parametrize(("kind", "field"), [("confidence", "pred_conf"), ("prediction", "pred_pred")])
@pytest.mark.parametrize("name", WITH_PREDICTIONS)
def test_intervals_at_the_first_rows(name: str, kind: str, field: str) -> None:
    case = CASES[name]
    X = np.array(case["X"], dtype=float)[:, 1:]
    known = [row for row in case[field] if "NA" not in row]  # a lagged column misses its first row
    assert len(known) >= 4
    at = prediction(fitted(case).solution, X[: len(known)], kind=kind)
    close(np.column_stack([at.mean, at.low, at.high]), known)


@pytest.mark.parametrize("name", WITH_PREDICTIONS)
def test_predict_with_an_interval(name: str) -> None:
    case = CASES[name]
    known = [row for row in case["pred_pred"] if "NA" not in row]
    at = fitted(case).predict(np.array(case["X"], dtype=float)[: len(known), 1:], interval=0.95)
    close(np.column_stack([at.mean, at.low, at.high]), known)
