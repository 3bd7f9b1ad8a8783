"""The options that every command has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter

__all__ = ["Common", "option"]

GENERAL = Group("main.general", sort_key=3)


def option(
    help: str,
    *names: str,
    many: bool = False,
    metavar: str | None = None,
    choices: Iterable[str] | None = None,
) -> Parameter:
    """An option whose description is the message `help`; with `many` it takes several words."""
    return Parameter(
        name=names or None,
        help=help,
        metavar=metavar,
        choices=choices,
        consume_multiple=many or None,
        negative=(),
    )


@Parameter(name="*", group=GENERAL)
@dataclass(frozen=True, slots=True)
class Common:
    """The options that every command has.

    Attributes
    ----------
    json : bool
        Print one JSON object instead of text.
    lang : {"en", "zh"}, optional
        Language of text; `language.chosen` reads it before anything else.
    debug : bool
        Show the traceback of an error; `main` reads it.
    """

    json: Annotated[bool, option("main.json")] = False
    lang: Annotated[Literal["en", "zh"] | None, option("main.lang")] = None
    debug: Annotated[bool, option("main.debug")] = False
