"""Folds are what they say: balanced, whole groups, in order, and the same wherever the rows lie."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import sklearn.model_selection as reference
import torch

from torchlinear.errors import DataError, InvalidInput
from torchlinear.rows import TensorRows
from torchlinear.selection.folds import ByPlace, Folds, plan


def rows(n: int) -> TensorRows:
    return TensorRows(torch.zeros(n, 2), torch.arange(n, dtype=torch.float64)[:, None])


def pairs(folds: Folds, n: int) -> list[tuple[list[int], list[int]]]:
    """The splits as row numbers."""
    cell = folds.assignment.of(0, 0, n)
    return [
        (np.flatnonzero(np.isin(cell, train)).tolist(), np.flatnonzero(np.isin(cell, test)).tolist())
        for train, test in zip(folds.train, folds.test, strict=True)
    ]


@pytest.mark.parametrize(
    "splitter",
    [
        reference.KFold(4),
        reference.KFold(3, shuffle=True, random_state=0),
        reference.ShuffleSplit(5, random_state=0),
        reference.ShuffleSplit(3, train_size=0.3, test_size=0.2, random_state=1),
        reference.TimeSeriesSplit(4, gap=2),
        reference.RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
        reference.LeaveOneOut(),
        reference.PredefinedSplit(np.arange(30) % 4 - 1),
    ],
    ids=lambda splitter: type(splitter).__name__,
)
def test_splitters_of_scikit_learn_are_kept_to(splitter: Any) -> None:
    X = np.zeros((30, 1))
    expected = [(sorted(train), sorted(test)) for train, test in splitter.split(X)]
    assert pairs(plan(splitter, rows(30)), 30) == expected
    assert pairs(plan(splitter.split(X), rows(30)), 30) == expected


def test_a_splitter_sees_target_and_groups() -> None:
    given = TensorRows(torch.zeros(20, 1), (torch.arange(20.0) % 2)[:, None])
    for _, test in pairs(plan(reference.StratifiedKFold(5), given), 20):
        assert sum(row % 2 for row in test) == len(test) / 2
    groups = np.repeat(np.arange(5), 4)
    for _, test in pairs(plan(reference.LeaveOneGroupOut(), given, groups=groups), 20):
        assert len(set(groups[test])) == 1


@pytest.mark.parametrize("n", [5, 23, 1_000])
@pytest.mark.parametrize("count", [2, 5])
def test_counted_folds_partition_the_rows_evenly(n: int, count: int) -> None:
    splits = pairs(plan(count, rows(n)), n)
    assert sorted(row for _, test in splits for row in test) == list(range(n))
    for train, test in splits:
        assert sorted(train + test) == list(range(n))
        assert abs(len(test) - n / count) < 1
    assert pairs(plan(count, rows(n), seed=1), n) != splits


def test_the_fold_of_a_row_does_not_depend_on_how_rows_come() -> None:
    assignment = ByPlace(7, seed=3)
    whole = assignment.of(2, 0, 500)
    parts = [assignment.of(2, first, 1 + first % 3) for first in range(500)]
    for first, part in enumerate(parts):
        np.testing.assert_array_equal(part[: 500 - first], whole[first : first + len(part)])
    assert (whole != assignment.of(3, 0, 500)).any()


def test_rows_in_memory_are_counted_from_the_first_whatever_their_columns() -> None:
    few, many = rows(30_000), TensorRows(torch.zeros(30_000, 400), torch.zeros(30_000, 1))
    assert len(many.shards()) > 1  # wide rows come in other shards
    cells = []
    for given in (few, many):
        assignment, starts = plan(3, given, seed=2).assignment, [*given.shards(), 30_000]
        parts = [assignment.of(i, 0, b - a) for i, (a, b) in enumerate(itertools.pairwise(starts))]
        cells.append(np.concatenate(parts))
    np.testing.assert_array_equal(*cells)


def test_folds_follow_no_pattern_of_the_rows() -> None:
    cell = ByPlace(5).of(0, 0, 100_000)
    for period in (2, 3, 5, 7):
        counts = np.array([np.bincount(cell[start::period], minlength=5) for start in range(period)])
        spread = np.abs(counts * period / 20_000 - 1).max()
        assert spread < 5 * np.sqrt(4 * period / 100_000)  # five standard errors of a count


def test_groups_stay_together() -> None:
    groups = np.random.default_rng(0).integers(0, 20, 300)
    splits = pairs(plan(4, rows(300), groups=groups), 300)
    for train, test in splits:
        assert not set(groups[train]) & set(groups[test])
        assert 50 < len(test) < 100  # the largest first, each into the smallest fold
    assert sorted(row for _, test in splits for row in test) == list(range(300))
    named = pairs(plan(4, rows(300), groups=np.array([f"g{g:02d}" for g in groups])), 300)
    assert named == splits


def test_ordered_folds_are_those_of_a_time_series() -> None:
    expected = [
        (tr.tolist(), te.tolist()) for tr, te in reference.TimeSeriesSplit(5).split(np.zeros((47, 1)))
    ]
    assert pairs(plan(5, rows(47), ordered=True), 47) == expected


@pytest.mark.parametrize(
    ("folds", "options", "sentence"),
    [
        (1, {}, "folds=1: expected at least 2"),
        (31, {}, "more than 30 rows allow"),
        (30, {"ordered": True}, "more than 30 rows allow"),
        (True, {}, "expected a number of at least 2"),
        ("five", {}, "expected a number of at least 2"),
        ([], {}, "there is no split"),
        ([np.arange(3)], {}, r"folds\[0\]: expected a pair"),
        ([([0, 1], [40])], {}, "there are 30 rows, and an index names row 40"),
        ([([0, 1, 1], [2])], {}, "row 1 is named 2 times"),
        ([([0.5], [2])], {}, "expected row indices, got float64"),
        ([([], [2])], {}, "expected row indices"),
        (3, {"groups": np.zeros(30)}, "folds=3 are more than 1 groups allow"),
        (3, {"groups": np.zeros(7)}, r"groups has shape \(7,\); expected \(30,\)"),
        (3, {"groups": np.arange(30), "ordered": True}, "exclude each other"),
        ([([0], [1])], {"groups": np.arange(30)}, "goes with a number of folds"),
        (reference.KFold(3), {"ordered": True}, "ordered=True takes a number of folds"),
    ],
)
def test_what_is_no_plan_is_refused(folds: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        plan(folds, rows(30), **options)


def test_groups_without_a_value_are_refused() -> None:
    with pytest.raises(DataError, match="groups has missing values"):
        plan(2, rows(3), groups=np.array([1.0, np.nan, 2.0]))


def test_masks_and_negative_indices_are_indices() -> None:
    mask = np.arange(10) < 4
    assert pairs(plan([(mask, ~mask), ([-1, 0], [1])], rows(10)), 10) == [
        ([0, 1, 2, 3], [4, 5, 6, 7, 8, 9]),
        ([0, 9], [1]),
    ]


def test_a_row_may_train_and_test() -> None:
    every = np.arange(6)
    assert pairs(plan([(every, every)], rows(6)), 6) == [(every.tolist(), every.tolist())]
