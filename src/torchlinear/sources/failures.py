"""DuckDB's errors as one sentence that names the file, line, column and text, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from torchlinear.errors import DataError

__all__ = ["translated"]


@contextmanager
def translated(source: str) -> Iterator[None]:
    """Inside, errors of DuckDB and Arrow (which wraps those of a stream in OSError) leave as `DataError`."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise DataError(sentence(str(error), source)) from error


def sentence(message: str, source: str) -> str:
    """One sentence for the text of an error."""
    place = _place(message, source)
    cast = re.search(r'converting column "(.*)"\. Could not convert string "(.*)" to', message)
    if cast:
        return (
            f"{place}: column {cast[1]!r} is a number elsewhere, but here it reads {cast[2]!r}. "
            "Correct it, or name it among the texts that mean a missing value (missing=), or leave such rows "
            "out (bad_rows='drop')."
        )
    value = re.search(
        r"Could not convert string '(.*)' to (?:DOUBLE|FLOAT)(?:.*column \"?([^\"\n]*)\"?)?", message
    )
    if value:
        column = f"column {value[2]!r}" if value[2] else "a column that must hold numbers"
        return f"{place}: {column} holds the text {value[1]!r}. Correct it, or leave the column out."
    width = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    if width:
        return (
            f"{place}: the line has {width[2]} fields where the others have {width[1]}. Correct it, "
            "or leave such rows out (bad_rows='drop')."
        )
    if re.search(r"unicode|utf-?8|encod", message, re.IGNORECASE):
        return f"{place}: the text is not UTF-8. Convert the file, for example by `iconv -f gbk -t utf-8`."
    if "Out of Memory" in message:
        return (
            f"{source}: reading needs more than the memory allowed; raise memory=. ({_first_line(message)})"
        )
    return f"{source} could not be read: {_first_line(message)}"


def _place(message: str, source: str) -> str:
    file = re.search(r"^\s*file = (.+)$", message, re.MULTILINE)
    line = re.search(r"CSV Error on Line: (\d+)", message)
    return (file[1].strip() if file else source) + (f", line {int(line[1]):,}" if line else "")


def _first_line(message: str) -> str:
    return message.strip().split("\n")[0]
