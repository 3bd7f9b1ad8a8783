"""Sentences about a race in English and in Chinese: a key and its values, told in either language.

The templates are in ``sentences_en.toml`` and ``sentences_zh.toml``, whose keys are the same.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from torchlinear.errors import InvalidInput

__all__ = ["LANGUAGES", "Sentence", "templates"]

LANGUAGES = ("en", "zh")


class Sentence(str):
    """A sentence, or a phrase in one: the English text, which also tells itself in Chinese.

    Parameters
    ----------
    key : str
        Of its template; empty for no sentence at all.
    **values : str
        What is filled in, already formatted; those that are a `Sentence` are told in the same language.

    Attributes
    ----------
    key : str
        As given.
    values : mapping of str to str
        As given.

    Examples
    --------
    >>> told = Sentence("half", passes="35")
    >>> told, told.told("zh")
    (' (half of it takes 35 passes)', '（减半要 35 遍）')
    """

    key: str
    values: Mapping[str, str]

    def __new__(cls, key: str = "", **values: str) -> Sentence:
        """Fill in the English template."""
        made = super().__new__(cls, _filled(key, values, "en"))
        made.key, made.values = key, values
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, str]]:
        """What a copy is made of; a plain `str` would give its text."""
        return (self.key,), dict(self.values)

    def told(self, language: str) -> str:
        """The sentence in a language.

        Parameters
        ----------
        language : {"en", "zh"}
            Which one.

        Raises
        ------
        InvalidInput
            For other languages.

        Examples
        --------
        >>> Sentence("rows", count="32").told("en")
        '32 rows'
        """
        if language not in LANGUAGES:
            raise InvalidInput(f"language={language!r}: expected 'en' or 'zh'.")
        return _filled(self.key, self.values, language)


def _filled(key: str, values: Mapping[str, Any], language: str) -> str:
    told = {
        name: value.told(language) if isinstance(value, Sentence) else value for name, value in values.items()
    }
    return templates(language)[key].format(**told) if key else ""


@cache
def templates(language: str) -> Mapping[str, str]:
    """All templates of a language by key."""
    source = files("torchlinear.racing").joinpath(f"sentences_{language}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))
