"""Squared hinge loss, of the support vector machine that is smooth: the square of what a margin lacks of 1.

With y in {0, 1}, the label of two classes, and h(z) = max(0, 1 - z),

    l(eta, y)  = y h(eta)^2 + (1 - y) h(-eta)^2,
    gradient   = -2 y h(eta) + 2 (1 - y) h(-eta),
    curvature  = 2 y [eta < 1] + 2 (1 - y) [eta > -1].

The curvature is that of one side at the corners, where there are two (a generalised Hessian: Mangasarian 2002, "A
finite Newton method for classification"; Keerthi, DeCoste 2005, "A modified finite Newton method for fast solution of
large scale linear SVMs"): Newton's method ends after finitely many steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from torchlinear.losses.hinge import Margin

__all__ = ["SHARE", "SquaredHinge"]

# Curvature of the flat sides beside that of the others in Newton's matrix: so it never loses its rank, and of the
# steps that the others leave open takes the least. Measured on separated rows: at 1e-9 up to 29 iterations, at 1e-7
# and 1e-12 some end before the optimum after 100.
SHARE = 1e-9


@dataclass(frozen=True, slots=True)
class SquaredHinge(Margin):
    """Squared hinge loss ``max(0, 1 - margin)**2``, of the smooth linear support vector machine.

    scikit-learn's ``LinearSVC(C=C)`` is ``tl.fit(X, y, loss="squared_hinge", penalty=tl.L2(1 / (C * n)))``, but for its
    intercept, which is penalised there and not here.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> tl.SquaredHinge().value(torch.tensor([[0.5], [0.5], [2.0]]), torch.tensor([[1.0], [0.0], [1.0]]))
    tensor([0.2500, 2.2500, 0.0000])
    """

    name: ClassVar[str] = "squared_hinge"

    @property
    def bound(self) -> float:
        """The second derivative where there is one that is not 0."""
        return 2.0

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        """Loss of each row, shape (n,)."""
        y = y.to(eta.dtype)
        below, above = (1.0 - eta).clamp(min=0.0), (1.0 + eta).clamp(min=0.0)
        return (y * below * below + (1.0 - y) * above * above).sum(dim=1)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        """Derivative of `value` by `eta`, shape (n, k)."""
        y = y.to(eta.dtype)
        return 2.0 * ((1.0 - y) * (1.0 + eta).clamp(min=0.0) - y * (1.0 - eta).clamp(min=0.0))

    def curvature(self, eta: Tensor, y: Tensor) -> Tensor:
        """Second derivative of `value` by `eta`, shape (n, k); at the corners that of the flat side."""
        y = y.to(eta.dtype)
        return 2.0 * ((1.0 - y) * (eta > -1.0).to(eta.dtype) + y * (eta < 1.0).to(eta.dtype))

    def expected(self, eta: Tensor, y: Tensor) -> Tensor:
        """What Newton's step takes for the curvature where that is 0, shape (n, k), above 0."""
        return self.curvature(eta, y).clamp(min=2.0 * SHARE)
