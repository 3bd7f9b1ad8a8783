"""Contrasts: the classes of a softmax compared with one of them."""

from __future__ import annotations

from dataclasses import replace

import torch

from torchlinear.errors import InvalidInput
from torchlinear.labels import Label
from torchlinear.solution import Solution

__all__ = ["against"]


def against(solution: Solution, base: Label) -> Solution:
    """The solution with the coefficients of the other classes less those of `base`, as R and statsmodels report them.

    Parameters
    ----------
    solution : Solution
        Of a softmax fit.
    base : label
        One of its classes, as it is or as text.

    Returns
    -------
    Solution
        With k - 1 targets; it predicts nothing.

    Raises
    ------
    InvalidInput
        When the classes do not interact, or there is no such class.
    """
    family = solution.family
    if family is None or family.separable or not family.labels:
        raise InvalidInput(
            f"base={base!r} goes with loss='softmax', whose classes have coefficients each, not with {solution.loss}."
        )
    known = solution.classes or ()
    found = [
        i for i, name in enumerate(solution.targets) if name == str(base) or (known and known[i] == base)
    ]
    if not found:
        raise InvalidInput(f"base={base!r} is no class. Classes: {', '.join(solution.targets)}.")
    at = found[0]
    others = [i for i in range(len(solution.targets)) if i != at]
    information = solution.information
    return replace(
        solution,
        coef=solution.coef[:, torch.tensor(others)] - solution.coef[:, at : at + 1],
        targets=tuple(f"{solution.targets[i]} over {solution.targets[at]}" for i in others),
        information=None if information is None else information.against(at),
    )
