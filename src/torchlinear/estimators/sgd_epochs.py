"""The epochs of one descent: shuffled, watched, and stopped as scikit-learn's SGD estimators are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.errors import InvalidInput
from torchlinear.kernels import sgd

__all__ = ["Array", "Begin", "Descent", "Stop", "Task", "descend"]

Array = NDArray[Any]  # of the dtype of the rows

SLOWEST = 1e-6  # rate below which the adaptive schedule ends, as in scikit-learn
SLOWER = 5.0  # what it divides its rate by


@dataclass(frozen=True, slots=True)
class Begin:
    """Where a descent begins; k decisions.

    Attributes
    ----------
    coef, intercept : ndarray, shapes (k, p) and (k,)
        Coefficients.
    mean, mean_intercept : ndarray, shapes (k, p) and (k,)
        Their mean so far.
    """

    coef: Array
    intercept: Array
    mean: Array
    mean_intercept: Array


@dataclass(frozen=True, slots=True)
class Stop:
    """When to end.

    Attributes
    ----------
    epochs : int
        At most.
    tol : float or None
        Smallest improvement of the mean objective, or of the score, that counts; None never ends early.
    patience : int
        Epochs in a row without improvement before the end.
    shuffle : bool
        Whether rows change their order before each epoch.
    verbose : bool
        Whether to print a line for each epoch.
    """

    epochs: int
    tol: float | None
    patience: int
    shuffle: bool
    verbose: bool


@dataclass(frozen=True, slots=True)
class Task:
    """One target to learn.

    Attributes
    ----------
    y : ndarray, shape (n,), dtype of the rows
        Targets, or labels -1 and 1.
    weight : ndarray, shape (n,), float64
        What each row counts.
    seed : int
        Of the order of the rows.
    walk : sgd.Walk
        Where to begin.
    score : callable or None
        Score of coefficients and an intercept on the rows held out: larger is better.
    """

    y: Array
    weight: NDArray[np.float64]
    seed: int
    walk: sgd.Walk
    score: Callable[[Array, float], float] | None = None


@dataclass(frozen=True, slots=True)
class Descent:
    """Where a descent ended: its walk, and after how many epochs."""

    walk: sgd.Walk
    epochs: int


def descend(rows: sgd.Rows, task: Task, plan: sgd.Plan, stop: Stop, held: NDArray[np.bool_]) -> Descent:
    """Run epochs until nothing improves any more.

    Parameters
    ----------
    rows : sgd.Rows
        n rows.
    task : Task
        What to learn; its walk stays as it is.
    plan : sgd.Plan
        What is minimised, and by which steps.
    stop : Stop
        When to end.
    held : ndarray of bool, shape (n,)
        Rows that are held out: they are shuffled with the others, so that the others come in the same order, and then
        left out.

    Returns
    -------
    Descent
        Where it ended.

    Raises
    ------
    InvalidInput
        When a coefficient is no longer finite.
    """
    walk = task.walk.copy()
    order, used = np.arange(held.size, dtype=np.int32), held.size - int(held.sum())
    watch = stop.verbose or (stop.tol is not None and task.score is None)
    best, waited = math.inf, 0
    for epoch in range(1, stop.epochs + 1):
        if stop.shuffle:
            sgd.shuffle(order, task.seed)
        taken = order if task.score is None else order[~held[order]]
        sgd.epoch(rows, task.y, task.weight, taken, plan, walk, watch)
        _refuse_nonfinite(walk, epoch)
        cost = walk.numbers[sgd.OBJECTIVE_SUM] / used
        if task.score is not None and (stop.tol is not None or stop.verbose):
            # Before their common factor is multiplied in, as scikit-learn 1.9 does; or epochs would not agree.
            cost = -task.score(walk.v, walk.intercept)
        if stop.verbose:
            print(_line(walk, epoch, used, None if task.score is None else -cost))
        waited = waited + 1 if stop.tol is not None and cost > best - stop.tol else 0
        best = cost if cost < best else best
        if waited < stop.patience:
            continue
        if plan.schedule != sgd.ADAPTIVE or walk.numbers[sgd.RATE] <= SLOWEST:
            return Descent(walk, epoch)
        walk.numbers[sgd.RATE] /= SLOWER
        waited = 0
    return Descent(walk, stop.epochs)


def _refuse_nonfinite(walk: sgd.Walk, epoch: int) -> None:
    if not (math.isfinite(walk.intercept) and np.isfinite(walk.coef).all()):
        raise InvalidInput(
            f"Floating-point under-/overflow occurred at epoch #{epoch}. Scaling input data with StandardScaler or "
            "MinMaxScaler might help, or a smaller eta0."
        )


def _line(walk: sgd.Walk, epoch: int, used: int, score: float | None) -> str:
    """What is printed of an epoch."""
    loss, objective = walk.numbers[[sgd.LOSS_SUM, sgd.OBJECTIVE_SUM]] / used
    held = "" if score is None else f", score of rows held out {score:.6f}"
    return (
        f"epoch {epoch}: loss {loss:.6g}, objective {objective:.6g}{held}; |coef| {np.linalg.norm(walk.coef):.4g}, "
        f"{np.count_nonzero(walk.coef)} not zero, intercept {walk.intercept:.6g}"
    )
