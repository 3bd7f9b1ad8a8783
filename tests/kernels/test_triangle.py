"""Triangles against exact fractions, and against the certified sets of NIST."""

import json
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest

from torchlinear.kernels import triangle, words
from torchlinear.kernels.triangle import cholesky, of_rows, qr, reveal, solve_upper
from torchlinear.kernels.words import Words

U = 2.0**-53
exact = np.vectorize(Fraction, otypes=[object])


def _exact(a: Words) -> np.ndarray:
    return exact(a.high) + exact(a.low)


def _centred(X, y, weight, low=None):
    """Return exact means and cross products about them."""
    z = np.hstack([exact(X) + (0 if low is None else exact(low)), exact(y)])
    w = np.array([Fraction(1)] * len(z)) if weight is None else exact(weight)
    mean = (w @ z) / w.sum()
    return mean, ((z - mean) * w[:, None]).T @ (z - mean)


def _check(R: Words, cross: np.ndarray, unit: float) -> None:
    """R is upper triangular, its diagonal at least 0, R'R = cross but for `unit` of the columns' norms."""
    assert not np.tril(R.high, -1).any()
    assert not np.tril(R.low, -1).any()
    assert (np.diag(R.high) >= 0).all()
    norm = np.sqrt(np.diag(cross).astype(float))
    error = np.abs(_exact(R).T @ _exact(R) - cross).astype(float)
    assert (error <= unit * np.outer(norm, norm)).all()


@pytest.fixture
def rows(rng: np.random.Generator):
    def draw(n: int, p: int, k: int):
        X = rng.normal(size=(n, p)) + 5 * rng.normal(size=p)
        y = rng.normal(size=(n, k)) - 3
        return X, y, rng.random(n), np.concatenate([X[0], y[0]])

    return draw


# The error of a QR grows with rows and columns, slowly: 2 (n + 4 q) units of the arithmetic hold with room.
def _unit(extended: bool, n: int, q: int) -> float:
    return 2 * (n + 4 * q) * (8 * U**2 if extended else 4 * U)


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("n", "p", "k"), [(1, 1, 1), (2, 3, 1), (60, 5, 2), (300, 2, 1), (9, 12, 1), (4, 0, 2)]
)
def test_of_rows(rows, n: int, p: int, k: int, weighted: bool, extended: bool) -> None:
    X, y, weight, shift = rows(n, p, k)
    weight = weight if weighted else None
    mean, cross = _centred(X, y, weight)
    found = of_rows(X, y, weight, None, shift, extended=extended)
    assert found.weight == pytest.approx(n if weight is None else weight.sum(), rel=n * U)
    step = np.abs(exact(shift) - mean).astype(float) + (0 if extended else np.abs(mean).astype(float))
    unit = _unit(extended, n, p + k)
    assert (np.abs(_exact(found.mean) - mean).astype(float) <= unit * step + 4 * U**2 * np.abs(shift)).all()
    if n > 1:
        _check(found.R, cross, unit)
    else:
        assert np.abs(found.R.high).max() <= unit * np.abs(shift).max()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_chunks_and_layouts(rows, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triangle, "LAPACK_CHUNK", 100)
    X, y, weight, shift = rows(1000, 4, 1)
    X = X.astype(dtype)
    cross = _centred(X, y, weight)[1]
    for extended in (False, True):
        one = of_rows(X, y, weight, None, shift, extended=extended)
        other = of_rows(np.ascontiguousarray(X.T).T, y, weight, None, shift, extended=extended)
        _check(one.R, cross, _unit(extended, 1000, 5))
        assert (one.R.high == other.R.high).all()
        assert (one.R.low == other.R.low).all()


def test_low_words_count(rows, rng: np.random.Generator) -> None:
    X, y, weight, shift = rows(40, 3, 1)
    low = X * rng.uniform(-0.5, 0.5, X.shape) * 2.0**-53
    _, cross = _centred(X, y, weight, low)
    _check(of_rows(X, y, weight, low, shift, extended=True).R, cross, _unit(True, 40, 4))


@pytest.mark.parametrize("extended", [False, True])
def test_no_weight_no_rows(rows, extended: bool) -> None:
    X, y, _, shift = rows(5, 2, 1)
    for given in ((X, y, np.zeros(5)), (X[:0], y[:0], None)):
        weight, mean, R = of_rows(*given, None, shift, extended=extended)
        assert weight == 0
        assert (mean.high == shift).all()
        assert not R.high.any()


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["x", "y"])
def test_what_is_not_finite_shows(rows, extended: bool, bad: float, where: str) -> None:
    X, y, weight, shift = rows(30, 3, 1)
    (X if where == "x" else y)[20, 0] = bad
    with np.errstate(invalid="ignore"):
        R = of_rows(X, y, weight, None, shift, extended=extended).R
        assert not np.isfinite(R.high + R.low).all()


def test_qr_of_triangles_is_the_triangle_of_all_rows(rng: np.random.Generator) -> None:
    A = rng.normal(size=(40, 6))
    whole = exact(A).T @ exact(A)
    parts = [qr(words.of(part)) for part in (A[:3], A[3:20], A[20:])]
    _check(qr(words.of(A)), whole, _unit(True, 40, 6))
    _check(qr(words.stack(*parts)), whole, _unit(True, 40, 6))
    assert qr(words.of(A[:3])).high.shape == (6, 6)


def test_qr_of_two_words(rng: np.random.Generator) -> None:
    A = Words(rng.normal(size=(20, 4)), np.zeros((20, 4)))
    A = Words(A.high, A.high * rng.uniform(-1, 1, A.high.shape) * 2.0**-54)
    _check(qr(A), _exact(A).T @ _exact(A), _unit(True, 20, 4))


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("q", [0, 1, 2, 15])
def test_cholesky(rng: np.random.Generator, q: int, extended: bool) -> None:
    A = exact(rng.normal(size=(q + 3, q)))
    cross = (A.T @ A).reshape(q, q)
    high = cross.astype(float)
    given = Words(high, (cross - exact(high)).astype(float) if q else high)
    R = cholesky(given, extended)
    assert R.high.shape == (q, q)
    if q:
        _check(R, _exact(given) if extended else exact(high), 4 * q * (8 * U**2 if extended else 2 * U))


@pytest.mark.parametrize("extended", [False, True])
def test_cholesky_gives_dependent_columns_a_row_of_zeros(rng: np.random.Generator, extended: bool) -> None:
    A = rng.integers(-9, 9, (30, 6)).astype(float)
    A[:, 2] = A[:, 0] - 2 * A[:, 1]
    A[:, 4] = 0.0
    cross = words.of(A.T @ A)
    R = cholesky(cross, extended)
    assert (np.diag(R.high) > 0).tolist() == [True, True, False, True, False, True]
    assert not R.high[[2, 4]].any()
    _check(R, exact(cross.high), 1e-14)


def test_cholesky_in_two_words_sees_what_float64_cannot() -> None:
    """The columns of a Hilbert matrix of order 14: condition 1e18."""
    i = np.arange(14)
    hilbert = np.array([[Fraction(1, int(a + b + 1)) for b in i] for a in i])
    high = hilbert.astype(float)
    given = Words(high, (hilbert - exact(high)).astype(float))
    _check(cholesky(given, True), hilbert, 1e-30)
    assert (np.diag(cholesky(given, True).high) > 0).all()
    assert not (np.diag(cholesky(given, False).high) > 0).all()


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0), (1, 1), (0, 2)])
def test_cholesky_lets_what_is_not_finite_through(extended: bool, bad: float, place: tuple[int, int]) -> None:
    cross = 2.0 * np.eye(3)
    cross[place] = cross[place[::-1]] = bad
    R = cholesky(words.of(cross), extended)
    assert not np.isfinite(R.high + R.low).all()


def _dependent(A: np.ndarray, p: int, tolerance: float) -> list[bool]:
    """The definition: what remains of each column after least squares on those kept before it."""
    kept: list[int] = []
    marks = []
    for j in range(p):
        rest = A[:, j]
        if kept:
            rest = rest - A[:, kept] @ np.linalg.lstsq(A[:, kept], rest)[0]
        marks.append(bool(np.linalg.norm(rest) <= tolerance))
        if not marks[-1]:
            kept.append(j)
    return marks


def test_reveal(rng: np.random.Generator) -> None:
    for _ in range(20):
        A = rng.normal(size=(15, 8))
        for j in rng.choice(6, 3, replace=False):  # the last two columns are targets
            A[:, j] = A[:, :j] @ rng.integers(-2, 3, j)
        R = qr(words.of(A))
        found, dependent = reveal(R, np.full(6, 1e-12))
        assert dependent.tolist() == _dependent(A, 6, 1e-12)
        kept = np.flatnonzero(~dependent)
        used = [*kept, 6, 7]
        after, before = _exact(found)[:, used], _exact(R)[:, used]
        assert (np.abs(after.T @ after - before.T @ before) < 1e-28).all()
        upper = found.high[:, kept]
        assert not np.tril(upper, -1).any()
        assert (np.diag(upper) > 1e-12).all()


def test_reveal_takes_a_tolerance_for_each_column(rng: np.random.Generator) -> None:
    R = words.of(np.triu(rng.uniform(1, 2, (4, 4))))
    remaining = np.diag(R.high)[:3]
    assert not reveal(R, 0.99 * remaining)[1].any()
    assert reveal(R, remaining * np.array([0.99, 0.99, 1.01]))[1].tolist() == [False, False, True]
    assert reveal(R, remaining * np.array([1.01, 0.0, 0.0]))[1].tolist() == [True, False, False]
    assert (reveal(R, 0.99 * remaining)[0].high == R.high).all()


def test_reveal_keeps_a_column_that_differs_in_its_low_word() -> None:
    """x + 1e-20 beside x: dependent for float64, not for two words."""
    x = np.arange(1.0, 6.0)
    A = Words(np.column_stack([np.ones(5), x, x]), np.zeros((5, 3)))
    A.low[:, 2] = 1e-20 * np.array([1, -1, 2, -2, 1])
    assert reveal(qr(A), np.full(3, 1e-15))[1].tolist() == [False, False, True]
    assert reveal(qr(A), np.full(3, 1e-25))[1].tolist() == [False, False, False]


@pytest.mark.parametrize(("q", "k"), [(0, 1), (1, 1), (7, 2), (12, 0)])
def test_solve_upper(rng: np.random.Generator, q: int, k: int) -> None:
    R = np.triu(rng.normal(size=(q, q))) + 3 * np.eye(q)
    R = Words(R, R * 2.0**-55)
    B = words.of(rng.normal(size=(q, k)))
    x = solve_upper(R, B)
    assert x.high.shape == (q, k)
    if q and k:
        residual = np.abs(_exact(R) @ _exact(x) - _exact(B))
        assert (residual <= 20 * q * U**2 * (np.abs(_exact(R)) @ np.abs(_exact(x)))).all()


def test_inverse(rng: np.random.Generator) -> None:
    R = words.of(np.triu(rng.normal(size=(9, 9))) + 2 * np.eye(9))
    product = _exact(R) @ _exact(solve_upper(R, words.of(np.eye(9))))
    assert np.abs(product - exact(np.eye(9))).max() < 1e-27


NIST = Path(__file__).parents[1] / "truth" / "nist"
CERTIFIED = json.loads((NIST / "certified.json").read_text())["datasets"]

# Correct digits of the worst coefficient and the worst standard error. What is missing from 16 is the
# rounding of the decimal data to float64: the float64 data are solved to LAST_DIGIT.
DIGITS = {
    "Norris": (14.0, 14.0),
    "Pontius": (13.5, 13.8),
    "NoInt1": (15.9, 15.3),
    "NoInt2": (15.9, 15.3),
    "Filip": (13.5, 13.5),
    "Longley": (14.5, 15.0),
    "Wampler1": (15.5, 15.5),
    "Wampler2": (13.2, 15.1),
    "Wampler3": (15.5, 15.5),
    "Wampler4": (15.5, 15.5),
    "Wampler5": (15.5, 15.5),
}
LAST_DIGIT = 15.5


def _columns(name: str) -> Words:
    """Read a set: its columns of ones, of features with powers formed in two words, and of the target."""
    known = CERTIFIED[name]
    data = np.loadtxt(NIST / f"{name}.csv", delimiter=",", skiprows=1)
    x = words.of(data[:, 1:])
    columns = [words.of(np.ones((len(data), 1)))] if known["intercept"] else []
    power = x
    for _ in range(known["poly_degree"] or 1):
        columns.append(power)
        power = words.multiply(power, x)
    return Words(*map(np.hstack, zip(*columns, words.of(data[:, :1]))))


def _digits(values: np.ndarray, truths: list) -> float:
    """Correct digits of the worst value, to one decimal as the table has them."""

    def one(value: float, truth: str) -> float:
        known = mpmath.mpf(truth)
        error = abs(mpmath.mpf(float(value)) - known) / (abs(known) or 1)
        return 16.0 if error == 0 else min(16.0, float(-mpmath.log10(error)))

    with mpmath.workdps(60):
        return round(min(one(value, truth) for value, truth in zip(values, truths, strict=True)), 1)


def _rounded(matrix: np.ndarray) -> Words:
    high = matrix.astype(float)
    return Words(high, (matrix - exact(high)).astype(float))


def _triangle(A: Words, intercept: bool, by: str) -> Words:
    """Return the triangle of all columns, ones included, by each way that a fit may take."""
    if by == "rows":
        return qr(A)
    if by == "cross products":
        return cholesky(_rounded(_exact(A).T @ _exact(A)), True)
    n = len(A.high)
    X, y = words.take(A, slice(None), slice(1, -1)), A.high[:, -1:]
    _, mean, R = of_rows(X.high, y, None, X.low, np.append(X.high[0], y[0]), extended=True)
    root = words.square_root(words.of(np.full((1, 1), float(n))))
    top = Words(*map(np.hstack, zip(root, words.multiply(words.row(mean), root))))
    return words.stack(top, Words(*(np.hstack([np.zeros((len(R.high), 1)), part]) for part in R)))


@pytest.mark.parametrize("by", ["rows", "centred rows", "cross products"])
@pytest.mark.parametrize("name", DIGITS)
def test_nist(name: str, by: str) -> None:
    known, A = CERTIFIED[name], _columns(name)
    if by == "centred rows" and not known["intercept"]:
        by = "rows"
    (n, q) = A.high.shape[0], A.high.shape[1] - 1
    R = _triangle(A, known["intercept"], by)
    upper, right = words.take(R, slice(q), slice(q)), words.take(R, slice(q), slice(q, None))
    coef = solve_upper(upper, right).high[:, 0]
    inverse = solve_upper(upper, words.of(np.eye(q))).high
    se = abs(R.high[q, q]) / np.sqrt(n - q) * np.sqrt(np.square(inverse).sum(axis=1))
    assert _digits(coef, known["exact30"]["coef"]) >= DIGITS[name][0]
    assert _digits(se, known["exact30"]["se"]) >= DIGITS[name][1]
    if by != "cross products":  # which square the condition of Filip, 1e10
        assert _digits(coef, _solution(A, q)) >= LAST_DIGIT


def _solution(A: Words, q: int) -> list:
    """Solve the least squares of the float64 data with 60 digits."""
    with mpmath.workdps(60):
        M = mpmath.matrix(
            [
                [mpmath.mpf(h) + mpmath.mpf(lo) for h, lo in zip(*row)]
                for row in zip(*map(np.ndarray.tolist, A))
            ]
        )
        X, y = M[:, :q], M[:, q]
        return list(mpmath.lu_solve(X.T * X, X.T * y))
