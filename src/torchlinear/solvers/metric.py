"""The metric that makes solvers indifferent to units and conditioning: a Hessian that is easy to invert.

Over rows about their mean, the Hessian of a loss of k outputs plus a ridge is near

    A (x) M + I (x) diag(alpha c),      M = sum w (x - mean)(x - mean)' / W,      A = sum w d^2 l / deta^2 / W,

with A of shape (k, k). With B = M + level diag(c) = L L' and L^-1 M L^-T = V diag(share) V', the basis
T = L^-T V makes both parts diagonal at once,

    T' M T = diag(share),      T' diag(c) T = diag(rest),

and with A = U diag(d) U' the inverse is ``T ((T' r U) / (d share + alpha rest)) U'`` for every alpha: a sweep
of penalties shares one basis. B is scaled to a unit diagonal first, so that units do not matter.

Golub, Van Loan 2013, "Matrix Computations", section 8.7 (simultaneous diagonalisation).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Inverse", "Metric"]

JITTER = 1e-12  # of the unit diagonal, for columns that depend on one another
DEPENDENT = 1e-3  # share below which a direction is rounding: the jitter outweighs it a thousandfold
FREE = 1e-12  # eigenvalue of A, relative to the largest, of what no row can tell (softmax: equal shifts)


@dataclass(frozen=True, slots=True)
class Metric:
    """Second moments of the features, ready to be combined with any A and alpha.

    Attributes
    ----------
    mean : Tensor, shape (p,), float64
        Means of the features; zeros for a model without intercept.
    basis : Tensor, shape (p, p), or (0, 0) for the identity
        T.
    share, rest : Tensor, shape (p,)
        See the module.
    """

    mean: Tensor
    basis: Tensor
    share: Tensor
    rest: Tensor

    @classmethod
    def of(cls, mean: Tensor, second: Tensor, strength: Tensor, level: float) -> Metric:
        """The metric of second moments.

        Parameters
        ----------
        mean : Tensor, shape (p,)
            Means.
        second : Tensor, shape (p, p), or (p,) for its diagonal alone
            M.
        strength : Tensor, shape (p,)
            c, the relative strength of the penalty on each column.
        level : float
            About alpha over a typical eigenvalue of A.
        """
        if second.ndim == 1:
            return cls(mean, second.new_empty(0, 0), second, strength)
        B = second + torch.diag(level * strength)
        scale = B.diagonal().sqrt()
        scale = torch.where(scale > 0, scale, 1.0)
        unit = B / torch.outer(scale, scale)
        unit.diagonal().add_(JITTER + (B.diagonal() <= 0).to(B))
        L = torch.linalg.cholesky(unit)
        half = torch.linalg.solve_triangular(L, second / torch.outer(scale, scale), upper=False)
        inner = torch.linalg.solve_triangular(L, half.T, upper=False)
        share, V = torch.linalg.eigh((inner + inner.T) / 2.0)
        basis = torch.linalg.solve_triangular(L.T, V, upper=True) / scale[:, None]
        return cls(mean, basis, share.clamp_min(0.0), (basis.square() * strength[:, None]).sum(dim=0))

    def inverse(self, coupling: Tensor, alpha: Tensor, *, intercept: bool) -> Inverse:
        """The inverse for given A and alpha.

        Parameters
        ----------
        coupling : Tensor, shape (m, k, k)
            A of each problem.
        alpha : Tensor, shape (m,)
            Strength of its penalty.
        intercept : bool
            Whether the last coefficient is free.
        """
        d, U = torch.linalg.eigh(coupling)
        told = d > FREE * d[:, -1:]
        d = torch.where(told, d, 1.0)
        pull = (alpha[:, None] * self.rest)[:, :, None]
        seen = (self.share > (DEPENDENT if self.basis.numel() else 0.0))[None, :, None] | (pull > 0)
        under = d[:, None, :] * self.share[:, None] + pull
        slopes = torch.where(seen & told[:, None, :], under, torch.inf).reciprocal()
        offset = torch.where(told & intercept, d, torch.inf).reciprocal()
        return Inverse(self.basis, U, slopes, offset)


@dataclass(frozen=True, slots=True)
class Inverse:
    """The inverse of a `Metric`, for m problems.

    Attributes
    ----------
    basis : Tensor, shape (p, p), or (0, 0) for the identity
        T.
    outer : Tensor, shape (m, k, k)
        U.
    slopes : Tensor, shape (m, p, k)
        Reciprocals in the basis.
    offset : Tensor, shape (m, k)
        Reciprocals for the intercept.
    """

    basis: Tensor
    outer: Tensor
    slopes: Tensor
    offset: Tensor

    def __call__(self, r: Tensor) -> Tensor:
        """The inverse times `r`, shape (m, p + 1, k), in coefficients about the mean."""
        inner = r @ self.outer
        beta = inner[:, :-1] if not self.basis.numel() else self.basis.T @ inner[:, :-1]
        beta = beta * self.slopes
        beta = beta if not self.basis.numel() else self.basis @ beta
        both = torch.cat([beta, (inner[:, -1] * self.offset)[:, None]], dim=1)
        return both @ self.outer.mT

    def of(self, which: Tensor) -> Inverse:
        """That of some of the problems."""
        return Inverse(self.basis, self.outer[which], self.slopes[which], self.offset[which])
