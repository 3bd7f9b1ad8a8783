"""A softmax or sigmoid before a criterion that applies its own: the commonest mistake in a first classifier.

The loss still falls, but to a floor, slowly and without a word. What the model computed last is read off the
graph of its output; a softmax written by hand shows in rows that lie between 0 and 1 and sum to 1.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from torchlinear.errors import warn_caller
from torchlinear.training.criteria import as_module

__all__ = ["fault_of", "warn_of_scores"]

ROUNDING = 1e-3  # by which rows of probabilities may miss 1, in the half precisions too
RAW = "raw scores (logits)"
# What may come after a softmax without changing its numbers, by the names of the graph's nodes.
PASSED = {
    "View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Transpose", "T", "Permute", "ToCopy", "Clone",
    "Alias",
}  # fmt: skip
LAST = {"Softmax": "softmax", "LogSoftmax": "log_softmax", "Sigmoid": "sigmoid", "LogSigmoid": "logsigmoid"}


def warn_of_scores(criterion: Any, out: Any) -> None:
    """Warn when what a model gives is not what its criterion expects; the caller's line is named."""
    fault = fault_of(criterion, out)
    if fault is not None:
        warn_caller(fault)


def fault_of(criterion: Any, out: Any) -> str | None:
    """What is wrong with the first output of a model, and what to do; None when nothing shows.

    Parameters
    ----------
    criterion : callable
        The loss.
    out : Tensor, shape (m, k) or (m, ...)
        What the model gives, with its graph.
    """
    kind = type(as_module(criterion))
    if not isinstance(out, Tensor) or not out.is_floating_point() or out.numel() == 0:
        return None
    if kind is nn.CrossEntropyLoss:
        return _before_softmax(out)
    if kind is nn.BCEWithLogitsLoss:
        return _before_sigmoid(out)
    if kind is nn.NLLLoss:
        return _without_softmax(out)
    return None


def _before_softmax(out: Tensor) -> str | None:
    last = _last(out)
    if last == "log_softmax":
        return (
            f"CrossEntropyLoss expects {RAW} and takes their log_softmax itself; the model's own "
            "changes nothing but costs time: leave it out, or keep it and use nn.NLLLoss()."
        )
    if last is None and not _linear(out) and _probabilities(out):
        last = "softmax"
    if last not in ("softmax", "sigmoid"):
        return None
    return (
        f"CrossEntropyLoss expects {RAW} and applies the softmax itself, but the model ends with a {last}: "
        "twice, it flattens the gradients and the loss cannot come near 0. Leave it out of the model, and "
        "apply it to predictions where probabilities are wanted."
    )


def _before_sigmoid(out: Tensor) -> str | None:
    last = _last(out)
    if last is None:
        return None
    return (
        f"BCEWithLogitsLoss expects {RAW} and applies the sigmoid itself, but the model ends with a {last}: "
        "twice, it flattens the gradients and the loss cannot come near 0. Leave it out of the model, or keep "
        "a sigmoid and use nn.BCELoss()."
    )


def _without_softmax(out: Tensor) -> str | None:
    if _last(out) == "log_softmax" or out.ndim < 2:
        return None
    total = out.detach().double().logsumexp(dim=1)
    if bool((total.abs() <= ROUNDING).all()) or not bool(torch.isfinite(total).all()):
        return None
    return (
        "NLLLoss expects log-probabilities, and exp(model(x)) does not sum to 1 over the classes: its loss can "
        f"fall without bound. Use nn.CrossEntropyLoss(), which takes {RAW}, or end the model with "
        "nn.LogSoftmax(dim=1)."
    )


def _last(out: Tensor) -> str | None:
    """Which of softmax, sigmoid and their logarithms the output comes from, if any."""
    node: Any = out.grad_fn
    while node is not None:
        name = type(node).__name__.split("Backward")[0].lstrip("_")
        if name in LAST:
            return LAST[name]
        if name not in PASSED or not node.next_functions:
            return None
        node = node.next_functions[0][0]
    return None


def _linear(out: Tensor) -> bool:
    """Whether the last thing that was computed is a product with a weight."""
    return type(out.grad_fn).__name__.startswith(("Addmm", "Mm", "Linear", "Mv", "Addmv"))


def _probabilities(out: Tensor) -> bool:
    """Whether every row lies between 0 and 1 and sums to 1."""
    if out.ndim < 2 or out.shape[1] < 2:
        return False
    values = out.detach().double()
    inside = bool(((values >= 0) & (values <= 1)).all())
    return inside and bool(((values.sum(dim=1) - 1).abs() <= ROUNDING).all())
