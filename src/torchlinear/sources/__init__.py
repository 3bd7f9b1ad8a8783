"""Sources: where columns come from. One file each, listed here; `read` picks one for what it is given."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from torchlinear.errors import InvalidInput
from torchlinear.registry import Entry, Registry

if TYPE_CHECKING:
    from torchlinear.sources.base import Table

__all__ = ["REGISTRY", "read"]

REGISTRY = Registry(
    "source",
    {
        "sql": Entry(
            "sources.sql:Sql", "Files (CSV, TSV, Parquet, JSON, globs, folders) or any SELECT, by DuckDB."
        ),
        "frame": Entry("sources.frame:Frame", "A frame of pandas, polars or pyarrow, or a dict of arrays."),
    },
)


def read(data: Any, **options: Any) -> Table:
    """Open a table.

    Parameters
    ----------
    data : str, path, frame, mapping or Table
        A path (CSV, TSV, Parquet, JSON, each also gzipped), a glob, a folder of Parquet files, a SELECT,
        a frame of pandas, polars or pyarrow, or a dict of one-dimensional arrays. A Table is returned
        as it is.
    **options
        For files ``query=`` (a SELECT over ``data``), ``bad_rows="error"|"drop"``, ``missing=`` (texts that
        mean a missing value), ``memory=`` (such as ``"500MB"``); for frames ``memory=``. See `Sql`, `Frame`.

    Returns
    -------
    Table
        Named columns, rows in a fixed order. Only metadata has been read.

    Raises
    ------
    InvalidInput
        Nothing is there to read, or an option does not apply.
    DataError
        The source is empty or damaged.

    Examples
    --------
    >>> from torchlinear.sources import read
    >>> table = read({"area": [50.0, 80.0], "city": ["Lyon", "Paris"]})
    >>> table.names, table.n_rows
    (('area', 'city'), 2)
    """
    from torchlinear.sources.base import Table

    if isinstance(data, Table):
        return data
    member = REGISTRY.load("sql" if isinstance(data, str | PathLike) else "frame")
    try:
        table: Table = member(data, **options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise InvalidInput(f"{error}: a {type(data).__name__} has no such option of reading.") from None
    return table
