"""Many rows by few: hinges that are far from their corner are summed up, and the rest is solved exactly.

A hinge that is far open stays open and pulls with the same force wherever the plane moves meanwhile; one that is far
shut costs nothing. By convexity all open ones together cost at least what one hinge at their weighted mean with their
total weight costs, so the optimum of the reduced problem is a lower bound of the whole; when no hinge that was summed
up or left out turns out to be on the other side, it is the optimum. Those that do are kept, and the problem is solved
again. (For quantile regression: Portnoy, Koenker 1997, section 4; for support vectors: Joachims 1999, "Making
large-scale SVM learning practical".)

The plane that says which hinges are far is the optimum of a random quarter of the rows, which is found the same way.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from torchlinear.hinges.active import polish
from torchlinear.hinges.interior import Walk
from torchlinear.hinges.problem import Hinges, Optimum
from torchlinear.pinball.matrices import stacked

__all__ = ["least"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

NEAR = (1e-6, 1e-8, 1e-10, 1e-12)  # relative gaps from which the active set is sought, until it is found
FOUND = 1e-13  # relative gap at the exact optimum, of which more is rounding
ROUGH = 1e-4  # relative gap at which the plane of a sample is good enough
DIRECT_ROWS = 10_000  # up to which all rows are kept
DIRECT_SHARE = 40  # rows for each column up to which likewise
SAMPLED = 0.25  # of the rows
KEPT = 4.0  # times sqrt(columns / rows of the sample): the share of hinges that are kept at first
SEED = 20


def least(problem: Hinges, *, rough: bool = False) -> Optimum:
    """The least sum of hinges and a ridge.

    Parameters
    ----------
    problem : Hinges
        Columns of similar norms.
    rough : bool
        Whether a relative gap of 1e-4 will do.

    Returns
    -------
    Optimum
        The optimum to the last digits, or a point near it.
    """
    rows, columns = problem.Z.shape
    if rows <= max(DIRECT_ROWS, DIRECT_SHARE * columns):
        return _direct(problem, rough)
    drawn = np.random.default_rng(SEED).random(rows) < SAMPLED
    sample = problem.part(drawn[problem.row] | problem.penalties)
    share = float(problem.weight[~problem.penalties].sum() / sample.weight[~sample.penalties].sum())
    weight = np.where(sample.penalties, sample.weight, share * sample.weight)
    near = least(replace(sample, weight=weight), rough=True)
    r = np.abs(problem.residual(near.coef))
    band = np.quantile(r, min(1.0, KEPT * np.sqrt(columns / drawn.sum())))
    return _sifted(problem, near.coef, (r <= band) | problem.penalties, rough)


def _sifted(problem: Hinges, b: Array, kept: Mask, rough: bool) -> Optimum:
    """The optimum, from a plane and the hinges that are near it."""
    is_open = problem.residual(b) > 0.0
    while True:
        far = is_open & ~kept
        found = _direct(_reduced(problem, kept, far), rough)
        dual = np.where(far, problem.weight, 0.0)
        dual[kept] = found.dual[: int(kept.sum())]
        over = (problem.residual(found.coef) > 0.0) != is_open
        if rough or not (over & ~kept).any():
            return problem.optimum(found.coef, dual)
        kept = kept | over


def _reduced(problem: Hinges, kept: Mask, far: Mask) -> Hinges:
    """The hinges that are kept, and those far open as one, the last."""
    some = problem.part(kept)
    if not far.any():
        return some
    weight = np.where(far, problem.weight, 0.0)
    total = float(weight.sum())
    row = problem.pull(weight)[None] / total
    return Hinges(
        stacked([some.Z, row]),
        problem.ridge,
        np.append(some.row, some.Z.shape[0]),
        np.append(some.sign, 1.0),
        np.append(some.at, weight @ problem.at / total),
        np.append(some.weight, total),
        np.append(some.penalties, False),
    )


def _direct(problem: Hinges, rough: bool) -> Optimum:
    """Through the interior to the first point from which the active set is found."""
    walk = Walk.start(problem)
    best = walk.to(ROUGH if rough else NEAR[0])
    if rough:
        return best
    for nearer in (*NEAR[1:], 0.0):
        best = min(best, polish(problem, best, walk.sides), key=lambda point: point.gap)
        if best.gap <= FOUND * best.value + walk.negligible or not walk.left:
            break
        best = min(best, walk.to(nearer), key=lambda point: point.gap)
    return best
