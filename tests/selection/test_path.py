"""Paths against fits one by one, scikit-learn and the conditions of the optimum."""

from __future__ import annotations

import pickle
from pathlib import Path as File
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import enet_path

import torchlinear as tl

N, P = 90, 12
KINDS = ["l1", "elastic_net", "l2"]

Array = np.ndarray[Any, Any]


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[Array, Array]:
    X = (rng.normal(size=(N, P)) + rng.normal(size=(N, 1))) * 10.0 ** rng.uniform(-1, 1, size=P) + 2.0
    y = X[:, :4] @ (rng.normal(size=4) / X[:, :4].std(axis=0)) + rng.normal(size=N)
    return X, y


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("intercept", [True, False])
def test_every_point_is_the_fit_at_its_strength(
    rows: tuple[Array, Array], kind: str, intercept: bool, rng: np.random.Generator
) -> None:
    X, y = rows
    Y, weights = np.column_stack([y, X[:, 7] - y]), rng.gamma(2.0, size=N)
    path = tl.path(X, Y, penalty=kind, n_penalties=9, weights=weights, intercept=intercept)
    assert len(path) == 9
    assert (path.certificates < 1e-12).all()
    for i in (0, 3, 8):
        fit = tl.fit(X, Y, penalty=path.penalties[i], weights=weights, intercept=intercept)
        torch.testing.assert_close(path.coef[i], fit.solution.coef, rtol=1e-9, atol=1e-11)
        assert torch.equal(path.coef[i] == 0, fit.solution.coef == 0)
        torch.testing.assert_close(path[i].solution.coef, fit.solution.coef, rtol=1e-10, atol=1e-12)
        assert path[i].status is tl.Status.CONVERGED
        left = weights[:, None] * np.square(Y - fit.predict(X))
        centre = np.average(Y, axis=0, weights=weights) if intercept else 0.0
        total = (weights[:, None] * np.square(Y - centre)).sum(axis=0)
        np.testing.assert_allclose(path.r2[i], 1.0 - left.sum(axis=0) / total, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("mix", [1.0, 0.3])
def test_it_is_scikit_learns_path(rows: tuple[Array, Array], mix: float) -> None:
    X, y = rows
    X, y = X - X.mean(axis=0), y - y.mean()
    alphas, coefs, _ = enet_path(X, y, l1_ratio=mix, alphas=20, eps=1e-2, tol=1e-13, max_iter=100_000)
    path = tl.path(X, y, penalty="elastic_net", mix=mix, n_penalties=20, least=1e-2, intercept=False)
    np.testing.assert_allclose(path.alphas, 2.0 * alphas, rtol=1e-11)  # their squared loss is halved
    np.testing.assert_allclose(path.coef[:, :-1, 0].numpy().T, coefs, rtol=0, atol=1e-6 * np.abs(coefs).max())


def test_the_first_strength_is_the_least_that_keeps_all_at_zero(rows: tuple[Array, Array]) -> None:
    weights = [0.0, 0.0, *np.linspace(0.5, 2.0, P - 2)]
    for penalty in ("l1", tl.L1(standardize=True), tl.L1L2(mix=0.2), tl.L1(1.0, weights)):
        path = tl.path(*rows, penalty=penalty)
        family = path.penalties[0]
        free = [j for j, w in enumerate(family.column_weights or [1.0] * P) if w == 0.0]
        held = [j for j in range(P) if j not in free]
        assert (path.coef[0, held] == 0).all()
        assert (path.coef[0, free] != 0).all()
        just = tl.fit(*rows, penalty=family.with_alpha(path.alphas[0] * (1 - 1e-6)))
        assert (just.coef[held] != 0).sum() == 1
        assert (np.diff(path.alphas) < 0).all()
        assert path.alphas[-1] == pytest.approx(1e-4 * path.alphas[0])


def test_ridge_begins_where_little_is_left() -> None:
    X = np.random.default_rng(0).normal(size=(200, 3))
    path = tl.path(X, X.sum(axis=1), penalty="l2")
    assert (path.coef[0, :-1].abs() < 0.02).all()
    torch.testing.assert_close(path.coef[-1], tl.fit(X, X.sum(axis=1)).solution.coef, rtol=1e-5, atol=1e-6)


def test_frames_files_and_formulas(tmp_path: File, rows: tuple[Array, Array]) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = rows
    frame = pandas.DataFrame(X[:, :3], columns=["a", "b", "c"]).assign(price=y)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    paths = [
        tl.path(frame, "price", n_penalties=5),
        tl.path(tmp_path / "rows.csv", "price", n_penalties=5),
        tl.path(frame, formula="price ~ a + b + c", n_penalties=5),
        tl.path(X[:, :3], y, n_penalties=5),
    ]
    for path in paths:
        torch.testing.assert_close(path.coef, paths[-1].coef, rtol=1e-9, atol=1e-11)
    assert (paths[0].names, paths[0].targets) == (("a", "b", "c"), ("price",))
    assert [*paths[0].to_frame()] == ["alpha", "nonzero", "certificate", "R2", "Intercept", "a", "b", "c"]
    predicted = paths[2][4].predict(frame.head(2))
    np.testing.assert_allclose(predicted, paths[3][4].predict(X[:2, :3]), rtol=1e-9)


def test_its_table_and_picture(rows: tuple[Array, Array]) -> None:
    X, y = rows
    path = tl.path(X, np.column_stack([y, -y]), n_penalties=6)
    frame = path.to_frame()
    assert frame[("R2", "y1")].tolist() == path.r2[:, 1].tolist()
    assert frame[("x3", "y0")].tolist() == path.coef[:, 3, 0].tolist()
    ax = path.plot(target="y1")
    drawn = [np.asarray(line.get_ydata(), dtype=float) for line in ax.lines if len(line.get_ydata()) == 6]
    effects = (path.coef[:, :-1, 1] * path.deviation).numpy().T
    for effect in effects:
        assert any((effect == line).all() for line in drawn) == effect.any()
    assert ax.get_ylabel() == "change in y1 per standard deviation"
    assert repr(path).startswith("Path(lasso, 6 penalties, alpha ")


def test_a_pickled_path_keeps_everything_but_the_rows(rows: tuple[Array, Array]) -> None:
    path = tl.path(*rows, n_penalties=4)
    copy = pickle.loads(pickle.dumps(path))
    assert torch.equal(copy.coef, path.coef)
    assert copy.plot() is not None
    with pytest.raises(tl.RowsNeeded, match=r"path\.coef has the coefficients"):
        copy[0]
    assert [fit.solution.penalty for fit in path] == [str(penalty) for penalty in path.penalties]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"penalty": "lasso"}, "penalty='lasso' is not known"),
        ({"n_penalties": 0}, "n_penalties=0: expected a whole number"),
        ({"least": 1.5}, r"least=1\.5: expected a number between 0 and 1"),
        ({"alphas": [-1.0]}, r"alphas=\[-1\.0\]: expected finite numbers"),
        ({"mix": 0.5}, "goes with penalty='elastic_net', not with 'l1'"),
        ({"loss": "quantile"}, r"tl\.path takes smooth losses"),
        ({"loss": tl.Huber(scale="concomitant")}, r"with a number for their scale"),
    ],
)
def test_arguments_that_are_none(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(tl.InvalidInput, match=message):
        tl.path(np.eye(4), np.arange(4.0), **arguments)


def test_a_constant_target_and_constant_columns() -> None:
    X = np.column_stack([np.ones(9), np.arange(9.0)])
    path = tl.path(X, np.full(9, 3.0), n_penalties=3)
    assert (path.coef[:, :-1] == 0).all()
    assert (path.coef[:, -1] == 3).all()
    assert np.isnan(path.r2).all()
    path = tl.path(X, np.arange(9.0), n_penalties=3)
    assert (path.coef[:, 0] == 0).all()
    assert (path.coef[1:, 1] > 0).all()
