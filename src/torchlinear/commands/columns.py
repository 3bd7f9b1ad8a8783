"""The columns of a table, as commands list them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table as Grid

from torchlinear.commands import screen
from torchlinear.commands.language import say

if TYPE_CHECKING:
    from torchlinear.sources.base import Column, Profile, Table

__all__ = ["inline", "show_profile", "show_schema"]

LISTED = 40  # columns that one sentence names
LEVELS = 6  # different texts that a table names


def inline(table: Table) -> str:
    """The columns with their kinds, as part of a sentence."""
    named = [f"{column.name} ({kind(column)})" for column in table.schema[:LISTED]]
    more = len(table.schema) - LISTED
    return ", ".join(named) + (say("columns.more", n=more) if more > 0 else "")


def kind(column: Column) -> str:
    """What a column holds, in a word."""
    return say(f"columns.{column.kind}")


def show_schema(table: Table) -> None:
    """Print the columns with numbers to choose from."""
    grid = _grid(("", "right"), (say("columns.column"), "left"), (say("columns.kind"), "left"))
    for place, column in enumerate(table.schema, start=1):
        grid.add_row(str(place), column.name, kind(column))
    screen.console().print(grid)


def show_profile(table: Table, profile: Profile) -> None:
    """Print the columns with what they hold."""
    console = screen.console()
    rows = f"{profile.rows:,}"
    screen.paragraph(
        console, say("columns.title", source=table.source, rows=rows, columns=f"{len(table.schema):,}")
    )
    console.print()
    numbers = [say(f"columns.{heading}") for heading in ("missing", "minimum", "mean", "maximum")]
    grid = _grid(
        (say("columns.column"), "left"), (say("columns.kind"), "left"),
        *((heading, "right") for heading in numbers), (say("columns.levels"), "left"),
    )  # fmt: skip
    for column in table.schema:
        held = profile.columns[column.name]
        cells = [_number(value) for value in (held.minimum, held.mean, held.maximum)]
        missing = f"{held.missing:,}" if held.missing else "-"
        grid.add_row(column.name, kind(column), missing, *cells, _levels(column, held.levels))
    console.print(grid)


def _grid(*columns: tuple[str, str]) -> Grid:
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for heading, side in columns:
        grid.add_column(heading, justify="right" if side == "right" else "left", overflow="fold")
    return grid


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _levels(column: Column, levels: tuple[str, ...] | None) -> str:
    if column.kind != "text":
        return ""
    if levels is None:
        return say("columns.too_many")
    more = len(levels) - LEVELS
    return ", ".join(levels[:LEVELS]) + (say("columns.more", n=more) if more > 0 else "")
