"""Every line of the table of conversions: what stands elsewhere gives what stands here.

The right cells run as they are printed. The left ones are run by the library that they name; glmnet's answers
come from R (tests/truth/r), with 25 digits by its formula, which R's own output matches to ten.
"""

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
import sklearn.linear_model
import sklearn.svm
import statsmodels.api as sm
import torch
from statsmodels.genmod.families import NegativeBinomial, Poisson
from statsmodels.regression.quantile_regression import QuantReg
from torch import nn, optim

import torchlinear as tl

ROOT = Path(__file__).resolve().parents[2]
CLOSED = 1e-11  # relative; both sides are direct solutions in float64
ITERATED = 1e-7  # relative; the other side iterates with a tight tolerance
STEPPED = 1e-6  # relative; what some thousand steps leave
NOISY = 1e-2  # relative; what stochastic steps of one row leave

Array = np.ndarray
Given = dict[str, object]


def lines(path: str) -> list[tuple[str, str]]:
    """Cells of the table."""
    text = (ROOT / path).read_text(encoding="utf-8")
    table = re.search(r"^\| [^|\n]+ \| [^|\n]+ \|\n\|---\|---\|\n((?:\|.*\n)+)", text, re.M)
    assert table is not None
    return [(row.split("|")[1].strip(), row.split("|")[2].strip()) for row in table[1].splitlines()]


LINES = lines("docs/en/conversions.md")


def rows(n: int = 60, p: int = 3) -> Given:
    """Rows with columns of different sizes, away from zero, weights, and targets of all kinds."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) * [1.0, 2.0, 0.5] + [0.5, -1.0, 1.0]
    eta = X @ [1.0, -2.0, 3.0]
    y = eta + 4.0 + rng.normal(size=n)
    names = given(X, y, 0.3) | {"r": 0.4, "c": 0.2, "q": 0.3, "e": 1.5}
    names["w"] = rng.integers(1, 5, n).astype(float)
    names["label"] = (0.3 * (eta - eta.mean()) + rng.logistic(size=n) > 0).astype(float)
    names["kind"] = (0.3 * np.column_stack([eta, -eta, X[:, 0]]) + rng.gumbel(size=(n, 3))).argmax(axis=1)
    names["count"] = rng.poisson(np.exp(0.1 * eta)).astype(float)
    names["amount"] = np.exp(0.1 * eta) * rng.gamma(3.0, size=n)
    names["Y"] = np.column_stack([y, 0.5 * X[:, 0] + rng.normal(size=n)])
    return names


def given(X: Array, y: Array, a: float) -> Given:
    """The names of the table."""
    return {"X": X, "y": y, "a": a, "n": len(y), "ones": np.column_stack([np.ones(len(y)), X]), "tl": tl}


def here(cell: str, names: Given) -> Array:
    """Coefficients of a right cell, the intercept first."""
    fit = eval(cell.strip("`"), names)
    return (
        fit.coef.numpy()
        if "intercept=False" in cell
        else np.concatenate([fit.intercept.numpy()[None], fit.coef.numpy()])
    )


def scikit_learn(name: str, target: str, **options: object) -> Callable[[Given], Array]:
    """An estimator of scikit-learn; options are values or names of the table."""

    def run(names: Given) -> Array:
        known = {key: names[value] if value in list("arcqe") else value for key, value in options.items()}
        weight = {"sample_weight": names[known.pop("weight")]} if "weight" in known else {}
        module = sklearn.svm if hasattr(sklearn.svm, name) else sklearn.linear_model
        model = getattr(module, name)(**known)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(names["X"], names[target], **weight)
        return np.vstack([np.atleast_1d(model.intercept_), np.atleast_2d(model.coef_).T]).squeeze()

    return run


def statsmodels(make: Callable[[Given], object]) -> Callable[[Given], Array]:
    """A result of statsmodels."""
    return lambda names: np.asarray(make(names).params)


def trained(
    make: Callable[[nn.Linear], optim.Optimizer], target: str = "y", criterion: nn.Module | None = None
) -> Callable[[Given], Array]:
    """torch's own loop with steps that shrink to zero; coefficients with the bias first."""

    def run(names: Given) -> Array:
        X, goal = torch.from_numpy(names["X"]), torch.from_numpy(names[target])
        classes = not goal.is_floating_point()
        model = nn.Linear(X.shape[1], 3 if classes else 1).double()
        optimizer, loss, steps = make(model), criterion or nn.MSELoss(), 4000
        scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
        for _ in range(steps):
            optimizer.zero_grad()
            loss(model(X), goal if classes else goal[:, None]).backward()
            optimizer.step()
            scheduler.step()
        return torch.cat([model.bias[None], model.weight.T]).detach().numpy().squeeze()

    return run


def weight_alone(model: nn.Linear) -> optim.Optimizer:
    return optim.SGD([{"params": [model.weight], "weight_decay": 0.3}, {"params": [model.bias]}], lr=0.05)


def sgd(model: nn.Linear) -> optim.Optimizer:
    return optim.SGD(model.parameters(), lr=0.05, weight_decay=0.3)


def fast(model: nn.Linear) -> optim.Optimizer:
    return optim.SGD(model.parameters(), lr=0.3, weight_decay=0.3)


TIGHT = {"tol": 1e-12, "max_iter": 100_000}
LIBLINEAR = {"tol": 1e-8, "max_iter": 1_000_000}  # with 1e-12 rounding keeps it from ever stopping
LIBSVM = {"kernel": "linear", "tol": 1e-12}
EPOCHS = {"tol": None, "max_iter": 100_000, "average": 1_000_000, "random_state": 0}
SHRINKING = {"learning_rate": "invscaling", "eta0": 1.0, "power_t": 0.6}
ELSEWHERE: dict[str, tuple[Callable[[Given], Array], float]] = {
    "scikit-learn: `Ridge(alpha=a).fit(X, y)`": (scikit_learn("Ridge", "y", alpha="a"), CLOSED),
    "scikit-learn: `Ridge(alpha=a).fit(X, y, sample_weight=w)`": (
        scikit_learn("Ridge", "y", alpha="a", weight="w"),
        CLOSED,
    ),
    "scikit-learn: `Lasso(alpha=a).fit(X, y)`": (scikit_learn("Lasso", "y", alpha="a", **TIGHT), ITERATED),
    "scikit-learn: `ElasticNet(alpha=a, l1_ratio=r).fit(X, y)`": (
        scikit_learn("ElasticNet", "y", alpha="a", l1_ratio="r", **TIGHT),
        ITERATED,
    ),
    "scikit-learn: `LogisticRegression(C=c).fit(X, label)`": (
        scikit_learn("LogisticRegression", "label", C="c", **TIGHT),
        ITERATED,
    ),
    'scikit-learn: `LogisticRegression(C=c, l1_ratio=r, solver="saga").fit(X, label)`': (
        scikit_learn("LogisticRegression", "label", C="c", l1_ratio="r", solver="saga", **TIGHT),
        ITERATED,
    ),
    "scikit-learn: `LogisticRegression(C=c).fit(X, kind)`": (
        scikit_learn("LogisticRegression", "kind", C="c", **TIGHT),
        STEPPED,
    ),
    "scikit-learn: `PoissonRegressor(alpha=a).fit(X, count)`": (
        scikit_learn("PoissonRegressor", "count", alpha="a", solver="newton-cholesky", tol=1e-10),
        ITERATED,
    ),
    "scikit-learn: `GammaRegressor(alpha=a).fit(X, amount)`": (
        scikit_learn("GammaRegressor", "amount", alpha="a", solver="newton-cholesky", tol=1e-10),
        ITERATED,
    ),
    "scikit-learn: `TweedieRegressor(power=1.5, alpha=a).fit(X, amount)`": (
        scikit_learn("TweedieRegressor", "amount", power=1.5, alpha="a", solver="newton-cholesky", tol=1e-10),
        ITERATED,
    ),
    "scikit-learn: `QuantileRegressor(quantile=q, alpha=a).fit(X, y)`": (
        scikit_learn("QuantileRegressor", "y", quantile="q", alpha="a"),
        ITERATED,
    ),
    "scikit-learn: `HuberRegressor(epsilon=e, alpha=0).fit(X, y)`": (
        scikit_learn("HuberRegressor", "y", epsilon="e", alpha=0.0, tol=1e-10, max_iter=10_000),
        STEPPED,
    ),
    "scikit-learn: `MultiTaskLasso(alpha=a).fit(X, Y)`": (
        scikit_learn("MultiTaskLasso", "Y", alpha="a", **TIGHT),
        ITERATED,
    ),
    "scikit-learn: `LinearSVC(C=c).fit(X, label)`": (
        scikit_learn("LinearSVC", "label", C="c", **LIBLINEAR),
        STEPPED,
    ),
    'scikit-learn: `LinearSVC(C=c, loss="hinge").fit(X, label)`': (
        scikit_learn("LinearSVC", "label", C="c", loss="hinge", **LIBLINEAR),
        STEPPED,
    ),
    'scikit-learn: `LinearSVC(C=c, penalty="l1", dual=False).fit(X, label)`': (
        scikit_learn("LinearSVC", "label", C="c", penalty="l1", dual=False, **LIBLINEAR),
        STEPPED,
    ),
    'scikit-learn: `SVC(kernel="linear", C=c).fit(X, label)`': (
        scikit_learn("SVC", "label", C="c", **LIBSVM),
        STEPPED,
    ),
    "scikit-learn: `LinearSVR(C=c, epsilon=e).fit(X, y)`": (
        scikit_learn("LinearSVR", "y", C="c", epsilon="e", **LIBLINEAR),
        STEPPED,
    ),
    'scikit-learn: `SVR(kernel="linear", C=c, epsilon=e).fit(X, y)`': (
        scikit_learn("SVR", "y", C="c", epsilon="e", **LIBSVM),
        STEPPED,
    ),
    'scikit-learn: `SGDClassifier(loss="hinge", alpha=a).fit(X, label)`': (
        scikit_learn("SGDClassifier", "label", loss="hinge", alpha="a", **EPOCHS, **SHRINKING),
        2 * NOISY,  # no curvature holds the intercept
    ),
    'scikit-learn: `SGDClassifier(loss="log_loss", alpha=a).fit(X, label)`': (
        scikit_learn("SGDClassifier", "label", loss="log_loss", alpha="a", **EPOCHS),
        NOISY,
    ),
    "scikit-learn: `SGDRegressor(alpha=a).fit(X, y)`": (
        scikit_learn("SGDRegressor", "y", alpha="a", **EPOCHS),
        NOISY,
    ),
    "SciPy: `nnls(X, y)`": (lambda names: scipy.optimize.nnls(names["X"], names["y"])[0], CLOSED),
    "statsmodels: `OLS(y, ones).fit_regularized(alpha=a, L1_wt=0)`": (
        statsmodels(lambda m: sm.OLS(m["y"], m["ones"]).fit_regularized(alpha=m["a"], L1_wt=0)),
        CLOSED,
    ),
    "statsmodels: `Logit(label, ones).fit()`": (
        statsmodels(lambda m: sm.Logit(m["label"], m["ones"]).fit(disp=0, tol=1e-12)),
        ITERATED,
    ),
    "statsmodels: `GLM(count, ones, Poisson(), exposure=w).fit()`": (
        statsmodels(lambda m: sm.GLM(m["count"], m["ones"], Poisson(), exposure=m["w"]).fit(tol=1e-13)),
        ITERATED,
    ),
    "statsmodels: `GLM(count, ones, NegativeBinomial(alpha=a)).fit()`": (
        statsmodels(lambda m: sm.GLM(m["count"], m["ones"], NegativeBinomial(alpha=m["a"])).fit(tol=1e-13)),
        ITERATED,
    ),
    "statsmodels: `QuantReg(y, ones).fit(q=q)`": (
        statsmodels(lambda m: QuantReg(m["y"], m["ones"]).fit(q=m["q"], p_tol=1e-9, max_iter=100_000)),
        1e-4,  # reweighted least squares near the vertex, which ends in cycles
    ),
    "torch, `MSELoss`: `SGD(model.parameters(), lr, weight_decay=a)`": (trained(sgd), STEPPED),
    "torch, `MSELoss`: `Adam(model.parameters(), lr, weight_decay=a)`": (
        trained(lambda model: optim.Adam(model.parameters(), lr=0.05, weight_decay=0.3)),
        STEPPED,
    ),
    "torch, `MSELoss`: `SGD`, with `weight_decay=a` for the weight alone": (trained(weight_alone), STEPPED),
    "torch, `BCEWithLogitsLoss`: `SGD(model.parameters(), lr, weight_decay=a)`": (
        trained(fast, "label", nn.BCEWithLogitsLoss()),
        STEPPED,
    ),
    "torch, `CrossEntropyLoss`: `SGD(model.parameters(), lr, weight_decay=a)`": (
        trained(fast, "kind", nn.CrossEntropyLoss()),
        STEPPED,
    ),
}
GLMNET = {  # cases of R: the target's name, and the files
    "glmnet: `glmnet(X, y, alpha=0, lambda=a, standardize=FALSE)`": ("y", ["swiss_gaussian_a0_raw"]),
    "glmnet, as it is by default: `glmnet(X, y, alpha=0, lambda=a)`": ("y", ["swiss_gaussian_a0_std"]),
    "glmnet, as it is by default: `glmnet(X, y, alpha=1, lambda=a)`": ("y", ["swiss_gaussian_a1_std"]),
    'glmnet: `glmnet(X, label, family="binomial", alpha=r, lambda=a)`': (
        "label",
        [f"birthwt_binomial_a{mix}" for mix in ("0", "0.5", "1")],
    ),
    'glmnet: `glmnet(X, count, family="poisson", alpha=r, lambda=a)`': (
        "count",
        [f"quine_poisson_a{mix}" for mix in ("0", "0.5", "1")],
    ),
}
ADAMW = "torch: `AdamW(model.parameters(), lr, weight_decay=a)`"


def test_every_line_is_tested() -> None:
    assert [left for left, _ in LINES] == [left for left, _ in LINES if left in {*ELSEWHERE, *GLMNET, ADAMW}]
    assert len({left for left, _ in LINES}) == len(LINES) == len(ELSEWHERE) + len(GLMNET) + 1


def test_both_languages_say_the_same() -> None:
    code = [
        [
            re.findall(r"`[^`]+`", f"{left} {right}")
            for left, right in lines(f"docs/{language}/conversions.md")
        ]
        for language in ("en", "zh")
    ]
    assert code[0] == code[1]


@pytest.mark.parametrize("left", ELSEWHERE)
def test_other_libraries(left: str) -> None:
    run, tolerance = ELSEWHERE[left]
    names, cell = rows(), dict(LINES)[left]
    got = here(cell, names)
    np.testing.assert_allclose(got, run(names), rtol=tolerance, atol=tolerance * np.abs(got).max())
    # A strength of another meaning would be seen: each number of the cell moves the answer by more.
    for name in set(re.findall(r"\b[arcqe]\b", cell)):
        moved = here(cell, names | {name: 1.5 * names[name]})
        assert np.abs(moved - got).max() > 5 * tolerance * np.abs(got).max()


@pytest.mark.parametrize("left", GLMNET)
def test_glmnet(left: str) -> None:
    target, cases = GLMNET[left]
    for case in cases:
        truth = json.loads((ROOT / "tests" / "truth" / "r" / f"enet_{case}.json").read_text())
        X, y = np.array(truth["X"]), np.array(truth["y"])
        names = given(X, y, 0.0) | {target: y, "r": float(truth["alpha"])}
        for strength, by_r, exact in zip(truth["lambda"], truth["coef"], truth["exact25"], strict=True):
            got = here(dict(LINES)[left], names | {"a": strength})
            want = np.array([float(value) for value in exact["coef"]])
            np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)
            # Where glmnet's own descent stopped.
            np.testing.assert_allclose(got, by_r, rtol=1e-6, atol=1e-8)


def test_adamw_has_no_counterpart() -> None:
    names = rows()
    small = trained(lambda model: optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.3))(names)
    large = trained(lambda model: optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.3))(names)
    assert np.abs(small / large - 1).max() > 1e-3
    for cell in ("tl.fit(ones, y, intercept=False, penalty=tl.L2(a))", "tl.fit(X, y, penalty=tl.L2(a))"):
        assert np.abs(large / here(cell, names) - 1).max() > 1e-2


@pytest.mark.parametrize("number", range(13))
def test_our_estimators_agree_with_the_table(number: int) -> None:
    left, cell = LINES[number]
    names = rows()
    call = re.search(r"`(.+)`", left)
    assert call is not None
    model = eval(f"tl.{call[1]}", names)
    got = np.vstack([np.atleast_1d(model.intercept_), np.atleast_2d(model.coef_).T]).squeeze()
    np.testing.assert_allclose(got, here(cell, names), rtol=1e-7, atol=1e-8)
