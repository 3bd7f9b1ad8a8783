"""Whether a module does on its first rows what its affine map with its criterion does."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from torchlinear.errors import InvalidInput
from torchlinear.training.criteria import Known
from torchlinear.training.first_loss import first_loss
from torchlinear.training.modules import ModuleProblem
from torchlinear.training.tracing import Affine
from torchlinear.training.watching import untouched

__all__ = ["AGREEMENT", "agrees"]

AGREEMENT = {torch.float32: 1e-5, torch.float64: 1e-12}


def agrees(problem: ModuleProblem, affine: Affine, known: Known | None, count: int) -> bool:
    """Whether output and gradients on the first rows are those of the affine map with the criterion.

    Parameters
    ----------
    problem : ModuleProblem
        Left as it is.
    affine : Affine
        What the module is thought to be.
    known : Known or None
        What its criterion is; None for the squared loss.
    count : int
        How many rows.
    """
    x, y = problem.x[:count], problem.y[:count]
    trained = [p for p in (affine.weight, affine.bias) if p is not None and p.requires_grad]
    try:
        with untouched(problem.model) as forward:
            out, loss = first_loss(problem.model, problem.criterion, x, y, problem.y)
            found = torch.autograd.grad(loss, trained)
    except InvalidInput:
        return False  # torch's own loop says whether that is an error, and of what
    labels = known is not None and known.labels
    if forward.side_effect is not None or out.shape[: y.ndim] != y.shape or out.ndim != y.ndim + labels:
        return False
    tolerance, coef = AGREEMENT[affine.weight.dtype], affine.coef()
    X = affine.features(x.detach()).double()
    X = torch.cat([X, X.new_ones(count, 1)], dim=1)
    eta, rounded = X @ coef, tolerance * (X.abs() @ coef.abs()) + math.ulp(0.0)
    if not bool(((out.detach().double().reshape(eta.shape) - eta).abs() <= rounded).all()):
        return False
    slopes, moved = _slopes(problem.criterion, eta.reshape(out.shape), rounded.reshape(out.shape), y)
    unit = _unit(problem.criterion, known, y, out.numel())
    doubt = moved + tolerance * slopes.abs() + unit * (tolerance + rounded.amax(dim=1, keepdim=True))
    gradient, margin = X.T @ slopes, X.abs().T @ doubt
    return all(
        _close(got, _of(parameter, affine, gradient), _of(parameter, affine, margin))
        for parameter, got in zip(trained, found)
    )


def _slopes(criterion: Any, eta: Tensor, rounded: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Derivative of the criterion by the scores, (m, k) in float64, and how far rounding of a score moves it."""
    exact = copy.deepcopy(criterion).double() if isinstance(criterion, nn.Module) else criterion
    y = y.detach().double() if y.is_floating_point() else y.detach()

    def at(scores: Tensor) -> Tensor:
        scores = scores.detach().requires_grad_()
        return torch.autograd.grad(exact(scores, y), scores)[0].reshape(len(y), -1)

    return at(eta), (at(eta + rounded) - at(eta - rounded)).abs()


def _unit(criterion: Any, known: Known | None, y: Tensor, numbers: int) -> Tensor:
    """About the slope of one score that is 1 off, (m, k) or for all the same: what rounding is relative to."""
    sizes = torch.ones(1, 1, dtype=torch.float64, device="cpu")
    if known is None or not known.labels:
        sizes = 1.0 + y.detach().double().abs().reshape(len(y), -1)
    weights = 2.0 if known is None else float(known.criterion.weights.prod(axis=0).max())
    if getattr(criterion, "reduction", "mean") == "sum":
        return weights * sizes
    if known is not None and known.labels:
        weight = torch.from_numpy(known.criterion.weights[0])
        counted = y[y != int(known.criterion.numbers[1])]
        return weights / weight[counted.long()].sum() * sizes
    return weights / numbers * sizes


def _of(parameter: Tensor, affine: Affine, values: Tensor) -> Tensor:
    """The part of `values`, shape (p + 1, k), that belongs to a parameter, in its shape."""
    if parameter is not affine.weight:
        return values[-1].reshape(parameter.shape)
    return (values[:-1] if affine.transposed else values[:-1].T).reshape(parameter.shape)


def _close(got: Tensor, expected: Tensor, tolerance: Tensor) -> bool:
    return bool(((got.double() - expected).abs() <= tolerance).all())
