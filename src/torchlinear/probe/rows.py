"""Rows of embeddings, in memory or mapped from a file, of any float dtype, and the classes beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor

from torchlinear.block import Block
from torchlinear.rows import Rows, default_names

__all__ = ["EmbeddingRows"]

MOST_SHARDS = 16  # partial sums that exist at once: those of many classes and penalties are large
BLOCK_NUMBERS = 1 << 19  # numbers of X in a block on the CPU, which then stays in the cache from X v to X' r
LEAST_ROWS = 256
COPIED_BYTES = 4 << 30  # of rows that are copied once, chosen or in float32, rather than at every pass
DEVICE_ROWS = 1 << 14  # rows of a block on an accelerator, which wants large products but not endless memory


class EmbeddingRows(Rows):
    """Rows in blocks that fit the cache; a few shards of them for the threads.

    Parameters
    ----------
    X : Tensor, shape (n, p), any float dtype
        Embeddings; a mapped file is read block by block.
    codes : Tensor, shape (n,), int64
        Number of the class of each row, in memory.
    index : Tensor of int64, optional
        Which rows are meant, ascending; `codes` are theirs. All by default.
    device : torch.device, optional
        Where blocks are wanted; where X lies by default.
    weight : Tensor, shape (n,), float64, optional
        Row weights, of the rows that are meant.
    """

    in_memory = True

    def __init__(
        self,
        X: Tensor,
        codes: Tensor,
        index: Tensor | None = None,
        device: torch.device | None = None,
        weight: Tensor | None = None,
    ) -> None:
        if index is not None and len(index) * X.shape[1] * X.itemsize <= COPIED_BYTES:
            X, index = X[index.to(X.device)], None
        self.X, self.index, self.device = X, index, device or X.device
        self.y = codes.to(self.device)[:, None]
        self.weight = None if weight is None else weight.to(self.device)
        self.n_rows = len(codes)
        self.names, self.targets = default_names("x", X.shape[1]), ("y",)
        size = max(LEAST_ROWS, BLOCK_NUMBERS // X.shape[1]) if self.device.type == "cpu" else DEVICE_ROWS
        count = min(MOST_SHARDS, -(-self.n_rows // LEAST_ROWS)) if self.device.type == "cpu" else 1
        self._shard = max(1, -(-self.n_rows // count))
        self._block = -(-self._shard // -(-self._shard // size))

    def shards(self) -> Sequence[int]:
        """First row of each shard."""
        return range(0, max(len(self.y), 1), self._shard)

    def blocks(self, shard: int, start: int = 0) -> Iterator[Block]:
        """Blocks of a shard, from block `start`."""
        end = min(shard + self._shard, len(self.y))
        for first in range(shard + start * self._block, end, self._block):
            part = slice(first, min(first + self._block, end))
            yield Block(
                self._features(part), self.y[part], None if self.weight is None else self.weight[part]
            )

    @property
    def total(self) -> float:
        """Sum of the weights: how many rows there are, without."""
        return float(len(self.y)) if self.weight is None else float(self.weight.sum())

    def spaced(self, count: int) -> Block:
        """At most `count` evenly spaced rows, in float64."""
        every = (
            torch.linspace(0, len(self.y) - 1, min(count, len(self.y)), dtype=torch.float64).round().long()
        )
        return Block(self._features(every).double(), self.y[every.to(self.device)])

    def narrowed(self) -> EmbeddingRows:
        """The same rows in float32, or these where a copy would be too large."""
        if self.X.dtype is not torch.float64 or 4 * self.X.numel() > COPIED_BYTES:
            return self
        other = copy(self)
        other.X = self.X.float()
        return other

    def _features(self, part: Any) -> Tensor:
        """Rows in float64 or float32, which holds narrower numbers exactly."""
        if self.index is not None:
            part = self.index[part]
        X = self.X[part.to(self.X.device) if isinstance(part, Tensor) else part].to(self.device)
        return X if X.dtype in (torch.float64, torch.float32) else X.float()
