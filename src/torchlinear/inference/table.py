"""Tables of coefficients: what is tested, how surely, between which limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torchlinear.inference.covariance import refusal, residual_df, standard_errors
from torchlinear.inference.tests import critical, t_probability
from torchlinear.information import Information
from torchlinear.sandwich import Sandwich
from torchlinear.solution import Solution

__all__ = ["Coefficients", "tables_of"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coefficients:
    """One target's coefficients; every array has shape (m,), the intercept first where there is one.

    Attributes
    ----------
    target : str
        Name of the target.
    names : tuple of str
        ``Intercept`` and the features.
    dropped : tuple of bool
        Which features were dropped because they depend on others.
    coef, se : ndarray
        Coefficients and standard errors, in units of the target over units of the feature.
    t, p : ndarray
        Coefficient over standard error; two-sided p of that under Student's t.
    low, high : ndarray
        Ends of the confidence interval.
    statistic : {"t", "z"}
        What coefficient over standard error is called: z, of the normal distribution, where the dispersion is known.
    """

    target: str
    names: tuple[str, ...]
    dropped: tuple[bool, ...]
    coef: Array
    se: Array
    t: Array
    p: Array
    low: Array
    high: Array
    statistic: str = "t"

    @property
    def columns(self) -> dict[str, Array]:
        """The numbers by the names that frames give them, in their order."""
        return {
            "coef": self.coef,
            "se": self.se,
            self.statistic: self.t,
            "p": self.p,
            "low": self.low,
            "high": self.high,
        }


def tables_of(solution: Solution, level: float, cov: str | None = None) -> tuple[Coefficients, ...]:
    """Coefficients of each target with classical errors where they apply, NaN where they do not.

    Parameters
    ----------
    solution : Solution
        The fit.
    level : float
        Level of the intervals.
    cov : str, optional
        Which covariance, of those that the fit can say.
    """
    coef, df = _intercept_first(solution, solution.coef.numpy()), math.nan
    se = np.full_like(coef, math.nan)
    known = solution.known
    if known is not None and refusal(solution) is None:
        se = _intercept_first(solution, standard_errors(solution, cov))
        exact = (
            known.normal
            if isinstance(known, Sandwich)
            else isinstance(known, Information) and not known.dispersed
        )
        df = math.inf if exact else residual_df(solution, known)
    with np.errstate(divide="ignore", invalid="ignore"):  # a perfect fit has standard errors of 0
        t = coef / se
    p, reach = t_probability(t, df), critical(level, df) * se
    names = ("Intercept", *solution.names) if solution.intercept else solution.names
    dropped = (*(False for _ in range(int(solution.intercept))), *(bool(out) for out in solution.dependent))
    numbers = {"coef": coef, "se": se, "t": t, "p": p, "low": coef - reach, "high": coef + reach}
    statistic = "z" if df == math.inf else "t"
    return tuple(
        Coefficients(target, names, dropped, **{k: a[:, j] for k, a in numbers.items()}, statistic=statistic)
        for j, target in enumerate(solution.targets)
    )


def _intercept_first(solution: Solution, values: Array) -> Array:
    """Rows of `values` (p + 1, k) as tables show them: the intercept first, or not at all."""
    return np.concatenate([values[-1:], values[:-1]]) if solution.intercept else values[:-1]
