"""What the lab answers instead of what was asked for, in English and in Chinese.

The templates are in ``sentences_en.toml`` and ``sentences_zh.toml`` of this package, whose keys are the same. The page
gets every sentence in both languages and shows that of its reader. What the library says stays English, as everywhere.
"""

from __future__ import annotations

from typing import ClassVar

from torchlinear.racing.sentences import LANGUAGES, Sentence

__all__ = ["Said", "both"]


class Said(Sentence):
    """A sentence of the lab; see `torchlinear.racing.sentences.Sentence`."""

    home: ClassVar[str] = "torchlinear.lab"


def both(sentence: Sentence) -> dict[str, str]:
    """A sentence in every language."""
    return {language: sentence.told(language) for language in LANGUAGES}
