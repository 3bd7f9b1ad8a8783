"""A design over plain columns: what is learnt, what is read, what is refused."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from torchlinear.block import Block
from torchlinear.design import Design
from torchlinear.design.packing import BLOCK_ROWS, block_rows
from torchlinear.errors import DataError, InvalidInput, ModelFileError
from torchlinear.rows import TensorRows
from torchlinear.sources import read
from torchlinear.sources.base import Table


def blocks(design: Design, table: Table, *, target: bool = True) -> list[Block]:
    rows = design.rows(table, target=target)
    return [block for shard in rows.shards() for block in rows.blocks(shard)]


def features(design: Design, table: Table, *, target: bool = True) -> list[list[float]]:
    return torch.cat([block.X for block in blocks(design, table, target=target)]).tolist()


def same(a: Any, b: Any) -> None:
    np.testing.assert_array_equal(torch.as_tensor(a).double().numpy(), torch.as_tensor(b).double().numpy())


NAN = float("nan")


@pytest.fixture
def houses() -> Table:
    return read(
        {
            "price": [1.0, 2.0, 3.0, 4.0],
            "area": [50, 80, 20, 60],
            "city": ["Paris", "Lyon", "Brest", "Lyon"],
            "new": [True, False, False, True],
            "w": [1.0, 2.0, 0.0, 1.0],
        }
    )


@pytest.fixture
def gaps() -> Table:
    return read(
        {
            "y": [1.0, 2.0, 3.0, 4.0, 5.0],
            "x": [1.0, NAN, 4.0, None, 7.0],
            "c": ["a", "b", None, "a", "b"],
        }
    )


def test_numbers_pass_booleans_are_0_and_1_text_becomes_dummies(houses: Table) -> None:
    design = Design.learn(houses, target="price", weights="w")
    assert design.features.names == ("area", "city[T.Lyon]", "city[T.Paris]", "new")
    (block,) = blocks(design, houses)
    same(block.X, [[50, 0, 1, 1], [80, 1, 0, 0], [20, 0, 0, 0], [60, 1, 0, 1]])
    same(block.y, [[1], [2], [3], [4]])
    assert block.weight is not None
    assert block.weight.tolist() == [1.0, 2.0, 0.0, 1.0]
    assert block.low is None


def test_columns_are_taken_in_the_order_given(houses: Table) -> None:
    design = Design.learn(houses, target="price", columns=["new", "area"])
    assert design.features.names == ("new", "area")
    same(features(design, houses), [[1, 50], [0, 80], [0, 20], [1, 60]])


def test_several_targets(houses: Table) -> None:
    design = Design.learn(houses, target=["price", "area"], columns=["w"])
    (block,) = blocks(design, houses)
    assert design.targets.names == ("price", "area")
    same(block.y, [[1, 50], [2, 80], [3, 20], [4, 60]])


def test_without_intercept_the_first_category_keeps_all_levels(houses: Table) -> None:
    design = Design.learn(houses, target="price", columns=["area", "city"], intercept=False)
    assert design.features.names == ("area", "city[Brest]", "city[Lyon]", "city[Paris]")
    same(features(design, houses), [[50, 0, 0, 1], [80, 0, 1, 0], [20, 1, 0, 0], [60, 0, 1, 0]])


def test_every_feature_of_a_block_is_contiguous(houses: Table) -> None:
    (block,) = blocks(Design.learn(houses, target="price"), houses)
    assert block.X.stride(0) == 1


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        ((np.float32, np.float32), torch.float32),
        ((np.float32, np.float64), torch.float64),
        ((np.int16, np.int16), torch.float64),
    ],
)
def test_float32_columns_stay_float32_when_all_are(dtypes: Any, expected: torch.dtype) -> None:
    table = read(
        {
            "y": np.ones(2),
            "a": np.ones(2, dtypes[0]),
            "b": np.ones(2, dtypes[1]),
            "c": [True, False],
            "d": ["u", "v"],
        }
    )
    (block,) = blocks(Design.learn(table, target="y"), table)
    assert (block.X.dtype, block.y.dtype) == (expected, torch.float64)


def test_blocks_have_fixed_sizes_and_can_start_anywhere() -> None:
    n = 2 * BLOCK_ROWS + 5
    table = read(f"SELECT range AS x, 2 * range AS y FROM range({n})")
    rows = Design.learn(table, target="y").rows(table)
    assert [b.X.shape[0] for b in rows.blocks(None)] == [BLOCK_ROWS, BLOCK_ROWS, 5]
    later = torch.cat([b.X for b in rows.blocks(None, start=1)])
    same(later[:, 0], np.arange(BLOCK_ROWS, n))
    assert list(rows.blocks(None, start=3)) == []


def test_wide_blocks_have_fewer_rows() -> None:
    assert [block_rows(p) for p in (0, 1, 128, 129, 1_000, 1_000_000)] == [
        65_536,
        65_536,
        65_536,
        32_768,
        8_192,
        1_024,
    ]


def test_a_block_that_is_kept_never_changes() -> None:
    table = read(f"SELECT range AS x, range AS y FROM range({3 * BLOCK_ROWS})")
    rows = Design.learn(table, target="y").rows(table)
    kept = [(b.X, b.y) for b in rows.blocks(None)]
    same(torch.cat([x for x, _ in kept])[:, 0], np.arange(3 * BLOCK_ROWS))
    same(torch.cat([y for _, y in kept])[:, 0], np.arange(3 * BLOCK_ROWS))


def test_buffers_are_used_again_when_blocks_are_let_go() -> None:
    table = read(f"SELECT range AS x, range AS y FROM range({6 * BLOCK_ROWS})")
    rows = Design.learn(table, target="y").rows(table)
    places = []
    for block in rows.blocks(None):
        places.append(block.X.data_ptr())
    assert len(set(places)) <= 2


@pytest.mark.parametrize("formula", ["y ~ x + b", "y ~ poly(x, 3, raw=True) + b"])
@pytest.mark.parametrize("weights", [None, "w"])
def test_collected_rows_are_the_same_in_memory(formula: str, weights: str | None) -> None:
    n = BLOCK_ROWS + 10
    table = read(f"SELECT range / 7 AS x, range % 5 AS b, 2 * range AS y, range % 3 AS w FROM range({n})")
    rows = Design.learn(table, formula=formula, weights=weights).rows(table)
    kept = rows.collected()
    assert isinstance(kept, TensorRows)
    assert (kept.names, kept.targets, kept.n_rows, kept.in_memory) == (rows.names, rows.targets, n, True)
    assert kept.X.stride(0) == 1
    streamed = list(rows.blocks(None))
    for name in ("X", "y", "weight", "low"):
        parts = [getattr(block, name) for block in streamed]
        held = getattr(kept, name)
        assert held is parts[0] is None or torch.equal(held, torch.cat(parts)), name


def test_rows_that_are_too_many_to_collect_stream(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "1,2\n" * 10_000)
    for table in (
        read(path),
        read({"x": [1.0] * 10_000, "y": [2.0] * 10_000}),
        read(f"SELECT * FROM '{path}'"),
    ):
        rows = Design.learn(table, target="y").rows(table)
        assert rows.collected(239_999) is rows
        assert isinstance(rows.collected(240_000), TensorRows)


@pytest.mark.parametrize("formula", [None, "y ~ poly(x, 2) + log(x)"])
def test_rows_travel_to_another_process(formula: str | None) -> None:
    table = read({"y": [1.0, 2.0, 4.0], "x": [1.0, 2.0, 3.0]})
    rows = Design.learn(table, formula=formula, target=None if formula else "y").rows(table)
    list(rows.blocks(0))
    there = pickle.loads(pickle.dumps(rows))
    same(next(there.blocks(0)).X, next(rows.blocks(0)).X)


class TestMissing:
    """Missing values: an error that counts them, dropped, or filled in."""

    def test_error_counts_them_by_column(self, gaps: Table) -> None:
        design = Design.learn(gaps, target="y")
        message = r"missing values: x: 2, c: 1 of 5 rows; pass missing='drop' .* or 'mean'"
        with pytest.raises(DataError, match=message):
            blocks(design, gaps)

    def test_only_columns_that_take_part_count(self) -> None:
        table = read({"y": [1.0, 2.0], "x": [1.0, 2.0], "z": [NAN, 1.0]})
        same(features(Design.learn(table, target="y", columns=["x"]), table), [[1], [2]])

    def test_drop(self, gaps: Table) -> None:
        same(features(Design.learn(gaps, target="y", missing="drop"), gaps), [[1, 0], [7, 1]])

    def test_drop_leaves_out_rows_without_target_or_weight(self) -> None:
        table = read({"y": [1.0, NAN, 3.0], "x": [1.0, 2.0, 3.0], "w": [1.0, 1.0, None]})
        design = Design.learn(table, target="y", columns=["x"], weights="w", missing="drop")
        same(features(design, table), [[1]])

    def test_drop_of_every_row_leaves_an_empty_block(self) -> None:
        table = read({"y": [NAN, 1.0], "x": [1.0, NAN]})
        (block,) = blocks(Design.learn(table, target="y", missing="drop"), table)
        assert block.X.shape == (0, 1)

    def test_mean(self) -> None:
        table = read({"y": [1.0, 2.0, 3.0], "x": [1.0, None, 5.0], "b": [True, True, None]})
        same(features(Design.learn(table, target="y", missing="mean"), table), [[1, 1], [3, 1], [5, 1]])

    def test_mean_is_exact_far_from_zero(self) -> None:
        x = np.random.default_rng(3).normal(1e8, 1, 200_001)
        table = read({"y": x, "x": np.where(np.arange(x.size) == 7, NAN, x)})
        design = Design.learn(table, target="y", missing="mean")
        exact = float(np.delete(x, 7).astype(np.longdouble).mean())
        assert design.features.variables[0].mean == pytest.approx(exact, rel=2e-16)

    @pytest.mark.parametrize(("column", "word"), [("c", "c: 1"), ("y", "y: 1"), ("w", "w: 1")])
    def test_mean_fills_numeric_features_only(self, column: str, word: str) -> None:
        data: dict[str, list[Any]] = {"y": [1.0, 2.0], "x": [1.0, None], "c": ["a", "b"], "w": [1.0, 1.0]}
        data[column][0] = None
        design = Design.learn(read(data), target="y", columns=["x", "c"], weights="w", missing="mean")
        with pytest.raises(DataError, match=f"{word} of 2 rows.*fills in numeric features only"):
            blocks(design, read(data))

    @pytest.mark.parametrize("missing", ["error", "drop", "mean"])
    def test_infinity_is_never_missing(self, missing: Any) -> None:
        table = read({"y": [1.0, 2.0], "x": [1.0, float("-inf")]})
        with pytest.raises(DataError, match=r"infinite values: x: 1 of 2 rows; correct them"):
            blocks(Design.learn(table, target="y", missing=missing), table)

    def test_values_whose_sum_overflows_are_finite(self) -> None:
        table = read({"y": [1.0, 2.0, 3.0], "x": [1e308, 1e308, 1e308]})
        same(features(Design.learn(table, target="y"), table), [[1e308]] * 3)

    def test_an_empty_column(self) -> None:
        for data in ({"y": [1.0], "c": [None]}, {"y": [1.0], "c": np.array([NAN])}):
            with pytest.raises(DataError, match="column 'c' has no values"):
                Design.learn(read(data), target="y", missing="mean")


class TestPredict:
    """Rows for prediction keep their places; what cannot be predicted is NaN."""

    def test_missing_values_and_unseen_levels_are_nan_rows(self, gaps: Table) -> None:
        design = Design.learn(gaps, target="y", missing="drop")
        new = read({"c": ["b", "zzz", None, "a", "a"], "x": [1.0, 1.0, 1.0, NAN, 2.0]})
        (block,) = blocks(design, new, target=False)
        same(block.X, [[1, 1], [NAN, NAN], [NAN, NAN], [NAN, NAN], [2, 0]])
        assert block.y.shape == (5, 0)
        assert block.weight is None

    def test_mean_fills_in_what_was_learnt(self) -> None:
        table = read({"y": [1.0, 2.0], "x": [1.0, 3.0]})
        design = Design.learn(table, target="y", missing="mean")
        same(features(design, read({"x": [None, 9.0]}), target=False), [[2], [9]])

    def test_levels_are_those_that_were_learnt_in_any_company(self, houses: Table) -> None:
        design = Design.learn(houses, target="price", columns=["city"])
        same(features(design, read({"city": ["Paris"]}), target=False), [[0, 1]])
        same(features(design, read({"city": ["Lyon", "Brest"]}), target=False), [[1, 0], [0, 0]])

    def test_a_level_unseen_by_a_category_with_one_level(self) -> None:
        table = read({"y": [1.0, 2.0], "x": [1.0, 2.0], "c": ["a", "a"]})
        design = Design.learn(table, target="y")
        assert design.features.names == ("x",)
        same(features(design, read({"x": [1.0, 2.0], "c": ["a", "b"]}), target=False), [[1], [NAN]])

    def test_a_column_that_is_not_there(self, houses: Table) -> None:
        design = Design.learn(houses, target="price", columns=["area", "city"])
        with pytest.raises(InvalidInput, match=r"no column 'area' \(did you mean 'aria'\?\)"):
            design.rows(read({"aria": [1.0], "city": ["Lyon"]}), target=False)

    def test_text_where_numbers_were_learnt(self, houses: Table) -> None:
        design = Design.learn(houses, target="price", columns=["area"])
        with pytest.raises(DataError, match="text 'big'"):
            blocks(design, read({"area": ["big"]}), target=False)

    def test_numbers_read_as_text_where_numbers_were_learnt(self, houses: Table) -> None:
        """As in a CSV whose column is empty, which is read as text."""
        design = Design.learn(houses, target="price", columns=["area"])
        same(features(design, read({"area": [None, "12"]}), target=False), [[NAN], [12]])


class TestRefusals:
    """What cannot be fitted, before any row is read."""

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"target": "prize"}, r"target: the data frame has no column 'prize' \(did you mean 'price'\?\)"),
            (
                {"target": "price", "columns": ["aera"]},
                r"columns: .* no column 'aera' \(did you mean 'area'\?\)",
            ),
            ({"target": "price", "weights": "v"}, "weights: the data frame has no column 'v'"),
            ({}, "target is missing: name the target column"),
            (
                {"target": "price", "columns": ["area", "price"]},
                "columns: 'price' is the target and also a feature",
            ),
            ({"target": "price", "columns": ["area", "area"]}, "columns: 'area' is named twice"),
            ({"target": "price", "columns": []}, "columns is empty"),
            (
                {"target": "city"},
                r"target: column 'city' is text \(VARCHAR\); expected numbers\. For classes use loss=",
            ),
            ({"target": "price", "weights": "city"}, "weights: column 'city' is text"),
            (
                {"target": "price", "missing": "zero"},
                "missing='zero' is not known; it is 'error', 'drop' or 'mean'",
            ),
            ({"target": ["price", "area", "city", "new", "w"]}, "expected numbers"),
            (
                {"formula": "price ~ area", "columns": ["area"]},
                "formula= and columns= both choose the features",
            ),
        ],
    )
    def test_arguments(self, houses: Table, options: dict[str, Any], message: str) -> None:
        with pytest.raises((InvalidInput, DataError), match=message):
            Design.learn(houses, **options)

    def test_nothing_beside_the_target(self) -> None:
        with pytest.raises(InvalidInput, match="no column beside y"):
            Design.learn(read({"y": [1.0]}), target="y")

    def test_dates(self) -> None:
        table = read({"y": [1.0], "day": pd.to_datetime(["2026-01-01"]).to_numpy()})
        with pytest.raises(
            DataError, match=r"column 'day' is a TIMESTAMP.*such as its year or the days since"
        ):
            Design.learn(table, target="y")

    def test_lists(self) -> None:
        with pytest.raises(DataError, match=r"column 'x' is a INTEGER\[\], of which no feature can be made"):
            Design.learn(read("SELECT 1 AS y, [1, 2] AS x"), target="y")

    def test_a_column_of_names(self) -> None:
        table = read("SELECT range AS y, 'id' || range AS id FROM range(2000)")
        with pytest.raises(DataError, match="'id' holds more than 1,000 different values, as a name"):
            Design.learn(table, target="y")

    def test_negative_weights(self) -> None:
        table = read({"y": [1.0, 2.0], "x": [1.0, 2.0], "w": [1.0, -0.5]})
        with pytest.raises(
            DataError, match=r"weights: column 'w' goes down to -0\.5; weights must be at least 0"
        ):
            blocks(Design.learn(table, target="y", weights="w"), table)


class TestStorage:
    """A design as JSON."""

    @pytest.mark.parametrize("missing", ["error", "drop", "mean"])
    def test_back_from_json_it_is_the_same(self, missing: Any) -> None:
        frame = pd.DataFrame({"y": [1.5, 2], "x": [0.1, 0.2], "at": [True, False], "城市": ["上海", "北京"]})
        design = Design.learn(read(frame), target="y", missing=missing, intercept=False)
        assert Design.from_dict(json.loads(json.dumps(design.to_dict()))) == design

    @pytest.mark.parametrize(
        "change",
        [
            {"version": 99},
            {"missing": "ignore"},
            {"variables": [{"name": "x"}]},
            {"features": {"kind": "pickle"}},
            {"features": {"kind": "columns", "variables": ["nobody"], "full": None}},
            {"variables": "x"},
            {"weights": 3},
            {"features": None},
        ],
    )
    def test_damage(self, houses: Table, change: dict[str, Any]) -> None:
        document = Design.learn(houses, target="price").to_dict()
        with pytest.raises(ModelFileError, match="the design"):
            Design.from_dict({**document, **change})
        with pytest.raises(ModelFileError, match="the design"):
            Design.from_dict({name: document[name] for name in document if name not in change})


def test_describe(gaps: Table) -> None:
    design = Design.learn(gaps, target="y")
    lines = [(d.column, d.kind, d.role, d.levels, d.missing) for d in design.describe(gaps.profile())]
    assert lines == [
        ("y", "number", "target", (), 0),
        ("x", "number", "feature", (), 2),
        ("c", "category", "feature", ("a", "b"), 1),
    ]
