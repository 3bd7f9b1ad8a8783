"""Many rows by few: rows that are far from the plane are summed up into two, and the rest is solved exactly.

A row far above the plane stays above it, and pulls with the same force wherever the plane moves meanwhile. All of
them together pull as one row at their weighted mean with their total weight (Portnoy, Koenker 1997, section 4,
call it a glob). By convexity that row costs at most what they cost together, so the optimum of the reduced problem
is a lower bound of the whole; when no row of a glob turns out to lie on the other side, it is the optimum.

A row is far when it is further than `band` from the first plane and on the same side of every plane that came
after. So each pass over the rows checks the last plane and makes the next problem, and the rows kept only grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import Block
from torchlinear.engines.base import Loaded
from torchlinear.pinball.problem import Optimum, Pinball
from torchlinear.pinball.solution import solve

__all__ = ["Target", "least"]

Array = NDArray[np.float64]

DIRECT_ROWS = 4_000  # up to which all rows are kept
INSIDE = 1.0 - 1e-9  # of a dual's interval
KEPT = 0.8  # of the sample, as in Portnoy and Koenker
REGROUPED = 0.3  # of the kept rows: as many that turn out to lie on the other side ask for a new first plane
SEED = 20


@dataclass(frozen=True, slots=True)
class Target:
    """One target of a loss.

    Attributes
    ----------
    column : int
        Which of the targets.
    slopes : tuple of float
        Derivatives of the loss by the residual, below and above 0.
    strengths : ndarray, shape (p,)
        Of the L1 penalty, for a sum of weights of 1.
    intercept : bool
        Whether there is one.
    centre : ndarray, shape (p,)
        A point near the rows, about which features are summed; zeros without an intercept.
    """

    column: int
    slopes: tuple[float, float]
    strengths: Array
    intercept: bool
    centre: Array

    def problem(self, rows: Kept) -> Pinball:
        """The rows and the penalty as one problem, for the weights of `rows`."""
        below, above = self.slopes
        p, penalised = rows.values.shape[1] - 2, np.flatnonzero(self.strengths)
        strength = rows.weight * self.strengths[penalised]
        weight, unit = rows.values[:, 0], np.zeros((len(penalised), p + self.intercept))
        unit[np.arange(len(penalised)), penalised] = 1.0
        ones = [np.ones((len(weight), 1))] if self.intercept else []
        return Pinball(
            np.vstack([np.hstack([rows.values[:, 1:-1], *ones]), unit]),
            np.concatenate([rows.values[:, -1], np.zeros(len(penalised))]),
            np.concatenate([below * weight, -strength]),
            np.concatenate([above * weight, strength]),
        )

    def plane(self, found: Optimum, weight: float) -> Array:
        """Coefficients of a problem in the user's units, the intercept last (0 without one), shape (p + 1,).

        Where the dual of a penalty is inside of its interval, the coefficient is 0 (complementary slackness).
        """
        p, penalised = len(self.strengths), np.flatnonzero(self.strengths)
        beta, dual = found.coef[:p].copy(), np.abs(found.dual[len(found.dual) - len(penalised) :])
        beta[penalised[dual < INSIDE * weight * self.strengths[penalised]]] = 0.0
        return np.append(beta, found.coef[p] - self.centre @ beta if self.intercept else 0.0)


@dataclass(frozen=True)
class Kept:
    """Rows that were kept and the sums of the others; ``a + b`` is that of both sets of rows.

    Attributes
    ----------
    parts : tuple of ndarray, each of shape (m, p + 2)
        Rows that are kept, each as its weight, its features and its target.
    globs : ndarray, shape (2, p + 2)
        Sums of the others, above and below the plane: of their weights, of weighted features and targets.
    """

    parts: tuple[Array, ...]
    globs: Array

    def __add__(self, other: Kept) -> Kept:
        return Kept(self.parts + other.parts, self.globs + other.globs)

    @property
    def count(self) -> int:
        """Rows that are kept."""
        return sum(len(part) for part in self.parts)

    @property
    def weight(self) -> float:
        """Sum of the weights of all rows."""
        return float(sum(part[:, 0].sum() for part in self.parts) + self.globs[:, 0].sum())

    @property
    def values(self) -> Array:
        """Rows and globs, shape (m, p + 2): weights, features, target."""
        globs = self.globs[self.globs[:, 0] > 0]
        means = globs.copy()
        means[:, 1:] /= globs[:, :1]
        return np.vstack([*self.parts, means])


def least(loaded: Loaded, target: Target, rows: int) -> tuple[Array, float]:
    """Coefficients of the least sum of pinball losses, and what the sum cannot be below.

    Parameters
    ----------
    loaded : Loaded
        The rows.
    target : Target
        Which target, which loss.
    rows : int
        Rows with a weight above zero.

    Returns
    -------
    coef : ndarray, shape (p + 1,)
        The intercept last; 0 without one.
    bound : float
        Lower bound of the weighted sum of the losses and of the penalty times the sum of the weights.
    """
    size = int(((loaded.rows.n_features + 1) * rows) ** (2 / 3))
    if rows <= max(DIRECT_ROWS, 3 * size):
        kept = loaded.sum(_kept, target, None, np.inf)
        found = solve(target.problem(kept))
        return target.plane(found, kept.weight), found.value - found.gap
    sampled = loaded.sum(_sampled, target, size / rows)
    first = solve(target.problem(sampled), exact=False)
    return _sifted(loaded, target, target.plane(first, sampled.weight), sampled, KEPT * size / rows)


def _sifted(loaded: Loaded, target: Target, plane: Array, sampled: Kept, share: float) -> tuple[Array, float]:
    """The optimum of all rows: from a plane near it, a sample to measure distances by, and the share to keep."""
    planes, band = plane[:, None], _band(target, sampled, plane, share)
    kept = loaded.sum(_kept, target, planes, band)
    while True:
        found = solve(target.problem(kept))
        planes = np.column_stack([planes, target.plane(found, kept.weight)])
        after = loaded.sum(_kept, target, planes, band)
        if after.count == kept.count:
            return planes[:, -1], found.value - found.gap
        if after.count > (1.0 + REGROUPED) * kept.count:
            share, planes = 2.0 * share, planes[:, -1:]
            band = _band(target, sampled, planes[:, 0], share)
            after = loaded.sum(_kept, target, planes, band)
        kept = after


def _kept(block: Block, target: Target, planes: Array | None, band: float) -> Kept:
    """Rows that are near the first of the planes, shape (p + 1, m), or not on the same side of all of them."""
    y, weight = _column(block, target)
    counted = weight > 0
    if planes is None or band == np.inf:
        return Kept((_values(block, target, counted),), np.zeros((2, block.X.shape[1] + 2)))
    r = y[:, None] - block.predict(torch.from_numpy(planes))
    above, below = (r > 0).all(dim=1), (r < 0).all(dim=1)
    far = (r[:, 0].abs() > band) & counted
    globs = torch.stack(
        [_summed(block, target, torch.where(far & side, weight, 0.0)) for side in (above, below)]
    )
    near = counted & ~(far & (above | below))
    return Kept((_values(block, target, near),), globs.cpu().numpy())


def _column(block: Block, target: Target) -> tuple[Tensor, Tensor]:
    """The target and the weights, shape (n,), float64."""
    y = block.y[:, target.column].double()
    return y, torch.ones_like(y) if block.weight is None else block.weight


def _values(block: Block, target: Target, which: Tensor) -> Array:
    """Weight, features about the centre and target of some rows, shape (m, p + 2)."""
    y, weight = _column(block, target)
    X = block.X[which].double() - torch.from_numpy(target.centre).to(block.X.device)
    X = X if block.low is None else X + block.low[which]
    values = torch.cat([weight[which, None].to(X), X, y[which, None].to(X)], dim=1)
    return np.asarray(values.cpu().numpy())


def _summed(block: Block, target: Target, weight: Tensor) -> Tensor:
    """Sums of the weights, of weighted features about the centre and of weighted targets, shape (p + 2,)."""
    y, _ = _column(block, target)
    pull = block.pull(weight[:, None])[:, 0]
    about = pull[:-1] - pull[-1] * torch.from_numpy(target.centre).to(pull)
    return torch.cat([pull[-1:], about, (weight @ y)[None].to(pull)])


def _sampled(block: Block, target: Target, share: float) -> Kept:
    """A random share of the rows with a weight; the same ones in every run."""
    drawn = torch.from_numpy(np.random.default_rng(SEED).random(block.X.shape[0]) < share).to(block.y.device)
    _, weight = _column(block, target)
    return Kept((_values(block, target, drawn & (weight > 0)),), np.zeros((2, block.X.shape[1] + 2)))


def _band(target: Target, sampled: Kept, plane: Array, share: float) -> float:
    """The distance from the plane within which a share of the rows lies."""
    if share >= 1.0 or not sampled.count:
        return float("inf")
    values, offset = sampled.values, plane[-1] + target.centre @ plane[:-1]
    distance = np.abs(values[:, -1] - values[:, 1:-1] @ plane[:-1] - offset)
    return float(np.quantile(distance, share))
