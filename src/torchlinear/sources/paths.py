"""From what the user typed to files and their format, with an error of its own for each way to miss."""

from __future__ import annotations

import glob
import os.path
import re
from pathlib import Path
from typing import Literal

from torchlinear.errors import DataError, InvalidInput
from torchlinear.registry import suggestion

__all__ = ["Format", "escaped", "find", "is_statement"]

Format = Literal["csv", "parquet", "json"]

_ENDINGS: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".dat": "csv",
    ".parquet": "parquet", ".pq": "parquet",
    ".json": "json", ".jsonl": "json", ".ndjson": "json",
}  # fmt: skip
_COMPRESSIONS = (".gz", ".zst")


def is_statement(text: str) -> bool:
    """Whether `text` is a SELECT rather than a path."""
    return re.match(r"\s*(SELECT|WITH|FROM)\s", text, re.IGNORECASE) is not None and not os.path.exists(text)


def find(path: str) -> tuple[tuple[str, ...], Format]:
    """Absolute paths of the files that `path` means, sorted, and their common format.

    Raises
    ------
    InvalidInput
        No such file, an unknown ending, a folder without Parquet files, files of several formats, a URI.
    DataError
        A file is empty.
    """
    if re.match(r"[a-z][a-z0-9+.-]+://", path, re.IGNORECASE):
        raise InvalidInput(f"{path!r} is a URI; this version reads local files. Download it first.")
    files = _files(path)
    formats = {_format(file) for file in files}
    if len(formats) > 1:
        raise InvalidInput(
            f"{path!r} matches files of several formats ({', '.join(sorted(formats))}); name one."
        )
    empty = [file for file in files if file.stat().st_size == 0]
    if empty:
        raise DataError(f"{empty[0]} is empty (0 bytes).")
    return tuple(str(file.absolute()) for file in files), formats.pop()


def _files(path: str) -> list[Path]:
    here = Path(path).expanduser()
    if os.path.isdir(here):  # of os.path: never an error, however long or odd the text
        return _parquet_files(here, path)
    if os.path.exists(here):
        return [here]
    if glob.has_magic(path):
        found = sorted(Path(file) for file in glob.glob(str(here), recursive=True) if Path(file).is_file())
        if not found:
            raise InvalidInput(f"no file matches {path!r}.")
        return found
    neighbours = [f.name for f in here.parent.iterdir()] if os.path.isdir(here.parent) else []
    raise InvalidInput(f"there is no file {path!r}{suggestion(here.name, neighbours)}.")


def _parquet_files(folder: Path, path: str) -> list[Path]:
    found = sorted(file for ending in (".parquet", ".pq") for file in folder.rglob(f"*{ending}"))
    if found:
        return found
    other = sorted({f.suffix for f in folder.iterdir() if f.suffix in _ENDINGS})
    hint = f" For its {other[0]} files give a glob, {str(Path(path) / ('*' + other[0]))!r}." if other else ""
    raise InvalidInput(f"the folder {path!r} holds no Parquet files.{hint}")


def _format(file: Path) -> Format:
    endings = [ending.lower() for ending in file.suffixes]
    if endings and endings[-1] in _COMPRESSIONS:
        endings.pop()
    if not endings or endings[-1] not in _ENDINGS:
        raise InvalidInput(
            f"{file.name!r} has an ending that says nothing about its format; known are "
            f"{', '.join(_ENDINGS)}, each also with .gz."
        )
    return _ENDINGS[endings[-1]]


def escaped(file: str) -> str:
    """A file's name for DuckDB, which reads ``*``, ``?`` and ``[`` as patterns."""
    return re.sub(r"([*?\[])", r"[\1]", file)
