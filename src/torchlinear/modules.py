"""ModuleProblem: somebody's own module, criterion and rows, as the problem that the loop works on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from torchlinear import checks

__all__ = ["Criterion", "ModuleProblem"]

Criterion = Callable[[Tensor, Tensor], Tensor]


@dataclass(slots=True)
class ModuleProblem:
    """A module to train on rows, in batches.

    Attributes
    ----------
    model : nn.Module
        The module, called as ``model(x)``.
    criterion : callable
        The loss, called as ``criterion(model(x), y)``; gives one number.
    x, y : Tensor, shapes (n, ...)
        Rows and their targets.
    batch_size : int or None
        Rows of a batch, the last one of an epoch may be smaller; None for all rows at once.
    shuffle : bool
        Whether batches are drawn in a new random order every epoch; all rows at once have no order.
    generator : torch.Generator or None
        Where that order comes from; torch's global generator by default.
    """

    model: nn.Module
    criterion: Criterion
    x: Tensor
    y: Tensor
    batch_size: int | None = None
    shuffle: bool = True
    generator: torch.Generator | None = None
    _compared: bool = field(default=False, init=False)

    @property
    def n_rows(self) -> int:
        """n."""
        return len(self.x)

    def order(self) -> Tensor | None:
        """Rows in the order of a new epoch, shape (n,), int64; None for the order in which they lie."""
        if self.batch_size is None or not self.shuffle:
            return None
        device = "cpu" if self.generator is None else self.generator.device
        return torch.randperm(self.n_rows, generator=self.generator, device=device).to(self.x.device)

    def batches(self, first: int, order: Tensor | None) -> Iterator[slice | Tensor]:
        """Rows of each batch of an epoch, from its row `first`."""
        size = self.batch_size or self.n_rows
        for start in range(first, self.n_rows, size):
            rows = slice(start, min(start + size, self.n_rows))
            yield rows if order is None else order[rows]

    def loss(self, rows: slice | Tensor) -> Tensor:
        """Loss of a batch with its graph, a scalar; the first call compares what the model gives with y."""
        x, y = (self.x, self.y) if self.batch_size is None else (self.x[rows], self.y[rows])
        if self._compared:
            return self.criterion(self.model(x), y)
        loss = checks.first_loss(self.model, self.criterion, x, y, self.y)
        self._compared = True
        return loss

    def parameters(self) -> Tensor:
        """All parameters, copied to a column of shape (P, 1), by which the loop sees divergence."""
        flat = [parameter.detach().reshape(-1, 1).cpu() for parameter in self.model.parameters()]
        return torch.cat(flat) if flat else torch.empty(0, 1)
