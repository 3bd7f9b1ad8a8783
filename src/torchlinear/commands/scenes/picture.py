"""The picture that a scene writes; a folder that cannot be written to never spoils the scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torchlinear.commands import files, screen
from torchlinear.commands.language import say
from torchlinear.errors import InvalidInput

__all__ = ["COLOURS", "insist", "target", "tell", "write"]


COLOURS = ("#1b3a5c", "#c8802b", "#3d8f6e", "#8453a6", "#3b82c4")  # one for each algorithm


def target(output: Path | None, usual: str) -> Path:
    """Where the picture goes: `output`, or `usual` in the current folder.

    Raises
    ------
    InvalidInput
        The ending names no format of pictures.
    """
    files.refuse_picture(output)
    return Path(usual) if output is None else output


def write(path: Path, draw: Callable[[Any], None]) -> tuple[Path | None, str | None]:
    """Draw, then write to `path`: the absolute path, or None and why it could not be written."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    draw(figure)
    try:
        files.write_picture(path, figure)
    except InvalidInput as error:
        return None, str(error)
    return path.absolute(), None


def tell(written: Path | None, problem: str | None) -> None:
    """Say where the picture is."""
    if written is not None:
        screen.console().print(say("picture.written", path=str(written)), soft_wrap=True)
    elif problem is not None:
        screen.note(problem)


def insist(output: Path | None, problem: str | None) -> None:
    """Fail, after all was shown, when a picture that was asked for could not be written.

    Raises
    ------
    InvalidInput
        With the reason.
    """
    if output is not None and problem is not None:
        raise InvalidInput(problem)
