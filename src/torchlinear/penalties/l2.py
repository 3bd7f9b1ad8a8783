"""Ridge: P(beta) = alpha / 2 * sum over j of c_j * beta_j^2, with column weights c (1 by default)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.penalties.base import Penalty

__all__ = ["L2"]


@dataclass(frozen=True, slots=True)
class L2(Penalty):
    """The ridge penalty ``alpha / 2 * sum(column_weights * beta**2)``, in the user's units.

    Parameters
    ----------
    alpha : float
        Strength, at least 0. scikit-learn's ``Ridge(alpha=a)`` is ``L2(2 * a / n)``.
    column_weights : sequence or array of float, shape (p,), optional
        Relative strength for each column; 0 leaves a column unpenalised.

    Raises
    ------
    InvalidInput
        When `alpha` or a weight is negative or not finite.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.L2(0.5).value(torch.tensor([[2.0]]))
    tensor(1.)
    """

    alpha: float = 1.0
    column_weights: Sequence[float] | None = None
    name: ClassVar[str] = "l2"

    def __post_init__(self) -> None:
        if self.column_weights is not None:  # arrays and tensors too; a tuple compares and prints
            object.__setattr__(self, "column_weights", tuple(map(float, self.column_weights)))
        values = torch.as_tensor(
            [self.alpha, *(self.column_weights or ())], dtype=torch.float64, device="cpu"
        )
        if not bool(torch.isfinite(values).all()) or bool((values < 0).any()):
            raise InvalidInput(
                f"L2 takes a finite alpha and column_weights of at least 0, got alpha={self.alpha!r}, "
                f"column_weights={self.column_weights!r}."
            )

    def __str__(self) -> str:
        weighted = "" if self.column_weights is None else ", with column weights"
        return f"L2({self.alpha:g}){weighted}"

    def value(self, beta: Tensor) -> Tensor:
        """P(beta), a scalar."""
        return 0.5 * (self.curvature(beta) * beta.square()).sum()

    def gradient(self, beta: Tensor) -> Tensor:
        """Derivative of `value`, shape (p, k)."""
        return self.curvature(beta) * beta

    def curvature(self, beta: Tensor) -> Tensor:
        """Diagonal of the second derivative, shape (p, k)."""
        return self.alpha * self.weights(beta.shape[0]).to(beta).unsqueeze(1).expand(beta.shape)

    def weights(self, n_features: int) -> Tensor:
        """Column weights, shape (p,), float64; `InvalidInput` when their number is not p."""
        if self.column_weights is None:
            return torch.ones(n_features, dtype=torch.float64, device="cpu")
        if len(self.column_weights) != n_features:
            raise InvalidInput(
                f"L2.column_weights has {len(self.column_weights)} entries for {n_features} columns; "
                "give one for each column of the design (dummies count singly)."
            )
        return torch.as_tensor(self.column_weights, dtype=torch.float64, device="cpu")
