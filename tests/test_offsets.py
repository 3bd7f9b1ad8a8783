"""Offsets and exposures: against R and statsmodels, from arrays, frames, files and formulas, and when predicting."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch

import torchlinear as tl

N = 400
RNG = np.random.default_rng(21)
RATES = pd.DataFrame({"a": RNG.normal(size=N), "b": RNG.normal(3, 10, N), "hours": RNG.uniform(1, 5000, N)})
RATES["count"] = RNG.poisson(RATES["hours"] * np.exp(0.3 * RATES["a"] + 0.02 * RATES["b"] - 3))
FEATURES = RATES[["a", "b"]].to_numpy()

PEER = 1e-10  # statsmodels at tol=1e-14 is at the optimum to twelve digits here


@pytest.fixture(scope="module")
def anorexia() -> dict[str, Any]:
    path = Path(__file__).parent / "truth" / "r" / "glm_anorexia_gaussian_offset.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.fixture(scope="module")
def peer() -> Any:
    design = sm.add_constant(RATES[["a", "b"]])
    family = sm.families.Poisson()
    return sm.GLM(RATES["count"], design, family=family, exposure=RATES["hours"]).fit(tol=1e-14)


def patients(anorexia: dict[str, Any]) -> pd.DataFrame:
    X = np.array(anorexia["X"])
    treat = np.select([X[:, 2] == 1, X[:, 3] == 1], ["Cont", "FT"], "CBT")
    return pd.DataFrame({"Prewt": X[:, 1], "Treat": treat, "before": X[:, 1], "Postwt": anorexia["y"]})


WAYS: dict[str, Callable[[pd.DataFrame], tl.Fit]] = {
    "arrays": lambda f: tl.fit(
        pd.get_dummies(f[["Prewt", "Treat"]], drop_first=True, dtype=float).to_numpy(), f["Postwt"].to_numpy(),
        offset=f["before"].to_numpy(),
    ),
    "column": lambda f: tl.fit(f, "Postwt", columns=["Prewt", "Treat"], offset="before"),
    "values": lambda f: tl.fit(f[["Prewt", "Treat"]], f["Postwt"], offset=f["before"]),
    "formula": lambda f: tl.fit(f, formula="Postwt ~ Prewt + Treat + offset(before)"),
    "a feature too": lambda f: tl.fit(f, formula="Postwt ~ Prewt + Treat + offset(Prewt)"),
    "computed": lambda f: tl.fit(f, formula="Postwt ~ Prewt + Treat + offset(before / 2) + offset(Prewt / 2)"),
    "by qr": lambda f: tl.fit(f, formula="Postwt ~ Prewt + Treat + offset(before)", solver="qr"),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_squared_loss_is_that_of_r(anorexia: dict[str, Any], way: str) -> None:
    fit = WAYS[way](patients(anorexia))
    exact = anorexia["exact25"]
    np.testing.assert_allclose(
        [float(fit.intercept), *fit.coef.tolist()], np.array(exact["coef"], float), rtol=1e-12
    )
    errors = fit.summary().to_frame()["se"]
    np.testing.assert_allclose(errors, np.array(exact["se"], float), rtol=1e-10)
    if way != "arrays":
        offset = {"offset": anorexia["offset"]} if way == "values" else {}
        np.testing.assert_allclose(fit.predict(patients(anorexia), **offset), anorexia["fitted"], rtol=1e-12)


def test_rows_that_stream_have_offsets_too(tmp_path: Path) -> None:
    """Two shards' worth of rows in a file, fitted block by block and from memory."""
    n = 150_000
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"x": rng.normal(size=n), "o": rng.normal(size=n), "t": rng.uniform(1, 9, n)})
    frame["y"] = rng.poisson(frame["t"] * np.exp(0.2 * frame["x"] + frame["o"] - 1))
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    from torchlinear.design import Design
    from torchlinear.sources import read

    design = Design.learn(read(path), target="y", columns=["x"], offset="o", exposure="t")
    rows = design.rows(read(path))
    offset = torch.cat([block.offset for shard in rows.shards() for block in rows.blocks(shard)])
    np.testing.assert_allclose(offset, frame["o"] + np.log(frame["t"]), rtol=1e-14)
    torch.testing.assert_close(rows.collected(10**9).offset, offset, rtol=0, atol=0)
    fit = tl.fit(path, "y", columns=["x"], offset="o", exposure="t", loss="poisson")
    array = tl.fit(
        frame[["x"]].to_numpy(), frame["y"].to_numpy(), offset=frame["o"].to_numpy(),
        exposure=frame["t"].to_numpy(), loss="poisson",
    )  # fmt: skip
    np.testing.assert_allclose(fit.coef, array.coef, rtol=1e-10)
    assert fit.solution.offset == "o + log(t)"
    assert array.solution.offset == "offset + log(exposure)"


EXPOSED: dict[str, Callable[[], tl.Fit]] = {
    "arrays": lambda: tl.fit(FEATURES, RATES["count"].to_numpy(), loss="poisson", exposure=RATES["hours"].to_numpy()),
    "tensors": lambda: tl.fit(
        torch.tensor(FEATURES), torch.tensor(RATES["count"].to_numpy()), loss="poisson",
        offset=torch.tensor(RATES["hours"].to_numpy()).log(),
    ),
    "column": lambda: tl.fit(RATES, "count", loss="poisson", exposure="hours"),
    "values": lambda: tl.fit(RATES[["a", "b"]], RATES["count"], loss="poisson", exposure=RATES["hours"]),
    "formula": lambda: tl.fit(RATES, formula="count ~ a + b + offset(log(hours))", loss="poisson"),
}  # fmt: skip


@pytest.mark.parametrize("way", EXPOSED)
def test_exposures_are_those_of_statsmodels(peer: Any, way: str) -> None:
    fit = EXPOSED[way]()
    np.testing.assert_allclose([float(fit.intercept), *fit.coef.tolist()], peer.params, rtol=PEER)
    np.testing.assert_allclose(fit.summary().to_frame()["se"], peer.bse, rtol=PEER)
    found = fit.solution.information
    assert found is not None
    assert found.deviance[0] == pytest.approx(peer.deviance, rel=PEER)
    assert found.null_deviance[0] == pytest.approx(peer.null_deviance, rel=PEER)
    assert found.log_likelihood[0] == pytest.approx(peer.llf, rel=PEER)


@pytest.mark.parametrize("way", EXPOSED)
def test_predictions_have_the_offset_of_the_new_rows(peer: Any, way: str, tmp_path: Path) -> None:
    fit = EXPOSED[way]()
    fit.save(tmp_path / "model.safetensors")
    loaded = tl.load(tmp_path / "model.safetensors")
    assert loaded.equation == fit.equation
    given: dict[str, Any] = {}
    if way in ("arrays", "tensors", "values"):
        given = {"offset": np.log(RATES["hours"])} if way == "tensors" else {"exposure": RATES["hours"]}
    new = FEATURES if way in ("arrays", "tensors") else RATES
    for model in (fit, loaded):
        np.testing.assert_allclose(model.predict(new, **given), peer.fittedvalues, rtol=1e-9)
        link = model.predict(new, kind="link", **given)
        np.testing.assert_allclose(link, np.log(peer.fittedvalues), rtol=1e-9)


def test_labels_with_an_offset_are_those_of_statsmodels() -> None:
    y = (RATES["a"] + RNG.logistic(size=N) + 0.3 * RATES["b"] > 1).to_numpy()
    design = sm.add_constant(RATES[["a"]])
    peer = sm.GLM(y, design, family=sm.families.Binomial(), offset=0.3 * RATES["b"]).fit(tol=1e-14)
    fit = tl.fit(RATES[["a"]].to_numpy(), y, loss="logistic", offset=0.3 * RATES["b"].to_numpy())
    np.testing.assert_allclose([float(fit.intercept), *fit.coef.tolist()], peer.params, rtol=PEER)
    proba = fit.predict_proba(RATES[["a"]].to_numpy(), offset=0.3 * RATES["b"].to_numpy())
    np.testing.assert_allclose(proba[:, 1], peer.fittedvalues, rtol=1e-9)
    assert fit.solution.information is not None
    assert fit.solution.information.null_deviance[0] == pytest.approx(peer.null_deviance, rel=PEER)


@pytest.mark.parametrize("loss", ["quantile", "absolute", "huber"])
def test_residual_losses_see_the_target_less_the_offset(loss: str) -> None:
    y, offset = RATES["b"].to_numpy() + RNG.normal(size=N), RATES["a"].to_numpy() * 7
    X = RATES[["hours"]].to_numpy()
    with_offset, without = tl.fit(X, y, loss=loss, offset=offset), tl.fit(X, y - offset, loss=loss)
    np.testing.assert_allclose(with_offset.coef, without.coef, rtol=1e-9)
    np.testing.assert_allclose(with_offset.predict(X, offset=offset), without.predict(X) + offset, rtol=1e-9)


def test_a_constant_offset_is_taken_off_the_intercept() -> None:
    plain = tl.fit(FEATURES, RATES["count"].to_numpy(), loss="poisson")
    shifted = tl.fit(FEATURES, RATES["count"].to_numpy(), loss="poisson", offset=np.full(N, 30.0))
    np.testing.assert_allclose(shifted.coef, plain.coef, rtol=1e-9)
    assert float(shifted.intercept) == pytest.approx(float(plain.intercept) - 30.0, rel=1e-12)


def test_intervals_have_the_offset(anorexia: dict[str, Any]) -> None:
    frame = patients(anorexia)
    fit = WAYS["column"](frame)
    band = fit.predict(frame, interval=0.95)
    np.testing.assert_allclose(band.mean, anorexia["fitted"], rtol=1e-12)
    assert (band.low < band.mean).all()


def test_new_rows_without_their_exposure_are_not_predicted() -> None:
    new = RATES.iloc[:4].copy()
    new.loc[0, "hours"] = 0.0
    new.loc[1, "hours"] = np.nan
    new.loc[2, "hours"] = -1.0
    for way in ("column", "formula"):
        np.testing.assert_array_equal(np.isnan(EXPOSED[way]().predict(new)), [True, True, True, False])


ARRAY = (FEATURES, RATES["count"].to_numpy())


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: tl.fit(*ARRAY, exposure=RATES["hours"]),
            r"exposure= takes the log link.*'squared' has the identity link; use link='log'",
        ),
        (
            lambda: tl.fit(FEATURES, RATES["a"] > 0, loss="logistic", exposure=RATES["hours"]),
            r"'binomial' has the logit link",
        ),
        (
            lambda: tl.fit(FEATURES, RATES["a"] > 0, loss="softmax", offset=RATES["hours"]),
            r"offset= shifts the scores of all classes alike",
        ),
        (lambda: tl.fit(*ARRAY, loss="poisson", exposure=RATES["a"]), r"exposure must be finite and above 0"),
        (
            lambda: tl.fit(*ARRAY, offset=[1.0, 2.0]),
            r"offset has shape \(2,\); expected \(400,\), one for each row",
        ),
        (lambda: tl.fit(*ARRAY, offset=np.full(N, np.inf)), r"offset must be finite in every row"),
        (
            lambda: tl.fit(*ARRAY, offset="hours"),
            r"offset='hours' names a column, but the data is a ndarray of shape",
        ),
        (
            lambda: tl.fit(RATES, "count", offset="hour"),
            r"offset: .* no column 'hour' \(did you mean 'hours'\?\)",
        ),
        (lambda: tl.fit(RATES.assign(t="x"), "count", offset="t"), r"offset: column 't' is text"),
        (
            lambda: tl.fit(RATES, "count", loss="poisson", exposure="a"),
            r"exposure: column 'a' goes down to -.*must be above 0",
        ),
        (
            lambda: tl.fit(RATES, formula="count ~ a + offset(b)", offset="hours"),
            r"has an offset\(\), and offset='hours' is another",
        ),
        (
            lambda: tl.fit(RATES, formula="count ~ a + offset(log(b))"),
            r"the offset log\(b\) is not a finite number in \d+ of 400 rows",
        ),
        (lambda: tl.fit(RATES, formula="count ~ a:offset(b)"), r"offset\(\) stands alone"),
        (lambda: tl.fit(RATES, formula="count ~ a + offset(C(b))"), r"'b' is a category in offset\(\)"),
        (
            lambda: tl.fit("no.csv", "count", offset=np.ones(3)),
            r"offset for a file is the name of a column, got a ndarray",
        ),
        (
            lambda: EXPOSED["arrays"]().predict(FEATURES),
            r"fitted with log\(exposure\), and new rows need it too: pass exposure=",
        ),
        (
            lambda: EXPOSED["tensors"]().predict(FEATURES),
            r"fitted with offset, and new rows need it too: pass offset=",
        ),
        (lambda: EXPOSED["column"]().predict(RATES[["a", "b"]]), r"the new rows: .* has no column 'hours'"),
        (
            lambda: EXPOSED["formula"]().predict(RATES, offset=np.ones(N)),
            r"offset= is given, but the model takes log\(hours\) from the columns",
        ),
        (
            lambda: tl.fit(*ARRAY).predict(FEATURES, offset=np.ones(N)),
            r"offset= is given, but the model was fitted without",
        ),
        (
            lambda: EXPOSED["column"]().predict(RATES, exposure=np.zeros(N)),
            r"exposure must be finite and above 0",
        ),
    ],
)
def test_mistakes(call: Callable[[], Any], sentence: str) -> None:
    with pytest.raises((tl.InvalidInput, tl.DataError), match=sentence):
        call()


def test_an_offset_is_no_feature_unless_named() -> None:
    assert EXPOSED["column"]().names == ("a", "b")
    assert tl.fit(RATES, formula="count ~ .", loss="poisson", exposure="hours").names == ("a", "b")
    both = tl.fit(RATES, "count", columns=["a", "hours"], loss="poisson", exposure="hours")
    assert both.names == ("a", "hours")
