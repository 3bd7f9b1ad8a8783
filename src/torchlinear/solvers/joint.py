"""The model of proximal Newton for losses whose outputs interact (softmax): all outputs in one dense matrix.

With Z = [X - c, 1] for a point c near the rows, and h_ab the second derivatives of a row's loss by its outputs,
block (a, b) of the matrix is ``Z' diag(w h_ab) Z``. It takes k^2 (p + 1)^2 numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.kernels.coordinate import minimise
from torchlinear.losses.base import Loss
from torchlinear.penalties.group_lasso import GroupLasso
from torchlinear.solvers.blocks import of_model
from torchlinear.summed import SummedObjective

__all__ = ["MOST_COEFFICIENTS", "Joint"]

Array = NDArray[np.float64]

MOST_COEFFICIENTS = 5_000  # whose matrix takes 0.2 GB
CHUNK = 2_048  # rows
DAMPED = 1e-9  # share of its curvature that holds back each step: softmax has directions without any
TOLERANCE = 1e-15  # of the coordinate descent, which starts near its end


@dataclass(frozen=True, slots=True)
class Joint:
    """The loss as one quadratic of the coefficients of all k outputs.

    Attributes
    ----------
    H : ndarray, shape (k (p + 1), k (p + 1))
        Second derivatives, output by output, for coordinates that are scaled to a curvature of 1; the intercept
        last of each output, and no row for it when there is none.
    scale : ndarray, shape (p + 1, k) or (p, k)
        What coordinates are divided by.
    centre : ndarray, shape (p,)
        c; zeros without an intercept.
    """

    H: Array
    scale: Array
    centre: Array

    @classmethod
    def at(cls, problem: SummedObjective, coef: Tensor) -> Joint | None:
        """The model at `coef`; None where sums overflow."""
        intercept, k = problem.intercept, problem.n_outputs
        centre = problem.centre if intercept else np.zeros_like(problem.centre)
        H = problem.loaded.sum(_hessian, problem.loss, coef, centre, intercept)
        if not np.isfinite(H).all():
            return None
        norms = np.sqrt(np.diagonal(H))
        scale = np.where(norms > 0, norms, 1.0)
        H = np.ascontiguousarray(H / np.outer(scale, scale))
        H[np.diag_indices_from(H)] += DAMPED
        return cls(H, scale.reshape(k, -1).T, centre)

    def step(self, problem: SummedObjective, coef: Tensor) -> tuple[Array, float]:
        """The way from `coef` to the model's minimum, shape (p + 1, k), and how F begins to fall along it."""
        p, weight, at = problem.n_features, problem.weight, coef.numpy().copy()
        at[-1] += self.centre @ at[:-1]
        lasso, ridge = np.zeros_like(self.scale), np.zeros_like(self.scale)
        lasso[:p], ridge[:p] = problem.lasso(weight)[:, None], problem.ridge(weight)[:, None]
        pull = problem.at(coef).pull.copy()
        pull[:-1] += (problem.centre - self.centre)[:, None] * pull[-1]
        at, pull = at[: len(self.scale)], pull[: len(self.scale)]
        now = _flat(at * self.scale)
        g = self.H @ now - _flat(pull / self.scale)
        low, high = np.full_like(lasso, -np.inf), np.full_like(lasso, np.inf)
        low[:p], high[:p] = (bound[:, None] for bound in problem.bounds)
        strengths = [_flat(lasso / self.scale), _flat(ridge / np.square(self.scale))]
        strengths += [_flat(bound * self.scale) for bound in (low, high)]
        penalty = problem.penalty
        if isinstance(penalty, GroupLasso):
            flat = _flat(self.scale)
            way = of_model(self.H * np.outer(flat, flat), penalty, at, pull, weight, p=p) - at
            kinks = weight * float(penalty.rough(torch.from_numpy((at + way)[:p])) - penalty.rough(coef[:-1]))
            seen = (penalty.metric(p) > 0).numpy()
            lasso[:p] = (seen * penalty.strengths(p).numpy()[penalty.index(p).numpy()])[:, None]
        else:
            found = minimise(self.H, g, now, *strengths, tol=TOLERANCE).beta.reshape(self.scale.T.shape).T
            way = found / self.scale - at
            kinks = float((lasso * (np.abs(at + way) - np.abs(at))).sum())
        slope = float(((pull + ridge * at) * way).sum()) + kinks
        held = (lasso + ridge > 0) | np.isfinite(low) | np.isfinite(high)
        free = ~held.any(axis=1)  # of those with the same predictions, the ones that sum to zero
        way[free] -= (at + way)[free].mean(axis=1, keepdims=True)
        step = np.zeros(coef.shape)
        step[: len(way)] = way
        if problem.intercept:
            step[-1] -= self.centre @ step[:-1]
            step[-1] -= (coef[-1].numpy() + step[-1]).mean()
        return step, slope / weight


def _flat(values: Array) -> Array:
    """Shape (rows, k) as one vector, output by output."""
    return np.ascontiguousarray(values.T).ravel()


def _hessian(block: Block, loss: Loss, coef: Tensor, centre: Array, intercept: bool) -> Array:
    """Second derivatives of the summed loss of one block, output by output."""
    block = block.counted()
    eta, k, size = block.predict(coef), coef.shape[1], len(centre) + int(intercept)
    basis = torch.eye(k, dtype=torch.float64)
    H = np.zeros((k, size, k, size))
    for start in range(0, len(eta), CHUNK):
        part = slice(start, start + CHUNK)
        Z = block.dense(start, start + CHUNK) - torch.from_numpy(centre)
        if intercept:
            Z = torch.cat([Z, torch.ones(len(Z), 1, dtype=torch.float64)], dim=1)
        for b in range(k):
            bend = loss.product(eta[part], block.y[part], basis[b].expand(len(Z), k))
            bend[:, b] = bend[:, b] - bend.sum(
                dim=1
            )  # rows of h sum to 0; 1 - pi has lost its digits near pi = 1
            if block.weight is not None:
                bend = block.weight[part].unsqueeze(1) * bend
            for a in range(b + 1):
                H[a, :, b] += ((Z * bend[:, a : a + 1]).T @ Z).numpy()
    for b in range(k):
        for a in range(b):
            H[b, :, a] = H[a, :, b].T
    return H.reshape(k * size, k * size)
