"""TableRows: the rows of a table as a design reads them, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.design.encoding import Columns, Values, Variable
from torchlinear.design.missing import complaint
from torchlinear.design.packing import Buffers, Pool, block_rows, packed
from torchlinear.rows import Rows, TensorRows
from torchlinear.sources.base import Table

if TYPE_CHECKING:
    from torchlinear.design import Design

__all__ = ["TableRows"]

COLLECTED_BYTES = 256_000_000  # a million rows of 20 columns are 176 MB

Array = NDArray[Any]


class TableRows(Rows):
    """The rows of `table` as numbers.

    With its target, every row is complete: what is missing was dropped or filled in as the design says, or is
    an error that counts it. Without, for prediction, all rows keep their places, and one that cannot be
    predicted (a missing value, a level that was not learnt) is all NaN. A block is the transpose of a
    (p, n) buffer in which every feature is contiguous.

    Parameters
    ----------
    design : Design
        What was learnt.
    table : Table
        Where the rows are.
    target : bool
        Whether to read the target and the weights too.
    """

    def __init__(self, design: Design, table: Table, *, target: bool) -> None:
        self.design, self.table, self._fitting = design, table, target
        self._targets = design.targets if target else Columns(())
        self.names, self.targets = design.features.names, self._targets.names
        self.has_offset = design.offset is not None or design.exposure is not None
        wanted = [*design.variables, *self._targets.variables]
        if target and design.weights is not None:
            wanted.append(Variable(design.weights, "number"))
        self._variables = list({v.name: v for v in reversed(wanted)}.values())[::-1]
        for v in self._variables:
            table.column(v.name, "the new rows" if not target else "columns")
        self._complete = target and design.missing == "drop"
        self.n_rows = None if self._complete else table.n_rows

    def collected(self, most: int = COLLECTED_BYTES) -> Rows:
        """The same rows in memory where they take at most `most` bytes, else these, which stream.

        Small tables are read once, however many passes a solver makes.
        """
        features = len(self.names) * (2 if self.design.features.extended else 1)
        width = 8 * (features + len(self.targets) + 1 + self.has_offset)
        size = self.table.n_bytes if self.n_rows is None else self.n_rows * width
        if size is not None and size > most:
            return self
        blocks, rows = [], 0
        for block in (block for shard in self.shards() for block in self.blocks(shard)):
            blocks.append(block)
            rows += block.X.shape[0]
            if rows * width > most:
                return self
        low = [b.low.T for b in blocks if b.low is not None]
        weight = [b.weight for b in blocks if b.weight is not None]
        offset = [b.offset for b in blocks if b.offset is not None]
        return TensorRows(
            torch.cat([b.X.T for b in blocks], dim=1).T,
            torch.cat([b.y.T for b in blocks], dim=1).T,
            torch.cat(weight) if weight else None,
            names=self.names,
            targets=self.targets,
            low=torch.cat(low, dim=1).T if low else None,
            offset=torch.cat(offset) if offset else None,
        )

    def shards(self) -> Sequence[Any]:
        """Those of the table."""
        return self.table.shards()

    def blocks(self, shard: Any, start: int = 0) -> Iterator[Block]:
        """Blocks of 65,536 rows (fewer when there are many features), from block `start` on.

        A shard without rows is one block of none. A block that the consumer keeps is never overwritten.

        Raises
        ------
        DataError
            A value is missing or infinite where the design allows none, or a weight is negative.
        """
        features, targets = self.design.features, self._targets
        size = block_rows(len(features.names))
        pool = Pool(lambda: Buffers.allocate(features, targets, self._variables, size))
        batches = self.table.batches(
            [v.name for v in self._variables],
            {v.name: v.levels for v in self._variables if v.kind == "category"},
            shard=shard,
            start=start * size,
            complete=self._complete,
        )
        none = start == 0
        for buffers, n in packed(batches, size, pool):
            none = False
            yield self._block(buffers, n)
        if none:
            yield self._block(Buffers.allocate(features, targets, self._variables, 0), 0)

    def _block(self, buffers: Buffers, n: int) -> Block:
        X, y = buffers.X[:, :n], buffers.y[:, :n]
        low = None if buffers.low is None else buffers.low[:, :n]
        values = {name: array[:n] for name, array in buffers.values.items()}
        if self.design.missing == "mean":
            _fill_means(self.design.features.variables, values)
        lost = None if self._fitting else _make_whole(self.design.variables, values, n)
        if lost is None and not _whole(values):
            raise complaint(self.design, self.table)
        self.design.features.encode(values, X, low)
        self._targets.encode(values, y, None)
        offset = self._offset(values, n)
        if self._fitting and not self.design.safe and not (_finite(X) and _finite(y)):
            raise complaint(self.design, self.table, X, y)
        if lost is not None:
            X[:, lost | ~np.isfinite(X).all(axis=0)] = np.nan
        return Block(
            _rows(buffers.X, n), _rows(buffers.y, n), self._weight(values), _rows(buffers.low, n), offset
        )

    def _offset(self, values: Values, n: int) -> Tensor | None:
        """Offset and logarithm of the exposure, shape (n,); NaN where a row cannot be predicted."""
        if not self.has_offset:
            return None
        found = np.zeros(n)
        encoder = self.design.offset
        if isinstance(encoder, Columns):
            found += values[encoder.variables[0].name]
        elif encoder is not None:
            parts = np.empty((len(encoder.names), n))
            encoder.encode(values, parts, None)
            found += parts.sum(axis=0)
        if self.design.exposure is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                found += np.log(values[self.design.exposure])
        bad = ~np.isfinite(found)
        if bad.any() and self._fitting:
            raise complaint(self.design, self.table, offset=found)
        found[bad] = np.nan
        return torch.from_numpy(found)

    def _weight(self, values: Values) -> Tensor | None:
        if not self._fitting or self.design.weights is None:
            return None
        weight = values[self.design.weights].astype(np.float64)
        if weight.size and weight.min() < 0:
            raise complaint(self.design, self.table)
        return torch.from_numpy(weight)


def _rows(buffer: Array | None, n: int) -> Any:
    """The (n, rows) tensor over a (rows, size) buffer."""
    return None if buffer is None else torch.from_numpy(buffer).T[:n]


def _fill_means(variables: Sequence[Variable], values: Values) -> None:
    for v in variables:
        if v.mean is not None:
            array = values[v.name]
            np.copyto(array, v.mean, where=np.isnan(array), casting="unsafe")


def _make_whole(variables: Sequence[Variable], values: Values, n: int) -> Array:
    """Where a value is missing; these values are replaced by something that every transform can take."""
    gaps = {v: values[v.name] < 0 if v.kind == "category" else np.isnan(values[v.name]) for v in variables}
    lost = np.zeros(n, dtype=bool)
    for v, gap in gaps.items():
        lost |= gap
        np.copyto(values[v.name], 0 if v.kind == "category" else v.mean or 0.0, where=gap, casting="unsafe")
    return lost


def _whole(values: Values) -> bool:
    """Whether no value is missing or infinite: a sum over one that is cannot be finite."""
    return all(
        array.size == 0 or (_finite(array) if array.dtype.kind == "f" else array.min() >= 0)
        for array in values.values()
    )


def _finite(array: Array) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())
