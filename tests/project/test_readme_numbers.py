"""Both READMEs hold exactly what benchmarks/results says, and what their table tells users to type runs."""

import csv
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn, optim

import torchlinear as tl

ROOT = Path(__file__).resolve().parents[2]
HEAD = ["date", "machine", "work", "side", "median_seconds", "ratio_to_fastest_peer", "goal"]


def program(name: str) -> ModuleType:
    """A file of benchmarks/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


table, digits = program("table"), program("digits")
NUMBERS = {language: path.read_text(encoding="utf-8") for language, path in table.READMES.items()}


def results(folder: Path, *runs: tuple[str, str, dict[str, float]]) -> Path:
    """A folder with results as the harness writes them."""
    for file, work, medians in runs:
        path = folder / f"{file}.csv"
        rows = [] if path.exists() else [HEAD]
        ratio = min(list(medians.values())[1:]) / next(iter(medians.values()))
        rows += [
            ["2026-11-23", "a machine", work, side, s, f"{ratio:.3g}", "a goal"]
            for side, s in medians.items()
        ]
        with path.open("a", newline="") as stream:
            csv.writer(stream).writerows(rows)
    return folder


@pytest.mark.parametrize("language", table.READMES)
def test_numbers_are_the_newest_results(language: str) -> None:
    text = NUMBERS[language]
    assert table.filled(text, language) == text, "run: python benchmarks/table.py --write"


@pytest.mark.parametrize("language", table.MODELS)
def test_counts_are_those_of_the_last_run(language: str) -> None:
    text = table.MODELS[language].read_text(encoding="utf-8")
    assert "<!-- counts -->" in text
    assert table.filled(text, language) == text, "run: python benchmarks/table.py --write"


def test_both_languages_show_the_same_numbers() -> None:
    keys = [sorted(match[1] for match in table.MARK.findall(text)) for text in NUMBERS.values()]
    assert keys[0] == keys[1]
    assert {"speed", "digits", "losses", "machine"} <= set(keys[0])


@pytest.mark.parametrize("language", table.READMES)
def test_every_comment_is_a_mark(language: str) -> None:
    assert "<!--" not in table.MARK.sub("", NUMBERS[language])
    assert "<!-- / -->" not in "".join(match[2] for match in table.MARK.finditer(NUMBERS[language]))


@pytest.mark.parametrize("language", table.READMES)
def test_no_line_of_text_starts_with_a_mark(language: str) -> None:
    # Markdown takes such a line for HTML: it ends the paragraph, and what follows on it is not Markdown.
    lines = [line.strip() for line in NUMBERS[language].splitlines()]
    assert [line for line in lines if line.startswith("<!--") and not line.endswith("-->")] == []


def test_every_result_has_its_row() -> None:
    works = {(work.file, work.title) for work in table.WORKS.values()}
    for path in table.RESULTS.glob("*.csv"):
        if path.stem not in ("digits", "races"):  # which have a table of their own, and no peer
            with path.open(newline="", encoding="utf-8") as stream:
                assert {(path.stem, row["work"]) for row in csv.DictReader(stream)} <= works


def test_the_newest_run_and_its_fastest_peer_count(tmp_path: Path) -> None:
    work = table.WORKS["exact"]
    folder = results(
        tmp_path,
        (work.file, work.title, {"torchlinear tl.fit": 9.0, "numpy.linalg.lstsq": 1.0}),
        (
            work.file,
            work.title,
            {"torchlinear tl.fit": 0.01, "numpy.linalg.lstsq": 0.5, "statsmodels OLS": 0.043},
        ),
    )
    found = table.newest(work, folder)
    assert (found.ours, found.peer, found.theirs) == (0.01, "statsmodels OLS", 0.043)
    assert table.value("exact.ratio", "en", folder) == "4.3"
    assert "| 10.0 ms | 43.0 ms, statsmodels OLS | 4.3× |" in "\n".join(table.speed("en", folder))
    assert table.losses("en", folder) == []


def test_what_is_slower_is_a_loss_unless_the_other_side_does_nothing(tmp_path: Path) -> None:
    runs = [
        (table.WORKS[key].file, table.WORKS[key].title, {"torchlinear": 2.0, "the other": 1.0})
        for key in ("cold", "parquet")
    ]
    (line,) = table.losses("en", results(tmp_path, *runs))
    assert line == "- fresh process: import and fit, 10,000 × 10: 2.00 s; the other 1.00 s."


def test_a_number_that_was_changed_by_hand_is_found() -> None:
    changed = NUMBERS["en"].replace("| Filip | 14", "| Filip | 15")
    assert changed != NUMBERS["en"]
    assert table.filled(changed, "en") != changed


@pytest.mark.parametrize("key", ["speeed", "tutorial.rato", "Filip.scipy"])
def test_a_key_that_is_not_known_is_an_error(key: str) -> None:
    with pytest.raises(KeyError):
        table.filled(f"<!-- {key} --><!-- / -->", "en")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12.345, "12.3 s"), (1.0, "1.00 s"), (0.0024, "2.40 ms"), (0.7853, "785 ms"), (4.2e-4, "420 µs")],
)
def test_durations(seconds: float, text: str) -> None:
    assert table.duration(seconds) == text


@pytest.mark.parametrize(("ratio", "text"), [(0.42, "0.4"), (4.34, "4.3"), (43.4, "43"), (3898, "3,900")])
def test_ratios(ratio: float, text: str) -> None:
    assert table.times(ratio) == text


@pytest.mark.parametrize("name", digits.CERTIFIED)
def test_our_digits_are_those_of_the_results(name: str) -> None:
    for side in ("torchlinear", "torchlinear, ready-made columns"):
        with (table.RESULTS / "digits.csv").open(newline="", encoding="utf-8") as stream:
            (row,) = (row for row in csv.DictReader(stream) if (row["set"], row["side"]) == (name, side))
        coef, se = digits.measure(side, name)
        # One place is the share of an ulp in which processors differ: digits are at most 16.
        assert float(row["coef"]) == pytest.approx(coef, abs=0.3)
        assert float(row["se"]) == pytest.approx(se, abs=0.3)


def test_the_picture_is_drawn_by_its_script(tmp_path: Path) -> None:
    script = ROOT / "docs" / "images" / "race.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, timeout=200)
    drawn = (tmp_path / "race.svg").read_text(encoding="utf-8")
    kept = (ROOT / "docs" / "images" / "race.svg").read_text(encoding="utf-8")
    texts = [re.findall(r"<!-- (.+?) -->", picture) for picture in (drawn, kept)]  # as Matplotlib notes them
    assert texts[0] == texts[1]
    assert all("](docs/images/race.svg)" in text for text in NUMBERS.values())


def typed() -> list[str]:
    """Code of the right column of "You have, you type"."""
    section = NUMBERS["en"].split("\n## You have, you type\n")[1].split("\n## ")[0]
    cells = [line.split("|")[2] for line in section.splitlines() if line.startswith("|")][2:]
    return [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]


def test_there_is_something_to_type() -> None:
    assert len(typed()) > 12


def test_both_languages_tell_to_type_the_same() -> None:
    rows = [re.findall(r"^\|[^|]+\|(.+)\|$", text, re.MULTILINE) for text in NUMBERS.values()]
    codes = [[re.findall(r"`[^`]+`", cell) for cell in cells] for cells in rows]
    assert codes[0][: len(typed())] == codes[1][: len(typed())]


def test_what_you_type_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchlinear.commands import main

    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    df = pd.DataFrame({"area": rng.uniform(30, 150, 90), "rooms": rng.integers(1, 6, 90)})
    df["city"] = rng.choice(["Lyon", "Nantes", "Paris"], 90)
    df["days"] = rng.integers(1, 30, 90)
    df["visits"] = rng.poisson(0.2 * df["days"])
    df["sold"] = np.where(rng.random(90) < 0.5, "yes", "no")
    df["price"] = 3 * df["area"] + 120 * (df["city"] == "Paris") + rng.normal(size=90)
    df.to_csv("houses.csv", index=False)
    Path("houses").mkdir()
    for part in ("a", "b"):
        df.to_parquet(f"houses/{part}.parquet")
    X = torch.randn(90, 2)
    y = X @ torch.tensor([[1.0], [2.0]]) + 3
    kind = rng.choice(["cat", "dog", "owl"], 90)
    names = {
        "tl": tl,
        "nn": nn,
        "optim": optim,
        "X": X,
        "y": y,
        "kind": kind,
        "df": df,
        "model": nn.Linear(2, 1),
    }
    names |= {
        "make_pipeline": make_pipeline,
        "StandardScaler": StandardScaler,
        "new": X[:3],
        "fit": tl.fit(X, y),
        "groups": ["a", "b"],
    }
    for code in typed():
        if code in ("torchlinear demo", "torchlinear lab"):
            continue  # tests/commands
        if code.startswith("torchlinear "):
            assert main(code.split()[1:]) == 0
            assert Path("model.safetensors").exists()
        else:
            assert eval(code, names) is not None or "save" in code or "print" in code
