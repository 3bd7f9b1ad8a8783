"""Generalised linear models against R's and Stata's results in the statsmodels wheel.

Those are printed to some digits, and the programs stopped early. So each fit agrees with the printed numbers as
far as these go, and to ten digits with the root of the likelihood equations, which is found from the printed
numbers on, in extended precision.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray

import torchlinear as tl
from torchlinear.losses.base import Loss

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from statsmodels.discrete.tests.results import results_discrete as discrete
    from statsmodels.genmod.tests.results import results_glm as glm
    from statsmodels.genmod.tests.results import results_glm_poisson_weights as poisson
    from statsmodels.regression.tests.results import results_regression as regression

Array = NDArray[np.float64]
Long = NDArray[np.longdouble]

DIGITS = 1e-10


@dataclass
class Case:
    """A published regression; `reached` is how far its coefficients are from the likelihood equations' root."""

    name: str
    loss: str | Loss
    link: str
    X: Any
    y: Any
    results: Any
    reached: float
    weights: Any = None
    offset: Any = None
    coef: Array = field(init=False)

    def __post_init__(self) -> None:
        self.X, self.y = np.asarray(self.X, dtype=float), np.asarray(self.y, dtype=float)
        self.weights = np.ones(len(self.y)) if self.weights is None else np.asarray(self.weights, dtype=float)
        self.offset = np.zeros(len(self.y)) if self.offset is None else np.asarray(self.offset, dtype=float)
        self.coef = np.asarray(self.results.params, dtype=float)


def last(X: Any) -> Any:
    return sm.add_constant(X, prepend=False)


def cases() -> Iterator[Case]:
    yield from gaussian()
    yield from binomial()
    yield from counts()
    yield from positive()
    yield from tweedie()


def gaussian() -> Iterator[Case]:
    longley, card = (getattr(sm.datasets, name).load_pandas() for name in ("longley", "ccard"))
    yield Case(
        "longley", "gaussian", "identity", last(longley.exog), longley.endog, regression.Longley(), 1e-13
    )
    yield Case(
        "ccard", "gaussian", "identity", last(card.exog), card.endog, regression.CCardWLS(), 1e-11,
        weights=1.0 / card.exog["INCOMESQ"],
    )  # fmt: skip
    x = np.arange(100)
    X, random = np.column_stack([np.ones(100), x, x**2]), np.random.RandomState(54321)
    y = np.exp(1.0 - 0.02 * x - 0.0001 * x**2) + 0.001 * random.randn(100)
    yield Case("gaussian log", "gaussian", "log", X, y, glm.GaussianLog(), 1e-8)
    y = 1.0 / (1.0 + 0.02 * x + 0.001 * x**2) + 0.001 * random.randn(100)
    yield Case("gaussian inverse", "gaussian", "inverse", X, y, glm.GaussianInverse(), 1e-5)


def binomial() -> Iterator[Case]:
    star, births, spector = sm.datasets.star98.load_pandas(), glm.Lbw(), sm.datasets.spector.load_pandas()
    trials, X = star.endog.sum(axis=1), last(spector.exog)
    yield Case(
        "star98", "binomial", "logit", last(star.exog), star.endog.iloc[:, 0] / trials, glm.Star98(), 1e-7,
        weights=trials,
    )  # fmt: skip
    yield Case("lbw", "binomial", "logit", births.exog, births.endog, births, 1e-6)
    yield Case("spector logit", "logistic", "logit", X, spector.endog, discrete.Spector.logit, 1e-6)
    yield Case("spector probit", "binomial", "probit", X, spector.endog, discrete.Spector.probit, 1e-6)


def counts() -> Iterator[Case]:
    crime, health = sm.datasets.cpunish.load_pandas(), sm.datasets.randhie.load_pandas()
    X = crime.exog.copy()
    X.iloc[:, 3] = np.log(X.iloc[:, 3])
    frequencies = np.repeat([1, 2, 3, 1, 2, 3], [3, 3, 3, 3, 3, 2])
    stata = poisson.results_poisson_none_nonrobust, poisson.results_poisson_fweight_nonrobust
    yield Case("cpunish", "poisson", "log", last(X), crime.endog, glm.Cpunish(), 1e-6)
    yield Case(
        "cpunish offset", "poisson", "log", sm.add_constant(X), crime.endog, glm.Cpunish_offset(), 1e-6,
        offset=np.full(len(X), np.log(100.0)),
    )  # fmt: skip
    yield Case("cpunish stata", "poisson", "log", last(X), crime.endog, stata[0], 1e-5)
    yield Case("cpunish weights", "poisson", "log", last(X), crime.endog, stata[1], 1e-5, weights=frequencies)
    yield Case("randhie", "poisson", "log", last(health.exog), health.endog, discrete.RandHIE.poisson, 1e-6)
    committee = sm.datasets.committee.load_pandas()
    X = committee.exog.copy()
    X.iloc[:, 2] = np.log(X.iloc[:, 2])
    X["both"] = X.iloc[:, 2] * X.iloc[:, 1]
    loss = tl.NegativeBinomial(theta=1.0)
    yield Case("committee", loss, "log", last(X), committee.endog, glm.Committee(), 1e-3)


def positive() -> Iterator[Case]:
    votes, stays = sm.datasets.scotland.load_pandas(), glm.Medpar1()
    by_log, by_identity, times, times_log = (
        glm.CancerLog(),
        glm.CancerIdentity(),
        glm.InvGauss(),
        glm.InvGaussLog(),
    )
    yield Case("scotland", "gamma", "inverse", last(votes.exog), votes.endog, glm.Scotvote(), 1e-6)
    yield Case("cancer log", "gamma", "log", by_log.exog, by_log.endog, by_log, 1e-4)
    yield Case("cancer identity", "gamma", "identity", by_identity.exog, by_identity.endog, by_identity, 1e-4)
    yield Case("wald", "inverse_gaussian", "inverse_squared", times.exog, times.endog, times, 1e-6)
    yield Case("wald log", "inverse_gaussian", "log", times_log.exog, times_log.endog, times_log, 1e-4)
    yield Case(
        "wald identity", "inverse_gaussian", "identity", stays.exog, stays.endog, glm.InvGaussIdentity(), 2e-4
    )


def tweedie() -> Iterator[Case]:
    crime, affairs = sm.datasets.cpunish.load_pandas(), sm.datasets.fair.load_pandas()
    X, y = crime.exog[["INCOME", "SOUTH"]], crime.endog
    yield Case(
        "tweedie 1.5", tl.Tweedie(1.5, "identity"), "identity", X, y, glm.CpunishTweediePower15(), 1e-5
    )
    yield Case("tweedie 2", tl.Tweedie(2.0, "identity"), "identity", X, y, glm.CpunishTweediePower2(), 1e-11)
    yield Case("tweedie 1", tl.Tweedie(1.0), "log", X, y, glm.CpunishTweedieLog1(), 1e-12)
    X = affairs.exog[["rate_marriage", "age", "yrs_married"]]
    yield Case("fair", tl.Tweedie(1.5), "log", X, affairs.endog, glm.FairTweedieLog15(), 1e-4)


CASES = {case.name: case for case in cases()}

MEANS: dict[str, Callable[[Long], tuple[Long, Long]]] = {  # mu and d mu / d eta
    "identity": lambda eta: (eta, np.ones_like(eta)),
    "log": lambda eta: (np.exp(eta), np.exp(eta)),
    "inverse": lambda eta: (1 / eta, -1 / eta**2),
    "inverse_squared": lambda eta: (eta ** np.longdouble(-0.5), -(eta ** np.longdouble(-1.5)) / 2),
    "logit": lambda eta: (1 / (1 + np.exp(-eta)), 1 / (2 + np.exp(eta) + np.exp(-eta))),
    "probit": lambda eta: (extended(mp.ncdf, eta), extended(mp.npdf, eta)),
}


def extended(function: Callable[[Any], Any], eta: Long) -> Long:
    with mp.workdps(25):
        return np.array([np.longdouble(str(function(mp.mpf(str(x))))) for x in eta])


def variance(case: Case, mean: Long) -> Long:
    if isinstance(case.loss, tl.Tweedie):
        return mean ** np.longdouble(case.loss.power)
    if isinstance(case.loss, tl.NegativeBinomial):
        return mean + mean**2
    powers = {"gaussian": 0, "poisson": 1, "gamma": 2, "inverse_gaussian": 3}
    return mean ** powers[case.loss] if case.loss in powers else mean * (1 - mean)


def root(case: Case) -> Array:
    """Where sum w (y - mu) mu' / V x is 0: Fisher scoring whose sums are of 64 bits of mantissa, from `coef`."""
    scale = np.abs(case.X).max(axis=0)
    X = (case.X / scale).astype(np.longdouble)
    coef = case.coef[: X.shape[1]] * scale.astype(np.longdouble)
    for _ in range(500):
        mean, slope = MEANS[case.link](X @ coef + case.offset)
        v = variance(case, mean)
        score = X.T @ (case.weights * (case.y - mean) * slope / v)
        half = np.asarray(X * np.sqrt(case.weights * slope**2 / v)[:, None], dtype=float)
        R = np.linalg.qr(half, mode="r")
        step = np.linalg.solve(R, np.linalg.solve(R.T, score.astype(float)))
        coef = coef + step
        if np.abs(step).max() <= 1e-17 * np.abs(coef).max():
            break
    return np.asarray(coef / scale, dtype=float)


def test_all_the_cases_are_there() -> None:
    assert len(CASES) == 24


@pytest.fixture(params=CASES)
def case(request: Any) -> Case:
    return CASES[request.param]


def test_coefficients(case: Case) -> None:
    constant = (case.X == 1).all(axis=0)
    link = {"link": case.link} if isinstance(case.loss, str) else {}
    offset = {"offset": case.offset} if case.offset.any() else {}
    fit = tl.fit(
        case.X[:, ~constant], case.y, loss=case.loss, weights=case.weights, intercept=bool(constant.any()),
        **link, **offset,
    )  # fmt: skip
    assert fit.status is tl.Status.CONVERGED
    found = np.empty(case.X.shape[1])
    found[~constant] = np.ravel(fit.coef)
    found[constant] = np.ravel(fit.intercept)[: constant.sum()]
    count = len(case.coef[: len(found)])
    np.testing.assert_allclose(found[:count], case.coef[:count], rtol=case.reached)
    np.testing.assert_allclose(found, root(case), rtol=DIGITS)
