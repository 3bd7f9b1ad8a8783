"""The language that commands speak: English or Chinese, by `--lang`, TORCHLINEAR_LANG or the locale.

The sentences are in ``messages_en.toml`` and ``messages_zh.toml``, whose keys are the same.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from torchlinear.errors import InvalidInput

__all__ = ["LANGUAGES", "catalogue", "chosen", "current", "has", "say", "use"]

LANGUAGES = ("en", "zh")

_current = "en"


def use(language: str) -> None:
    """Speak `language` from now on."""
    global _current
    _current = language


def current() -> str:
    """The language in use: ``"en"`` or ``"zh"``."""
    return _current


def say(key: str, **values: Any) -> str:
    """The message called `key` in the language in use, with `values` filled in."""
    return catalogue(_current)[key].format(**values)


def has(key: str) -> bool:
    """Whether there is a message called `key`."""
    return key in catalogue("en")


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """All messages of a language by ``table.key``."""
    source = files("torchlinear.commands").joinpath(f"messages_{language}.toml")
    tables = tomllib.loads(source.read_text(encoding="utf-8"))
    return {f"{table}.{key}": text for table, keys in tables.items() for key, text in keys.items()}


def chosen(words: Sequence[str], encoding: str | None) -> str:
    """The language for a command line and a terminal that writes `encoding`.

    A terminal that cannot show Chinese gets English, whatever was asked.

    Raises
    ------
    InvalidInput
        `--lang` or TORCHLINEAR_LANG names an unknown language.
    """
    language = _asked(words) or _of_locale()
    return language if language == "en" or _can_show("中文", encoding) else "en"


def _asked(words: Sequence[str]) -> str | None:
    """What `--lang` says, else TORCHLINEAR_LANG."""
    options = words[: words.index("--")] if "--" in words else words
    for j, word in enumerate(options):
        if word == "--lang" and j + 1 < len(options):
            return _known("--lang", options[j + 1])
        if word.startswith("--lang="):
            return _known("--lang", word.removeprefix("--lang="))
    variable = os.environ.get("TORCHLINEAR_LANG")
    return _known("TORCHLINEAR_LANG", variable) if variable else None


def _known(option: str, value: str) -> str:
    language = value[:2].lower()
    if language not in LANGUAGES or not (len(value) == 2 or value[2] in "_-."):
        raise InvalidInput(f"{option} {value!r} is not known. Known: {', '.join(LANGUAGES)}.")
    return language


def _of_locale() -> str:
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(variable):
            return "zh" if os.environ[variable].lower().startswith("zh") else "en"
    return _of_windows() if sys.platform == "win32" else "en"


def _of_windows() -> str:
    """The language of the Windows user interface; its lowest ten bits are 4 for Chinese."""
    import ctypes

    loader = getattr(ctypes, "windll")  # noqa: B009  (exists on Windows only, which type checkers follow)
    return "zh" if loader.kernel32.GetUserDefaultUILanguage() & 0x3FF == 4 else "en"


def _can_show(text: str, encoding: str | None) -> bool:
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
