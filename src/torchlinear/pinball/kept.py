"""Rows near a plane, which are kept, and the others, of which only sums are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.pinball.matrices import Matrix, stacked

__all__ = ["Kept", "Taken", "kept", "sampled"]

Array = NDArray[np.float64]

SEED = 20


@dataclass(frozen=True, slots=True)
class Taken:
    """Some rows.

    Attributes
    ----------
    weight, y : ndarray, shape (m,)
        Weights and targets.
    X : ndarray or csr_array, shape (m, p), float64
        Features about the centre.
    """

    weight: Array
    X: Matrix
    y: Array


@dataclass(frozen=True)
class Kept:
    """Rows that were kept and the sums of the others; ``a + b`` is that of both sets of rows.

    Attributes
    ----------
    parts : tuple of Taken
        Rows that are kept.
    globs : ndarray, shape (2, p + 2)
        Sums of the others, above and below the plane: of their weights, of weighted features and targets.
    """

    parts: tuple[Taken, ...]
    globs: Array

    def __add__(self, other: Kept) -> Kept:
        return Kept(self.parts + other.parts, self.globs + other.globs)

    @property
    def count(self) -> int:
        """Rows that are kept."""
        return sum(len(part.y) for part in self.parts)

    @property
    def weight(self) -> float:
        """Sum of the weights of all rows."""
        return float(sum(part.weight.sum() for part in self.parts) + self.globs[:, 0].sum())

    def rows(self) -> Taken:
        """Rows, and each glob as one row at its weighted mean."""
        globs = self.globs[self.globs[:, 0] > 0]
        means = globs[:, 1:] / globs[:, :1]
        return Taken(
            np.concatenate([*(part.weight for part in self.parts), globs[:, 0]]),
            stacked([*(part.X for part in self.parts), means[:, :-1]]),
            np.concatenate([*(part.y for part in self.parts), means[:, -1]]),
        )


def kept(block: Block, column: int, centre: Array, planes: Array | None, band: float) -> Kept:
    """Rows within `band` of the first of the planes, or not on the same side of all of them.

    Parameters
    ----------
    block : Block
        Rows.
    column : int
        Which target.
    centre : ndarray, shape (p,)
        About which features are taken.
    planes : ndarray, shape (p + 1, m), or None
        Coefficients, the intercept last; None keeps all rows.
    band : float
        Distance.
    """
    block = block.counted()
    y, weight = _columns(block, column)
    if planes is None or band == np.inf:
        return Kept((_taken(block, y, weight, centre, torch.ones_like(y, dtype=torch.bool)),), _none(block))
    r = y[:, None] - block.predict(torch.from_numpy(planes))
    above, below, out = (r > 0).all(dim=1), (r < 0).all(dim=1), r[:, 0].abs() > band
    globs = [_summed(block, y, torch.where(out & side, weight, 0.0), centre) for side in (above, below)]
    near = ~(out & (above | below))
    return Kept((_taken(block, y, weight, centre, near),), torch.stack(globs).cpu().numpy())


def sampled(block: Block, column: int, centre: Array, share: float) -> Kept:
    """A random share of the rows; the same ones in every run."""
    block = block.counted()
    y, weight = _columns(block, column)
    drawn = torch.from_numpy(np.random.default_rng(SEED).random(len(y)) < share)
    return Kept((_taken(block, y, weight, centre, drawn.to(y.device)),), _none(block))


def _columns(block: Block, column: int) -> tuple[Tensor, Tensor]:
    """The target and the weights, shape (n,), float64, beside X."""
    y = block.y[:, column].to(block.X.device).double()
    return y, torch.ones_like(y) if block.weight is None else block.weight.to(y)


def _none(block: Block) -> Array:
    return np.zeros((2, block.X.shape[1] + 2))


def _taken(block: Block, y: Tensor, weight: Tensor, centre: Array, which: Tensor) -> Taken:
    if block.sparse:  # whose centre is zero
        X = block.X
        parts = (X.values().double().numpy(), X.col_indices().numpy(), X.crow_indices().numpy())
        features = scipy.sparse.csr_array(parts, shape=tuple(X.shape))[which.numpy()]
    else:
        some = block.X[which].double() - torch.from_numpy(centre).to(block.X.device)
        some = some if block.low is None else some + block.low[which]
        features = some.cpu().numpy()
    return Taken(weight[which].cpu().numpy(), features, y[which].cpu().numpy())


def _summed(block: Block, y: Tensor, weight: Tensor, centre: Array) -> Tensor:
    """Sums of the weights, of weighted features about the centre and of weighted targets, shape (p + 2,)."""
    pull = block.pull(weight[:, None])[:, 0]
    about = pull[:-1] - pull[-1] * torch.from_numpy(centre).to(pull)
    return torch.cat([pull[-1:], about, (weight @ y)[None].to(pull)])
