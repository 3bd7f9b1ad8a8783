"""Both languages say the same about a race, and nobody who reads Chinese gets English."""

import copy
import pickle
import re
import string
from pathlib import Path

import numpy as np
import pytest

import torchlinear as tl
from torchlinear import racing, report
from torchlinear.racing.captions import ended
from torchlinear.racing.sentences import LANGUAGES, Sentence, joined, templates, words

ENGLISH, CHINESE = templates("en"), templates("zh")
UNTOLD = {"exact": {"solver"}, "optimum": {"solver"}}  # a sentence of the solver's own, in English


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_both_languages_have_the_same_keys() -> None:
    assert list(ENGLISH) == list(CHINESE)


@pytest.mark.parametrize("key", ENGLISH)
def test_both_languages_fill_in_the_same_values(key: str) -> None:
    assert fields(ENGLISH[key]) - UNTOLD.get(key, set()) == fields(CHINESE[key])


def source_of(package, pattern: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in Path(package.__file__).parent.glob(pattern))


def test_every_template_is_used_and_every_one_that_is_used_exists() -> None:
    source = source_of(racing, "*.py")
    assert [key for key in ENGLISH if "." not in key and f'"{key}"' not in source] == []
    assert set(re.findall(r'Sentence\(\s*"(\w+)"', source)) <= set(ENGLISH)


def test_every_word_of_the_page_is_used_and_every_one_that_is_used_exists() -> None:
    used = set(re.findall(r"\bwords\.(\w+)", source_of(report, "race.html.jinja")))
    assert used == set(words("page", "en"))


def test_every_status_has_its_word_in_both_languages() -> None:
    assert [ended(status) for status in tl.Status] == [status.label.replace("_", " ") for status in tl.Status]
    assert set(words("status", "zh")) == {status.label for status in tl.Status}


def test_sentences_follow_one_another_as_each_language_has_it() -> None:
    two = [Sentence("map_data"), Sentence("map_units")]
    assert joined(two, "en") == "Height is the loss over the data. Columns are standardised."
    assert joined(two, "zh") == "高度是全部数据上的损失。各列已标准化。"


def test_chinese_has_chinese_punctuation() -> None:
    beside = re.compile("[\u4e00-\u9fff][,:;!?()]|[,:;!?()][\u4e00-\u9fff]")
    assert [text for text in CHINESE.values() if beside.search(text)] == []


def races(rng: np.random.Generator) -> list[tl.Race]:
    """Races after which every kind of runner has something to say."""
    X = rng.normal(size=(300, 2)) * np.array([1.0, 5.0])
    y = X.sum(axis=1) + 3.0 + rng.normal(size=300)
    classes = (y > np.median(y)).astype(int)
    return [
        tl.race(X, y, epochs=60, solvers=["bgd", "sgd", "mbgd", "adagrad", "adam", "lbfgs", "newton", "exact"]),
        tl.race(X, y, epochs=20, lr=1.5, solvers=["bgd", "sgd", "momentum"], standardize=True),
        tl.race(X, y, epochs=20, lr=1e-4, solvers=["mbgd", "bgd"], standardize=True),
        tl.race(X, classes, loss="logistic", penalty=tl.L2(0.1), epochs=30, solvers=["bgd", "newton", "exact"]),
    ]  # fmt: skip


def test_a_race_told_in_chinese_holds_no_english(rng: np.random.Generator) -> None:
    for race in races(rng):
        assert len(race.why) > 2
        for sentence in race.why:
            assert str(sentence) == sentence == sentence.told("en")
            chinese = sentence.told("zh")
            assert chinese.endswith("。")
            # What stays Latin: names of solvers and columns, numbers, and the terms of the field.
            words = re.findall("[a-z]{2,}", re.sub("Hessian|λmax", "", chinese))
            assert set(words) <= {runner.name for runner in race}
            numbers = re.compile(r"\d(?:[\d,.]*\d)?(?:e-?\d+)?")
            if sentence.key != "exact":
                told, untold = (set(numbers.findall(text)) for text in (chinese, str(sentence)))
                assert told - {"1"} == untold - {"1"}  # "one row" is 1 行


def test_the_sentences_of_the_runners_are_among_those_of_the_race(rng: np.random.Generator) -> None:
    race = races(rng)[0]
    told = [runner.why for runner in race if runner.why]
    assert [sentence for sentence in race.why if sentence in told] == told


def test_the_error_that_a_pass_takes_away_is_that_of_the_runs(rng: np.random.Generator) -> None:
    """Late in the descent the gap shrinks by the square of what the sentence says is left."""
    X = rng.normal(size=(200, 2)) * np.array([1.0, 3.0])
    y = X.sum(axis=1) + rng.normal(size=200)
    bgd = tl.race(X, y, solvers=["bgd"], epochs=60, lr=0.02)["bgd"]
    removed = float(bgd.why.values["removed"]) / 100
    late = (bgd.passes > 30) & (bgd.gap > 1e-10)
    gap, passes = np.log(bgd.gap[late].numpy()), bgd.passes[late].numpy()
    measured = 1 - np.exp((gap[-1] - gap[0]) / (passes[-1] - passes[0]) / 2)
    assert removed == pytest.approx(measured, rel=0.15)
    assert len(bgd.why.values["removed"].replace(".", "").strip("0")) <= 2


def test_a_sentence_is_a_text_and_copies_are_sentences() -> None:
    sentence = Sentence("one_row")
    whole = Sentence("diverged_batch", name="sgd", some=sentence, times="9", lr="1", steep="2", edge="0.5")
    for same in (copy.deepcopy(whole), pickle.loads(pickle.dumps(whole))):
        assert (same, same.key, same.values) == (whole, "diverged_batch", whole.values)
        assert (
            same.told("zh")
            == "sgd 发散了：只看 1 行时，曲率最大可达全部行的 9 倍，而学习率 1 超过了 1/2 = 0.5。"
        )
    assert not Sentence()
    assert {Sentence().told(language) for language in LANGUAGES} == {""}


def test_braces_in_the_name_of_a_column_are_text() -> None:
    told = Sentence("bounded", name="adam", lr="1", coefficient="{lr}", way="2", passes="3").told("zh")
    assert "（{lr}）" in told


def test_another_language_is_refused() -> None:
    with pytest.raises(tl.InvalidInput, match="language='fr': expected 'en' or 'zh'"):
        Sentence("one_row").told("fr")
