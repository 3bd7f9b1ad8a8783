"""The objective of frames, and how far each is above the optimum.

For squared loss with a smooth penalty the distance from the optimum is a sum of squares,

    F(b) - F(b*) = |R (beta - beta*)|^2 / W + (mean residual)^2 + 1/2 sum strength_j (beta_j - beta*_j)^2,

so a gap of 1e-20 has its digits. Of other objectives it is a difference, down to rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.quadratic import QuadraticObjective
from torchlinear.summed import SummedObjective

__all__ = ["Heights", "Judge", "judge_of"]

Array = NDArray[np.float64]

TOGETHER = 4_000_000  # linear predictors of frames that are computed at once
EVALUATED = 200_000_000  # numbers of X that frames of a runner may read, about half a second
FEWEST = 60  # frames whatever they cost


class Heights(NamedTuple):
    """Objective of coefficients, and how far it is above the optimum; both of shape (f,)."""

    loss: Array
    excess: Array


class Judge(ABC):
    """Says loss and gap of coefficients.

    Parameters
    ----------
    best : Tensor, shape (p + 1, k)
        The optimum.
    start : Tensor, shape (p + 1, k)
        Where runners start.
    """

    least: float

    def __init__(self, best: Tensor, start: Tensor) -> None:
        self.best = best
        self.least = float(self.loss(best[None])[0])
        self.whole = float(self.heights(start[None]).excess[0])

    @abstractmethod
    def loss(self, coef: Tensor) -> Array:
        """Objective of coefficients (f, p + 1, k); shape (f,)."""

    def heights(self, coef: Tensor) -> Heights:
        """Objective of coefficients (f, p + 1, k), and the same above the optimum."""
        loss = self.loss(coef)
        with np.errstate(invalid="ignore"):
            return Heights(loss, np.maximum(loss - self.least, 0.0))

    def gap(self, excess: Array) -> Array:
        """What is above the optimum as a share of that of the start; NaN becomes inf."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.nan_to_num(excess / self.whole, nan=np.inf, posinf=np.inf)

    def frames(self, most: int) -> int:
        """How many frames, of `most`, are worth their evaluation."""
        return most


class Exact(Judge):
    """Of squared loss, from the triangle of the rows."""

    def __init__(self, objective: QuadraticObjective, best: Tensor, start: Tensor) -> None:
        self.objective = objective
        super().__init__(best, start)

    def loss(self, coef: Tensor) -> Array:
        """F."""
        if self.objective.smooth:
            return self.heights(coef).loss
        return np.array([self.objective.value(one) for one in coef])

    def heights(self, coef: Tensor) -> Heights:
        """F, and F - F* as a sum of squares."""
        if not self.objective.smooth:
            return super().heights(coef)
        excess = self._excess(coef)
        return Heights(excess + self.objective.value(self.best), excess)

    def _excess(self, coef: Tensor) -> Array:
        p, triangle = self.objective.n_features, self.objective.factor
        with np.errstate(over="ignore", invalid="ignore"):
            apart = (coef - self.best).numpy()
            beta = apart[:, :-1]
            bent = np.square(np.matmul(triangle.R.high[:p, :p], beta)).sum(axis=(1, 2)) / triangle.weight
            missed = apart[:, -1] + np.matmul(triangle.mean.high[:p], beta)
            pull = (self.objective.ridge(1.0)[:, None] * np.square(beta)).sum(axis=(1, 2))
            return np.asarray(bent + np.square(missed).sum(axis=1) + pull)


class Summed(Judge):
    """Of any loss, from the rows."""

    def __init__(self, objective: SummedObjective, best: Tensor, start: Tensor) -> None:
        self.objective = objective
        super().__init__(best, start)

    def loss(self, coef: Tensor) -> Array:
        """F."""
        sums = self.objective.loaded.sum(_sums, self.objective.loss, coef).numpy()
        return np.array([self.objective.total(float(value), one) for value, one in zip(sums, coef)])

    def frames(self, most: int) -> int:
        """Each reads all rows."""
        n = self.objective.rows.n_rows or 0
        numbers = max(n * self.objective.n_features * self.objective.n_outputs, 1)
        return min(most, max(FEWEST, EVALUATED // numbers))


class Asked(Summed):
    """Of an objective that is more than a sum over the rows: one question for each frame."""

    def loss(self, coef: Tensor) -> Array:
        """F."""
        return np.array([self.objective.value(one) for one in coef])


def judge_of(objective: Objective, best: Tensor, start: Tensor) -> Judge:
    """The judge of an objective."""
    if isinstance(objective, QuadraticObjective):
        return Exact(objective, best, start)
    assert isinstance(objective, SummedObjective)
    return (
        Summed(objective, best, start)
        if type(objective) is SummedObjective
        else Asked(objective, best, start)
    )


def _sums(block: Block, loss: Loss, coef: Tensor) -> Tensor:
    """Weighted sums of the losses at coefficients (f, p + 1, k); shape (f,)."""
    block = block.counted()
    f, _, k = coef.shape
    together = max(1, TOGETHER // max(len(block.y) * k, 1))
    found = []
    for first in range(0, f, together):
        part = coef[first : first + together]
        eta = block.predict(part.permute(1, 0, 2).flatten(1)).T.contiguous()
        for at in range(len(part)):
            value = loss.value(eta[at * k : (at + 1) * k].T.contiguous(), block.y)
            found.append(value.sum() if block.weight is None else block.weight @ value)
    return torch.stack(found).cpu()
