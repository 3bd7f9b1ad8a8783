"""Runs: a thread each, which ends when the page that watches it goes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from torchlinear.engines.local import single_threaded_blas
from torchlinear.lab import telling
from torchlinear.lab.plan import Plan
from torchlinear.lab.safety import Refused
from torchlinear.lab.sentences import both
from torchlinear.lab.shelf import Shelf
from torchlinear.lab.stage import Stage
from torchlinear.lab.stream import event
from torchlinear.loop import Status
from torchlinear.racing.outcome import Race
from torchlinear.racing.race import race
from torchlinear.racing.records import Frames

__all__ = ["FRAMES", "Run", "Runs"]

FRAMES, FEWEST = 600, 60  # of each runner: 10 seconds at 60 a second; each costs 0.2 ms, of other losses 1
FRAME_NUMBERS = 300_000  # coefficients in the frames of a runner: the page and the shelf hold them all
OPENED_SECONDS = 15.0  # within which a page opens the stream of its run; later it no longer counts as running

log = logging.getLogger("torchlinear.lab")

Send = Callable[[bytes | None], None]


class Run:
    """One run: started by a stream, worked by a thread, told in events.

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

    def start(self, send: Send) -> bool:
        """Work in a thread of its own, unless that was asked for before; `send` gets events, None after the last."""
        with self._lock:
            if self.state != "new":
                return False
            self.state, self._send = "running", send
        threading.Thread(target=self._work, args=(send,), name="lab run", daemon=True).start()
        return True

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
            send(event("failed", {"error": both(telling.failure(error))}))
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
            send(event("frames", telling.frames(names[name], frames)))
            return not self._stop.is_set()

        try:
            done = race(
                stage.numbers.X, stage.numbers.y, solvers=[racer.entry.solver for racer in stage.running],
                loss=stage.loss, penalty=stage.penalty, epochs=stage.plan.epochs, seed=stage.plan.seed,
                start=stage.start, frames=_affordable(stage), time_limit=stage.plan.seconds / len(ids), callback=tell,
            )  # fmt: skip
        finally:  # nothing comes after the last event
            map_thread.join()
        if not self._stop.is_set():
            self.race = telling.named(done, stage)
            send(event("end", telling.end(self.race, ids)))

    def _draw(self, stage: Stage, send: Send) -> threading.Thread:
        """Compute the map beside the race."""

        def draw() -> None:
            if stage.axes is None:
                return
            try:
                with single_threaded_blas():
                    found = stage.map(stage.axes)
                send(event("contour", telling.contour(stage, found)))
            except Exception:  # without a map the run is worth seeing still
                log.exception("the map of a run failed")

        thread = threading.Thread(target=draw, name="lab map", daemon=True)
        thread.start()
        return thread


def _affordable(stage: Stage) -> int:
    """Frames of each runner."""
    most = FRAMES if stage.loss.quadratic else FRAMES // 2  # between which the page goes on in straight lines
    return min(most, max(FEWEST, FRAME_NUMBERS // stage.best.numel()))


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
