"""Registries: the extension points as tables of strings.

A registry names each member, where its class lives and what it does, in strings only, so that help,
documentation and the command line can list members without importing torch. The class is imported
when it is asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from torchlinear.errors import InvalidInput

__all__ = ["Entry", "Registry", "suggestion"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One member: `path` is ``module:attribute`` below `torchlinear`, `sentence` says what it is."""

    path: str
    sentence: str

    def load(self) -> Any:
        """Import and return the member."""
        module, attribute = self.path.split(":")
        return getattr(import_module(f"torchlinear.{module}"), attribute)


@dataclass(frozen=True, slots=True)
class Registry:
    """The members of one extension point.

    Parameters
    ----------
    kind : str
        What a member is called in messages: ``"loss"``, ``"solver"``.
    entries : mapping of str to Entry
        Members by the name that users type.
    elsewhere : mapping of str to str
        Names from other places, and what to type here: ``"lasso"``, ``"'l1'"``.
    """

    kind: str
    entries: Mapping[str, Entry]
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def load(self, name: str) -> Any:
        """Import the member called `name`; `InvalidInput` lists the known ones otherwise."""
        if name not in self.entries:
            meant = self.elsewhere.get(name.lower())
            hint = suggestion(name, self.entries) if meant is None else f" (did you mean {meant}?)"
            raise InvalidInput(f"{self.kind}={name!r} is not known{hint}. Known: {', '.join(self.entries)}.")
        return self.entries[name].load()


def suggestion(name: str, known: Iterable[str]) -> str:
    """``" (did you mean 'x'?)"``, or an empty string when nothing known is close to `name`."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.65)
    return f" (did you mean {close[0]!r}?)" if close else ""
