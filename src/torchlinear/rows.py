"""Rows: where blocks come from.

A fixed number of shards, known from the data alone, each a sequence of blocks of fixed sizes in a fixed order.
So results do not depend on how many threads add them up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block, taken

__all__ = [
    "SHARD_ROWS",
    "Rows",
    "Sample",
    "TensorRows",
    "deducted",
    "default_names",
    "drawn",
    "sample",
]

SHARD_ROWS = 131_072  # rows of an in-memory shard: 20 float64 columns are 20 MB, 8 shards a million rows
SHARD_NUMBERS = 20 * SHARD_ROWS  # wider rows are cut to as many numbers, so that threads share them

Array = NDArray[np.float64]


class Rows(ABC):
    """Where blocks come from.

    Attributes
    ----------
    names : tuple of str
        Names of the p features.
    targets : tuple of str
        Names of the k targets.
    n_rows : int or None
        Rows, when known before they are read.
    in_memory : bool
        Whether another pass costs no more than reading memory.
    has_offset : bool
        Whether blocks come with an offset.
    dense : bool
        Whether X of the blocks is dense: only then can its sums be double-double.
    """

    names: tuple[str, ...]
    targets: tuple[str, ...]
    n_rows: int | None = None
    in_memory: bool = False
    has_offset: bool = False
    dense: bool = True

    @abstractmethod
    def shards(self) -> Sequence[Any]:
        """Recipes of the shards; their number depends on the data alone."""

    @abstractmethod
    def blocks(self, shard: Any, start: int = 0) -> Iterator[Block]:
        """Blocks of one shard in their fixed order, from block `start`."""

    @property
    def n_features(self) -> int:
        """p."""
        return len(self.names)

    @property
    def n_outputs(self) -> int:
        """k."""
        return len(self.targets)


class TensorRows(Rows):
    """Rows that lie in memory as tensors.

    Parameters
    ----------
    X : Tensor, shape (n, p)
        Features, float32 or float64.
    y : Tensor, shape (n, k)
        Targets.
    weight : Tensor, shape (n,), optional
        Row weights.
    names, targets : sequences of str
        Names of the features and the targets.
    low : Tensor, shape (n, p), optional
        Low words of double-double columns.
    offset : Tensor, shape (n,), optional
        What the linear predictor has besides features and intercept.
    """

    in_memory = True

    def __init__(
        self,
        X: Tensor,
        y: Tensor,
        weight: Tensor | None = None,
        *,
        names: Sequence[str] | None = None,
        targets: Sequence[str] | None = None,
        low: Tensor | None = None,
        offset: Tensor | None = None,
    ) -> None:
        self.X, self.y, self.weight, self.low, self.offset = X, y, weight, low, offset
        self.has_offset = offset is not None
        self.n_rows = X.shape[0]
        self.names = tuple(names or default_names("x", X.shape[1]))
        self.targets = tuple(targets or default_names("y", y.shape[1]))

    def shards(self) -> Sequence[int]:
        """First row of each shard."""
        return range(0, max(self.X.shape[0], 1), self._shard)

    @property
    def _shard(self) -> int:
        """Rows of a shard: equal shares, and not so few that their second moments would outweigh them."""
        n, p = self.X.shape
        most = min(SHARD_ROWS, max(SHARD_NUMBERS // max(p, 1), 4 * p))
        return SHARD_ROWS if most == SHARD_ROWS else -(-n // max(-(-n // most), 1)) or 1

    def blocks(self, shard: int, start: int = 0) -> Iterator[Block]:
        """The shard as one block: views, no copy."""
        if start == 0:
            part = slice(shard, shard + self._shard)
            yield Block(
                self.X[part],
                self.y[part],
                None if self.weight is None else self.weight[part],
                None if self.low is None else self.low[part],
                None if self.offset is None else self.offset[part],
            )

    def spaced(self, count: int) -> TensorRows:
        """`count` evenly spaced ones of these rows, copied."""
        every = torch.linspace(0, len(self.X) - 1, count, dtype=torch.float64).round().long()
        weight, low, offset = (
            None if part is None else part[every] for part in (self.weight, self.low, self.offset)
        )
        X, y = self.X[every], self.y[every]
        return TensorRows(X, y, weight, names=self.names, targets=self.targets, low=low, offset=offset)

    def columns(self, chosen: Tensor) -> TensorRows:
        """The same rows with some of their features, copied column by column."""
        X, low = (None if part is None else part.T[chosen].T for part in (self.X, self.low))
        assert X is not None
        names = [self.names[j] for j in chosen.tolist()]
        options: dict[str, Any] = {"names": names, "targets": self.targets, "low": low, "offset": self.offset}
        return TensorRows(X, self.y, self.weight, **options)


class _Deducted(Rows):
    """Rows of another source with the offset taken off the targets."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.names, self.targets = rows, rows.names, rows.targets
        self.n_rows, self.in_memory = rows.n_rows, rows.in_memory

    def shards(self) -> Sequence[Any]:
        return self.rows.shards()

    def blocks(self, shard: Any, start: int = 0) -> Iterator[Block]:
        for block in self.rows.blocks(shard, start):
            assert block.offset is not None
            yield replace(block, y=block.y.double() - block.offset.to(block.y.device)[:, None], offset=None)


def deducted(rows: Rows) -> Rows:
    """The same rows with the offset taken off the targets: all the same to a loss of ``y - eta``."""
    if not rows.has_offset:
        return rows
    if not isinstance(rows, TensorRows):
        return _Deducted(rows)
    assert rows.offset is not None
    y = rows.y.double() - rows.offset.to(rows.y.device)[:, None]
    return TensorRows(rows.X, y, rows.weight, names=rows.names, targets=rows.targets, low=rows.low)


def default_names(letter: str, count: int) -> tuple[str, ...]:
    """``('x',)`` for one column, ``('x0', 'x1', ...)`` for more."""
    return (letter,) if count == 1 else tuple(f"{letter}{j}" for j in range(count))


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows as arrays.

    Attributes
    ----------
    X : ndarray, shape (m, p), float64
        Features.
    y : ndarray, shape (m, k), float64
        Targets.
    offset : ndarray, shape (m,), float64
        Offsets; zeros without.
    total : int
        Of how many rows these are.
    """

    X: Array
    y: Array
    offset: Array
    total: int


def sample(rows: Rows, most: int = 2_000) -> tuple[Array, Array, int]:
    """Up to `most` evenly spaced rows as arrays X (m, p) and y (m, k), float64, and how many rows there are."""
    found = drawn(rows, most)
    return found.X, found.y, found.total


def drawn(rows: Rows, most: int = 2_000) -> Sample:
    """Up to `most` evenly spaced rows."""
    total = rows.n_rows
    if total is None:
        total = sum(block.X.shape[0] for shard in rows.shards() for block in rows.blocks(shard))
    wanted = np.unique(np.linspace(0, total - 1, min(most, total)).round().astype(np.int64))
    X, y, offset, first = [], [], [], 0
    for shard in rows.shards():
        for block in rows.blocks(shard):
            count = block.X.shape[0]
            here = torch.from_numpy(wanted[(wanted >= first) & (wanted < first + count)] - first)
            X.append(taken(block.X, here.to(block.X.device)).to_dense().double().cpu().numpy())
            y.append(block.y[here.to(block.y.device)].double().cpu().numpy())
            shift = torch.zeros(count) if block.offset is None else block.offset
            offset.append(shift[here.to(shift.device)].double().cpu().numpy())
            first += count
    return Sample(np.vstack(X), np.vstack(y), np.concatenate(offset), total)
