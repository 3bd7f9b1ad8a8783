"""Lasso: P(beta) = alpha * sum over j of c_j * |beta_j|, with column weights c (1 by default)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

import torch

from torchlinear.errors import InvalidInput
from torchlinear.penalties.separable import Separable

__all__ = ["L1", "adaptive_weights"]


@dataclass(frozen=True, slots=True)
class L1(Separable):
    """The lasso penalty ``alpha * sum(column_weights * abs(beta))``, in the user's units.

    Coefficients that do not pay for themselves are exactly zero (Tibshirani 1996, "Regression shrinkage and
    selection via the lasso"). For the adaptive lasso, take the column weights from `adaptive_weights`.

    Parameters
    ----------
    alpha : float
        Strength, at least 0. scikit-learn's ``Lasso(alpha=a)`` is ``L1(2 * a)``, because its squared loss is halved.
    column_weights : sequence or array of float, shape (p,), optional
        Relative strength for each column; 0 leaves a column unpenalised.
    standardize : bool
        Whether beta is taken times the standard deviation (1/n) of its column, so that the units of the columns do
        not matter, as glmnet does by default.

    Raises
    ------
    InvalidInput
        When `alpha` or a weight is negative or not finite.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> y = torch.tensor([2.0, 0.1, -2.0, -0.1])
    >>> tl.fit(X, y, penalty=tl.L1(0.5)).coef.tolist()
    [1.5, 0.0]
    """

    alpha: float = 1.0
    column_weights: Sequence[float] | None = None
    standardize: bool = False
    name: ClassVar[str] = "l1"
    smooth: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._check()

    def __str__(self) -> str:
        return self._text(f"{self.alpha:g}")

    def shares(self) -> tuple[float, float]:
        """Strengths of the absolute values and of the squares (0)."""
        return self.alpha, 0.0

    def with_alpha(self, alpha: float) -> L1:
        """The same penalty at another strength."""
        return replace(self, alpha=alpha)


def adaptive_weights(coef: Any, power: float = 1.0) -> tuple[float, ...]:
    """Column weights of the adaptive lasso: ``1 / abs(coef)**power``.

    Coefficients that an earlier fit found large then cost less, so that those which stay are shrunk less and the
    choice of columns is consistent (Zou 2006, "The adaptive lasso and its oracle properties").

    Parameters
    ----------
    coef : tensor, array or sequence, shape (p,)
        Coefficients of an earlier fit, such as one without penalty or with L2.
    power : float
        How much more a small coefficient costs, above 0.

    Returns
    -------
    tuple of float
        Weights for ``L1(alpha, column_weights=...)``; the largest for a coefficient of zero, 1e10 times that of the
        largest coefficient.

    Raises
    ------
    InvalidInput
        When there is more than one target, a coefficient is not finite, all are zero, or `power` is not above 0.

    Examples
    --------
    >>> import torchlinear as tl
    >>> tl.adaptive_weights([2.0, 0.5])
    (0.5, 2.0)
    """
    try:
        size = torch.as_tensor(coef, dtype=torch.float64).detach().cpu().abs()
    except (TypeError, ValueError, RuntimeError):
        raise InvalidInput(
            f"adaptive_weights takes the coefficients of an earlier fit, fit.coef, got a {type(coef).__name__}."
        ) from None
    if size.ndim != 1 or not bool(torch.isfinite(size).all()) or not bool((size > 0).any()):
        raise InvalidInput(
            f"adaptive_weights takes finite coefficients of one target, not all zero, got shape {tuple(size.shape)}."
        )
    if not (isinstance(power, Real) and power > 0):
        raise InvalidInput(f"power={power!r}: expected a number above 0.")
    weights = size.pow(-power)
    return tuple(weights.clamp(max=1e10 * float(weights.min())).tolist())
