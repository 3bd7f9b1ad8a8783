"""Sandwich: what inference needs of a fit that is no maximum likelihood, from passes at its coefficients.

With residuals r_i, cross products A = [X, 1]' W [X, 1] and n observations:

    huber      K^2 (sum psi(r)^2 / df) / m^2 A^-1,         m = mean psi', K = 1 + (p + 1) var psi' / (n m^2)

with psi the residual clipped at the threshold and psi' 1 inside of it (Huber, Ronchetti 2009, "Robust statistics",
section 7.6, as R's ``MASS::rlm`` and the H1 of statsmodels' RLM, which has 1/n for R's 1/(n - 1) in var psi'). Of a
quantile tau,

    iid        tau (1 - tau) / f^2 A^-1,
    robust     A^-1 D A^-1,    D = sum w d_i [x, 1] [x, 1]',    d_i = (tau / f)^2 where r_i > 0, else ((1 - tau) / f)^2,

with f the density of the residuals at 0 by Epanechnikov's kernel, whose width comes from the rule of Hall, Sheather
1988 ("On the distribution of a studentized quantile") for n, tau and the spread of the residuals, as in statsmodels'
QuantReg (Greene 2008, "Econometric analysis", 6th edition, section 14.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from torchlinear.block import Block
from torchlinear.leastsquares import LeastSquares, solve
from torchlinear.losses.absolute import Absolute
from torchlinear.losses.huber import Huber
from torchlinear.losses.quantile import Quantile
from torchlinear.statistics import Moments, Triangle
from torchlinear.summed import SummedObjective

__all__ = ["Sandwich", "hall_sheather", "sandwich"]

Array = NDArray[np.float64]

ZERO = 1e-12  # residual, relative to the largest, that a fit through the point leaves by rounding


@dataclass(frozen=True)
class Sandwich:
    """Covariances of the coefficients.

    Attributes
    ----------
    covariances : mapping of str to ndarray, shape (k, p + 1, p + 1)
        By the names that users ask for them, the default first; the intercept last, NaN for dropped features.
    words : mapping of str to str
        How each was computed.
    dependent : ndarray of bool, shape (p,)
        Features that were found to depend on those before them.
    rows : int
        Rows with a weight above zero.
    weight : float
        Sum of the weights.
    normal : bool
        Whether coefficient over standard error is taken for normal, rather than Student's t.
    """

    covariances: Mapping[str, Array]
    words: Mapping[str, str]
    dependent: NDArray[np.bool_]
    rows: int
    weight: float
    normal: bool

    @property
    def rank(self) -> int:
        """Independent features."""
        return int((~self.dependent).sum())


def sandwich(problem: SummedObjective, coef: Tensor) -> Sandwich | None:
    """Look at the rows once more, at the coefficients of a fit without penalty; None for losses that have none.

    Parameters
    ----------
    problem : SummedObjective
        With a Huber, quantile or absolute loss; weights count rows.
    coef : Tensor, shape (p + 1, k)
        Where.
    """
    loss = problem.loss
    if not isinstance(loss, (Huber, Quantile, Absolute)):
        return None
    found: list[dict[str, Array]] = []
    for j in range(coef.shape[1]):
        rows = problem.loaded.sum(_residuals, coef, j).joined()
        moments = problem.loaded.sum(Block.moments, problem.shift, False)
        inverse = _inverse(moments, problem.intercept)
        some = (
            _huber(loss, rows, inverse)
            if isinstance(loss, Huber)
            else _quantile(problem, coef, j, rows, inverse)
        )
        if some is None:
            return None
        found.append(some)
    words = HUBER if isinstance(loss, Huber) else QUANTILE
    stacked = {name: np.stack([part[name] for part in found]) for name in words}
    spread = problem.spread
    return Sandwich(stacked, words, inverse.dependent, spread.rows, spread.weight, isinstance(loss, Huber))


HUBER = {"classical": "Huber's psi, as R's rlm"}
QUANTILE = {
    "robust": "kernel density at 0: Epanechnikov, bandwidth of Hall and Sheather",
    "iid": "errors alike in all rows; kernel density at 0: Epanechnikov, bandwidth of Hall and Sheather",
}


@dataclass(frozen=True)
class _Residuals:
    """Residuals and weights of rows, each part of shape (2, n); ``a + b`` are those of both sets of rows."""

    parts: tuple[Array, ...]

    def __add__(self, other: _Residuals) -> _Residuals:
        return _Residuals(self.parts + other.parts)

    def joined(self) -> Array:
        """All of them, shape (2, n), the smallest residual first."""
        both = np.hstack(self.parts)
        return np.asarray(both[:, np.argsort(both[0], kind="stable")])


def _residuals(block: Block, coef: Tensor, column: int) -> _Residuals:
    block = block.counted()
    r = block.y[:, column].double() - block.predict(coef)[:, column].to(block.y.device)
    weight = torch.ones_like(r) if block.weight is None else block.weight.to(r)
    return _Residuals((torch.stack([r, weight])[:, weight > 0].cpu().numpy(),))


def _inverse(moments: Moments, intercept: bool) -> LeastSquares:
    triangle = Triangle.of(moments)
    return solve(
        triangle if intercept else triangle.uncentred(), np.zeros(moments.n_features), intercept=intercept
    )


def _huber(loss: Huber, rows: Array, known: LeastSquares) -> dict[str, Array] | None:
    (r, weight), p = rows, known.rank + int(known.inverse[-1, -1] > 0)
    n, inside = weight.sum(), np.abs(r) <= loss.threshold
    m = float(weight @ inside) / n
    if not m > 0 or not n > p:
        return None
    spread = m * (1.0 - m) * n / (n - 1.0)
    K = 1.0 + p * spread / (n * m**2)
    squares = float(weight @ np.square(np.clip(r, -loss.threshold, loss.threshold)))
    return {"classical": K**2 * squares / (n - p) / m**2 * known.inverse}


def _quantile(
    problem: SummedObjective, coef: Tensor, column: int, rows: Array, known: LeastSquares
) -> dict[str, Array] | None:
    below, above = (abs(slope) for slope in problem.loss.slopes)  # type: ignore[attr-defined]
    tau = above / (below + above)
    density = _density(
        rows, tau, float(np.sqrt(problem.spread.squares[problem.n_features + column] / problem.weight))
    )
    if density is None:
        return None
    zero = ZERO * float(np.abs(rows[0]).max())
    bent = problem.loaded.sum(_bent, coef, column, tau, zero, problem.shift)
    return {
        "robust": _between(known, bent, problem.n_features, problem.intercept) / density**2,
        "iid": tau * (1.0 - tau) / density**2 * known.inverse,
    }


def _density(rows: Array, tau: float, deviation: float) -> float | None:
    """Density of the residuals at 0, for a target of this standard deviation; None where they have no spread."""
    r, weight = rows
    n = float(weight.sum())
    reach = hall_sheather(n, tau)
    if not 0.0 < tau - reach < tau + reach < 1.0:
        return None
    spread = min(deviation, (_percentile(rows, 0.75) - _percentile(rows, 0.25)) / 1.34)
    width = spread * float(ndtri(tau + reach) - ndtri(tau - reach))
    if not width > 0:
        return None
    u = r / width
    total = float(weight @ np.where(np.abs(u) <= 1.0, 0.75 * (1.0 - np.square(u)), 0.0)) / (n * width)
    return total if total > 0 else None


def hall_sheather(n: float, tau: float, alpha: float = 0.05) -> float:
    """Bandwidth, on the scale of probabilities, for intervals of level ``1 - alpha``.

    >>> round(hall_sheather(235, 0.5), 6)
    0.157439
    """
    z = float(ndtri(tau))
    height = np.exp(-(z**2) / 2.0) / np.sqrt(2.0 * np.pi)
    shape = 1.5 * height**2 / (2.0 * z**2 + 1.0)
    return float(n ** (-1 / 3) * ndtri(1.0 - alpha / 2.0) ** (2 / 3) * shape ** (1 / 3))


def _percentile(rows: Array, share: float) -> float:
    """Percentile of sorted values as if each stood there as often as its weight says, linear between neighbours."""
    values, counts = rows[0], np.cumsum(rows[1])
    place = share * (counts[-1] - 1.0)
    at = np.searchsorted(counts, [np.floor(place), np.ceil(place)], "right").clip(max=len(values) - 1)
    low, high = values[at]
    return float(low + (place - np.floor(place)) * (high - low))


def _bent(block: Block, coef: Tensor, column: int, tau: float, zero: float, shift: Array) -> Moments:
    """Moments of the rows of one block, weighted by d f^2."""
    block = block.counted()
    r = block.y[:, column].double() - block.predict(coef)[:, column].to(block.y.device)
    above = (r > zero).double()
    weight = tau**2 * above + (1.0 - tau) ** 2 * (1.0 - above)
    return replace(
        block, weight=weight if block.weight is None else weight * block.weight.to(weight)
    ).moments(shift)


def _between(known: LeastSquares, middle: Moments, p: int, intercept: bool) -> Array:
    """``A^-1 D A^-1`` for D the cross products of `middle`, shape (p + 1, p + 1); taken about the means of A."""
    S, mean = known.inverse[:-1, :-1], known.mean[:p] * intercept
    apart = middle.mean.high[:p] - mean
    D = middle.cross.high[:p, :p] + middle.weight * np.outer(apart, apart)
    kept = ~known.dependent
    out = np.full((p + 1, p + 1), np.nan)
    S, D, apart, mean = S[np.ix_(kept, kept)], D[np.ix_(kept, kept)], apart[kept], mean[kept]
    slopes = S @ D @ S
    across = S @ apart * (middle.weight / known.weight)
    both = np.append(kept, True)
    corner = middle.weight / known.weight**2 - 2.0 * mean @ across + mean @ slopes @ mean
    beside = (across - slopes @ mean)[:, np.newaxis]
    out[np.ix_(both, both)] = np.block([[slopes, beside], [beside.T, np.array([[corner]])]])
    if not intercept:
        out[p, :] = out[:, p] = np.nan
    return out
