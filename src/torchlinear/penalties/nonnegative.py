"""Non-negativity: no coefficient below zero."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.penalties.constraint import Constraint

__all__ = ["NonNegative"]


@dataclass(frozen=True, slots=True)
class NonNegative(Constraint):
    """The constraint ``coef >= 0`` on all columns, never on the intercept.

    Alone it makes squared loss non-negative least squares (NNLS; Lawson, Hanson 1974, "Solving least squares
    problems", chapter 23). It can be added to a penalty: ``tl.L1(0.1) + tl.NonNegative()``. `Box` has a bound for
    each column.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> tl.fit(X, X @ torch.tensor([2.0, -1.0]), penalty=tl.NonNegative()).coef.tolist()
    [2.0, 0.0]
    """

    name: ClassVar[str] = "nonnegative"

    def __str__(self) -> str:
        return "NonNegative()"

    def lower(self, n_features: int) -> Tensor:
        """Zeros, shape (p,), float64."""
        return torch.zeros(n_features, dtype=torch.float64, device="cpu")

    def upper(self, n_features: int) -> Tensor:
        """Infinity, shape (p,), float64."""
        return torch.full((n_features,), math.inf, dtype=torch.float64, device="cpu")
