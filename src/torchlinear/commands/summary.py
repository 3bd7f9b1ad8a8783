"""A fit's summary on the screen, in the user's language."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from torchlinear.commands import screen
from torchlinear.commands.language import has, say
from torchlinear.inference import text
from torchlinear.inference.likelihood import Likelihood

if TYPE_CHECKING:
    from rich.console import Console

    from torchlinear.inference.summary import Summary
    from torchlinear.labels import Label

__all__ = ["show"]

LABEL = 11  # columns of the labels at the left


def show(equation: str, summary: Summary) -> None:
    """Print how the model was fitted, its equation, its coefficients and how well they fit."""
    console = screen.console()
    for label, value in [*_facts(summary), *(("equation", line) for line in equation.splitlines())]:
        _fact(console, say(f"summary.{label}"), value)
    for j, table in enumerate(summary.tables):
        console.print()
        if len(summary.tables) > 1:
            console.print(Text(table.target, style="bold"))
        console.print(_coefficients(summary, table))
        if summary.quality is not None:
            console.print()
            for parts in text.goodness(summary.quality, j):
                line = "   ".join(f"{_word(label)} {_number(number)}" for label, number in parts)
                console.print(line, soft_wrap=True)
    for note in summary.notes:
        console.print()
        screen.paragraph(console, note, style="yellow")


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    """What was fitted and how it ended, as key and text."""
    yield "rows", say("summary.unknown") if summary.rows is None else f"{summary.rows:,}"
    if summary.weight_type is not None:
        kind = say(f"summary.{summary.weight_type}")
        total = math.nan if summary.weight is None else summary.weight
        yield "weights", say("summary.weight_sum", kind=kind, total=f"{total:,.6g}")
    yield "loss", summary.loss
    if summary.classes is not None:
        yield "classes", _classes(summary.classes, single=len(summary.tables) == 1)
    if summary.offset is not None:
        yield "offset", summary.offset
    yield "penalty", say("summary.none") if summary.penalty == "none" else summary.penalty
    yield "solver", summary.solver
    yield "status", _status(summary)
    if summary.inference:
        yield "errors", say(f"summary.{_errors(summary)}")


def _errors(summary: Summary) -> str:
    """The message on how standard errors were computed."""
    if isinstance(summary.quality, Likelihood):
        return "information"
    return "rlm" if summary.quality is None and summary.cov == "classical" else summary.cov


def _classes(classes: tuple[Label, ...], *, single: bool) -> str:
    listed = text.classes(classes)
    return say("summary.success", classes=listed, success=str(classes[-1])) if single else listed


def _status(summary: Summary) -> str:
    status = say(f"summary.{summary.status}")
    if summary.epochs > 1:
        status = say("summary.epochs", status=status, epochs=f"{summary.epochs:,}")
    if math.isnan(summary.certificate):
        return status
    return status + say("summary.certificate", value=f"{summary.certificate:.1e}")


def _fact(console: Console, label: str, value: str) -> None:
    for j, line in enumerate(screen.wrapped(value, min(console.width, screen.PARAGRAPH) - LABEL)):
        shown = label if j == 0 else ""
        head = Text(shown + " " * (LABEL - cell_len(shown)), style="dim")
        console.print(head + Text(line), soft_wrap=True)


def _coefficients(summary: Summary, table: Any) -> Table:
    """The coefficients; grey where the interval holds 0, and where a column was dropped."""
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    grid.add_column(say("summary.column"), overflow="fold")
    for heading in text.headings(summary, table):
        grid.add_column(_word(heading), justify="right", no_wrap=True)
    columns = text.cells(table)
    for j, name in enumerate(table.names):
        unclear = name != "Intercept" and bool(table.low[j] <= 0 <= table.high[j])
        cells = [say("summary.dropped")] if table.dropped[j] else [column[j] for column in columns]
        grid.add_row(name, *cells, style="dim" if unclear or table.dropped[j] else None)
    return grid


def _number(written: str) -> str:
    return re.sub(r" on (\S+) df", lambda found: say("summary.on_df", df=found[1]), written)


def _word(label: str) -> str:
    """A label of the library in the user's language, where there is a word for it."""
    if label.endswith("% low"):
        return say("summary.low", percent=label.removesuffix("% low"))
    key = "summary." + re.sub(r"\W+", "_", label).strip("_").lower()
    return say(key) if has(key) else label
