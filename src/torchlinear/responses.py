"""From the linear predictor to what users ask for: labels, means, probabilities, or itself."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.labels import decode
from torchlinear.losses.base import Loss
from torchlinear.solution import Solution

__all__ = ["KINDS", "Kind", "blank", "codes_of", "kind_of", "numbers", "probabilities", "respond"]

Kind = Literal["label", "mean", "proba", "link"]
KINDS = ("label", "mean", "proba", "link")


def kind_of(solution: Solution, kind: Kind | None) -> Kind:
    """What to predict: `kind`, or by default labels where the model has classes and the mean elsewhere.

    Raises
    ------
    InvalidInput
        There is no such kind, or the model has no classes, which the kind asks for.
    """
    if kind is None:
        return "mean" if solution.classes is None else "label"
    if kind not in KINDS:
        raise InvalidInput(f"kind={kind!r} is not known. Known: {', '.join(KINDS)}.")
    if kind in ("label", "proba") and solution.classes is None:
        raise InvalidInput(
            f"kind={kind!r} takes a model of classes, but this one (loss {solution.loss}) was fitted on numbers; "
            "use kind='mean' or kind='link'."
        )
    loss = solution.family
    decides = solution.classes is not None and loss is not None and not loss.probabilities
    if kind in ("mean", "proba") and decides:
        raise InvalidInput(
            f"kind={kind!r} takes a model of probabilities, but {solution.loss} loss tells classes apart without any; "
            "use kind='label' or kind='link' (the decision), or fit loss='logistic'."
        )
    return kind


def numbers(solution: Solution, eta: Tensor, kind: Kind) -> Tensor:
    """The numbers of a kind for linear predictors, shape (n, k).

    Returns
    -------
    Tensor, shape (n, k), (n, 1) or (n, classes), float64
        Means, linear predictors; numbers of classes; probabilities. NaN where `eta` is.
    """
    loss = solution.family
    if kind == "link" or loss is None:
        return eta
    if kind == "proba":
        return probabilities(loss, eta)
    mean = loss.mean(eta)
    if kind == "mean":
        return mean
    return codes_of(mean)


def codes_of(mean: Tensor) -> Tensor:
    """Number of the likeliest class, shape (n, 1), from probabilities of the second of two or of each of several."""
    codes = mean.argmax(dim=1, keepdim=True) if mean.shape[1] > 1 else mean > 0.5
    return torch.where(blank(mean), torch.nan, codes.double())


def probabilities(loss: Loss, eta: Tensor) -> Tensor:
    """Probability of each class, shape (n, classes), each to its last digits.

    That of the first of two classes is the exponential of minus the loss of its label: 1 less the other one would
    round it away.
    """
    mean = loss.mean(eta)
    if not loss.separable:
        return mean
    first = (-loss.value(eta, torch.zeros_like(eta))).exp().unsqueeze(1)
    return torch.where(blank(eta), torch.nan, torch.cat([first, mean], dim=1))


def respond(solution: Solution, found: Tensor, kind: Kind, *, tensor: bool, dtype: torch.dtype) -> Any:
    """`numbers` as users get them: an array, or with `tensor` a tensor; labels as labels; one column as shape (n,)."""
    if kind == "label":
        assert solution.classes is not None
        return decode(found[:, 0], solution.classes, tensor=tensor)
    found = found.to(dtype)
    if found.shape[1] == 1:
        found = found[:, 0]
    return found if tensor else found.cpu().numpy()


def blank(eta: Tensor) -> Tensor:
    """Rows that cannot be predicted, shape (n, 1)."""
    return eta.isnan().any(dim=1, keepdim=True)
