"""The units of a race: the user's, or those of columns of mean 0 and standard deviation 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.rows import Rows, TensorRows

__all__ = ["Units"]


@dataclass(frozen=True, slots=True)
class Units:
    """Columns of the race are ``(x - centre) * scale``.

    Attributes
    ----------
    centre, scale : Tensor, shape (p,), float64
        0 and 1 for the user's units.
    standardized : bool
        Whether they are others.
    """

    centre: Tensor
    scale: Tensor
    standardized: bool

    @classmethod
    def of(cls, rows: Rows, standardize: bool, *, centred: bool) -> tuple[Units, Rows]:
        """The units, and the rows in them.

        Raises
        ------
        InvalidInput
            When rows that are not dense tensors in memory are to be standardised.
        """
        p = rows.n_features
        if not standardize:
            return cls(torch.zeros(p).double(), torch.ones(p).double(), False), rows
        if not isinstance(rows, TensorRows):
            raise InvalidInput(
                "standardize=True takes dense rows in memory; give tensors, arrays or a smaller table, or leave it out."
            )
        X = rows.X.double()
        weight = torch.ones(len(X)).double() if rows.weight is None else rows.weight.double()
        centre = (weight @ X) / weight.sum() if centred else torch.zeros(p).double()
        spread = ((weight @ (X - centre).square()) / weight.sum()).sqrt()
        scale = torch.where(spread > 4 * np.finfo(np.float64).eps * centre.abs(), 1.0 / spread, 1.0)
        made = TensorRows(
            (X - centre) * scale,
            rows.y,
            rows.weight,
            names=rows.names,
            targets=rows.targets,
            offset=rows.offset,
        )
        return cls(centre, scale, True), made

    def users(self, coef: Tensor) -> Tensor:
        """Coefficients (f, p + 1, k) of the race in the user's units."""
        if not self.standardized:
            return coef
        beta = coef[:, :-1] * self.scale[:, None]
        return torch.cat([beta, coef[:, -1:] - torch.einsum("p,fpk->fk", self.centre, beta)[:, None]], dim=1)

    def inside(self, coef: Tensor) -> Tensor:
        """Coefficients (..., p + 1, k) of the user's units in those of the race."""
        if not self.standardized:
            return coef
        beta, last = coef[..., :-1, :], coef[..., -1:, :]
        moved = last + (self.centre[:, None] * beta).sum(dim=-2, keepdim=True)
        return torch.cat([beta / self.scale[:, None], moved], dim=-2)
