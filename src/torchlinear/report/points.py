"""The rows that a picture draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from torchlinear.errors import InvalidInput
from torchlinear.registry import suggestion
from torchlinear.solution import Solution

__all__ = ["DRAWN", "Points", "mean_of"]

Array = NDArray[np.float64]

DRAWN = 2_000  # points of a scatter; more take long to draw and show no more


@dataclass(frozen=True, slots=True)
class Points:
    """Rows to draw, for one target.

    Attributes
    ----------
    X : ndarray, shape (n, p)
        Features.
    y : ndarray, shape (n,)
        The target.
    total : int
        Of how many rows these are.
    index : int
        Which of the k targets it is.
    offset : ndarray, shape (n,)
        What their linear predictors have besides features and intercept.
    """

    X: Array
    y: Array
    total: int
    index: int
    offset: Array

    @classmethod
    def of(
        cls,
        solution: Solution,
        X: Array,
        y: Array,
        total: int | None,
        target: int | str,
        offset: Array | None = None,
    ) -> Points:
        """Check the rows against the fit, and take a sample when there are many."""
        X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
        y = y[:, None] if y.ndim == 1 else y
        offset = np.zeros(len(y)) if offset is None else offset
        p, k = len(solution.names), len(solution.targets)
        if X.ndim != 2 or y.ndim != 2 or len(X) != len(y) or (X.shape[1], y.shape[1]) != (p, k):
            raise InvalidInput(
                f"X has shape {X.shape} and y {y.shape}; expected (n, {p}) and (n, {k}), as in the fit."
            )
        j, rows = _index(solution, target), np.arange(len(y))
        if len(rows) > DRAWN:
            rows = np.sort(np.random.default_rng(0).choice(rows, DRAWN, replace=False))
        return cls(X[rows], y[rows, j], len(y) if total is None else total, j, offset[rows])

    @property
    def complete(self) -> bool:
        """Whether these are all the rows."""
        return len(self.y) == self.total

    @property
    def label(self) -> str:
        """What a legend calls them."""
        return "rows" if self.complete else f"{len(self.y):,} of {self.total:,} rows drawn"

    def linear(self, solution: Solution) -> Array:
        """Their linear predictors, shape (n,)."""
        coef = solution.coef.numpy()[:, self.index]
        return np.asarray(self.X @ coef[:-1] + coef[-1] + self.offset)

    def predicted(self, solution: Solution) -> Array:
        """Means that the fit gives them, shape (n,)."""
        return mean_of(solution, self.linear(solution))

    def explained(self, solution: Solution) -> float | None:
        """Share of the null deviance that the fit explains; None where it is not known."""
        known = solution.information
        if known is None:
            return None
        null = float(known.null_deviance[self.index])
        return 1.0 - float(known.deviance[self.index]) / null if null > 0 else None

    def r2(self, solution: Solution) -> float | None:
        """R2 of all rows: from the fit's own sums, else from these points when they are all the rows."""
        known, j = solution.evidence, self.index
        if solution.family is not None and not solution.family.quadratic:
            return None
        if known is not None:
            rss, tss = float(known.rss[j]), float(known.tss[j])
        elif self.complete:
            centre = self.y.mean() if solution.intercept else 0.0
            rss = float(np.square(self.y - self.predicted(solution)).sum())
            tss = float(np.square(self.y - centre).sum())
        else:
            return None
        return 1.0 - rss / tss if tss > 0 else None


def mean_of(solution: Solution, eta: Array) -> Array:
    """Means of linear predictors, shape (n,)."""
    if solution.family is None:
        return eta
    return np.asarray(solution.family.mean(torch.from_numpy(eta)[:, None])[:, 0])


def _index(solution: Solution, target: int | str) -> int:
    known = solution.targets
    if isinstance(target, str):
        if target not in known:
            hint = suggestion(target, known)
            raise InvalidInput(f"target={target!r} is not known{hint}. Known: {', '.join(known)}.")
        return known.index(target)
    if not 0 <= target < len(known):
        raise InvalidInput(
            f"target={target!r} is out of range; the fit has {len(known)}: {', '.join(known)}."
        )
    return target
