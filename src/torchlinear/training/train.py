"""`train`: the loop that every PyTorch program writes, for somebody's own module; compiled where possible.

The loop of the tutorial runs as it is for any module. For a module that is one affine map, with a loss and an
optimiser that are known, the same numbers come from compiled kernels, hundreds of times faster.
"""

from __future__ import annotations

import math
import sys
import warnings
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim

from torchlinear.engines.local import single_threaded_blas
from torchlinear.errors import ConvergenceWarning
from torchlinear.fitted import Fit
from torchlinear.inputs import resolve_device
from torchlinear.loop import History, Limits, Outcome, Status, run
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import TensorRows, default_names
from torchlinear.solution import Solution
from torchlinear.solvers.base import Solver, State
from torchlinear.solvers.compiled import Compiled
from torchlinear.solvers.compiled_rows import CompiledRows, SquaredRows
from torchlinear.solvers.eager import Eager
from torchlinear.solvers.optimizers import from_optimizer
from torchlinear.training import checks
from torchlinear.training.compiling import compiled_rows, obstacle, squared_rows
from torchlinear.training.criteria import as_module, squared
from torchlinear.training.first_loss import name_of
from torchlinear.training.modules import Batching, Criterion, ModuleProblem
from torchlinear.training.tracing import Affine, NotAffine, trace
from torchlinear.training.trained import TrainedFit

__all__ = ["train"]

LINES = 10_000  # of the log that are written at once
EXACT_WORK = 2e9  # n p^2 + 30 p^3 up to which the optimum is found besides: about a fifth of a second


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
        compiled where criterion and optimiser are known too; ``fit.solver`` says which way it went, and why.
    x : Tensor, shape (n, ...)
        Rows, in the dtype and on the device of the model.
    y : Tensor, shape (n, ...)
        Targets, as `criterion` takes them.
    criterion : callable, optional
        The loss, called as ``criterion(model(x), y)``; ``nn.MSELoss()`` by default. Compiled are `MSELoss`,
        `BCEWithLogitsLoss`, `CrossEntropyLoss`, `L1Loss`, `SmoothL1Loss`, `HuberLoss` and `PoissonNLLLoss` with
        their options, and the functions of `torch.nn.functional` that they stand for. A softmax or sigmoid
        in the model before a loss that applies its own is warned of.
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
        Write a line like ``Epoch[19/30000], loss: 1.118361`` to standard output every so many epochs. The
        loss of an epoch is the mean over its rows of the losses before each update.
    scheduler : torch.optim.lr_scheduler.LRScheduler, optional
        Stepped after every epoch; `ReduceLROnPlateau` is given the epoch's loss.
    device : str or torch.device, optional
        Where to bring the model and the rows first; they are left where they are by default.

    Returns
    -------
    Fit
        Its ``module`` *is* `model`. Parameters, ``.grad``, the state of optimiser and scheduler, training
        mode, device and dtype are as torch's own loop leaves them. Divergence and Ctrl-C are its ``status``.

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

    Three classes:

    >>> labels = (3 * x[:, 0]).long().clamp(max=2)
    >>> model = torch.nn.Linear(1, 3)
    >>> adam = torch.optim.Adam(model.parameters(), lr=0.5)
    >>> fit = tl.train(model, x, labels, torch.nn.CrossEntropyLoss(), adam, epochs=2_000)
    >>> fit.solver
    'compiled: one affine map, CrossEntropyLoss, Adam, all rows a step'
    >>> bool((model(x).argmax(dim=1) == labels).all())
    True
    """
    criterion = nn.MSELoss() if criterion is None else criterion
    number = checks.whole("epochs", epochs)
    every = None if log_every is None else checks.whole("log_every", log_every)
    size = None if batch_size is None else checks.whole("batch_size", batch_size)
    checks.check_model(model)
    checks.check_rows(x, y)
    checks.check_criterion(criterion)
    checks.check_optimizer(optimizer, model)
    checks.check_scheduler(scheduler, optimizer)
    checks.check_generator(generator)
    place = None if device is None else resolve_device(device)
    if place is not None:
        model, x, y = model.to(place), x.to(place), y.to(place)
    if optimizer is None:
        optimizer = optim.Adam(p for p in model.parameters() if p.requires_grad)
    batching = Batching(len(x), size, shuffle, generator)
    plan = _plan(ModuleProblem(model, criterion, x, y, batching), optimizer, scheduler, number)
    with single_threaded_blas() if isinstance(plan.solver, Compiled) else nullcontext():
        outcome = run(
            plan.problem,
            plan.solver,
            torch.empty(0, 1, device="cpu"),
            stop=lambda _: False,
            limits=Limits(number),
            report=_EpochLog(number, every),
        )
        trained = _fit(plan, optimizer, outcome)
    if outcome.status is Status.DIVERGED:
        warnings.warn(f"training {outcome.status.value}", ConvergenceWarning, stacklevel=2)
    return trained


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
            sys.stdout.write(
                "".join(
                    f"Epoch[{first + skipped + i * self.every}/{self.epochs}], loss: {losses[i]:.6f}\n"
                    for i in range(start, min(start + LINES, len(losses)))
                )
            )
        if losses:
            sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a module is trained: by which solver and why, and what is known of it."""

    problem: ModuleProblem | CompiledRows
    solver: Solver
    reason: str
    module: ModuleProblem
    affine: Affine | None
    obstacle: str | None


def _plan(
    module: ModuleProblem,
    optimizer: optim.Optimizer,
    scheduler: optim.lr_scheduler.LRScheduler | None,
    epochs: int,
) -> _Plan:
    affine, unknown = None, None
    try:
        affine = trace(module.model, module.x)
    except NotAffine as error:
        unknown = str(error)
    why = unknown if affine is None else obstacle(module, affine, optimizer, scheduler, epochs)
    if affine is None or why is not None:
        reason = f"eager: PyTorch's own loop, because {why}"
        return _Plan(module, Eager(optimizer, scheduler), reason, module, affine, unknown)
    turned = affine.transposed and affine.weight.ndim == 2
    translation = from_optimizer(optimizer, affine.weight, affine.bias, transposed=turned)
    rows = "all rows" if module.batching.batch_size is None else f"{module.batching.size} rows"
    called = name_of(as_module(module.criterion))
    reason = f"compiled: one affine map, {called}, {type(optimizer).__name__}, {rows} a step"
    solver = Compiled(optimizer, scheduler, translation)
    return _Plan(compiled_rows(module, affine, epochs), solver, reason, module, affine, None)


def _fit(plan: _Plan, optimizer: optim.Optimizer, outcome: Outcome) -> TrainedFit:
    module, affine = plan.module, plan.affine
    x, y = module.x.detach(), module.y.detach()
    X = x.reshape(len(x), -1) if affine is None else affine.features(x)
    target = y.reshape(len(y), -1)
    if affine is None:
        coef = torch.full((X.shape[1] + 1, target.shape[1]), math.nan, dtype=torch.float64, device="cpu")
    else:
        coef = affine.coef()
    exact = _exact(plan, optimizer, coef)
    solution = Solution(
        coef=coef,
        names=default_names("x", X.shape[1]),
        targets=default_names("y", coef.shape[1]),
        intercept=affine is None or affine.bias is not None,
        loss="squared" if squared(module.criterion) else name_of(module.criterion),
        penalty=_decay(optimizer) or "none",
        solver=plan.reason,
        status=outcome.status,
        history=outcome.history,
        certificate=math.nan if exact is None else exact.certificate(coef),
        seconds=outcome.seconds,
        weight_type=None,
        evidence=None if exact is None else exact.evidence_at(coef),
        rows=len(x),
    )
    rows = TensorRows(X, target, names=solution.names)
    return TrainedFit(solution, module.model, rows, plan.obstacle)


def _exact(plan: _Plan, optimizer: optim.Optimizer, coef: Tensor) -> QuadraticObjective | None:
    """The objective whose optimum the training was on its way to, where it is known and cheap."""
    if plan.affine is None or not squared(plan.module.criterion) or _decay(optimizer):
        return None
    n, p = len(plan.module.x), len(coef) - 1
    if n * p**2 + 30 * p**3 > EXACT_WORK or not bool(torch.isfinite(coef).all()):
        return None
    if isinstance(plan.problem, SquaredRows):
        return plan.problem.objective
    return squared_rows(plan.module, plan.affine).objective


def _decay(optimizer: optim.Optimizer) -> str:
    """The weight decay as summaries print it; empty without one."""
    decays = {group["weight_decay"] for group in optimizer.param_groups if group.get("weight_decay")}
    return f"weight_decay={', '.join(f'{decay:g}' for decay in sorted(decays))}" if decays else ""
