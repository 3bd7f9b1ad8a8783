"""The loss over two coefficients, the others profiled out: what a map of the ways shows.

Near the optimum (b*, o*) of the two coefficients b and the others o, the best others are, to second order,

    o(b) = o* - H_oo^-1 H_ob (b - b*),

and the objective is evaluated there. Of squared loss this is the profile exactly; of other losses it is not less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.objective import Objective
from torchlinear.racing.curvature import hessian
from torchlinear.racing.judge import judge_of
from torchlinear.rows import TensorRows

__all__ = ["Contours", "contours"]

Array = NDArray[np.float64]

NUMBERS = 2_000_000_000  # of X that a map may read
FEWEST = 15  # points a side


@dataclass(frozen=True, slots=True)
class Contours:
    """A map of the objective.

    Attributes
    ----------
    x, y : ndarray, shapes (nx,) and (ny,)
        Values of the two coefficients, in the units of the race.
    gap : ndarray, shape (ny, nx)
        Gap at each point: 1 at the start's level, 0 at the optimum.
    profiled : bool
        Whether there are other coefficients, at their best for each point.
    exact : bool
        Whether their best is exact; otherwise it is to second order.
    """

    x: Array
    y: Array
    gap: Array
    profiled: bool
    exact: bool


def contours(
    objective: Objective, best: Tensor, start: Tensor, axes: tuple[int, int], box: Array, points: int = 61
) -> Contours:
    """The map of two coefficients.

    Parameters
    ----------
    objective : Objective
        In the units of the race.
    best, start : Tensor, shape (p + 1, k)
        The optimum and the start, in these units.
    axes : (int, int)
        Which coefficients, numbers in flat (p + 1) k, C order.
    box : ndarray, shape (2, 2)
        Lowest and highest value of each.
    points : int
        Of each side.
    """
    judge = judge_of(objective, best, start)
    n, p = objective.rows.n_rows or 1, objective.n_features
    if not objective.loss.quadratic and isinstance(objective.rows, TensorRows):
        points = min(points, max(FEWEST, int(np.sqrt(NUMBERS / (n * p * objective.n_outputs)))))
    x, y = (np.linspace(low, high, points) for low, high in box)
    moves = np.stack([part.ravel() for part in np.meshgrid(x, y)]) - best.numpy().ravel()[list(axes), None]
    flat = best.numpy().ravel()[:, None] + _following(objective, best, axes) @ moves
    coef = torch.from_numpy(np.ascontiguousarray(flat.T)).reshape(-1, *best.shape)
    found = judge.gap(coef).reshape(points, points)
    free = (p + int(objective.intercept)) * objective.n_outputs
    return Contours(x, y, found, free > 2, objective.loss.quadratic and objective.smooth)


def _following(objective: Objective, best: Tensor, axes: tuple[int, int]) -> Array:
    """How all coefficients move with the two, shape (q, 2)."""
    q = best.numel()
    bent = hessian(objective, best)
    follow = np.zeros((q, 2))
    follow[np.array(axes), [0, 1]] = 1.0
    if bent is None or len(bent) != q:
        return follow
    others = np.setdiff1d(np.arange(q), np.array(axes))
    if not objective.intercept:
        others = others[others < q - objective.n_outputs]
    if len(others):
        inner, across = bent[np.ix_(others, others)], bent[np.ix_(others, np.array(axes))]
        follow[others] = -np.linalg.lstsq(inner, across, rcond=1e-12)[0]
    return follow
