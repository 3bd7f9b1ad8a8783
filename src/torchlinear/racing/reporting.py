"""A race as an HTML page, and as a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from torchlinear.inference.numerals import significant
from torchlinear.racing.captions import about, ended, of_map
from torchlinear.racing.exact import Exact
from torchlinear.racing.pictures import line_of, map_of, names_of, pair, trail
from torchlinear.racing.records import Reached
from torchlinear.racing.sentences import Sentence, joined, words
from torchlinear.report.race_page import contour_lines, numbers, page
from torchlinear.rows import drawn
from torchlinear.solvers.descent import Descent

if TYPE_CHECKING:
    from torchlinear.racing.outcome import Race
    from torchlinear.racing.records import Runner

__all__ = ["duration", "html", "many", "share", "table"]

FRAMES = 240  # of each runner in a page
POINTS = 400  # of the data in a page
GRID = 33  # points of a curve that is no line
HEADINGS = ("runner", "within 10 %", "1 %", "0.01 %", "final gap", "seconds", "status")


def html(race: Race, language: str = "en") -> str:
    """The page, in ``"en"`` or ``"zh"``."""
    title = Sentence("title", count=str(len(race.runners))).told(language)
    kept = {runner.name: _thinned(runner) for runner in race.runners}
    data: dict[str, Any] = {
        "words": words("page", language),
        "runners": [
            {
                "name": runner.name,
                "place": place,
                "exact": isinstance(runner.solver, Exact),
                "direct": not isinstance(runner.solver, Descent),
                "passes": numbers(runner.passes.numpy()[kept[runner.name]]),
                "seconds": numbers(runner.seconds.numpy()[kept[runner.name]]),
                "gap": numbers(runner.gap.numpy()[kept[runner.name]], 4),
            }
            for place, runner in enumerate(race.runners)
        ],
    }
    _add_map(race, data, kept, language)
    _add_fit(race, data, kept)
    facts = {
        "language": language,
        "words": data["words"],
        "title": title,
        "about": about(race).told(language),
        "standings": [_row(runner, language) for runner in race.standings()],
        "why": [sentence.told(language) for sentence in race.why],
        "optimum": _optimum(race).told(language),
    }
    return page(facts, data)


def _optimum(race: Race) -> Sentence:
    best = race.optimum
    return Sentence("optimum", solver=str(best.solver), loss=significant(best.loss, 6))


def _thinned(runner: Runner) -> list[int]:
    last = len(runner.frames) - 1
    return sorted({round(place) for place in np.linspace(0, last, min(FRAMES, last + 1))})


def _add_map(race: Race, data: dict[str, Any], kept: dict[str, list[int]], language: str) -> None:
    if race.optimum.coef.numel() < 2 or (len(race.names) == 1 and not race.objective.intercept):
        data["map"] = None
        return
    axes = pair(race, None)
    ground = map_of(race, axes)
    note = of_map(ground, race.rows.n_rows, standardized=race.units.standardized)
    names = names_of(race, Sentence("intercept_axis").told(language))
    data["map"] = {
        "x": numbers(ground.x[[0, -1]]),
        "y": numbers(ground.y[[0, -1]]),
        "lines": contour_lines(ground.x, ground.y, ground.gap),
        "best": numbers(race.units.inside(race.optimum.coef).numpy().ravel()[list(axes)]),
        "names": [names[axis] for axis in axes],
        "note": joined(note, language),
    }
    for entry, runner in zip(data["runners"], race.runners):
        way = trail(race, runner, axes)[kept[runner.name]]
        entry["trail"] = [point if None not in point else None for point in numbers(way)]


def _add_fit(race: Race, data: dict[str, Any], kept: dict[str, list[int]]) -> None:
    if len(race.names) != 1 or len(race.targets) != 1:
        data["fit"] = None
        return
    found = drawn(race.rows, POINTS)
    ends = np.array([found.X.min(), found.X.max()])
    straight = np.allclose(line_of(race, np.array([[1.0], [0.5]]), ends), 0.5 + ends)
    grid = ends if straight else np.linspace(ends[0], ends[1], GRID)
    data["fit"] = {
        "x": numbers(ends),
        "grid": numbers(grid),
        "points": numbers(np.column_stack([found.X[:, 0], found.y[:, 0]])),
        "names": [race.names[0], race.targets[0]],
    }
    for entry, runner in zip(data["runners"], race.runners):
        coef = runner.coef.numpy()[kept[runner.name]]
        entry["lines"] = [numbers(line_of(race, one, grid)) for one in coef]


def _row(runner: Runner, language: str = "en") -> dict[str, Any]:
    return {
        "name": runner.name,
        "label": runner.label.told(language),
        "within": [{"passes": many(at), "seconds": duration(at)} for at in runner.within.values()],
        "final": share(runner.final),
        "status": ended(runner.status).told(language),
    }


def many(at: Reached | None) -> str:
    """Passes in three digits; a dash for never."""
    return "–" if at is None else f"{at.passes:,.0f}" if at.passes >= 100 else f"{at.passes:.3g}"


def duration(at: Reached | None) -> str:
    """A time in its best unit; a dash for never."""
    if at is None:
        return "–"
    if at.seconds >= 1.0:
        return f"{at.seconds:.3g} s"
    return f"{1e3 * at.seconds:.3g} ms" if at.seconds >= 1e-3 else f"{1e6 * at.seconds:.3g} µs"


def share(gap: float) -> str:
    """A gap in two digits."""
    return "∞" if not math.isfinite(gap) else "0" if gap == 0 else f"{gap:.1e}"


def table(race: Race) -> str:
    """The standings as text, columns aligned; times to within a gap in passes over the data."""
    rows = [HEADINGS]
    for runner in race.standings():
        entry = _row(runner)
        within = [at["passes"] for at in entry["within"]]
        rows.append(
            (runner.label, *within, entry["final"], f"{float(runner.seconds[-1]):.3g}", entry["status"])
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in (0, len(widths) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
    return "\n".join(lines)
