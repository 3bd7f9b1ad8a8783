"""Moments by cell are the moments of each cell's rows, whatever the layout, the weights and the order of the cells."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from torchlinear.kernels import cells, moments


@pytest.mark.parametrize(
    ("order", "dtype", "weighted", "low"), list(product("CF", ("f4", "f8"), (False, True), (False, True)))
)
def test_sums_are_those_of_each_cell(
    rng: np.random.Generator, order: str, dtype: str, weighted: bool, low: bool
) -> None:
    n, p, k, count = int(rng.integers(1, 3_000)), int(rng.integers(1, 12)), int(rng.integers(1, 3)), 4
    X = np.array(rng.normal(size=(n, p)), dtype=dtype, order=order)
    y, shift, cell = rng.normal(size=(n, k)), rng.normal(size=p + k), rng.integers(0, count, n)
    weight = rng.uniform(size=n) * rng.integers(0, 2, n) if weighted else None
    words = rng.normal(size=(n, p)) * 1e-9 if low else None
    for c, sums in enumerate(cells.about(X, y, weight, words, shift, cell, count)):
        here = cell == c
        few = [None if part is None else part[here] for part in (weight, words)]
        expected = moments.about(X[here], y[here], *few, shift)
        # Sums of n terms in another order; 1e-13 of the largest is two thousand roundings.
        np.testing.assert_allclose(sums.weight, expected.weight, rtol=1e-13)
        for ours, theirs in ((sums.total.high, expected.total.high), (sums.cross.high, expected.cross.high)):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13 * n)


def test_nonfinite_values_reach_their_cell_and_no_other() -> None:
    X, cell = np.ones((500, 3)), np.arange(500) % 2
    X[7, 1] = np.nan
    first, second = cells.about(X, np.zeros((500, 1)), None, None, np.zeros(4), cell, 2)
    assert np.isfinite(first.cross.high).all()
    assert not np.isfinite(second.cross.high).all()


def test_it_declines_what_would_leave_the_cache() -> None:
    assert cells.fits(5, 100)
    assert not cells.fits(5, 300)
    assert not cells.fits(1_000, 100)
