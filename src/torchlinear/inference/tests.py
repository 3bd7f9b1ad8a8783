"""Tests of the coefficients and of the whole fit.

    t = coef / se on df degrees of freedom,    F = (tss - rss) / rank / sigma^2,    R2 = 1 - rss / tss

tss is taken about the mean when there is an intercept and about zero when there is none, for R2 and F
alike, as in R's `summary.lm` and the NIST reference data. With precision weights the log-likelihood is that
of independent normal errors with variances sigma^2 / w_i at the maximum-likelihood sigma^2 = rss / n:

    -n / 2 (log(2 pi rss / n) + 1) + 1 / 2 sum log w_i,    AIC = -2 log L + 2 m,    BIC = -2 log L + m log n

where m counts the coefficients *and* sigma, as R's `AIC` and `BIC` do. statsmodels leaves sigma out of m,
so that its AIC is 2 lower and its BIC log n lower; differences between fits on the same rows are equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincc, gammaincc, ndtri, stdtrit

from torchlinear.errors import InvalidInput
from torchlinear.inference.covariance import observations, residual_df, sigma
from torchlinear.leastsquares import LeastSquares
from torchlinear.solution import Solution

__all__ = ["Quality", "critical", "f_probability", "quality", "t_probability"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a least-squares fit describes each target.

    Attributes
    ----------
    observations : float
        n; the sum of the weights when they are frequencies.
    model_df, residual_df : float
        Independent features; degrees of freedom left for the residuals.
    sigma : ndarray, shape (k,)
        Residual standard error, in units of the targets.
    rmse : ndarray, shape (k,)
        Root of the weighted mean of the squared residuals.
    r2, adjusted_r2 : ndarray, shape (k,)
        Share of the variation explained; the same with mean squares in place of sums.
    f, f_p : ndarray, shape (k,)
        F statistic of all features together, and its p.
    log_likelihood, aic, bic : ndarray, shape (k,)
        In R's conventions.
    """

    observations: float
    model_df: float
    residual_df: float
    sigma: Array
    rmse: Array
    r2: Array
    adjusted_r2: Array
    f: Array
    f_p: Array
    log_likelihood: Array
    aic: Array
    bic: Array


def t_probability(t: Array, df: float) -> Array:
    """Two-sided p of t on `df` degrees of freedom, any shape; NaN where t is."""
    with np.errstate(over="ignore"):
        return f_probability(np.square(t), 1.0, df)


def f_probability(f: Array, model_df: float, df: float) -> Array:
    """Upper tail of F on `model_df` and `df` degrees of freedom, any shape; NaN where f is."""
    if not (df > 0 and model_df > 0):
        return np.full(np.shape(f), np.nan)
    if df == math.inf:
        return np.asarray(gammaincc(model_df / 2.0, np.asarray(f) * (model_df / 2.0)))
    with np.errstate(divide="ignore"):
        ratio = np.asarray(f) * (model_df / df)
        # one tail of the beta distribution, written so that its argument is never close to 1
        near = betaincc(model_df / 2.0, df / 2.0, 1.0 / (1.0 + 1.0 / ratio))
        far = betainc(df / 2.0, model_df / 2.0, 1.0 / (1.0 + ratio))
    return np.asarray(np.where(ratio < 1.0, near, far))


def critical(level: float, df: float) -> float:
    """Half-width of an interval in standard errors, from Student's t; NaN without degrees of freedom."""
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0.0 < level < 1.0:
        raise InvalidInput(
            f"the level of an interval is a number between 0 and 1, such as 0.95; got {level!r}."
        )
    if df == math.inf:
        return float(ndtri((1.0 + level) / 2.0))
    return float(stdtrit(df, (1.0 + level) / 2.0)) if df > 0 else float("nan")


def quality(solution: Solution, known: LeastSquares) -> Quality:
    """Everything that a least-squares fit says about itself as a whole.

    Parameters
    ----------
    solution : Solution
        The fit.
    known : LeastSquares
        Its evidence.
    """
    n, df, rank = observations(solution, known), residual_df(solution, known), float(known.rank)
    deviation = sigma(solution, known)
    with np.errstate(divide="ignore", invalid="ignore"):  # a perfect fit, a constant target, no df
        r2 = 1.0 - known.rss / known.tss
        f = (known.tss - known.rss) / rank / np.square(deviation) if rank else np.full_like(r2, np.nan)
        spread = n - int(solution.intercept)
        adjusted = 1.0 - (1.0 - r2) * (spread / df) if df > 0 else np.full_like(r2, np.nan)
        log_weights = 0.0 if solution.weight_type == "frequency" else known.log_weight
        likelihood = 0.5 * (log_weights - n * (np.log(2.0 * np.pi * known.rss / n) + 1.0))
    if not df > 0:  # any rows can be met exactly, which says nothing of their likelihood
        likelihood = np.full_like(r2, np.nan)
    count = rank + int(solution.intercept) + 1.0
    return Quality(
        observations=n,
        model_df=rank,
        residual_df=df,
        sigma=deviation,
        rmse=np.sqrt(known.rss / known.weight),
        r2=r2,
        adjusted_r2=adjusted,
        f=f,
        f_p=f_probability(f, rank, df),
        log_likelihood=likelihood,
        aic=2.0 * (count - likelihood),
        bic=count * np.log(n) - 2.0 * likelihood,
    )
