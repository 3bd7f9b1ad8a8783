"""Sentences about a race in English and in Chinese: a key and its values, told in either language.

The templates are in ``sentences_en.toml`` and ``sentences_zh.toml``, whose keys are the same. Another package has its
own, beside its own subclass of `Sentence`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar, Self

from torchlinear.errors import InvalidInput

__all__ = ["LANGUAGES", "Sentence", "joined", "templates", "words"]

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

    home: ClassVar[str] = "torchlinear.racing"  # the package that has the templates
    key: str
    values: Mapping[str, str]

    def __new__(cls, key: str = "", **values: str) -> Self:
        """Fill in the English template."""
        made = super().__new__(cls, _filled(cls.home, key, values, "en"))
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
        return _filled(self.home, self.key, self.values, language)


def _filled(home: str, key: str, values: Mapping[str, Any], language: str) -> str:
    told = {
        name: value.told(language) if isinstance(value, Sentence) else value for name, value in values.items()
    }
    return templates(language, home)[key].format(**told) if key else ""


@cache
def templates(language: str, home: str = Sentence.home) -> Mapping[str, str]:
    """All templates of a language by key; those of a table by ``table.key``."""
    found = tomllib.loads(files(home).joinpath(f"sentences_{language}.toml").read_text(encoding="utf-8"))
    flat: dict[str, str] = {}
    for key, value in found.items():
        flat |= (
            {f"{key}.{name}": text for name, text in value.items()}
            if isinstance(value, dict)
            else {key: value}
        )
    return flat


def joined(sentences: Iterable[Sentence], language: str) -> str:
    """Sentences one after the other; between Chinese ones there is no space."""
    return ("" if language == "zh" else " ").join(sentence.told(language) for sentence in sentences)


def words(table: str, language: str) -> dict[str, str]:
    """The templates of a table as they are, by key."""
    known = templates(language).items()
    return {key.removeprefix(f"{table}."): text for key, text in known if key.startswith(f"{table}.")}
