"""What the page is told of a run: frames, the map, the end, or why there is none."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from torchlinear.errors import TorchlinearError
from torchlinear.lab.safety import Refused
from torchlinear.lab.sentences import Said, both
from torchlinear.lab.stage import Stage
from torchlinear.lab.stream import columns
from torchlinear.racing.captions import of_map
from torchlinear.racing.contours import Contours
from torchlinear.racing.outcome import Race
from torchlinear.racing.records import Frames, Runner
from torchlinear.racing.sentences import Sentence

__all__ = ["contour", "end", "failure", "frames", "named"]

LEVELS = {0.1: "0.1", 0.01: "0.01", 0.0001: "0.0001"}

log = logging.getLogger("torchlinear.lab")


def failure(error: Exception) -> Said:
    """What the page is told of a run that failed."""
    match error:
        case Refused():
            return error.sentence
        case TorchlinearError():
            return Said("library", message=str(error))
        case MemoryError():
            return Said("memory")
    log.error("a run failed", exc_info=error)
    return Said("crashed", kind=type(error).__name__, message=str(error))


def frames(name: str, found: Frames) -> str:
    """New frames of a runner."""
    return columns(
        runner=name,
        passes=found.passes.numpy(),
        seconds=found.seconds.numpy(),
        loss=found.loss.numpy(),
        gap=found.gap.numpy(),
        coef=found.coef.flatten(1).numpy(),
    )


def end(done: Race, ids: Iterable[str]) -> dict[str, Any]:
    """Standings, and why they are so."""
    called = dict(zip((runner.name for runner in done.runners), ids))
    return {
        "standings": [_standing(called[runner.name], runner) for runner in done.standings()],
        "why": [both(sentence) for sentence in done.why],
    }


def named(done: Race, stage: Stage) -> Race:
    """The race in the words of the plan: it ran on numbers without names, which were standardised already."""
    known = dict(zip(done.names, stage.plan.features))

    def reworded(sentence: Sentence) -> Sentence:
        values = dict(sentence.values)
        if values.get("coefficient") in known:
            values["coefficient"] = known[values["coefficient"]]
        if "units" in values and stage.plan.standardize:
            values["units"] = Sentence("standard_units")
        return Sentence(sentence.key, **values)

    return replace(
        done,
        names=stage.plan.features,
        targets=stage.numbers.outputs,
        units=replace(done.units, standardized=stage.plan.standardize),
        runners=tuple(replace(runner, why=reworded(runner.why)) for runner in done.runners),
        why=tuple(reworded(sentence) for sentence in done.why),
    )


def _standing(name: str, runner: Runner) -> dict[str, Any]:
    within = {}
    for level, key in LEVELS.items():
        at = runner.within[level]
        within[key] = None if at is None else {"passes": at.passes, "seconds": at.seconds}
    return {
        "runner": name,
        "gap": runner.final,
        "within": within,
        "status": runner.status.label,
        "advice": runner.status.value,
        "why": both(runner.why),
        "passes": float(runner.passes[-1]),
        "seconds": float(runner.seconds[-1]),
        "loss": float(runner.loss[-1]),
        "coef": runner.coef[-1].flatten().tolist(),
    }


def contour(stage: Stage, found: Contours) -> str:
    """The map, heights as powers of ten."""
    with np.errstate(divide="ignore"):
        heights = np.log10(found.heights)
    known = heights[np.isfinite(heights)]
    floor = float(known.min()) if len(known) else 0.0
    head = {
        "axes": found.axes,
        "names": [_called(stage, place) for place in found.axes],
        "nx": heights.shape[1],
        "ny": heights.shape[0],
        "rows": found.rows,
        "floor": floor,
        "note": [both(sentence) for sentence in of_map(found, len(stage.numbers.X))],
    }
    shown = np.where(np.isneginf(heights), floor, heights)
    arrays = columns(
        x=found.x[[0, -1]], y=found.y[[0, -1]], z=np.asarray(np.round(shown, 4), dtype=np.float64).ravel()
    )
    return f"{json.dumps(head)[:-1]},{arrays[1:]}"


def _called(stage: Stage, place: int) -> str:
    """What a coefficient is called."""
    row, column = divmod(place, stage.best.shape[1])
    name = stage.plan.features[row] if row < len(stage.plan.features) else "intercept"
    return name if stage.best.shape[1] == 1 else f"{name} · {stage.numbers.outputs[column]}"
