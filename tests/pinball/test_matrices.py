"""Sparse problems are solved as dense ones are, and their features stay sparse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse

from torchlinear.pinball import matrices
from torchlinear.pinball.problem import Pinball
from torchlinear.pinball.solution import solve


@pytest.mark.parametrize("columns", [0, 3, matrices.NARROW + 10])
@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_products(form: str, columns: int, rng: np.random.Generator) -> None:
    Z = rng.normal(size=(2 * matrices.CHUNK + 5, columns)) * rng.integers(0, 2, size=(1, columns))
    q, scale = rng.uniform(0.0, 1e3, size=len(Z)), rng.uniform(0.1, 10.0, size=columns)
    given = scipy.sparse.csr_array(Z) if form == "sparse" else Z
    np.testing.assert_allclose(matrices.gram(given, q), Z.T @ np.diag(q) @ Z, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(matrices.lengths(given), np.linalg.norm(Z, axis=1), rtol=1e-13)
    R = matrices.triangle(given, q)
    np.testing.assert_allclose(R.T @ R, Z.T @ np.diag(q) @ Z, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(matrices.squares(given, q), q @ Z**2, rtol=1e-12)
    np.testing.assert_allclose(matrices.dense(matrices.scaled(given, scale)), Z / scale, rtol=1e-14)
    both = matrices.with_constant(matrices.stacked([given, Z[:2]]))
    assert scipy.sparse.issparse(both) == (form == "sparse")
    np.testing.assert_array_equal(
        matrices.dense(both), np.column_stack([np.vstack([Z, Z[:2]]), np.ones(len(Z) + 2)])
    )


def test_sparse_features_have_the_same_optimum(problem: Pinball) -> None:
    sparse = solve(replace(problem, Z=scipy.sparse.csr_array(problem.Z)))
    dense = solve(problem)
    size = problem.width @ (np.abs(problem.y) + np.abs(problem.Z) @ np.abs(dense.coef))
    # Columns that nearly depend on each other are not made orthogonal, which would fill them up.
    assert sparse.value == pytest.approx(dense.value, rel=1e-7, abs=1e-9 * size)
    assert 0.0 <= sparse.gap <= 1e-6 * sparse.value + 1e-9 * size
    assert sparse.value - sparse.gap <= dense.value + 1e-12 * size
