"""The equation in words: digits that mean something, signs, and what is left out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import torchlinear as tl
from torchlinear.errors import RankWarning
from torchlinear.report.tables import equation
from torchlinear.solution import Solution


@pytest.fixture
def line() -> Solution:
    return tl.fit(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.8, 3.8, 6.8])).solution


def of(solution: Solution, *coef: float, evidence: bool = False) -> str:
    p = len(coef) - 1
    names = ("x",) if p == 1 else tuple(f"x{j}" for j in range(p))
    column = torch.tensor(coef, dtype=torch.float64)[:, None]
    return equation(
        replace(solution, coef=column, names=names, evidence=solution.evidence if evidence else None)
    )


@pytest.mark.parametrize(
    ("coef", "text"),
    [
        ((3.0, 0.8), "y = 3 x + 0.8"),
        ((2.9579514, 0.8203311), "y = 2.958 x + 0.820"),  # where 30,000 epochs of the classic program stop
        ((-2.0, -1.0), "y = -2 x - 1"),
        ((2.99999989, 0.80000003), "y = 3 x + 0.8"),  # what float32 makes of it
        ((2.9999, 0.8001), "y = 3.000 x + 0.8001"),
        ((0.9123456, 1.3611111), "y = 0.912 x + 1.361"),
        ((-0.1721139, 66.9151817), "y = -0.172 x + 66.92"),
        ((1834.20295, 0.000336902), "y = 1834 x + 0.000337"),
        ((250000.0, 12345.678), "y = 250000 x + 12346"),
        ((7.32059160e-7, 6.7356579e-4), "y = 7.321e-07 x + 0.0006736"),
        ((2.5e12, 0.0), "y = 2.5e+12 x + 0"),
        ((0.0, 2.5), "y = 0 x + 2.5"),
        ((1 / 3, 1.0), "y = 0.333 x + 1"),
        ((float("nan"), float("inf")), "y = nan x + inf"),
        ((1.0, -2.0, 3.5, 0.25), "y = 1 x0 - 2 x1 + 3.5 x2 + 0.25"),
        ((4.0,), "y = 4"),
    ],
)
def test_digits(line: Solution, coef: tuple, text: str) -> None:
    assert of(line, *coef) == text


def test_rounding_is_within_half_a_unit_and_exact_when_short(line: Solution) -> None:
    """Read back, the numbers are within 0.5% of the coefficients, and within 1e-6 where zeros were cut."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        slope, intercept = rng.choice([-1, 1], 2) * 10.0 ** rng.uniform(-9, 9, 2)
        left, _, right = of(line, slope, intercept).removeprefix("y = ").partition(" x ")
        got = (float(left), float(right.replace(" ", "")))
        assert got == pytest.approx((slope, intercept), rel=0.005)


def test_a_fit_that_is_exact_prints_clean() -> None:
    x = torch.rand(50, 1)
    assert tl.fit(x, 3 * x + 0.8).equation == "y = 3 x + 0.8"
    assert tl.fit(x.double(), 3 * x.double()).equation == "y = 3 x + 0"
    assert tl.fit(x.double(), 3 * x.double(), intercept=False).equation == "y = 3 x"


def test_a_feature_without_effect_is_zero_not_rounding() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3)) * [1.0, 1e6, 1.0]
    assert tl.fit(X, 2 * X[:, 0] + 1).equation == "y = 2 x0 + 0 x1 + 0 x2 + 1"


def test_small_is_not_without_effect() -> None:
    x = np.linspace(1e6, 2e6, 20)
    assert tl.fit(x, 1e-9 * x + 1).equation == "y = 1e-09 x + 1"


def test_dropped_columns_are_left_out() -> None:
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.warns(RankWarning):
        fit = tl.fit(np.column_stack([X, 2 * X[:, 0]]), X @ [1.0, 2.0] + 3)
    assert fit.equation == "y = 1 x0 + 2 x1 + 3"


def test_beyond_eight_features_the_rest_is_counted() -> None:
    X = np.random.default_rng(0).normal(size=(60, 20))
    text = tl.fit(X, X @ np.arange(1.0, 21.0) + 0.5).equation
    assert text.startswith("y = 1 x0 + 2 x1 ")
    assert text.endswith("+ 8 x7 + … (12 more) + 0.5")


def test_one_line_for_each_target() -> None:
    x = np.arange(6.0)
    assert tl.fit(x, np.column_stack([2 * x + 1, 1 - x])).equation == "y0 = 2 x + 1\ny1 = -1 x + 1"


def test_names_stay_on_their_line(line: Solution) -> None:
    assert equation(replace(line, names=("a\nb",), targets=("c\x1b[2J",))).isprintable()


LABELS = np.array([0, 1, 1, 0, 2, 1, 2, 0, 2, 1])
X = np.linspace(0, 2, 10)[:, None]


@pytest.mark.parametrize(
    ("y", "options", "left"),
    [
        (np.array(["well", "sick"])[LABELS % 2], {"loss": "logistic"}, ["log-odds(y=well)"]),
        (LABELS == 1, {"loss": "logistic"}, ["log-odds(y=True)"]),
        (np.linspace(0.1, 0.9, 10), {"loss": "logistic"}, ["log-odds(y)"]),
        (LABELS % 2, {"loss": "binomial", "link": "probit"}, ["probit P(y=1)"]),
        (np.array(["u", "v", "w"])[LABELS], {"loss": "softmax"}, ["score(u)", "score(v)", "score(w)"]),
        (LABELS, {"loss": "poisson"}, ["log E(y)"]),
        (LABELS + 1, {"loss": "poisson", "link": "sqrt"}, ["sqrt E(y)"]),
        (LABELS + 1, {"loss": "gamma", "link": "inverse"}, ["1 / E(y)"]),
        (LABELS + 1, {"loss": "inverse_gaussian", "link": "inverse_squared"}, ["1 / E(y)²"]),
        (LABELS, {"loss": "absolute"}, ["y"]),
    ],
)
def test_the_left_side_is_what_the_line_predicts(y: np.ndarray, options: dict, left: list[str]) -> None:
    lines = tl.fit(X, y, **options).equation.splitlines()
    assert [line.partition(" = ")[0] for line in lines] == left
    assert all(" x " in line for line in lines)


def test_many_classes_are_counted() -> None:
    rng = np.random.default_rng(0)
    lines = tl.fit(rng.normal(size=(200, 1)), rng.integers(0, 9, 200), loss="softmax").equation.splitlines()
    assert [line.partition(" = ")[0] for line in lines[:-1]] == [f"score({j})" for j in range(4)]
    assert lines[-1] == "… (5 more classes)"


def test_an_offset_is_the_last_term() -> None:
    hours = np.arange(1.0, 11.0)
    assert tl.fit(X, LABELS, loss="poisson", exposure=hours).equation.endswith(" + log(exposure)")
    line = tl.fit({"x": X[:, 0], "t": hours, "y": 3 * X[:, 0] + 0.5 + hours}, "y", offset="t").equation
    assert line == "y = 3 x + 0.5 + t"


def test_what_a_penalty_sets_to_zero_is_left_out(rng) -> None:
    X = rng.normal(size=(200, 12))
    fit = tl.fit(X, 3.0 * X[:, 4] + 0.1 * rng.normal(size=200), penalty=tl.L1(1.0))
    assert (fit.coef != 0).sum() == 1
    assert " x4 " in fit.equation
    assert "more" not in fit.equation
    assert " x0 " not in fit.equation
    nothing = tl.fit(X, X[:, 4], penalty=tl.L1(100.0), intercept=False)
    assert nothing.equation == "y = 0"
