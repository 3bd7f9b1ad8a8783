"""The table of `torchlinear race`: it fills while solvers run, and is printed once at the end in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import torch
from rich.live import Live
from rich.table import Table
from rich.text import Text

from torchlinear.commands import screen
from torchlinear.commands.language import current, say
from torchlinear.commands.scenes.board import COLOURS, SPARK, duration, sparkline

if TYPE_CHECKING:
    from torchlinear.racing.outcome import Race
    from torchlinear.racing.records import Frames, Runner

__all__ = ["Track"]

FLOOR = 1e-8  # gap where curves end
LEVELS = (0.01, 0.0001)  # of the columns
WIDE = 100  # columns from which all of them are shown, and what sets runners apart beside their names


class Track:
    """The table, a context manager that shows it.

    Parameters
    ----------
    title : str
        What is raced on.
    names : sequence of str
        The runners as asked for.
    epochs : int
        Passes that each has.
    quiet : bool
        Show nothing.
    """

    def __init__(self, title: str, names: Sequence[str], epochs: int, *, quiet: bool) -> None:
        self._title, self._epochs, self._quiet = title, epochs, quiet
        self._cells: dict[str, tuple[str, ...]] = {name: () for name in names}
        self._gaps: dict[str, list[torch.Tensor]] = {}
        self._console = screen.console()
        self._live: Live | None = None
        self._began = False

    def __enter__(self) -> Track:
        return self

    def _begin(self) -> None:
        """Show the table: with the first frames, for until then the race may refuse."""
        self._began = True
        screen.paragraph(self._console, self._title)
        if self._console.is_terminal:
            self._live = Live(self._table(), console=self._console, refresh_per_second=12)
            self._live.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
            self._live.stop()
        elif self._began and kind is None:
            self._console.print(self._table())

    def put(self, name: str, frames: Frames) -> None:
        """Take new frames of a runner, as the callback of a race."""
        if self._quiet:
            return
        if not self._began:
            self._begin()
        parts = self._gaps.setdefault(name, [])
        parts.append(frames.gap)
        gap = torch.cat(parts)
        passes = float(frames.passes[-1])
        share = min(1.0, (1.0 + passes) / (1.0 + self._epochs))
        curve = sparkline(_shown(gap), FLOOR, max(1, round(SPARK * share)))
        self._cells[name] = (name, curve, _gap(float(gap[-1])), *(("…",) * len(LEVELS)), _count(passes),
                             duration(float(frames.seconds[-1])))  # fmt: skip
        if self._live is not None:
            self._live.update(self._table())

    def end(self, race: Race) -> None:
        """Show the standings, best first."""
        if not self._quiet:
            self._cells = {runner.name: self._final(runner) for runner in race.standings()}

    @property
    def _wide(self) -> bool:
        return self._console.width >= WIDE

    def _final(self, runner: Runner) -> tuple[str, ...]:
        within = [runner.within[level] for level in LEVELS]
        return (
            runner.label.told(current()) if self._wide else runner.name,
            sparkline(_shown(runner.gap), FLOOR),
            _gap(runner.final),
            *("–" if at is None else _count(at.passes) for at in within),
            _count(float(runner.passes[-1])),
            duration(float(runner.seconds[-1])),
        )

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        table.add_column(say("racing.runner"), no_wrap=True)
        table.add_column(say("racing.curve", floor=f"{FLOOR:.0e}"), no_wrap=True, min_width=SPARK)
        headings = [say("racing.gap"), "1 %", "0.01 %", say("racing.passes"), say("board.seconds")]
        kept = range(len(headings)) if self._wide else (0, 1, 4)
        for place in kept:
            table.add_column(headings[place], justify="right", no_wrap=True)
        for (name, cells), colour in zip(self._cells.items(), COLOURS * len(self._cells)):
            if not cells:
                table.add_row(Text(name, style="dim"))
                continue
            table.add_row(
                Text(cells[0], style=colour),
                Text(cells[1], style=colour),
                *(cells[2 + place] for place in kept),
            )
        return table


def _shown(gap: torch.Tensor) -> torch.Tensor:
    return torch.nan_to_num(gap, nan=1.0, posinf=1.0)


def _gap(value: float) -> str:
    return "∞" if value == float("inf") else "0" if value == 0 else f"{value:.0e}"


def _count(passes: float) -> str:
    return f"{passes:,.0f}" if passes >= 100 else f"{passes:.3g}"
