"""The SQL that every table shares: types, profiles, levels, and the stream of values.

DuckDB does the reading. Every identifier is quoted. Readers come from ``cursor.sql(...).to_arrow_reader``,
which streams; the same call after ``execute`` would hold the whole result in memory. An open reader blocks
its connection, so each reader has its own cursor of one database per process, which also keeps the number
of threads fixed however many shards are read at once.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from torchlinear.errors import InvalidInput
from torchlinear.sources.base import LEVEL_LIMIT, Column, ColumnProfile, Kind, Profile, Table
from torchlinear.sources.failures import translated

__all__ = ["batches", "columns_of", "count", "levels", "literal", "open_cursor", "profile"]

BATCH_ROWS = 65_536

_NUMBERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
}  # fmt: skip
_TEXTS = {"VARCHAR", "ENUM", "UUID", '"NULL"'}  # the last is a column without any value
_DATES = {"DATE", "TIME", "INTERVAL"}


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


@functools.cache
def _database(memory: str | None, process: int) -> duckdb.DuckDBPyConnection:  # noqa: ARG001
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    if memory is not None:
        try:
            connection.execute(f"SET memory_limit = {literal(str(memory))}")
        except duckdb.Error:
            raise InvalidInput(
                f"memory={memory!r} is no amount of memory; expected such as '500MB'."
            ) from None
    return connection


@contextmanager
def open_cursor(table: Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor of this process's database; DuckDB's errors leave as ours."""
    with translated(table.source), closing(_database(table.memory, os.getpid()).cursor()) as cursor:
        yield cursor


def columns_of(cursor: duckdb.DuckDBPyConnection, relation: str) -> tuple[Column, ...]:
    """Names and types of the columns of a relation."""
    described = cursor.sql(f"DESCRIBE FROM {relation}").fetchall()
    return tuple(Column(name, kind_of(dtype), dtype) for name, dtype, *_ in described)


def kind_of(dtype: str) -> Kind:
    """Our kind for one of DuckDB's types."""
    if dtype.endswith("]"):
        return "other"
    stem = dtype.split("(")[0].split(" ")[0]
    if stem in _NUMBERS:
        return "number"
    if stem in _TEXTS:
        return "text"
    if stem in _DATES or stem.startswith("TIMESTAMP"):
        return "date"
    return "boolean" if stem == "BOOLEAN" else "other"


def count(table: Table) -> int:
    """Number of rows, by a scan where the source does not know it."""
    if table.n_rows is not None:
        return table.n_rows
    with open_cursor(table) as cursor:
        return int(cursor.sql(f"SELECT count(*) FROM {table.relation(cursor)}").fetchall()[0][0])


def batches(
    table: Table,
    columns: Sequence[str],
    levels: Mapping[str, Sequence[str]],
    *,
    shard: Any,
    start: int,
    complete: bool,
) -> Iterator[pa.RecordBatch]:
    """See `Table.batches`."""
    chosen = [table.column(name) for name in dict.fromkeys(columns)]
    with open_cursor(table) as cursor:
        query = f"SELECT {_selection(chosen, levels)} FROM {table.relation(cursor, shard)}"
        if complete and chosen:
            query += " WHERE " + " AND ".join(_present(column, column.name in levels) for column in chosen)
        if start:
            query += f" OFFSET {int(start)}"
        with closing(cursor.sql(query).to_arrow_reader(BATCH_ROWS)) as reader:
            for batch in reader:
                yield pa.RecordBatch.from_arrays(batch.columns, [c.name for c in chosen] or [""])
        table.finish(cursor)


def _selection(columns: Sequence[Column], levels: Mapping[str, Sequence[str]]) -> str:
    if not columns:
        return "0"  # no column, but as many rows
    return ", ".join(
        f"{_category(c, levels[c.name]) if c.name in levels else _number(c)} AS v{j}"
        for j, c in enumerate(columns)
    )


def _number(column: Column) -> str:
    """A column as FLOAT or DOUBLE; the cast of a text fails with the text, of an all-NULL column does not."""
    name = column.identifier
    if column.dtype in ("FLOAT", "DOUBLE"):
        return name
    return (
        f"CAST(CAST({name} AS TINYINT) AS DOUBLE)" if column.kind == "boolean" else f"CAST({name} AS DOUBLE)"
    )


def _text(column: Column) -> str:
    """A column as text; whole numbers read the same from every source: ``3``, never ``3.0``."""
    name = column.identifier
    if column.kind != "number":
        return f"CAST({name} AS VARCHAR)"
    value = f"CAST({name} AS DOUBLE)"
    whole = f"{value} = trunc({value}) AND abs({value}) < 9e15"
    return (
        f"CASE WHEN {whole} THEN CAST(CAST({value} AS BIGINT) AS VARCHAR) ELSE CAST({value} AS VARCHAR) END"
    )


def _category(column: Column, levels: Sequence[str]) -> str:
    # substr: a bare cast is pushed into the scan of a CSV, where an unknown level is an error and not NULL
    return f"TRY_CAST(substr({_text(column)}, 1) AS ENUM({', '.join(map(literal, levels))}))"


def _present(column: Column, category: bool) -> str:
    """Say in SQL that a value is neither NULL nor NaN (which DuckDB calls equal to itself)."""
    name = column.identifier
    if category and column.kind != "number":
        return f"{name} IS NOT NULL"
    return f"NOT coalesce(isnan({_number(column)}), true)"


def levels(table: Table, columns: Sequence[str]) -> dict[str, tuple[str, ...] | None]:
    """See `Table.levels`: one scan for all columns, one more for each column that has too many values."""
    found: dict[str, tuple[str, ...] | None] = {}
    left = [table.column(name) for name in dict.fromkeys(columns)]
    while left:
        values = _distinct(table, left)
        excessive = [c for c in left if len(values[c.name]) > LEVEL_LIMIT]
        settled = excessive or left
        for c in settled:
            found[c.name] = None if c in excessive else _ordered(c, values[c.name])
        left = [c for c in left if c not in settled]
    return {name: found[name] for name in columns}


def _distinct(table: Table, columns: Sequence[Column]) -> dict[str, set[str]]:
    """Find the different texts of each column, all unless some column has more than `LEVEL_LIMIT`."""
    aliases = [f"v{j}" for j in range(len(columns))]
    selected = ", ".join(f"{_text(c)} AS {alias}" for c, alias in zip(columns, aliases))
    sets = ", ".join(f"({alias})" for alias in aliases)
    groupings = ", ".join(f"grouping({alias})" for alias in aliases)
    limit = (LEVEL_LIMIT + 2) * len(columns)  # by the pigeonhole principle; one more each for NULL
    found: dict[str, set[str]] = {c.name: set() for c in columns}
    with open_cursor(table) as cursor:
        rows = cursor.sql(
            f"SELECT {groupings}, {', '.join(aliases)} "
            f"FROM (SELECT {selected} FROM {table.relation(cursor)}) "
            f"GROUP BY GROUPING SETS ({sets}) LIMIT {limit}"
        ).fetchall()
    for row in rows:
        j = row.index(0)
        value = row[len(columns) + j]
        if value is not None and not (columns[j].kind == "number" and value == "nan"):
            found[columns[j].name].add(value)
    return found


def _ordered(column: Column, values: set[str]) -> tuple[str, ...]:
    if column.levels is not None:
        return tuple(level for level in column.levels if level in values)
    return tuple(sorted(values, key=float) if column.kind == "number" else sorted(values))


def profile(table: Table, columns: Sequence[str], *, with_levels: bool) -> Profile:
    """See `Table.profile`."""
    chosen = [table.column(name) for name in dict.fromkeys(columns)]
    facts = [fact for column in chosen for fact in _facts(column)]
    with open_cursor(table) as cursor:
        query = f"SELECT {', '.join(['count(*)', *facts])} FROM {table.relation(cursor)}"
        rows, *values = cursor.sql(query).fetchall()[0]
    texts = [c.name for c in chosen if c.kind == "text"] if with_levels else []
    found = levels(table, texts)
    width = len(facts) // max(len(chosen), 1)
    parts = [values[j * width : (j + 1) * width] for j in range(len(chosen))]
    return Profile(
        int(rows),
        {
            c.name: ColumnProfile(int(p[0]), int(p[1]), p[2], p[3], p[4], p[5], found.get(c.name))
            for c, p in zip(chosen, parts)
        },
    )


def _facts(column: Column) -> list[str]:
    """Missing, infinite, minimum, maximum, mean, deviation; in SQL."""
    if column.kind not in ("number", "boolean"):
        return [f"count(*) - count({column.identifier})", "0", "NULL", "NULL", "NULL", "NULL"]
    x = f"CAST({_number(column)} AS DOUBLE)"
    finite = f"FILTER (WHERE isfinite({x}))"
    return [
        f"count(*) FILTER (WHERE NOT {_present(column, False)})",
        f"count(*) FILTER (WHERE isinf({x}))",
        *(f"{f}({x}) {finite}" for f in ("min", "max", "favg", "stddev_samp")),
    ]
