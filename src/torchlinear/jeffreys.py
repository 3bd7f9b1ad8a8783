"""The objective of a logistic regression with Firth's penalty.

With leverages ``h_i = w_i v_i [x_i, 1]' I^-1 [x_i, 1]``, v = pi (1 - pi), the slope of F is that of the likelihood
with each residual changed (Firth 1993, equation for logistic models):

    - (1 / W) sum (w_i (y_i - pi_i) + h_i (1/2 - pi_i)) [x_i, 1].

so each row stands for itself and, with the weight h_i, for half a success and half a failure. Newton's method takes the
information of all of these for its second derivative. Information and leverages come from the triangle of the rows
weighted by w v, about their means.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from torch import Tensor

from torchlinear.block import Block
from torchlinear.errors import DataError, InvalidInput
from torchlinear.leastsquares import solve
from torchlinear.losses.base import Loss
from torchlinear.losses.binomial import Binomial
from torchlinear.statistics import Triangle
from torchlinear.summed import Slope, SummedObjective, Working, working_of

__all__ = ["JeffreysObjective", "refuse"]

Array = NDArray[np.float64]


def refuse(loss: Loss, n_outputs: int) -> None:
    """Refuse losses that Firth's penalty is not for."""
    if not isinstance(loss, Binomial) or loss.link != "logit" or n_outputs != 1:
        what = (
            f"{n_outputs} targets"
            if isinstance(loss, Binomial) and loss.link == "logit"
            else f"loss={str(loss)!r}"
        )
        raise InvalidInput(
            f"penalty=Firth() is for loss='logistic' with one target, not for {what}; use penalty='l2'."
        )


class JeffreysObjective(SummedObjective):
    """Logistic loss and Firth's penalty; parameters as in `SummedObjective`."""

    _leverage: tuple[Tensor, float] | None = (
        None  # what leverages are computed from, at the last coefficients
    )

    def at(self, coef: Tensor) -> Slope:
        """Sums over the rows at `coef`, penalty included; two passes, the last ones kept."""
        if self._last is None or not torch.equal(self._last[0], coef):
            self._last = (coef.clone(), self._sums(coef))
        return self._last[1]

    def working(self, coef: Tensor, by: str = "cholesky", *, expected: bool = False) -> Working:
        """The least-squares problem of a Newton step, or with `expected` of the information; a pass each."""
        if expected:
            return super().working(coef, by, expected=True)
        self.at(coef)
        assert self._leverage is not None
        return self.loaded.sum(_working, self.loss, coef, self.centre, by, *self._leverage)

    def sampled(self, count: int) -> None:
        """None: the penalty of a sample is another."""
        return

    def _sums(self, coef: Tensor) -> Slope:
        working = self.working(coef, "qr", expected=True)
        (part,) = working.parts
        assert isinstance(part, Triangle)
        triangle = part if self.intercept else part.uncentred()
        p = self.n_features
        R = triangle.R.high[:p, :p]
        size = np.abs(np.diagonal(R))
        if torch.equal(coef, self.start):
            self._refuse_dependent(triangle)
        if not np.isfinite(R).all() or not (size > 0).all():
            return Slope(math.inf, np.full((p + 1, 1), math.nan))
        half = solve_triangular(R, np.eye(p))
        mean = triangle.mean.high[:p] * self.intercept
        basis = torch.from_numpy(np.vstack([half, -mean @ half]))
        share = 1.0 / part.weight if self.intercept else 0.0
        logarithm = 2.0 * float(np.log(size).sum()) + (math.log(part.weight) if self.intercept else 0.0)
        self._leverage = (basis, share)
        pull = self.loaded.sum(_pull, self.loss, coef, basis, share, self.centre)
        return Slope(working.value - 0.5 * logarithm, pull)

    def _refuse_dependent(self, triangle: Triangle) -> None:
        found = solve(triangle, np.zeros(self.n_features), intercept=self.intercept)
        names = [name for name, out in zip(self.rows.names, found.dependent) if out]
        if names:
            raise DataError(
                f"penalty=Firth() takes columns that do not depend on one another; leave out {', '.join(names)}."
            )


def _pull(block: Block, loss: Loss, coef: Tensor, basis: Tensor, share: float, centre: Array) -> Array:
    """Slope of one block, shape (p + 1, 1): of changed residuals."""
    block = block.counted()
    eta = block.predict(coef)
    weight, leverage = _weights(block, loss, eta, basis, share)
    changed = weight * loss.gradient(eta, block.y) - leverage * (0.5 - loss.mean(eta))
    pull = block.pull(changed).cpu().numpy()
    pull[:-1] -= centre[:, np.newaxis] * pull[-1]
    return np.asarray(pull)


def _working(
    block: Block, loss: Loss, coef: Tensor, centre: Array, by: str, basis: Tensor, share: float
) -> Working:
    """The information of one block, each row as often again as its leverage says."""
    block = block.counted()
    weight, leverage = _weights(block, loss, block.predict(coef), basis, share)
    return working_of(replace(block, weight=(weight + leverage)[:, 0]), loss, coef, centre, by, True)


def _weights(block: Block, loss: Loss, eta: Tensor, basis: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Weights and leverages of the rows of one block, both of shape (n, 1)."""
    weight = torch.ones_like(eta) if block.weight is None else block.weight.to(eta)[:, None]
    inner = block.linear(basis).square().sum(dim=1, keepdim=True) + share
    return weight, weight * loss.expected(eta, block.y) * inner
