"""What a loss is: a function of the linear predictor and the target, row by row.

With the linear predictor ``eta`` (n, k) and a target ``y`` (n, t), a row costs ``l(eta_i, y_i)``: the negative
log-likelihood of its family, up to what does not depend on eta. A target is as the loss wants it: t = k, but
for softmax, whose y (n, 1) numbers the class.

    gradient    g = dl / deta,
    curvature   h = d^2 l / deta^2, its diagonal,
    expected    the same, averaged over y given eta: never below 0,
    product     (d^2 l / deta^2) v for a direction v in the space of eta.

`derivatives` says l, g and h at once, and `value_gradient` the first two, sharing what they have in common: the
exp() of a million rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

__all__ = ["Loss"]


class Loss(ABC):
    """A loss in link space, for a linear predictor ``eta`` (n, k) and a target ``y`` (n, t).

    The objective of a fit is the weighted mean over rows of `value`, plus the penalty. Outside of the domain
    of a link (a negative Poisson mean) the value is inf, so that a line search turns back.

    Attributes
    ----------
    name : str
        What users type, and what summaries print.
    smooth : bool
        The gradient is continuous.
    piecewise : bool
        The loss is two straight lines of the residual; its `slopes` are theirs, below and above 0.
    hinged : bool
        The loss is a sum of hinges of the linear predictor; its `pieces` are they.
    separable : bool
        Outputs do not interact: the second derivative is diagonal. False for softmax.
    labels : bool
        The target is a class, so that predictions are classes.
    probabilities : bool
        The mean of a class is its probability.
    likelihood : bool
        The loss is a negative log-likelihood, so that its curvature says how sure coefficients are.
    multiple : float
        How many times the negative log-likelihood at dispersion 1 a row costs: 2 for squared error.
    dispersed : bool
        The variance has a factor of its own to be estimated (Gaussian, Gamma), rather than one that is known
        to be 1 (Poisson, binomial).
    """

    name: ClassVar[str]
    smooth: ClassVar[bool] = True
    piecewise: ClassVar[bool] = False
    hinged: ClassVar[bool] = False
    separable: ClassVar[bool] = True
    labels: ClassVar[bool] = False
    probabilities: ClassVar[bool] = True
    likelihood: ClassVar[bool] = False
    multiple: ClassVar[float] = 1.0
    dispersed: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.name

    @property
    def quadratic(self) -> bool:
        """Whether the loss is the square of a residual: its second derivative is constant."""
        return False

    @property
    def bound(self) -> float | None:
        """The most that the second derivative can be, as a matrix (k, k), at any eta and y; None without a limit."""
        return None

    @abstractmethod
    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, shape (n,)."""

    @abstractmethod
    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Derivative of `value` by `eta`, shape (n, k)."""

    @abstractmethod
    def curvature(self, eta: Tensor, y: Tensor) -> Tensor:
        """Diagonal of the second derivative of `value` by `eta`, shape (n, k)."""

    def value_gradient(self, eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """`value` and `gradient`, shapes (n,) and (n, k)."""
        return self.value(eta, y), self.gradient(eta, y)

    def derivatives(self, eta: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`value`, `gradient` and `curvature`, shapes (n,), (n, k) and (n, k)."""
        return self.value(eta, y), self.gradient(eta, y), self.curvature(eta, y)

    def expected(self, eta: Tensor, y: Tensor) -> Tensor:
        """`curvature`, averaged over targets of the mean that `eta` says; shape (n, k), at least 0."""
        return self.curvature(eta, y)

    def product(self, eta: Tensor, y: Tensor, direction: Tensor) -> Tensor:
        """Second derivative times `direction`, both shape (n, k)."""
        return self.curvature(eta, y) * direction

    def mean(self, eta: Tensor) -> Tensor:
        """What the response is expected to be, shape (n, k): the inverse of the link."""
        return eta

    def predictor(self, mean: Tensor) -> Tensor:
        """Linear predictor of a mean, shape (n, k): the inverse of `mean`."""
        return mean

    def response(self, y: Tensor, n_outputs: int) -> Tensor:
        """The target as `mean` estimates it, shape (n, k), float64: itself, but a 1 among 0s for a class."""
        return y.double()

    def variance(self, mean: Tensor) -> Tensor:
        """Variance of a target of this mean, up to the dispersion; shape (n, k)."""
        return torch.ones_like(mean)

    def least(self, y: Tensor) -> Tensor:
        """The least that a row can cost, shape (n,): with a predictor of its own."""
        return torch.zeros_like(y[:, 0], dtype=torch.float64)

    def constant(self, y: Tensor, weight: Tensor) -> Tensor:
        """What `value` leaves out of the negative log-likelihood, shape (n,), where the dispersion is known.

        The number of trials of a binomial proportion is its `weight`, shape (n,).
        """
        return torch.zeros_like(y[:, 0], dtype=torch.float64)

    def start(self, y: Tensor) -> Tensor:
        """Linear predictor to start each row from, shape (n, k): near its target and inside of the domain."""
        return y.double()

    def refusal(self, y: Tensor) -> str | None:
        """Why these targets cannot be had, what is expected instead; None when they can."""
        return None
