"""Rows kept apart by cell: their moments in one pass, and the rows of some cells alone.

See `folds` for what cells are. The moments of a training set are those of its cells, merged. They are never a
difference: where one fold holds most of the rows, or the far ones, a difference would cancel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import reduce
from itertools import accumulate
from operator import add
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block, taken
from torchlinear.kernels import cells as cell_kernels
from torchlinear.kernels import words
from torchlinear.rows import Rows, TensorRows
from torchlinear.selection.folds import Assignment, Cells
from torchlinear.sparse import SparseRows
from torchlinear.statistics import Moments

__all__ = ["CellMoments", "Part", "PartitionedRows", "merged", "moments_by_cell"]

Array = NDArray[np.float64]

_FIELDS = tuple(each.name for each in fields(Block))


@dataclass(frozen=True, slots=True)
class Part(Block):
    """A block whose rows know their cell.

    Attributes
    ----------
    cell : ndarray of int64, shape (n,)
        Which cell each row belongs to.
    """

    cell: Cells = field(default_factory=lambda: np.zeros(0, np.int64))

    def by_cell(self) -> Iterator[tuple[int, Block]]:
        """The rows of each cell that has any: views where they lie together, copies where they do not."""
        if not len(self.cell):
            return
        if (np.diff(self.cell) >= 0).all():
            cells, first = np.unique(self.cell, return_index=True)
            for cell, start, stop in zip(cells, first, [*first[1:], len(self.cell)]):
                yield int(cell), _taken(self, slice(int(start), int(stop)))
            return
        for cell in np.unique(self.cell):
            yield int(cell), _taken(self, torch.from_numpy(np.flatnonzero(self.cell == cell)))

    def of(self, cells: Sequence[int]) -> Block:
        """The rows of some cells."""
        return _taken(self, torch.from_numpy(np.flatnonzero(np.isin(self.cell, cells))))


def _taken(block: Block, index: Any) -> Block:
    """Some rows of a block, in its layout."""
    values: dict[str, Any] = {name: _rows(getattr(block, name), index) for name in _FIELDS}
    return Block(**values)


def _rows(values: Tensor | None, index: Any) -> Tensor | None:
    if values is None:
        return None
    if values.layout is not torch.strided:
        return taken(values, torch.arange(values.shape[0])[index])
    columnar = values.ndim == 2 and values.shape[1] > 1 and values.stride(0) == 1
    return values.T[:, index].T if columnar else values[index]


@dataclass(frozen=True, slots=True)
class CellMoments:
    """Moments of each cell that has rows; ``a + b`` are those of both sets of rows."""

    moments: Mapping[int, Moments]

    def __add__(self, other: CellMoments) -> CellMoments:
        both = dict(self.moments)
        for cell, more in other.moments.items():
            both[cell] = both[cell] + more if cell in both else more
        return CellMoments(both)

    def listed(self, cells: int, n_features: int, columns: int) -> list[Moments]:
        """Moments of all of `cells` cells of so many `columns`, of no weight where there are no rows."""
        zeros = words.of(np.zeros(columns)), words.of(np.zeros((columns, columns)))
        return [self.moments.get(c) or Moments(n_features, 0, 0.0, *zeros) for c in range(cells)]


def moments_by_cell(part: Part, shift: Array, extended: bool, cells: int) -> CellMoments:
    """Moments of the rows of each of `cells` cells about `shift`; in double-double when `extended`."""
    if not len(part.cell):
        return CellMoments({})
    together = (np.diff(part.cell) >= 0).all()
    if extended or together or part.sparse or not cell_kernels.fits(cells, len(shift)):
        return CellMoments({cell: block.moments(shift, extended) for cell, block in part.by_cell()})
    weight = None if part.weight is None else part.weight.cpu().numpy()
    seen = np.ones(len(part.cell), bool) if weight is None else weight > 0
    rows = np.bincount(part.cell[seen], minlength=cells)
    logs = np.zeros(cells) if weight is None else _sums(part.cell[seen], np.log(weight[seen]), cells)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not finite shows in the sums
        sums = cell_kernels.about(*part._arrays(), shift, part.cell, cells)
    found = {}
    for cell in np.unique(part.cell).tolist():
        s = sums[cell]
        found[cell] = Moments.about(
            shift,
            words.of(s.weight),
            int(rows[cell]),
            s.total,
            s.cross,
            n_features=part.X.shape[1],
            low_words=False,
            log_weight=float(logs[cell]),
        )
    return CellMoments(found)


def _sums(cell: Cells, values: Array, cells: int) -> Array:
    return np.bincount(cell, values, cells).astype(np.float64)


def merged(moments: Sequence[Moments], sets: Sequence[Sequence[int]]) -> list[Moments]:
    """Moments of each set of cells (ascending), sharing the sums from the first cell on and up to the last."""
    ahead, behind = list(accumulate(moments, add)), list(accumulate(moments[::-1], add))[::-1]
    last, found = len(moments) - 1, []
    for cells in sets:
        parts = []
        for first, stop in _runs(cells):
            if first == 0:
                parts.append(ahead[stop - 1])
            elif stop > last:
                parts.append(behind[first])
            else:
                parts += moments[first:stop]
        found.append(reduce(add, parts))
    return found


def _runs(cells: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and one past the last of each run of consecutive numbers."""
    index = np.asarray(cells)
    for run in np.split(index, np.flatnonzero(np.diff(index) > 1) + 1):
        yield int(run[0]), int(run[-1]) + 1


class PartitionedRows(Rows):
    """`rows`, whose blocks are `Part`: each row with its cell.

    Parameters
    ----------
    rows : Rows
        Any rows.
    assignment : Assignment
        Which cell each belongs to.
    """

    def __init__(self, rows: Rows, assignment: Assignment) -> None:
        self.rows, self.assignment = rows, assignment
        self.names, self.targets = rows.names, rows.targets
        self.n_rows, self.in_memory = rows.n_rows, rows.in_memory
        self.has_offset, self.dense = rows.has_offset, rows.dense

    def shards(self) -> Sequence[tuple[int, Any]]:
        """Those of the rows, numbered."""
        return list(enumerate(self.rows.shards()))

    def blocks(self, shard: tuple[int, Any], start: int = 0) -> Iterator[Part]:
        """Blocks of the rows with their cells, from block `start` on."""
        number, inner = shard
        first = 0
        for index, block in enumerate(self.rows.blocks(inner)):
            count = block.X.shape[0]
            if index >= start:
                values = {name: getattr(block, name) for name in _FIELDS}
                yield Part(**values, cell=self.assignment.of(number, first, count))
            first += count

    def select(self, cells: Sequence[int]) -> Rows:
        """The rows of some cells: a copy of rows in memory, otherwise another stream."""
        chosen = _Selected(self, cells)
        return chosen.collected() if self.in_memory else chosen


class _Selected(Rows):
    """The rows of some cells, block by block."""

    def __init__(self, rows: PartitionedRows, cells: Sequence[int]) -> None:
        self.rows, self.cells = rows, cells
        self.has_offset, self.dense = rows.has_offset, rows.dense
        self.names, self.targets = rows.names, rows.targets

    def shards(self) -> Sequence[Any]:
        """Those of the rows."""
        return self.rows.shards()

    def blocks(self, shard: Any, start: int = 0) -> Iterator[Block]:
        """Blocks of the rows, without those of other cells."""
        for part in self.rows.blocks(shard, start):
            yield part.of(self.cells)

    def collected(self) -> Rows:
        """The same rows in memory."""
        blocks = [block for shard in self.shards() for block in self.blocks(shard)]
        whole: dict[str, Any] = {
            name: _joined([getattr(block, name) for block in blocks]) for name in _FIELDS
        }
        kind = TensorRows if self.dense else SparseRows
        if not self.dense:
            del whole["low"]
        return kind(**whole, names=self.names, targets=self.targets)


def _joined(parts: Sequence[Tensor | None]) -> Any:
    """Rows of all parts in one tensor, in their layout."""
    tensors = [part for part in parts if part is not None]
    if not tensors:
        return None
    first = tensors[0]
    if first.layout is not torch.strided:
        return _stacked(tensors)
    columnar = first.ndim == 2 and first.shape[1] > 1 and first.stride(0) == 1
    return torch.cat([t.T for t in tensors], dim=1).T if columnar else torch.cat(tensors)


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    """Rows of sparse tensors below each other."""
    stored = np.cumsum([0, *(len(part.values()) for part in parts)])
    starts = [part.crow_indices()[:-1] + int(before) for part, before in zip(parts, stored)]
    end = torch.tensor([int(stored[-1])], dtype=starts[0].dtype)
    return torch.sparse_csr_tensor(
        torch.cat([*starts, end]),
        torch.cat([part.col_indices() for part in parts]),
        torch.cat([part.values() for part in parts]),
        size=(sum(part.shape[0] for part in parts), parts[0].shape[1]),
        check_invariants=False,
    )
