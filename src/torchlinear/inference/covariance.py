"""Covariance of the coefficients.

With the inverse ``S = ([X, 1]' W [X, 1])^-1`` of a least-squares fit and n observations,

    df = n - rank - intercept,    sigma^2 = rss / df,    classical covariance = sigma^2 S.

n counts the rows with a weight above zero when weights are precisions (inverse variances up to a factor),
and is the sum of the weights when they are frequencies (how many equal rows each row stands for).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from torchlinear.errors import InvalidInput
from torchlinear.information import Information
from torchlinear.leastsquares import LeastSquares
from torchlinear.loop import Status
from torchlinear.losses.absolute import Absolute
from torchlinear.losses.huber import Huber
from torchlinear.losses.quantile import Quantile
from torchlinear.sandwich import Sandwich
from torchlinear.solution import Solution

__all__ = [
    "classical",
    "dispersion",
    "evidence",
    "observations",
    "refusal",
    "residual_df",
    "sigma",
    "standard_errors",
    "types",
]

Array = NDArray[np.float64]

BOUNDS = ("Box(", "NonNegative(")  # penalties that are constraints, as summaries print them
UNBIASED = ("none", "Firth()")
OPTIMUM = 1e-6  # largest certificate at which the errors of the optimum are also those of the fit


def refusal(solution: Solution) -> str | None:
    """Why standard errors do not apply to `solution`, one sentence with the remedy; None when they do."""
    if solution.status is Status.SEPARATED:
        return str(solution.status.value)
    if solution.known is None and solution.penalty == "none":
        return _unknown(solution)
    if any(name in solution.penalty for name in BOUNDS):
        return (
            f"{solution.penalty} keeps the coefficients within bounds, and classical standard errors and p-values "
            "do not hold where one may end at its bound; fit without bounds to have them."
        )
    if solution.penalty not in UNBIASED:
        return (
            f"{solution.penalty} pulls the coefficients towards zero on purpose, and classical standard "
            "errors and p-values know nothing of that bias; fit without a penalty to have them."
        )
    if not solution.certificate <= OPTIMUM:
        return (
            "they belong to the exact least-squares solution, and this fit stopped short of it "
            f"(certificate {solution.certificate:.1e}, at most {OPTIMUM:.0e} wanted); run more epochs, or "
            "solver='auto'."
        )
    return None


def _unknown(solution: Solution) -> str:
    """Why a fit without a penalty knows nothing of its standard errors."""
    family = solution.family
    if family is not None and not family.separable:
        return (
            "the classes share one matrix, and it has no inverse (columns depend on one another) or too many "
            "coefficients; leave columns out."
        )
    if isinstance(family, (Huber, Quantile, Absolute)) and solution.weight_type == "precision":
        return (
            f"of {solution.loss} they need to know how many rows each weight stands for; if they do, say "
            "weight_type='frequency'."
        )
    return (
        f"the fit (loss {solution.loss}) kept no cross products of its rows; "
        "tl.fit(X, y) with the squared loss does."
    )


def types(solution: Solution) -> tuple[str, ...]:
    """Covariances that a fit can say, the default first."""
    return ("classical",) if solution.sandwich is None else tuple(solution.sandwich.covariances)


def evidence(solution: Solution) -> LeastSquares:
    """Look up what classical inference works from.

    Raises
    ------
    InvalidInput
        When standard errors do not apply; it says why.
    """
    reason = refusal(solution)
    if reason is not None or solution.evidence is None:
        raise InvalidInput(f"standard errors and intervals are not to be had: {reason}")
    return solution.evidence


def observations(solution: Solution, known: LeastSquares | Information | Sandwich) -> float:
    """n: rows with a weight above zero, or the sum of frequency weights."""
    return known.weight if solution.weight_type == "frequency" else float(known.rows)


def residual_df(solution: Solution, known: LeastSquares | Information | Sandwich) -> float:
    """Degrees of freedom left for the residuals: n, less the independent features and the intercept."""
    sets = known.sets if isinstance(known, Information) else 1
    return observations(solution, known) - sets * (known.rank + int(solution.intercept))


def sigma(solution: Solution, known: LeastSquares) -> Array:
    """Residual standard error, shape (k,), in units of the targets; NaN without degrees of freedom."""
    df = residual_df(solution, known)
    return np.sqrt(known.rss / df) if df > 0 else np.full(known.rss.shape, math.nan)


def dispersion(solution: Solution, known: Information) -> Array:
    """Dispersion of each output, shape (k,): Pearson's estimate (NaN without degrees of freedom), or 1."""
    if not known.dispersed:
        return np.ones_like(known.pearson)
    df = residual_df(solution, known)
    return known.pearson / df if df > 0 else np.full_like(known.pearson, math.nan)


def classical(solution: Solution, target: int = 0, cov: str | None = None) -> Array:
    """Covariance of one target's coefficients.

    Parameters
    ----------
    solution : Solution
        Of a fit without penalty.
    target : int
        Which of the k targets.
    cov : str, optional
        One of `types`, the first by default.

    Returns
    -------
    ndarray, shape (p + 1, p + 1), float64
        The intercept last; NaN for dropped features, and for the intercept of a fit without one.

    Raises
    ------
    InvalidInput
        When standard errors do not apply to `solution`.
    """
    if solution.sandwich is not None and refusal(solution) is None:
        found = solution.sandwich.covariances[cov or types(solution)[0]][target].copy()
        if not solution.intercept:
            found[-1, :] = found[:, -1] = math.nan
        return np.asarray(found)
    if solution.information is not None and refusal(solution) is None:
        factor, inverse = dispersion(solution, solution.information), solution.information.inverse[target]
    else:
        known = evidence(solution)
        factor, inverse = np.square(sigma(solution, known)), known.inverse
    covariance = np.asarray(factor[target] * inverse)
    if not solution.intercept:
        covariance[-1, :] = covariance[:, -1] = math.nan
    return covariance


def standard_errors(solution: Solution, cov: str | None = None) -> Array:
    """Standard errors, shape (p + 1, k): the roots of the diagonals of `classical`."""
    if solution.evidence is None and solution.known is not None:
        columns = [np.sqrt(np.diagonal(classical(solution, j, cov))) for j in range(solution.coef.shape[1])]
        return np.column_stack(columns)
    known = evidence(solution)
    diagonal = np.diagonal(known.inverse).copy()
    if not solution.intercept:
        diagonal[-1] = math.nan
    return np.asarray(np.sqrt(diagonal)[:, None] * sigma(solution, known))
