"""How well a fit by maximum likelihood describes its targets, in R's conventions.

    deviance explained = 1 - deviance / null deviance,    AIC = -2 log L + 2 m,    BIC = -2 log L + m log n

where m counts the coefficients (of a softmax, of all classes but one). The log-likelihood is known where the dispersion
is (Poisson, binomial, negative binomial, softmax), elsewhere it is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torchlinear.inference.covariance import dispersion, observations, residual_df
from torchlinear.information import Information
from torchlinear.solution import Solution

__all__ = ["Likelihood", "likelihood"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How well a fit by maximum likelihood describes each target.

    Attributes
    ----------
    observations : float
        n; the sum of the weights when they are frequencies.
    model_df, residual_df : float
        Independent features; degrees of freedom left for the residuals.
    dispersion : ndarray, shape (k,)
        Pearson's estimate, or 1 where the family knows it.
    deviance, null_deviance : ndarray, shape (k,)
        Of the fit, and of the intercept alone.
    explained : ndarray, shape (k,)
        Share of the null deviance that is explained.
    pearson : ndarray, shape (k,)
        Pearson's chi-squared.
    log_likelihood, aic, bic : ndarray, shape (k,)
        In R's conventions.
    """

    observations: float
    model_df: float
    residual_df: float
    dispersion: Array
    deviance: Array
    null_deviance: Array
    explained: Array
    pearson: Array
    log_likelihood: Array
    aic: Array
    bic: Array


def likelihood(solution: Solution, known: Information) -> Likelihood:
    """Everything that a fit by maximum likelihood says about itself as a whole."""
    n, rank = observations(solution, known), float(known.rank)
    count = known.sets * (rank + int(solution.intercept))
    with np.errstate(divide="ignore", invalid="ignore"):  # a constant target
        explained = 1.0 - known.deviance / known.null_deviance
    return Likelihood(
        observations=n,
        model_df=known.sets * rank,
        residual_df=residual_df(solution, known),
        dispersion=dispersion(solution, known),
        deviance=known.deviance,
        null_deviance=known.null_deviance,
        explained=explained,
        pearson=known.pearson,
        log_likelihood=known.log_likelihood,
        aic=2.0 * (count - known.log_likelihood),
        bic=count * np.log(n) - 2.0 * known.log_likelihood,
    )
