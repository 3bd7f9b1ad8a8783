"""Products of rows against NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from torchlinear.kernels import products, spread

LAYOUTS = {
    "rows": lambda X: X,
    "columns": np.asfortranarray,
    "part of wider rows": lambda X: np.hstack([X, X])[:, : X.shape[1]],
    "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "p", "k"), [(1, 1, 1), (3, 2, 2), (700, 5, 1), (1100, 23, 3), (520, 64, 1)])
def test_products(layout: str, dtype: Any, n: int, p: int, k: int, rng: np.random.Generator) -> None:
    X = LAYOUTS[layout](rng.normal(size=(n, p)).astype(dtype))
    beta, offset, r = rng.normal(size=(p, k)), rng.normal(size=k), rng.normal(size=(n, k))
    wide = X.astype(np.float64)
    scale = np.abs(wide) @ np.abs(beta) + np.abs(offset)
    assert (np.abs(products.predict(X, beta, offset) - (wide @ beta + offset)) <= 1e-15 * p * scale).all()
    pulled = np.abs(wide).T @ np.abs(r)
    assert (np.abs(products.pull(X, r) - wide.T @ r) <= 1e-15 * np.sqrt(n) * pulled + 1e-300).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_spread(layout: str, weighted: bool, rng: np.random.Generator) -> None:
    X, y = LAYOUTS[layout](rng.normal(size=(301, 4))), rng.normal(size=(301, 2))
    weight = rng.uniform(size=301) if weighted else None
    shift = rng.normal(size=6)
    total, squares = spread.about(X, y, weight, None, shift)
    z, w = np.hstack([X, y]) - shift, np.ones(301) if weight is None else weight
    np.testing.assert_allclose(total, w @ z, rtol=1e-12)
    np.testing.assert_allclose(squares, w @ (z * z), rtol=1e-13)
