"""When frames are taken: at moments that are evenly spaced on a logarithmic scale of passes over the rows."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from torchlinear.solvers.base import Budget, State

__all__ = ["Marks"]

PHASES = 10  # epochs in which frames fall between their ends; looking inside costs a permutation each time


@dataclass(frozen=True, slots=True)
class Marks:
    """Moments of a run.

    Attributes
    ----------
    moments : tuple of (int, int)
        Finished epochs, and rows of the unfinished one, in ascending order.
    """

    moments: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, epochs: int, frames: int, rows: int = 1, batch: int | None = None) -> Marks:
        """At most `frames` marks of a run of `epochs`.

        Parameters
        ----------
        epochs, frames : int
            How many.
        rows : int
            Rows of an epoch.
        batch : int, optional
            Rows of a step; all of them by default, and then every mark is at an epoch's end.

        Examples
        --------
        >>> from torchlinear.racing.marks import Marks
        >>> Marks.of(1_000, 4).moments
        ((1, 0), (10, 0), (100, 0), (1000, 0))
        >>> Marks.of(2, 3, rows=100, batch=1).moments
        ((0, 1), (0, 14), (2, 0))
        """
        size = rows if batch is None else min(batch, rows)
        passes = np.geomspace(min(size / rows, 1.0), epochs, frames)
        whole = np.floor(passes).astype(np.int64)
        inside = np.round((passes - whole) * rows / size).astype(np.int64) * size
        inside = np.minimum(inside, rows)
        late = (passes > PHASES) | (size == rows)
        whole = np.where(late, np.round(passes).astype(np.int64), whole + (inside == rows))
        inside = np.where(late | (inside == rows), 0, inside)
        return cls(tuple(sorted(set(zip(whole.tolist(), inside.tolist())) | {(epochs, 0)})))

    def budget(self, state: State, budget: Budget) -> Budget:
        """The part of `budget` that ends at the next mark after `state`."""
        at = bisect_right(self.moments, (state.epoch, state.cursor))
        if at == len(self.moments):
            return budget
        epoch, cursor = self.moments[at]
        return Budget(epoch - state.epoch, budget.seconds, cursor)

    def __contains__(self, moment: tuple[int, int]) -> bool:
        at = bisect_right(self.moments, moment)
        return at > 0 and self.moments[at - 1] == moment
