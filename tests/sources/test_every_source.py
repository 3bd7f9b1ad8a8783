"""Laws that hold for a table in whatever form it is read."""

import pickle
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from torchlinear.design import Design
from torchlinear.sources.base import Table

Opener = Callable[[str], Table]


def column(table: Table, name: str, **options: object) -> np.ndarray:
    batches = list(table.batches([name], **options))  # type: ignore[arg-type]
    return np.concatenate([b.column(0).to_numpy(zero_copy_only=False) for b in batches])


def test_values_arrive_in_order_and_exactly(form: str, open_as: Opener, frame: pd.DataFrame) -> None:
    table = open_as(form)
    assert table.names == tuple(frame.columns)
    for name in frame.columns.drop("city"):
        np.testing.assert_array_equal(
            column(table, name), frame[name].to_numpy(dtype=np.float64), err_msg=name
        )


def test_categories_arrive_as_codes_of_the_levels_given(
    form: str, open_as: Opener, frame: pd.DataFrame
) -> None:
    levels = ["上海", "Paris", "never", "Łódź"]  # an order of our own, one level too many, and Lyon unseen
    batches = list(open_as(form).batches(["city"], {"city": levels}))
    assert all(b.column(0).dictionary.to_pylist() == levels for b in batches)
    got = [value for b in batches for value in b.column(0).to_pylist()]
    assert got == [v if v in levels else None for v in frame["city"]]


def test_profile(form: str, open_as: Opener, frame: pd.DataFrame) -> None:
    profile = open_as(form).profile()
    assert profile.rows == len(frame)
    for name in frame.columns.drop("city"):
        held, truth = profile.columns[name], frame[name].astype(float)
        assert held.missing == truth.isna().sum()
        assert (held.minimum, held.maximum) == (truth.min(), truth.max())
        assert held.mean == pytest.approx(truth.mean(), rel=1e-14, abs=1e-15)
        assert held.deviation == pytest.approx(truth.std(), rel=1e-12)
    assert profile.columns["city"].levels == ("Lyon", "Paris", "Łódź", "上海")
    assert profile.columns["city"].missing == frame["city"].isna().sum()


def test_shards_are_the_rows_cut_in_pieces(form: str, open_as: Opener, frame: pd.DataFrame) -> None:
    table = open_as(form)
    parts = [column(table, "at", shard=shard) for shard in table.shards()]
    np.testing.assert_array_equal(np.concatenate(parts), frame["at"].to_numpy())


def test_start_skips_rows_after_incomplete_ones_are_left_out(
    form: str, open_as: Opener, frame: pd.DataFrame
) -> None:
    batches = open_as(form).batches(["days", "city"], {"city": ["Lyon"]}, start=1_000, complete=True)
    got = np.concatenate([b.column(0).to_numpy() for b in batches])
    complete = frame.dropna(subset=["days", "city"])["days"].to_numpy()
    np.testing.assert_array_equal(got, complete[1_000:])


def test_the_same_blocks_bit_by_bit(form: str, open_as: Opener) -> None:
    def blocks(table: Table) -> list[torch.Tensor]:
        rows = Design.learn(table, target="at", missing="drop").rows(table)
        return [torch.cat([b.X, b.y], 1) for shard in rows.shards() for b in rows.blocks(shard)]

    assert torch.equal(torch.cat(blocks(open_as(form))), torch.cat(blocks(open_as("pandas"))))


def test_a_pickled_table_reads_the_same(form: str, open_as: Opener, frame: pd.DataFrame) -> None:
    table = pickle.loads(pickle.dumps(open_as(form)))
    np.testing.assert_array_equal(column(table, "面积"), frame["面积"].to_numpy())


@pytest.mark.parametrize("form", ["csv", "parquet", "pandas"])
def test_readers_can_be_open_side_by_side_and_left(form: str, open_as: Opener) -> None:
    """An open reader blocks its connection: each has its own."""
    table = open_as(form)
    one, other = table.batches(["at"]), table.batches(["at"])
    first, second = next(one), next(other)
    assert first.equals(second)
    assert table.profile(["at"]).rows == 4_000
    one.close()
    assert sum(b.num_rows for b in other) + second.num_rows == 4_000
