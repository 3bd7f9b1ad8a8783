"""Ctrl-C: once ends the work at its next boundary, twice raises at once.

`watching()` installs the handler (in the main thread; elsewhere it does nothing). Whoever works through
blocks or steps calls `check()` at each boundary.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupted", "check", "requested", "watching"]

_asked = threading.Event()


class Interrupted(BaseException):
    """Raised by `check` inside a pass when the user pressed Ctrl-C; `loop.run` turns it into a status."""


@contextmanager
def watching() -> Iterator[None]:
    """Turn the first Ctrl-C into a request, the second into KeyboardInterrupt, while the block runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(_signum: int, _frame: FrameType | None) -> None:
        if _asked.is_set():
            raise KeyboardInterrupt
        _asked.set()

    _asked.clear()
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _asked.clear()


def requested() -> bool:
    """Whether Ctrl-C was pressed since `watching` began."""
    return _asked.is_set()


def check() -> None:
    """Raise `Interrupted` if Ctrl-C was pressed."""
    if _asked.is_set():
        raise Interrupted
