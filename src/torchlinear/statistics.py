"""Second moments of rows, and how they merge.

For rows ``z = [x, y]`` (p features, then k targets) with weights w:

    W = sum w,    mean = sum w z / W,    cross = sum w (z - mean)(z - mean)'

Two sets of rows merge exactly (Chan, Golub, LeVeque 1979; "Updating formulae and a pairwise algorithm"):
with d = mean_b - mean_a, cross = cross_a + cross_b + (W_a W_b / W) d d'. Every number may carry a low
word, so that it is the unevaluated sum of two float64 (double-double); without, the low words are zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import triangle as triangle_kernels
from torchlinear.kernels import words
from torchlinear.kernels.words import Words

__all__ = ["Moments", "Residuals", "Spread", "Triangle"]

Array = NDArray[np.float64]

ROUNDING, ROUNDING_EXTENDED = 2.0**-49, 2.0**-96  # of long sums of squares, relative


@dataclass(frozen=True)
class Moments:
    """Centred second moments of rows ``[x, y]``; ``a + b`` are the moments of both sets of rows.

    Attributes
    ----------
    n_features : int
        p; the first p of the q = p + k columns are features.
    rows : int
        Rows with a weight above zero.
    weight : float
        Sum of the weights.
    mean : Words, shape (q,)
        Weighted means.
    cross : Words, shape (q, q)
        Weighted cross products about the means.
    low_words : bool
        Whether the low words carry information (sums in double-double).
    log_weight : float
        Sum of the logarithms of the weights above zero, which a log-likelihood needs.
    weight_low : float
        Low word of the sum of the weights.
    """

    n_features: int
    rows: int
    weight: float
    mean: Words
    cross: Words
    low_words: bool = False
    log_weight: float = 0.0
    weight_low: float = 0.0

    @classmethod
    def about(
        cls,
        shift: Array,
        weight: Words,
        rows: int,
        total: Words,
        cross: Words,
        *,
        n_features: int,
        low_words: bool,
        log_weight: float,
    ) -> Moments:
        """Moments from sums about `shift`: ``total = sum w (z - shift)``, ``cross`` likewise.

        A column whose sum of squares about its mean is rounding of that about the shift is constant.
        """
        mean = words.of(shift)
        if weight.high and np.isfinite(cross.high).all():
            delta = words.divide(total, weight)
            mean = words.add(mean, delta)
            rounding = (ROUNDING_EXTENDED if low_words else ROUNDING) * np.diag(cross.high)
            cross = words.subtract(cross, words.multiply(words.column(total), words.row(delta)))
            constant = np.diag(cross.high) <= rounding
            for word in cross:
                word[constant, :] = word[:, constant] = 0.0
        return cls(
            n_features, rows, float(weight.high), mean, cross, low_words, log_weight, float(weight.low)
        )

    def __add__(self, other: Moments) -> Moments:
        if not other.weight or not self.finite:
            return self
        if not self.weight or not other.finite:
            return other
        here, there = words.of(self.weight, self.weight_low), words.of(other.weight, other.weight_low)
        weight = words.add(here, there)
        delta = words.subtract(other.mean, self.mean)
        step = words.multiply(delta, words.divide(there, weight))
        outer = words.multiply(words.column(words.multiply(step, here)), words.row(delta))
        return Moments(
            self.n_features,
            self.rows + other.rows,
            float(weight.high),
            words.add(self.mean, step),
            words.add(words.add(self.cross, other.cross), outer),
            self.low_words and other.low_words,
            self.log_weight + other.log_weight,
            float(weight.low),
        )

    @property
    def finite(self) -> bool:
        """Whether every sum is finite; NaN or inf in a row shows here."""
        return bool(np.isfinite(self.cross.high).all())


@dataclass(frozen=True)
class Triangle:
    """Upper triangle R of a QR of centred, weighted rows ``sqrt(w) (z - mean)``, so ``R'R = cross``.

    It says the same as `Moments` with half the condition number lost: what a QR keeps and normal
    equations square away. ``a + b`` is the triangle of both sets of rows (TSQR; Demmel, Grigori,
    Hoemmen, Langou 2012, with the row of Chan's update for the means).

    Attributes
    ----------
    n_features, rows, weight, mean, low_words, log_weight, weight_low
        As in `Moments`.
    R : Words, shape (q, q)
        Upper triangle.
    """

    n_features: int
    rows: int
    weight: float
    mean: Words
    R: Words
    low_words: bool = False
    log_weight: float = 0.0
    weight_low: float = 0.0

    @classmethod
    def of(cls, moments: Moments) -> Triangle:
        """Cholesky factor of the moments; a column that depends on those before it gets a zero row."""
        R = triangle_kernels.cholesky(moments.cross, moments.low_words)
        return cls(
            moments.n_features,
            moments.rows,
            moments.weight,
            moments.mean,
            R,
            moments.low_words,
            moments.log_weight,
            moments.weight_low,
        )

    @property
    def finite(self) -> bool:
        """Whether every number is finite; NaN or inf in a row shows here."""
        return bool(np.isfinite(self.R.high).all())

    def __add__(self, other: Triangle) -> Triangle:
        if not other.weight or not self.finite:
            return self
        if not self.weight or not other.finite:
            return other
        here, there = words.of(self.weight, self.weight_low), words.of(other.weight, other.weight_low)
        weight = words.add(here, there)
        delta = words.subtract(other.mean, self.mean)
        share = words.divide(there, weight)
        root = words.square_root(words.multiply(share, here))
        between = words.row(words.multiply(delta, root))
        return Triangle(
            self.n_features,
            self.rows + other.rows,
            float(weight.high),
            words.add(self.mean, words.multiply(delta, share)),
            self._qr(words.stack(self.R, other.R, between)),
            self.low_words and other.low_words,
            self.log_weight + other.log_weight,
            float(weight.low),
        )

    @property
    def deficient(self) -> bool:
        """Whether some feature depends on those before it, to the last bit."""
        return bool((np.diagonal(self.R.high)[: self.n_features] == 0.0).any())

    def uncentred(self) -> Triangle:
        """The triangle of the rows about zero instead of their means: for fits without intercept."""
        root = words.square_root(words.of(self.weight, self.weight_low))
        row = words.row(words.multiply(self.mean, root))
        zero = words.of(np.zeros_like(self.mean.high))
        return replace(self, mean=zero, R=self._qr(words.stack(self.R, row)))

    def with_ridge(self, strength: Array) -> Triangle:
        """The triangle with ``diag(strength)``, shape (p,), added to the cross products of the features."""
        if not strength.any():
            return self
        p, q = self.n_features, self.R.high.shape[0]
        root, rows = words.square_root(words.of(strength)), words.of(np.zeros((p, q)))
        np.fill_diagonal(rows.high, root.high)
        np.fill_diagonal(rows.low, root.low)
        return replace(self, R=self._qr(words.stack(self.R, rows)))

    def _qr(self, stacked: Words) -> Words:
        if self.low_words:
            return triangle_kernels.qr(stacked)
        R = np.linalg.qr(stacked.high, mode="r")
        return words.of(np.copysign(1.0, np.diag(R))[:, np.newaxis] * R)


@dataclass(frozen=True)
class Residuals:
    """What residuals r of given coefficients still say of the columns; ``a + b`` says it of both sets of rows.

    Attributes
    ----------
    pull : Words, shape (p + 1, k)
        Weighted sums of r times each feature about its centre, and of r in the last row.
    squares : ndarray, shape (k,)
        Weighted sums of r squared.
    """

    pull: Words
    squares: Array

    def __add__(self, other: Residuals) -> Residuals:
        return Residuals(words.add(self.pull, other.pull), self.squares + other.squares)


@dataclass(frozen=True)
class Spread:
    """Means and sums of squares of the columns of rows ``[x, y]``: the diagonal of `Moments`, which merges alike.

    Attributes
    ----------
    rows : int
        Rows with a weight above zero.
    weight : float
        Sum of the weights.
    mean : ndarray, shape (q,)
        Weighted means.
    squares : ndarray, shape (q,)
        Weighted sums of squares about the means.
    """

    rows: int
    weight: float
    mean: Array
    squares: Array

    def __add__(self, other: Spread) -> Spread:
        if not other.weight or not self.weight:
            return self if self.weight else other
        weight = self.weight + other.weight
        delta, share = other.mean - self.mean, other.weight / weight
        return Spread(
            self.rows + other.rows,
            weight,
            self.mean + share * delta,
            self.squares + other.squares + self.weight * share * delta * delta,
        )

    @property
    def finite(self) -> bool:
        """Whether every sum is finite; NaN or inf in a row shows here."""
        return bool(np.isfinite(self.squares).all())
