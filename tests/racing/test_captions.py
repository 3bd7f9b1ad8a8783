"""What is said beside a picture is so."""

import numpy as np
import pytest

import torchlinear as tl
from torchlinear.racing.captions import about, of_map, others
from torchlinear.racing.contours import Contours, Others


def chart(others: Others, rows: int | None) -> Contours:
    return Contours((0, 1), np.zeros(2), np.zeros(2), np.zeros((2, 2)), 1.0, others, rows)


@pytest.mark.parametrize(
    ("found", "rows", "english", "chinese"),
    [
        (chart(Others.NONE, 50), 50, ["over all 50 rows."], ["全部 50 行"]),
        (chart(Others.BEST, 400), 20_000, ["over 400 of the 20,000 rows.", "at its best, so"], ["400", "最优值，"]),
        (chart(Others.NEARLY, None), None, ["over the data.", "to second order"], ["全部数据", "二阶近似"]),
        (chart(Others.FIXED, 9), 9, ["over all 9 rows.", "stays at the optimum"], ["9", "固定在最优解"]),
    ],
)  # fmt: skip
def test_a_map_says_what_it_was_computed_from_and_what_it_leaves_out(found, rows, english, chinese) -> None:
    told = of_map(found, rows)
    assert len(told) == len(english)
    for sentence, one, other in zip(told, english, chinese):
        assert one in sentence
        assert other in sentence.told("zh")
    assert bool(others(found)) == (found.others is not Others.NONE)
    assert of_map(found, rows, standardized=True) == (*told, "Columns are standardised.")


def test_a_race_in_a_line(rng: np.random.Generator) -> None:
    X = rng.normal(size=(1_200, 2))
    y = X.sum(axis=1) + rng.normal(size=1_200)
    one = tl.race(X[:, :1], y, solvers=["exact"], loss=tl.Huber(2.0))
    two = tl.race(X, y, solvers=["exact"], standardize=True)
    assert about(one) == f"1,200 rows, 1 feature, loss: {one.loss}"
    assert about(two) == "1,200 rows, 2 features, loss: squared, standardised columns"
    assert about(two).told("zh") == "1,200 行数据，2 个特征，损失：squared，各列已标准化"


def test_labels_of_runners_say_what_sets_them_apart_in_both_languages(rng: np.random.Generator) -> None:
    X = rng.normal(size=(100, 2))
    race = tl.race(
        X, X.sum(axis=1) + rng.normal(size=100), solvers=["mbgd", "bgd", "sgd", "newton"], lr=0.01, epochs=3
    )
    assert [runner.label for runner in race] == [
        "mbgd, 32 rows a step, lr 0.01", "bgd, lr 0.01", "sgd, lr 0.01", "newton",
    ]  # fmt: skip
    assert [runner.label.told("zh") for runner in race] == [
        "mbgd，每步 32 行，学习率 0.01", "bgd，学习率 0.01", "sgd，学习率 0.01", "newton",
    ]  # fmt: skip
