"""Schedules of a learning rate: what it is multiplied by in each epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from torchlinear.errors import InvalidInput

__all__ = ["Schedule", "factors", "named"]

Array = NDArray[np.float64]
Schedule: TypeAlias = str | Callable[[int], float]

DROPS, DROP = 3, 0.1  # a step: after each third of the epochs, to a tenth

SCHEDULES: dict[str, Callable[[Array, int], Array]] = {
    "constant": lambda epoch, _: np.ones_like(epoch),
    "step": lambda epoch, epochs: DROP ** np.floor(DROPS * epoch / epochs),
    "cosine": lambda epoch, epochs: 0.5 + 0.5 * np.cos(math.pi * np.minimum(epoch / epochs, 1.0)),
    "1/t": lambda epoch, _: 1.0 / (1.0 + epoch),
}


def named(owner: str, schedule: Schedule) -> str:
    """The schedule in a word.

    Raises
    ------
    InvalidInput
        When it is neither one of the names nor callable.
    """
    if isinstance(schedule, str) and schedule in SCHEDULES:
        return schedule
    if callable(schedule):
        return getattr(schedule, "__name__", type(schedule).__name__)
    raise InvalidInput(
        f"{owner}.schedule takes one of {', '.join(SCHEDULES)} or a function of the epoch, got {schedule!r}."
    )


def factors(owner: str, schedule: Schedule, epoch: Array, epochs: int) -> Array:
    """What the learning rate is multiplied by in each `epoch`, shape (e,), of a plan of `epochs`.

    >>> import numpy as np
    >>> factors("SGD", "step", np.array([0.0, 4.0, 8.0]), 9).round(3).tolist()
    [1.0, 0.1, 0.01]
    """
    if isinstance(schedule, str):
        return SCHEDULES[schedule](epoch, epochs)
    found = np.array([schedule(int(each)) for each in epoch], dtype=np.float64)
    if not (np.isfinite(found) & (found >= 0.0)).all():
        wrong = int(epoch[~(np.isfinite(found) & (found >= 0.0))][0])
        raise InvalidInput(
            f"{owner}.schedule must return a finite number of at least 0, got {schedule(wrong)!r} for epoch {wrong}."
        )
    return found
