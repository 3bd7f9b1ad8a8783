"""What `tl.train` refuses, each with its own sentence: before the first epoch, or at the first loss.

PyTorch is the judge of what works: what its own loop accepts is accepted, except the silent broadcast of
``(n, 1)`` against ``(n,)``. What it refuses is explained.
"""

from __future__ import annotations

import difflib
import inspect
import operator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler

from torchlinear.errors import DataError, InvalidInput

__all__ = [
    "check_criterion",
    "check_model",
    "check_optimizer",
    "check_rows",
    "check_scheduler",
    "first_loss",
    "name_of",
    "whole",
]

ELEMENTWISE = (
    nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss,
    nn.BCEWithLogitsLoss, nn.BCELoss, nn.PoissonNLLLoss,
)  # fmt: skip
ELEMENTWISE_FUNCTIONS = (
    F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss,
    F.binary_cross_entropy_with_logits, F.binary_cross_entropy, F.poisson_nll_loss,
)  # fmt: skip


def whole(name: str, value: Any) -> int:
    """A whole number of at least 1."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < 1:
        raise InvalidInput(f"{name}={value!r}; expected a whole number of at least 1.")
    return number


def check_model(model: Any) -> None:
    """A module that was set up, has a `forward` that takes one input, and something to train."""
    if isinstance(model, type):
        raise InvalidInput(
            f"model is the class {model.__name__}; make a model of it first: {model.__name__}()."
        )
    if not isinstance(model, nn.Module):
        raise InvalidInput(
            f"model is a {type(model).__name__}; expected a torch.nn.Module, as in train(model, x, y, ...)."
        )
    kind = type(model).__name__
    if "_parameters" not in vars(model):
        raise InvalidInput(
            f"{kind}.__init__ does not call super().__init__(); make that its first line, before any layer "
            "is set."
        )
    if getattr(type(model).forward, "__name__", "") == "_forward_unimplemented" and "forward" not in vars(
        model
    ):
        raise InvalidInput(f"{kind} has no method forward{_misspelt(type(model))}.")
    try:
        inspect.signature(model.forward).bind(None)
    except TypeError as error:
        raise InvalidInput(
            f"{kind}.forward does not take one input x: {error}; it is called as model(x)."
        ) from None
    except ValueError:  # compiled or built-in: it has no signature to look at
        pass
    parameters = list(model.parameters())
    if not parameters:
        raise InvalidInput(
            f"{kind} has no parameters to train; assign its layers in __init__ (self.linear = "
            "nn.Linear(...)); a plain list of layers is not seen, nn.ModuleList is."
        )
    if not any(parameter.requires_grad for parameter in parameters):
        raise InvalidInput(
            f"every parameter of {kind} is frozen (requires_grad=False); unfreeze what is to be trained."
        )


def _misspelt(kind: type[nn.Module]) -> str:
    if issubclass(kind, (nn.ModuleList, nn.ModuleDict)):
        return "; it only holds layers, nn.Sequential also calls them"
    own = [
        name
        for base in kind.__mro__
        if issubclass(base, nn.Module) and base is not nn.Module
        for name in vars(base)
    ]
    close = difflib.get_close_matches("forward", own, n=1)
    if not close:
        return "; define forward(self, x), which computes the output from the input"
    return f"; {close[0]} looks like it: rename it to forward, the name that model(x) looks for"


def check_rows(x: Any, y: Any) -> None:
    """Two tensors with as many rows, at least one, of finite numbers."""
    for name, value in (("x", x), ("y", y)):
        if not isinstance(value, Tensor):
            raise InvalidInput(
                f"{name} is a {type(value).__name__}; expected a tensor, such as "
                f"torch.as_tensor({name}, dtype=torch.float32)."
            )
        if value.ndim == 0:
            raise InvalidInput(
                f"{name} is a single number; expected a tensor with one entry or more for each row."
            )
    if len(x) == 0:
        raise DataError(f"x has shape {tuple(x.shape)}: there are no rows to train on.")
    if len(x) != len(y):
        raise InvalidInput(
            f"x has {len(x)} rows (shape {tuple(x.shape)}), y has {len(y)} (shape {tuple(y.shape)}); "
            "they must have as many."
        )
    for name, value in (("x", x), ("y", y)):
        if value.is_floating_point() and value.device.type != "meta":
            bad = value.numel() - int(torch.isfinite(value).sum())
            if bad:
                raise DataError(
                    f"{name} holds {bad} values that are not finite (NaN or inf); drop those rows or fill "
                    "them in first."
                )


def check_criterion(criterion: Any) -> None:
    """Something to call as ``criterion(model(x), y)``."""
    if isinstance(criterion, type) and issubclass(criterion, nn.Module):
        raise InvalidInput(
            f"criterion is the class {criterion.__name__}; write nn.{criterion.__name__}(), with parentheses."
        )
    if not callable(criterion) or isinstance(criterion, type):
        raise InvalidInput(
            f"criterion={criterion!r} cannot be called; expected a loss such as nn.MSELoss() or "
            "nn.CrossEntropyLoss()."
        )
    if getattr(criterion, "reduction", "mean") == "none":
        raise InvalidInput(
            f"{type(criterion).__name__}(reduction='none') gives a loss for every row, and training needs "
            "one number; use reduction='mean'."
        )


def check_optimizer(optimizer: Any, model: nn.Module) -> None:
    """An optimiser (or None) that holds parameters of the model."""
    if optimizer is None:
        return
    if not isinstance(optimizer, optim.Optimizer):
        what = f"the class {optimizer.__name__}" if isinstance(optimizer, type) else f"{optimizer!r}"
        raise InvalidInput(
            f"optimizer is {what}; expected an optimiser made for the model, such as "
            "torch.optim.SGD(model.parameters(), lr=1e-3)."
        )
    trained = {id(p) for group in optimizer.param_groups for p in group["params"] if p.requires_grad}
    owned = {id(p) for p in model.parameters()}
    if not trained & owned:
        held = sum(len(group["params"]) for group in optimizer.param_groups)
        raise InvalidInput(
            f"none of the {held} parameters that the {type(optimizer).__name__} optimiser holds is a "
            "trainable one of this model, so nothing would change; was it made for another model? "
            f"Write {type(optimizer).__name__}(model.parameters(), ...)."
        )


def check_scheduler(scheduler: Any, optimizer: optim.Optimizer | None) -> None:
    """A scheduler (or None) of this optimiser."""
    if scheduler is None:
        return
    if not isinstance(scheduler, LRScheduler):
        raise InvalidInput(
            f"scheduler is a {type(scheduler).__name__}; expected one of torch.optim.lr_scheduler, made "
            "for the optimizer."
        )
    if optimizer is None or scheduler.optimizer is not optimizer:
        raise InvalidInput(
            "scheduler was made for another optimizer than the one given; pass the optimizer that it holds."
        )


class First(NamedTuple):
    """What the model gives for a first batch, and its loss with the graph."""

    out: Any
    loss: Tensor


def first_loss(model: nn.Module, criterion: Any, x: Tensor, y: Tensor, targets: Tensor) -> First:
    """Loss of the first batch (x, y), after a look at what the model gives; `targets` is y of all rows."""
    if not torch.is_grad_enabled():
        raise InvalidInput(
            "train was called inside torch.no_grad(), where there are no gradients; call it outside."
        )
    try:
        out = model(x)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise InvalidInput(_not_taken(model, x, y, error)) from error
    check_output(criterion, out, y, targets)
    try:
        loss = criterion(out, y)
    except (RuntimeError, IndexError, ValueError) as error:
        raise InvalidInput(
            f"criterion(model(x), y) fails for an output that is {_described(out)} and y that is "
            f"{_described(y)}: {_first_line(error)}"
        ) from error
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        got = (
            f"a tensor of shape {tuple(loss.shape)}"
            if isinstance(loss, Tensor)
            else f"a {type(loss).__name__}"
        )
        raise InvalidInput(f"criterion(model(x), y) gives {got}; expected one number, such as its mean.")
    if not loss.requires_grad:
        raise InvalidInput(
            "the loss does not depend on any trainable parameter; does forward use detach(), .data, "
            "no_grad() or NumPy?"
        )
    return First(out, loss)


def _not_taken(model: nn.Module, x: Tensor, y: Tensor, error: RuntimeError) -> str:
    """Why the model does not take x."""
    example = next(model.parameters())
    if example.device != x.device:
        return (
            f"x is on {x.device} and the model on {example.device}; bring both to one device: "
            "model.to(device), and x = x.to(device), which returns a copy."
        )
    if example.dtype != x.dtype and "dtype" in str(error):
        swapped = " Were x and y swapped?" if not x.is_floating_point() and y.is_floating_point() else ""
        return (
            f"x is {_dtype(x)} and the parameters of the model are {_dtype(example)}; "
            f"pass x.to({example.dtype}).{swapped}"
        )
    takes = f" (its first layer takes {example.shape[1]} features)" if example.ndim == 2 else ""
    return f"the model does not take x of shape {tuple(x.shape)}{takes}: {_first_line(error)}"


def check_output(criterion: Any, out: Any, y: Tensor, targets: Tensor) -> None:
    """What the model gives fits y, as far as the criterion is known."""
    if out is None:
        raise InvalidInput("forward returns None; its last line must be return ... with what it computed.")
    elementwise = isinstance(criterion, ELEMENTWISE) or criterion in ELEMENTWISE_FUNCTIONS
    labels = isinstance(criterion, nn.CrossEntropyLoss) or criterion is F.cross_entropy
    if not (elementwise or labels):
        return
    if not isinstance(out, Tensor):
        raise InvalidInput(f"forward returns a {type(out).__name__}; {name_of(criterion)} needs a tensor.")
    if out.device != y.device:
        raise InvalidInput(
            f"y is on {y.device} and what the model gives on {out.device}; y = y.to({str(out.device)!r})."
        )
    if labels:
        _check_labels(criterion, out, y, targets)
    elif out.shape != y.shape and out.numel() * y.numel() > 1:
        _refuse_broadcast(criterion, out, y)


def _refuse_broadcast(criterion: Any, out: Tensor, y: Tensor) -> None:
    given = f"y has shape {tuple(y.shape)} and the model gives {tuple(out.shape)}"
    if out.numel() != y.numel():
        raise InvalidInput(
            f"{given}; {name_of(criterion)} compares number by number, so they must be the same shape."
        )
    try:
        wide = tuple(torch.broadcast_shapes(out.shape, y.shape))
        silent = f": {name_of(criterion)} would silently compare every prediction with every target, {wide}"
    except RuntimeError:
        silent = ""
    raise InvalidInput(f"{given}{silent}; pass y.reshape({', '.join(map(str, (-1, *out.shape[1:])))}).")


def _check_labels(criterion: Any, out: Tensor, y: Tensor, targets: Tensor) -> None:
    """Class numbers (n,), int64, or probabilities in the shape of the scores."""
    given = f"y has shape {tuple(y.shape)} and is {_dtype(y)}"
    if out.ndim > 1 and out.shape[1] == 1:
        raise InvalidInput(
            "the model gives one score a row, and CrossEntropyLoss needs one for each class (of one class "
            "it is always 0); use nn.Linear(..., classes), or BCEWithLogitsLoss for two classes."
        )
    expected = (*out.shape[:1], *out.shape[2:])
    if y.shape == out.shape and y.is_floating_point():
        return
    if y.shape == out.shape:
        raise InvalidInput(
            f"{given}; CrossEntropyLoss takes probabilities of that shape as numbers: y.float()."
        )
    if y.shape != expected:
        remedy = (
            f"y.reshape({len(y)}).long()"
            if y.numel() == len(y)
            else "y with the number of the class of each row"
        )
        raise InvalidInput(f"{given}; CrossEntropyLoss takes class numbers of shape {expected}: {remedy}.")
    if y.dtype not in (torch.int64, torch.uint8):
        raise InvalidInput(f"{given}; CrossEntropyLoss takes class numbers as int64: y.long().")
    counted = targets[targets != getattr(criterion, "ignore_index", -100)]
    classes = out.shape[1] if out.ndim > 1 else out.shape[0]
    if counted.numel() and not 0 <= int(counted.min()) <= int(counted.max()) < classes:
        raise InvalidInput(
            f"y holds classes {int(counted.min())} to {int(counted.max())}, and the model gives {classes} "
            f"scores, for classes 0 to {classes - 1}; count classes from 0, or give the last layer more "
            "outputs."
        )


def name_of(criterion: Any) -> str:
    """What a loss is called: the name of its class or function."""
    return str(getattr(criterion, "__name__", type(criterion).__name__))


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{_dtype(value)} of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0].rstrip(".") + "."
