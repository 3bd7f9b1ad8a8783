"""ModuleProblem: somebody's module, criterion and rows, as the problem that `Eager` trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from torchlinear.training.first_loss import first_loss
from torchlinear.training.scores import warn_of_scores

__all__ = ["Batching", "Criterion", "ModuleProblem"]

Criterion = Callable[[Any, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Batching:
    """How the rows of an epoch are split into batches.

    Attributes
    ----------
    n_rows : int
        n.
    batch_size : int or None
        Rows of a batch, the last one of an epoch may be smaller; None for all rows at once.
    shuffle : bool
        Whether batches are drawn in a new random order every epoch; all rows at once have no order.
    generator : torch.Generator or None
        Where that order comes from; torch's global generator by default.
    """

    n_rows: int
    batch_size: int | None = None
    shuffle: bool = True
    generator: torch.Generator | None = None

    @property
    def size(self) -> int:
        """Rows of a full batch."""
        return self.n_rows if self.batch_size is None else min(self.batch_size, self.n_rows)

    def order(self, dtype: torch.dtype = torch.int64) -> Tensor | None:
        """Rows in the order of a new epoch, shape (n,); None for the order in which they lie."""
        if self.batch_size is None or not self.shuffle:
            return None
        device = "cpu" if self.generator is None else self.generator.device
        return torch.randperm(self.n_rows, generator=self.generator, device=device, dtype=dtype)

    def batches(self, first: int) -> Iterator[slice]:
        """Places of each batch in the order of an epoch, from place `first`."""
        for start in range(first, self.n_rows, self.size):
            yield slice(start, min(start + self.size, self.n_rows))


@dataclass(slots=True)
class ModuleProblem:
    """A module to train on rows.

    Attributes
    ----------
    model : nn.Module
        The module, called as ``model(x)``.
    criterion : callable
        The loss, called as ``criterion(model(x), y)``; gives one number.
    x, y : Tensor, shapes (n, ...)
        Rows and their targets.
    batching : Batching
        How they are split.
    """

    model: nn.Module
    criterion: Criterion
    x: Tensor
    y: Tensor
    batching: Batching
    _compared: bool = field(default=False, init=False)

    def loss(self, place: slice, order: Tensor | None) -> Tensor:
        """Loss of a batch with its graph, a scalar; the first call compares what the model gives with y."""
        x, y = self.x, self.y
        if self.batching.batch_size is not None:
            rows = place if order is None else order[place].to(x.device)
            x, y = x[rows], y[rows]
        if self._compared:
            return self.criterion(self.model(x), y)
        first = first_loss(self.model, self.criterion, x, y, self.y)
        warn_of_scores(self.criterion, first.out)
        self._compared = True
        return first.loss

    def parameters(self) -> Tensor:
        """All parameters, copied to a column of shape (P, 1), by which the loop sees divergence."""
        real = (torch.view_as_real(p) if p.is_complex() else p for p in self.model.parameters())
        flat = [parameter.detach().reshape(-1, 1).cpu() for parameter in real]
        return torch.cat(flat) if flat else torch.empty(0, 1, device="cpu")
