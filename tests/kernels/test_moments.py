"""Moments against exact fractions (extended) and against NumPy (float64), over every layout."""

import threading
from fractions import Fraction

import numpy as np
import pytest

from torchlinear.kernels import moments
from torchlinear.kernels.moments import about
from torchlinear.kernels.words import Words

U = 2.0**-53


def _layouts(X: np.ndarray) -> dict[str, np.ndarray]:
    """The same numbers, as they may lie in memory."""
    n, p = X.shape
    wider = np.full((n + 4, p + 3), np.nan if X.dtype.kind == "f" else 99, X.dtype)
    wider[2:-2, 1:-2] = X
    return {
        "row-major": np.ascontiguousarray(X),
        "transposed": np.ascontiguousarray(X.T).T,
        "part of row-major": wider[2:-2, 1:-2],
        "part of transposed": np.ascontiguousarray(wider.T).T[2:-2, 1:-2],
        "every second row": np.repeat(X, 2, axis=0)[::2],
        "reversed": np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
        "every second column": np.repeat(X, 2, axis=1)[:, ::2],
    }


LAYOUTS = list(_layouts(np.zeros((1, 1))))


def _plain(X, y, weight, low, shift):
    """The definition, in NumPy."""
    z = np.hstack(
        [X.astype(float) - shift[: X.shape[1]] + (0 if low is None else low), y - shift[X.shape[1] :]]
    )
    w = np.ones(len(z)) if weight is None else weight
    return w.sum(), w @ z, (z * w[:, None]).T @ z, (np.abs(z) * w[:, None]).T @ np.abs(z)


@pytest.fixture
def rows(rng: np.random.Generator):
    def draw(n: int, p: int, k: int, dtype: type = np.float64):
        X = (rng.normal(size=(n, p)) + 10 * rng.normal(size=p)).astype(dtype)
        y = rng.normal(size=(n, k)) - 3
        return X, y, rng.random(n), np.concatenate([X[0], y[0]]).astype(float)

    return draw


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32, ">f8"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("n", "p", "k"), [(1, 1, 1), (200, 1, 2), (97, 5, 1), (300, 20, 3), (700, 260, 1)])
def test_float64(rows, n: int, p: int, k: int, layout: str, dtype: type) -> None:
    X, y, weight, shift = rows(n, p, k, dtype)
    for w in (None, weight):
        sums = about(_layouts(X)[layout], y, w, None, shift)
        total, first, cross, size = _plain(X, y, w, None, shift)
        assert sums.weight == pytest.approx(total, rel=n * U)
        np.testing.assert_allclose(sums.total.high, first, atol=n * U * size.max())
        assert (np.abs(sums.cross.high - cross) <= 4 * n * U * size).all()
        assert (sums.cross.high == sums.cross.high.T).all()
        assert not sums.cross.low.any()


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_low_words(rows, layout: str, extended: bool, rng: np.random.Generator) -> None:
    X, y, weight, shift = rows(150, 4, 1)
    low = X * rng.uniform(-0.1, 0.1, X.shape)  # far larger than low words are, so that they show
    sums = about(_layouts(X)[layout], y, weight, _layouts(low)[layout], shift, extended=extended)
    np.testing.assert_allclose(sums.cross.high, _plain(X, y, weight, low, shift)[2], rtol=1e-12)


def _fractions(X, y, weight, low, shift):
    """The definition, exactly: sums of weights, of z, of products and of their absolute values."""
    exact = np.vectorize(Fraction, otypes=[object])
    z = np.hstack([exact(X) + (0 if low is None else exact(low)), exact(y)]) - exact(shift)
    w = np.array([Fraction(1)] * len(X)) if weight is None else exact(weight)
    wz = z * w[:, None]
    return w.sum(), wz.sum(axis=0), wz.T @ z, np.abs(wz).T @ np.abs(z)


def _error(value: Words, exact: np.ndarray) -> np.ndarray:
    as_fraction = np.vectorize(Fraction, otypes=[object])
    return np.abs(as_fraction(value.high) + as_fraction(value.low) - exact)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("n", "p", "k", "layout"),
    [
        (20, 50, 1, "row-major"),
        *((*s, each) for s in ((1, 1, 1), (63, 2, 1), (130, 4, 2)) for each in LAYOUTS[:4]),
    ],
)
def test_extended(rows, n: int, p: int, k: int, layout: str, dtype: type, weighted: bool) -> None:
    X, y, weight, shift = rows(n, p, k, dtype)
    low = X.astype(float) * 2.0**-54 if dtype is np.float64 else None
    weight = weight if weighted else None
    sums = about(_layouts(X)[layout], y, weight, low, shift, extended=True)
    total, first, cross, size = _fractions(X, y, weight, low, shift)
    assert abs(Fraction(sums.weight) + Fraction(sums.weight_low) - total) <= (n + 2) ** 2 * U**2 * total
    bound = Fraction((n + 8) ** 2 * U**2)  # Dot2, of factors in two words
    assert (_error(sums.cross, cross) <= bound * size).all()
    assert (_error(sums.total, first) <= bound * size.max()).all()


def test_extended_is_accurate_where_float64_is_not(rng: np.random.Generator) -> None:
    """Products that cancel to 1e-20 of their size: the sum keeps ten digits."""
    x = rng.normal(size=500)
    y = np.concatenate([x, -x * (1 + 1e-15)])[:, None]
    X = np.concatenate([x, x])[:, None]
    exact = _fractions(X, y, None, None, np.zeros(2))[2][0, 1]
    sums = about(X, y, None, None, np.zeros(2), extended=True)
    assert abs(Fraction(sums.cross.high[0, 1]) + Fraction(sums.cross.low[0, 1]) - exact) < 1e-10 * abs(exact)
    assert abs(Fraction(about(X, y, None, None, np.zeros(2)).cross.high[0, 1]) - exact) > 1e-3 * abs(exact)


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("p", "where"), [(3, "x"), (3, "y"), (3, "weight"), (260, "x"), (260, "y")])
def test_what_is_not_finite_shows(rows, extended: bool, bad: float, p: int, where: str) -> None:
    X, y, weight, shift = rows(100, p, 1)
    {"x": X[:, 1], "y": y[:, 0], "weight": weight}[where][70] = bad
    with np.errstate(invalid="ignore"):
        sums = about(X, y, weight, None, shift, extended=extended)
        column = {"x": 1, "y": p, "weight": 0}[where]
        assert not np.isfinite(sums.cross.high[column] + sums.cross.low[column]).any()
    if where == "x":
        assert np.isfinite(sums.cross.high[0, 0])


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize(("n", "p", "k"), [(0, 3, 1), (5, 0, 1), (5, 3, 0), (0, 300, 1), (5, 300, 0)])
def test_nothing_there(rows, extended: bool, n: int, p: int, k: int) -> None:
    X, y, _, shift = rows(5, p, k)
    sums = about(X[:n], y[:n], None, None, shift, extended=extended)
    assert sums.weight == n
    assert sums.cross.high.shape == sums.cross.low.shape == (p + k, p + k)
    np.testing.assert_allclose(sums.cross.high, _plain(X[:n], y[:n], None, None, shift)[2], atol=1e-12)


def test_read_only_rows_and_threads_at_once(rows) -> None:
    X, y, weight, shift = rows(20_000, 7, 1)
    for array in (X, y, weight, shift):
        array.flags.writeable = False
    one = about(X, y, weight, None, shift)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(about(X, y, weight, None, shift))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all((r.cross.high == one.cross.high).all() for r in results)


def test_wide_blocks_go_to_blas(rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either side of the crossover the sums are the same."""
    X, y, weight, shift = rows(3000, 30, 1)
    tiles = about(X, y, weight, None, shift)
    monkeypatch.setattr(moments, "WIDE", 10)
    blas = about(X, y, weight, None, shift)
    np.testing.assert_allclose(blas.cross.high, tiles.cross.high, rtol=1e-11)
    np.testing.assert_allclose(blas.total.high, tiles.total.high, rtol=1e-11)
