"""Sweep: the softmax regressions of m ridge penalties on the same rows, as a bundle for `NewtonCG`.

    F_i(b) = (1 / W) sum w l(eta, y) + alpha_i / 2 |beta|^2,     W = sum w

Slopes are float64. Products of the Hessian only shape the steps, so they are float32, whose matrix products are
twice as fast. At a point with slope g = (g_beta, g_0) duality bounds what is left above the optimum without any
further pass: with the probabilities as the dual point (Fenchel-Young),

    F(b) - min F  <=  |g_beta|^2 / (2 alpha),

if the intercept is at its best, g_0 = 0. What it is away from there adds g_0' A^-1 g_0 / 2, an estimate.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from torchlinear.engines.base import Loaded
from torchlinear.errors import DataError
from torchlinear.losses.softmax import Softmax
from torchlinear.probe.passes import Cache, Features, features, products, slopes
from torchlinear.probe.rows import EmbeddingRows
from torchlinear.solvers.bundle import WHITENED_FEATURES, Bundle, Point
from torchlinear.solvers.metric import Inverse, Metric

__all__ = ["Moments", "Sweep", "side_by_side"]

SAMPLE_ROWS = 2_000  # that A is taken from
CACHE_BYTES = 4 << 30  # of probabilities that may be kept between the products of a step
SINGLE_ERROR, DOUBLE_ERROR = 1e-3, 1e-8  # of products
FAR = 1e3  # standard deviations of the mean from 0 beyond which float32 would lose too much of the features
TYPICAL = 0.1  # eigenvalue of A of a few classes that are told apart half well


class Moments:
    """First and second moments of the features of some rows; one pass.

    Attributes
    ----------
    mean : Tensor, shape (p,), float64
        Means.
    second : Tensor, shape (p, p), or (p,) for wide rows
        Covariance (1/n), or its diagonal.
    """

    def __init__(self, loaded: Loaded) -> None:
        rows = loaded.rows
        assert isinstance(rows, EmbeddingRows)
        n, centre = rows.total, rows.spaced(1_000).X.mean(dim=0)
        found: Features = loaded.sum(features, centre, rows.n_features <= WHITENED_FEATURES)
        if not bool(torch.isfinite(found.cross).all()):
            raise DataError("X holds NaN or inf, or numbers whose squares overflow; drop those rows first.")
        delta = found.total / n
        self.mean = centre + delta
        cross = found.cross / n
        self.second = cross - (torch.outer(delta, delta) if cross.ndim == 2 else delta.square())

    @cached_property
    def variance(self) -> Tensor:
        """Variances of the features, shape (p,)."""
        return self.second.diagonal() if self.second.ndim == 2 else self.second

    def metric(self, alpha: Tensor, *, intercept: bool) -> Metric:
        """Of a sweep over `alpha`."""
        second, mean = self.second, self.mean
        if not intercept:
            second = second + (torch.outer(mean, mean) if second.ndim == 2 else mean.square())
            mean = torch.zeros_like(mean)
        level = float(alpha.log().mean().exp()) / TYPICAL
        return Metric.of(mean, second, torch.ones_like(mean), level)


class Sweep(Bundle):
    """The problems of a sweep.

    Parameters
    ----------
    loaded : Loaded
        `EmbeddingRows`, ready to be summed over.
    alpha : Tensor, shape (m,), float64
        Penalties, above 0.
    classes : int
        k.
    moments : Moments
        Of the rows.
    intercept : bool
        Whether to fit an intercept.
    tolerance : float
        Duality gap, relative to F, that is near enough.
    narrow : Loaded, optional
        The same rows in float32 (`EmbeddingRows.narrowed`), for products.
    """

    def __init__(
        self,
        loaded: Loaded,
        alpha: Tensor,
        classes: int,
        moments: Moments,
        *,
        intercept: bool = True,
        tolerance: float = 1e-8,
        narrow: Loaded | None = None,
    ) -> None:
        rows = loaded.rows
        assert isinstance(rows, EmbeddingRows)
        self.loaded, self.classes, self.intercept, self.enough = loaded, classes, intercept, tolerance
        self.alpha, self.narrow = alpha.to(rows.device), narrow or loaded
        self.few, self.loss = rows.spaced(SAMPLE_ROWS), Softmax()
        self.metric = moments.metric(self.alpha, intercept=intercept)
        far = bool((moments.mean.abs() > FAR * moments.variance.sqrt()).any())
        self.dtype = torch.float64 if far else torch.float32
        self.precision = DOUBLE_ERROR if far else SINGLE_ERROR
        self._n = rows.total
        self._kept: Cache = {}
        self._last: tuple[Tensor, Tensor, Point] | None = None
        counts = torch.bincount(rows.y[:, 0], rows.weight, minlength=classes).double()
        self._share = (counts + 0.5) / (counts.sum() + 0.5 * classes)

    @property
    def start(self) -> Tensor:
        """Coefficients of the model of the intercept alone, shape (m, p + 1, k)."""
        p = self.metric.mean.shape[0]
        coef = self.metric.mean.new_zeros(len(self.alpha), p + 1, self.classes)
        if self.intercept:
            coef[:, -1] = Softmax().predictor(self._share)
        return coef

    def at(self, coef: Tensor, which: Tensor) -> Point:
        """Value and slope of some problems; one pass, the last one kept."""
        last = self._last
        if last is not None and torch.equal(last[1], which) and torch.equal(last[0], coef):
            return last[2]
        self._kept.clear()
        sums = self.loaded.sum(slopes, side_by_side(coef), self.classes, self._cache(len(which)))
        slope = self._about(sums.pull, len(which))
        alpha, beta = self.alpha[which], coef[:, :-1]
        slope[:, :-1] += alpha[:, None, None] * beta
        value = sums.value / self._n + 0.5 * alpha * beta.square().sum(dim=(1, 2))
        self._last = (coef.clone(), which.clone(), Point(value, slope))
        return self._last[2]

    def product(self, coef: Tensor, direction: Tensor, which: Tensor) -> Tensor:
        """Hessians times directions; one pass."""
        assert self._last is not None
        place = torch.searchsorted(self._last[1], which)
        along = side_by_side(self.users(direction)).to(self.dtype)
        cache = self._cache(len(self._last[1]))
        loaded = self.narrow if self.dtype is torch.float32 else self.loaded
        total = loaded.sum(products, side_by_side(coef), along, place, self.classes, cache)
        total = self._about(total, len(which))
        total[:, :-1] += self.alpha[which][:, None, None] * direction[:, :-1]
        return total

    def remaining(self, point: Point, which: Tensor, inverse: Inverse, estimate: Tensor) -> Tensor:
        """The duality gap, shape (a,)."""
        bound = point.slope[:, :-1].square().sum(dim=(1, 2)) / (2.0 * self.alpha[which])
        last = (point.slope[:, -1:] @ inverse.outer)[:, 0]
        return bound + 0.5 * (last.square() * inverse.offset).sum(dim=1)

    def accurate(self, coef: Tensor) -> bool:
        """Never: each problem leaves when it is near enough."""
        return False

    def _cache(self, problems: int) -> Cache | None:
        """Where probabilities are kept, if they are not too many."""
        return (
            self._kept
            if 4 * (self.loaded.rows.n_rows or 0) * problems * self.classes <= CACHE_BYTES
            else None
        )

    def _about(self, pull: Tensor, problems: int) -> Tensor:
        """Sums times [x, 1], shape (p + 1, a k), as means about the mean of the features, shape (a, p + 1, k)."""
        stacked: Tensor = (
            (pull / self._n).view(len(pull), problems, self.classes).permute(1, 0, 2).contiguous()
        )
        if not self.intercept:
            stacked[:, -1] = 0.0
        stacked[:, :-1] -= self.metric.mean[:, None] * stacked[:, -1:]
        return stacked


def side_by_side(coef: Tensor) -> Tensor:
    """Coefficients (m, p + 1, k) side by side, shape (p + 1, m k)."""
    return coef.permute(1, 0, 2).flatten(1).contiguous()
