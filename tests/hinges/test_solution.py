"""The least sum of hinges and a ridge: a dual point proves it, and on paper it is the same to the last digits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.sparse

from torchlinear.hinges.problem import Hinges, Optimum
from torchlinear.hinges.solution import solve

ROUNDING = 1e-12  # of the sizes of what is added up


def rows(problem: Hinges) -> np.ndarray:
    """Z as an array."""
    return np.asarray(problem.Z.toarray() if scipy.sparse.issparse(problem.Z) else problem.Z)


def size(problem: Hinges, b: np.ndarray) -> float:
    """What the sums are rounded by."""
    eta = problem.spread(np.abs(rows(problem)) @ np.abs(b))
    return float(problem.weight @ (np.abs(problem.at) + eta))


def test_the_dual_proves_that_it_is_the_least(problem: Hinges) -> None:
    """By weak duality, with both values at 40 digits and from the definitions."""
    found = solve(problem)
    rounding = ROUNDING * size(problem, found.coef)
    assert (found.dual >= 0.0).all()
    assert (found.dual <= problem.weight).all()
    with mp.workdps(40):
        primal, dual, free = _values(problem, found)
        assert abs(float(primal) - found.value) <= rounding
        assert free <= ROUNDING * float(problem.weight.sum()) * np.abs(rows(problem)).max()
        assert -rounding <= float(primal - dual) <= rounding
    assert 0.0 <= found.gap <= rounding


@pytest.mark.parametrize(
    "problem", ["plain", "hardly more than a ridge", "one class", "tube far from 0"], indirect=True
)
def test_the_gap_of_any_point_is_a_bound(problem: Hinges, rng: np.random.Generator) -> None:
    """Also where an unpenalised coefficient is 0 and the dual does not hold its constraint."""
    best = solve(problem).value
    for scale in (0.0, 0.1, 1.0):
        b = scale * np.append(rng.normal(size=problem.columns - 1), 0.0)
        open_or_shut = np.where(problem.residual(b) > 0.0, problem.weight, 0.0)
        some = rng.uniform(size=problem.weight.size) * problem.weight
        for dual in (open_or_shut, some):
            found = problem.optimum(b, dual)
            assert found.value - best <= found.gap * (1.0 + ROUNDING)


def _values(problem: Hinges, found: Optimum) -> tuple[Any, Any, float]:
    """F(b), D(a), and by how much the dual misses the constraints of unpenalised columns."""
    Z, b, a = mp.matrix(rows(problem).tolist()), mp.matrix(found.coef), found.dual
    eta, g, hinges, dual = Z * b, mp.matrix(problem.columns, 1), mp.mpf(0), mp.mpf(0)
    for k, i in enumerate(problem.row.tolist()):
        t, s, w = mp.mpf(problem.at[k]), mp.mpf(problem.sign[k]), mp.mpf(problem.weight[k])
        hinges += w * max(mp.mpf(0), t - s * eta[i])
        dual += t * mp.mpf(a[k])
        for j in range(problem.columns):
            g[j] += mp.mpf(a[k]) * s * Z[i, j]
    ridge = [mp.mpf(value) for value in problem.ridge.tolist()]
    primal = hinges + sum(value * b[j] ** 2 for j, value in enumerate(ridge)) / 2
    dual -= sum(g[j] ** 2 / value for j, value in enumerate(ridge) if value) / 2
    return primal, dual, float(max((abs(g[j]) for j, value in enumerate(ridge) if not value), default=0))


GENERIC = ["plain", "weights", "unpenalised columns", "separated", "units", "tube", "more columns than rows"]


@pytest.mark.parametrize("problem", GENERIC, indirect=True)
def test_coefficients_are_those_of_the_active_set_at_50_digits(problem: Hinges) -> None:
    """Which residuals are 0 is read off; the equations that this makes are solved, and prove themselves optimal."""
    found = solve(problem)
    r = problem.residual(found.coef)
    inside = np.minimum(found.dual, problem.weight - found.dual)
    zero = (np.abs(r) < 1e-8) & (inside > 1e-8)
    exact = _on_paper(
        problem, np.flatnonzero(zero), np.where(zero, 0.0, np.where(r > 0, problem.weight, 0.0))
    )
    np.testing.assert_allclose(found.coef, exact, rtol=1e-11, atol=1e-12 * np.abs(exact).max())


def _on_paper(problem: Hinges, zero: np.ndarray, dual: np.ndarray) -> np.ndarray:
    """The solution of the equations, which is checked to be optimal, at 50 digits."""
    q, Z = problem.columns, rows(problem)
    signed = problem.sign[:, None] * Z[problem.row]
    with mp.workdps(50):
        A, pull = mp.matrix(signed[zero].tolist() or [[0]]), mp.matrix((signed.T * dual).tolist())
        K, right = mp.zeros(q + len(zero)), mp.zeros(q + len(zero), 1)
        for j in range(q):
            K[j, j], right[j] = mp.mpf(problem.ridge[j]), mp.fsum(pull[j, :])
        for e in range(len(zero)):
            right[q + e] = mp.mpf(problem.at[zero[e]])
            for j in range(q):
                K[q + e, j], K[j, q + e] = A[e, j], -A[e, j]
        solved = mp.lu_solve(K, right)
        b = solved[:q]
        for e, k in enumerate(zero):
            assert 0 <= solved[q + e] <= mp.mpf(problem.weight[k])
        eta = mp.matrix(signed.tolist()) * mp.matrix(b)
        for k in np.setdiff1d(np.arange(len(dual)), zero):
            left = mp.mpf(problem.at[k]) - eta[int(k)]
            assert (left >= 0) if dual[k] > 0 else (left <= 0)
        return np.array([float(value) for value in b])


@pytest.mark.parametrize(
    "problem", ["more columns than rows", "sparse, more columns than rows"], indirect=True
)
def test_the_span_of_the_rows_is_as_good_as_all_columns(problem: Hinges) -> None:
    """Penalised coefficients are ``g / L`` of the dual: in the span of the rows."""
    found = solve(problem)
    held = problem.ridge > 0
    np.testing.assert_allclose(
        found.coef[held], problem.pull(found.dual)[held] / problem.ridge[held], rtol=1e-9, atol=1e-13
    )


@pytest.mark.parametrize("problem", ["plain", "weights", "tube"], indirect=True)
def test_units_of_the_columns_do_not_matter(problem: Hinges) -> None:
    """Nor does a point about which they are taken, but for the intercept."""
    factor, shift = np.array([1e-5, 1e5, 3.0, 1.0, 1.0]), np.array([0.0, 1.0, -2.0, 1e3, 0.0])
    moved = replace(problem, Z=problem.Z * factor + shift, ridge=problem.ridge * np.square(factor))
    found, plain = solve(moved), solve(problem)
    np.testing.assert_allclose(found.coef[:-1] * factor[:-1], plain.coef[:-1], rtol=1e-8, atol=1e-10)
    assert found.value == pytest.approx(plain.value, rel=1e-10)
