"""Packing: a stream of Arrow batches of any size into blocks of a fixed size, one copy for each column."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from torchlinear.design.encoding import Encoder, Variable

__all__ = ["BLOCK_ROWS", "Buffers", "Pool", "block_rows", "packed"]

BLOCK_ROWS = 65_536  # 20 float64 features are 10 MB
BLOCK_NUMBERS = 8_388_608  # of wide blocks: 64 MB of float64

Array = NDArray[Any]


def block_rows(n_features: int) -> int:
    """Rows of a block: 65,536, halved until the features fit 64 MB."""
    rows = BLOCK_ROWS
    while rows > 1_024 and rows * n_features > BLOCK_NUMBERS:
        rows //= 2
    return rows


@dataclass(frozen=True)
class Buffers:
    """Room for one block.

    Attributes
    ----------
    X, y : ndarray, shapes (p, size) and (k, size)
        Features and targets, one contiguous row each.
    low : ndarray, shape (p, size), optional
        Low words of the features.
    values : dict of str to ndarray, shape (size,)
        Values of the columns; those that are features or targets as they stand are rows of X and y.
    """

    X: Array
    y: Array
    low: Array | None
    values: dict[str, Array] = field(default_factory=dict)

    @classmethod
    def allocate(
        cls, features: Encoder, targets: Encoder, variables: Sequence[Variable], size: int
    ) -> Buffers:
        """Room for `size` rows."""
        X = np.empty((len(features.names), size), dtype=features.dtype)
        y = np.empty((len(targets.names), size), dtype=targets.dtype)
        low = np.zeros_like(X) if features.extended else None
        self = cls(X, y, low)
        for encoder, matrix in ((features, X), (targets, y)):
            self.values.update((name, matrix[row]) for name, row in encoder.direct().items())
        for v in variables:
            if v.name not in self.values:
                self.values[v.name] = np.empty(size, dtype=v.dtype)
        return self

    def write(self, batch: pa.RecordBatch, start: int) -> None:
        """Copy the columns of `batch` to the rows from `start` on."""
        for name, column in zip(batch.schema.names, batch.columns):
            if name in self.values:  # a batch of no columns has one without name
                _copy(column, self.values[name][start : start + batch.num_rows])


def _copy(column: pa.Array, out: Array) -> None:
    """Numbers with NaN for NULL, or codes with -1 for NULL."""
    if isinstance(column, pa.DictionaryArray):
        codes = column.indices
        np.copyto(out, (codes.cast(pa.int32()).fill_null(-1) if codes.null_count else codes).to_numpy())
    else:
        np.copyto(out, column.to_numpy(zero_copy_only=False))


class Pool:
    """Buffers that are used again once nobody holds a block made of them.

    Fresh memory costs a page fault for every 4 kB. A consumer that keeps its blocks gets fresh memory for
    each, and never sees one change.
    """

    def __init__(self, allocate: Callable[[], Buffers]) -> None:
        self._allocate = allocate
        self._known: list[tuple[Buffers, int]] = []

    def take(self) -> Buffers:
        """Buffers over which there is no tensor."""
        for buffers, idle in self._known:
            if _holders(buffers) == idle:
                return buffers
        buffers = self._allocate()
        self._known.append((buffers, _holders(buffers)))
        return buffers


def _holders(buffers: Buffers) -> int:
    return sum(sys.getrefcount(a) for a in (buffers.X, buffers.y, buffers.low) if a is not None)


def packed(batches: Iterator[pa.RecordBatch], size: int, pool: Pool) -> Iterator[tuple[Buffers, int]]:
    """Fill buffers of `size` rows in order; yield each with its number of rows, the last may be short."""
    buffers, filled = pool.take(), 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, size - filled)
            buffers.write(part, filled)
            start += part.num_rows
            filled += part.num_rows
            if filled == size:
                yield buffers, filled
                buffers, filled = pool.take(), 0
    if filled:
        yield buffers, filled
