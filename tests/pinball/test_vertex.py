"""From any point, however far from the optimum, to the vertex that is the optimum."""

from __future__ import annotations

import numpy as np
import pytest

from torchlinear.pinball.interior import walk
from torchlinear.pinball.problem import Pinball
from torchlinear.pinball.vertex import polish


def rows(rng: np.random.Generator, n: int = 300, q: float = 0.3) -> Pinball:
    Z = np.column_stack([rng.normal(size=(n, 4)), np.ones(n)])
    y = Z @ rng.normal(size=5) + rng.standard_t(2, size=n)
    return Pinball(Z, y, np.full(n, q - 1.0), np.full(n, q))


@pytest.mark.parametrize("tolerance", [1.0, 1e-2, 1e-9])
def test_the_vertex_does_not_depend_on_where_the_walk_ended(
    tolerance: float, rng: np.random.Generator
) -> None:
    problem = rows(rng)
    near = walk(problem, tolerance)
    vertex, reference = polish(problem, near), polish(problem, walk(problem, 1e-12))
    np.testing.assert_allclose(vertex.coef, reference.coef, rtol=1e-9)
    assert vertex.gap <= 1e-13 * vertex.value
    assert (np.abs(problem.residual(vertex.coef)) < 1e-12).sum() == 5


def test_the_duals_off_the_vertex_are_their_ends(rng: np.random.Generator) -> None:
    problem = rows(rng)
    vertex = polish(problem, walk(problem, 1e-6))
    r = problem.residual(vertex.coef)
    off = np.abs(r) > 1e-9
    np.testing.assert_array_equal(vertex.dual[off], np.where(r > 0, problem.above, problem.below)[off])
    assert off.sum() == 295


def test_a_walk_ends_within_its_tolerance_from_either_side(rng: np.random.Generator) -> None:
    problem = rows(rng)
    least = polish(problem, walk(problem, 1e-9)).value
    for tolerance in (1e-1, 1e-4, 1e-8):
        near = walk(problem, tolerance)
        assert near.value - near.gap <= least <= near.value * (1 + 1e-14)
        assert near.gap <= 2 * tolerance * near.value  # the rest is what rounding makes of Z' d = 0
        assert np.abs(problem.Z.T @ near.dual).max() < 1e-8


def test_too_few_rows_for_a_vertex_are_left_where_they_are() -> None:
    half = np.full(2, 0.5)
    problem = Pinball(np.ones((2, 2)), np.array([1.0, 2.0]), -half, half)  # two columns of rank one
    near = walk(problem, 1e-6)
    assert polish(problem, near) is near


def test_of_many_optima_a_vertex_is_taken() -> None:
    """The line of least squares is as low as any here, but passes through no row."""
    half, Z = np.full(4, 0.5), np.column_stack([np.arange(4.0), np.ones(4)])
    problem = Pinball(Z, np.array([1.0, 3.0, 5.0, 70.0]), -half, half)
    vertex = polish(problem, walk(problem, 1e-9))
    assert vertex.value == pytest.approx(31.5, rel=1e-14)
    assert (np.abs(problem.residual(vertex.coef)) < 1e-12).sum() >= 2
