"""Sql: a table in files (CSV, TSV, Parquet, JSON, plain or gzipped) or behind a SELECT, read by DuckDB."""

from __future__ import annotations

import os.path
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike, fspath
from typing import Literal

import duckdb

from torchlinear.errors import DataError, InvalidInput, TorchlinearWarning
from torchlinear.sources import csv, paths
from torchlinear.sources.base import Column, Table
from torchlinear.sources.query import columns_of, literal, open_cursor

__all__ = ["SHARD_ROWS", "Piece", "Sql"]

SHARD_ROWS = 1_000_000  # at least this many rows a shard, cut at row groups; a fit of 20 columns takes 0.2 s


@dataclass(frozen=True, slots=True)
class Piece:
    """A shard: whole files, or rows ``start <= row < stop`` of a single one."""

    files: tuple[str, ...]
    start: int = 0
    stop: int | None = None


class Sql(Table):
    """A table in files or behind a SELECT.

    Parameters
    ----------
    source : str or path
        A CSV, TSV, Parquet or JSON file (``.gz`` too), a glob such as ``"2026-*.csv"``, a folder of Parquet
        files, or a statement that begins with SELECT, WITH or FROM. The row order of a statement is its
        ORDER BY's.
    query : str, optional
        A SELECT over the files, which it calls ``data``: ``"SELECT *, year(day) AS year FROM data"``.
    bad_rows : {"error", "drop"}
        What to do with lines of a CSV that do not fit the others.
    missing : sequence of str
        Texts that mean a missing value in a CSV.
    memory : str, optional
        Most memory that DuckDB may use, such as ``"500MB"``.

    Raises
    ------
    InvalidInput
        There is no such file, or it is of no kind that can be read.
    DataError
        A file is empty, holds no rows, or cannot be parsed.
    """

    def __init__(
        self,
        source: str | PathLike[str],
        *,
        query: str | None = None,
        bad_rows: Literal["error", "drop"] = "error",
        missing: Sequence[str] = csv.MISSING,
        memory: str | None = None,
    ) -> None:
        if bad_rows not in ("error", "drop"):
            raise InvalidInput(f"bad_rows={bad_rows!r} is not known; it is 'error' or 'drop'.")
        self.source, self.memory = fspath(source), memory
        self._drops = bad_rows == "drop"
        self._files: tuple[str, ...] = ()
        self._format: paths.Format | None = None
        self._clauses: dict[str, str] = {}
        self._query = query.strip().rstrip(";") if query else None
        if paths.is_statement(self.source):
            if query is not None:
                raise InvalidInput("query= stands beside a path; here the source is a SELECT already.")
            self._query, self.source = self.source.strip().rstrip(";"), "the query"
        else:
            self._files, self._format = paths.find(self.source)
        with open_cursor(self) as cursor:
            if self._format == "csv":
                self._clauses = csv.clauses(cursor, self._files, missing, drops=self._drops)
            self.schema: tuple[Column, ...] = columns_of(cursor, self.relation(cursor))
            self._refuse_no_rows(cursor)

    def _refuse_no_rows(self, cursor: duckdb.DuckDBPyConnection) -> None:
        if not cursor.sql(f"SELECT 1 FROM {self.relation(cursor)} LIMIT 1").fetchall():
            header = f"; there is only the header {', '.join(self.names)}" if self._format == "csv" else ""
            raise DataError(f"{self.source} has no rows{header}.")

    def relation(self, cursor: duckdb.DuckDBPyConnection, shard: Piece | None = None) -> str:
        """SQL for all rows or those of one shard."""
        if shard is not None:
            return self._rows_of(shard)
        whole = self._rows_of(Piece(self._files)) if self._files else None
        if self._query is None:
            return str(whole)
        data = f"WITH data AS NOT MATERIALIZED (SELECT * FROM {whole}) " if whole else ""
        return f"({data}SELECT * FROM ({self._query}\n))"  # a new line, for it may end in a comment

    def _rows_of(self, piece: Piece) -> str:
        if self._format == "csv":
            parts = dict.fromkeys(self._clauses[file] for file in piece.files)
            return csv.union(parts, {c: [f for f in piece.files if self._clauses[f] == c] for c in parts})
        files = f"[{', '.join(literal(paths.escaped(file)) for file in piece.files)}]"
        if self._format == "json":
            return f"read_json({files})"
        if piece.stop is None:
            return f"read_parquet({files})"
        return (
            f"(SELECT * EXCLUDE (file_row_number) FROM read_parquet({files}, file_row_number = true) "
            f"WHERE file_row_number >= {piece.start} AND file_row_number < {piece.stop})"
        )

    def shards(self) -> Sequence[Piece | None]:
        """Row ranges of whole row groups for Parquet, one file each for CSV and JSON, one for a query."""
        if self._query is not None:
            return [None]
        if self._format != "parquet":
            return [Piece((file,)) for file in self._files]
        return list(_pieces(self._groups))

    @property
    def n_rows(self) -> int | None:
        """From the metadata of Parquet files; None otherwise."""
        if self._format != "parquet" or self._query is not None:
            return None
        return sum(sum(groups) for groups in self._groups.values())

    @property
    def n_bytes(self) -> int | None:
        """Size of the files; None for a statement, which may read anything."""
        return sum(os.path.getsize(file) for file in self._files) if self._files else None

    @cached_property
    def _groups(self) -> dict[str, list[int]]:
        """Rows of each row group, by file."""
        groups: dict[str, list[int]] = {}
        with open_cursor(self) as cursor:
            for file in self._files:
                rows = cursor.sql(
                    "SELECT DISTINCT row_group_id, row_group_num_rows "
                    f"FROM parquet_metadata({literal(paths.escaped(file))}) ORDER BY row_group_id"
                ).fetchall()
                groups[file] = [int(row[1]) for row in rows]
        return groups

    def finish(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Say once how many lines of a CSV were left out, and which was the first."""
        if not self._drops or self._format != "csv":
            return
        rejects = csv.rejects(cursor)
        if rejects:
            self._drops = False
            warnings.warn(f"{self.source}: {rejects}", TorchlinearWarning, stacklevel=2)


def _pieces(groups: dict[str, list[int]]) -> Iterator[Piece]:
    """Cut files at row groups, and gather small files, into pieces of about `SHARD_ROWS` rows."""
    small: list[str] = []
    gathered = 0
    for file, sizes in groups.items():
        if sum(sizes) < SHARD_ROWS:
            small.append(file)
            gathered += sum(sizes)
        if small and (gathered >= SHARD_ROWS or sum(sizes) >= SHARD_ROWS):
            yield Piece(tuple(small))
            small, gathered = [], 0
        if sum(sizes) >= SHARD_ROWS:
            yield from _ranges(file, sizes)
    if small:
        yield Piece(tuple(small))


def _ranges(file: str, sizes: Sequence[int]) -> Iterator[Piece]:
    start = stop = 0
    for j, size in enumerate(sizes):
        stop += size
        if stop - start >= SHARD_ROWS or j == len(sizes) - 1:
            yield Piece((file,), start, stop)
            start = stop
