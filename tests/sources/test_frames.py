"""Frames: categories keep their declared order, names their spelling; what is no frame is told so."""

import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from torchlinear.errors import DataError, InvalidInput
from torchlinear.sources import read


def test_declared_order_of_levels_is_kept() -> None:
    order = ["small", "large", "unused", "medium"]
    values = ["large", "small", "medium", "large"]
    frames: list[Any] = [
        pd.DataFrame({"size": pd.Categorical(values, categories=order, ordered=True)}),
        pd.DataFrame({"size": pd.Categorical(values, categories=order)}),
        pl.DataFrame({"size": pl.Series(values, dtype=pl.Enum(order))}),
    ]
    for frame in frames:
        assert read(frame).levels(["size"]) == {"size": ("small", "large", "medium")}


def test_categories_without_a_declared_order_are_sorted() -> None:
    values = ["large", "small", "medium"]
    for frame in (
        pl.DataFrame({"size": pl.Series(values, dtype=pl.Categorical)}),
        pa.table({"size": pa.array(values).dictionary_encode()}),
    ):
        assert read(frame).levels(["size"]) == {"size": ("large", "medium", "small")}


def test_categories_of_numbers_are_categories() -> None:
    table = read(pd.DataFrame({"year": pd.Categorical([2021, 2020, 2021])}))
    assert table.column("year").kind == "text"
    assert table.levels(["year"]) == {"year": ("2020", "2021")}


def test_names_that_differ_in_case_only_or_are_no_strings() -> None:
    table = read(pd.DataFrame({"x": [1.0], "X": [2.0], 3: [3.0]}))
    assert table.names == ("x", "X", "3")
    assert next(iter(table.batches(["X", "x", "3"]))).to_pylist() == [{"X": 2.0, "x": 1.0, "3": 3.0}]


def test_arrays_tensors_and_lists_in_a_mapping() -> None:
    table = read(
        {
            "a": torch.tensor([1.0, 2.0], dtype=torch.float32, requires_grad=True),
            "b": np.array([1, 2], dtype=np.int16),
            "c": ["u", None],
            "d": [True, False],
            "e": np.array(["p", "q"]),
        }
    )
    assert [c.kind for c in table.schema] == ["number", "number", "text", "boolean", "text"]
    assert next(iter(table.batches(["a", "b"]))).schema.types == [pa.float32(), pa.float64()]


def test_a_table_is_returned_as_it_is() -> None:
    table = read({"a": [1.0]})
    assert read(table) is table


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (3, InvalidInput, "data is a int; expected a path, a SELECT, a frame"),
        ({}, DataError, "no columns"),
        ({"a": []}, DataError, "no rows"),
        (pd.DataFrame({"a": []}), DataError, "no rows"),
        ({"a": [1, 2], "b": [1]}, InvalidInput, "the columns differ in length: {'a': 2, 'b': 1}"),
        ({"a": np.ones((2, 2))}, InvalidInput, "column 'a' has shape (2, 2); expected one dimension"),
        (pd.DataFrame({"a": [1, "x"]}), DataError, "column 'a' cannot be read as one type"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), InvalidInput, "'a' 2 times; rename one"),
        (pa.table([[1], [2]], names=["a", "a"]), InvalidInput, "'a' 2 times; rename one"),
        (pl.LazyFrame({"a": [1]}), InvalidInput, "not a lazy one"),
    ],
)  # fmt: skip
def test_refusals(data: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        read(data)
