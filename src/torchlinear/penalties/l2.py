"""Ridge: P(beta) = alpha / 2 * sum over j of c_j * beta_j^2, with column weights c (1 by default)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from torchlinear.penalties.separable import Separable

__all__ = ["L2"]


@dataclass(frozen=True, slots=True)
class L2(Separable):
    """The ridge penalty ``alpha / 2 * sum(column_weights * beta**2)``, in the user's units.

    Parameters
    ----------
    alpha : float
        Strength, at least 0. scikit-learn's ``Ridge(alpha=a)`` is ``L2(2 * a / n)``.
    column_weights : sequence or array of float, shape (p,), optional
        Relative strength for each column; 0 leaves a column unpenalised.
    standardize : bool
        Whether beta is taken times the standard deviation (1/n) of its column, so that the units of the columns do
        not matter.

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
    standardize: bool = False
    name: ClassVar[str] = "l2"

    def __post_init__(self) -> None:
        self._check()

    def __str__(self) -> str:
        return self._text(f"{self.alpha:g}")

    def shares(self) -> tuple[float, float]:
        """Strengths of the absolute values (0) and of the squares."""
        return 0.0, self.alpha

    def with_alpha(self, alpha: float) -> L2:
        """The same penalty at another strength."""
        return replace(self, alpha=alpha)
