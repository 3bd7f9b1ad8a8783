"""Frame: a table in memory, from pandas, polars, pyarrow or a dict of arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import duckdb
import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa
from narwhals.exceptions import DuplicateError

from torchlinear.errors import DataError, InvalidInput
from torchlinear.sources.base import Column, Table
from torchlinear.sources.query import columns_of, open_cursor

__all__ = ["SHARD_ROWS", "Frame"]

SHARD_ROWS = 131_072  # as for tensors in memory: a million rows are eight shards


class Frame(Table):
    """A table in memory.

    Parameters
    ----------
    data : pandas, polars or pyarrow frame, or a mapping of str to one-dimensional arrays
        The columns; NumPy arrays, torch tensors and lists may stand in a mapping. Categories keep their
        declared order (a pandas Categorical, a polars Enum).
    memory : str, optional
        Most memory that DuckDB may use beside the frame itself.

    Raises
    ------
    InvalidInput
        `data` is not a frame, or two columns have the same name.
    DataError
        There are no rows, or a column mixes types.
    """

    source = "the data frame"

    def __init__(self, data: Any, *, memory: str | None = None) -> None:
        self.memory = memory
        columns = _mapping(data) if isinstance(data, Mapping) else _frame(data)
        lengths = {name: len(values) for name, (values, _) in columns.items()}
        if len(set(lengths.values())) > 1:
            raise InvalidInput(f"data: the columns differ in length: {lengths}.")
        # DuckDB's names ignore case, a frame's do not: to DuckDB the columns are c0, c1, ...
        self._table = pa.table(
            [values for values, _ in columns.values()], [f"c{j}" for j in range(len(columns))]
        )
        if self._table.num_rows == 0:
            raise DataError(f"{self.source} has no {'rows' if columns else 'columns'}.")
        with open_cursor(self) as cursor:
            described = columns_of(cursor, self.relation(cursor))
        self.schema = tuple(
            Column(name, column.kind, column.dtype, levels, reference=column.name)
            for (name, (_, levels)), column in zip(columns.items(), described)
        )

    def relation(self, cursor: duckdb.DuckDBPyConnection, shard: int | None = None) -> str:
        """Register the Arrow table, or one shard of it, on `cursor`."""
        cursor.register("frame", self._table if shard is None else self._table.slice(shard, SHARD_ROWS))
        return "frame"

    def shards(self) -> Sequence[int]:
        """First row of each shard."""
        return range(0, self._table.num_rows, SHARD_ROWS)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self._table.num_rows)

    @property
    def n_bytes(self) -> int:
        """Size of the values."""
        return int(self._table.nbytes)


_Columns = dict[str, tuple[Any, tuple[str, ...] | None]]  # Arrow values and declared levels, by name


def _mapping(data: Mapping[Any, Any]) -> _Columns:
    return {str(name): (_arrow(str(name), values), None) for name, values in data.items()}


def _arrow(name: str, values: Any) -> pa.Array:
    """One column from an array, tensor or list."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        values = np.asarray(values) if hasattr(values, "__array__") else values
        if getattr(values, "ndim", 1) != 1:
            raise InvalidInput(f"data: column {name!r} has shape {values.shape}; expected one dimension.")
    return _converted(name, lambda: pa.array(values, from_pandas=True))


def _frame(data: Any) -> _Columns:
    if hasattr(data, "set_axis"):  # pandas allows names that are not strings
        data = data.set_axis([str(name) for name in data.columns], axis=1)
    try:
        frame = nw.from_native(data, eager_only=True)
        names = frame.columns
    except DuplicateError as error:
        raise InvalidInput(f"data: {' '.join(str(error).split())}; rename one.") from None
    except TypeError:
        raise InvalidInput(
            f"data is a {type(data).__name__}; expected a path, a SELECT, a frame of pandas, polars or "
            "pyarrow (not a lazy one), or a dict of columns."
        ) from None
    return {name: _column(frame.get_column(name)) for name in names}


def _column(series: nw.Series[Any]) -> tuple[Any, tuple[str, ...] | None]:
    values = _converted(series.name, series.to_arrow)
    if not isinstance(series.dtype, nw.Categorical | nw.Enum):
        return values, None
    text = pa.dictionary(pa.int32(), pa.string())
    declared = tuple(str(level) for level in series.cat.get_categories().to_list())
    # polars numbers the categories of its Categorical in the order of first use, which says nothing
    ordered = isinstance(series.dtype, nw.Enum) or series.implementation.is_pandas()
    return values.cast(text), declared if ordered else None


def _converted(name: str, convert: Callable[[], Any]) -> Any:
    try:
        return convert()
    except (pa.ArrowException, TypeError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise DataError(f"data: column {name!r} cannot be read as one type: {reason}") from error
