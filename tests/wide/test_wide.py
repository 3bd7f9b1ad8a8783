"""More columns than rows: the walk against the moments, against scikit-learn, and its proofs against the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import random_array
from sklearn.linear_model import enet_path

import torchlinear as tl
from torchlinear.api import objective_of
from torchlinear.engines.local import Local
from torchlinear.kernels import columns as kernels
from torchlinear.losses.squared import Squared
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import TensorRows
from torchlinear.sparse import SparseRows, as_csr
from torchlinear.wide import walk as walks
from torchlinear.wide.dense import DenseColumns
from torchlinear.wide.objective import WideObjective
from torchlinear.wide.walk import Walk

N, P = 60, 1_100

Array = np.ndarray[Any, Any]


@pytest.fixture
def rows(rng: np.random.Generator) -> TensorRows:
    """Correlated columns in different units, away from zero, some constant; two targets; weights."""
    X = (rng.normal(size=(N, P)) + 0.3 * rng.normal(size=(N, 1))) * 10.0 ** rng.uniform(-2, 2, P) + 5.0
    X[:, 7], X[:, 8] = 3.0, X[:, 9]
    Y = X[:, :5] / X[:, :5].std(axis=0) @ rng.normal(size=(5, 2)) + 0.3 * rng.normal(size=(N, 2)) + 2.0
    return TensorRows(*(torch.from_numpy(a) for a in (X, Y, rng.gamma(2.0, size=N))))


PENALTIES = [
    tl.L1(0.2, standardize=True),
    tl.L1L2(0.4, 0.5, standardize=True),
    tl.L1(0.2, [0.0, 0.0, *np.linspace(0.5, 2.0, P - 2)], standardize=True),
]


@pytest.mark.parametrize(
    ("penalty", "intercept", "solution"),
    [
        (PENALTIES[0], True, "drop"),
        (PENALTIES[1], False, "drop"),
        (PENALTIES[2], True, "nonnegative"),
        (PENALTIES[2], False, "drop"),
    ],
    ids=["l1", "elastic net from the origin", "unpenalised columns, nonnegative", "unpenalised, origin"],
)
def test_the_walk_ends_where_moments_do(
    rows: TensorRows, penalty: Any, intercept: bool, solution: str
) -> None:
    options: dict[str, Any] = {"intercept": intercept, "solution": solution}
    wide = objective_of(Squared(), penalty, rows, **options)
    assert isinstance(wide, WideObjective)
    square = QuadraticObjective(Squared(), penalty, Local(1).load(rows), **options)
    solver = tl.Coordinate()
    ends = [solver.step(o, solver.init(o, o.start), None) for o in (wide, square)]  # type: ignore[arg-type]
    values = [square.value(end.coef) for end in ends]
    assert values[0] == pytest.approx(values[1], rel=1e-12)
    assert wide.value(ends[0].coef) == pytest.approx(values[1], rel=1e-12)
    assert wide.certificate(ends[0].coef) < 1e-11
    assert square.certificate(ends[0].coef) < 1e-8  # its triangle is as ill-conditioned as the columns
    fitted = [
        rows.X @ end.coef[:-1] + end.coef[-1] for end in ends
    ]  # twins may share a coefficient differently
    torch.testing.assert_close(fitted[0], fitted[1], rtol=1e-7, atol=1e-7)
    assert ((ends[0].coef[:-1] != 0).sum(dim=0) <= 2 * N).all()
    assert (ends[0].coef[:-1] == 0).any()
    if solution == "nonnegative":
        assert (ends[0].coef[:-1] >= 0).all()


def test_the_certificate_bounds_the_distance_to_the_least_value(
    rows: TensorRows, rng: np.random.Generator
) -> None:
    for penalty in PENALTIES:
        problem = objective_of(Squared(), penalty, rows)
        assert isinstance(problem, WideObjective)
        solver = tl.Coordinate()
        best = solver.step(problem, solver.init(problem, problem.start), None).coef  # type: ignore[arg-type]
        half = np.square(problem.frame.target).sum() / problem.frame.weight
        for size in (1e-3, 0.3):
            coef = best * (1.0 + size * torch.from_numpy(rng.normal(size=best.shape)))
            coef[-1] = torch.from_numpy(
                problem.frame.target_centre - problem.frame.centre @ coef[:-1].numpy()
            )
            above = problem.value(coef) - problem.value(best)
            assert 0.0 < above <= problem.certificate(coef) * half * (1 + 1e-9)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layouts_and_dtypes(rng: np.random.Generator, order: Any, dtype: Any) -> None:
    X = np.asarray(rng.normal(size=(N, P)) + 100.0, dtype=dtype, order=order)
    y = X[:, 0] - X[:, 1] + rng.normal(size=N)
    kept = X.copy()
    exact = tl.fit(X.astype(np.float64), y, penalty=tl.L1(0.1))
    found = tl.fit(X, y, penalty=tl.L1(0.1))
    torch.testing.assert_close(found.coef, exact.coef, rtol=1e-9, atol=1e-12)
    assert found.certificate < 1e-11
    assert found.solver == "coordinate: L1(0.1) makes coefficients exactly zero, few columns at a time"
    np.testing.assert_array_equal(X, kept)


@pytest.mark.parametrize("mix", [1.0, 0.7])
def test_its_path_is_scikit_learns(rng: np.random.Generator, mix: float) -> None:
    X = rng.normal(size=(N, P)) + 0.5 * rng.normal(size=(N, 1))
    y = X[:, :8] @ rng.normal(size=8) + rng.normal(size=N)
    X, y = X - X.mean(axis=0), y - y.mean()
    alphas, coefs, _ = enet_path(X, y, l1_ratio=mix, alphas=30, eps=0.05, tol=1e-13, max_iter=100_000)
    path = tl.path(X, y, penalty="elastic_net", mix=mix, n_penalties=30, least=0.05, intercept=False)
    np.testing.assert_allclose(path.alphas, 2.0 * alphas, rtol=1e-11)
    assert (path.certificates < 1e-11).all()
    np.testing.assert_allclose(path.coef[:, :-1, 0].numpy().T, coefs, rtol=0, atol=1e-5 * np.abs(coefs).max())


def test_every_point_of_a_path_is_the_fit_at_its_strength(rows: TensorRows) -> None:
    assert rows.weight is not None
    X, Y, weights = rows.X, rows.y, rows.weight
    path = tl.path(X, Y, penalty=PENALTIES[2], n_penalties=12, weights=weights)
    assert path.alphas[-1] == pytest.approx(0.01 * path.alphas[0])
    assert (path.coef[0, 2:-1] == 0).all()
    assert (path.certificates < 1e-11).all()
    for i in (3, 11):
        fit = tl.fit(X, Y, penalty=path.penalties[i], weights=weights)
        torch.testing.assert_close(path[i].predict(X), fit.predict(X), rtol=1e-7, atol=1e-7)
        predicted = X @ path.coef[i, :-1] + path.coef[i, -1]
        torch.testing.assert_close(predicted, fit.predict(X), rtol=1e-7, atol=1e-7)
        left = (weights[:, None] * (Y - predicted).square()).sum(dim=0)
        mean = (weights[:, None] * Y).sum(dim=0) / weights.sum()
        total = (weights[:, None] * (Y - mean).square()).sum(dim=0)
        np.testing.assert_allclose(path.r2[i], 1 - left / total, rtol=1e-9)


def test_bounds_hold_for_columns_that_were_not_looked_at(rng: np.random.Generator) -> None:
    X = rng.normal(size=(N, P))
    y = X[:, :5].sum(axis=1) + rng.normal(size=N)
    columns = DenseColumns.of(TensorRows(torch.from_numpy(X), torch.from_numpy(y)[:, None]))
    walk = Walk(columns)
    top, looked = np.abs(walk.pull).max(), 0
    look = walk._known.look

    def counted(left: Array, chosen: Array) -> Array:
        nonlocal looked
        looked += chosen.size
        return look(left, chosen)

    walk._known.look = counted  # type: ignore[method-assign]
    for share in np.geomspace(1.0, 0.1, 80)[1:]:  # more stops than references that are kept
        stop = walk.to(np.full(P, share * top), np.zeros(P))
        exact = np.abs(columns.pull(walk.left, np.arange(P)))
        rounding = 1e-13 * np.linalg.norm(walk.left)
        assert (exact <= walk._known.bound(walk.left) + rounding).all()
        assert (exact <= share * top * (1 + 1e-9)).all()
        assert stop.gap < 1e-11
    assert looked < 40 * P  # of 79 passes over all columns, and as many to check them


def test_bounds_hold_for_residuals_that_hardly_moved(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(N, P)), rng.normal(size=N)
    columns = DenseColumns.of(TensorRows(torch.from_numpy(X), torch.from_numpy(y)[:, None]))
    walk = Walk(columns)
    known, size = walk._known, float(np.linalg.norm(walk.target))
    for toward, apart in enumerate(np.geomspace(1e-4, 1e-15, 56)):  # below 1e-8 their squares say nothing
        left = walk.target + apart * size * columns.gathered(np.array([toward]))[0]
        exact = np.abs(columns.pull(left, columns.every))
        assert (exact <= known.bound(left) + 1e-14 * size).all()
        assert (known.bound(left) <= exact + (2.0 * apart + 1e-6) * size).all()


def test_columns_far_from_zero_keep_their_digits(rng: np.random.Generator) -> None:
    X = rng.normal(size=(N, P))
    y = X[:, :5].sum(axis=1) + rng.normal(size=N)
    fits = [tl.fit(X + shift, y, penalty=tl.L1(0.3)) for shift in (0.0, 2.0**20)]
    torch.testing.assert_close(fits[0].coef, fits[1].coef, rtol=1e-7, atol=1e-9)
    assert fits[1].status is tl.Status.CONVERGED


def test_values_that_are_not_numbers_are_named() -> None:
    X = np.zeros((10, P))
    X[2, 5] = np.nan
    with pytest.raises(tl.DataError, match="x5: 1"):
        tl.fit(X, np.arange(10.0), penalty="l1")
    X[2, 5] = 0.0
    fit = tl.fit(X, np.arange(10.0), penalty="l1")
    assert (fit.coef == 0).all()
    assert fit.intercept.item() == pytest.approx(4.5)


@pytest.mark.parametrize("solution", ["drop", "nonnegative"])
def test_more_columns_in_use_than_whose_products_are_held(
    rows: TensorRows, solution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    penalty, ends = tl.L1L2(0.3, 0.05, standardize=True), []
    for most in (walks._WorkingSet.most, 20):
        monkeypatch.setattr(walks._WorkingSet, "most", most)
        problem = objective_of(Squared(), penalty, rows, solution=solution)
        assert isinstance(problem, WideObjective)
        solver = tl.Coordinate()
        ends.append(solver.step(problem, solver.init(problem, problem.start), None).coef)  # type: ignore[arg-type]
        assert problem.certificate(ends[-1]) < 1e-11
    assert ((ends[0][:-1] != 0).sum(dim=0) > 20).all()
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-6, atol=1e-9 * ends[0].abs().max().item())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_sparse_columns_are_those_of_the_dense_matrix(
    rng: np.random.Generator, intercept: bool, weighted: bool
) -> None:
    X = random_array((N, P), density=0.1, rng=rng, format="csr")
    y = X[:, :9].toarray() @ rng.normal(size=9) * 3.0 + rng.normal(size=N) + 1.0
    weights = rng.gamma(2.0, size=N) if weighted else None
    penalty, target = tl.L1L2(0.05, 0.8, standardize=True), torch.from_numpy(y)[:, None]
    w = None if weights is None else torch.from_numpy(weights)
    solver, ends = tl.Coordinate(), []
    for rows in (SparseRows(as_csr(X), target, w), TensorRows(torch.from_numpy(X.toarray()), target, w)):
        problem = objective_of(Squared(), penalty, rows, intercept=intercept)
        assert isinstance(problem, WideObjective)
        ends.append(solver.step(problem, solver.init(problem, problem.start), None).coef)  # type: ignore[arg-type]
        assert problem.certificate(ends[-1]) < 1e-11
    torch.testing.assert_close(ends[0], ends[1], rtol=1e-9, atol=1e-12)
    faces = [tl.Lasso(0.1, fit_intercept=intercept).fit(each, y, weights) for each in (X, X.toarray())]
    np.testing.assert_allclose(faces[0].coef_, faces[1].coef_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_kernels_are_their_python_twins(rng: np.random.Generator, dtype: Any) -> None:
    X = rng.normal(size=(9, 40)).astype(dtype)
    weight, r, chosen = rng.random(40), rng.normal(size=40), np.array([3, 0, 8])
    ends = []
    for part in (lambda kernel: kernel, lambda kernel: kernel.function):
        centre, squares, out, turned = np.empty(9), np.empty(9), np.empty(3), np.empty((40, 9), dtype)
        part(kernels.spreads)(X, weight, centre, squares)
        part(kernels.pulls)(X, centre, r, chosen, out)
        part(kernels.flipped)(X, turned)
        Z = X.astype(np.float64) / np.linalg.norm(X.astype(np.float64), axis=1, keepdims=True)
        left, beta = r.copy(), np.zeros(9)
        part(kernels.sweep)(Z, left, beta, np.full(9, 0.1), np.full(9, 0.2), -np.inf, 0.0, 3)
        ends.append((centre, squares, out, turned, left, beta))
    for ours, twin in zip(*ends):
        np.testing.assert_allclose(ours, twin, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(ends[0][3], X.T)
    np.testing.assert_allclose(ends[0][0], np.average(X.astype(float), axis=1, weights=weight), rtol=1e-12)
