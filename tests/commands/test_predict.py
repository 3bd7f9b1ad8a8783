"""`torchlinear fit` and `predict` for classes, counts and offsets."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import torchlinear as tl

N = 200
NEW = 6


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """A CSV with two and three classes, counts over days, and new rows of which one cannot be predicted."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"age": rng.integers(20, 80, N), "dose": rng.normal(size=N).round(3)})
    score = (frame["age"] - 50) / 15 + frame["dose"] + rng.logistic(size=N)
    frame["state"] = np.where(score > 0, 'sick, "very"', "well")
    frame["ward"] = np.select([score < -1, score < 1], ["north", "south"], "west")
    frame["grade"] = np.select([score < -1, score < 1], [1, 2], 3)
    frame["days"] = rng.integers(1, 60, N)
    frame["falls"] = rng.poisson(frame["days"] * np.exp(0.3 * frame["dose"] - 3))
    frame.to_csv(tmp_path / "patients.csv", index=False)
    new = frame[["age", "dose", "days"]][:NEW].astype(float)
    new.loc[2, "dose"] = np.nan
    new.to_csv(tmp_path / "new.csv", index=False)
    return tmp_path / "patients.csv"


def fitted(run, target: str, *options: str) -> tl.Fit:
    ended = run("fit", "patients.csv", "-y", target, "-x", "age", "dose", "--save", "m.safetensors", *options)
    assert (ended.code, ended.err) == (0, "")
    return tl.load("m.safetensors")


def test_the_screen_names_loss_classes_and_equation(run, patients) -> None:
    out = run("fit", "patients.csv", "-y", "state", "-x", "age", "dose", "--loss", "logistic").out
    fit = tl.fit(patients, "state", columns=["age", "dose"], loss="logistic")
    assert "loss       binomial, logit link" in out
    assert 'classes    sick, "very", well; the coefficients are of well' in out
    assert f"equation   {fit.equation}" in out
    many = run("fit", "patients.csv", "-y", "ward", "-x", "age", "dose", "--loss", "softmax").out
    assert "classes    north, south, west\n" in many
    for label in ("north", "south", "west"):
        assert f"score({label}) = " in many
        assert f"\n{label}\ncolumn " in many


def test_screens_in_chinese(run, patients) -> None:
    out = run(
        "fit", "patients.csv", "-y", "state", "-x", "age", "--loss", "logistic", "--lang", "zh",
        "--save", "m.safetensors",
    ).out  # fmt: skip
    assert '类别       sick, "very", well；系数针对 well' in out
    assert run("inspect", "m.safetensors", "--lang", "zh").out in out
    counts = run(
        "fit",
        "patients.csv",
        "-y",
        "falls",
        "-x",
        "age",
        "--loss",
        "poisson",
        "--exposure",
        "days",
        "--lang",
        "zh",
    )
    assert "偏移量     log(days)" in counts.out


def test_json_has_classes_and_offset(run, patients) -> None:
    record = run("fit", "patients.csv", "-y", "grade", "-x", "age", "--loss", "softmax", "--json").json
    assert record["classes"] == [1, 2, 3]
    assert list(record["targets"]) == ["1", "2", "3"]
    assert record["offset"] is None
    record = run(
        "fit",
        "patients.csv",
        "-y",
        "falls",
        "-x",
        "dose",
        "--loss",
        "poisson",
        "--exposure",
        "days",
        "--json",
    ).json
    assert (record["classes"], record["offset"]) == (None, "log(days)")
    assert record["loss"] == "poisson, log link"
    fit = tl.fit(patients, "falls", columns=["dose"], loss="poisson", exposure="days")
    assert record["equation"] == fit.equation
    assert record["targets"]["falls"]["coef"][1:] == fit.coef.tolist()


@pytest.mark.parametrize(
    ("options", "same"),
    [
        (["--loss", "binomial", "--link", "probit"], {"loss": "binomial", "link": "probit"}),
        (
            ["--loss", "logistic", "--penalty", "l1", "--alpha", "0.02"],
            {"loss": "logistic", "penalty": tl.L1(0.02)},
        ),
        (
            ["--loss", "logistic", "--penalty", "elastic_net", "--alpha", "0.1", "--mix", "0.2"],
            {"loss": "logistic", "penalty": tl.L1L2(0.1, mix=0.2)},
        ),
        (["--loss", "logistic", "--offset", "days"], {"loss": "logistic", "offset": "days"}),
    ],
)
def test_options_reach_the_fit(run, patients, options: list[str], same: dict) -> None:
    fit = fitted(run, "state", *options)
    again = tl.fit(patients, "state", columns=["age", "dose"], **same)
    np.testing.assert_array_equal(fit.coef, again.coef)
    assert fit.solution.penalty == again.solution.penalty


def test_labels_as_csv(run, patients) -> None:
    fit = fitted(run, "state", "--loss", "logistic")
    ended = run("predict", "m.safetensors", "new.csv")
    heading, *rows = csv.reader(io.StringIO(ended.out))
    assert heading == ["prediction"]
    expected = fit.predict("new.csv")
    assert [row[0] for row in rows] == ["NaN" if label is None else label for label in expected]
    assert "1 of 6 rows cannot be predicted" in ended.err


def test_probabilities_as_csv(run, patients) -> None:
    fit = fitted(run, "ward", "--loss", "softmax")
    frame = pd.read_csv(io.StringIO(run("predict", "m.safetensors", "new.csv", "--proba").out))
    assert list(frame.columns) == ["prediction", "probability_north", "probability_south", "probability_west"]
    np.testing.assert_array_equal(frame.iloc[:, 1:].to_numpy(), fit.predict_proba("new.csv"))
    labels = fit.predict("new.csv")
    assert [None if label is np.nan else label for label in frame["prediction"].astype(object)] == list(
        labels
    )


@pytest.mark.parametrize(("target", "kind"), [("state", "string"), ("grade", "int64")])
def test_labels_as_parquet_keep_their_type(run, patients, target: str, kind: str) -> None:
    from pyarrow import parquet

    fit = fitted(run, target, "--loss", "softmax")
    ended = run("predict", "m.safetensors", "new.csv", "--proba", "-o", "out.parquet")
    assert ended.code == 0
    table = parquet.read_table("out.parquet")
    assert str(table.schema.field("prediction").type) == kind
    assert table["prediction"].to_pylist() == list(fit.predict("new.csv"))
    columns = [table[name].to_numpy() for name in table.column_names[1:]]
    np.testing.assert_array_equal(np.stack(columns, axis=1), fit.predict_proba("new.csv"))
    assert (
        run("predict", "m.safetensors", "new.csv", "-o", "out.parquet", "--json").json["not_predicted"] == 1
    )


def test_labels_that_a_csv_would_misread_are_quoted(run, tmp_path: Path) -> None:
    labels = ["", "NaN", 'a "b"', "c,d", "e\nf"]
    frame = pd.DataFrame({"x": np.repeat(np.arange(5.0), 8), "y": np.repeat(labels, 8)})
    tl.fit(frame, "y", loss="softmax", penalty=tl.L2(0.001)).save("m.safetensors")
    frame.to_parquet("x.parquet")
    out = run("predict", "m.safetensors", "x.parquet").out
    _, *rows = csv.reader(io.StringIO(out))
    assert [row[0] for row in rows] == list(tl.load("m.safetensors").predict("x.parquet"))
    assert {row[0] for row in rows} == set(labels)


def test_counts_are_predicted_with_their_exposure(run, patients) -> None:
    fit = fitted(run, "falls", "--loss", "poisson", "--exposure", "days")
    frame = pd.read_csv(io.StringIO(run("predict", "m.safetensors", "new.csv").out))
    np.testing.assert_array_equal(frame["prediction"], fit.predict("new.csv"))
    Path("bare.csv").write_text("age,dose\n1,2\n", encoding="utf-8")
    ended = run("predict", "m.safetensors", "bare.csv")
    assert ended.code == 2
    assert "no column 'days'" in ended.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-y", "ward", "--loss", "logistic"], "column 'ward' holds 3 classes (north, south, west)"),
        (
            ["-y", "ward"],
            "The column 'ward' is text, and --loss squared takes numbers; for classes add --loss logistic",
        ),
        (["-y", "falls", "--loss", "softmax", "--plot", "a.png"], "--plot draws one line"),
        (["-y", "falls", "--loss", "poison"], "--loss 'poison' is not known (did you mean poisson?)"),
        (["-y", "falls", "--loss", "poisson", "--link", "logit"], "loss='poisson' has no link='logit'"),
        (["-y", "falls", "-x", "age", "--exposure", "days"], "exposure= takes the log link"),
        (["-y", "falls", "-x", "age", "--mix", "0.5"], "add --penalty elastic_net"),
        (["-y", "falls", "-x", "age", "--penalty", "l1"], "--penalty l1 needs its strength"),
        (["-y", "falls", "-x", "age", "--offset", "day"], "has no column 'day' (did you mean 'days'?)"),
    ],
)
def test_mistakes_get_one_sentence(run, patients, words: list[str], sentence: str) -> None:
    ended = run("fit", "patients.csv", *words)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err
    assert len(ended.err.splitlines()) == 1


def test_probabilities_of_a_model_of_numbers(run, patients) -> None:
    fitted(run, "falls", "--loss", "poisson")
    ended = run("predict", "m.safetensors", "new.csv", "--proba")
    assert ended.code == 2
    assert "m.safetensors is a model of numbers (loss poisson, log link)" in ended.err


def test_help_shows_every_default(run) -> None:
    """Rich takes words in brackets for its markup unless they are text."""
    out = " ".join(run("fit", "--help").out.split())
    for default in ("squared", "auto", "error", "precision", "0.95"):
        assert f"[default: {default}]" in out
