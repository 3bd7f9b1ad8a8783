"""The table of a race: live in a terminal, printed once at the end in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType

import torch
from rich.live import Live
from rich.table import Table
from rich.text import Text
from torch import Tensor

from torchlinear.commands import screen
from torchlinear.commands.language import say
from torchlinear.commands.scenes.lanes import Finish

__all__ = ["Board", "Row", "sparkline"]

BARS = "▁▂▃▄▅▆▇█"
COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "white", "red")
WIDE = 100  # columns from which the board explains each algorithm


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the board; empty cells are still to come."""

    name: str
    meaning: str
    curve: str = ""
    loss: str = ""
    numbers: tuple[str, ...] = ()
    seconds: str = ""


class Board:
    """The table of a race, a context manager that shows it.

    Parameters
    ----------
    title : str
        What is fitted.
    rows : sequence of Row
        The lanes, still empty.
    loss : str
        Heading of the loss.
    floor : float
        The loss above the optimum where curves end.
    parameters : sequence of str
        Headings of the numbers in each row.
    quiet : bool
        Show nothing.
    """

    def __init__(
        self,
        title: str,
        rows: Sequence[Row],
        *,
        loss: str,
        floor: float,
        parameters: Sequence[str],
        quiet: bool,
    ) -> None:
        self._title, self._rows, self._floor = title, list(rows), floor
        self._headings, self._quiet = (loss, *parameters, say("board.seconds")), quiet
        self._console = screen.console()
        self._live: Live | None = None

    def __enter__(self) -> Board:
        if self._quiet:
            return self
        screen.paragraph(self._console, self._title)
        if self._console.is_terminal:
            self._live = Live(self._table(), console=self._console, refresh_per_second=12)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
            self._live.stop()
        elif not self._quiet and kind is None:
            self._console.print(self._table())

    def put(
        self,
        place: int,
        finish: Finish,
        numbers: Sequence[float],
        *,
        optimum: float = 0.0,
        goal: int | None = None,
        one_pass: bool = False,
    ) -> None:
        """Fill in a row; `goal` is the epochs that a lane is on its way to, `optimum` the smallest loss."""
        above = (finish.loss - optimum).clamp_min(0)
        width = SPARK if goal is None else max(1, SPARK * finish.epochs // goal)
        curve = say("board.one_pass") if one_pass else sparkline(above, self._floor, width)
        self._rows[place] = replace(
            self._rows[place],
            curve=curve,
            loss=f"{float(above[-1]):.0e}",
            numbers=tuple(f"{number:.4f}" for number in numbers),
            seconds=duration(finish.seconds),
        )
        if self._live is not None:
            self._live.update(self._table())

    def _table(self) -> Table:
        wide = self._console.width >= WIDE
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        table.add_column(say("board.algorithm"), no_wrap=True)
        if wide:
            table.add_column("", style="dim", no_wrap=True)
        table.add_column(say("board.curve", floor=f"{self._floor:.0e}"), no_wrap=True, min_width=SPARK)
        for heading in self._headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for row, colour in zip(self._rows, COLOURS):
            numbers = row.numbers or [""] * (len(self._headings) - 2)
            meaning = [row.meaning] if wide else []
            curve = Text(row.curve, style=colour)
            table.add_row(Text(row.name, style=colour), *meaning, curve, row.loss, *numbers, row.seconds)
        return table


SPARK = 24


def sparkline(losses: Tensor, floor: float, width: int = SPARK, top: float = 1.0) -> str:
    """Losses of shape (e,) as `width` bars, evenly spaced epochs, on a log scale from `floor` to `top`."""
    places = torch.linspace(0, len(losses) - 1, width).round().long()
    heights = losses[places].clamp(floor, top).log10()
    low = torch.tensor(floor).log10()
    high = torch.tensor(top).log10()
    steps = ((heights - low) / (high - low) * (len(BARS) - 1)).round().long()
    return "".join(BARS[step] for step in steps.tolist())


def duration(value: float) -> str:
    """A time in its best unit: ``3.2 s``, ``8.1 ms``."""
    if value >= 1:
        return f"{value:.1f} s"
    return f"{1e3 * value:.1f} ms" if value >= 1e-3 else f"{1e6 * value:.0f} us"
