"""Generalised linear models against R, solved again at 50 digits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import torchlinear as tl
from torchlinear.losses.base import Loss

DIGITS = 1e-10  # relative, as everywhere; an exact zero by absolute error

Array = NDArray[np.float64]

R = {
    path.stem.removeprefix("glm_"): json.loads(path.read_text())
    for path in sorted((Path(__file__).parent / "truth" / "r").glob("glm_*.json"))
}

FAMILIES: dict[str, Any] = {
    "gaussian": "gaussian",
    "binomial": "binomial",
    "poisson": "poisson",
    "quasipoisson": "poisson",
    "Gamma": "gamma",
    "inverse.gaussian": "inverse_gaussian",
    "Tweedie": tl.Tweedie(power=1.5),
    "Negative Binomial(2)": tl.NegativeBinomial(theta=2.0),
}
LINKS = {"mu^0": "log"}  # statmod's name for it


def fitted(X: Array, y: Array, loss: str | Loss, link: str | None, weights: Array, offset: Array) -> tl.Fit:
    """The fit with defaults, its constant column taken as the intercept."""
    constant = (X == 1).all(axis=0)
    options: dict[str, Any] = {"offset": offset} if offset.any() else {}
    if isinstance(loss, str):
        options["link"] = link
    return tl.fit(X[:, ~constant], y, loss=loss, weights=weights, intercept=bool(constant.any()), **options)


def ordered(fit: tl.Fit, X: Array, values: Any) -> Array:
    """Values of a summary, whose intercept is first, in the order of the columns of X."""
    constant = (X == 1).all(axis=0)
    if not constant.any():
        return np.asarray(values, dtype=float)
    return np.insert(np.asarray(values, dtype=float)[1:], int(np.argmax(constant)), values[0])


def close(found: Any, truth: Any, digits: float = DIGITS) -> None:
    truth = np.asarray(truth, dtype=float)
    np.testing.assert_allclose(
        found, truth, rtol=digits, atol=np.where(np.abs(truth) < 1e-40, DIGITS, 0.0).max()
    )


def test_the_cases_are_there() -> None:
    assert len(R) == 15


@pytest.fixture(params=R)
def case(request: Any) -> dict[str, Any]:
    return dict(R[request.param])


def of_r(case: dict[str, Any]) -> tuple[tl.Fit, Array]:
    X, y, weights, offset = (np.array(case[name], dtype=float) for name in ("X", "y", "weights", "offset"))
    link = LINKS.get(case["link"], case["link"])
    return fitted(X, y, FAMILIES[case["family"]], link, weights, offset), X


def test_coefficients_and_standard_errors(case: dict[str, Any]) -> None:
    fit, X = of_r(case)
    assert fit.status is tl.Status.CONVERGED
    summary = fit.summary().to_dict()["targets"]["y"]
    close(ordered(fit, X, summary["coef"]), case["exact25"]["coef"])
    dispersion = summary["sigma"] ** 2 if case["family"] == "gaussian" else summary["dispersion"]
    scale = case["dispersion"] / dispersion  # Poisson's is 1, quasi-Poisson's is estimated
    assert case["family"] == "quasipoisson" or scale == pytest.approx(1.0, rel=1e-6)
    truth = np.array(case["exact25"]["se"], dtype=float)
    close(
        ordered(fit, X, summary["se"]) * (np.sqrt(scale) if case["family"] == "quasipoisson" else 1.0), truth
    )


def test_deviances_and_likelihood(case: dict[str, Any]) -> None:
    fit, _ = of_r(case)
    if case["family"] == "gaussian":  # the summary of ordinary least squares
        assert fit.solution.history.loss[-1].item() * len(case["y"]) == pytest.approx(
            case["deviance"], rel=1e-12
        )
        return
    summary = fit.summary().to_dict()["targets"]["y"]
    close(summary["deviance"], case["deviance"])
    close(summary["null_deviance"], case["null_deviance"])
    assert (summary["residual_df"], summary["observations"] - 1) == tuple(case["df"])
    if case["family"] in ("poisson", "binomial"):
        close(summary["log_likelihood"], case["loglik"])
        close(summary["aic"], case["aic"])
    if case["family"] == "quasipoisson":
        close(summary["pearson"] / summary["residual_df"], case["dispersion"], digits=1e-9)
    else:
        close(summary["dispersion"], case["exact25"]["dispersion"])


def test_predictions_are_means(case: dict[str, Any]) -> None:
    fit, X = of_r(case)
    offset = {"offset": case["offset"]} if any(case["offset"]) else {}
    close(
        np.ravel(fit.predict(X[:, 1:], kind="mean", **offset)), case["fitted"], digits=1e-7
    )  # R's own last digits
