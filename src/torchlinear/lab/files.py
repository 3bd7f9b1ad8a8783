"""Data sets from files: read by `tl.read`, so that what the lab takes is what `tl.fit` takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from torchlinear.errors import TorchlinearError
from torchlinear.lab.data import MOST_LEVELS, Array, Column, DataSet, Origin
from torchlinear.lab.safety import Refused

if TYPE_CHECKING:
    import pyarrow as pa

    from torchlinear.sources.base import Column as Declared
    from torchlinear.sources.base import Table

__all__ = ["MOST_NUMBERS", "checked_name", "read_file"]

ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".pq")
MOST_NUMBERS = 20_000_000  # rows times columns that are kept in memory: 160 MB
MOST_COLUMNS = 2_000
MEMORY = "2GB"  # that reading may take: a small Parquet file may hold texts of gigabytes
SEPARATORS = (",", ";", "\t", "|", " ")


def checked_name(name: str) -> str:
    """The name of an uploaded file: a name only, for the browser chooses no place on this machine."""
    if not name or len(name) > 200 or re.search(r"[/\\\x00-\x1f\x7f]", name) or name in (".", ".."):
        raise Refused(400, "file_name")
    if not name.lower().endswith(ENDINGS):
        raise Refused(422, "file_kind", name=name, endings=", ".join(ENDINGS))
    return name


def read_file(path: Path, name: str) -> DataSet:
    """Read the columns of a file.

    Parameters
    ----------
    path : Path
        Where it lies.
    name : str
        What the page and the programs call it.

    Raises
    ------
    Refused
        The file cannot be read, or is too large to be looked at; the sentence calls it by `name`.
    """
    from torchlinear.sources import read

    try:
        table = read(path, memory=MEMORY)
        columns = _columns(table, name)
    except TorchlinearError as error:
        sentence = str(error)
        for spelling in (str(path.absolute()), str(path)):
            sentence = sentence.replace(spelling, name)
        raise Refused(422, "library", message=sentence) from error
    parquet = path.suffix.lower() in (".parquet", ".pq")
    call = f"pd.read_parquet({name!r})" if parquet else f"pd.read_csv({name!r}{_separator(path, table)})"
    return DataSet.of("file", name, columns, Origin(f"data = {call}", True, ("import pandas as pd",)))


def _columns(table: Table, name: str) -> list[Column]:
    wide = len(table.schema)
    if wide > MOST_COLUMNS:
        raise Refused(413, "too_many_columns", name=name, columns=f"{wide:,}", most=f"{MOST_COLUMNS:,}")
    _check_size(table.n_rows or 0, wide, name)  # before anything is unpacked, where that is known
    profile = table.profile()
    _check_size(profile.rows, wide, name)
    levels = {}
    for declared in table.schema:
        found = profile.columns[declared.name].levels
        if declared.kind == "text" and found is not None and 2 <= len(found) <= MOST_LEVELS:
            levels[declared.name] = found
    used = [c for c in table.schema if c.kind in ("number", "boolean") or c.name in levels]
    values = _values(table, used, levels)
    columns = []
    for declared in table.schema:
        if declared.name not in values:
            columns.append(Column(declared.name, "other", np.empty(0)))
        else:
            kind = "label" if declared.name in levels else "number"
            columns.append(
                Column(declared.name, kind, values[declared.name], levels.get(declared.name))  # type: ignore[arg-type]
            )
    return columns


def _check_size(rows: int, columns: int, name: str) -> None:
    if rows * columns > MOST_NUMBERS:
        size = {"rows": f"{rows:,}", "columns": str(columns), "most": f"{MOST_NUMBERS:,}"}
        raise Refused(413, "too_many_numbers", name=name, **size)


def _values(table: Table, used: Sequence[Declared], levels: dict[str, tuple[str, ...]]) -> dict[str, Array]:
    names = [column.name for column in used]
    parts: dict[str, list[Array]] = {name: [] for name in names}
    for batch in table.batches(names, levels):
        for name, column in zip(names, batch.columns):
            parts[name].append(_numbers(column, coded=name in levels))
    return {name: np.concatenate([np.empty(0), *found]) for name, found in parts.items()}


def _numbers(column: pa.Array, *, coded: bool) -> Array:
    """An Arrow column as float64, NaN where it is missing."""
    import pyarrow as pa

    plain = column.indices if coded else column
    return np.asarray(plain.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _separator(path: Path, table: Table) -> str:
    """What ``pandas.read_csv`` must be told so that it finds the columns that we found."""
    import pandas

    for separator in SEPARATORS:
        try:
            names = pandas.read_csv(path, sep=separator, nrows=0).columns
        except (ValueError, UnicodeError):
            continue
        if tuple(map(str, names)) == table.names:
            return "" if separator == "," else f", sep={separator!r}"
    return ""
