"""Double-double arithmetic on NumPy arrays: a number is the unevaluated sum of two float64 words.

About 32 decimal digits, from error-free transformations: Dekker (1971), "A floating-point technique for
extending the available precision"; Knuth's two-sum; accuracies as in Joldes, Muller, Popescu (2017).
Everything broadcasts. For inner loops see `doubledouble`, the compiled scalar twins.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Words",
    "add",
    "column",
    "divide",
    "multiply",
    "multiply_matrices",
    "of",
    "row",
    "square_root",
    "stack",
    "subtract",
    "take",
    "total",
    "two_product",
    "two_sum",
]

Array = NDArray[np.float64]

_SPLIT = 134_217_729.0  # 2**27 + 1: Dekker's constant for the 53-bit significand


class Words(NamedTuple):
    """The number ``high + low``, with ``|low|`` at most half an ulp of ``high``."""

    high: Array
    low: Array


def of(high: Any, low: Any = None) -> Words:
    """Words from one float64 array, or two."""
    high = np.asarray(high, dtype=np.float64)
    return Words(high, np.zeros_like(high) if low is None else np.asarray(low, dtype=np.float64))


def row(a: Words) -> Words:
    """A vector as a (1, n) row."""
    return Words(a.high[np.newaxis, :], a.low[np.newaxis, :])


def column(a: Words) -> Words:
    """A vector as an (n, 1) column."""
    return Words(a.high[:, np.newaxis], a.low[:, np.newaxis])


def two_sum(a: Array, b: Array) -> Words:
    """Exact ``a + b``."""
    s = a + b
    t = s - a
    return Words(s, (a - (s - t)) + (b - t))


def two_product(a: Array, b: Array) -> Words:
    """Exact ``a * b`` (for ``|a|, |b|`` below 1e300)."""
    p = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    return Words(p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low)


def _split(a: Array) -> tuple[Array, Array]:
    t = _SPLIT * a
    high = t - (t - a)
    return high, a - high


def _renormalise(high: Array, low: Array) -> Words:
    s = high + low
    return Words(s, low - (s - high))


def add(a: Words, b: Words) -> Words:
    """``a + b``, with relative error below 3 * 2**-106."""
    s, e = two_sum(a.high, b.high)
    t, f = two_sum(a.low, b.low)
    s, e = _renormalise(s, e + t)
    return _renormalise(s, e + f)


def subtract(a: Words, b: Words) -> Words:
    """``a - b``."""
    return add(a, Words(-b.high, -b.low))


def multiply(a: Words, b: Words) -> Words:
    """``a * b``, with relative error below 7 * 2**-106."""
    p, e = two_product(a.high, b.high)
    return _renormalise(p, e + (a.high * b.low + a.low * b.high))


def divide(a: Words, b: Words) -> Words:
    """``a / b``, with relative error below 15 * 2**-106."""
    quotient = a.high / b.high
    rest = subtract(a, multiply(b, of(quotient)))
    correction = rest.high / b.high
    rest = subtract(rest, multiply(b, of(correction)))
    return add(_renormalise(quotient, correction), of(rest.high / b.high))


def square_root(a: Words) -> Words:
    """Square root of ``a >= 0``, by one Newton step from the float64 root."""
    root = np.sqrt(a.high)
    safe = np.where(root > 0, root, 1.0)
    rest = subtract(a, two_product(root, root))
    return _renormalise(root, np.where(root > 0, rest.high / (2.0 * safe), 0.0))


def stack(*parts: Words) -> Words:
    """Rows of `parts`, one below the other."""
    return Words(np.vstack([a.high for a in parts]), np.vstack([a.low for a in parts]))


def take(a: Words, *index: Any) -> Words:
    """Part of an array, by NumPy's indexing."""
    return Words(a.high[index], a.low[index])


def total(a: Words) -> Words:
    """Sum over the first axis, pairwise."""
    while (n := a.high.shape[0]) > 1:
        pairs = add(take(a, slice(0, n - 1, 2)), take(a, slice(1, n, 2)))
        a = pairs if n % 2 == 0 else _concatenate(pairs, take(a, slice(n - 1, n)))
    return take(a, 0) if a.high.shape[0] else of(np.zeros(a.high.shape[1:]))


def multiply_matrices(a: Words, b: Words) -> Words:
    """Matrix product of (n, p) and (p, k); it forms all n p k terms, so it is for small matrices."""
    left = Words(a.high.T[:, :, np.newaxis], a.low.T[:, :, np.newaxis])
    return total(multiply(left, take(b, slice(None), np.newaxis)))


def _concatenate(a: Words, b: Words) -> Words:
    return Words(np.concatenate([a.high, b.high]), np.concatenate([a.low, b.low]))
