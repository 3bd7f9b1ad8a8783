"""Whole powers in double-double, against exact rational arithmetic."""

import csv
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
import torch

from torchlinear.design import Design
from torchlinear.design.powers import write_powers
from torchlinear.sources import read


def powers(x: np.ndarray, exponents: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    high, low = np.empty((2, len(exponents), x.size))
    write_powers(x, exponents, high, low)
    return high, low


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
def test_squares_are_exact_and_others_have_31_digits(scale: float) -> None:
    x = np.random.default_rng(0).standard_normal(500) * scale
    exponents = (1, 2, 3, 7, 12)
    high, low = powers(x, exponents)
    for row, k in enumerate(exponents):
        for i, value in enumerate(x.tolist()):
            exact = Fraction(value) ** k
            error = abs(Fraction(high[row, i]) + Fraction(low[row, i]) - exact) / abs(exact)
            assert error <= (0 if k <= 2 else Fraction(7 * k, 2**106))


def test_zero_and_whole_numbers_have_no_low_words() -> None:
    high, low = powers(np.array([0.0, -3.0, 1000.0]), (1, 2, 5))
    np.testing.assert_array_equal(high, [[0, -3, 1000], [0, 9, 1e6], [0, -243, 1e15]])
    assert not low.any()


def test_overflow_is_infinite_and_has_no_low_word() -> None:
    high, low = powers(np.array([1e200, -1e160, 1e150]), (2, 3))
    np.testing.assert_array_equal(high, [[np.inf, np.inf, 1e150 * 1e150], [np.inf, -np.inf, np.inf]])
    assert not low[~np.isfinite(high)].any()


def test_low_words_stand_beside_the_powers_only() -> None:
    table = read({"y": [1.0, 2.0], "x": [0.1, 0.7], "a": [0.3, 0.4]})
    rows = Design.learn(table, formula="y ~ a + poly(x, 2, raw=True) + I(a**3) + a:x").rows(table)
    (block,) = rows.blocks(rows.shards()[0])
    assert rows.names == ("a", "poly(x, 2, raw=True)[1]", "poly(x, 2, raw=True)[2]", "I(a ** 3)", "a:x")
    assert block.low is not None
    assert (block.low != 0).any(dim=0).tolist() == [False, False, True, True, False]
    exact = Fraction(0.7) ** 2
    assert Fraction(block.X[1, 2].item()) + Fraction(block.low[1, 2].item()) == exact


@pytest.mark.parametrize(
    "formula", ["y ~ x", "y ~ poly(x, 2)", "y ~ poly(x, 1, raw=True)", "y ~ x + I(x**2):x"]
)
def test_without_powers_there_are_no_low_words(formula: str) -> None:
    table = read({"y": [1.0, 2.0, 4.0], "x": [0.1, 0.7, 0.9]})
    rows = Design.learn(table, formula=formula).rows(table)
    assert next(iter(rows.blocks(rows.shards()[0]))).low is None


def test_rows_that_cannot_be_predicted_are_nan() -> None:
    table = read({"y": [1.0, 2.0, 4.0], "x": [0.1, 0.7, 0.9]})
    rows = Design.learn(table, formula="y ~ x + x**2").rows(read({"x": [0.5, None, 1e200]}), target=False)
    (block,) = rows.blocks(rows.shards()[0])
    assert torch.isnan(block.X).tolist() == [[False, False], [True, True], [True, True]]


def test_filip_by_exact_arithmetic_from_our_words(truth: Path) -> None:
    """The powers that NIST's hardest set needs: solved at 60 digits from our words, 14 digits of its answer.

    From float64 powers alone it is 7.
    """
    path = truth / "nist" / "Filip.csv"
    table = read(path)
    rows = Design.learn(table, formula="y ~ poly(x, 10, raw=True)").rows(table)
    (block,) = rows.blocks(rows.shards()[0])
    assert block.low is not None
    with path.open() as lines:
        y = [mpmath.mpf(line["y"]) for line in csv.DictReader(lines)]
    certified = [mpmath.mpf(value) for value in certificate(truth)]
    for low, least, most in ((block.low, 14, 40), (torch.zeros_like(block.low), 6, 9)):
        with mpmath.workdps(60):
            X = [
                [1, *(mpmath.mpf(h) + mpmath.mpf(w) for h, w in zip(*row))]
                for row in zip(block.X.tolist(), low.tolist())
            ]
            A = mpmath.matrix(X)
            found = mpmath.lu_solve(A.T * A, A.T * mpmath.matrix(y))
            digits = min(-mpmath.log10(abs(b - c) / abs(c)) for b, c in zip(found, certified))
        assert least < digits < most


def certificate(truth: Path) -> list[str]:
    import json

    found = json.loads((truth / "nist" / "certified.json").read_text())["datasets"]["Filip"]
    return list(found["exact30"]["coef"])
