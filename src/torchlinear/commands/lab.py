"""`torchlinear lab`: a web page on this machine where algorithms race on one's own data."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from torchlinear.commands import screen
from torchlinear.commands.common import Common, option
from torchlinear.commands.language import say
from torchlinear.errors import InvalidInput, MissingExtra

__all__ = ["lab"]

NEEDED = ("starlette", "uvicorn")
MEGABYTE = 1_000_000
PATIENCE_SECONDS = 2.0  # with threads, after Ctrl-C


def lab(
    data: Annotated[Path | None, option("lab.data")] = None,
    /,
    *,
    port: Annotated[int, option("lab.port", metavar="NUMBER")] = 0,
    no_browser: Annotated[bool, option("lab.no_browser")] = False,
    host: Annotated[str, option("lab.host", metavar="ADDRESS")] = "127.0.0.1",
    unsafe_host: Annotated[bool, option("lab.unsafe_host")] = False,
    max_upload: Annotated[float, option("lab.max_upload", metavar="MB")] = 100.0,
    common: Common = Common(),  # noqa: B008  (a frozen record)
) -> int:
    """Serve the page until Ctrl-C; see the messages for what users read."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise MissingExtra(say("lab.missing", names=", ".join(missing)))
    if not 0 <= port <= 65_535:
        raise InvalidInput(say("lab.no_port", port=port))
    if not 0 < max_upload < 1e6:
        raise InvalidInput(say("lab.no_size", size=max_upload))
    with screen.busy(say("demo.loading")):
        from torchlinear.lab.files import read_file
        from torchlinear.lab.safety import Refused
        from torchlinear.lab.server import Lab
        from torchlinear.lab.serving import listen

        try:
            first = None if data is None else read_file(data, str(data))
        except Refused as refusal:
            raise InvalidInput(str(refusal)) from None
        listening = listen(host, port, unsafe=unsafe_host)

    def ready() -> None:
        if common.json:
            screen.emit({"url": listening.url})
        else:
            key = "lab.running" if listening.local else "lab.running_open"
            screen.console().print(say(key, url=listening.url), soft_wrap=True)
        sys.stdout.flush()
        if not no_browser:
            import webbrowser

            with suppress(webbrowser.Error):
                webbrowser.open(listening.url)

    if not common.debug:
        logging.getLogger("torchlinear.lab").setLevel(logging.CRITICAL)
    with suppress(KeyboardInterrupt):  # which is how a lab ends
        listening.serve(Lab(first, common.lang, int(max_upload * MEGABYTE)), ready)
    _await_threads()
    return 0


def _await_threads() -> None:
    """Let threads end, or leave without them: at its exit Python aborts when a thread is inside torch's C++."""
    until = time.monotonic() + PATIENCE_SECONDS
    working = [thread for thread in threading.enumerate() if thread.daemon]
    for thread in working:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in working):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
