"""Moments of cells, and of the sets that are merged from them, are those of the rows that they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn.model_selection as reference
import torch

from torchlinear.block import Block
from torchlinear.engines.local import Local
from torchlinear.rows import TensorRows
from torchlinear.selection.folds import plan
from torchlinear.selection.partition import PartitionedRows, merged, moments_by_cell
from torchlinear.sparse import SparseRows, as_csr
from torchlinear.statistics import Moments

SPLITS: list[Any] = [
    5,
    reference.KFold(5),
    reference.LeaveOneOut(),
    reference.ShuffleSplit(3, random_state=0),
    reference.TimeSeriesSplit(4),
]


def given(rng: np.random.Generator, n: int, *, columnar: bool = False, weighted: bool = False) -> TensorRows:
    X = torch.from_numpy(rng.normal(size=(n, 3)) * [1.0, 1e3, 1e-3] + [0.0, 1e5, 0.0])
    y = torch.from_numpy(rng.normal(size=(n, 2)))
    weight = torch.from_numpy(rng.uniform(size=n) * rng.integers(0, 3, n)) if weighted else None
    offset = torch.from_numpy(rng.normal(size=n))
    return TensorRows(X.T.contiguous().T if columnar else X, y, weight, offset=offset, names=("a", "b", "c"))


def alike(ours: Moments, theirs: Moments) -> None:
    assert ours.rows == theirs.rows
    # The same sums in another order: a few hundred roundings.
    np.testing.assert_allclose(ours.weight, theirs.weight, rtol=1e-13)
    np.testing.assert_allclose(ours.log_weight, theirs.log_weight, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(ours.mean.high, theirs.mean.high, rtol=1e-13, atol=1e-12)
    size = np.sqrt(np.diag(theirs.cross.high))
    np.testing.assert_allclose(
        ours.cross.high, theirs.cross.high, rtol=0, atol=1e-11 * np.outer(size, size).max()
    )
    scaled = (ours.cross.high - theirs.cross.high) / np.maximum(np.outer(size, size), 1e-300)
    assert np.abs(scaled).max() < 1e-9  # cells of one row next to a mean of 1e5


@pytest.mark.parametrize("columnar", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("splits", SPLITS, ids=lambda splits: type(splits).__name__)
def test_moments_of_training_sets(
    rng: np.random.Generator, splits: Any, extended: bool, weighted: bool, columnar: bool
) -> None:
    rows = given(rng, 40, columnar=columnar, weighted=weighted)
    folds = plan(splits, rows)
    parts, shift = PartitionedRows(rows, folds.assignment), next(rows.blocks(0)).shift()
    found = Local().load(parts).sum(moments_by_cell, shift, extended, folds.cells)
    cells = found.listed(folds.cells, 3, 5)
    for sets in (folds.train, folds.test):
        for chosen, moments in zip(sets, merged(cells, sets), strict=True):
            alike(moments, Local().load(parts.select(chosen)).sum(Block.moments, shift, extended))


@pytest.mark.parametrize("columnar", [False, True])
def test_selected_rows_are_the_rows(rng: np.random.Generator, columnar: bool) -> None:
    rows = given(rng, 50, columnar=columnar, weighted=True)
    folds = plan(4, rows)
    cell = folds.assignment.of(0, 0, 50)
    chosen = PartitionedRows(rows, folds.assignment).select((1, 3))
    assert isinstance(chosen, TensorRows)
    assert chosen.has_offset
    assert (chosen.names, chosen.targets) == (rows.names, rows.targets)
    index = np.flatnonzero(np.isin(cell, (1, 3)))
    for name in ("X", "y", "weight", "offset"):
        assert torch.equal(getattr(chosen, name), getattr(rows, name)[index])
    assert chosen.X.stride() == ((1, len(index)) if columnar else (3, 1))


def test_many_shards_are_one_set_of_rows(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = given(rng, 1_000)
    monkeypatch.setattr("torchlinear.rows.SHARD_ROWS", 128)
    folds = plan(reference.KFold(3, shuffle=True, random_state=0), rows)
    parts, shift = PartitionedRows(rows, folds.assignment), next(rows.blocks(0)).shift()
    assert len(parts.shards()) == 8
    found = Local().load(parts).sum(moments_by_cell, shift, False, folds.cells)
    assert sum(m.rows for m in found.moments.values()) == 1_000
    for cell, moments in found.moments.items():
        alike(moments, Local().load(parts.select((cell,))).sum(Block.moments, shift))


def test_training_moments_are_merged_not_subtracted(rng: np.random.Generator) -> None:
    X = rng.normal(size=(300, 2))
    X[:100] *= 1e9  # a fold that dominates: a difference would keep no digit of the others
    rows = TensorRows(torch.from_numpy(X), torch.from_numpy(rng.normal(size=(300, 1))))
    folds = plan(reference.KFold(3), rows)
    parts = PartitionedRows(rows, folds.assignment)
    found = Local().load(parts).sum(moments_by_cell, np.zeros(3), False, 3)
    train = merged(found.listed(3, 2, 3), folds.train)[0]
    np.testing.assert_allclose(train.cross.high[:2, :2], np.cov(X[100:].T) * 199, rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_rows_are_kept_apart_without_becoming_dense(rng: np.random.Generator, weighted: bool) -> None:
    dense = rng.normal(size=(70, 5)) * (rng.uniform(size=(70, 5)) < 0.3)
    y = torch.from_numpy(rng.normal(size=(70, 1)))
    weight = torch.from_numpy(rng.uniform(size=70)) if weighted else None
    rows = SparseRows(as_csr(scipy.sparse.csr_array(dense)), y, weight)
    folds = plan(reference.KFold(3, shuffle=True, random_state=0), rows)
    parts, shift = PartitionedRows(rows, folds.assignment), next(rows.blocks(0)).shift()
    cells = Local().load(parts).sum(moments_by_cell, shift, False, 3).listed(3, 5, 6)
    alone = PartitionedRows(TensorRows(torch.from_numpy(dense), y, weight), folds.assignment)
    for chosen, moments in zip(folds.train, merged(cells, folds.train), strict=True):
        selected = parts.select(chosen)
        assert isinstance(selected, SparseRows)
        same = alone.select(chosen)
        assert isinstance(same, TensorRows)
        assert torch.equal(selected.X.to_dense(), same.X)
        alike(moments, Local().load(same).sum(Block.moments, shift))
