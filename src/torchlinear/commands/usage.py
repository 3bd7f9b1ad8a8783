"""Help pages and the sentences about a mistyped command line, in the language of the user."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)
from rich.console import Console, ConsoleOptions
from rich.text import Text

from torchlinear.commands import screen
from torchlinear.commands.language import has, say

__all__ = ["Help", "missing", "sentence"]


class Help:
    """Writes help pages. Descriptions and titles are keys of messages, looked up when the page is shown."""

    show_metavar = True

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """The line that shows how the command is called."""
        words = str(usage).strip().replace("COMMAND", say("main.a_command"))
        words = words.replace("[OPTIONS]", say("main.some_options"))
        console.print(Text(say("main.usage", words=words), style="bold"), "", sep="\n")

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """What the command does."""
        screen.paragraph(console, _message(description))
        console.print()

    def __call__(self, console: Console, options: ConsoleOptions, panel: Any) -> None:
        """One group of arguments, options or commands."""
        if not panel.entries:
            return
        console.print(Text(_message(panel.title), style="bold"))
        names = [", ".join(entry.display_labels_with_metavar) for entry in panel.entries]
        indent = max(map(len, names)) + 4
        for name, entry in zip(names, panel.entries):
            width = min(console.width, screen.PARAGRAPH) - indent
            lines = screen.wrapped(_message(entry.description) + _details(entry), width)
            console.print(Text(f"  {name}".ljust(indent), style="cyan") + Text(lines[0]), soft_wrap=True)
            for line in lines[1:]:
                console.print(Text(" " * indent + line), soft_wrap=True)
        console.print()


def _message(description: Any) -> str:
    """The message whose key stands where cyclopts expects a text."""
    text = getattr(description, "primary_renderable", description)
    key = (text.plain if isinstance(text, Text) else str(text or "")).strip()
    return say(key) if has(key) else key


def _details(entry: Any) -> str:
    details = []
    if entry.choices:
        details.append(say("main.choices", choices=", ".join(entry.choices)))
    if entry.default not in (None, "False", "none"):
        details.append(say("main.default", default=entry.default))
    if entry.required:
        details.append(say("main.required"))
    return "".join(f" [{detail}]" for detail in details)


def sentence(error: CycloptsError) -> str:
    """What is wrong with the command line, and what was probably meant."""
    if isinstance(error, UnknownCommandError):
        known = [name for name in error.app or () if not name.startswith("-")]
        word = (error.unused_tokens or ["?"])[0]
        return say("usage.command", word=word, close=_close(word, known), known=", ".join(known))
    if isinstance(error, UnknownOptionError):
        word = error.token.keyword or error.token.value
        known = [name for argument in error.argument_collection for name in argument.names]
        return say("usage.option", word=word, close=_close(word, known))
    if isinstance(error, UnusedCliTokensError):
        return say("usage.unused", words=" ".join(error.unused_tokens or ()))
    if isinstance(error, RepeatArgumentError):
        return say("usage.repeated", option=error.token.keyword)
    if isinstance(error, CoercionError) and error.token is not None:
        return _value(error)
    return str(error)


def missing(error: MissingArgumentError, words: Sequence[str]) -> str:
    """What is missing; options that take several words may have swallowed the file."""
    argument = error.argument
    option = error.keyword or (argument.name if argument is not None else "?")
    if option.startswith("-"):
        return say("usage.value", option=option)
    swallowed = next((word for word in words[1:] if not word.startswith("-") and Path(word).is_file()), None)
    if swallowed is not None:
        return say("usage.swallowed", file=swallowed, command=words[0])
    return say("usage.argument", argument=option, command=words[0])


def _value(error: CoercionError) -> str:
    token = error.token
    assert token is not None
    option = token.keyword or (error.argument.name if error.argument is not None else "?")
    choices = _choices(error.target_type)
    if choices:
        close = _close(token.value, choices)
        return say("usage.choice", option=option, value=token.value, close=close, known=", ".join(choices))
    if error.target_type not in (int, float):
        return str(error)
    kind = say("usage.whole_number" if error.target_type is int else "usage.number")
    return say("usage.kind", option=option, value=token.value, kind=kind)


def _choices(hint: Any) -> list[str]:
    if get_origin(hint) is Literal:
        return [str(choice) for choice in get_args(hint)]
    return [choice for inner in get_args(hint) for choice in _choices(inner)]


def _close(word: str, known: Iterable[str]) -> str:
    matches = difflib.get_close_matches(word, list(known), n=1)
    return say("usage.close", word=matches[0]) if matches else ""
