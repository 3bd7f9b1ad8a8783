"""May the training of a module be compiled? Only when nobody could tell the difference."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn, optim
from torch.optim import lr_scheduler
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from torchlinear.engines.local import Local
from torchlinear.losses.squared import Squared
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import TensorRows
from torchlinear.solvers import optimizers
from torchlinear.solvers.compiled_rows import CompiledRows, CriterionRows, SquaredRows
from torchlinear.training.agreement import AGREEMENT, agrees
from torchlinear.training.criteria import Known, known, squared
from torchlinear.training.modules import ModuleProblem
from torchlinear.training.tracing import Affine, hooked
from torchlinear.training.ways import Way, fastest

__all__ = ["compiled_rows", "obstacle", "squared_rows"]

ROWS = 64  # on which the module is compared with its affine map
# Schedulers whose learning rate depends on the number of the epoch alone, and that change nothing else.
SCHEDULES = (
    lr_scheduler.LambdaLR, lr_scheduler.MultiplicativeLR, lr_scheduler.StepLR, lr_scheduler.MultiStepLR,
    lr_scheduler.ConstantLR, lr_scheduler.LinearLR, lr_scheduler.ExponentialLR, lr_scheduler.PolynomialLR,
    lr_scheduler.CosineAnnealingLR, lr_scheduler.CosineAnnealingWarmRestarts,
)  # fmt: skip


def compiled_rows(problem: ModuleProblem, affine: Affine, epochs: int) -> CompiledRows:
    """The problem of the kernels, once there is no `obstacle`."""
    if squared(problem.criterion):
        way = fastest(problem.batching, affine, None, epochs)
        return squared_rows(problem, affine, by_moments=way is Way.MOMENTS)
    found = known(problem.criterion, affine.n_outputs, problem.y)
    assert isinstance(found, Known)
    way = fastest(problem.batching, affine, found, epochs)
    rows = TensorRows(_features(problem, affine), found.targets(problem.y))
    return CriterionRows(rows, found.criterion, problem.batching, way is Way.PASSES)


def squared_rows(problem: ModuleProblem, affine: Affine, by_moments: bool = True) -> SquaredRows:
    """The problem of the kernels for the squared loss."""
    X = _features(problem, affine)
    y = problem.y.detach().reshape(len(X), -1)
    y = y if y.dtype in AGREEMENT else y.to(X.dtype)
    objective = QuadraticObjective(Squared(), None, Local().load(TensorRows(X, y.contiguous())))
    mean = getattr(problem.criterion, "reduction", "mean") == "mean"
    return SquaredRows(objective, problem.batching, mean, by_moments)


def _features(problem: ModuleProblem, affine: Affine) -> Tensor:
    X = affine.features(problem.x.detach())
    return (X if X.dtype in AGREEMENT else X.double()).contiguous()


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
    found = None if squared(criterion) else known(criterion, affine.n_outputs, problem.y)
    if isinstance(found, str):
        yield found
        return
    if isinstance(criterion, nn.Module) and hooked(criterion) is not None:
        yield "the criterion has hooks"
    uneven = problem.batching.n_rows % problem.batching.size != 0
    if found is None and uneven and getattr(criterion, "reduction", "mean") == "sum":
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
    if fastest(problem.batching, affine, found, epochs) is Way.EAGER:
        yield "PyTorch's matrix products are faster at this size"
    sizes = {problem.batching.size, problem.batching.n_rows % problem.batching.size or problem.batching.size}
    for count in sorted({min(ROWS, size) for size in sizes}, reverse=True):
        if not agrees(problem, affine, found, count):
            yield f"on {count} rows its output or gradients differ from those of one affine map"


def _patched(optimizer: optim.Optimizer) -> bool:
    """Whether `step` is another than that of its class, but for the counter that schedulers put around it."""
    own = vars(optimizer).get("step")
    counted = (
        hasattr(own, "_wrapped_by_lr_sched") and getattr(own, "__wrapped__", None) is type(optimizer).step
    )
    return own is not None and not counted
