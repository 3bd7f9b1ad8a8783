"""Runs: a thread each, which ends when the page that watches it goes."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from torchlinear.engines.local import single_threaded_blas
from torchlinear.errors import TorchlinearError
from torchlinear.lab.plan import Plan
from torchlinear.lab.safety import Refused
from torchlinear.lab.sentences import Said, both
from torchlinear.lab.shelf import Shelf
from torchlinear.lab.stage import Stage
from torchlinear.lab.stream import columns, event
from torchlinear.loop import Status
from torchlinear.racing.captions import of_map
from torchlinear.racing.contours import Contours
from torchlinear.racing.outcome import Race
from torchlinear.racing.race import race
from torchlinear.racing.records import Frames, Runner
from torchlinear.racing.sentences import Sentence

__all__ = ["FRAMES", "Run", "Runs"]

FRAMES = 600  # of each runner: 10 seconds at 60 a second; each costs 0.2 ms
OPENED_SECONDS = 15.0  # within which a page opens the stream of its run; later it no longer counts as running
LEVELS = {0.1: "0.1", 0.01: "0.01", 0.0001: "0.0001"}

log = logging.getLogger("torchlinear.lab")

Send = Callable[[bytes | None], None]


class Run:
    """One run: claimed by a stream, worked by a thread, told in events.

    Parameters
    ----------
    plan : Plan
        What to run.

    Attributes
    ----------
    state : str
        ``"new"``, ``"running"``, ``"ended"``, ``"failed"`` or ``"stopped"``.
    stage : Stage or None
        Once the thread has prepared it.
    race : Race or None
        Once it has ended.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.made = time.monotonic()
        self.state = "new"
        self.stage: Stage | None = None
        self.race: Race | None = None
        self._stop = threading.Event()
        self._send: Send = lambda _: None
        self._lock = threading.Lock()
        self._staging = threading.Lock()

    @property
    def counts(self) -> bool:
        """Whether it runs, or is about to."""
        waiting = self.state == "new" and time.monotonic() - self.made < OPENED_SECONDS
        return waiting or self.state == "running"

    def claim(self) -> bool:
        """Whether the caller may start it: the first one may."""
        with self._lock:
            if self.state != "new":
                return False
            self.state = "running"
            return True

    def start(self, send: Send) -> None:
        """Work in a thread of its own; `send` gets the events, and None after the last."""
        self._send = send
        threading.Thread(target=self._work, args=(send,), name="lab run", daemon=True).start()

    def stop(self) -> bool:
        """Ask the thread to end; whether there was anything to stop."""
        with self._lock:
            counted = self.counts
            self._stop.set()
            if self.state == "new":
                self.state = "stopped"
        return counted

    def close(self) -> None:
        """Ask the thread to end, and end the stream without waiting for it."""
        self.stop()
        self._send(None)

    def prepared(self) -> Stage:
        """The stage, made once."""
        with self._staging:
            if self.stage is None:
                self.stage = Stage.of(self.plan)
            return self.stage

    def cut(self) -> dict[str, float]:
        """Passes after which runners were stopped because their time was over."""
        if self.race is None or self.stage is None:
            return {}
        ends = zip((racer.entrant.id for racer in self.stage.running), self.race.runners)
        return {name: float(end.passes[-1]) for name, end in ends if end.status is Status.TIME_LIMIT}

    def _work(self, send: Send) -> None:
        state = "failed"
        try:
            self._race(self.prepared(), send)
            state = "stopped" if self._stop.is_set() else "ended"
        except Exception as error:
            send(event("failed", {"error": both(_failure(error))}))
        finally:
            self.state = state
            send(None)

    def _race(self, stage: Stage, send: Send) -> None:
        send(event("start", stage.describe()))
        map_thread = self._draw(stage, send)
        names: dict[str, str] = {}
        ids = [racer.entrant.id for racer in stage.running]

        def tell(name: str, frames: Frames) -> bool:
            names.setdefault(name, ids[len(names)] if len(names) < len(ids) else name)
            send(event("frames", _frames(names[name], frames)))
            return not self._stop.is_set()

        try:
            done = race(
                stage.numbers.X, stage.numbers.y, solvers=[racer.entry.solver for racer in stage.running],
                loss=stage.loss, penalty=stage.penalty, epochs=stage.plan.epochs, seed=stage.plan.seed,
                start=stage.start, frames=FRAMES, time_limit=stage.plan.seconds / len(ids), callback=tell,
            )  # fmt: skip
        finally:  # nothing comes after the last event
            map_thread.join()
        if not self._stop.is_set():
            self.race = _named(done, stage)
            send(event("end", _end(self.race, ids)))

    def _draw(self, stage: Stage, send: Send) -> threading.Thread:
        """Compute the map beside the race."""

        def draw() -> None:
            if stage.axes is None:
                return
            try:
                with single_threaded_blas():
                    found = stage.map(stage.axes)
                send(event("contour", _contour(stage, found)))
            except Exception:  # without a map the run is worth seeing still
                log.exception("the map of a run failed")

        thread = threading.Thread(target=draw, name="lab map", daemon=True)
        thread.start()
        return thread


class Runs:
    """All runs, of which a few may be under way at once.

    Parameters
    ----------
    at_once : int
        How many.
    kept : Shelf
        Where they are kept.
    """

    def __init__(self, at_once: int, kept: Shelf[Run]) -> None:
        self.at_once, self.kept = at_once, kept
        self._lock = threading.Lock()

    def add(self, name: str, run: Run) -> None:
        """Add a run, unless too many are under way."""
        with self._lock:
            if sum(other.counts for other in self.kept) >= self.at_once:
                raise Refused(429, "busy", count=str(self.at_once))
            rows = run.plan.data.n_rows
            self.kept.put(name, run, rows * (len(run.plan.features) + 1))

    def close(self) -> None:
        """Stop them all, and end their streams."""
        for run in self.kept:
            run.close()


def _failure(error: Exception) -> Said:
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


def _frames(name: str, frames: Frames) -> str:
    return columns(
        runner=name,
        passes=frames.passes.numpy(),
        seconds=frames.seconds.numpy(),
        loss=frames.loss.numpy(),
        gap=frames.gap.numpy(),
        coef=frames.coef.flatten(1).numpy(),
    )


def _end(done: Race, ids: Iterable[str]) -> dict[str, Any]:
    named = dict(zip((runner.name for runner in done.runners), ids))
    return {
        "standings": [_standing(named[runner.name], runner) for runner in done.standings()],
        "why": [both(sentence) for sentence in done.why],
    }


def _named(done: Race, stage: Stage) -> Race:
    """The race in the words of the plan: it ran on numbers whose columns had no names."""
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


def _contour(stage: Stage, found: Contours) -> str:
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
