"""How good probes are on rows that they have not seen: log-loss, top-1 and top-5, of all penalties in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from torchlinear.block import Block
from torchlinear.losses.softmax import Softmax

__all__ = ["TOP", "Scores", "scores"]

TOP = 5


@dataclass(frozen=True, slots=True)
class Scores:
    """Sums over rows; ``a + b`` are those of both sets of rows.

    Attributes
    ----------
    rows : int
        Rows with a weight above zero.
    weight : float
        Sum of the weights: n, without.
    loss, squares : Tensor, shape (m,), float64
        Weighted sums of the log-loss of each row, and of its square.
    first, among : Tensor, shape (m,), float64
        Weight of the rows whose class is the likeliest, and is among the five likeliest.
    """

    rows: int
    weight: float
    loss: Tensor
    squares: Tensor
    first: Tensor
    among: Tensor

    def __add__(self, other: Scores) -> Scores:
        return Scores(
            self.rows + other.rows,
            self.weight + other.weight,
            self.loss + other.loss,
            self.squares + other.squares,
            self.first + other.first,
            self.among + other.among,
        )

    @property
    def spread(self) -> Tensor:
        """Standard error of the mean log-loss, shape (m,): of so many rows, whatever they weigh."""
        variance = self.squares / self.weight - (self.loss / self.weight).square()
        return (variance.clamp_min(0.0) / max(self.rows - 1, 1)).sqrt()


def scores(block: Block, coef: Tensor, k: int) -> Scores:
    """Scores of problems side by side, coefficients of shape (p + 1, m k)."""
    eta, code = block.predict(coef).reshape(len(block.y), -1, k), block.y.long()
    m = eta.shape[1]
    loss = Softmax().value(eta.flatten(0, 1), code.repeat_interleave(m, dim=0)).view(-1, m)
    own = eta.gather(2, code[:, None].expand(-1, m, 1))
    before = torch.arange(k, device=eta.device) < code[:, None]  # of equals the first counts, as in argmax
    rank = ((eta > own) | ((eta == own) & before)).sum(dim=2)
    weight = (
        torch.ones(len(eta), dtype=torch.float64, device=eta.device) if block.weight is None else block.weight
    )
    return Scores(
        int((weight > 0).sum()),
        float(weight.sum()),
        weight @ loss,
        weight @ loss.square(),
        weight @ (rank == 0).double(),
        weight @ (rank < TOP).double(),
    )
