"""Errors on held-out rows against scikit-learn and against slow refits; the choices; the final fit."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model as reference
import sklearn.metrics as reference_metrics
import torch
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_score,
)

import torchlinear as tl
from torchlinear.selection import validation
from torchlinear.selection.partition import moments_by_cell
from torchlinear.selection.validated import choose

SOME = [0, 25, 50, 75, 99]  # of 100 penalties


def given(rng: np.random.Generator, n: int = 120, p: int = 8) -> tuple[np.ndarray, np.ndarray]:
    X = rng.normal(size=(n, p)) * 10.0 ** rng.integers(-2, 3, p) + rng.normal(size=p)
    y = X[:, :3] @ (rng.normal(size=3) / X[:, :3].std(axis=0)) + 0.5 * rng.normal(size=n) + 2
    return X, y


def estimator(penalty: Any, rows: int, **options: Any) -> Any:
    """scikit-learn's estimator with the same optimum on so many rows."""
    l1, l2 = penalty.shares()
    if l1 == 0:
        return reference.Ridge(alpha=l2 * rows / 2, solver="svd", **options)
    exact = {"tol": 1e-15, "max_iter": 1_000_000}
    return reference.ElasticNet(alpha=(l1 + l2) / 2, l1_ratio=l1 / (l1 + l2), **exact, **options)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of a gap of rounding
@pytest.mark.parametrize("penalty", ["l1", "l2", tl.L1L2(mix=0.3)], ids=str)
@pytest.mark.parametrize("intercept", [True, False])
def test_errors_of_each_fold_are_scikit_learns(
    rng: np.random.Generator, penalty: Any, intercept: bool
) -> None:
    X, y = given(rng)
    folds = KFold(4, shuffle=True, random_state=0)  # folds of 30 rows: one size of training set
    found = tl.cross_validate(X, y, penalty=penalty, folds=folds, intercept=intercept)
    assert found.errors.shape == (4, 100)
    for i in SOME:
        model = estimator(found.penalties[i], 90, fit_intercept=intercept)
        scores = cross_val_score(model, X, y, cv=folds, scoring="neg_mean_squared_error")
        np.testing.assert_allclose(found.errors[:, i], -scores, rtol=1e-8)


@pytest.mark.parametrize(
    "folds",
    [LeaveOneOut(), ShuffleSplit(6, random_state=0), TimeSeriesSplit(3)],
    ids=lambda f: type(f).__name__,
)
@pytest.mark.parametrize("precision", ["auto", "double"])
def test_any_split_against_refits(rng: np.random.Generator, folds: Any, precision: Any) -> None:
    X, y = given(rng, 40, 4)
    found = tl.cross_validate(X, y, penalty="l1", folds=folds, n_penalties=5, precision=precision)
    for f, (train, test) in enumerate(folds.split(X)):
        for i, penalty in enumerate(found.penalties):
            fit = tl.fit(X[train], y[train], penalty=penalty)
            error = float(((fit.predict(X[test]) - y[test]) ** 2).mean())
            assert found.errors[f, i] == pytest.approx(error, rel=1e-9)
    assert found.weights.tolist() == [len(test) for _, test in folds.split(X)]


def test_weights_of_rows(rng: np.random.Generator) -> None:
    X, y = given(rng)
    weight = rng.integers(0, 3, len(X)).astype(float)
    folds = KFold(3)
    found = tl.cross_validate(X, y, penalty="l2", folds=folds, weights=weight, n_penalties=4)
    for f, (train, test) in enumerate(folds.split(X)):
        for i, penalty in enumerate(found.penalties):
            model = estimator(penalty, weight[train].sum()).fit(X[train], y[train], weight[train])
            error = np.average((model.predict(X[test]) - y[test]) ** 2, weights=weight[test])
            assert found.errors[f, i] == pytest.approx(error, rel=1e-9)
    assert found.weights.tolist() == [weight[test].sum() for _, test in folds.split(X)]


def test_several_targets_add_their_errors(rng: np.random.Generator) -> None:
    X, y = given(rng)
    Y = np.column_stack([y, y**2])
    both = tl.cross_validate(X, Y, alphas=[0.5, 0.1])
    single = [tl.cross_validate(X, Y[:, j], alphas=[0.5, 0.1]) for j in range(2)]
    np.testing.assert_allclose(both.errors, single[0].errors + single[1].errors, rtol=1e-12)
    assert both.coef.shape == (2, 9, 2)


def test_standardised_penalties_take_each_training_sets_deviations(rng: np.random.Generator) -> None:
    X, y = given(rng)
    folds = KFold(4)
    for penalty in (tl.L1(standardize=True), tl.L2(standardize=True, column_weights=[0] + [1] * 7)):
        found = tl.cross_validate(X, y, penalty=penalty, folds=folds, n_penalties=6)
        for f, (train, test) in enumerate(folds.split(X)):
            for i in range(6):
                fit = tl.fit(X[train], y[train], penalty=found.penalties[i])
                error = float(((fit.predict(X[test]) - y[test]) ** 2).mean())
                assert found.errors[f, i] == pytest.approx(error, rel=1e-9)


def test_a_nearly_perfect_fit_keeps_its_digits(rng: np.random.Generator) -> None:
    X = rng.normal(size=(60_000, 5))
    noise = 1e-9 * rng.normal(size=60_000)
    y = X @ [1.0, 2.0, -1.0, 0.5, 3.0] + noise
    found = tl.cross_validate(X, y, penalty="l2", alphas=[1.0, 1e-25], precision="double", folds=KFold(3))
    for f, (train, test) in enumerate(KFold(3).split(X)):
        A = np.column_stack([X[train], np.ones(len(train))])
        # The errors of the coefficients are those of the noise: 1e-9 against the rounding 1e-15 of y.
        effect = np.linalg.lstsq(A, noise[train], rcond=None)[0]
        left = noise[test] - np.column_stack([X[test], np.ones(len(test))]) @ effect
        assert found.errors[f, 1] == pytest.approx(np.mean(left**2), rel=1e-4)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_units_and_origins_do_not_matter(rng: np.random.Generator, penalty: str) -> None:
    X, y = given(rng)
    object_ = tl.L1(standardize=True) if penalty == "l1" else tl.L2(standardize=True)
    plain = tl.cross_validate(X, y, penalty=object_)
    moved = tl.cross_validate((X + 64.0) * 2.0 ** rng.integers(-30, 30, 8), y, penalty=object_)
    np.testing.assert_allclose(moved.alphas, plain.alphas, rtol=1e-6)
    np.testing.assert_allclose(moved.mean, plain.mean, rtol=1e-6)


def test_more_columns_than_rows(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    X = rng.normal(size=(40, 60))
    y = X[:, :3].sum(axis=1) + 0.1 * rng.normal(size=40)
    found = tl.cross_validate(X, y, folds=4, n_penalties=10)
    assert found.alphas[-1] == pytest.approx(1e-2 * found.alphas[0])
    monkeypatch.setattr(validation, "MOST_BYTES", 0)  # as if the moments of all folds did not fit
    by_rows = tl.cross_validate(X, y, folds=4, n_penalties=10)
    np.testing.assert_allclose(by_rows.alphas, found.alphas, rtol=1e-12)
    np.testing.assert_allclose(by_rows.errors, found.errors, rtol=1e-6)
    np.testing.assert_allclose(by_rows.coef, found.coef, atol=1e-8)


@pytest.mark.parametrize("penalty", ["l1", "l2", "elastic_net"])
def test_the_grid_begins_where_it_should(rng: np.random.Generator, penalty: str) -> None:
    X, y = given(rng)
    found = tl.cross_validate(X, y, penalty=penalty, n_penalties=20)
    frame = found.to_frame()
    first = frame.drop_duplicates("mix") if penalty == "elastic_net" else frame.iloc[:1]
    if penalty == "l2":
        free = np.abs(tl.fit(X, y).coef.numpy())
        assert (np.abs(found.coef[0, :-1, 0]) < 0.01 * np.sqrt(len(free)) * free.max()).all()
    else:
        assert (first.nonzero == 0).all()
        assert (found.nonzero[first.index + 1] > 0).all()
    assert len(found.penalties) == (60 if penalty == "elastic_net" else 20)


def test_unpenalised_columns_are_fitted_before_the_grid_begins(rng: np.random.Generator) -> None:
    X, y = given(rng)
    found = tl.cross_validate(X, y, penalty=tl.L1(column_weights=[0, 1, 1, 1, 1, 1, 1, 1]), n_penalties=30)
    assert found.coef[0, 0, 0] != 0
    assert found.nonzero[0] == 1 < found.nonzero[1]


def test_the_choice() -> None:
    penalties = [tl.L1(alpha) for alpha in (8.0, 4.0, 2.0, 1.0)]
    errors = np.array([[9.0, 5.0, 4.0, 4.5], [9.0, 4.0, 3.6, 4.5], [9.0, 3.9, 3.8, 4.5]])
    weights = np.array([1.0, 1.0, 2.0])
    choice = choose(penalties, errors, weights)
    mean = (errors * weights[:, None]).sum(axis=0) / 4
    np.testing.assert_allclose(choice.mean, mean)
    # glmnet's cvsd: sqrt(weighted.mean((cvraw - cvm)^2, weights) / (N - 1))
    np.testing.assert_allclose(
        choice.standard_error, np.sqrt(((errors - mean) ** 2 * weights[:, None]).sum(axis=0) / 4 / 2)
    )
    assert (choice.best, choice.one_standard_error) == (2, 2)
    wide = choose(penalties, errors + np.array([[0.0], [1.0], [-1.0]]), np.ones(3))
    assert (wide.best, wide.one_standard_error) == (2, 1)
    alone = choose(penalties, errors[:1], weights[:1])
    assert np.isnan(alone.standard_error).all()
    assert (alone.best, alone.one_standard_error) == (2, 2)


def test_one_standard_error_stays_with_the_mix_of_the_best() -> None:
    penalties = [tl.L1L2(9.0, 0.1), tl.L1L2(1.0, 0.1), tl.L1L2(5.0, 0.9), tl.L1L2(1.0, 0.9)]
    choice = choose(penalties, np.array([[1.1, 1.2, 1.1, 1.0], [2.1, 2.2, 2.1, 2.0]]), np.ones(2))
    assert (choice.best, choice.one_standard_error) == (3, 2)


@pytest.mark.parametrize("rule", ["best", "one_standard_error"])
def test_the_fit_is_that_of_all_rows(rng: np.random.Generator, rule: Any) -> None:
    X, y = given(rng)
    found = tl.cross_validate(torch.from_numpy(X), torch.from_numpy(y), rule=rule)
    again = tl.fit(X, y, penalty=found.penalty)
    assert found.penalty.alpha == found.alphas[found.chosen]
    assert found.alphas[found.one_standard_error] >= found.alphas[found.best]
    np.testing.assert_allclose(found.fit.coef, again.coef, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(found.coef[found.chosen, :-1, 0], again.coef, rtol=1e-9, atol=1e-12)
    assert found.fit.status is tl.Status.CONVERGED
    assert isinstance(found.fit.predict(torch.from_numpy(X)), torch.Tensor)


def test_paths_are_those_of_all_rows(rng: np.random.Generator) -> None:
    X, y = given(rng)
    found = tl.cross_validate(X, y, penalty="elastic_net", mixes=[0.3, 0.9], n_penalties=6)
    assert len(found.paths) == 2
    for i, mix in enumerate([0.3, 0.9]):
        alone = tl.path(X, y, penalty="elastic_net", mix=mix, n_penalties=6)
        np.testing.assert_allclose(found.paths[i].alphas, alone.alphas, rtol=1e-9)
        np.testing.assert_allclose(found.paths[i].coef, alone.coef, rtol=1e-6, atol=1e-9)
    assert found.path is not None
    assert found.penalty in found.path.penalties
    np.testing.assert_array_equal(np.concatenate([path.coef for path in found.paths]), found.coef)


def test_ctrl_c_raises(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = given(rng)

    def pressed(*args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return moments_by_cell(*args)

    monkeypatch.setattr(validation, "moments_by_cell", pressed)
    with pytest.raises(KeyboardInterrupt):
        tl.cross_validate(X, y)


def test_frames_formulas_and_groups_by_name(rng: np.random.Generator) -> None:
    X, y = given(rng)
    city = np.array(list("abcdefghijkl"))[rng.integers(0, 12, len(X))]
    frame = pd.DataFrame(X[:, :3], columns=["u", "v", "w"]).assign(city=city, y=y)
    found = tl.cross_validate(frame, "y", penalty="l2", groups="city", folds=3)
    assert found.fit.names == ("u", "v", "w")
    values = tl.cross_validate(X[:, :3], y, penalty="l2", groups=city, folds=3)
    np.testing.assert_allclose(found.errors, values.errors, rtol=1e-10)
    names, number = np.unique(city, return_inverse=True)
    splits = list(GroupKFold(3).split(X, groups=number))
    sizes = sorted(len(test) for _, test in splits)
    assert sorted(found.weights) == sizes
    formula = tl.cross_validate(frame, formula="y ~ u + v + C(city)", penalty="l2", groups="city", folds=3)
    assert len(formula.fit.names) == 2 + len(names) - 1
    with pytest.raises(tl.InvalidInput, match="groups: the data frame has no column 'town'"):
        tl.cross_validate(frame, "y", groups="town")
    with pytest.raises(tl.InvalidInput, match="names a column, but the data has no named columns"):
        tl.cross_validate(X, y, groups="city")


def test_a_stream_has_the_folds_of_memory(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = given(rng, 3_000, 3)
    shop = rng.integers(0, 50, 3_000)
    frame = pd.DataFrame(X, columns=["u", "v", "w"]).assign(y=y, shop=shop)
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path, row_group_size=500)
    options: dict[str, Any] = {"penalty": "l1", "n_penalties": 6, "precision": "double"}
    memory = [
        tl.cross_validate(str(path), "y", columns=["u", "v", "w"], **options),
        tl.cross_validate(str(path), "y", groups="shop", **options),
        tl.cross_validate(str(path), "y", columns=["u", "v", "w"], ordered=True, folds=4, **options),
    ]
    monkeypatch.setattr(
        "torchlinear.design.streaming.TableRows.collected", lambda rows, *_: rows
    )  # as if the file were too large for memory
    stream = [
        tl.cross_validate(str(path), "y", columns=["u", "v", "w"], **options),
        tl.cross_validate(str(path), "y", groups="shop", **options),
        tl.cross_validate(str(path), "y", columns=["u", "v", "w"], ordered=True, folds=4, **options),
    ]
    for ours, theirs in zip(memory[1:], stream[1:], strict=True):
        np.testing.assert_allclose(ours.errors, theirs.errors, rtol=1e-9)
    # By place: the shards of the file are those of its row groups, so the folds are other ones, as good.
    np.testing.assert_allclose(memory[0].mean, stream[0].mean, rtol=0.05)


def test_logistic_regression_is_refitted_split_by_split(rng: np.random.Generator) -> None:
    X = rng.normal(size=(150, 4))
    y = np.where(rng.uniform(size=150) < 1 / (1 + np.exp(-2 * X[:, 0])), "yes", "no")
    folds = KFold(3)
    found = tl.cross_validate(X, y, loss="logistic", penalty="l2", folds=folds, n_penalties=4, least=1e-5)
    for i, penalty in enumerate(found.penalties):
        model = reference.LogisticRegression(
            C=1 / (100 * penalty.alpha), tol=1e-12, solver="newton-cholesky", max_iter=1_000
        )
        scores = cross_val_score(model, X, y, cv=folds, scoring="neg_log_loss")
        np.testing.assert_allclose(found.errors[:, i], -2.0 * scores, rtol=1e-8)  # deviance
    assert set(found.fit.predict(X)) == {"yes", "no"}
    assert found.to_frame().shape == (4, 6)


def test_lasso_of_a_loss_that_is_not_quadratic(rng: np.random.Generator) -> None:
    X = rng.normal(size=(160, 6))
    y = (rng.uniform(size=160) < 1 / (1 + np.exp(-2 * X[:, 0]))).astype(float)
    folds = KFold(4)
    found = tl.cross_validate(X, y, loss="logistic", penalty="l1", folds=folds, n_penalties=5, least=0.05)
    assert found.nonzero[0] == 0 < found.nonzero[1]
    assert found.path is found.paths[0]
    assert found.measure == "mean deviance: binomial, logit link"
    assert found.plot().get_ylabel() == found.measure
    for f, (train, test) in enumerate(folds.split(X)):
        for i in (1, 4):
            fit = tl.fit(X[train], y[train], loss="logistic", penalty=found.penalties[i])
            p = fit.predict(X[test], kind="mean")
            error = -2.0 * np.log(np.where(y[test] == 1, p, 1 - p)).mean()
            assert found.errors[f, i] == pytest.approx(error, rel=1e-6)


def test_counts_with_exposure(rng: np.random.Generator) -> None:
    X, hours = rng.normal(size=(120, 3)), rng.uniform(1, 10, 120)
    y = rng.poisson(hours * np.exp(0.5 * X[:, 0])).astype(float)
    folds, options = KFold(3), {"loss": "poisson", "penalty": "l2"}
    found = tl.cross_validate(X, y, exposure=hours, folds=folds, alphas=[1.0, 0.01], **options)
    for f, (train, test) in enumerate(folds.split(X)):
        for i in range(2):
            fit = tl.fit(
                X[train], y[train], loss="poisson", penalty=found.penalties[i], exposure=hours[train]
            )
            mean = np.exp(X[test] @ fit.coef.numpy() + float(fit.intercept)) * hours[test]
            deviance = reference_metrics.mean_poisson_deviance(y[test], mean)
            assert found.errors[f, i] == pytest.approx(deviance, rel=1e-8)


def test_offsets_of_a_squared_loss(rng: np.random.Generator) -> None:
    X, y = given(rng)
    offset = rng.normal(size=len(X))
    found = tl.cross_validate(X, y + offset, offset=offset, penalty="l1")
    plain = tl.cross_validate(X, y, penalty="l1")
    np.testing.assert_allclose(found.errors, plain.errors, rtol=1e-8)


def test_wide_rows_are_walked_among_their_columns(rng: np.random.Generator) -> None:
    X = rng.normal(size=(60, 1_200))
    y = X[:, :3].sum(axis=1) + 0.3 * rng.normal(size=60)
    folds = KFold(3)
    found = tl.cross_validate(X, y, folds=folds, n_penalties=12)
    assert found.nonzero[0] == 0 < found.nonzero[1]
    for i in (3, 11):
        model = estimator(found.penalties[i], 40)
        scores = cross_val_score(model, X, y, cv=folds, scoring="neg_mean_squared_error")
        np.testing.assert_allclose(found.errors[:, i], -scores, rtol=1e-5)
    assert found.fit.status is tl.Status.CONVERGED


def test_arguments_that_are_none(rng: np.random.Generator) -> None:
    X, y = given(rng, 20, 3)
    for options, sentence in [
        ({"penalty": "l3"}, "penalty='l3' is not known"),
        ({"penalty": tl.L1}, r"got the class L1: call it"),
        ({"penalty": "l1", "mixes": [0.5]}, "mixes= goes with penalty='elastic_net'"),
        ({"penalty": "elastic_net", "mixes": []}, "mixes= is empty"),
        ({"rule": "worst"}, "rule='worst' is not known"),
        ({"alphas": []}, r"alphas=\[\]: expected finite numbers"),
        ({"alphas": [-1.0]}, "expected finite numbers of at least 0"),
        ({"alphas": "many"}, "expected finite numbers of at least 0"),
        ({"n_penalties": 0}, "n_penalties=0: expected a whole number"),
        ({"least": 2.0}, "least=2.0: expected a number between 0 and 1"),
        ({"folds": 1}, "folds=1: expected at least 2"),
    ]:
        with pytest.raises(tl.InvalidInput, match=sentence):
            tl.cross_validate(X, y, **options)


def test_rows_that_cannot_be_used(rng: np.random.Generator) -> None:
    X, y = given(rng, 20, 3)
    X[3, 1] = np.nan
    with pytest.raises(tl.DataError, match=r"values are NaN or inf \(x1: 1\)"):
        tl.cross_validate(X, y)
    X[3, 1] = 0.0
    weight = np.ones(20)
    weight[:10] = 0.0
    with pytest.raises(tl.DataError, match="split 1 has no train row with a weight above 0"):
        tl.cross_validate(X, y, weights=weight, folds=KFold(2))


def test_what_is_returned_can_be_kept(rng: np.random.Generator) -> None:
    X, y = given(rng)
    found = tl.cross_validate(X, y, penalty="elastic_net", mixes=[0.2, 0.8], n_penalties=7)
    again = pickle.loads(pickle.dumps(found))
    pd.testing.assert_frame_equal(again.to_frame(), found.to_frame())
    assert list(found.to_frame().columns) == [
        "alpha", "mix", "error", "standard_error", "nonzero", "best", "one_standard_error",
    ]  # fmt: skip
    assert found.to_frame().best.sum() == found.to_frame().one_standard_error.sum() == 1
    assert repr(found).startswith("CrossValidation(14 penalties, 5 splits; best: L1L2(")


def test_overlapping_splits_are_gathered_when_their_cells_are_many(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = given(rng, 60, 3)
    folds = ShuffleSplit(4, random_state=0)
    merged = tl.cross_validate(X, y, folds=folds, n_penalties=5)
    monkeypatch.setattr(validation, "CELLS_PER_SPLIT", 0)
    gathered = tl.cross_validate(X, y, folds=folds, n_penalties=5)
    np.testing.assert_allclose(gathered.errors, merged.errors, rtol=1e-12)
