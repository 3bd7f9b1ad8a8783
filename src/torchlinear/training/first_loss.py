"""The first loss of a module, after a look at what it gives: every mistake that shows here has its sentence.

PyTorch is the judge of what works: what its own loop accepts is accepted, except the silent broadcast of
``(n, 1)`` against ``(n,)``. What it refuses is explained.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchlinear.errors import InvalidInput

__all__ = ["First", "first_loss", "name_of"]

ELEMENTWISE = (
    nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss,
    nn.BCEWithLogitsLoss, nn.BCELoss, nn.PoissonNLLLoss,
)  # fmt: skip
ELEMENTWISE_FUNCTIONS = (
    F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss,
    F.binary_cross_entropy_with_logits, F.binary_cross_entropy, F.poisson_nll_loss,
)  # fmt: skip


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
        wide = tuple(torch.broadcast_shapes(out.shape, y.shape))  # type: ignore[no-untyped-call]
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
