"""`train`: the loop that every PyTorch program writes, for somebody's own module; compiled where that is possible.

The loop of the tutorial runs as it is for any module. For a module that is one affine map, with a loss and an
optimiser that are known, the same numbers come from compiled kernels, hundreds of times faster.
"""

from __future__ import annotations

import math
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn, optim

from torchlinear import checks
from torchlinear.api import Fit
from torchlinear.block import TensorRows, default_names
from torchlinear.errors import ConvergenceWarning
from torchlinear.inputs import resolve_device
from torchlinear.loop import History, Limits, Outcome, Status, run
from torchlinear.modules import Criterion, ModuleProblem
from torchlinear.solution import Solution
from torchlinear.solvers.base import State
from torchlinear.solvers.eager import Eager
from torchlinear.tracing import Affine, NotAffine, trace
from torchlinear.trained import TrainedFit

__all__ = ["train"]

LINES = 10_000  # of the log that are written at once


def train(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    criterion: Criterion | None = None,
    optimizer: optim.Optimizer | None = None,
    epochs: int = 1_000,
    batch_size: int | None = None,
    shuffle: bool = True,
    generator: torch.Generator | None = None,
    log_every: int | None = None,
    scheduler: optim.lr_scheduler.LRScheduler | None = None,
    device: str | torch.device | None = None,
) -> Fit:
    """Train a module: ``epochs`` times ``criterion(model(x), y)``, ``zero_grad``, ``backward``, ``step``.

    Parameters
    ----------
    model : nn.Module
        Trained in place. If it is one affine map of x (an `nn.Linear`, or ``x @ W + b``), its training is
        compiled where possible; ``fit.solver`` says which way it went, and why.
    x : Tensor, shape (n, ...)
        Rows, in the dtype and on the device of the model.
    y : Tensor, shape (n, ...)
        Targets, as `criterion` takes them.
    criterion : callable, optional
        The loss, called as ``criterion(model(x), y)``; ``nn.MSELoss()`` by default.
    optimizer : torch.optim.Optimizer, optional
        Made for the model's parameters; what it remembers is the start, and goes on.
        ``torch.optim.Adam(model.parameters())`` by default.
    epochs : int
        Passes over the rows.
    batch_size : int, optional
        Rows of a step; all of them by default.
    shuffle : bool
        Whether batches are drawn in a new order every epoch, by ``torch.randperm(n, generator=generator)``.
    generator : torch.Generator, optional
        Where that order comes from; torch's global generator by default.
    log_every : int, optional
        Write a line like ``Epoch[19/30000], loss: 1.118361`` to standard output every so many epochs. The loss
        of an epoch is the mean over its rows of the losses before each update.
    scheduler : torch.optim.lr_scheduler.LRScheduler, optional
        Stepped after every epoch; `ReduceLROnPlateau` is given the epoch's loss.
    device : str or torch.device, optional
        Where to bring the model and the rows first; they are left where they are by default.

    Returns
    -------
    Fit
        Its ``module`` *is* `model`. Parameters, ``.grad``, the state of optimiser and scheduler, training mode,
        device and dtype are as torch's own loop leaves them. Divergence and Ctrl-C are its ``status``.

    Raises
    ------
    InvalidInput
        For anything that cannot be trained as it is, before any parameter has changed.
    DataError
        For no rows, and for values that are not finite.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.linspace(0, 1, 50).reshape(-1, 1)
    >>> model = torch.nn.Linear(1, 1)
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.5)
    >>> fit = tl.train(model, x, 3 * x + 0.8, torch.nn.MSELoss(), sgd, epochs=400)
    >>> fit.module is model, fit.equation
    (True, 'y = 3 x + 0.8')
    """
    criterion = nn.MSELoss() if criterion is None else criterion
    number = checks.whole("epochs", epochs)
    every = checks.whole("log_every", log_every, optional=True)
    size = checks.whole("batch_size", batch_size, optional=True)
    checks.check_model(model)
    checks.check_rows(x, y)
    checks.check_criterion(criterion)
    checks.check_optimizer(optimizer, model)
    checks.check_scheduler(scheduler, optimizer)
    place = None if device is None else resolve_device(device)
    if place is not None:
        model, x, y = model.to(place), x.to(place), y.to(place)
    if optimizer is None:
        optimizer = optim.Adam(p for p in model.parameters() if p.requires_grad)
    problem = ModuleProblem(model, criterion, x, y, size, shuffle, generator)
    affine, obstacle = _affine(problem)
    solver, reason = _solver(problem, optimizer, scheduler, affine, obstacle)
    outcome = run(
        problem,
        solver,
        torch.empty(0, 1),
        stop=lambda _: False,
        limits=Limits(number),
        report=_EpochLog(number, every),
    )
    fit = _fit(problem, outcome, affine, obstacle, reason)
    if outcome.status is Status.DIVERGED:
        warnings.warn(f"training {outcome.status.value}", ConvergenceWarning, stacklevel=2)
    return fit


@dataclass(frozen=True, slots=True)
class _EpochLog:
    """Writes a line for every so many epochs: plain text, many lines at a time."""

    epochs: int
    every: int | None

    def __call__(self, state: State, history: History) -> None:
        if self.every is None or sys.stdout is None:
            return
        first = history.seen - state.trace.numel()
        skipped = -(first + 1) % self.every
        losses = state.trace[skipped :: self.every].tolist()
        for start in range(0, len(losses), LINES):
            sys.stdout.write("".join(
                f"Epoch[{first + skipped + i * self.every}/{self.epochs}], loss: {losses[i]:.6f}\n"
                for i in range(start, min(start + LINES, len(losses)))
            ))
        if losses:
            sys.stdout.flush()


def _affine(problem: ModuleProblem) -> tuple[Affine | None, str | None]:
    try:
        return trace(problem.model, problem.x), None
    except NotAffine as why:
        return None, str(why)


def _solver(problem, optimizer, scheduler, affine, obstacle):
    return Eager(optimizer, scheduler), f"eager: PyTorch's own loop, because {obstacle}"


def _fit(
    problem: ModuleProblem, outcome: Outcome, affine: Affine | None, obstacle: str | None, reason: str
) -> TrainedFit:
    x, y = problem.x.detach(), problem.y.detach()
    X = x.reshape(len(x), -1) if affine is None else affine.features(x)
    target = y.reshape(len(y), -1)
    coef = torch.full((X.shape[1] + 1, target.shape[1]), math.nan, dtype=torch.float64) if affine is None else affine.coef()
    solution = Solution(
        coef=coef,
        names=default_names("x", X.shape[1]),
        targets=default_names("y", coef.shape[1]),
        intercept=affine is None or affine.bias is not None,
        loss="squared" if isinstance(problem.criterion, nn.MSELoss) else checks.name_of(problem.criterion),
        penalty="none",
        solver=reason,
        status=outcome.status,
        history=outcome.history,
        certificate=math.nan,
        seconds=outcome.seconds,
        weight_type=None,
        evidence=None,
    )
    rows = TensorRows(X, target, names=solution.names, targets=solution.targets)
    return TrainedFit(solution, problem.model, rows, obstacle)
