"""Residuals and their pulls against rational arithmetic, in every layout and dtype."""

from fractions import Fraction

import numpy as np
import pytest

from torchlinear.kernels.refinement import leftover

LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "part": lambda X: np.hstack([X, X])[:, : X.shape[1]],
    "backwards": lambda X: np.ascontiguousarray(X[::-1])[::-1],
}


def exact(X, y, weight, low, centre, beta):
    """Sums of the pulls (p + 1, k), of the sizes of their terms, and of the squares (k,)."""
    n, p, k = *X.shape, y.shape[1]
    fractions = np.vectorize(lambda v: Fraction(float(v)), otypes=[object])
    x = fractions(X) + fractions(np.zeros((n, p)) if low is None else low) - fractions(centre[:p])
    r = fractions(y) - fractions(centre[p:]) - x.dot(fractions(beta))
    w = fractions(np.ones(n) if weight is None else weight)[:, None]
    ones = np.hstack([x, fractions(np.ones((n, 1)))])
    pull = ones.T.dot(w * r)
    size = abs(ones).T.dot(abs(w * r)).astype(float)
    return pull, size, (w * r * r).sum(axis=0).astype(float).reshape(k)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("extra", ["none", "weights", "low words and weights"])
@pytest.mark.parametrize("n", [1, 90])
def test_it_equals_rational_arithmetic(rng, layout, dtype, extra, n):
    p, k = 3, 2
    X = LAYOUTS[layout]((rng.normal([0, 10, -1000], size=(n, p))).astype(dtype))
    y = rng.normal([0, 50], size=(n, k))
    weight = rng.random(n) if "weights" in extra else None
    low = rng.normal(size=(n, p)) * 1e-17 if "low words" in extra else None
    centre = np.array([0.0, 10.0, -1000.0, 0.0, 50.0]) + 0.1 * rng.normal(size=5)
    beta = rng.normal(size=(p, k))
    found = leftover(X, y, weight, low, centre, beta)
    pull, size, squares = exact(X, y, weight, low, centre, beta)
    for i in range(p + 1):
        for t in range(k):
            off = Fraction(float(found.pull.high[i, t])) + Fraction(float(found.pull.low[i, t])) - pull[i, t]
            assert abs(float(off)) <= 1e-28 * size[i, t]  # Dot2: n 2**-104 of the terms
    np.testing.assert_allclose(found.squares, squares, rtol=1e-14)


def test_no_rows_leave_nothing():
    found = leftover(np.empty((0, 2)), np.empty((0, 1)), None, None, np.zeros(3), np.ones((2, 1)))
    assert found.pull.high.tolist() == [[0.0], [0.0], [0.0]]
    assert found.squares.tolist() == [0.0]
