"""Hinge loss, of the support vector machine: a row costs what its margin lacks of 1.

With y in {0, 1}, the label of two classes, and h(z) = max(0, 1 - z),

    l(eta, y)  = y h(eta) + (1 - y) h(-eta),
    gradient   = -y [eta < 1] + (1 - y) [eta > -1].

For a proportion y it is the mean over the labels that the row stands for. Cortes, Vapnik 1995, "Support-vector
networks".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.losses.base import Loss
from torchlinear.losses.pieces import Pieces

__all__ = ["Hinge", "Margin"]


class Margin(Loss):
    """What losses of the margin share: labels of two classes, told apart by the sign of the linear predictor.

    They say which class is likelier and not by how much: there are no probabilities.
    """

    labels: ClassVar[bool] = True
    probabilities: ClassVar[bool] = False

    def mean(self, eta: Tensor) -> Tensor:
        """1 where the linear predictor speaks for the second class, 0 where for the first, 1/2 at 0; shape (n, k)."""
        return (eta.sign() + 1.0) / 2.0

    def predictor(self, mean: Tensor) -> Tensor:
        """The least squared hinge loss of a share of successes: ``2 mean - 1``, shape (n, k)."""
        return 2.0 * mean - 1.0

    def start(self, y: Tensor) -> Tensor:
        """-1 and 1, where a row costs nothing; shape (n, k)."""
        return self.predictor(y.double())

    def refusal(self, y: Tensor) -> str | None:
        """Why these targets cannot be had; None when they can."""
        if bool(((y < 0) | (y > 1)).any()):
            return (
                f"a target of {self.name} loss is a label, 0 or 1, or a proportion between, got values from "
                f"{float(y.min()):g} to {float(y.max()):g}; pass labels of two classes."
            )
        return None


@dataclass(frozen=True, slots=True)
class Hinge(Margin):
    """Hinge loss ``max(0, 1 - margin)``, of the linear support vector machine, with an L2 penalty.

    scikit-learn's ``LinearSVC(C=C, loss="hinge")`` is ``tl.fit(X, y, loss="hinge", penalty=tl.L2(1 / (C * n)))``, but
    for its intercept, which is penalised there and not here.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.Hinge().value(torch.tensor([[0.5], [0.5], [2.0]]), torch.tensor([[1.0], [0.0], [1.0]]))
    tensor([0.5000, 1.5000, 0.0000])
    >>> X = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    >>> fit = tl.fit(X, ["no", "no", "yes", "yes"], loss="hinge", penalty=tl.L2(0.01))
    >>> fit.coef.round(decimals=12), fit.intercept.round(decimals=12)
    (tensor([2.], dtype=torch.float64), tensor(-3., dtype=torch.float64))
    """

    name: ClassVar[str] = "hinge"
    smooth: ClassVar[bool] = False
    hinged: ClassVar[bool] = True

    def pieces(self, y: NDArray[np.float64]) -> Pieces:
        """The loss as hinges, of labels y, shape (n,)."""
        return Pieces(np.array([1.0, -1.0]), np.ones((2, len(y))), np.stack([y, 1.0 - y]))

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, shape (n,)."""
        y = y.to(eta.dtype)
        return (y * (1.0 - eta).clamp(min=0.0) + (1.0 - y) * (1.0 + eta).clamp(min=0.0)).sum(dim=1)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """A subgradient of `value` by `eta`, shape (n, k)."""
        y = y.to(eta.dtype)
        return (1.0 - y) * (eta > -1.0).to(eta.dtype) - y * (eta < 1.0).to(eta.dtype)

    def curvature(self, eta: Tensor, y: Tensor) -> Tensor:
        """Second derivative of `value` by `eta`, shape (n, k): 0."""
        return torch.zeros_like(eta)
