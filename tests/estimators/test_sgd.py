"""SGDRegressor and SGDClassifier keep scikit-learn's contract, and take its very steps."""

from __future__ import annotations

import itertools
import pickle
from typing import Any
from unittest import SkipTest

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import sklearn
import sklearn.linear_model as reference
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.utils._test_common.instance_generator import PER_ESTIMATOR_XFAIL_CHECKS
from sklearn.utils.estimator_checks import estimator_checks_generator

from torchlinear import SGDClassifier, SGDRegressor
from torchlinear.estimators.base import ConvergenceWarning

# Steps are the same bits; means are added up in another order.
MEANS = 1e-12
SAME_VERSION = pytest.mark.skipif(
    not sklearn.__version__.startswith("1.9."), reason="steps and stops are those of scikit-learn 1.9"
)


# A weight multiplies a row's step, and a row that comes twice takes two: another way, as in scikit-learn.
WEIGHTS_ARE_STEPS = {
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
}
CHECKED = [
    SGDRegressor(),
    SGDRegressor(loss="huber", epsilon=1.35, penalty="elasticnet", average=True),
    SGDClassifier(),
    SGDClassifier(loss="log_loss", penalty="l1", n_jobs=2),
    SGDClassifier(loss="modified_huber", learning_rate="adaptive", eta0=0.1),
]


def name_of(check: Any) -> str:
    return str(getattr(check, "func", check).__name__)


@pytest.mark.filterwarnings("ignore:Maximum number of iteration")
@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pytest.param(each, check, id=f"{each}-{number}-{name_of(check)}")
        for estimator in CHECKED
        for number, (each, check) in enumerate(estimator_checks_generator(estimator))
        if name_of(check) not in WEIGHTS_ARE_STEPS
    ],
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    try:
        check(estimator)
    except SkipTest as reason:
        pytest.skip(str(reason))


@SAME_VERSION
@pytest.mark.parametrize("name", ["SGDRegressor", "SGDClassifier"])
def test_scikit_learn_leaves_the_same_checks_out(name: str) -> None:
    assert set(PER_ESTIMATOR_XFAIL_CHECKS[getattr(reference, name)]) == WEIGHTS_ARE_STEPS


def test_a_weight_multiplies_the_step() -> None:
    X, y = np.array([[1.0], [-1.0]]), np.array([2.0, 1.0])
    model = SGDRegressor(
        penalty=None, learning_rate="constant", eta0=0.1, shuffle=False, tol=None, max_iter=1
    )
    model.fit(X, y, sample_weight=[3.0, 0.0])
    np.testing.assert_allclose([model.coef_[0], model.intercept_[0]], [0.6, 0.6], rtol=1e-15)  # 3 * 0.1 * 2


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    X = rng.normal(size=(60, 5)) * (rng.uniform(size=(60, 5)) < 0.7)
    y = X @ rng.normal(size=5) + rng.normal(size=60) + 1.0
    return X, y, rng.uniform(0.5, 2.0, size=60)


def targets(y: Any, kind: str) -> Any:
    if kind == "numbers":
        return y
    if kind == "two":
        return np.where(y > np.median(y), "up", "down")
    return np.digitize(y, np.quantile(y, [0.3, 0.6]))


def agree(ours: Any, theirs: Any, exact: bool = True) -> None:
    """Same steps, same shapes, same numbers."""
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_
    for name in ("coef_", "intercept_"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert mine.shape == other.shape
        assert mine.dtype == other.dtype
        if exact:
            np.testing.assert_array_equal(mine, other)
        else:
            np.testing.assert_allclose(mine, other, rtol=MEANS, atol=MEANS * np.abs(other).max())


KINDS = {
    "numbers": (SGDRegressor, reference.SGDRegressor),
    "two": (SGDClassifier, reference.SGDClassifier),
    "many": (SGDClassifier, reference.SGDClassifier),
}
STOPS: list[dict[str, Any]] = [{"tol": None, "max_iter": 3}, {"tol": 1e-3, "max_iter": 40}]
SCHEDULES = ("constant", "optimal", "invscaling", "adaptive", "pa1", "pa2")
RUNS = [
    (kind, loss, schedule)
    for kind, (ours, _) in KINDS.items()
    for loss, schedule in itertools.product(ours.loss_functions, SCHEDULES)
    if not schedule.startswith("pa") or loss == ours._passive_loss
]


@SAME_VERSION
@pytest.mark.filterwarnings("ignore:Maximum number of iteration")
@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize(("kind", "loss", "schedule"), RUNS)
def test_steps_are_scikit_learns(
    rows: tuple[Any, Any, Any], rng: np.random.Generator, kind: str, loss: str, schedule: str, form: str
) -> None:
    X, y, weight = rows
    # The bits must be the same: the long first steps of "optimal" would make a difference of any size of the last.
    X = scipy.sparse.csr_array(X) if form == "sparse" else X
    y = targets(y, kind)
    mine, other = KINDS[kind]
    for penalty, average in itertools.product(("l2", "l1", "elasticnet", None), (False, True, 25)):
        options = {
            "loss": loss,
            "penalty": penalty,
            "learning_rate": schedule,
            "average": average,
            "alpha": 1e-2,
            "l1_ratio": 0.4,
            "random_state": int(rng.integers(2**31)),
            **STOPS[rng.integers(2)],
        }
        theirs = other(**options).fit(X, y, sample_weight=weight)
        agree(mine(**options).fit(X, y, sample_weight=weight), theirs, exact=not average)


@SAME_VERSION
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge", "modified_huber", "squared_error"])
@pytest.mark.parametrize("kind", ["two", "many"])
def test_early_stopping_of_classifiers(rows: tuple[Any, Any, Any], kind: str, loss: str) -> None:
    X, y, weight = rows
    for options in ({"penalty": "l2"}, {"penalty": None, "random_state": np.random.RandomState(3)}):
        options = {"loss": loss, "early_stopping": True, "random_state": 1, "eta0": 1e-3, **options}
        options |= {"learning_rate": "adaptive", "validation_fraction": 0.3}
        theirs = reference.SGDClassifier(**pickle.loads(pickle.dumps(options)))
        ours = SGDClassifier(**options)
        agree(
            ours.fit(X, targets(y, kind), sample_weight=weight),
            theirs.fit(X, targets(y, kind), sample_weight=weight),
        )


@SAME_VERSION
@pytest.mark.parametrize("loss", SGDRegressor.loss_functions)
def test_early_stopping_of_regressors(rows: tuple[Any, Any, Any], loss: str) -> None:
    X, y, weight = rows
    options = {"loss": loss, "early_stopping": True, "random_state": 1, "validation_fraction": 0.3}
    theirs = reference.SGDRegressor(**options).fit(X, y, sample_weight=weight)
    agree(SGDRegressor(**options).fit(X, y, sample_weight=weight), theirs)


def test_rows_held_out_teach_nothing(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    options: dict[str, Any] = {"shuffle": False, "tol": None, "max_iter": 4, "random_state": 5}
    whole = SGDRegressor(early_stopping=True, validation_fraction=0.4, **options).fit(X, y)
    train, held = next(ShuffleSplit(test_size=0.4, random_state=5).split(X))
    X[held] = 1e3
    np.testing.assert_array_equal(
        whole.coef_, SGDRegressor(**options).fit(X[np.sort(train)], y[np.sort(train)]).coef_
    )


def test_negative_rows_of_the_log_loss_are_scored_as_they_are(rng: np.random.Generator) -> None:
    # All but two rows in a hundred are negative and told apart at once: 20 epochs without improvement follow.
    X = np.r_[rng.normal(-5, 0.1, (300, 1)), rng.normal(5, 0.1, (6, 1))]
    y = np.r_[np.zeros(300), np.ones(6)]
    model = SGDClassifier(loss="log_loss", early_stopping=True, n_iter_no_change=20, random_state=0).fit(X, y)
    assert model.n_iter_ <= 22
    assert model.score(X, y) == 1.0


# Of classifiers that average scikit-learn forgets the intercept of the last step.
@SAME_VERSION
@pytest.mark.parametrize(
    ("kind", "average"),
    [("numbers", False), ("numbers", True), ("numbers", 70), ("two", False), ("many", False)],
)
def test_partial_fit(rows: tuple[Any, Any, Any], kind: str, average: bool | int) -> None:
    X, y, weight = rows
    y = targets(y, kind)
    models = [cls(average=average, random_state=2, loss="squared_error", eta0=1e-3) for cls in KINDS[kind]]
    more = {} if kind == "numbers" else {"classes": np.unique(y)}
    for model in models:
        model.set_params(learning_rate="invscaling")
        for part in (slice(0, 20), slice(20, 60), slice(10, 50)):
            model.partial_fit(X[part], y[part], sample_weight=weight[part], **more)
            assert not hasattr(model, "n_iter_") or model.n_iter_ == 1
    agree(*models, exact=not average)


@pytest.mark.parametrize("average", [False, True, 90])
@pytest.mark.parametrize("kind", list(KINDS))
def test_fit_goes_on_by_partial_fit(rows: tuple[Any, Any, Any], kind: str, average: bool | int) -> None:
    X, y = rows[0], targets(rows[1], kind)
    model = KINDS[kind][0](tol=None, shuffle=False, average=average, eta0=1e-3, learning_rate="invscaling")
    once = clone(model).set_params(max_iter=3).fit(X, y)
    more = clone(model).set_params(max_iter=1).fit(X, y).partial_fit(X, y).partial_fit(X, y)
    assert once.t_ == more.t_ == 181.0
    for name in ("coef_", "intercept_"):
        np.testing.assert_allclose(getattr(more, name), getattr(once, name), rtol=1e-12, atol=1e-14)


@SAME_VERSION
@pytest.mark.parametrize("class_weight", [{0: 0.5, 2: 3.0}, "balanced"])
def test_weights_of_classes(rows: tuple[Any, Any, Any], class_weight: Any) -> None:
    X, y, weight = rows
    options: dict[str, Any] = {"class_weight": class_weight, "random_state": 4, "tol": None, "max_iter": 5}
    for labels in (targets(y, "many"), 2 * (y > 1.0)):
        theirs = reference.SGDClassifier(**options).fit(X, labels, sample_weight=weight)
        agree(SGDClassifier(**options).fit(X, labels, sample_weight=weight), theirs)


def test_threads_change_nothing(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    labels = targets(y, "many")
    one, two = (
        SGDClassifier(loss="log_loss", random_state=0, early_stopping=True, n_jobs=jobs).fit(X, labels)
        for jobs in (1, np.int64(2))
    )
    np.testing.assert_array_equal(one.coef_, two.coef_)


@SAME_VERSION
def test_float32_stays_float32(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    X, options = X.astype(np.float32), {"tol": None, "max_iter": 5, "random_state": 0, "average": 30}
    ours, theirs = SGDRegressor(**options).fit(X, y), reference.SGDRegressor(**options).fit(X, y)
    assert ours.coef_.dtype == ours.intercept_.dtype == np.float32
    # 300 steps, each rounded to 6e-8 in both.
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=2e-5)


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
@pytest.mark.parametrize("kind", ["two", "many"])
def test_probabilities(rows: tuple[Any, Any, Any], kind: str, loss: str) -> None:
    X, y, _ = rows
    options: dict[str, Any] = {"loss": loss, "random_state": 0, "tol": None, "max_iter": 20}
    ours = SGDClassifier(**options).fit(X, targets(y, kind))
    theirs = reference.SGDClassifier(**options).fit(X, targets(y, kind))
    if loss == "modified_huber":
        X = np.r_[X, 100.0 * X]  # sure of everything, and of nothing
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-10, atol=1e-14)
    with np.errstate(divide="ignore"):
        expected = np.log(ours.predict_proba(X))
    finite = expected > -30.0
    np.testing.assert_allclose(ours.predict_log_proba(X)[finite], expected[finite], rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_other_losses_have_no_probabilities(rows: tuple[Any, Any, Any]) -> None:
    model = SGDClassifier(max_iter=5, tol=None).fit(rows[0], targets(rows[1], "two"))
    assert not hasattr(model, "predict_proba")
    with pytest.raises(AttributeError, match="has no attribute 'predict_log_proba'"):
        model.predict_log_proba(rows[0])


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_in_tensors_out(rows: tuple[Any, Any, Any], kind: str, dtype: torch.dtype) -> None:
    X, y = torch.from_numpy(rows[0]).to(dtype), targets(rows[1], kind)
    y = y if kind == "two" else torch.from_numpy(y)
    model = KINDS[kind][0](random_state=0, max_iter=20, tol=None)
    fitted = clone(model).fit(X, y)
    assert isinstance(fitted.coef_, torch.Tensor)
    assert fitted.coef_.dtype == fitted.intercept_.dtype == dtype
    plain = clone(model).fit(X.numpy(), np.asarray(y))
    np.testing.assert_array_equal(fitted.coef_.numpy(), plain.coef_)
    eta = fitted.predict(X) if kind == "numbers" else fitted.decision_function(X)
    torch.testing.assert_close(fitted.module_(X).squeeze(1), eta, rtol=1e-4, atol=1e-4)
    fitted.partial_fit(X, y)
    np.testing.assert_array_equal(fitted.coef_.numpy(), plain.partial_fit(X.numpy(), np.asarray(y)).coef_)
    csr = clone(model).fit(X.to_sparse_csr(), y)
    np.testing.assert_array_equal(
        to_array(csr.coef_), clone(model).fit(scipy.sparse.csr_array(X.numpy()), np.asarray(y)).coef_
    )


def to_array(values: Any) -> Any:
    return values.numpy() if isinstance(values, torch.Tensor) else values


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_names_of_frames(rows: tuple[Any, Any, Any], frame: Any) -> None:
    X = frame({f"column {j}": rows[0][:, j] for j in range(5)})
    model = SGDRegressor(max_iter=20, tol=None).fit(X, rows[1])
    assert model.feature_names_in_.tolist() == [f"column {j}" for j in range(5)]
    model.partial_fit(X, rows[1])
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(X[list(reversed(X.columns))], rows[1])


def test_pickles_hold_no_rows(rng: np.random.Generator) -> None:
    X, y = rng.normal(size=(3_000, 3)), rng.normal(size=3_000)
    model = SGDRegressor(average=True, random_state=0).fit(X, y)
    text = pickle.dumps(model)
    assert len(text) < 2_500
    again = pickle.loads(text)
    np.testing.assert_array_equal(again.partial_fit(X, y).coef_, model.partial_fit(X, y).coef_)


def test_grid_search_in_two_processes(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    grid = {"alpha": [1e-3, 1e-1, 10.0]}
    ours, theirs = (
        GridSearchCV(cls(random_state=0, tol=None, max_iter=20), grid, n_jobs=jobs).fit(X, y)
        for cls, jobs in ((SGDRegressor, 2), (reference.SGDRegressor, None))
    )
    assert ours.best_params_ == theirs.best_params_


def test_weights_are_routed(rows: tuple[Any, Any, Any]) -> None:
    X, y, weight = rows
    with sklearn.config_context(enable_metadata_routing=True):
        model = SGDRegressor(random_state=0, tol=None, max_iter=20).set_fit_request(sample_weight=True)
        search = GridSearchCV(model.set_score_request(sample_weight=True), {"alpha": [0.1]})
        found = search.fit(X, y, sample_weight=weight).best_estimator_
    np.testing.assert_array_equal(found.coef_, clone(found).fit(X, y, sample_weight=weight).coef_)


def test_where_to_begin(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    given, options = np.arange(5.0), {"random_state": 0, "tol": None, "max_iter": 2}
    ours = SGDRegressor(**options).fit(X, y, coef_init=given, intercept_init=2.0)
    assert given.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]  # scikit-learn writes into it
    agree(ours, reference.SGDRegressor(**options).fit(X, y, coef_init=given.copy(), intercept_init=[2.0]))
    warm = SGDRegressor(**options, warm_start=True).fit(X, y)
    cold = SGDRegressor(**options).fit(X, y, coef_init=warm.coef_, intercept_init=warm.intercept_)
    np.testing.assert_array_equal(warm.fit(X, y).coef_, cold.coef_)


def test_sparse_rows_never_become_dense(rng: np.random.Generator) -> None:
    n, p, stored = 20_000, 1_000_000, 5  # dense: 160 GB
    columns, starts = rng.integers(0, p, n * stored), np.arange(0, n * stored + 1, stored)
    wide = scipy.sparse.csr_array((np.ones(n * stored), columns, starts), shape=(n, p))
    wide.sum_duplicates()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    X, y = scipy.sparse.csc_array(wide), rng.integers(0, 2, n)
    models = [
        SGDClassifier(loss="log_loss", random_state=0, tol=None, max_iter=3).fit(x, y) for x in (X, wide)
    ]
    np.testing.assert_array_equal(models[0].coef_, models[1].coef_)
    assert models[0].score(X, y) > 0.95
    assert scipy.sparse.issparse(models[0].sparsify().coef_)
    assert models[0].score(X, y) == models[1].score(X, y)
    with pytest.raises(ValueError, match=r"call densify\(\) first"):
        models[0].partial_fit(X, y)
    models[0].densify().partial_fit(X, y)


def test_an_epoch_is_printed(rows: tuple[Any, Any, Any], capsys: pytest.CaptureFixture[str]) -> None:
    X, y, _ = rows
    SGDRegressor(verbose=1, max_iter=2, tol=None).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["epoch 1", "epoch 2"]
    value = 0.5 * np.mean((SGDRegressor(verbose=0, max_iter=1, tol=None).fit(X, y).predict(X) - y) ** 2)
    assert 0.3 * value < float(lines[1].split("loss ")[1].split(",")[0]) < 3.0 * value


@pytest.mark.parametrize(
    ("estimator", "sentence"),
    [
        (SGDRegressor(loss="hinge"), "'loss' parameter of SGDRegressor must be a str among"),
        (SGDRegressor(alpha=-1.0), "'alpha' parameter of SGDRegressor"),
        (
            SGDRegressor(alpha=0.0, learning_rate="optimal"),
            "alpha must be > 0 since learning_rate is 'optimal'",
        ),
        (SGDRegressor(learning_rate="pa1"), "'pa1' only works with loss 'epsilon_insensitive'"),
        (SGDClassifier(loss="log_loss", learning_rate="pa2"), "'pa2' only works with loss 'hinge'"),
        (SGDRegressor(penalty="elasticnet", l1_ratio=None), "l1_ratio must be set"),
        (SGDRegressor(validation_fraction=1.0), "'validation_fraction' parameter of SGDRegressor"),
        (
            SGDRegressor(eta0=1e300, learning_rate="constant", penalty=None),
            "under-/overflow occurred at epoch #1",
        ),
    ],
)
def test_parameters_that_are_none(estimator: Any, sentence: str, rows: tuple[Any, Any, Any]) -> None:
    y = targets(rows[1], "two") if isinstance(estimator, SGDClassifier) else rows[1]
    with pytest.raises(ValueError, match=sentence):
        estimator.fit(rows[0], y)


def test_what_fits_refuse(rows: tuple[Any, Any, Any]) -> None:
    X, y, _ = rows
    labels = targets(y, "many")
    with pytest.raises(
        ValueError, match=r"coef_init does not match dataset: it has shape \(3,\); expected \(1, 5\)"
    ):
        SGDRegressor().fit(X, y, coef_init=np.zeros(3))
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        SGDClassifier().partial_fit(X, labels)
    with pytest.raises(ValueError, match=r"y has the labels \[2\]; expected some of those .*: \[0, 1\]"):
        SGDClassifier().partial_fit(X, labels, classes=[0, 1])
    with pytest.raises(ValueError, match="is not the same as on last call"):
        SGDClassifier().partial_fit(X, labels, classes=[0, 1, 2]).partial_fit(X, labels, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match="classes has to be greater than one; got 1 class"):
        SGDClassifier().fit(X, np.zeros(60))
    with pytest.raises(ValueError, match="early_stopping should be False with partial_fit"):
        SGDRegressor(early_stopping=True).partial_fit(X, y)
    with pytest.raises(ValueError, match="weights for validation set are all zero"):
        SGDRegressor(early_stopping=True).fit(X, y, sample_weight=np.zeros(60))


def test_too_few_epochs_are_said(rows: tuple[Any, Any, Any]) -> None:
    with pytest.warns(ConvergenceWarning, match="Consider increasing max_iter"):
        assert SGDRegressor(max_iter=2, tol=1e-9).fit(*rows[:2]).n_iter_ == 2
    with pytest.warns(FutureWarning, match="Negative values for `power_t`"):
        SGDRegressor(max_iter=2, tol=None, power_t=-0.1).fit(*rows[:2])
