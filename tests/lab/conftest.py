"""A lab that really listens, and a client that says exactly what is sent."""

import http.client
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import torch

from torchlinear.lab.server import Lab
from torchlinear.lab.serving import listen

SECONDS = 60  # for any one answer


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return strict(self.body)

    @property
    def error(self) -> str:
        """What was said, in English; it is there in Chinese too."""
        told = self.json["error"]
        assert re.search("[\u4e00-\u9fff].*[。）]?$", told["zh"]), told
        return told["en"]


def strict(text: bytes | str) -> Any:
    """JSON as browsers read it: no NaN, no Infinity."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@dataclass
class Site:
    """A lab and its address."""

    lab: Lab
    url: str

    @property
    def address(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def token(self) -> str:
        return urlsplit(self.url).path.strip("/")

    @contextmanager
    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask for a whole path, token included; the connection is closed at the end."""
        connection = http.client.HTTPConnection(self.address, timeout=SECONDS)
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, content, headers or {})
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Ask for a path below the token."""
        with self.send(method, f"/{self.token}/{path}", body, headers) as response:
            return Answer(response.status, response.headers, response.read())

    def data(self, **body: Any) -> Any:
        answer = self.ask("POST", "api/data", body)
        assert answer.status == 200, answer.body
        return answer.json

    def upload(self, name: str, content: bytes) -> Answer:
        return self.ask("POST", f"api/upload?name={name}", content)

    def plan(self, dataset: Any, /, *solvers: str, **more: Any) -> Answer:
        body = {
            "data": dataset["id"],
            "target": dataset["target"],
            "features": dataset["features"],
            "loss": dataset["loss"],
            "epochs": 20,
            "runners": [{"solver": solver} for solver in solvers or ("bgd", "exact")],
        }
        return self.ask("POST", "api/runs", body | more)

    def run(self, data: Any, *solvers: str, **more: Any) -> str:
        answer = self.plan(data, *solvers, **more)
        assert answer.status == 201, answer.body
        return answer.json["run"]

    def events(self, run: str) -> list[tuple[str, Any]]:
        """All events of a run, until its stream ends."""
        answer = self.ask("GET", f"api/runs/{run}/events")
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        return list(read_events(answer.body.decode()))


def read_events(text: str) -> Iterator[tuple[str, Any]]:
    """Events of a stream, by the rules of the HTML standard as far as they are used."""
    for block in text.split("\n\n"):
        if block and not block.startswith(":"):
            name, data = block.split("\n")
            yield name.removeprefix("event: "), strict(data.removeprefix("data: "))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Torch in one thread: what is computed here is small, and threads of a busy machine wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A lab of this module."""
    yield from listening(Lab(max_upload=200_000))


def listening(lab: Lab) -> Iterator[Site]:
    """Serve `lab` in a thread meanwhile."""
    place = listen()
    server = place.server(lab)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place.listener]}, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield Site(lab, place.url)
    lab.runs.close()
    server.should_exit = True
    thread.join(SECONDS)
    place.listener.close()
    assert not thread.is_alive()


def until(condition: Any, seconds: float = SECONDS) -> None:
    """Wait until `condition()` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
