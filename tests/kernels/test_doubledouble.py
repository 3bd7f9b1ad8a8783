"""Every function against exact fractions, within the bound that its docstring quotes."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from torchlinear.kernels import _dekker, compiled, doubledouble, product_error, words
from torchlinear.kernels.doubledouble import (
    accumulate,
    add,
    divide,
    multiply,
    normalise,
    square_root,
    subtract_product,
    two_product,
    two_sum,
)
from torchlinear.kernels.words import Words

N = 500
U = Fraction(1, 2**53)
LOOSE = {"reassoc", "contract", "nsz", "arcp"}  # flags of the caller that must not reach the arithmetic


def _kernel(inputs: int, function: Callable) -> Callable:
    """Make a kernel that applies `function` to each element of arrays and writes two arrays."""
    names = [f"a{i}" for i in range(inputs)]
    arguments = ", ".join(f"{name}[i]" for name in names)
    scope = {"function": function}
    exec(
        f"def kernel({', '.join(names)}, high, low):\n"
        f"    for i in range(high.size):\n"
        f"        high[i], low[i] = function({arguments})\n",
        scope,
    )
    given = ", ".join(["const float64[::1]"] * inputs + ["float64[::1]"] * 2)
    return compiled(f"void({given})", fastmath=LOOSE)(scope["kernel"])


def _apply(function: Callable, *arrays: np.ndarray) -> Words:
    """Apply in a compiled loop, and check that plain Python gives the same bits."""
    kernel = _kernel(len(arrays), function)
    result = Words(np.empty(N), np.empty(N))
    twin = Words(np.empty(N), np.empty(N))
    kernel(*arrays, *result)
    kernel.function(*(a.tolist() for a in arrays), *twin)
    np.testing.assert_array_equal(result, twin)
    return result


def _exact(*parts: np.ndarray) -> list[Fraction]:
    return [sum(map(Fraction, numbers), Fraction(0)) for numbers in zip(*(a.tolist() for a in parts))]


def _worst(result: Words, exact: list[Fraction]) -> Fraction:
    """Return the largest relative error, in units of u squared."""
    pairs = zip(_exact(*result), exact, strict=True)
    return max((abs(r - e) / abs(e) if e else abs(r)) for r, e in pairs) / U**2


@pytest.fixture
def numbers(rng: np.random.Generator) -> Callable[[], Words]:
    """Numbers in two words over 120 binary orders of magnitude, of both signs."""

    def draw() -> Words:
        high = rng.choice([-1.0, 1.0], N) * rng.uniform(1, 2, N) * 2.0 ** rng.integers(-60, 60, N)
        return Words(*words.two_sum(high, high * rng.uniform(-0.5, 0.5, N) * 2.0**-53))

    return draw


def test_two_sum_is_exact(numbers: Callable[[], Words]) -> None:
    a, b = numbers().high, numbers().high
    assert _exact(*_apply(two_sum, a, b)) == _exact(a, b)


def test_two_product_is_exact(numbers: Callable[[], Words]) -> None:
    a, b = numbers().high, numbers().high
    exact = [x * y for x, y in zip(_exact(a), _exact(b))]
    assert _exact(*_apply(two_product, a, b)) == exact


def test_normalise_is_exact_for_ordered_terms(numbers: Callable[[], Words]) -> None:
    a = numbers().high
    b = a * numbers().low
    b = np.where(np.abs(b) <= np.abs(a), b, 0.0)
    assert _exact(*_apply(normalise, a, b)) == _exact(a, b)


def test_the_error_of_a_product_without_fused_multiply_add(numbers: Callable[[], Words]) -> None:
    a, b = numbers().high.tolist(), numbers().high.tolist()
    for x, y in zip(a, b):
        assert _dekker(x, y, x * y) == product_error(x, y, x * y)


def test_sum(numbers: Callable[[], Words]) -> None:
    a, b = numbers(), numbers()
    close = Words(*words.two_sum(-a.high * (1 + 2.0**-40), 0.3 * a.low))  # cancels 40 bits
    for other in (b, close):
        assert _worst(_apply(add, *a, *other), _exact(*a, *other)) <= 3 + 13 * U


def test_product(numbers: Callable[[], Words]) -> None:
    a, b = numbers(), numbers()
    exact = [x * y for x, y in zip(_exact(*a), _exact(*b))]
    assert _worst(_apply(multiply, *a, *b), exact) <= 7


def test_difference_from_a_product(numbers: Callable[[], Words]) -> None:
    s, a, b = numbers(), numbers(), numbers()
    products = [x * y for x, y in zip(_exact(*a), _exact(*b))]
    exact = [x - y for x, y in zip(_exact(*s), products)]
    results = _exact(*_apply(subtract_product, *s, *a, *b))
    for result, difference, product in zip(results, exact, products):
        assert abs(result - difference) <= (4 * abs(difference) + 8 * abs(product)) * U**2


def test_quotient(numbers: Callable[[], Words]) -> None:
    a, b = numbers(), numbers()
    exact = [x / y for x, y in zip(_exact(*a), _exact(*b))]
    assert _worst(_apply(divide, *a, *b), exact) <= 15 + 56 * U


def test_square_root(numbers: Callable[[], Words]) -> None:
    a = numbers()
    positive = Words(np.abs(a.high), np.sign(a.high) * a.low)
    positive.high[0] = positive.low[0] = 0.0
    result = _exact(*_apply(square_root, *positive))
    assert result[0] == 0
    for root, square in zip(result[1:], _exact(*positive)[1:]):  # r**2 / a - 1 is twice the error of r
        assert abs(root**2 / square - 1) <= Fraction(25, 4) * U**2 * (1 + U)


def test_a_long_sum_of_products(rng: np.random.Generator) -> None:
    """Dot2 by Ogita, Rump and Oishi: |error| <= u |exact| + (n u)**2 sum |a b|, before the last rounding."""
    n = 4000
    a = Words(rng.normal(size=n), np.zeros(n))
    b = Words(rng.normal(size=n) * 10.0 ** rng.integers(-8, 8, n), np.zeros(n))
    s, s_low = 0.0, 0.0
    for i in range(n):
        s, s_low = accumulate(a.high[i], a.low[i], b.high[i], b.low[i], s, s_low)
    products = [x * y for x, y in zip(_exact(a.high), _exact(b.high))]
    assert abs(Fraction(s) + Fraction(s_low) - sum(products)) <= (n * U) ** 2 * sum(map(abs, products))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["two_sum", "two_product", "add", "multiply", "divide"])
def test_what_is_not_finite_stays_so(name: str, bad: float) -> None:
    """As the sum of the two words; the high word alone may be infinite."""
    function = getattr(doubledouble, name)
    arguments = (bad, 1.5) if name.startswith("two") else (bad, 0.0, 1.5, 0.0)
    kernel = _kernel(len(arguments), function)
    high, low = np.empty(1), np.empty(1)
    kernel(*(np.array([a]) for a in arguments), high, low)
    assert not np.isfinite(high + low)


@pytest.mark.parametrize("name", ["add", "multiply", "divide"])
def test_the_twins_on_arrays(name: str, numbers: Callable[[], Words]) -> None:
    """`words` and `doubledouble` agree to the accuracy of either."""
    a, b = numbers(), numbers()
    ours = _exact(*_apply(getattr(doubledouble, name), *a, *b))
    assert _worst(getattr(words, name)(a, b), ours) <= 30
