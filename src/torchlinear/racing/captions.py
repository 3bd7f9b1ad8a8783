"""What stands beside the pictures of a race: what raced, who a runner is, how it ended, what a map shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlinear.loop import Status
from torchlinear.racing.contours import Contours, Others
from torchlinear.racing.sentences import Sentence

if TYPE_CHECKING:
    from torchlinear.racing.outcome import Race

__all__ = ["about", "ended", "of_map", "others"]

OTHERS = {Others.BEST: "map_best", Others.NEARLY: "map_nearly", Others.FIXED: "map_fixed"}


def about(race: Race) -> Sentence:
    """Rows, features, loss and units in a line."""
    rows, p = race.rows.n_rows, len(race.names)
    return Sentence(
        "about",
        rows=Sentence("about_rows", count=f"{rows:,}") if rows else Sentence(),
        features=Sentence("one_feature") if p == 1 else Sentence("features", count=f"{p:,}"),
        loss=str(race.loss),
        units=Sentence("about_units") if race.units.standardized else Sentence(),
    )


def ended(status: Status) -> Sentence:
    """How a runner ended, in a word or two."""
    return Sentence(f"status.{status.label}")


def of_map(found: Contours, rows: int | None, *, standardized: bool = False) -> tuple[Sentence, ...]:
    """What the heights of a map are, of so many rows in all, and where the coefficients are that it does not show."""
    if rows is None or found.rows is None:
        drawn = Sentence("map_data")
    elif found.rows == rows:
        drawn = Sentence("map_rows", rows=f"{rows:,}")
    else:
        drawn = Sentence("map_sample", shown=f"{found.rows:,}", rows=f"{rows:,}")
    units = Sentence("map_units" if standardized else "")
    return tuple(filter(None, (drawn, others(found), units)))


def others(found: Contours) -> Sentence:
    """Where the coefficients are that a map does not show; empty when there are none."""
    return Sentence(OTHERS.get(found.others, ""))
