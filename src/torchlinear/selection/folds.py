"""Folds: which rows a model learns from and which judge it, for data in memory and on a stream.

Rows that every split treats alike form a *cell*. K folds are K cells: each split tests on one and trains on the
others. So whatever the splits are, one pass over the rows that keeps the cells apart serves all of them.

By default a row's fold depends on its place alone, so that a stream needs to be read once only: of every K rows
in a row, each goes to another fold, in an order drawn by a hash of the place and the seed. The folds are as large
as each other, within one row, and no order of the rows puts a trend in them. The place counts from the first row
in memory, and from the first row of each shard on a stream, whose shards depend on the files alone.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.errors import DataError, InvalidInput
from torchlinear.rows import Rows, TensorRows
from torchlinear.sparse import SparseRows

__all__ = ["Assignment", "ByPlace", "Folds", "Listed", "plan"]

Cells = NDArray[np.int64]

TRAIN, TEST = 1, 2  # what a split makes of a row: nothing, one of them, or their sum for both


class Assignment(ABC):
    """Says which cell a row belongs to."""

    @abstractmethod
    def of(self, shard: int, first: int, count: int) -> Cells:
        """Cells of `count` rows from row `first` of shard number `shard`, shape (count,)."""


@dataclass(frozen=True, slots=True)
class ByPlace(Assignment):
    """One of `folds` cells by the place of the row, shuffled by `seed`.

    Parameters
    ----------
    folds : int
        K.
    seed : int
        Draws other folds.
    starts : sequence of int, optional
        First row of each shard; without, rows are counted in each shard by itself.

    Examples
    --------
    >>> ByPlace(3, seed=0).of(0, 0, 9)
    array([1, 0, 2, 2, 0, 1, 1, 0, 2])
    """

    folds: int
    seed: int = 0
    starts: Sequence[int] | None = None

    def of(self, shard: int, first: int, count: int) -> Cells:
        """Cells of `count` rows from row `first` of shard number `shard`, shape (count,)."""
        if self.starts is not None:
            first, shard = first + self.starts[shard], 0
        start = first // self.folds
        stop = -(-(first + count) // self.folds)
        place = np.arange(start * self.folds, stop * self.folds, dtype=np.uint64)
        key = _scrambled(np.array([self.seed % 2**64, shard], np.uint64))
        drawn = _scrambled(place ^ _scrambled(key[:1] ^ key[1:])).reshape(-1, self.folds)
        cells = np.argsort(np.argsort(drawn, axis=1), axis=1).ravel()
        return np.asarray(cells[first - start * self.folds :][:count], np.int64)


@dataclass(frozen=True, slots=True)
class Listed(Assignment):
    """The cell of every row, listed.

    Parameters
    ----------
    cells : ndarray of int, shape (n,)
        Cell of each row, in order.
    starts : sequence of int
        First row of each shard.
    """

    cells: Cells
    starts: Sequence[int]

    def of(self, shard: int, first: int, count: int) -> Cells:
        """Cells of `count` rows from row `first` of shard number `shard`, shape (count,)."""
        first += self.starts[shard]
        return self.cells[first : first + count]


@dataclass(frozen=True, slots=True)
class Folds:
    """Splits of rows into those that train and those that test.

    Attributes
    ----------
    assignment : Assignment
        Which cell a row belongs to.
    cells : int
        How many cells there are; a row of some may take part in no split.
    train, test : tuple of tuples of int
        Cells of each split, in ascending order.
    """

    assignment: Assignment
    cells: int
    train: tuple[tuple[int, ...], ...]
    test: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.train)

    @classmethod
    def each_once(cls, assignment: Assignment, cells: int) -> Folds:
        """Each cell tests what was learnt from all the others."""
        every = range(cells)
        train = tuple(tuple(c for c in every if c != f) for f in every)
        return cls(assignment, cells, train, tuple((f,) for f in every))


def plan(
    folds: Any, rows: Rows, *, groups: NDArray[Any] | None = None, ordered: bool = False, seed: int = 0
) -> Folds:
    """The splits that a user asks for.

    Parameters
    ----------
    folds : int, iterable of (train, test), or splitter
        How many; or pairs of index arrays; or an object with scikit-learn's ``split(X, y, groups)``.
    rows : Rows
        The rows to split.
    groups : ndarray, shape (n,), optional
        Rows of one group stay together.
    ordered : bool
        Rows are ordered in time: each fold is tested on the rows that follow those it learnt from.
    seed : int
        Draws another set of folds.

    Returns
    -------
    Folds
        The splits.

    Raises
    ------
    InvalidInput
        When there are fewer than two folds, more than rows or groups, or the indices are not rows.
    """
    if isinstance(folds, Integral) and not isinstance(folds, bool):
        return _counted(int(folds), rows, groups, ordered, seed)
    if ordered:
        raise InvalidInput(
            "ordered=True takes a number of folds; pass folds=5, or the splits without ordered."
        )
    if hasattr(folds, "split") and not isinstance(folds, str):
        pairs = _drawn(folds, rows, groups)
    elif groups is not None:
        raise InvalidInput(
            "groups= goes with a number of folds or a splitter; index pairs say it all themselves."
        )
    elif isinstance(folds, Iterable) and not isinstance(folds, str):
        pairs = list(folds)
    else:
        raise InvalidInput(
            f"folds={folds!r}: expected a number of at least 2, (train, test) pairs of row indices, or a "
            "splitter of scikit-learn."
        )
    return _from_pairs(pairs, rows)


def _counted(count: int, rows: Rows, groups: NDArray[Any] | None, ordered: bool, seed: int) -> Folds:
    if count < 2:
        raise InvalidInput(f"folds={count}: expected at least 2, for a fold is tested by the others.")
    if rows.n_rows is not None and count + ordered > rows.n_rows:
        raise InvalidInput(f"folds={count} are more than {rows.n_rows} rows allow; lower folds.")
    if groups is not None:
        if ordered:
            raise InvalidInput("groups= and ordered=True exclude each other; pass one of them.")
        starts, total = _starts(rows)
        return Folds.each_once(Listed(_balanced(_of_length(groups, total), count), starts), count)
    if ordered:
        return _expanding(count, rows)
    place = ByPlace(count, seed, _starts(rows)[0] if rows.in_memory else None)
    return Folds.each_once(place, count)


def _expanding(count: int, rows: Rows) -> Folds:
    """Each of `count` equal pieces at the end tests what was learnt from everything before it."""
    starts, total = _starts(rows)
    size = total // (count + 1)
    if size == 0:
        raise InvalidInput(f"folds={count} in order are more than {total} rows allow; lower folds.")
    cells = np.maximum(np.arange(total) - (total - count * size) + size, 0) // size
    train = tuple(tuple(range(f + 1)) for f in range(count))
    return Folds(Listed(cells, starts), count + 1, train, tuple((f + 1,) for f in range(count)))


def _balanced(groups: NDArray[Any], count: int) -> Cells:
    """Cell of each row: groups stay whole; the largest is placed first, each in the smallest cell so far."""
    names, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(names) < count:
        raise InvalidInput(f"folds={count} are more than {len(names)} groups allow; lower folds.")
    cell_of, filled = np.zeros(len(names), np.int64), [(0, c) for c in range(count)]
    for group in np.argsort(-sizes, kind="stable"):
        size, cell = heapq.heappop(filled)
        cell_of[group] = cell
        heapq.heappush(filled, (size + int(sizes[group]), cell))
    return cell_of[number.ravel()]


def _drawn(splitter: Any, rows: Rows, groups: NDArray[Any] | None) -> list[tuple[Any, Any]]:
    """Index pairs of a splitter of scikit-learn."""
    total = _starts(rows)[1]
    y = rows.y.cpu().numpy() if isinstance(rows, (TensorRows, SparseRows)) else None
    if y is not None and y.shape[1] == 1:
        y = y[:, 0]
    placeholder = np.broadcast_to(0.0, (total, 1))  # splitters only count the rows of X
    return list(splitter.split(placeholder, y, groups))


def _from_pairs(pairs: list[Any], rows: Rows) -> Folds:
    """Cells of rows that all splits treat alike."""
    if not pairs:
        raise InvalidInput("folds: there is no split in it.")
    starts, total = _starts(rows)
    cells, kinds = np.zeros(total, np.int64), np.zeros((1, 0), np.int64)
    for number, pair in enumerate(pairs):
        part = _treatment(pair, number, total)
        both = cells * 4 + part
        seen = np.flatnonzero(np.bincount(both, minlength=4 * len(kinds)))
        kinds = np.column_stack([kinds[seen // 4], seen % 4])
        number_of = np.zeros(int(seen.max()) + 1, np.int64)
        number_of[seen] = np.arange(len(seen))
        cells = number_of[both]
    first = np.empty(len(kinds), np.int64)
    first[cells[::-1]] = np.arange(total)[::-1]
    order = np.argsort(first)  # cells count from the first row on, so that blocks of rows ascend
    kinds, cells = kinds[order], np.argsort(order)[cells]
    train = tuple(tuple(np.flatnonzero(kind & TRAIN).tolist()) for kind in kinds.T)
    test = tuple(tuple(np.flatnonzero(kind & TEST).tolist()) for kind in kinds.T)
    return Folds(Listed(cells, starts), len(kinds), train, test)


def _treatment(pair: Any, number: int, total: int) -> Cells:
    """What a split makes of each row, shape (n,)."""
    try:
        train, test = pair
    except (TypeError, ValueError):
        raise InvalidInput(f"folds[{number}]: expected a pair (train, test) of row indices.") from None
    part = np.zeros(total, np.int64)
    for name, given, what in (("train", train, TRAIN), ("test", test, TEST)):
        part += what * _marked(np.asarray(given), f"folds[{number}], {name}", total)
    return part


def _marked(index: NDArray[Any], name: str, total: int) -> Cells:
    """1 for the rows that an index names, 0 for the others; a mask of all rows will do too."""
    if index.dtype == bool and index.shape == (total,):
        index = np.flatnonzero(index)
    if index.ndim != 1 or index.size == 0 or index.dtype.kind not in "iu":
        raise InvalidInput(f"{name}: expected row indices, got {index.dtype} of shape {index.shape}.")
    if index.min() < -total or index.max() >= total:
        raise InvalidInput(f"{name}: there are {total} rows, and an index names row {int(index.max())}.")
    times = np.bincount(index % total, minlength=total)
    if times.max() > 1:
        raise InvalidInput(
            f"{name}: row {int(times.argmax())} is named {times.max()} times; name it once and give it a weight."
        )
    return np.asarray(times, np.int64)


def _starts(rows: Rows) -> tuple[list[int], int]:
    """First row of each shard, and how many rows there are; a stream is read to count them."""
    if isinstance(rows, (TensorRows, SparseRows)):
        return list(rows.shards()), len(rows.y)
    counts = [sum(block.X.shape[0] for block in rows.blocks(shard)) for shard in rows.shards()]
    return [0, *np.cumsum(counts)[:-1].tolist()], sum(counts)


def _of_length(groups: NDArray[Any], total: int) -> NDArray[Any]:
    if groups.shape != (total,):
        raise InvalidInput(f"groups has shape {groups.shape}; expected ({total},), one for each row.")
    if groups.dtype.kind == "f" and np.isnan(groups).any():
        raise DataError("groups has missing values; give every row a group.")
    return groups


def _scrambled(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The mixing function of SplitMix64 (Steele, Lea, Flood 2014), which spreads every bit over all."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
