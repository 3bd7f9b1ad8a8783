"""Elastic net: mix * L1(alpha) + (1 - mix) * L2(alpha), with column weights on both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import ClassVar

from torchlinear.errors import InvalidInput
from torchlinear.penalties.separable import Separable

__all__ = ["L1L2"]


@dataclass(frozen=True, slots=True)
class L1L2(Separable):
    """The elastic-net penalty ``mix * L1(alpha) + (1 - mix) * L2(alpha)``, in the user's units.

    Columns that say the same share their coefficient, where the lasso picks one of them (Zou, Hastie 2005,
    "Regularization and variable selection via the elastic net"). The estimator of scikit-learn's name is
    `torchlinear.ElasticNet`.

    Parameters
    ----------
    alpha : float
        Strength, at least 0. scikit-learn's ``ElasticNet(alpha=a, l1_ratio=r)`` is ``L1L2(2 * a, r)``.
    mix : float
        Share of L1, from 0 to 1.
    column_weights : sequence or array of float, shape (p,), optional
        Relative strength for each column, of both parts; 0 leaves a column unpenalised.
    standardize : bool
        Whether beta is taken times the standard deviation (1/n) of its column, so that the units of the columns do
        not matter, as glmnet does by default.

    Raises
    ------
    InvalidInput
        When `alpha` or a weight is negative or not finite, or `mix` is not from 0 to 1.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.L1L2(0.5, mix=0.5).value(torch.tensor([[2.0]]))
    tensor(1.)
    """

    alpha: float = 1.0
    mix: float = 0.5
    column_weights: Sequence[float] | None = None
    standardize: bool = False
    name: ClassVar[str] = "elastic_net"
    smooth: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._check()
        if not (isinstance(self.mix, Real) and 0.0 <= self.mix <= 1.0):
            raise InvalidInput(
                f"{type(self).__name__} takes a mix from 0 (L2) to 1 (L1), got mix={self.mix!r}."
            )

    def __str__(self) -> str:
        return self._text(f"{self.alpha:g}, mix={self.mix:g}")

    def shares(self) -> tuple[float, float]:
        """Strengths of the absolute values and of the squares."""
        return self.mix * self.alpha, (1.0 - self.mix) * self.alpha

    def with_alpha(self, alpha: float) -> L1L2:
        """The same penalty at another strength."""
        return replace(self, alpha=alpha)
