"""Penalised least squares from second moments, for penalties that make coefficients exactly zero.

With C the centred cross products and W the sum of the weights, half of W times the objective is

    1/2 beta'Cxx beta - Cxy'beta + W/2 sum_j (lasso_j |beta_j| + ridge_j / 2 beta_j^2) + what does not depend on beta,

minimised in columns that are scaled to a norm of 1 and for a target scaled likewise. What rounding of C or of the
solution cost comes back from the pull of the residuals, computed elsewhere with more digits (`Gram.corrected`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from torchlinear.kernels import words
from torchlinear.kernels.coordinate import minimise
from torchlinear.kernels.duality import gap
from torchlinear.kernels.words import Words
from torchlinear.statistics import Moments

__all__ = ["Gram", "Judged", "pull_of"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """How good coefficients are.

    Attributes
    ----------
    gap : float
        Duality gap, relative to half the target's sum of squares; the largest of the targets.
    squares : ndarray, shape (k,)
        Residual sums of squares, relative to those of the targets; NaN for targets that are constant.
    """

    gap: float
    squares: Array


@dataclass(frozen=True, slots=True)
class Gram:
    """Cross products of columns that are scaled to norm 1.

    Attributes
    ----------
    H : ndarray, shape (p, p)
        Of the features with each other: correlations, for moments about the means.
    g : ndarray, shape (p, k)
        Of the features with the targets.
    scale : ndarray, shape (p,)
        Norms of the features; 1 for columns that are constant.
    size : ndarray, shape (k,)
        Norms of the targets; 1 for those that are constant.
    weight : float
        W.
    constant : ndarray of bool, shape (k,)
        Targets that do not vary.
    """

    H: Array
    g: Array
    scale: Array
    size: Array
    weight: float
    constant: NDArray[np.bool_]

    @classmethod
    def of(cls, moments: Moments, *, intercept: bool = True) -> Gram:
        """From moments about the means, or about zero without an intercept."""
        p, cross = moments.n_features, _cross(moments, intercept).high
        norms = np.sqrt(np.diag(cross))
        constant = norms[p:] == 0
        norms = np.where(norms > 0, norms, 1.0)
        scaled = cross / norms / norms[:, np.newaxis]
        H, g = np.ascontiguousarray(scaled[:p, :p]), scaled[:p, p:]
        return cls(H, g, norms[:p], norms[p:], moments.weight, constant)

    def minimise(
        self,
        lasso: Array,
        ridge: Array,
        start: Array | None = None,
        lower: Array | None = None,
        upper: Array | None = None,
    ) -> Array:
        """Coefficients at strengths per column, shape (p,), in the user's units.

        Parameters
        ----------
        lasso, ridge : ndarray, shape (p,)
            Strengths in the objective, which has the mean of the squared errors.
        start : ndarray, shape (p, k), optional
            Coefficients to begin at.
        lower, upper : ndarray, shape (p,), optional
            Bounds of the coefficients; those that reach one equal it.

        Returns
        -------
        ndarray, shape (p, k)
            Coefficients in the user's units.
        """
        p, k = self.g.shape
        units = self.size / self.scale[:, np.newaxis]
        begin = np.zeros((p, k)) if start is None else start / units
        half = self.weight / 2.0
        low = np.full(p, -np.inf) if lower is None else lower
        high = np.full(p, np.inf) if upper is None else upper
        found = np.empty((p, k))
        for j in range(k):
            ends = low / units[:, j], high / units[:, j]
            at = minimise(
                self.H,
                np.ascontiguousarray(self.g[:, j]),
                np.ascontiguousarray(begin[:, j]),
                half * lasso / (self.scale * self.size[j]),
                half * ridge / np.square(self.scale),
                *ends,
            ).beta
            found[:, j] = np.where(at == ends[0], low, np.where(at == ends[1], high, at * units[:, j]))
        return found

    def judged(
        self, beta: Array, lasso: Array, ridge: Array, lower: Array | None = None, upper: Array | None = None
    ) -> Judged:
        """How far coefficients, shape (p, k), are from the optimum at strengths and bounds per column, shape (p,)."""
        low = np.full(lasso.size, -np.inf) if lower is None else lower
        high = np.full(lasso.size, np.inf) if upper is None else upper
        half, units = self.weight / 2.0, self.size / self.scale[:, np.newaxis]
        scaled = np.ascontiguousarray((beta / units).T)
        pulls = self.g.T - scaled @ self.H
        squares = np.maximum(1.0 - (scaled * (self.g.T + pulls)).sum(axis=1), 0.0)
        worst = 0.0
        free = (lasso == 0) & (ridge == 0)
        for j, (b, pull) in enumerate(zip(scaled, pulls)):
            ends = low / units[:, j], high / units[:, j]
            left, lost = self._without(pull, free, b, *ends)
            l1, l2 = half * lasso / (self.scale * self.size[j]), half * ridge / np.square(self.scale)
            rest = squares[j] - lost
            worst = max(worst, 2.0 * gap(left, b, l1, l2, rest, lost, lower=ends[0], upper=ends[1]))
        return Judged(worst, np.where(self.constant, np.nan, squares))

    def _without(
        self, pull: Array, free: NDArray[np.bool_], b: Array, lower: Array, upper: Array
    ) -> tuple[Array, float]:
        """The pull of residuals less their part in the columns that nothing holds, and the square of that part.

        As `kernels.duality.without`, from products of the columns alone.
        """
        out, left, lost = free & (b > lower) & (b < upper), pull, 0.0
        while out.any():
            part = np.linalg.lstsq(self.H[np.ix_(out, out)], pull[out])[0]
            left, lost = pull - self.H[:, out] @ part, float(part @ pull[out])
            pulled = free & ~out & ((np.isposinf(upper) & (left > 0)) | (np.isneginf(lower) & (left < 0)))
            if not pulled.any():
                break
            out = out | pulled
        return left, lost

    def lost(self, beta: Array, lower: Array | None = None, upper: Array | None = None) -> float:
        """How many times larger rounding can be in the coefficients that can move than in H, at least."""
        worst = 1.0
        for support in filter(len, _moving(beta, lower, upper)):
            factor, singular = lapack.dpotrf(self.H[np.ix_(support, support)])
            pivots = np.square(np.diagonal(factor))
            worst = max(worst, np.inf if singular else 1.0 / float(pivots.min(initial=1.0)))
        return worst

    def corrected(
        self,
        beta: Array,
        pull: Array,
        lasso: Array,
        ridge: Array,
        lower: Array | None = None,
        upper: Array | None = None,
    ) -> Array:
        """Coefficients whose linear system holds for a `pull`, shape (p, k), of the residuals that has more digits.

        Those that are zero or at a bound stay so; where a sign would change or a bound be passed, it was rounding
        that chose them, and nothing does.
        """
        half, better = self.weight / 2.0, beta.copy()
        for j, support in enumerate(_moving(beta, lower, upper)):
            if support.size == 0:
                continue
            now, scale = beta[support, j], self.scale[support]
            slope = pull[support, j] - half * (lasso[support] * np.sign(now) + ridge[support] * now)
            matrix = self.H[np.ix_(support, support)].copy()
            matrix[np.diag_indices(support.size)] += half * ridge[support] / np.square(scale)
            _, step, singular = lapack.dposv(matrix, slope / scale)
            to = now + step / scale
            inside = np.ones(to.size, dtype=np.bool_)
            if lower is not None and upper is not None:
                inside = (to >= lower[support]) & (to <= upper[support])
            if not singular and ((np.sign(to) == np.sign(now)) & inside).all():
                better[support, j] = to
        return better


def _moving(beta: Array, lower: Array | None, upper: Array | None) -> list[NDArray[np.intp]]:
    """Features of each target whose coefficients are neither zero nor at a bound."""
    moving = beta != 0.0
    if lower is not None and upper is not None:
        moving &= (beta > lower[:, np.newaxis]) & (beta < upper[:, np.newaxis])
    return [np.flatnonzero(column) for column in moving.T]


def pull_of(moments: Moments, beta: Array, *, intercept: bool = True) -> Array:
    """``Cxy - Cxx beta`` in double-double, shape (p, k): the pull of the residuals at `beta`, shape (p, k)."""
    p, cross = moments.n_features, _cross(moments, intercept)
    columns, targets = (words.take(cross, slice(p), part) for part in (slice(p), slice(p, None)))
    return words.subtract(targets, words.multiply_matrices(columns, words.of(beta))).high


def _cross(moments: Moments, intercept: bool) -> Words:
    """Cross products about the means, or about zero without an intercept."""
    if intercept:
        return moments.cross
    weight, mean = words.of(moments.weight, moments.weight_low), moments.mean
    return words.add(
        moments.cross, words.multiply(weight, words.multiply(words.column(mean), words.row(mean)))
    )
