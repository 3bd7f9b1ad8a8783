"""Group lasso: the conditions of an optimum, another algorithm, and scikit-learn's multi-task lasso."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sklearn.linear_model
import torch

import torchlinear as tl

Array = np.ndarray[Any, Any]

GROUPS = ["a", "b", "a", "c", "c", "d", "b", "b"]
WEIGHTS = [1.0, 2.0, 0.0, 0.5]
COLUMNS = [1.0, 0.0, 0.3, 1.0, 2.0, 1.0, 1.0, 0.5]
# Slope left at an optimum in standardised units; conditions below 1e3 and float64 sums in double-double leave this.
SLOPE = 1e-12


@dataclass
class Rows:
    """Random rows: correlated columns in different units, away from zero; targets; weights."""

    X: Array
    Y: Array
    w: Array

    @classmethod
    def of(cls, rng: np.random.Generator, k: int = 1, n: int = 120, p: int = 8) -> Rows:
        units = 10.0 ** rng.uniform(-1, 1, size=p)
        X = (rng.normal(size=(n, p)) + rng.normal(size=(n, 1))) * units + 3.0
        Y = X @ (rng.normal(size=(p, k)) / units[:, None]) + rng.normal(size=(n, k)) + 5.0
        return cls(X, Y, rng.gamma(2.0, size=n))


def conditions(penalty: tl.GroupLasso, slope: Array, coef: Array, size: Array, deviation: Array) -> float:
    """Largest violation of the conditions of an optimum, for a slope of the loss, both of shape (p, k).

    Of group g, zero: |slope_g / metric| <= strength; else slope_g + (strength metric^2 / norm + ridge) coef_g = 0.
    """
    metric = deviation if penalty.standardize else np.ones(len(coef))
    if penalty.column_weights is not None:
        metric = metric * penalty.column_weights
    groups = tuple(range(len(coef)) if penalty.groups is None else penalty.groups)
    labels = list(dict.fromkeys(groups))
    worst: float = 0.0
    for number, label in enumerate(labels):
        rows = np.array([group == label for group in groups])
        weight = float(np.sqrt(rows.sum())) if penalty.weights is None else float(penalty.weights[number])
        strength = penalty.alpha * penalty.mix * weight
        ridge = penalty.alpha * (1 - penalty.mix) * weight
        worst = max(
            worst, float(np.abs(slope / size[:, None])[rows & (metric == 0)].max(initial=0.0))
        )  # free columns
        rows &= metric > 0
        m = metric[rows, None]
        norm = np.linalg.norm(m * coef[rows])
        if norm == 0.0 and strength > 0.0:
            assert (coef[rows] == 0.0).all()
            over = max(float(np.linalg.norm(slope[rows] / m)) - strength, 0.0) * m
        else:
            over = slope[rows] + (strength / norm + ridge) * m**2 * coef[rows]
        worst = max(worst, float(np.abs(over / size[rows, None]).max()))
    return worst


PENALTIES = [
    tl.GroupLasso(0.5, GROUPS),
    tl.GroupLasso(0.5, GROUPS, weights=WEIGHTS),
    tl.GroupLasso(0.8, GROUPS, mix=0.3),
    tl.GroupLasso(0.5, GROUPS, weights=WEIGHTS, mix=0.6, standardize=True),
    tl.GroupLasso(0.3),
    tl.GroupLasso(0.5, GROUPS, column_weights=COLUMNS),
    tl.GroupLasso(0.5, GROUPS, weights=WEIGHTS, mix=0.6, standardize=True, column_weights=COLUMNS),
]


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
def test_the_conditions_of_an_optimum(
    rng: np.random.Generator, penalty: tl.GroupLasso, targets: int, intercept: bool
) -> None:
    rows = Rows.of(rng, targets)
    fit = tl.fit(rows.X, rows.Y, penalty=penalty, weights=rows.w, intercept=intercept)
    assert fit.status is tl.Status.CONVERGED
    assert fit.certificate < 1e-13
    coef, share = fit.coef.numpy().reshape(8, targets), rows.w / rows.w.sum()
    centre, middle = (share @ rows.X, share @ rows.Y) if intercept else (0.0, 0.0)
    about = rows.X - centre
    slope = -2.0 * about.T @ (share[:, None] * (rows.Y - middle - about @ coef))
    size = np.sqrt((share @ about**2) * (share @ (rows.Y - middle) ** 2).sum())
    deviation = np.sqrt(share @ (rows.X - share @ rows.X) ** 2)
    assert conditions(penalty, slope, coef, size, deviation) < SLOPE
    if intercept:
        np.testing.assert_allclose(
            fit.intercept.numpy(), (middle - centre @ coef).reshape(fit.intercept.shape)
        )


def proximal_gradient(X: Array, y: Array, groups: Array, strengths: Array) -> Array:
    """The optimum by another way: proximal gradient steps of 1 / (largest curvature)."""
    n, beta = len(y), np.zeros(X.shape[1])
    step = n / (2.0 * np.linalg.norm(X, 2) ** 2)
    for _ in range(5_000):
        moved = beta + step * 2.0 / n * X.T @ (y - X @ beta)
        norms = np.sqrt(np.bincount(groups, moved**2))
        beta = moved * np.maximum(1.0 - step * strengths / np.where(norms > 0, norms, 1.0), 0.0)[groups]
    return np.asarray(beta)


def test_it_ends_where_proximal_gradient_steps_do(rng: np.random.Generator) -> None:
    X, groups = rng.normal(size=(100, 9)), np.repeat([0, 1, 2], 3)
    y = X[:, :3] @ [1.0, -2.0, 0.5] + rng.normal(size=100)
    y -= y.mean()
    fit = tl.fit(X, y, penalty=tl.GroupLasso(0.4, groups), intercept=False)
    truth = proximal_gradient(X, y, groups, 0.4 * np.sqrt([3.0, 3.0, 3.0]))
    np.testing.assert_allclose(fit.coef, truth, rtol=1e-9, atol=1e-10)
    assert ((fit.coef.numpy() == 0.0) == (truth == 0.0)).all()


def test_columns_shared_by_targets_are_scikit_learns_multi_task_lasso(rng: np.random.Generator) -> None:
    rows = Rows.of(rng, 3)
    X = rows.X / rows.X.std(axis=0)
    fit = tl.fit(X, rows.Y, penalty=tl.GroupLasso(0.6))
    truth = sklearn.linear_model.MultiTaskLasso(0.3, tol=1e-14, max_iter=100_000).fit(X, rows.Y)
    np.testing.assert_allclose(fit.coef.T, truth.coef_, rtol=1e-5, atol=1e-6)


def test_groups_of_one_column_are_the_lasso(rng: np.random.Generator) -> None:
    rows = Rows.of(rng)
    for loss, y in (("squared", rows.Y[:, 0]), ("logistic", rows.Y[:, 0] > np.median(rows.Y))):
        one = tl.fit(rows.X, y, loss=loss, penalty=tl.GroupLasso(0.05, standardize=True))
        other = tl.fit(rows.X, y, loss=loss, penalty=tl.L1(0.05, standardize=True))
        torch.testing.assert_close(one.coef, other.coef, rtol=1e-8, atol=1e-10)
        assert torch.equal(one.coef == 0, other.coef == 0)


def test_more_columns_than_rows_and_many_targets(rng: np.random.Generator) -> None:
    X, Y = rng.normal(size=(30, 90)), rng.normal(size=(30, 12))
    fit = tl.fit(X, Y, penalty=tl.GroupLasso(0.5, np.repeat(np.arange(30), 3)))
    assert fit.certificate < 1e-10
    assert 0 < int((fit.coef != 0).all(dim=1).sum()) < 90


LOSSES: dict[str, Any] = {
    "logistic": (lambda eta, y: 1.0 / (1.0 + np.exp(-eta)) - y, lambda rng, n: rng.integers(0, 2, n)),
    "poisson": (lambda eta, y: np.exp(eta) - y, lambda rng, n: rng.poisson(2.0, n)),
}


@pytest.mark.parametrize("penalty", [*PENALTIES[:4], PENALTIES[5]], ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_other_losses(rng: np.random.Generator, loss: str, penalty: tl.GroupLasso) -> None:
    slope_of, draw = LOSSES[loss]
    y = draw(rng, 200)
    X = (rng.normal(size=(200, 8)) + 1.5 * y[:, None] * np.array([0, 1, 0, 0, 0, 0, 1, 1])) * 2.0 + 1.0
    penalty = penalty.with_alpha(0.2 * penalty.alpha)
    fit = tl.fit(X, y, loss=loss, penalty=penalty)
    assert fit.status is tl.Status.CONVERGED
    coef = fit.coef.numpy()
    r = slope_of(X @ coef + float(fit.intercept), y) / len(y)
    assert abs(r.sum()) < 1e-7
    slope = (X - X.mean(axis=0)).T @ r
    assert conditions(penalty, slope[:, None], coef[:, None], X.std(axis=0), X.std(axis=0)) < 1e-7
    assert (coef[[1, 6, 7]] != 0).all()


def test_softmax_leaves_columns_out_for_all_classes(rng: np.random.Generator) -> None:
    y = rng.integers(0, 3, 200)
    X = rng.normal(size=(200, 5))
    X[:, 1] += y
    fit = tl.fit(X, y, loss="softmax", penalty=tl.GroupLasso(0.12))
    coef, eta = fit.coef.numpy(), X @ fit.coef.numpy() + fit.intercept.numpy()
    share = np.exp(eta - eta.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    slope = (X - X.mean(axis=0)).T @ (share - np.eye(3)[y]) / 200
    assert conditions(tl.GroupLasso(0.12), slope, coef, np.ones(5), np.ones(5)) < 1e-7
    assert (coef[1] != 0).all()
    assert (coef[[0, 2, 3, 4]] == 0).all(axis=1).any()


def test_prox_with_steps_that_differ_within_a_group(rng: np.random.Generator) -> None:
    for penalty in PENALTIES:
        units = penalty.in_units(torch.from_numpy(rng.uniform(0.1, 10.0, size=8)))
        beta, step = (
            torch.from_numpy(rng.normal(size=(8, 2))) * 2.0,
            torch.from_numpy(rng.uniform(0.1, 2.0, (8, 1))),
        )
        best = units.prox(beta, step)
        at_best = units.steepest((best - beta) / step, best)
        assert at_best.abs().max() < 1e-11


def test_a_group_of_dummies_is_in_or_out_together(rng: np.random.Generator) -> None:
    pandas = pytest.importorskip("pandas")
    city = rng.choice(["Lyon", "Nice", "Paris"], size=150)
    frame = pandas.DataFrame({"area": rng.normal(size=150), "city": city, "noise": rng.normal(size=150)})
    frame["price"] = 2.0 * frame.area + 3.0 * (city == "Paris") + 0.1 * rng.normal(size=150)
    fit = tl.fit(
        frame,
        formula="price ~ area + C(city) + noise",
        penalty=tl.GroupLasso(0.3, ["area", "city", "city", "noise"]),
    )
    kept = dict(zip(fit.names, (fit.coef != 0).tolist()))
    assert sum(kept.values()) == 3
    assert not kept["noise"]
    assert "GroupLasso(0.3, 3 groups) pulls the coefficients towards zero" in " ".join(
        str(fit.summary()).split()
    )


def test_what_it_refuses() -> None:
    X, y = torch.eye(4, dtype=torch.float64), torch.arange(4.0)
    with pytest.raises(tl.InvalidInput, match=r"groups has 2 entries for 4 columns; give the group of each"):
        tl.fit(X, y, penalty=tl.GroupLasso(1.0, [0, 0]))
    with pytest.raises(tl.InvalidInput, match=r"weights has 1 entries for 2 groups"):
        tl.fit(X, y, penalty=tl.GroupLasso(1.0, [0, 0, 1, 1], weights=[1.0]))
    with pytest.raises(
        tl.InvalidInput, match=r"column_weights has 1 entries for 4 columns; give one for each"
    ):
        tl.fit(X, y, penalty=tl.GroupLasso(1.0, [0, 0, 1, 1], column_weights=[1.0]))
    with pytest.raises(
        tl.InvalidInput, match=r"column_weights of at least 0, got .*column_weights=\[-1\.0\]"
    ):
        tl.GroupLasso(1.0, column_weights=[-1.0])
    with pytest.raises(tl.InvalidInput, match="mix from 0"):
        tl.GroupLasso(1.0, mix=1.5)
    with pytest.raises(tl.InvalidInput, match="use solver='coordinate'"):
        tl.fit(X, y, penalty=tl.GroupLasso(), solver="qr")


@pytest.mark.parametrize("solver", ["auto", "fista"])
@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax", "two targets"])
def test_a_column_that_does_not_vary_is_in_no_norm(rng: np.random.Generator, loss: str, solver: str) -> None:
    """Standardised, nothing is left of it to be penalised: without an intercept it is one."""
    X = rng.normal(size=(120, 8)) * 10.0 ** rng.uniform(-1, 1, size=8)
    y = X[:, :2] / X[:, :2].std(axis=0) + rng.normal(size=(120, 2)) + 3.0
    y = y if loss == "two targets" else y[:, 0]
    family = loss if loss in ("logistic", "softmax") else "squared"
    if family != "squared":
        y = np.digitize(y, np.quantile(y, [0.5] if loss == "logistic" else [0.3, 0.6]))
    options: dict[str, Any] = {"loss": family, "solver": solver, "tol": 1e-10}
    weights = [1.0, 2.0, 0.5, 1.5]
    penalty = tl.GroupLasso(0.05, GROUPS, weights=weights, standardize=True)
    truth = tl.fit(X, y, penalty=penalty, **options)
    groups = [*GROUPS[:3], "a", *GROUPS[3:]]
    penalty = tl.GroupLasso(0.05, groups, weights=weights, standardize=True)
    fit = tl.fit(np.insert(X, 3, 4.0, axis=1), y, penalty=penalty, intercept=False, **options)
    assert fit.status is tl.Status.CONVERGED
    coef = fit.coef.numpy()
    effects = (np.delete(coef, 3, axis=0) - truth.coef.numpy()).T * X.std(axis=0)
    assert np.abs(effects).max() < 1e-4  # a gap of 1e-10 allows 1e-5 of the target
    np.testing.assert_allclose(4.0 * coef[3], truth.intercept, rtol=1e-4, atol=1e-4)
