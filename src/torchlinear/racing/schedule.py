"""A learning-rate scheduler of torch's as a function of the epoch."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from torchlinear.errors import InvalidInput

__all__ = ["as_function"]


def as_function(schedule: Any, epochs: int) -> str | Callable[[int], float]:
    """What the learning rate is multiplied by in each epoch.

    Parameters
    ----------
    schedule : str, callable or torch.optim.lr_scheduler.LRScheduler
        A scheduler is stepped once an epoch on a copy of itself and its optimiser; the caller's stay as they are.
    epochs : int
        How many.

    Raises
    ------
    InvalidInput
        When the scheduler needs the loss, or its optimiser has more groups of parameters than one.

    Examples
    --------
    >>> import torch
    >>> sgd = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    >>> half = as_function(torch.optim.lr_scheduler.StepLR(sgd, 2, gamma=0.5), 6)
    >>> [half(epoch) for epoch in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """
    if not isinstance(schedule, LRScheduler):
        return schedule  # type: ignore[no-any-return]
    own = copy.deepcopy(schedule)
    if len(own.optimizer.param_groups) != 1:
        raise InvalidInput(
            "schedule: the scheduler's optimiser has several groups of parameters; give it one."
        )
    base = float(own.optimizer.param_groups[0].get("initial_lr", own.optimizer.param_groups[0]["lr"]))
    factors = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch expects a step of the optimiser before
            for _ in range(epochs):
                factors.append(float(own.optimizer.param_groups[0]["lr"]) / base)
                own.step()
    except TypeError:
        name = type(schedule).__name__
        raise InvalidInput(
            f"schedule: {name} needs the loss of each epoch, which a race does not know ahead."
        ) from None
    return lambda epoch: factors[min(epoch, epochs - 1)]
