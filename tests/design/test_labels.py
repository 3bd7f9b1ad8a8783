"""Targets of classes: learnt from any source, stored with the design, replayed in any order of rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from torchlinear.design import Design
from torchlinear.errors import DataError, InvalidInput, ModelFileError
from torchlinear.sources import read

N = 90
CODES = np.random.default_rng(2).integers(0, 2, N)
THREE = np.random.default_rng(3).integers(0, 3, N)
FRAME = pd.DataFrame(
    {
        "x": np.arange(N) * 0.5,
        "text": np.array(["no, never", "yes"])[CODES],
        "ordered": pd.Categorical(np.array(["a", "b"])[CODES], categories=["b", "a", "z"]),
        "boolean": CODES == 1,
        "whole": CODES * 10 - 3,
        "float": CODES + 0.0,
        "other": CODES * 1.5 + 0.25,
        "share": np.linspace(0, 1, N),
        "three": np.array(["p", "q", "r"])[THREE],
        "one": "same",
        "day": pd.date_range("2024-01-01", periods=N),
        "many": np.arange(N) * 1.0,
    }
)
CLASSES: dict[str, tuple[Any, ...]] = {
    "text": ("no, never", "yes"),
    "ordered": ("a", "b"),
    "boolean": (False, True),
    "whole": (-3, 7),
    "float": (0, 1),
    "other": (0.25, 1.75),
}
SOURCES = ["pandas", "polars", "arrow", "csv", "parquet", "json"]


def source(kind: str, folder: Path, frame: pd.DataFrame = FRAME) -> Any:
    path = folder / f"rows.{kind}"
    if kind == "csv":
        frame.to_csv(path, index=False)
    elif kind == "parquet":
        frame.to_parquet(path)
    elif kind == "json":
        frame.drop(columns="day").to_json(path, orient="records", lines=True)
    else:
        return {"pandas": lambda f: f, "polars": pl.from_pandas, "arrow": pa.Table.from_pandas}[kind](frame)
    return path


def targets(design: Design, table: Any) -> np.ndarray:
    rows = design.rows(table)
    return torch.cat([block.y for shard in rows.shards() for block in rows.blocks(shard)])[:, 0].numpy()


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("column", CLASSES)
def test_classes_of_a_column(tmp_path: Path, kind: str, column: str) -> None:
    table = read(source(kind, tmp_path))
    design = Design.learn(table, target=column, columns=["x"], labels="binary")
    assert design.classes == CLASSES[column]
    assert [type(label) for label in design.classes] == [type(label) for label in CLASSES[column]]
    np.testing.assert_array_equal(targets(design, table), CODES)


@pytest.mark.parametrize("words", [("no", "yes"), ("No", "Yes"), ("f", "t"), ("N", "Y"), ("off", "on")])
def test_words_for_booleans_in_a_csv_are_labels(tmp_path: Path, words: tuple[str, str]) -> None:
    """As they stand in the file, whatever the reader of the CSV takes them for."""
    path = source("csv", tmp_path, FRAME.assign(answer=np.array(words)[CODES]))
    design = Design.learn(read(path), target="answer", columns=["x"], labels="binary")
    assert design.classes == words
    np.testing.assert_array_equal(targets(design, read(path)), CODES)
    back = Design.from_dict(json.loads(json.dumps(design.to_dict())))
    np.testing.assert_array_equal(targets(back, read(path)), CODES)


@pytest.mark.parametrize("words", [("False", "True"), ("FALSE", "TRUE"), ("false", "true")])
def test_spellings_of_booleans_are_booleans(tmp_path: Path, words: tuple[str, str]) -> None:
    path = source("csv", tmp_path, FRAME.assign(answer=np.array(words)[CODES]))
    assert Design.learn(read(path), target="answer", columns=["x"], labels="binary").classes == (False, True)
    alone = source("csv", tmp_path, FRAME.assign(answer=words[1]))
    with pytest.raises(DataError, match=r"column 'answer' holds one class only \(True\)"):
        Design.learn(read(alone), target="answer", columns=["x"], labels="binary")


@pytest.mark.parametrize("column", [*CLASSES, "three"])
def test_a_stored_design_numbers_them_the_same(column: str) -> None:
    labels = "many" if column == "three" else "binary"
    design = Design.learn(read(FRAME), target=column, columns=["x"], labels=labels)
    back = Design.from_dict(json.loads(json.dumps(design.to_dict())))
    assert back == design
    backwards = read(FRAME.iloc[::-1].reset_index(drop=True))
    codes = THREE if column == "three" else CODES
    np.testing.assert_array_equal(targets(back, backwards), codes[::-1])


def test_proportions_are_numbers() -> None:
    design = Design.learn(read(FRAME), target="share", columns=["x"], labels="binary")
    assert design.classes is None
    np.testing.assert_array_equal(targets(design, read(FRAME)), FRAME["share"])


def test_more_proportions_than_a_category_has_levels() -> None:
    frame = pd.DataFrame({"x": np.arange(3_000.0), "share": np.linspace(0, 1, 3_000)})
    assert Design.learn(read(frame), target="share", labels="binary").classes is None


@pytest.mark.parametrize("formula", ["text ~ x", "C(text) ~ x", "text ~ poly(x, 2)"])
def test_formulas_name_the_target(formula: str) -> None:
    design = Design.learn(read(FRAME), formula=formula, labels="binary")
    assert design.classes == CLASSES["text"]
    np.testing.assert_array_equal(targets(design, read(FRAME)), CODES)


def test_a_condition_in_a_formula_is_a_number() -> None:
    design = Design.learn(read(FRAME), formula="I(whole > 0) ~ x", labels="binary")
    np.testing.assert_array_equal(targets(design, read(FRAME)), CODES)
    with pytest.raises(InvalidInput, match="the target of this loss is a column of labels"):
        Design.learn(read(FRAME), formula="I(whole > 0) ~ x", labels="many")


def test_labels_that_are_missing() -> None:
    frame = FRAME.assign(text=FRAME["text"].where(np.arange(N) % 9 > 0))
    with pytest.raises(DataError, match=r"missing values: text: 10 of 90 rows.*missing='drop'"):
        targets(Design.learn(read(frame), target="text", columns=["x"], labels="binary"), read(frame))
    dropped = Design.learn(read(frame), target="text", columns=["x"], labels="binary", missing="drop")
    np.testing.assert_array_equal(targets(dropped, read(frame)), CODES[np.arange(N) % 9 > 0])


def test_a_label_that_was_not_learnt() -> None:
    for column, stranger in (("text", "perhaps"), ("whole", 3)):
        design = Design.learn(read(FRAME), target=column, columns=["x"], labels="binary")
        with pytest.raises(
            DataError, match=column if column == "whole" else "a value is missing, or of a level"
        ):
            targets(design, read(FRAME.assign(**{column: stranger})))


def test_described_with_its_levels() -> None:
    described = Design.learn(read(FRAME), target="text", columns=["x"], labels="binary").describe()
    assert [(d.column, d.kind, d.role, d.levels) for d in described] == [
        ("text", "category", "target", CLASSES["text"]),
        ("x", "number", "feature", ()),
    ]


@pytest.mark.parametrize(
    ("target", "labels", "sentence"),
    [
        ("three", "binary", r"column 'three' holds 3 classes \(p, q, r\).*use loss='softmax'"),
        ("one", "binary", r"column 'one' holds one class only \(same\)"),
        ("one", "many", r"column 'one' holds one class only"),
        ("share", "many", r"column 'share' holds numbers that are not whole"),
        ("day", "many", r"column 'day' is a TIMESTAMP"),
        ("many", "binary", r"column 'many' holds 90 classes"),
        (["text", "three"], "many", r"target names 2 columns \(text, three\); expected one, of labels"),
        (["text", "three"], "binary", r"column 'text' is text"),
    ],
)
def test_columns_that_hold_no_classes(target: Any, labels: Any, sentence: str) -> None:
    with pytest.raises((DataError, InvalidInput), match=sentence):
        Design.learn(read(FRAME), target=target, columns=["x"], labels=labels)


def test_more_classes_than_a_category_has_levels() -> None:
    frame = pd.DataFrame({"x": np.arange(3_000.0), "name": [f"n{i}" for i in range(3_000)]})
    for labels in ("binary", "many"):
        with pytest.raises(DataError, match="more than 1,000 different values; expected classes"):
            Design.learn(read(frame), target="name", labels=labels)


@pytest.mark.parametrize(
    "classes", [["b", "a"], ["a"], ["a", 1], [1, True], "ab", [["a"], ["b"]], [None, "a"]]
)
def test_classes_of_a_file_are_checked(classes: Any) -> None:
    document = Design.learn(read(FRAME), target="text", columns=["x"], labels="binary").to_dict()
    document["targets"]["classes"] = classes
    with pytest.raises(ModelFileError, match="damaged"):
        Design.from_dict(document)


def test_designs_of_the_first_version_are_read() -> None:
    document = Design.learn(read(FRAME), target="x", columns=["whole"]).to_dict()
    old = {name: value for name, value in document.items() if name not in ("offset", "exposure")}
    assert Design.from_dict({**old, "version": 1}) == Design.from_dict(document)
    with pytest.raises(ModelFileError, match="version 3; this program reads up to 2"):
        Design.from_dict({**document, "version": 3})
