"""Logistic and Poisson regression, 1,000,000 x 50, against scikit-learn, glum and statsmodels.

Everybody minimises the mean loss without a penalty until it is within a share of 1e-8 of the least; looser
settings of the peers were chosen as far as they still reach that. `--quick` leaves out statsmodels, which takes half
a minute each time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from statistics import median
from typing import Any

import glum
import numpy as np
import sklearn.linear_model as reference
import statsmodels.api as sm
from harness import Side, race, seconds
from numpy.typing import NDArray

import torchlinear as tl

ROWS, COLUMNS = 1_000_000, 50
GAP = 1e-8
Array = NDArray[np.float64]


def data(family: str) -> tuple[Array, Array]:
    """Columns that correlate, and targets of the family."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, COLUMNS))
    X += 0.5 * rng.normal(size=(ROWS, 1))
    eta = X @ (rng.normal(size=COLUMNS) / (2 * np.sqrt(COLUMNS))) + 0.5
    if family == "poisson":
        return X, rng.poisson(np.exp(eta)).astype(np.float64)
    return X, (rng.uniform(size=ROWS) < 1 / (1 + np.exp(-eta))).astype(np.float64)


def mean_loss(family: str, X: Array, y: Array, coef: Array) -> float:
    """Mean negative log-likelihood, up to a constant, at the coefficients with the intercept first."""
    eta = X @ coef[1:] + coef[0]
    return float(np.mean((np.exp(eta) if family == "poisson" else np.logaddexp(0.0, eta)) - y * eta))


def sides(family: str, X: Array, y: Array) -> dict[str, Callable[[], Array]]:
    """What is timed: each fits and returns its coefficients, the intercept first."""

    def full() -> Array:
        fit = tl.fit(X, y, loss="logistic" if family == "binomial" else family)
        return np.append(fit.intercept.item(), fit.coef.numpy())

    def scikit(model: Any) -> Callable[[], Array]:
        return lambda: (fit := model.fit(X, y)) and np.append(fit.intercept_, fit.coef_)

    options: dict[str, Any] = {"solver": "newton-cholesky", "max_iter": 100}
    theirs: dict[str, Any] = {
        "binomial": reference.LogisticRegression(C=np.inf, tol=1e-4, **options),
        "poisson": reference.PoissonRegressor(alpha=0, tol=1e-4, **options),
    }
    lbfgs: dict[str, Any] = {
        "binomial": reference.LogisticRegression(C=np.inf, tol=1e-5, max_iter=1000),
        "poisson": reference.PoissonRegressor(alpha=0, tol=1e-5, max_iter=1000),
    }
    quick = glum.GeneralizedLinearRegressor(family=family, alpha=0, gradient_tol=1e-4)
    families = {"binomial": sm.families.Binomial(), "poisson": sm.families.Poisson()}
    ours = {"binomial": tl.LogisticRegression(C=np.inf), "poisson": tl.PoissonRegressor(alpha=0)}[family]
    return {
        f"torchlinear {type(ours).__name__}": scikit(ours),
        "torchlinear fit, standard errors too": full,
        "scikit-learn newton-cholesky": scikit(theirs[family]),
        "scikit-learn lbfgs": scikit(lbfgs[family]),
        "glum": scikit(quick),
        "statsmodels GLM": lambda: np.asarray(sm.GLM(y, sm.add_constant(X), families[family]).fit().params),
    }


def main(families: list[str], *, quick: bool) -> None:
    goals = {
        "binomial": ("logistic regression", "at least 3"),
        "poisson": ("Poisson regression", "at least 2"),
    }
    for family in families:
        X, y = data(family)
        title, goal = goals[family]
        works = sides(family, X, y)
        if quick:
            del works["statsmodels GLM"]
        losses = {name: mean_loss(family, X, y, work()) for name, work in works.items()}
        least = min(losses.values())
        for name, loss in losses.items():
            share = (loss - least) / abs(least)
            print(f"  {name}: objective above the least by a share of {share:.1e}")
            assert share <= GAP, name
        full = works.pop("torchlinear fit, standard errors too")
        timed = [Side(name, work, 1 if name == "statsmodels GLM" else 3) for name, work in works.items()]
        race(f"{title}, {ROWS:,} x {COLUMNS}", *timed, goal=goal, file=f"glm_{family}")
        print(f"  tl.fit, with standard errors: {1e3 * median(seconds(full) for _ in range(3)):.0f} ms\n")


if __name__ == "__main__":
    named = [name for name in sys.argv[1:] if name != "--quick"]
    main(named or ["binomial", "poisson"], quick="--quick" in sys.argv)
