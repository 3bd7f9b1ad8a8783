"""Files that commands write: whole or not at all."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from torchlinear.commands.language import say
from torchlinear.errors import InvalidInput

__all__ = ["PICTURES", "refuse_picture", "replacing", "write_picture"]

PICTURES = (".png", ".svg", ".pdf")


def refuse_picture(path: Path | None) -> None:
    """Raise when the ending of `path` names no format of pictures.

    Raises
    ------
    InvalidInput
        The message lists the known endings.
    """
    if path is not None and path.suffix.lower() not in PICTURES:
        raise InvalidInput(say("picture.format", path=str(path), known=", ".join(PICTURES)))


def write_picture(path: Path, figure: Any) -> None:
    """Write a Matplotlib figure in the format that the ending of `path` names.

    Raises
    ------
    InvalidInput
        The file cannot be written; an old one is as it was.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=150)
    with replacing(path) as file:
        file.write(buffer.getvalue())


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A temporary file beside `path` that takes its place when the block ends well, and goes otherwise.

    Raises
    ------
    InvalidInput
        The folder or the disk refuses; an old file at `path` is as it was.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _refused(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def _refused(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput(say("files.refused", path=str(path), reason=error.strerror or type(error).__name__))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
