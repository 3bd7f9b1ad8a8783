"""Double-double arithmetic on scalars, for use inside kernels.

A number is the unevaluated sum of two float64 words, high + low, with |low| at most half a unit in the last
place of high: about 32 decimal digits. Every function here is `inlined`: the compiler merges it into the loop
that calls it and vectorises the loop. Their arithmetic is strict, whatever the flags of the kernel, because a
compiler that may reorder sums reduces every error term below to zero.

The algorithms are those of M. Joldes, J.-M. Muller, V. Popescu, "Tight and rigorous error bounds for basic
building blocks of double-word arithmetic", ACM TOMS 44(2), 2017; the bounds quoted are theirs, with
u = 2**-53. `words` has the twins of these functions on NumPy arrays.
"""

import math

from torchlinear.kernels import inlined, product_error

__all__ = [
    "accumulate",
    "add",
    "divide",
    "multiply",
    "normalise",
    "square_root",
    "subtract_product",
    "two_product",
    "two_sum",
]


@inlined
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Return fl(a + b) and its error, exactly (Knuth)."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


@inlined
def normalise(a: float, b: float) -> tuple[float, float]:
    """Return fl(a + b) and its error, exactly, where |a| >= |b| or a is 0 (Dekker)."""
    s = a + b
    return s, b - (s - a)


@inlined
def two_product(a: float, b: float) -> tuple[float, float]:
    """Return fl(a * b) and its error, exactly while that does not underflow."""
    p = a * b
    return p, product_error(a, b, p)


@inlined
def add(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    """Return the sum, with relative error below 3u**2 + 13u**3."""
    s, e = two_sum(a, b)
    t, f = two_sum(a_low, b_low)
    s, e = normalise(s, e + t)
    return normalise(s, e + f)


@inlined
def multiply(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    """Return the product, with relative error below 7u**2."""
    p, e = two_product(a, b)
    return normalise(p, e + (a * b_low + a_low * b))


@inlined
def subtract_product(
    s: float, s_low: float, a: float, a_low: float, b: float, b_low: float
) -> tuple[float, float]:
    """Return s - a * b: the step of every elimination."""
    p, e = multiply(a, a_low, b, b_low)
    return add(s, s_low, -p, -e)


@inlined
def divide(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    """Return the quotient, with relative error below 15u**2 + 56u**3."""
    q = a / b
    p, e = multiply(b, b_low, q, 0.0)
    return normalise(q, ((a - p) + (a_low - e)) / b)


@inlined
def square_root(a: float, a_low: float) -> tuple[float, float]:
    """Return the square root of a number of at least 0, with relative error below 25/8 u**2.

    V. Lefevre, N. Louvet, J.-M. Muller, J. Picot, L. Rideau, "Accurate calculation of Euclidean norms using
    double-word arithmetic", ACM TOMS 49(1), 2023.
    """
    root = math.sqrt(a)
    if root == 0.0 or not root < math.inf:
        return root, 0.0 * root
    p, e = two_product(root, root)
    return normalise(root, ((a - p) - e + a_low) / (2.0 * root))


@inlined
def accumulate(a: float, a_low: float, b: float, b_low: float, s: float, s_low: float) -> tuple[float, float]:
    """Return s + a * b in two words that are *not* normalised: the step of a long sum.

    The errors of products and sums are added up in plain float64: a sum of n terms is as accurate as if it
    were computed with twice the digits and rounded once, and costs half of `add` and `multiply` (T. Ogita,
    S. M. Rump, S. Oishi, "Accurate sum and dot product", SIAM J. Sci. Comput. 26(6), 2005: Dot2). Pass the
    result through `two_sum` at the end.
    """
    p, e = two_product(a, b)
    e += a * b_low + a_low * b
    s, f = two_sum(s, p)
    return s, s_low + (e + f)
