"""The lab's server: what the page asks for, and what it gets."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from torchlinear.errors import TorchlinearError
from torchlinear.lab import fields
from torchlinear.lab.code import program
from torchlinear.lab.data import MOST_POINTS, DataSet
from torchlinear.lab.files import MOST_NUMBERS, checked_name, read_file
from torchlinear.lab.origins import BUILTIN, requested
from torchlinear.lab.plan import LOSSES, MOST_EPOCHS, MOST_RUNNERS, SOLVERS, Plan
from torchlinear.lab.runs import FRAMES, Run, Runs
from torchlinear.lab.safety import Guard, Refused, answer, json_of, pieces
from torchlinear.lab.sentences import Said
from torchlinear.lab.shelf import Shelf
from torchlinear.lab.stream import ALIVE, plain
from torchlinear.losses import REGISTRY as LOSS_REGISTRY
from torchlinear.racing.outcome import Race
from torchlinear.racing.sentences import LANGUAGES
from torchlinear.solvers import REGISTRY as SOLVER_REGISTRY

__all__ = ["Lab", "guarded"]

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",
}
RUNS_AT_ONCE, RUNS_KEPT, SETS_KEPT = 4, 16, 64
KEPT_NUMBERS = 3 * MOST_NUMBERS  # of all data sets, and of all runs
FIRST = "first"  # name of the data set that the lab was started with
BEAT_SECONDS = 2.0  # between two signs of life of a stream


@dataclass
class Lab:
    """What one lab holds, and its answers.

    Parameters
    ----------
    data : DataSet, optional
        What the page shows first.
    language : {"en", "zh"}, optional
        That of the page; the browser's by default.
    max_upload : int
        Bytes of an upload.
    """

    data: DataSet | None = None
    language: str | None = None
    max_upload: int = 100_000_000
    sets: Shelf[DataSet] = field(default_factory=lambda: Shelf("no_data", SETS_KEPT, KEPT_NUMBERS))
    runs: Runs = field(default_factory=lambda: Runs(RUNS_AT_ONCE, _shelf_of_runs()))

    def app(self) -> Starlette:
        """The answers as an ASGI application, without the guard."""
        routes = [
            Route("/", self.page),
            Route("/static/{name:path}", self.static),
            Route("/api/session", self.session),
            Route("/api/data", self.make_data, methods=["POST"]),
            Route("/api/upload", self.upload, methods=["POST"]),
            Route("/api/points", self.points, methods=["POST"]),
            Route("/api/runs", self.make_run, methods=["POST"]),
            Route("/api/runs/{run}", self.stop, methods=["DELETE"]),
            Route("/api/runs/{run}/events", self.events),
            Route("/api/runs/{run}/code", self.code),
            Route("/api/runs/{run}/report", self.report),
        ]
        handlers: dict[Any, Callable[[Request, Any], Response]] = {
            Refused: lambda _, error: answer(error.status, error.sentence),
            TorchlinearError: lambda _, error: answer(422, Said("library", message=str(error))),
            HTTPException: lambda _, error: answer(error.status_code, Said("no_answer", reason=error.detail)),
            Exception: lambda _, error: answer(500, Said("bug", kind=type(error).__name__)),
        }
        return Starlette(routes=routes, exception_handlers=handlers)

    async def page(self, _: Request) -> Response:
        """The page itself."""
        return await self._file("index.html")

    async def static(self, request: Request) -> Response:
        """A file of the page."""
        return await self._file(request.path_params["name"])

    async def _file(self, name: str) -> Response:
        """A file by its name among those there are: what a browser sends is never a path on this machine."""
        known = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()}
        path = known.get(name)
        if path is None or path.suffix not in TYPES:
            raise Refused(404, "no_file")
        return Response(await run_in_threadpool(path.read_bytes), media_type=TYPES[path.suffix])

    async def session(self, _: Request) -> Response:
        """What the page needs to know before anything else."""
        return _json(
            {
                "version": version("torchlinear"),
                "language": self.language,
                "data": None if self.data is None else await self._shelved(self.data, FIRST),
                "builtin": [
                    {"name": name, "rows": known.rows, "columns": known.columns}
                    for name, known in BUILTIN.items()
                ],
                "limits": {
                    "upload": self.max_upload,
                    "numbers": MOST_NUMBERS,
                    "points": MOST_POINTS,
                    "runs": self.runs.at_once,
                    "runners": MOST_RUNNERS,
                    "epochs": MOST_EPOCHS,
                    "frames": FRAMES,
                },
                "solvers": [_solver(name) for name in SOLVERS],
                "losses": [
                    {"name": name, "sentence": LOSS_REGISTRY.entries[name].sentence} for name in LOSSES
                ],
            }
        )

    async def make_data(self, request: Request) -> Response:
        """A data set to order."""
        body = await json_of(request)
        return _json(await self._shelved(await run_in_threadpool(requested, body)))

    async def upload(self, request: Request) -> Response:
        """A data set from a file that is sent; it lies in a private folder until it has been read."""
        name = checked_name(request.query_params.get("name", ""))
        with tempfile.TemporaryDirectory(prefix="torchlinear-") as folder:
            path = Path(folder, f"upload{Path(name).suffix.lower()}")
            with path.open("wb") as file:
                async for piece in pieces(request, self.max_upload, Said("raise_limit")):
                    await run_in_threadpool(file.write, piece)
            data = await run_in_threadpool(read_file, path, name)
        return _json(await self._shelved(data))

    async def points(self, request: Request) -> Response:
        """Points of another pair of columns."""
        body = await json_of(request)
        data = self.sets.get(str(body.get("data")))
        target, feature = str(body.get("target")), str(body.get("feature"))
        return _json(await run_in_threadpool(data.points, target, feature))

    async def make_run(self, request: Request) -> Response:
        """A run, which starts when its stream is opened."""
        body = await json_of(request)
        data = self.sets.get(str(body.get("data")))
        run = Run(await run_in_threadpool(Plan.of, body, data))
        name = secrets.token_urlsafe(9)
        self.runs.add(name, run)
        return _json({"run": name, "runners": [entrant.id for entrant in run.plan.entrants]}, 201)

    async def events(self, request: Request) -> Response:
        """The stream of a run, once."""
        stream = _Events(self._run(request))
        return stream if stream.started else Response(status_code=204)

    async def stop(self, request: Request) -> Response:
        """End a run."""
        return _json({"stopped": self._run(request).stop()})

    async def code(self, request: Request) -> Response:
        """The programs that do what a run does."""
        run, runner = self._run(request), request.query_params.get("runner")
        return _json(await run_in_threadpool(lambda: program(run.prepared(), runner, run.cut())))

    async def report(self, request: Request) -> Response:
        """The report of a run that has ended, in the language of the page."""
        run = self._run(request)
        language = fields.choice(request.query_params, "lang", LANGUAGES, "en")
        if run.race is None:
            raise Refused(409, "no_report")
        found = await run_in_threadpool(_report, run.race, language)
        disposition = {"Content-Disposition": 'attachment; filename="race.html"'}
        return Response(found, media_type=TYPES[".html"], headers=disposition)

    def _run(self, request: Request) -> Run:
        return self.runs.kept.get(request.path_params["run"])

    async def _shelved(self, data: DataSet, name: str = "") -> dict[str, Any]:
        """Keep a data set, under a name of its own, and describe it: of many rows that takes a while."""
        name = name or secrets.token_urlsafe(9)
        self.sets.put(name, data, data.n_rows * len(data.columns))
        return await run_in_threadpool(data.describe, name)

    def warm_up(self) -> None:
        """Load the compiled code meanwhile, so that the first run of the page appears at once."""
        threading.Thread(target=_warm, name="lab warm-up", daemon=True).start()


def _shelf_of_runs() -> Shelf[Run]:
    return Shelf("no_run", RUNS_KEPT, KEPT_NUMBERS, held=lambda run: run.counts)


def guarded(lab: Lab, token: str, host: str = "127.0.0.1") -> Guard:
    """The whole lab behind its token."""
    return Guard(lab.app(), token, host)


class _Events(StreamingResponse):
    """The events of a run as they come. It starts the run; a page that goes ends it, however early it goes.

    Attributes
    ----------
    started : bool
        Whether this stream is the one that started it.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.queue = run, asyncio.Queue[bytes | None]()
        self.loop = asyncio.get_running_loop()
        self.started = run.start(self._send)
        super().__init__(self._items(), media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.run.stop()

    def _send(self, item: bytes | None) -> None:
        """From the run's threads; at the lab's end nobody listens any more."""
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.queue.put_nowait, item)

    async def _items(self) -> AsyncIterator[bytes]:
        while True:
            try:
                item = await asyncio.wait_for(self.queue.get(), BEAT_SECONDS)
            except TimeoutError:
                yield ALIVE
                continue
            if item is None:
                return
            yield item


def _json(record: Any, status: int = 200) -> Response:
    return JSONResponse(plain(record), status)


def _solver(name: str) -> dict[str, Any]:
    kind, entry = SOLVERS[name], SOLVER_REGISTRY.entries.get(name)
    return {
        "name": name,
        "sentence": "The exact solver that suits the problem." if entry is None else entry.sentence,
        "batch": ("some" if kind.batch_size else "any")
        if kind.batches
        else ("all" if kind.descends else "none"),
        "batch_size": kind.batch_size,
        "lr": kind.descends,
        "momentum": kind.momentum,
        "smooth_only": name != "exact",
    }


def _report(race: Race, language: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="torchlinear-") as folder:
        path = Path(folder, "race.html")
        race.report(path, language)
        return path.read_bytes()


def _warm() -> None:
    body = {
        "target": "y",
        "features": ["x"],
        "epochs": 2,
        "runners": [{"solver": name} for name in ("bgd", "sgd", "adagrad", "adam", "exact")],
    }
    Run(Plan.of(body, requested({"kind": "tutorial"}))).start(lambda _: None)
