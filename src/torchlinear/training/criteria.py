"""Somebody's criterion as the kernels take it.

A criterion is known by its exact class, or is the function of `torch.nn.functional` that the class calls with
its defaults; what a subclass changes cannot be seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchlinear.kernels import losses
from torchlinear.kernels.criteria import ENTRIES, NOTHING, ROWS, SHARES, Criterion
from torchlinear.training.first_loss import name_of

__all__ = ["Known", "as_module", "known", "squared"]

FUNCTIONS: dict[Any, Callable[[], nn.Module]] = {
    F.mse_loss: nn.MSELoss,
    F.binary_cross_entropy_with_logits: nn.BCEWithLogitsLoss,
    F.cross_entropy: nn.CrossEntropyLoss,
    F.l1_loss: nn.L1Loss,
    F.smooth_l1_loss: nn.SmoothL1Loss,
    F.huber_loss: nn.HuberLoss,
    F.poisson_nll_loss: nn.PoissonNLLLoss,
}


@dataclass(frozen=True, slots=True)
class Known:
    """A criterion that the kernels know.

    Attributes
    ----------
    criterion : Criterion
        As the kernels take it.
    labels : bool
        Whether targets are the numbers of classes, one a row.
    """

    criterion: Criterion
    labels: bool = False

    def targets(self, y: Tensor) -> Tensor:
        """Targets as the kernels take them: (n, k), or (n, 1) with the numbers of classes; float64."""
        return y.detach().reshape(len(y), -1).double()


def as_module(criterion: Any) -> Any:
    """The module that is the same as a function of `torch.nn.functional`; anything else as it is."""
    try:
        make = FUNCTIONS.get(criterion)
    except TypeError:  # not hashable
        make = None
    return criterion if make is None else make()


def squared(criterion: Any) -> bool:
    """Whether it is the mean or the sum of squares."""
    return type(as_module(criterion)) is nn.MSELoss


def known(criterion: Any, outputs: int, y: Tensor) -> Known | str:
    """Read a criterion.

    Parameters
    ----------
    criterion : callable
        The loss.
    outputs : int
        What the model gives for each row.
    y : Tensor, shape (n,) or (n, ...)
        Targets.

    Returns
    -------
    Known or str
        The words after "because" when the kernels do not know it.
    """
    module = as_module(criterion)
    read = READERS.get(type(module))
    if read is None:
        return f"{name_of(criterion)} is not compiled yet"
    return read(module, outputs, y)


def _entries(module: nn.Module) -> int:
    return ENTRIES if module.reduction == "mean" else NOTHING


def _logistic(module: nn.BCEWithLogitsLoss, outputs: int, y: Tensor) -> Known | str:
    weights = []
    for value in (module.weight, module.pos_weight):
        given = torch.ones(1) if value is None else value.detach()
        if given.numel() != 1 and (given.shape != (outputs,) or y.ndim != 2):
            return "the criterion's weights are not one for each output"
        weights.append(given.double().cpu().reshape(-1).numpy())
    weight, positive = weights
    criterion = Criterion.of(
        losses.LOGISTIC, outputs, weight=weight, positive=positive, divisor=_entries(module)
    )
    return Known(criterion)


def _softmax(module: nn.CrossEntropyLoss, outputs: int, y: Tensor) -> Known | str:
    labels = y.ndim == 1
    if not labels and y.shape != (len(y), outputs):
        return "its targets are neither classes nor probabilities, one row each"
    mean = SHARES if labels else ROWS
    weight = np.ones(outputs)
    if module.weight is not None:
        if module.weight.shape != (outputs,):
            return "the criterion's weights are not one for each class"
        weight = module.weight.detach().double().cpu().numpy()
    criterion = Criterion.of(
        losses.SOFTMAX,
        outputs,
        numbers={"smoothing": module.label_smoothing, "ignored": float(module.ignore_index)},
        weight=weight,
        divisor=mean if module.reduction == "mean" else NOTHING,
    )
    return Known(criterion, labels)


def _absolute(module: nn.L1Loss | nn.SmoothL1Loss, outputs: int, _: Tensor) -> Known:
    return Known(Criterion.of(losses.ABSOLUTE, outputs, divisor=_entries(module)))


def _smooth_l1(module: nn.SmoothL1Loss, outputs: int, y: Tensor) -> Known:
    if module.beta == 0:
        return _absolute(module, outputs, y)
    numbers = {"delta": float(module.beta), "scale": 1.0 / module.beta}
    return Known(Criterion.of(losses.HUBER, outputs, numbers=numbers, divisor=_entries(module)))


def _huber(module: nn.HuberLoss, outputs: int, _: Tensor) -> Known:
    numbers = {"delta": float(module.delta), "scale": 1.0}
    return Known(Criterion.of(losses.HUBER, outputs, numbers=numbers, divisor=_entries(module)))


def _poisson(module: nn.PoissonNLLLoss, outputs: int, _: Tensor) -> Known:
    code = losses.POISSON if module.log_input else losses.MEAN
    numbers = {"full": float(module.full), "eps": float(module.eps)}
    return Known(Criterion.of(code, outputs, numbers=numbers, divisor=_entries(module)))


READERS: dict[type, Callable[[Any, int, Tensor], Known | str]] = {
    nn.BCEWithLogitsLoss: _logistic,
    nn.CrossEntropyLoss: _softmax,
    nn.L1Loss: _absolute,
    nn.SmoothL1Loss: _smooth_l1,
    nn.HuberLoss: _huber,
    nn.PoissonNLLLoss: _poisson,
}
