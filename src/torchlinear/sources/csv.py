"""CSV: find out once how a file is written, then read it always in that way.

Without this DuckDB would guess again at every scan. Numbers are read as float64 whatever the first rows
look like, so that a 1.5 after 20,000 whole numbers is no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import duckdb

from torchlinear.errors import DataError
from torchlinear.sources.paths import escaped
from torchlinear.sources.query import kind_of, literal

__all__ = ["MISSING", "clauses", "rejects", "union"]

MISSING = ("", "NA", "N/A", "n/a", "<NA>", "#N/A", "NaN", "nan", "NULL", "null", "None")

_OPTIONS = {
    "delim": "Delimiter",
    "quote": "Quote",
    "escape": "Escape",
    "comment": "Comment",
    "dateformat": "DateFormat",
    "timestampformat": "TimestampFormat",
}


class _Sniffed(NamedTuple):
    options: str
    types: dict[str, str]


def clauses(
    cursor: duckdb.DuckDBPyConnection, files: Sequence[str], missing: Sequence[str], *, drops: bool
) -> dict[str, str]:
    """The options of ``read_csv`` for each file; equal texts for files written alike.

    Raises
    ------
    DataError
        The files do not have the same columns.
    """
    nulls = f"nullstr = [{', '.join(map(literal, missing))}]"
    sniffed = {file: _sniff(cursor, file, nulls) for file in files}
    types = _common_types(sniffed)
    ending = nulls + (", ignore_errors = true, store_rejects = true" if drops else "")
    return {
        file: f"{found.options}, {_columns(found.types, types)}, {ending}" for file, found in sniffed.items()
    }


def _sniff(cursor: duckdb.DuckDBPyConnection, file: str, nulls: str) -> _Sniffed:
    answer = cursor.sql(f"SELECT * FROM sniff_csv({literal(escaped(file))}, {nulls})")
    found: dict[str, Any] = dict(zip(answer.columns, answer.fetchall()[0]))
    options = [f"auto_detect = false, header = {found['HasHeader']}, skip = {found['SkipRows']}"]
    for option, field in _OPTIONS.items():
        if found[field] is not None:
            options.append(f"{option} = {literal('' if found[field] == '(empty)' else found[field])}")
    types = {column["name"]: column["type"] for column in found["Columns"]}
    return _Sniffed(", ".join(options), types)


def _common_types(sniffed: Mapping[str, _Sniffed]) -> dict[str, str]:
    """Find one type for each column of all files: numbers are DOUBLE, empty columns take the others' type."""
    first_file, first = next(iter(sniffed.items()))
    common: dict[str, str] = {}
    for file, found in sniffed.items():
        for name in (*found.types, *first.types):
            if name not in found.types or name not in first.types:
                lacking, having = (file, first_file) if name not in found.types else (first_file, file)
                raise DataError(f"{lacking} has no column {name!r}, which {having} has.")
        for name, dtype in found.types.items():
            kind = "DOUBLE" if kind_of(dtype) == "number" else dtype
            if common.get(name, "VARCHAR") == "VARCHAR":
                common[name] = kind
    return common


def _columns(own: Iterable[str], types: Mapping[str, str]) -> str:
    return f"columns = {{{', '.join(f'{literal(name)}: {literal(types[name])}' for name in own)}}}"


def union(parts: Iterable[str], files: Mapping[str, Sequence[str]]) -> str:
    """SQL for the rows of files, those that are written alike in one scan."""
    scans = [
        f"read_csv([{', '.join(literal(escaped(file)) for file in files[part])}], {part})" for part in parts
    ]
    return (
        scans[0] if len(scans) == 1 else f"({' UNION ALL BY NAME '.join(f'FROM {scan}' for scan in scans)})"
    )


def rejects(cursor: duckdb.DuckDBPyConnection) -> str | None:
    """A sentence about the lines that the scans of `cursor` left out; None if there were none."""
    tables = cursor.sql("SELECT 1 FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchall()
    if not tables:
        return None
    rows = cursor.sql(
        "SELECT count(DISTINCT (scan_id, file_id, line)), min(line), arg_min(csv_line, line) "
        "FROM reject_errors"
    ).fetchall()
    dropped, line, text = rows[0]
    lines = "1 line that does" if dropped == 1 else f"{dropped:,} lines that do"
    return f"left out {lines} not fit the others; the first is line {line:,}: {text!r}." if dropped else None
