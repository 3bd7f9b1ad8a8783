"""`torchlinear fit`, `predict` and `inspect` on files."""

import gzip
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from pyarrow import parquet
from torch import Tensor

import torchlinear as tl
from torchlinear.commands import main
from torchlinear.loop import History

EXACT = {"Intercept": 0, "area": 2000, "rooms": 5000, "city[T.Nice]": 30_000, "city[T.Paris]": 90_000}


def coefficients(record: dict, target: str = "price") -> dict[str, float]:
    table = record["targets"][target]
    return dict(zip(table["names"], table["coef"]))


def test_fit_finds_the_coefficients(run, houses) -> None:
    ended = run("fit", "houses.csv", "-y", "price", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert coefficients(ended.json) == pytest.approx(EXACT, abs=1e-6)
    assert ended.json["rows"] == 60


def test_fit_prints_what_the_library_knows(run, houses) -> None:
    out = run("fit", "houses.csv", "-y", "price", "-x", "area", "rooms").out
    fit = tl.fit("houses.csv", "price", columns=["area", "rooms"])
    assert fit.equation in out
    frame = fit.summary().to_frame()
    for name, row in frame.iterrows():
        line = next(line for line in out.splitlines() if line.startswith(f"{name} "))
        cells = [float(cell) for cell in line.split()[1:4]]
        assert cells == pytest.approx([row["coef"], row["se"], row["t"]], rel=0.02)


@pytest.mark.parametrize(
    "options", [["--formula", "price ~ area + C(city)"], ["-y", "price", "-x", "area", "city"]]
)
def test_a_formula_says_the_same_as_columns(run, houses, options) -> None:
    names = set(coefficients(run("fit", "houses.csv", *options, "--json").json))
    assert len(names) == 4
    assert {"Intercept", "area"} < names


def test_options_reach_the_fit(run, houses) -> None:
    ridge = run(
        "fit", "houses.csv", "-y", "price", "-x", "area", "--penalty", "l2", "--alpha", "3", "--json"
    ).json
    expected = tl.fit("houses.csv", "price", columns=["area"], penalty=tl.L2(3.0))
    assert coefficients(ridge)["area"] == pytest.approx(expected.coef.item(), rel=1e-12)
    bounded = run("fit", "houses.csv", "-y", "price", "-x", "area", "--penalty", "nonnegative", "--json").json
    assert coefficients(bounded)["area"] > 0.0
    through_zero = run("fit", "houses.csv", "-y", "price", "-x", "area", "--no-intercept", "--json").json
    assert list(coefficients(through_zero)) == ["area"]
    narrow = run("fit", "houses.csv", "-y", "price", "-x", "area", "--level", "0.5", "--json").json
    assert narrow["level"] == 0.5
    weighted = run("fit", "houses.csv", "-y", "price", "-x", "area", "--weights", "rooms", "--json").json
    assert weighted["weight_type"] == "precision"
    by_qr = run("fit", "houses.csv", "-y", "price", "--solver", "qr", "--json").json
    assert by_qr["solver"].startswith("qr")


def test_missing_values_are_counted_and_left_out_on_request(run) -> None:
    Path("a.csv").write_text("x,y\n1,2\n2,4\n,5\n4,8\n", encoding="utf-8")
    refused = run("fit", "a.csv", "-y", "y")
    assert refused.code == 2
    assert "x: 1 of 4 rows" in refused.err
    kept = run("fit", "a.csv", "-y", "y", "--missing", "drop", "--json")
    assert kept.json["rows"] == 3
    assert coefficients(kept.json, "y")["x"] == pytest.approx(2, abs=1e-12)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["houses.csv"],
            "Add -y COLUMN. The columns: area (number), rooms (number), city (text), price (number).",
        ),
        (["houses.csv", "-y", "prise"], "did you mean 'price'?"),
        (["houses.csv", "-y", "price", "-x", "price"], "'price' is the target and also a feature"),
        (["houses.csv", "-y", "city"], "city"),
        (["house.csv", "-y", "price"], "did you mean 'houses.csv'?"),
        (["houses.csv", "-y", "price", "--alpha", "1"], "add --penalty l2"),
        (["houses.csv", "-y", "price", "--penalty", "l2"], "--alpha 0.1"),
        (["houses.csv", "-y", "price", "--penalty", "nonnegative", "--alpha", "1"], "leave --alpha out"),
        (["houses.csv", "-y", "price", "--solver", "adm"], "--solver 'adm' is not known"),
        (["houses.csv", "-y", "price", "--level", "2"], "level"),
        (["houses.csv", "-y", "price", "--plot", "fit.doc"], "fit.doc"),
        (["houses.csv", "-y", "price", "--save", "no/such/folder/m.safetensors"], "no/such/folder"),
        (["houses.csv", "-y", "price", "--plot", "no/such/folder/fit.png"], "no/such/folder"),
    ],
)
def test_mistakes_get_a_sentence(run, houses, words, text) -> None:
    ended = run("fit", *words)
    assert (ended.code, ended.out) == (2, "")
    assert text in ended.err
    assert ended.err.count("\n") == 1
    assert os.listdir() == ["houses.csv"]


def test_a_dropped_column_is_a_warning_in_a_sentence(run) -> None:
    Path("a.csv").write_text("x,twice,y\n1,2,1\n2,4,3\n4,8,4\n7,14,9\n", encoding="utf-8")
    ended = run("fit", "a.csv", "-y", "y")
    assert ended.code == 0
    assert ended.err.startswith("warning: dropped twice")
    assert "RankWarning" not in ended.err


def test_plot_and_model_are_written(run, houses) -> None:
    ended = run("fit", "houses.csv", "-y", "price", "--save", "m.safetensors", "--plot", "fit.png")
    assert (ended.code, ended.err) == (0, "")
    assert "predict m.safetensors" in ended.out
    assert imread("fit.png").std() > 0.05
    loaded = tl.load("m.safetensors")
    assert dict(zip(loaded.names, loaded.coef.tolist())) == pytest.approx(
        {name: value for name, value in EXACT.items() if name != "Intercept"}, abs=1e-6
    )


@pytest.fixture
def model(houses) -> Path:
    """A model of the houses; their file is gone."""
    assert main(["fit", "houses.csv", "-y", "price", "--save", "m.safetensors", "--json"]) == 0
    houses.unlink()
    return Path("m.safetensors")


NEW = "rooms,city,area,note\n2,Paris,50,a\n,Lyon,80,b\n1,Berlin,30,c\n3,Nice,,d\n4,Lyon,100,e\n"
VALUES = [200_000.0, np.nan, np.nan, np.nan, 220_000.0]


def test_predict_keeps_rows_and_their_order(run, model) -> None:
    Path("new.csv").write_text(NEW, encoding="utf-8")
    ended = run("predict", "m.safetensors", "new.csv")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0] == "prediction"
    assert [float(line) for line in lines[1:]] == pytest.approx(VALUES, nan_ok=True)
    assert ended.err.startswith("3 of 5 rows cannot be predicted")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predict_writes_files_whole(run, model, ending: str) -> None:
    Path("new.csv").write_text(NEW, encoding="utf-8")
    ended = run("predict", "m.safetensors", "new.csv", "-o", f"out.{ending}", "--json")
    assert ended.json == {"rows": 5, "not_predicted": 3, "output": f"out.{ending}"}
    if ending == "csv":
        values = [float(line) for line in Path("out.csv").read_text(encoding="utf-8").splitlines()[1:]]
    else:
        values = parquet.read_table("out.parquet").column("prediction").to_pylist()
    assert values == pytest.approx(VALUES, nan_ok=True)


def test_a_prediction_that_fails_leaves_the_old_file(run, model) -> None:
    Path("out.csv").write_text("old\n", encoding="utf-8")
    # A text far down in a column of numbers: found only after rows were written.
    rows = ["2,Paris,50"] * 300_000 + ["2,Paris,fifty"]
    Path("new.csv").write_text("rooms,city,area\n" + "\n".join(rows) + "\n", encoding="utf-8")
    ended = run("predict", "m.safetensors", "new.csv", "-o", "out.csv")
    assert ended.code == 2
    assert "fifty" in ended.err
    assert Path("out.csv").read_text(encoding="utf-8") == "old\n"
    assert sorted(os.listdir()) == ["m.safetensors", "new.csv", "out.csv"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["no.safetensors", "new.csv"], "no.safetensors"),
        (["new.csv", "new.csv"], "is not a readable torchlinear model"),
        (["m.safetensors", "no.csv"], "no.csv"),
        (["m.safetensors", "small.csv"], "rooms"),
        (["m.safetensors", "new.csv", "-o", "out.xlsx"], ".csv, .parquet"),
        (["m.safetensors", "new.csv", "-o", "no/such/folder/out.csv"], "cannot be written"),
        (["m.safetensors", "new.csv", "--json"], "--output"),
    ],
)
def test_mistakes_of_predict_get_a_sentence(run, model, words, text) -> None:
    Path("new.csv").write_text(NEW, encoding="utf-8")
    Path("small.csv").write_text("area,city\n1,Lyon\n", encoding="utf-8")
    ended = run("predict", *words)
    assert (ended.code, ended.out) == (2, "")
    assert text in ended.err
    assert ended.err.count("\n") == 1


def test_inspect_shows_a_model_without_its_rows(run, model) -> None:
    record = run("inspect", "m.safetensors", "--json").json
    assert coefficients(record) == pytest.approx(EXACT, abs=1e-6)
    assert record["rows"] == 60
    assert "price = 2000 area" in run("inspect", "m.safetensors").out


def test_inspect_shows_columns(run) -> None:
    text = "n,s,b\n1.5,x,true\n-2,y,false\n,x,true\n"
    with gzip.open("a.csv.gz", "wt", encoding="utf-8") as file:
        file.write(text)
    record = run("inspect", "a.csv.gz", "--json").json
    assert record["rows"] == 3
    number, words, yes_no = record["columns"]
    shown = (number["kind"], number["missing"], number["minimum"], number["maximum"], number["mean"])
    assert shown == ("number", 1, -2, 1.5, -0.25)
    assert (words["kind"], words["levels"]) == ("text", ["x", "y"])
    assert yes_no["kind"] == "boolean"
    out = run("inspect", "a.csv.gz").out
    assert "3 rows, 3 columns" in out
    assert "x, y" in out


@pytest.mark.parametrize("answer", ["price", "4", "cost\n4"])
def test_at_a_terminal_the_target_is_asked_for(houses, answer: str) -> None:
    pty = pytest.importorskip("pty", reason="pseudo-terminals are a Unix thing")
    command = [sys.executable, "-m", "torchlinear.commands", "fit", str(houses)]
    reader, terminal = pty.openpty()
    process = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env={**os.environ, "TERM": "xterm"}
    )
    os.close(terminal)
    threading.Timer(0.1, lambda: os.write(reader, f"{answer}\n".encode())).start()
    out = b""
    try:
        while chunk := os.read(reader, 4096):
            out += chunk
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(reader)
    assert process.wait(timeout=60) == 0, out.decode()
    assert "price = 2000 area" in out.decode()
    assert ("There is no column cost" in out.decode()) == ("cost" in answer)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interrupted_fit_ends_with_130_and_says_so(run, houses, monkeypatch) -> None:
    extend = History.extend

    def interrupted(history: History, trace: Tensor) -> None:
        """Press Ctrl-C once the first step is done."""
        extend(history, trace)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(History, "extend", interrupted)
    ended = run(
        "fit", "houses.csv", "-y", "price", "-x", "area", "--solver", "sgd", "--json", "--max-epochs", 10**9,
        "--save", "m.safetensors",
    )  # fmt: skip
    assert (ended.code, ended.err) == (130, "Interrupted.\n")
    assert ended.json["status"] == "interrupted"
    assert not Path("m.safetensors").exists()


def test_the_numbers_of_a_loss(run, houses) -> None:
    options = ("-y", "price", "-x", "area", "rooms")
    out = run("fit", "houses.csv", *options, "--loss", "quantile", "--loss-option", "q=0.9", "--json").json
    upper = tl.fit("houses.csv", "price", columns=["area", "rooms"], loss=tl.Quantile(0.9))
    assert coefficients(out)["area"] == pytest.approx(float(upper.coef[0]), rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "given", "said"),
    [
        ("tweedie", "p=1.5", "power=1.5"),
        ("tweedie", "power", "power=1.5"),
        ("tweedie", "power=much", "power=much"),
        ("tweedie", "power=0.5", "power"),
        ("poisson", "power=1.5", "no numbers to set"),
    ],
)
def test_numbers_that_a_loss_does_not_have(run, houses, loss, given, said) -> None:
    ended = run("fit", "houses.csv", "-y", "price", "--loss", loss, "--loss-option", given)
    assert ended.code == 2
    assert said in ended.err
