"""The fitted model in words."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from torchlinear.inference.numerals import HIGHEST, LOWEST, magnitude, printable
from torchlinear.solution import Solution

__all__ = ["equation"]

Array = NDArray[np.float64]

TERMS = 8  # features that an equation names
LINES = 4  # classes whose scores it writes
LEFT = {"identity": "{}", "inverse": "1 / E({})", "inverse_squared": "1 / E({})²"}  # of the mean, by link
CLEAN = (
    1e-6  # relative distance at which a number counts as the short one beside it: float32 data keep 7 digits
)
NOTHING = 1e-12  # of the target's norm: a term that contributes less is rounding, and printed as 0


def equation(solution: Solution) -> str:
    """Write the fitted line, such as ``'y = 3 x + 0.8'``; one line for each target, or for each of four classes.

    At the left stands what the line predicts: the target, or what the link makes of its mean, such as
    ``log-odds(y=sick)``, ``log E(y)`` or, with a softmax, ``score(setosa)``. An offset is the last term.

    Numbers have four significant digits, smaller ones beside larger ones at least three. Where they are
    rounded their zeros stay (``2.958 x + 0.820``); where nothing is lost they go (``3 x + 0.8``). Dropped
    features are left out, and so are those that a penalty has set to 0; beyond eight features the rest is counted.

    Parameters
    ----------
    solution : Solution
        The fit.

    Returns
    -------
    str
        One line for each target.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.tensor([0.0, 1.0, 2.0])
    >>> tl.fit(x, torch.stack([3 * x + 0.8, 1 - x / 3], dim=1)).equation.splitlines()
    ['y0 = 3 x + 0.8', 'y1 = -0.333 x + 1']
    """
    coef = np.where(_negligible(solution), 0.0, solution.coef.numpy())
    lines = [_line(solution, _left(solution, name), coef[:, j]) for j, name in enumerate(solution.targets)]
    more = len(lines) - LINES
    if more > 1 and solution.classes is not None:
        lines = [*lines[:LINES], f"… ({more:,} more classes)"]
    return "\n".join(lines)


def _left(solution: Solution, target: str) -> str:
    """What a line predicts: the target or a function of its mean."""
    loss, target = solution.family, printable(target)
    if loss is not None and not loss.separable:
        return f"score({target})"
    if solution.classes is not None:
        target = f"{target}={printable(str(solution.classes[-1]))}"
    link = getattr(loss, "link", "identity")
    if loss is not None and loss.labels and not loss.probabilities:
        return f"decision({target})"
    if loss is not None and loss.labels:
        return f"log-odds({target})" if link == "logit" else f"{link} P({target})"
    return LEFT.get(link, f"{link} E({{}})").format(target)


def _line(solution: Solution, left: str, coef: Array) -> str:
    dropped = set(solution.dropped)
    zeros = solution.penalty != "none"
    features = [
        (printable(name), value)
        for name, value in zip(solution.names, coef)
        if name not in dropped and not (zeros and value == 0.0)
    ]
    shown, more = features[:TERMS], len(features) - TERMS
    constant = [float(coef[-1])] if solution.intercept else []
    largest = max((abs(value) for _, value in shown), default=0.0)
    largest = max([largest, *(abs(value) for value in constant)])
    terms = [_signed(value, largest, f" {name}") for name, value in shown]
    if more > 0:
        terms.append(f"+ … ({more:,} more)")
    terms += [_signed(value, largest, "") for value in constant]
    if solution.offset is not None:
        terms.append(f"+ {printable(solution.offset)}")
    right = " ".join(terms or ["+ 0"])
    return f"{left} = {'-' if right.startswith('-') else ''}{right[2:]}"


def _signed(value: float, largest: float, suffix: str) -> str:
    return f"{'-' if value < 0 else '+'} {_digits(abs(value), largest)}{suffix}"


def _digits(value: float, largest: float) -> str:
    """Four digits of `value`, or three where `largest` beside it has four already; shorter where exact."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    short = f"{value:.4g}"
    exponent = not LOWEST < magnitude(value) <= HIGHEST
    if abs(float(short) - value) <= CLEAN * value and (exponent or "e" not in short):
        return short
    if exponent:
        return f"{value:.3e}"
    rounded = float(f"{largest:.4g}")  # 0.99999 counts as 1
    decimals = max(3 - magnitude(rounded), 2 - magnitude(value), 0)
    return f"{value:.{decimals}f}"


def _negligible(solution: Solution) -> NDArray[np.bool_]:
    """Coefficients, shape (p + 1, k), whose share of the target is rounding alone.

    A feature's is the norm of what it adds beyond the others, ``|b_j| / sqrt(inverse_jj)``; the
    intercept's is told by the terms that it is the small difference of.
    """
    known, coef = solution.evidence, solution.coef.numpy()
    if known is None:
        return np.zeros(coef.shape, dtype=bool)
    p = len(solution.names)
    mean_x, mean_y = known.mean[:p, None], known.mean[p:]
    target = np.sqrt(known.tss + known.weight * np.square(mean_y))
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.abs(coef[:p]) / np.sqrt(np.diagonal(known.inverse)[:p, None])
    parts = np.abs(mean_y) + np.abs(coef[:p] * mean_x).sum(axis=0)
    return np.vstack([own <= NOTHING * target, np.abs(coef[p:]) <= NOTHING * parts])
