"""The page of `torchlinear lab` in a real browser: the command is started, Debian's chromium opens what it prints."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium")
COMMAND = "import sys; from torchlinear.commands import main; sys.exit(main())"
DONE = "body[data-run=done]"
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))"


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    if CHROMIUM is None:
        pytest.skip("BROWSER TESTS DO NOT RUN: there is no chromium; apt-get install chromium")
    return {"executable_path": CHROMIUM, "args": ["--no-sandbox"]}


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    """Little motion: a run is shown at its end at once. Tests of the player ask for motion."""
    return {"viewport": {"width": 1360, "height": 900}, "locale": "en-US", "reduced_motion": "reduce"}


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where a lab runs that was started as users start it."""
    arguments = ["lab", "--no-browser", "--json"]
    process = subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, process.stdout:
        try:
            yield json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")["url"]
        finally:
            process.terminate()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console said; a test that provokes errors takes them out."""
    return []


@pytest.fixture
def lab(page: Page, address: str, complaints: list[str]) -> Iterator[Callable[..., Page]]:
    """Open the lab with a fragment and wait for the run; at the end nothing was complained of, nothing left."""
    visited: set[str] = set()
    page.set_default_timeout(60_000)
    page.on("request", lambda request: visited.add(urllib.parse.urlparse(request.url).netloc))
    page.on("console", lambda message: _complains(message) and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def load(fragment: str = "", *, wait: str = DONE) -> Page:
        page.goto("about:blank")
        page.goto(f"{address}#{fragment}")
        page.wait_for_selector(wait)
        page.evaluate(PAINTED)
        return page

    yield load
    assert not complaints
    assert visited <= {urllib.parse.urlparse(address).netloc, ""}


def _complains(message: Any) -> bool:
    """Errors and warnings, but not the advice about canvases that only these tests read back."""
    return message.type in ("error", "warning") and not message.text.startswith("Canvas2D: Multiple readback")


@pytest.fixture
def again(page: Page) -> Callable[[Callable[[], object]], None]:
    """Do something that makes the page run again, and wait for the new run's end."""

    def wait(act: Callable[[], object]) -> None:
        page.evaluate("document.body.dataset.run = 'old'")
        act()
        page.wait_for_selector(DONE)
        page.evaluate(PAINTED)

    return wait
