"""May the training of a module be compiled? Only when nobody could tell the difference."""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import Enum

import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F
from torch.optim import lr_scheduler
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from torchlinear.block import TensorRows
from torchlinear.engines.local import Local
from torchlinear.errors import InvalidInput
from torchlinear.losses.squared import Squared
from torchlinear.quadratic import QuadraticObjective
from torchlinear.solvers import optimizers
from torchlinear.solvers.compiled import SquaredRows
from torchlinear.training.first_loss import first_loss, name_of
from torchlinear.training.modules import Batching, ModuleProblem
from torchlinear.training.tracing import Affine, hooked
from torchlinear.training.watching import untouched

__all__ = ["Way", "fastest", "obstacle", "squared_rows"]

ROWS = 64  # on which the module is compared with its affine map
AGREEMENT = {torch.float32: 1e-5, torch.float64: 1e-12}
# Schedulers whose learning rate depends on the number of the epoch alone, and that change nothing else.
SCHEDULES = (
    lr_scheduler.LambdaLR, lr_scheduler.MultiplicativeLR, lr_scheduler.StepLR, lr_scheduler.MultiStepLR,
    lr_scheduler.ConstantLR, lr_scheduler.LinearLR, lr_scheduler.ExponentialLR, lr_scheduler.PolynomialLR,
    lr_scheduler.CosineAnnealingLR, lr_scheduler.CosineAnnealingWarmRestarts,
)  # fmt: skip


class Way(Enum):
    """How an epoch is computed."""

    MOMENTS = "second moments"
    ROWS = "rows"
    EAGER = "eager"


def fastest(batching: Batching, affine: Affine, epochs: int) -> Way:
    """The way that takes least time; constants are seconds, measured on two cores of 2.5 GHz.

    Compiled steps cost nothing to start, and PyTorch's 150 us each; but its matrix products are faster.
    """
    n, size = batching.n_rows, affine.weight.numel()
    p = size // affine.n_outputs
    steps = epochs * -(-n // batching.size)
    seconds = {
        Way.ROWS: epochs * n * (4e-8 + 1e-9 * p + 3.5e-10 * size) + steps * 7e-9 * size,
        Way.EAGER: steps * (1.5e-4 + 1e-9 * size) + epochs * n * (4e-10 * p + 1.3e-10 * size),
    }
    # Where an order is drawn even for a single batch, the generator has to move on as in torch's loop.
    ordered = batching.batch_size is not None and (batching.shuffle or batching.size < n)
    if not ordered and n > p:
        setup = 2e-10 * n * p * p + 3e-9 * p**3
        seconds[Way.MOMENTS] = setup + epochs * (2e-7 + 1e-8 * size + 3e-10 * size * p)
    return min(seconds, key=seconds.__getitem__)


def squared_rows(problem: ModuleProblem, affine: Affine, by_moments: bool = True) -> SquaredRows:
    """The problem of the kernels: squared loss of the affine map on its features."""
    X = affine.features(problem.x.detach())
    y = problem.y.detach().reshape(len(X), -1)
    X = X if X.dtype in AGREEMENT else X.double()
    y = y if y.dtype in AGREEMENT else y.to(X.dtype)
    rows = TensorRows(X.contiguous(), y.contiguous())
    objective = QuadraticObjective(Squared(), None, Local().load(rows))
    mean = getattr(problem.criterion, "reduction", "mean") == "mean"
    return SquaredRows(objective, problem.batching, mean, by_moments)


def obstacle(
    problem: ModuleProblem,
    affine: Affine,
    optimizer: optim.Optimizer,
    scheduler: lr_scheduler.LRScheduler | None,
    epochs: int,
) -> str | None:
    """Why training must be PyTorch's own loop, the words after "because"; None when kernels may stand in."""
    return next(_obstacles(problem, affine, optimizer, scheduler, epochs), None)


def _obstacles(
    problem: ModuleProblem,
    affine: Affine,
    optimizer: optim.Optimizer,
    scheduler: lr_scheduler.LRScheduler | None,
    epochs: int,
) -> Iterator[str]:
    criterion, x, weight, bias = problem.criterion, problem.x, affine.weight, affine.bias
    if type(criterion) is not nn.MSELoss and criterion is not F.mse_loss:
        yield f"{name_of(criterion)} is not compiled yet"
    if isinstance(criterion, nn.Module) and hooked(criterion) is not None:
        yield "the criterion has hooks"
    if getattr(criterion, "reduction", "mean") == "sum" and problem.batching.n_rows % problem.batching.size:
        yield "the last batch is smaller, which counts with reduction='sum'"
    if (why := optimizers.refusal(optimizer, weight, bias)) is not None:
        yield why.rstrip(".")
    if _patched(optimizer):
        yield "the optimiser's step was replaced"
    if scheduler is not None and type(scheduler) not in SCHEDULES:
        yield f"{type(scheduler).__name__} is not a schedule of the learning rate by epoch alone"
    if x.device.type != "cpu" or problem.y.device.type != "cpu" or weight.device.type != "cpu":
        yield f"the rows are on {x.device}"
    if x.dtype != weight.dtype or problem.y.is_complex():
        yield "x differs from the parameters in dtype"
    if x.requires_grad or problem.y.requires_grad:
        yield "x or y requires a gradient"
    if type(x) is not Tensor or type(problem.y) is not Tensor:
        yield "x or y is of a subclass of Tensor"
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if any(p.requires_grad and id(p) not in held for p in problem.model.parameters()):
        yield "a trainable parameter is not in the optimiser, so torch adds up its gradients"
    if torch.is_autocast_enabled("cpu") or _get_current_dispatch_mode_stack() or not torch.is_grad_enabled():
        yield "autocast, another mode of torch, or no_grad is on"
    if fastest(problem.batching, affine, epochs) is Way.EAGER:
        yield "PyTorch's matrix products are faster at this size"
    sizes = {problem.batching.size, problem.batching.n_rows % problem.batching.size or problem.batching.size}
    for count in sorted({min(ROWS, size) for size in sizes}, reverse=True):
        if not _agrees(problem, affine, count):
            yield f"on {count} rows its output or gradients differ from those of one affine map"


def _patched(optimizer: optim.Optimizer) -> bool:
    """Whether `step` is another than that of its class, but for the counter that schedulers put around it."""
    own = vars(optimizer).get("step")
    counted = (
        hasattr(own, "_wrapped_by_lr_sched") and getattr(own, "__wrapped__", None) is type(optimizer).step
    )
    return own is not None and not counted


def _agrees(problem: ModuleProblem, affine: Affine, count: int) -> bool:
    """Whether output and gradients on the first rows are those of the affine map with `MSELoss`."""
    x, y = problem.x[:count], problem.y[:count]
    trained = [p for p in (affine.weight, affine.bias) if p is not None and p.requires_grad]
    try:
        with untouched(problem.model) as forward:
            out, loss = first_loss(problem.model, problem.criterion, x, y, problem.y)
            found = torch.autograd.grad(loss, trained)
    except InvalidInput:
        return False  # torch's own loop says whether that is an error, and of what
    if forward.side_effect is not None or out.shape != y.shape:
        return False
    tolerance, coef = AGREEMENT[affine.weight.dtype], affine.coef()
    X = affine.features(x.detach()).double()
    X = torch.cat([X, X.new_ones(count, 1)], dim=1)
    size, target = X.abs() @ coef.abs(), y.detach().double().reshape(count, -1)
    residual = X @ coef - target
    share = 2.0 if getattr(problem.criterion, "reduction", "mean") == "sum" else 2.0 / residual.numel()
    gradient, largest = share * X.T @ residual, share * X.abs().T @ (size + target.abs())
    rounded = tolerance * size + math.ulp(0.0)
    if not bool(((out.detach().double().reshape(size.shape) - X @ coef).abs() <= rounded).all()):
        return False
    return all(
        _close(got, _of(parameter, affine, gradient), tolerance * _of(parameter, affine, largest))
        for parameter, got in zip(trained, found)
    )


def _of(parameter: Tensor, affine: Affine, values: Tensor) -> Tensor:
    """The part of `values`, shape (p + 1, k), that belongs to a parameter, in its shape."""
    if parameter is not affine.weight:
        return values[-1].reshape(parameter.shape)
    return (values[:-1] if affine.transposed else values[:-1].T).reshape(parameter.shape)


def _close(got: Tensor, expected: Tensor, tolerance: Tensor) -> bool:
    return bool(((got.double() - expected).abs() <= tolerance).all())
