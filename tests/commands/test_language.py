"""Both catalogues say the same things, and the language is the one that was asked for."""

import re
import string
from pathlib import Path

import pytest

from torchlinear import commands
from torchlinear.commands import language
from torchlinear.errors import InvalidInput

ENGLISH, CHINESE = language.catalogue("en"), language.catalogue("zh")
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in Path(commands.__file__).parent.rglob("*.py"))
# Tables whose keys are put together from the names of columns, states and algorithms.
COMPOSED = ("summary.", "columns.", "race.")


def fields(message: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(message) if name is not None}


def test_both_languages_have_the_same_keys() -> None:
    assert list(ENGLISH) == list(CHINESE)


def test_both_languages_fill_in_the_same_values() -> None:
    assert [key for key in ENGLISH if fields(ENGLISH[key]) != fields(CHINESE[key])] == []


def test_every_message_is_used() -> None:
    composed = (*COMPOSED, *(f"{command}.help" for command in commands.COMMANDS))
    assert [key for key in ENGLISH if not key.startswith(composed) and f'"{key}"' not in SOURCES] == []


def test_every_message_that_is_used_exists() -> None:
    used = set(re.findall(r'(?:say|option)\(\s*"([a-z_]+\.[a-z_]+)"', SOURCES))
    assert used
    assert used <= set(ENGLISH)


def test_chinese_has_chinese_punctuation() -> None:
    beside = re.compile("[\u4e00-\u9fff][,:;!?]|[,:;!?][\u4e00-\u9fff]")
    assert [text for text in CHINESE.values() if beside.search(text)] == []


@pytest.mark.parametrize(
    ("words", "variables", "expected"),
    [
        ([], {}, "en"),
        ([], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ([], {"LANG": "en_US.UTF-8", "TORCHLINEAR_LANG": "zh"}, "zh"),
        ([], {"TORCHLINEAR_LANG": "zh_TW.UTF-8"}, "zh"),
        (["fit", "--lang", "zh"], {"TORCHLINEAR_LANG": "en"}, "zh"),
        (["fit", "--lang=en"], {"LANG": "zh_CN"}, "en"),
        (["fit", "--", "--lang", "zh"], {}, "en"),
    ],
)
def test_option_then_variable_then_locale(words, variables, expected, monkeypatch) -> None:
    monkeypatch.delenv("LC_ALL")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language.chosen(words, "utf-8") == expected


@pytest.mark.parametrize(
    ("encoding", "expected"), [("gbk", "zh"), ("ascii", "en"), ("cp1252", "en"), (None, "en")]
)
def test_a_stream_without_chinese_gets_english(encoding, expected) -> None:
    assert language.chosen(["--lang", "zh"], encoding) == expected


def test_an_unknown_language_is_refused(monkeypatch) -> None:
    with pytest.raises(InvalidInput, match=r"--lang 'fr' is not known. Known: en, zh\."):
        language.chosen(["--lang", "fr"], "utf-8")
    monkeypatch.setenv("TORCHLINEAR_LANG", "zhuang")
    with pytest.raises(InvalidInput, match="TORCHLINEAR_LANG 'zhuang'"):
        language.chosen([], "utf-8")
