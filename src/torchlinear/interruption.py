"""Ctrl-C: once ends the work at its next boundary, twice raises at once.

`watching()` installs the handler (in the main thread; elsewhere it does nothing). Whoever works through
blocks or steps calls `check()` at each boundary. A Ctrl-C is never lost: when the work ended by itself first,
leaving `watching` raises.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupted", "check", "honoured", "requested", "watching"]

_asked = threading.Event()


class Interrupted(BaseException):
    """Raised by `check` inside a pass when the user pressed Ctrl-C; `loop.run` turns it into a status."""


@contextmanager
def watching() -> Iterator[None]:
    """Turn the first Ctrl-C into a request, the second into KeyboardInterrupt, while the block runs.

    A process that ignores Ctrl-C, as one in the background does, goes on ignoring it.

    Raises
    ------
    KeyboardInterrupt
        At the second Ctrl-C; and at the end of the block after one that nobody honoured.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (signal.SIG_IGN, None):
        yield
        return

    def ask(_signum: int, _frame: FrameType | None) -> None:
        if _asked.is_set():
            raise KeyboardInterrupt
        _asked.set()

    _asked.clear()
    signal.signal(signal.SIGINT, ask)
    try:
        yield
        if _asked.is_set():
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)
        _asked.clear()


def requested() -> bool:
    """Whether Ctrl-C was pressed since `watching` began."""
    return _asked.is_set()


def honoured() -> None:
    """Say that the request was granted: the work has ended, and its result says so."""
    _asked.clear()


def check() -> None:
    """Raise `Interrupted` if Ctrl-C was pressed."""
    if _asked.is_set():
        raise Interrupted
