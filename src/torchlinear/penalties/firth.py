"""Firth's penalty: half the log-determinant of the information, Jeffreys' prior of a logistic regression.

    F(b) = (1 / W) (sum w l(eta, y) - 1/2 log det I(b)),     I(b) = [X, 1]' diag(w pi (1 - pi)) [X, 1].

It depends on the rows, and is added by their objective (`jeffreys`): of coefficients alone it says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.penalties.base import Penalty

__all__ = ["Firth"]


@dataclass(frozen=True, slots=True)
class Firth(Penalty):
    """Firth's bias reduction for logistic regression: finite estimates, even of separated targets.

    It takes the first-order bias out of the maximum-likelihood estimates of small samples (Firth 1993, "Bias
    reduction of maximum likelihood estimates") and keeps them finite where a column tells the targets apart (Heinze,
    Schemper 2002, "A solution to the problem of separation in logistic regression"). Nothing is to be chosen, and the
    units of the columns do not matter. The intercept takes part, as in R's logistf. Standard errors are the roots
    of the diagonal of the inverse information at the estimates; intervals from them are Wald's, which of separated
    targets are rough.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])  # the targets are told apart at 2.5
    >>> fit = tl.fit(x, torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]), loss="logistic", penalty=tl.Firth())
    >>> fit.status is tl.Status.CONVERGED, fit.predict(torch.tensor([[2.5]]), kind="mean").round(decimals=6)
    (True, tensor([0.5000]))
    """

    name: ClassVar[str] = "firth"
    has_strength: ClassVar[bool] = False
    standardize: bool = False

    def __str__(self) -> str:
        return "Firth()"

    def value(self, beta: Tensor) -> Tensor:
        """0: what it costs depends on the rows."""
        return beta.new_zeros(())

    def gradient(self, beta: Tensor) -> Tensor:
        """Zeros, shape (p, k)."""
        return torch.zeros_like(beta)

    def curvature(self, beta: Tensor) -> Tensor:
        """Zeros, shape (p, k)."""
        return torch.zeros_like(beta)

    def in_units(self, deviation: Tensor) -> Firth:
        """Itself: units make no difference."""
        return self
