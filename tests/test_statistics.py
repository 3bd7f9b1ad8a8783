"""Laws of Moments and Triangle: merging, weights, centring, and what they equal in exact arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from torchlinear.block import Block
from torchlinear.kernels import words
from torchlinear.kernels.words import Words
from torchlinear.statistics import Moments, Triangle

N, P, K = 90, 3, 2
SHIFT = np.array([0.5, 2e4, -1e3, 0.0, 3.0])

# Rounding of sums over 90 rows: float64 2**-52 a step, double-double 2**-96 (its long sums are Dot2).
ROUNDING = {False: 1e-13, True: 1e-27}

Rows = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]
precisions = pytest.mark.parametrize("extended", [False, True], ids=["float64", "double-double"])
kinds = pytest.mark.parametrize("kind", ["moments", "triangle"])


@pytest.fixture
def rows(rng: np.random.Generator) -> Rows:
    """X with a mean of 2e4 and correlated columns, y, and weights of which some are 0."""
    X = rng.normal(size=(N, P)) @ rng.normal(size=(P, P)) + [0.0, 2e4, -1e3]
    y = (X - SHIFT[:P]) @ rng.normal(size=(P, K)) + rng.normal(size=(N, K))
    weight = rng.gamma(2.0, size=N)
    weight[rng.integers(N, size=9)] = 0.0
    return X, y, weight


def summed(kind: str, X: Any, y: Any, weight: Any, extended: bool) -> Any:
    tensors = [None if a is None else torch.from_numpy(np.ascontiguousarray(a)) for a in (X, y, weight)]
    block = Block(*tensors)  # type: ignore[arg-type]
    return (block.moments if kind == "moments" else block.triangle)(SHIFT, extended)


def exact(X: Any, y: Any, weight: Any) -> tuple[Fraction, list[Fraction], list[list[Fraction]]]:
    """Weight, means and centred cross products in rational arithmetic."""
    w = [Fraction(float(v)) for v in weight]
    z = [[Fraction(float(v)) for v in row] for row in np.hstack([X, y])]
    q, total = len(z[0]), sum(w)
    mean = [sum((wi * row[j] for wi, row in zip(w, z)), Fraction(0)) / total for j in range(q)]
    cross = [
        [
            sum((wi * (row[i] - mean[i]) * (row[j] - mean[j]) for wi, row in zip(w, z)), Fraction(0))
            for j in range(q)
        ]
        for i in range(q)
    ]
    return total, mean, cross


def cross_of(sums: Any) -> Words:
    if isinstance(sums, Moments):
        return sums.cross
    return words.multiply_matrices(Words(sums.R.high.T, sums.R.low.T), sums.R)


def assert_same(a: Any, b: Any, tolerance: float) -> None:
    """Equal weights, counts, means and cross products, relative to the sizes of the columns."""
    assert (a.n_features, a.rows, a.low_words) == (b.n_features, b.rows, b.low_words)
    assert a.weight == pytest.approx(b.weight, rel=1e-14)
    assert a.log_weight == pytest.approx(b.log_weight, rel=1e-12, abs=1e-12)
    size = np.sqrt(np.diag(cross_of(b).high))
    away = (
        words.subtract(a.mean, b.mean).high
        * np.sqrt(b.weight)
        / (size + np.sqrt(b.weight) * np.abs(b.mean.high))
    )
    assert np.abs(away).max() <= tolerance
    apart = words.subtract(cross_of(a), cross_of(b)).high / np.outer(size, size)
    assert np.abs(apart).max() <= tolerance


@precisions
@kinds
def test_sums_equal_exact_arithmetic(rows: Rows, kind: str, extended: bool) -> None:
    X, y, weight = rows
    sums = summed(kind, X, y, weight, extended)
    total, mean, cross = exact(X, y, weight)
    found, middle = cross_of(sums), sums.mean
    assert sums.weight == pytest.approx(float(total), rel=1e-15)
    assert sums.rows == int((weight > 0).sum())
    size = [float(cross[j][j]) ** 0.5 for j in range(P + K)]
    for i in range(P + K):
        off = Fraction(float(middle.high[i])) + Fraction(float(middle.low[i])) - mean[i]
        assert abs(float(off)) <= ROUNDING[extended] * (abs(float(mean[i])) + size[i])
        for j in range(P + K):
            off = Fraction(float(found.high[i, j])) + Fraction(float(found.low[i, j])) - cross[i][j]
            assert abs(float(off)) <= 10 * ROUNDING[extended] * size[i] * size[j]


Grouping = Callable[[list[Any]], Any]
GROUPINGS: dict[str, Grouping] = {
    "(a+b)+c": lambda s: (s[0] + s[1]) + s[2],
    "a+(b+c)": lambda s: s[0] + (s[1] + s[2]),
    "(c+a)+b": lambda s: (s[2] + s[0]) + s[1],
}


@precisions
@kinds
@pytest.mark.parametrize("grouping", GROUPINGS)
def test_parts_in_any_grouping_are_all_rows_at_once(
    rows: Rows, kind: str, extended: bool, grouping: str
) -> None:
    parts = [[a[part] for a in rows] for part in (slice(0, 7), slice(7, 60), slice(60, N))]
    merged = GROUPINGS[grouping]([summed(kind, *part, extended) for part in parts])
    assert_same(merged, summed(kind, *rows, extended), 10 * ROUNDING[extended])


@precisions
@kinds
def test_a_part_of_one_row(rows: Rows, kind: str, extended: bool) -> None:
    X, y, _ = rows
    merged = summed(kind, X[:1], y[:1], None, extended) + summed(kind, X[1:], y[1:], None, extended)
    assert_same(merged, summed(kind, X, y, None, extended), 10 * ROUNDING[extended])


@precisions
@kinds
@pytest.mark.parametrize("empty", ["no rows", "no weight"])
def test_an_empty_part_changes_nothing(rows: Rows, kind: str, extended: bool, empty: str) -> None:
    none = summed(kind, rows[0][:0], rows[1][:0], None, extended)
    if empty == "no weight":
        none = summed(kind, rows[0][:5], rows[1][:5], np.zeros(5), extended)
    whole = summed(kind, *rows, extended)
    for merged in (whole + none, none + whole):
        assert_same(merged, whole, 0.0)


@precisions
@kinds
def test_a_row_of_weight_zero_is_no_row(rows: Rows, kind: str, extended: bool) -> None:
    kept = rows[2] > 0
    without = summed(kind, *(a[kept] for a in rows), extended)
    assert_same(summed(kind, *rows, extended), without, ROUNDING[extended])


@precisions
@kinds
def test_weight_k_is_k_copies(rows: Rows, kind: str, extended: bool, rng: np.random.Generator) -> None:
    X, y, _ = rows
    copies = rng.integers(0, 4, size=N)
    weighted = summed(kind, X, y, copies.astype(np.float64), extended)
    repeated = summed(kind, X.repeat(copies, axis=0), y.repeat(copies, axis=0), None, extended)
    assert (weighted.rows, repeated.rows) == ((copies > 0).sum(), copies.sum())
    assert weighted.weight == repeated.weight
    np.testing.assert_allclose(weighted.mean.high, repeated.mean.high, rtol=1e-13)
    size = np.sqrt(np.diag(cross_of(repeated).high))
    apart = words.subtract(cross_of(weighted), cross_of(repeated)).high / np.outer(size, size)
    assert np.abs(apart).max() <= 10 * ROUNDING[extended]


@precisions
@kinds
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows_after_merging(rows: Rows, kind: str, extended: bool, bad: float) -> None:
    X, y, weight = rows
    spoilt = X.copy()
    spoilt[4, 1], weight[4] = bad, 1.0
    sound, sick = summed(kind, X, y, weight, extended), summed(kind, spoilt, y, weight, extended)
    assert sound.finite
    assert not sick.finite
    assert not (sick + sound).finite
    assert not (sound + sick).finite


@precisions
def test_the_triangle_of_the_moments_is_that_of_the_rows(rows: Rows, extended: bool) -> None:
    by_moments, by_rows = (
        Triangle.of(summed("moments", *rows, extended)),
        summed("triangle", *rows, extended),
    )
    assert_same(by_moments, by_rows, 10 * ROUNDING[extended])
    merged = by_rows + by_rows
    for triangle in (by_rows, merged, merged.uncentred(), merged.with_ridge(np.ones(P))):
        assert (np.diag(triangle.R.high) >= 0).all()
    np.testing.assert_array_equal(np.tril(by_rows.R.high, -1), 0.0)
    # Cholesky loses the square of the condition number of the rows, here below 1e3.
    np.testing.assert_allclose(by_moments.R.high, by_rows.R.high, rtol=1e-7, atol=1e-7)


@precisions
def test_uncentred_is_about_zero(rows: Rows, extended: bool) -> None:
    X, y, weight = rows
    triangle = summed("triangle", *rows, extended).uncentred()
    z = np.hstack([X, y])
    expected = (z * weight[:, None]).T @ z
    size = np.sqrt(np.diag(expected))
    np.testing.assert_array_equal(triangle.mean.high, 0.0)
    apart = (cross_of(triangle).high - expected) / np.outer(size, size)
    assert np.abs(apart).max() <= ROUNDING[False]


@precisions
def test_ridge_adds_to_the_diagonal(rows: Rows, extended: bool, rng: np.random.Generator) -> None:
    triangle, strength = summed("triangle", *rows, extended), rng.gamma(1.0, size=P)
    added = words.subtract(cross_of(triangle.with_ridge(strength)), cross_of(triangle))
    expected = np.diag([*strength, 0.0, 0.0])
    size = np.sqrt(np.diag(cross_of(triangle).high))
    assert np.abs((added.high - expected) / np.outer(size, size)).max() <= 10 * ROUNDING[extended]


@pytest.mark.parametrize(
    ("kind", "extended", "tolerance"),
    # With a shift 1e8 away the sums cancel 13 digits: of 16 or, squared, of 32. TSQR finds the means itself.
    [("triangle", False, 1e-7), ("moments", True, 1e-12), ("triangle", True, 1e-15)],
)
def test_a_shift_far_from_the_rows(
    kind: str, extended: bool, tolerance: float, rng: np.random.Generator
) -> None:
    near = rng.integers(-50, 50, size=(400, 5))  # integers, so that the cross products are known exactly
    far = (near + 10**8).astype(float)
    sums = summed(kind, far[:, :3], far[:, 3:], None, extended)
    columns = [[int(v) for v in column] for column in near.T]
    expected = np.array(
        [
            [float(sum(a * b for a, b in zip(c, d)) - Fraction(sum(c) * sum(d), 400)) for d in columns]
            for c in columns
        ]
    )
    size = np.sqrt(np.diag(expected))
    assert np.abs((cross_of(sums).high - expected) / np.outer(size, size)).max() <= tolerance


def test_a_shift_near_the_rows_keeps_the_digits(rng: np.random.Generator) -> None:
    near = rng.integers(-50, 50, size=(3_000, 2)).astype(float)
    block = Block(torch.from_numpy(near[:, :1] + 1e8), torch.from_numpy(near[:, 1:] + 1e8))
    moments = block.moments(block.shift())
    expected = np.cov(near.T, bias=True) * 3_000
    np.testing.assert_allclose(moments.cross.high, expected, rtol=1e-13)


def test_the_shift_of_a_constant_column_is_the_constant() -> None:
    block = Block(torch.full((700, 1), 0.1, dtype=torch.float64), torch.zeros(700, 1))
    assert block.shift().tolist() == [0.1, 0.0]
    assert block.moments(block.shift()).cross.high.tolist() == [[0.0, 0.0], [0.0, 0.0]]
