"""What commands write: rich text for people, JSON for programs, on streams that never refuse a character."""

from __future__ import annotations

import codecs
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "PARAGRAPH",
    "busy",
    "complain",
    "console",
    "emit",
    "let_go",
    "note",
    "paragraph",
    "prepare",
    "substitute",
    "wrapped",
]

PIPE_WIDTH = 200  # columns where nobody sees the lines break
PARAGRAPH = 96  # columns that are still good to read

# One character for one, so that columns stay straight.
_PLAIN = str.maketrans(
    {
        **dict(zip("▁▂▃▄▅▆▇█", "_.-=+*#@")),
        **dict.fromkeys("│┃║", "|"),
        **dict.fromkeys("─━═", "-"),
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╞╡╪┏┓┗┛┡┩╇┳┻╋", "+"),
        **dict(zip("✔✗²³×–—−…→←≤≥≈±√•■", "vx23x---.><<>~+/*#")),
        **dict(zip("‘’“”", "''\"\"")),
        **dict(
            zip("\uff0c\uff1a\uff1b\uff08\uff09\uff01\uff1f\u3002\u3001", ",:;()!?.,")
        ),  # those of Chinese
    }
)

# What stays on one line: a Chinese character or a word, the bracket before it, what closes after it, spaces.
_HAN, _OPEN = "\u3400-\u9fff", "\uff08\u300a\u300c\u201c"
_CLOSE = "\u3001\u3002\u300b\u300d\u201d\uff01\uff09\uff0c\uff1a\uff1b\uff1f"
_UNIT = re.compile(f"[{_OPEN}]*(?:[{_HAN}]|[^\\s{_HAN}{_OPEN}{_CLOSE}]+|)[{_CLOSE}]*\\s*")


def substitute(error: UnicodeError) -> tuple[str | bytes, int]:
    """Handler of encoding errors: the nearest character that the stream has, else a question mark."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = error.object[error.start : error.end].translate(_PLAIN)
    return "".join(character if character.isascii() else "?" for character in plain), error.end


def prepare() -> None:
    """Make standard output and error accept every character, whatever their encoding."""
    codecs.register_error("torchlinear", substitute)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="torchlinear")


def console(*, stderr: bool = False) -> Console:
    """A rich console; plain text and long lines where the stream is no terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(file=stream, highlight=False, markup=False, width=PIPE_WIDTH if piped else None)


def paragraph(console: Console, text: str, *, indent: int = 0, style: str = "") -> None:
    """Write a sentence or several, wrapped to a width that is good to read."""
    for line in wrapped(text, min(console.width, PARAGRAPH) - indent):
        console.print(" " * indent + line, style=style, soft_wrap=True)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, broken at spaces and between Chinese characters."""
    from rich.cells import cell_len

    lines = [""]
    for piece in _UNIT.findall(text):
        if cell_len((lines[-1] + piece).rstrip()) > width and lines[-1]:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += piece
    return [*lines[:-1], lines[-1].rstrip()]


def emit(record: Mapping[str, Any]) -> None:
    """Write `record` as JSON to standard output; NaN and infinity, which JSON lacks, as null."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    print(json.dumps(_finite(record), ensure_ascii=not unicode, indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def note(text: str) -> None:
    """Write a line to standard error."""
    console(stderr=True).print(text, soft_wrap=True)


def complain(text: str) -> None:
    """Write what went wrong to standard error: one line, in red on a terminal."""
    console(stderr=True).print(" ".join(text.split()), style="red", soft_wrap=True)


@contextmanager
def busy(text: str) -> Iterator[None]:
    """Show on a terminal that something takes its time; nothing elsewhere."""
    stderr = console(stderr=True)
    if not stderr.is_terminal:
        yield
        return
    with stderr.status(text):
        yield


def let_go() -> None:
    """After the reader of standard output went away: keep Python from failing again as it exits."""
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
