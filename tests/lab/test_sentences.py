"""Everything that the lab refuses it refuses in both languages, with the same numbers and names in each."""

import pickle
import re
import string
from pathlib import Path

import pytest

import torchlinear.lab
from torchlinear.errors import DataError
from torchlinear.lab.safety import Refused
from torchlinear.lab.sentences import Said, both
from torchlinear.lab.telling import failure
from torchlinear.racing.sentences import Sentence, templates

ENGLISH, CHINESE = (templates(language, Said.home) for language in ("en", "zh"))
SOURCE = "\n".join(path.read_text("utf-8") for path in Path(torchlinear.lab.__file__).parent.glob("*.py"))
UNTOLD = {"separated": {"advice"}}  # the library's, in English; Chinese has its own


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_both_languages_have_the_same_keys_and_fill_in_the_same_values() -> None:
    assert list(ENGLISH) == list(CHINESE)
    for key, text in ENGLISH.items():
        assert fields(text) - UNTOLD.get(key, set()) == fields(CHINESE[key]), key


def test_every_template_is_used_and_every_one_that_is_used_exists() -> None:
    assert [key for key in ENGLISH if f'"{key}"' not in SOURCE] == []
    used = re.findall(r'\b(?:Said\(|Refused\(\s*\d+,)\s*"(\w+)"', SOURCE)
    assert len(used) > 30
    assert set(used) <= set(ENGLISH)


def test_chinese_has_chinese_punctuation() -> None:
    beside = re.compile("[\u4e00-\u9fff][,:;!?()]|[,:;!?()][\u4e00-\u9fff]")
    assert [text for text in CHINESE.values() if beside.search(text)] == []


def test_nobody_is_refused_in_words_that_have_no_template() -> None:
    """A sentence in the code would be told in English only."""
    assert re.findall(r"(?:Refused\(\s*\d+|answer\(\s*[\w.]+),\s*f?\"[^\"]*[ .][^\"]*\"", SOURCE) == []


@pytest.mark.parametrize(
    ("error", "english", "chinese"),
    [
        (Refused(422, "constant", name="x"), "x is the same in every row", "x 在每一行都相同"),
        (DataError("y has no rows."), "y has no rows.", "torchlinear 的说明（英文）：y has no rows."),
        (MemoryError(), "needs more memory", "内存不够"),
        (ZeroDivisionError("by zero"), "(ZeroDivisionError: by zero)", "（ZeroDivisionError：by zero）"),
    ],
)
def test_a_failure_is_told_in_both_languages(error, english: str, chinese: str) -> None:
    told = both(failure(error))
    assert english in told["en"]
    assert chinese in told["zh"]


def test_a_refusal_is_an_error_that_says_its_sentence() -> None:
    refused = Refused(400, "expected", name="n", value="'a'", what=Said("whole", low="1", high="9"))
    assert str(refused) == refused.sentence == "n is 'a'; expected a whole number from 1 to 9."
    assert refused.sentence.told("zh") == "n 是 'a'，应为 1 到 9 之间的整数。"
    again = pickle.loads(pickle.dumps(refused.sentence))
    assert (type(again), again.told("zh")) == (Said, refused.sentence.told("zh"))


def test_sentences_of_a_race_stand_inside_those_of_the_lab() -> None:
    assert both(Said("library", message=Sentence("one_row")))["zh"].endswith("： 1 行")


@pytest.mark.parametrize(
    ("method", "path", "english", "chinese"),
    [
        ("GET", "static/none.js", "no such file", "没有这个文件"),
        ("GET", "api/nothing", "no answer to this request: Not Found.", "没有对应的回应（Not Found）"),
        ("PUT", "api/data", "Method Not Allowed", "没有对应的回应"),
        ("GET", "api/runs/x/code", "This run is no longer there", "这次运行已经不在了"),
        ("POST", "api/data", "not a JSON object", "不是 JSON 对象"),
    ],
)
def test_the_server_answers_in_both_languages(site, method, path, english, chinese) -> None:
    answer = site.ask(method, path)
    assert answer.status >= 400
    assert english in answer.error
    assert chinese in answer.json["error"]["zh"]


def test_the_guard_refuses_in_both_languages(site) -> None:
    answer = site.ask("GET", "", headers={"Host": "evil.example"})
    assert "not the lab's" in answer.error
    assert "不是实验室的地址" in answer.json["error"]["zh"]
