"""The only loop there is: ask a solver for steps until something says enough.

`run` owns limits, history, interruption and failure. `tl.fit` hands it an `Objective` and a certificate to
stop at, `tl.train` a module with its loss and optimiser and no such thing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor

from torchlinear import interruption
from torchlinear.solvers.base import Budget, Solver, State

__all__ = ["History", "Limits", "Outcome", "Status", "run"]

STEP_SECONDS = 0.1
MOST_PARTS = 1_000  # tensors that a history is kept in, of one loss each when epochs are slow


class Status(Enum):
    """How a fit ended; the value is the advice.

    >>> import torchlinear as tl
    >>> fit = tl.fit([[1.0], [2.0], [4.0]], [1.0, 2.0, 3.0])
    >>> fit.status is tl.Status.CONVERGED
    True
    >>> print(tl.Status.TIME_LIMIT.value)
    time limit reached: raise time_limit to come closer to the optimum.
    """

    CONVERGED = "converged: the certificate is below the tolerance."
    BUDGET_USED = (
        "budget used: all epochs were run; more of them, or a larger step, come closer to the optimum."
    )
    TIME_LIMIT = "time limit reached: raise time_limit to come closer to the optimum."
    DIVERGED = (
        "diverged: the loss grew without bound, so the step is too large for the steepest direction; lower lr, "
        "standardise the columns, or leave lr out and it is chosen from the curvature."
    )
    INACCURATE = (
        "inaccurate: the solver ended with its certificate above the tolerance; try precision='extended' or "
        "solver='qr'."
    )
    BOUNDARY = (
        "boundary: the mean of a row came to the end of its range (0, or 1 of a probability), where this link has no "
        "slope of 0, so the coefficients may not be the best; take a link that keeps every mean in its range, 'log' or "
        "of a probability 'logit'."
    )
    SEPARATED = (
        "separated: the targets can be told apart by a column without error, so no coefficients are the best (those "
        "of a likelihood would grow for ever); add a ridge, such as penalty=tl.L2(1e-3), take "
        "penalty=tl.Firth() in logistic regression, or leave the column out."
    )
    INTERRUPTED = "interrupted: stopped by Ctrl-C; the coefficients are those of the last finished step."

    @property
    def label(self) -> str:
        """The status in a word or two, as summaries print it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Limits:
    """When the loop ends at the latest.

    Parameters
    ----------
    epochs : int
        Passes over the rows.
    seconds : float, optional
        Wall-clock seconds.
    """

    epochs: int
    seconds: float | None = None


class History:
    """Loss by epoch: every epoch up to 100,000, then every second, every fourth, and so on.

    Attributes
    ----------
    epoch : Tensor, shape (e,), int64
        Epochs that are kept, from 0.
    loss : Tensor, shape (e,), float64
        Objective value of each.

    Examples
    --------
    >>> import torch
    >>> from torchlinear.loop import History
    >>> history = History(capacity=4)
    >>> history.extend(torch.arange(10.0))
    >>> history.epoch.tolist()
    [0, 4, 8]
    """

    def __init__(self, capacity: int = 100_000) -> None:
        self.capacity = capacity
        self.stride = 1
        self.seen = 0
        self._kept = 0
        self._parts: list[Tensor] = []

    @classmethod
    def restored(cls, loss: Tensor, seen: int, stride: int) -> History:
        """A history as it was when `loss`, `seen` and `stride` were read from it."""
        if loss.ndim != 1 or loss.dtype != torch.float64 or stride < 1 or loss.numel() != -(-seen // stride):
            raise ValueError(
                f"a history of {seen} epochs by {stride} does not have {tuple(loss.shape)} losses"
            )
        history = cls()
        history.seen, history.stride, history._kept, history._parts = seen, stride, loss.numel(), [loss]
        return history

    def extend(self, trace: Tensor) -> None:
        """Add the losses of the next epochs, shape (e,)."""
        part = trace[-self.seen % self.stride :: self.stride].double().clone()
        self.seen += trace.numel()
        self._kept += part.numel()
        if part.numel():
            self._parts.append(part)
        while self._kept > self.capacity:
            self._parts, self.stride = [self.loss[::2].clone()], 2 * self.stride
            self._kept = self._parts[0].numel()
        if len(self._parts) > MOST_PARTS:
            self._parts = [self.loss]

    @property
    def loss(self) -> Tensor:
        """Objective values, shape (e,), float64."""
        return torch.cat(self._parts) if self._parts else torch.empty(0, dtype=torch.float64, device="cpu")

    @property
    def epoch(self) -> Tensor:
        """Epochs of `loss`, shape (e,), int64."""
        return torch.arange(self.loss.numel(), device="cpu") * self.stride

    def __len__(self) -> int:
        return self.seen

    def __repr__(self) -> str:
        loss = self.loss
        ends = f", loss {loss[0]:.6g} -> {loss[-1]:.6g}" if loss.numel() else ""
        return f"History({self.seen} epochs{ends})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a run ended.

    Attributes
    ----------
    state : State
        The solver's last state.
    status : Status
        How it ended.
    history : History
        Loss by epoch.
    seconds : float
        Wall-clock seconds that it took.
    """

    state: State
    status: Status
    history: History
    seconds: float


def run(
    problem: Any,
    solver: Solver,
    coef: Tensor,
    *,
    stop: Callable[[State], bool],
    limits: Limits,
    report: Callable[[State, History], None] | None = None,
) -> Outcome:
    """Step `solver` on `problem` from `coef` until it stops, fails or uses up its limits.

    Parameters
    ----------
    problem : Objective or ModuleProblem
        What the solver's `init` and `step` take.
    solver : Solver
        The algorithm.
    coef : Tensor, shape (p + 1, k)
        Where to start.
    stop : callable
        Whether a state is good enough; asked after every step.
    limits : Limits
        The most epochs and seconds.
    report : callable, optional
        Called with the state and the history after every step.

    Returns
    -------
    Outcome
        Never raises for numerical failure: that is its `status`.
    """
    began = time.perf_counter()
    history = History()
    state = State(coef)
    with interruption.watching():
        try:
            state = solver.init(problem, coef)
            while (status := _ended(state, stop, limits, began)) is None:
                state = solver.step(problem, state, _budget(state, limits, began))
                history.extend(state.trace)
                if report is not None:
                    report(state, history)
        except interruption.Interrupted:
            status = Status.INTERRUPTED
        if status is Status.INTERRUPTED:
            interruption.honoured()
    return Outcome(state, status, history, time.perf_counter() - began)


def _ended(state: State, stop: Callable[[State], bool], limits: Limits, began: float) -> Status | None:
    if not math.isfinite(float(state.coef.sum()) + float(state.trace[-1:].sum())):
        return Status.DIVERGED
    if (state.epoch or state.done) and stop(state):
        return Status.CONVERGED
    if state.done:
        return Status.INACCURATE
    if state.epoch >= limits.epochs:
        return Status.BUDGET_USED
    if interruption.requested():
        return Status.INTERRUPTED
    if limits.seconds is not None and time.perf_counter() - began >= limits.seconds:
        return Status.TIME_LIMIT
    return None


def _budget(state: State, limits: Limits, began: float) -> Budget:
    left = STEP_SECONDS if limits.seconds is None else limits.seconds - (time.perf_counter() - began)
    return Budget(limits.epochs - state.epoch, max(min(STEP_SECONDS, left), 0.0))
