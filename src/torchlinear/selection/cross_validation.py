"""Cross-validation: the strength of a penalty that predicts rows best which the fit has not seen.

With squared loss one pass over the rows gives the moments of every cell of rows (`partition`); training sets are
merged from them, every penalty of every split is solved on them (`gram`), and so are the held-out errors
(`heldout`) and the refit. Any other loss is fitted split by split on its rows.

The mean error of a penalty weighs the splits by their held-out weights, and its standard error is

    sqrt( sum_f share_f (error_f - mean)^2 / (K - 1) ),    share_f = weight_f / sum of the weights,

as in glmnet (Friedman, Hastie, Tibshirani 2010, "Regularization paths for generalized linear models via
coordinate descent"). The one-standard-error rule takes the strongest penalty whose mean error is at most one
standard error above the best (Breiman, Friedman, Olshen, Stone 1984, "Classification and regression trees").
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear import interruption
from torchlinear.api import solve
from torchlinear.engines.local import single_threaded_blas
from torchlinear.errors import InvalidInput
from torchlinear.fitted import Fit
from torchlinear.inputs import Prepared, prepare
from torchlinear.losses import made
from torchlinear.losses.base import Loss
from torchlinear.penalties.separable import Separable
from torchlinear.selection import grid
from torchlinear.selection.folds import plan
from torchlinear.selection.followed import Path, Source
from torchlinear.selection.groups import groups_of
from torchlinear.selection.path import follow, has_paths
from torchlinear.selection.validated import CrossValidation, choose
from torchlinear.selection.validation import ByMoments, Validation, validation
from torchlinear.wide.objective import suits

__all__ = ["cross_validate"]

Array = NDArray[np.float64]

RULES = ("best", "one_standard_error")


def cross_validate(
    data: Any,
    target: Any = None,
    *,
    penalty: str | Separable = "l1",
    folds: Any = 5,
    groups: Any = None,
    ordered: bool = False,
    rule: Literal["best", "one_standard_error"] = "best",
    mixes: Sequence[float] | None = None,
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
    seed: int = 0,
) -> CrossValidation:
    """Choose the strength of a penalty by its error on held-out rows, and fit all rows with it.

    Parameters
    ----------
    data, target, formula, columns, intercept, weights, weight_type, offset, exposure, missing, precision, device
        As in `torchlinear.fit`.
    penalty : str or penalty object
        ``"l1"``, ``"l2"``, ``"elastic_net"``, or an object such as ``tl.L1(column_weights=...)``, whose own
        strength does not matter.
    folds : int, iterable of (train, test) index pairs, or scikit-learn splitter
        How many folds, or which. Each row's fold depends on its place and `seed` alone.
    groups : array, shape (n,), or str, optional
        Rows of a group stay in one fold; values, or the name of a column (which then is no feature).
    ordered : bool
        Rows are ordered in time: each fold is tested on the rows that follow those it learnt from.
    rule : {"best", "one_standard_error"}
        Which penalty the final fit gets.
    mixes : sequence of float, optional
        Shares of L1 to try in an elastic net, 0.1, 0.5 and 0.9 by default.
    alphas : sequence of float, optional
        Strengths to try, in the units of ``tl.L1``; by default `n_penalties`, from the strongest that matters
        down to `least` of it.
    n_penalties : int
        How many.
    least : float, optional
        Weakest over strongest: 1e-4 (1e-2 with no more rows than columns), 1e-8 without an L1 part.
    loss : str or Loss
        What is minimised. The error on held-out rows is the mean squared error, the mean deviance of a likelihood
        (twice the mean log loss, of labels), or else the mean loss.
    link : str, optional
        Of a generalised linear model, as in `torchlinear.fit`.
    seed : int
        Draws other folds.

    Returns
    -------
    CrossValidation
        Errors of every penalty, both choices, and the final fit.

    Raises
    ------
    InvalidInput
        When an argument is not what is expected.
    DataError
        When the rows cannot be fitted as they are, or a fold has none.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    >>> y = X[:, 0] - 2 * X[:, 3] + torch.randn(200, generator=torch.Generator().manual_seed(1))
    >>> found = tl.cross_validate(X, y, penalty="l1", rule="one_standard_error")
    >>> found.fit.coef.nonzero()[:, 0].tolist()
    [0, 3]
    >>> found = tl.cross_validate(X, y > 0, loss="logistic", rule="one_standard_error")
    >>> found.fit.coef.nonzero()[:, 0].tolist()
    [0, 3]
    """
    if rule not in RULES:
        raise InvalidInput(f"rule={rule!r} is not known. Known: {', '.join(RULES)}.")
    grid.check(n_penalties, least)
    criterion, asked = made(loss, link), grid.families(penalty, mixes)
    given = None if alphas is None else grid.checked_alphas(alphas)
    grouped = groups_of(data, groups, target=target, columns=columns, formula=formula, weights=weights)
    prepared = prepare(
        data, target, formula=formula, columns=grouped.columns, weights=weights, missing=missing, intercept=intercept,
        device=device, loss=criterion, offset=offset, exposure=exposure,
    )  # fmt: skip
    rows, design, outputs = prepared.rows, prepared.design, prepared.outputs(criterion)
    splits = plan(folds, rows, groups=grouped.values, ordered=ordered, seed=seed)
    free = intercept if design is None else design.intercept
    like = data if isinstance(data, Tensor) else None
    try:
        with interruption.watching(), single_threaded_blas():
            judge = validation(
                criterion, rows, splits, intercept=free, precision=precision, n_outputs=len(outputs),
                wide=any(suits(criterion, family, rows) for family in asked),
            )  # fmt: skip
            tried = [_grid(judge, family, given, n_penalties, least) for family in asked]
            scores = [judge.scores(penalties) for penalties in tried]
            paths = _paths(judge, prepared, tried, precision, weight_type, like)
            found = [path.coef.numpy() for path in paths] or [judge.path(penalties) for penalties in tried]
    except interruption.Interrupted:
        raise KeyboardInterrupt from None
    penalties, held_out, coef = tuple(chain(*tried)), scores[0].weights, np.concatenate(found)
    errors = np.hstack([score.errors for score in scores])
    choice = choose(penalties, errors, held_out)
    at = getattr(choice, rule)
    solution = solve(
        judge.objective(penalties[at]),
        weight_type=weight_type if prepared.weighted else None,
        start=torch.from_numpy(coef[at]),
    )
    solution = replace(solution, targets=outputs, classes=prepared.classes, offset=prepared.offset)
    fit = Fit(solution, design=design, rows=rows, like=like)
    return CrossValidation(penalties, errors, held_out, choice, coef, str(criterion), rule, fit, tuple(paths))


def _paths(
    judge: Validation,
    prepared: Prepared,
    tried: Sequence[Sequence[Separable]],
    precision: str,
    weight_type: str,
    like: Tensor | None,
) -> list[Path]:
    """Paths on all rows, one for each mix; none of a loss that has no paths."""
    if not has_paths(judge.loss):
        return []
    moments = judge.all if isinstance(judge, ByMoments) else None
    source = Source(judge.loss, prepared, judge.intercept, precision, weight_type, like, moments)
    began = time.perf_counter()
    return [
        follow(source, some[0], np.array([penalty.alpha for penalty in some]), len(some), None, began)
        for some in tried
    ]


def _grid(
    judge: Validation, family: Separable, given: Array | None, count: int, least: float | None
) -> list[Separable]:
    """The penalties of one family, from the strongest to the weakest."""
    if given is None:
        given = grid.strengths(family, judge.sensitivity(family), count, least)
    return [family.with_alpha(float(alpha)) for alpha in given]
