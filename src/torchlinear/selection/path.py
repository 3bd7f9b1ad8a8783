"""Paths: the coefficients at every strength of a penalty, from the strongest that matters downwards.

With squared loss one pass over the rows is enough for all of them: each solution is found on their second moments
and starts the next (`gram`). With more columns than rows it is a walk among the columns (`wide`). Other losses are
summed over the rows at each step, in the columns that may matter (`summed_path`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear import interruption
from torchlinear.engines.local import single_threaded_blas
from torchlinear.errors import InvalidInput
from torchlinear.inputs import prepare
from torchlinear.losses import made
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.penalties.separable import Separable
from torchlinear.quadratic import QuadraticObjective
from torchlinear.selection import grid, summed_path
from torchlinear.selection.followed import Path, Source
from torchlinear.selection.gram import along
from torchlinear.shrinkage import Gram
from torchlinear.summed import SummedObjective
from torchlinear.wide.objective import WideObjective

__all__ = ["follow", "has_paths", "path", "sensitivity_of"]

Array = NDArray[np.float64]

ROUNDING = 1e-12  # of the slopes that decide where a path begins, relative


def path(
    data: Any,
    target: Any = None,
    *,
    penalty: str | Separable = "l1",
    mix: float | None = None,
    alphas: Any = None,
    n_penalties: int = 100,
    least: float | None = None,
    loss: str | Loss = "squared",
    link: str | None = None,
    formula: str | None = None,
    columns: Sequence[str] | None = None,
    intercept: bool = True,
    weights: Any = None,
    weight_type: str = "precision",
    offset: Any = None,
    exposure: Any = None,
    missing: Literal["error", "drop", "mean"] = "error",
    precision: Literal["auto", "extended", "double"] = "auto",
    device: str | torch.device = "auto",
) -> Path:
    """Fit a linear model at many strengths of a penalty.

    Parameters
    ----------
    data, target, formula, columns, intercept, weights, weight_type, offset, exposure, missing, precision, device
        As in `torchlinear.fit`.
    penalty : str or penalty object
        ``"l1"``, ``"l2"``, ``"elastic_net"``, or an object such as ``tl.L1(column_weights=...)``, whose own strength
        does not matter.
    mix : float, optional
        Share of L1 in an elastic net, 0.5 by default.
    alphas : sequence of float, optional
        Strengths, in the units of ``tl.L1``; by default `n_penalties`, evenly spaced on a logarithmic scale from the
        strongest that matters down to `least` of it.
    n_penalties : int
        How many.
    least : float, optional
        Weakest over strongest: 1e-4 (1e-2 with no more rows than columns), 1e-8 without an L1 part.
    loss : str or Loss
        Any that is smooth: ``"squared"``, ``"logistic"``, ``"softmax"``, ``"poisson"``, ...
    link : str, optional
        Of a generalised linear model, as in `torchlinear.fit`.

    Returns
    -------
    Path
        The coefficients at every strength; ``path[i]`` is the fit at one of them.

    Raises
    ------
    InvalidInput
        When an argument is not what is expected.
    DataError
        When the rows cannot be fitted as they are.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    >>> y = X[:, 0] - 2 * X[:, 3] + torch.randn(200, generator=torch.Generator().manual_seed(1))
    >>> path = tl.path(X, y)
    >>> path.nonzero[[0, 10, 20]].tolist()
    [0, 2, 2]
    >>> path[20].coef.nonzero()[:, 0].tolist()
    [0, 3]
    >>> tl.path(X, y > 0, loss="logistic").nonzero[[0, 10, 20]].tolist()
    [0, 2, 2]
    """
    grid.check(n_penalties, least)
    mixes = [0.5] if mix is None and penalty == "elastic_net" else [mix] if mix is not None else None
    criterion, (family,) = made(loss, link), grid.families(penalty, mixes)
    given = None if alphas is None else grid.checked_alphas(alphas)
    if not has_paths(criterion):
        raise InvalidInput(
            f"loss={str(criterion)!r}: tl.path takes smooth losses, with a number for their scale; tl.cross_validate "
            "takes any."
        )
    began = time.perf_counter()
    prepared = prepare(
        data, target, formula=formula, columns=columns, weights=weights, missing=missing, intercept=intercept,
        device=device, loss=criterion, offset=offset, exposure=exposure,
    )  # fmt: skip
    free = intercept if prepared.design is None else prepared.design.intercept
    source = Source(
        criterion, prepared, free, precision, weight_type, data if isinstance(data, Tensor) else None
    )
    try:
        with interruption.watching(), single_threaded_blas():
            return follow(source, family, given, n_penalties, least, began)
    except interruption.Interrupted:
        raise KeyboardInterrupt from None


def follow(
    source: Source, family: Separable, given: Array | None, count: int, least: float | None, began: float
) -> Path:
    """The path of one family of penalties."""
    objective = source.objective(family)
    if given is None:
        given = grid.strengths(family, sensitivity_of(objective, family), count, least)
        given[0] *= 1.0 + ROUNDING  # no coefficient that is rounding alone
    penalties = tuple(family.with_alpha(float(alpha)) for alpha in given)
    if isinstance(objective, SummedObjective):
        found = summed_path.along(source.objective, penalties)
        coef, gaps, r2 = found.coef, found.certificates, summed_path.explained(objective, found.losses)
    elif isinstance(objective, WideObjective):
        coef, gaps, r2 = _along_columns(objective, penalties)
    else:
        assert isinstance(objective, QuadraticObjective)
        coef, gaps, r2 = _along_moments(objective, penalties)
        source = source.keeping(objective.moments)
    return Path(
        penalties,
        torch.from_numpy(coef),
        objective.rows.names,
        source.prepared.outputs(source.loss),
        source.intercept,
        gaps,
        r2,
        objective.deviation,
        time.perf_counter() - began,
        source,
        str(source.loss),
    )


def sensitivity_of(objective: Objective, family: Separable) -> grid.Sensitivity:
    """What decides where the grid begins."""
    if isinstance(objective, SummedObjective):
        return summed_path.sensitivity(objective, family)
    if isinstance(objective, WideObjective):
        return _of_columns(objective, family)
    assert isinstance(objective, QuadraticObjective)
    return grid.sensitivity(objective.moments, family, intercept=objective.intercept)


def has_paths(loss: Loss) -> bool:
    """Whether the loss is smooth, and has no scale to be estimated, which would be another for each penalty."""
    return loss.smooth and not isinstance(getattr(loss, "scale", None), str)


def _of_columns(objective: WideObjective, family: Separable) -> grid.Sensitivity:
    """What decides where the grid begins, with the unpenalised columns fitted."""
    lasso, ridge = objective.strengths(family.with_alpha(1.0))
    frame, held = objective.frame, lasso > 0
    pulls = []
    for j in range(objective.n_outputs):
        walk = objective.walk(j)
        if not held.all():
            most = 2.0 * float((np.abs(walk.pull[held]) / lasso[held]).max(initial=0.0)) + 1.0
            size = float(np.linalg.norm(walk.target))
            walk.to(np.maximum(most, size) * lasso, ridge)
        pulls.append(objective.columns.pull(walk.left, objective.columns.every))
    share = 2.0 / frame.weight
    pull = share * frame.norm[:, np.newaxis] * np.column_stack(pulls)
    return grid.Sensitivity(pull, share * np.square(frame.norm), frame.deviation, wide=True)


def _along_moments(
    objective: QuadraticObjective, penalties: Sequence[Separable]
) -> tuple[Array, Array, Array]:
    """Coefficients (m, p + 1, k), relative duality gaps (m,), and shares of the variance explained (m, k)."""
    coef = along(objective.moments, penalties, intercept=objective.intercept)
    gram, p = Gram.of(objective.moments, intercept=objective.intercept), objective.n_features
    gaps, r2 = np.empty(len(penalties)), np.empty((len(penalties), coef.shape[2]))
    for i, penalty in enumerate(penalties):
        units = penalty.in_units(objective.deviation)
        parts = (units.lasso(p), units.ridge(p), units.lower(p), units.upper(p))
        found = gram.judged(coef[i, :p], *(part.numpy() for part in parts))
        gaps[i], r2[i] = found.gap, 1.0 - found.squares
    return coef, gaps, r2


def _along_columns(objective: WideObjective, penalties: Sequence[Separable]) -> tuple[Array, Array, Array]:
    """The same of a wide matrix."""
    coef, gaps, squares = objective.along(penalties)
    total = np.square(objective.frame.target).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return coef, gaps, 1.0 - squares / total
