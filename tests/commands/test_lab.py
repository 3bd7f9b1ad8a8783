"""`torchlinear lab` as a process of its own: it answers, and ends with Ctrl-C without a trace."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from torchlinear.commands import lab


@contextmanager
def running(*words: str, folder: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """A lab and its address; interrupted at the end, if it still runs."""
    environment = os.environ | {"TMPDIR": str(folder), "TEMP": str(folder)}
    command = [sys.executable, "-m", "torchlinear.commands", "lab", "--no-browser", "--json", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            text = ""
            while not text.endswith("}\n"):
                line = process.stdout.readline()
                assert line, process.stderr.read()
                text += line
            yield process, json.loads(text)["url"]
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(30)


def session(url: str) -> Any:
    with urllib.request.urlopen(f"{url}api/session", timeout=30) as answer:
        return json.load(answer)


def test_it_listens_on_loopback_shows_the_file_and_ends_with_ctrl_c(houses, tmp_path) -> None:
    empty = tmp_path / "tmp"
    empty.mkdir()
    with running(str(houses), "--max-upload", "1.5", "--lang", "zh", folder=empty) as (process, url):
        assert url.startswith("http://127.0.0.1:")
        found = session(url)
        assert found["limits"]["upload"] == 1_500_000
        assert found["language"] == "zh"
        assert found["data"]["name"] == str(houses)
        assert (found["data"]["rows"], found["data"]["target"]) == (60, "price")
        assert [c["kind"] for c in found["data"]["columns"]] == ["number", "number", "label", "number"]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    assert list(empty.iterdir()) == []


def test_it_ends_while_a_page_still_listens(tmp_path) -> None:
    def ask(url: str, body: dict) -> Any:
        request = urllib.request.Request(url, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    with running(folder=tmp_path) as (process, url):
        data = ask(f"{url}api/data", {"kind": "maker", "n": 20_000, "features": 5})
        plan = {
            "data": data["id"],
            "target": "y",
            "features": data["features"],
            "epochs": 1_000_000,
            "seconds": 600,
        }
        run = ask(f"{url}api/runs", plan | {"runners": [{"solver": "sgd"}]})["run"]
        with urllib.request.urlopen(f"{url}api/runs/{run}/events", timeout=30) as stream:
            assert stream.readline() == b"event: start\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
            assert process.stderr.read() == ""


def test_it_ends_while_it_warms_up(tmp_path) -> None:
    for _ in range(3):
        with running(folder=tmp_path) as (process, _):
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
            assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--host 0.0.0.0", "--host 0.0.0.0 lets other machines reach the lab"),
        ("--port 70000", "--port 70000 is no port"),
        ("--max-upload 0", "--max-upload 0 is no size"),
        ("no-such.csv", "there is no file 'no-such.csv'"),
        ("--port many", "--port takes a whole number, not 'many'."),
    ],
)
def test_a_mistake_gets_one_sentence(run, line: str, sentence: str) -> None:
    ended = run("lab", *line.split())
    assert ended.code == 2
    assert sentence in ended.err
    assert ended.err.count("\n") == 1


def test_without_the_extra_the_remedy_is_named(run, monkeypatch) -> None:
    monkeypatch.setattr(lab, "find_spec", lambda name: None if name == "starlette" else find_spec(name))
    ended = run("lab")
    assert ended.code == 2
    assert ended.err == "The lab needs starlette: python -m pip install 'torchlinear[lab]'.\n"
