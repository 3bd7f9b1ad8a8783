"""Intervals for the mean and for single observations at new rows.

With d = x - mean(x) and the block S of ``([X, 1]' W [X, 1])^-1`` that belongs to the features, the variance
of the fitted mean at x is

    sigma^2 h,    h = 1 / W + d' S d    (h = x' S x without intercept),

and that of a new observation of weight 1 is ``sigma^2 (1 + h)``. Taken about the means, h does not cancel
however far the features lie from zero. Limits are those of Student's t.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torchlinear.errors import InvalidInput
from torchlinear.inference.covariance import evidence, residual_df, sigma
from torchlinear.inference.tests import critical
from torchlinear.leastsquares import LeastSquares
from torchlinear.solution import Solution

__all__ = ["Prediction", "leverage", "prediction"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predictions with their intervals, in units of the target.

    Attributes
    ----------
    mean : ndarray, shape (n,) or (n, k), float64
        Predictions.
    low, high : ndarray, like `mean`
        Ends of the intervals; NaN where a row cannot be predicted.
    """

    mean: Array
    low: Array
    high: Array


def leverage(solution: Solution, known: LeastSquares, X: Array) -> Array:
    """Variance of the fitted mean at each row of X (n, p), in units of sigma squared, shape (n,)."""
    kept = ~known.dependent
    d = X[:, kept] - known.mean[: X.shape[1]][kept] if solution.intercept else X[:, kept]
    inverse = known.inverse[:-1, :-1][np.ix_(kept, kept)]
    spread = np.einsum("ij,ij->i", d @ inverse, d)
    return np.asarray(spread + 1.0 / known.weight if solution.intercept else spread)


def prediction(
    solution: Solution,
    X: Array,
    level: float = 0.95,
    kind: str = "prediction",
    mean: Array | None = None,
) -> Prediction:
    """Predictions at new rows, with an interval each.

    Parameters
    ----------
    solution : Solution
        Of an unpenalised least-squares fit.
    X : ndarray, shape (n, p)
        New rows, in the user's units.
    level : float
        Share of intervals that cover what they are for.
    kind : {"prediction", "confidence"}
        For a new observation of weight 1, or for the mean of the observations at such a row.
    mean : ndarray, shape (n, k), optional
        Predictions at X, where they are known to more digits than X says (columns of two words).

    Returns
    -------
    Prediction
        Arrays of shape (n,), or (n, k) for several targets.

    Raises
    ------
    InvalidInput
        When standard errors do not apply to `solution`, or an argument is not what is expected.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> from torchlinear.inference.intervals import prediction
    >>> fit = tl.fit(torch.tensor([0.0, 1.0, 2.0, 3.0]), torch.tensor([1.0, 3.0, 2.0, 4.0]))
    >>> at = prediction(fit.solution, [[1.5]], kind="confidence")
    >>> at.mean.round(4), at.low.round(4), at.high.round(4)
    (array([2.5]), array([0.4591]), array([4.5409]))
    """
    known = evidence(solution)
    X = _rows(solution, X)
    if kind not in ("prediction", "confidence"):
        raise InvalidInput(f"kind={kind!r} is not known. Known: prediction, confidence.")
    coef = solution.coef.numpy()
    mean = X @ coef[:-1] + coef[-1] if mean is None else mean
    variance = leverage(solution, known, X) + (1.0 if kind == "prediction" else 0.0)
    reach = (
        critical(level, residual_df(solution, known)) * np.sqrt(variance)[:, None] * sigma(solution, known)
    )
    limits = (mean, mean - reach, mean + reach)
    return Prediction(*(part[:, 0] if mean.shape[1] == 1 else part for part in limits))


def _rows(solution: Solution, X: Array) -> Array:
    rows, p = np.asarray(X, dtype=np.float64), len(solution.names)
    if rows.ndim != 2 or rows.shape[1] != p:
        raise InvalidInput(
            f"X has shape {rows.shape}; expected (n, {p}), the columns {', '.join(solution.names)}."
        )
    return rows
