"""Softmax, or multinomial logistic: the cross-entropy of a class among k >= 2.

y holds the number of the class, 0 to k - 1, and eta a column for each class:

    l = log sum_c exp(eta_c) - eta_y,     g = pi - e_y,     h = diag(pi) - pi pi',     pi = softmax(eta).

One column for each class leaves a direction free, eta_c + constant: a penalty settles it, and without one the
coefficients of the classes are made to sum to zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.losses.base import Loss

__all__ = ["Softmax"]


@dataclass(frozen=True, slots=True)
class Softmax(Loss):
    """Cross-entropy of classes, whose mean over the rows is `torch.nn.CrossEntropyLoss`.

    Small losses keep their digits: with d = eta - eta_y and t = max(d, 0), the loss is
    ``t + log1p(expm1(-t) + sum over c != y of exp(d_c - t))``, in which nothing cancels or overflows.

    Examples
    --------
    >>> import torch
    >>> from torchlinear.losses.softmax import Softmax
    >>> eta, y = torch.tensor([[0.0, 0.0], [800.0, -800.0]]), torch.tensor([[1.0], [1.0]])
    >>> Softmax().value(eta, y)
    tensor([6.9315e-01, 1.6000e+03])
    """

    name: ClassVar[str] = "softmax"
    separable: ClassVar[bool] = False
    labels: ClassVar[bool] = True
    likelihood: ClassVar[bool] = True

    @property
    def bound(self) -> float:
        """The largest eigenvalue of ``diag(pi) - pi pi'`` (Böhning 1992)."""
        return 0.5

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, shape (n,)."""
        code = y.long()
        ahead = eta - eta.gather(1, code)
        top = ahead.amax(dim=1, keepdim=True).clamp_min(0.0)
        others = (ahead - top).exp().scatter(1, code, torch.zeros_like(top)).sum(dim=1, keepdim=True)
        return (top + torch.log1p(torch.expm1(-top) + others))[:, 0]

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Derivative of `value` by `eta`, shape (n, k): pi less 1 at the class, which is minus the others' sum."""
        code = y.long()
        others = eta.softmax(dim=1).scatter(1, code, torch.zeros_like(eta[:, :1]))
        return others.scatter(1, code, -others.sum(dim=1, keepdim=True))

    def curvature(self, eta: Tensor, y: Tensor) -> Tensor:
        """Diagonal of the second derivative of `value` by `eta`, shape (n, k)."""
        mean = eta.softmax(dim=1)
        return mean * (1.0 - mean)

    def product(self, eta: Tensor, y: Tensor, direction: Tensor) -> Tensor:
        """Second derivative times `direction`, both shape (n, k)."""
        mean = eta.softmax(dim=1)
        return mean * (direction - (mean * direction).sum(dim=1, keepdim=True))

    def mean(self, eta: Tensor) -> Tensor:
        """Probability of each class, shape (n, k)."""
        return eta.softmax(dim=1)

    def predictor(self, mean: Tensor) -> Tensor:
        """Linear predictor of probabilities, shape (n, k), that sums to zero over the classes."""
        logarithm = mean.log()
        return logarithm - logarithm.mean(dim=-1, keepdim=True)

    def response(self, y: Tensor, n_outputs: int) -> Tensor:
        """A 1 in the column of each row's class, shape (n, k), float64."""
        return torch.nn.functional.one_hot(y[:, 0].long(), n_outputs).double()

    def variance(self, mean: Tensor) -> Tensor:
        """Variance of each class's indicator, shape (n, k)."""
        return mean * (1.0 - mean)

    def start(self, y: Tensor) -> Tensor:
        """Linear predictor to start from, shape (n, k): all classes alike, for none is outside of the domain."""
        return torch.zeros(y.shape[0], int(y.max()) + 1, dtype=torch.float64, device=y.device)

    def refusal(self, y: Tensor) -> str | None:
        """Why these targets cannot be had, what is expected instead; None when they can."""
        if y.shape[1] != 1:
            return f"softmax takes one column with the number of the class, got {y.shape[1]} columns."
        if bool((y < 0).any()) or not torch.equal(y, y.round()):
            wrong = float(y[(y < 0) | (y != y.round())][0])
            return f"softmax takes classes numbered 0, 1, 2, ..., got {wrong:g}."
        return None
