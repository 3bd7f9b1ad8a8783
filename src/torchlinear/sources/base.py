"""Table: where columns come from, whatever holds them.

A table answers three questions about named columns: what are they (`schema`), what do they hold
(`profile`, `levels`), and the values themselves in a fixed order and bounded memory (`batches`). It
knows nothing of formulas or models. A concrete table only says how DuckDB finds its rows (`relation`) and
how they are cut into shards.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from torchlinear.errors import InvalidInput
from torchlinear.registry import suggestion

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

__all__ = ["LEVEL_LIMIT", "Column", "ColumnProfile", "Kind", "Profile", "Table"]

Kind = Literal["number", "boolean", "text", "date", "other"]

LEVEL_LIMIT = 1_000  # more different texts than this are a name or an identifier, not a category


@dataclass(frozen=True, slots=True)
class Column:
    """One column as its source declares it.

    Attributes
    ----------
    name : str
        Name, exactly as the source spells it.
    kind : {"number", "boolean", "text", "date", "other"}
        What a linear model can make of it.
    dtype : str
        DuckDB's name of the type: ``"BIGINT"``, ``"VARCHAR"``.
    levels : tuple of str, optional
        Declared order of the categories, for sources that have one (a pandas Categorical, a polars Enum).
    reference : str, optional
        What SQL calls the column, where that is not its name.
    """

    name: str
    kind: Kind
    dtype: str
    levels: tuple[str, ...] | None = None
    reference: str | None = None

    @property
    def identifier(self) -> str:
        """The column in SQL, quoted."""
        return '"' + (self.reference or self.name).replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What one column holds.

    Attributes
    ----------
    missing : int
        Rows that are NULL or NaN.
    infinite : int
        Rows that are plus or minus infinity.
    minimum, maximum, mean, deviation : float, optional
        Of the finite values of a number or boolean; the standard deviation divides by n - 1.
    levels : tuple of str, optional
        Different values of a text column in the order in which dummies are made; None for other kinds
        and above `LEVEL_LIMIT`.
    """

    missing: int
    infinite: int = 0
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    deviation: float | None = None
    levels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """Number of rows and what each column holds."""

    rows: int
    columns: Mapping[str, ColumnProfile]


class Table(ABC):
    """Named columns with rows in a fixed order.

    Attributes
    ----------
    source : str
        What messages call this table: a path, ``"the data frame"``.
    schema : tuple of Column
        The columns, in order.
    memory : str, optional
        Most memory that DuckDB may use, such as ``"500MB"``; by default 80% of the machine's.
    """

    source: str
    schema: tuple[Column, ...]
    memory: str | None = None

    @abstractmethod
    def relation(self, cursor: duckdb.DuckDBPyConnection, shard: Any = None) -> str:
        """Give the SQL that follows ``FROM`` for all rows or a shard; register on `cursor` what it names."""

    @abstractmethod
    def shards(self) -> Sequence[Any]:
        """Picklable recipes of consecutive row ranges; their number depends on the data alone."""

    @property
    @abstractmethod
    def n_rows(self) -> int | None:
        """Number of rows where that costs nothing to know, else None."""

    @property
    @abstractmethod
    def n_bytes(self) -> int | None:
        """Size of the source where there is one: its files, or its values in memory."""

    def finish(self, cursor: duckdb.DuckDBPyConnection) -> None:  # noqa: B027 - most have nothing to do
        """Do what is left after the last batch of a complete read by `cursor`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(column.name for column in self.schema)

    def column(self, name: str, argument: str = "columns") -> Column:
        """The column called `name`.

        Raises
        ------
        InvalidInput
            There is none; the message names the closest and lists the known.
        """
        for column in self.schema:
            if column.name == name:
                return column
        known = ", ".join(self.names[:40]) + (", ..." if len(self.names) > 40 else "")
        raise InvalidInput(
            f"{argument}: {self.source} has no column {name!r}{suggestion(name, self.names)}. "
            f"Its columns: {known}."
        )

    def profile(self, columns: Sequence[str] | None = None, *, levels: bool = True) -> Profile:
        """Count rows, missing values, ranges, means and levels of `columns` (all by default)."""
        from torchlinear.sources import query

        return query.profile(self, self.names if columns is None else columns, with_levels=levels)

    def levels(self, columns: Sequence[str]) -> dict[str, tuple[str, ...] | None]:
        """Different values of each column, in the order of its dummies; None where there are too many."""
        from torchlinear.sources import query

        return query.levels(self, columns)

    def batches(
        self,
        columns: Sequence[str],
        levels: Mapping[str, Sequence[str]] | None = None,
        *,
        shard: Any = None,
        start: int = 0,
        complete: bool = False,
    ) -> Iterator[pa.RecordBatch]:
        """The values of `columns`, in row order and bounded memory.

        Parameters
        ----------
        columns : sequence of str
            Columns to read.
        levels : mapping of str to sequence of str, optional
            For the columns that are read as categories, their levels: these columns arrive as Arrow
            dictionaries whose codes count in this order, NULL where a value is not among the levels.
            All others arrive as float64, or float32 where the source holds float32; booleans are 0 and 1.
        shard : recipe from `shards()`, optional
            Only the rows of this shard.
        start : int
            Rows to skip at the front.
        complete : bool
            Leave out rows in which any of `columns` is NULL or NaN.

        Yields
        ------
        pyarrow.RecordBatch
            Rows in order; the sizes of the batches carry no meaning.

        Raises
        ------
        DataError
            A value cannot be read: the message names the file, line, column and text.
        """
        from torchlinear.sources import query

        return query.batches(self, columns, levels or {}, shard=shard, start=start, complete=complete)
