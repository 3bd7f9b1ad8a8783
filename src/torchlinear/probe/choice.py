"""The sweep of a probe: every penalty fitted, judged on rows that were held out, and the best fitted again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from torchlinear import interruption
from torchlinear.engines.base import Loaded
from torchlinear.engines.local import Local, single_threaded_blas
from torchlinear.errors import DataError, InvalidInput
from torchlinear.loop import Limits, Status, run
from torchlinear.probe.rows import EmbeddingRows
from torchlinear.probe.scores import Scores, scores
from torchlinear.probe.sweep import Moments, Sweep, side_by_side
from torchlinear.solvers.newton_cg import NewtonCG

__all__ = ["JUDGES", "Fitted", "Judged", "Settings", "grid", "judged", "solved", "splits_of"]

JUDGES = ("log_loss", "top1", "top5")
GROUP_BYTES = 2 << 30  # of the vectors of problems that are solved together
VECTORS = (
    30  # of the size of the coefficients that a problem needs: steps, slopes, partial sums of the threads
)
STRONGEST, WEAKEST = 10.0, 1e-6  # times the mean variance of the features, which spans all that matters


@dataclass(frozen=True, slots=True)
class Settings:
    """What the problems of a sweep share.

    Attributes
    ----------
    classes : int
        k.
    intercept : bool
        Whether to fit an intercept.
    tolerance : float
        Relative duality gap.
    device : torch.device
        Where to work.
    """

    classes: int
    intercept: bool
    tolerance: float
    device: torch.device

    def load(
        self, X: Tensor, codes: Tensor, index: Tensor | None = None, weight: Tensor | None = None
    ) -> Loaded:
        """Some rows, ready to be summed over; `codes` and `weight` are those of all."""
        if index is not None:
            codes, weight = codes[index], None if weight is None else weight[index]
        rows = EmbeddingRows(X, codes, index, self.device, weight)
        if not rows.total > 0:
            raise DataError("the weights sum to zero: give at least one row a weight above 0.")
        return Local().load(rows)


@dataclass(frozen=True, slots=True)
class Fitted:
    """Solutions of m penalties.

    Attributes
    ----------
    coef : Tensor, shape (m, p + 1, k), float64
        Coefficients.
    gap : Tensor, shape (m,)
        Relative duality gap that is left.
    status : Status
        How the fit ended.
    steps : int
        Newton steps.
    """

    coef: Tensor
    gap: Tensor
    status: Status
    steps: int


@dataclass(frozen=True, slots=True)
class Judged:
    """The sweep, judged.

    Attributes
    ----------
    results : DataFrame
        A row for each penalty: its mean scores on held-out rows and their certificate.
    best : int
        Row of the best.
    start : Tensor, shape (1, p + 1, k)
        Its coefficients, to start the last fit from.
    """

    results: pd.DataFrame
    best: int
    start: Tensor


def grid(count: int, moments: Moments) -> Tensor:
    """`count` penalties, log-spaced, the strongest first; from the variances of the embeddings."""
    scale = float(moments.variance.mean())
    return scale * torch.logspace(
        float(np.log10(STRONGEST)), float(np.log10(WEAKEST)), count, dtype=torch.float64
    )


@single_threaded_blas()
def solved(
    loaded: Loaded, alpha: Tensor, moments: Moments, settings: Settings, start: Tensor | None = None
) -> Fitted:
    """Fit the penalties, strongest first, together as far as memory allows; from `start`, shape (m, p + 1, k).

    Together pays, though each then starts from nothing: 20 penalties of 20,000 x 256 rows and 20 classes took 7.0 s
    of processor time, in groups of 5 that start from the one before 8.0 s, and one after the other 14.4 s.
    """
    p, k = len(moments.mean), settings.classes
    size = max(1, GROUP_BYTES // (8 * VECTORS * (p + 1) * k))
    rows = loaded.rows
    assert isinstance(rows, EmbeddingRows)
    narrow = Local().load(rows.narrowed())
    parts: list[Fitted] = []
    for first in range(0, len(alpha), size):
        group = slice(first, first + size)
        sweep = Sweep(
            loaded,
            alpha[group],
            k,
            moments,
            intercept=settings.intercept,
            tolerance=settings.tolerance,
            narrow=narrow,
        )
        if start is not None:
            begin = start[group]
        else:
            begin = parts[-1].coef[-1:].expand(len(sweep.alpha), -1, -1) if parts else sweep.start
        parts.append(_run(sweep, begin.clone()))
    worst = max((part.status for part in parts), key=lambda status: status is not Status.CONVERGED)
    coef, gap = torch.cat([part.coef for part in parts]), torch.cat([part.gap for part in parts])
    return Fitted(coef, gap, worst, sum(part.steps for part in parts))


def _run(sweep: Sweep, start: Tensor) -> Fitted:
    solver = NewtonCG()
    outcome = run(
        sweep,
        solver,
        start,
        stop=lambda state: bool((state.memory["left"] <= sweep.enough).all()),
        limits=Limits(solver.epochs),
    )
    if outcome.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    state = outcome.state
    return Fitted(state.coef, state.memory["left"], outcome.status, state.epoch)


def judged(
    splits: Sequence[tuple[Loaded, Loaded]],
    alpha: Tensor | int,
    settings: Settings,
    by: str,
) -> Judged:
    """Fit every penalty on the first rows of each split, and judge it on the second.

    Parameters
    ----------
    splits : sequence of pairs of Loaded
        Rows to fit, rows to judge by.
    alpha : Tensor, shape (m,), or int
        Penalties, or how many.
    settings : Settings
        What they share.
    by : {"log_loss", "top1", "top5"}
        Which score chooses; of equals the strongest penalty.
    """
    found: list[Scores] = []
    start, gap = None, torch.zeros(1)
    for training, held_out in splits:
        interruption.check()
        with single_threaded_blas():
            moments = Moments(training)
        if isinstance(alpha, int):
            alpha = grid(alpha, moments)
        fitted = solved(training, alpha, moments, settings, start)
        start, gap = fitted.coef, torch.maximum(gap.to(fitted.gap), fitted.gap)
        found.append(held_out.sum(scores, side_by_side(fitted.coef), settings.classes))
    assert isinstance(alpha, Tensor)
    assert start is not None
    results = _frame(alpha, found, gap, settings.tolerance)
    order = results[by] if by == "log_loss" else -results[by]
    best = int(np.lexsort((-results["penalty"], order))[0])
    return Judged(results, best, start[best : best + 1])


def _frame(alpha: Tensor, found: Sequence[Scores], gap: Tensor, tolerance: float) -> pd.DataFrame:
    """A row for each penalty: means over the splits; the error of one split is that of its rows."""

    def mean(name: str) -> Tensor:
        return torch.stack([getattr(part, name) / part.weight for part in found]).mean(dim=0).cpu()

    if len(found) > 1:
        losses = torch.stack([part.loss / part.weight for part in found])
        error = losses.std(dim=0).cpu() / len(found) ** 0.5
    else:
        error = found[0].spread.cpu()
    return pd.DataFrame(
        {
            "penalty": alpha.cpu().numpy(),
            "log_loss": mean("loss").numpy(),
            "log_loss_error": error.numpy(),
            "top1": mean("first").numpy(),
            "top5": mean("among").numpy(),
            "gap": gap.cpu().numpy(),
            "converged": (gap <= tolerance).cpu().numpy(),
        }
    )


def splits_of(rows: int, *, held_out: float, folds: int | None, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Rows to fit and rows to judge by, both ascending; of K folds, or of one random share."""
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    if folds is not None:
        parts = list(order.tensor_split(folds))
    else:
        count = round(rows * held_out)
        if not 0 < count < rows:
            raise InvalidInput(
                f"held_out={held_out}: of {rows} rows that leaves none to fit or none to judge by."
            )
        parts = [order[:count]]
    if any(len(part) == 0 or len(part) == rows for part in parts):
        raise DataError(f"folds={folds} of {rows} rows: expected at least one row in each.")
    pairs = []
    for part in parts:
        judge = torch.zeros(rows, dtype=torch.bool)
        judge[part] = True
        pairs.append(((~judge).nonzero()[:, 0], judge.nonzero()[:, 0]))
    return pairs
