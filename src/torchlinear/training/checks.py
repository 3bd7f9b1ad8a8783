"""What `tl.train` refuses at the door, each mistake with its own sentence; see `first_loss` for the rest."""

from __future__ import annotations

import difflib
import inspect
import math
import operator
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.optim.lr_scheduler import LRScheduler

from torchlinear.errors import DataError, InvalidInput

__all__ = [
    "check_criterion",
    "check_generator",
    "check_model",
    "check_optimizer",
    "check_rows",
    "check_scheduler",
    "whole",
]


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
    if getattr(model.forward, "__name__", "") == "_forward_unimplemented":
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
        if value.layout != torch.strided:
            raise InvalidInput(f"{name} is sparse ({value.layout}); pass {name}.to_dense().")
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
        if (bad := _not_finite(value)) > 0:
            raise DataError(
                f"{name} holds {bad} values that are not finite (NaN or inf); drop those rows or fill them "
                "in first."
            )


def _not_finite(value: Tensor) -> int:
    """How many values are NaN or inf; they reach the sum, which is ten times as fast as a look at each."""
    if not value.is_floating_point() or value.device.type == "meta" or math.isfinite(value.sum().item()):
        return 0
    return value.numel() - int(torch.isfinite(value).sum())


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


def check_generator(generator: Any) -> None:
    """A generator of random numbers, or None."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise InvalidInput(
            f"generator is a {type(generator).__name__}; expected a torch.Generator, such as "
            "torch.Generator().manual_seed(0)."
        )
