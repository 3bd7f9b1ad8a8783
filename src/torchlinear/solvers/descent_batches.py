"""The rows of a mini-batch descent, on their way to the kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.kernels import criteria, descent
from torchlinear.kernels.criteria import Criterion, Minibatches
from torchlinear.kernels.descent import Batches, Part, Rule, Walk
from torchlinear.rows import TensorRows
from torchlinear.solvers.frame import Frame

__all__ = ["View", "batches", "batches_of", "descend", "steepest_row"]

Array = NDArray[np.float64]

COPIED_BYTES = 2**30  # rows that lie column by column are laid out anew, once, up to this size
_laid_out: WeakKeyDictionary[TensorRows, Tensor] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class View:
    """Rows in memory for `descend`.

    Attributes
    ----------
    kernel : Batches or Minibatches
        What the kernel takes; its X and y are empty when the rows cannot be handed over as they lie.
    apart : tuple of Tensor, optional
        X and y, when they are large and lie column by column, or lie on a GPU: then the rows of each call are
        gathered first, at several times the cost.
    """

    kernel: Batches | Minibatches
    apart: tuple[Tensor, Tensor] | None


def batches(rows: TensorRows, frame: Frame, strength: Array, size: int) -> View:
    """Look at `rows` in `frame`, in batches of `size`, with the penalty ``1/2 sum strength_j beta_j^2``."""
    X, y, weight, apart = _arrays(rows)
    kernel = Batches(
        X=X,
        y=y,
        weight=weight,
        batch_size=size,
        centre=frame.centre,
        scale=frame.scale,
        target_centre=frame.target_centre,
        target_scale=frame.target_scale,
        factor=1.0,
        ridge=frame.ridge(strength),
        gain=frame.gain,
    )
    return View(kernel, apart)


def batches_of(rows: TensorRows, criterion: Criterion, frame: Frame, strength: Array, size: int) -> View:
    """As `batches`, for a loss other than the squared; targets are used as they are, whatever the frame."""
    X, y, weight, apart = _arrays(rows)
    kernel = Minibatches(
        X=X,
        y=np.asarray(y, dtype=np.float64),
        weight=weight,
        batch_size=size,
        centre=frame.centre,
        scale=frame.scale,
        criterion=criterion,
        ridge=frame.ridge(strength),
    )
    return View(kernel, apart)


def _arrays(
    rows: TensorRows,
) -> tuple[NDArray[np.floating], NDArray[np.floating], Array, tuple[Tensor, Tensor] | None]:
    """X, y and weights of mean 1 for a kernel, and X and y where they cannot be handed over as they lie."""
    X, y = _row_major(rows), rows.y.detach()
    weight = np.empty(0)
    if rows.weight is not None:
        weight = np.ascontiguousarray((rows.weight.double() / rows.weight.double().mean()).cpu().numpy())
    if X.device.type == "cpu" and X.is_contiguous():
        return X.numpy(), y.cpu().contiguous().numpy(), weight, None
    return np.empty((0, X.shape[1])), y[:0].cpu().numpy(), weight, (X, y)


def _row_major(rows: TensorRows) -> Tensor:
    """Return X with its rows together in memory if that costs little; the copy lives as long as `rows`."""
    X = rows.X.detach()
    if X.is_contiguous() or X.device.type != "cpu" or X.nbytes > COPIED_BYTES:
        return X
    if rows not in _laid_out:
        _laid_out[rows] = X.contiguous()
    return _laid_out[rows]


def descend(
    view: View, rule: Rule, walk: Walk, rates: Array, order: Tensor, first: int, last: int, total: float
) -> Part:
    """Go on over ``order[first:last]``; see `mini_batch` of `kernels.descent` and `kernels.criteria`."""
    if view.apart is None:
        return _mini_batch(view.kernel, rule, walk, rates, order.numpy(), first, last, total)
    taken = order[first:last].long()
    X, y = (t.index_select(0, taken.to(t.device)).cpu().contiguous().numpy() for t in view.apart)
    weight = view.kernel.weight[taken.numpy()] if view.kernel.weight.size else view.kernel.weight
    chunk = replace(view.kernel, X=X, y=y.astype(view.kernel.y.dtype, copy=False), weight=weight)
    everything = np.arange(last - first, dtype=np.int32)
    part = _mini_batch(chunk, rule, walk, rates, everything, 0, last - first, total)
    return Part(part.walk, first + part.cursor, part.total)


def _mini_batch(
    kernel: Batches | Minibatches,
    rule: Rule,
    walk: Walk,
    rates: Array,
    order: NDArray[np.int32],
    first: int,
    last: int,
    total: float,
) -> Part:
    if isinstance(kernel, Batches):
        return descent.mini_batch(kernel, rule, walk, rates, order, first, last, total)
    return criteria.mini_batch(kernel, rule, walk, rates, order, first, last, total)


def steepest_row(rows: TensorRows, frame: Frame, intercept: bool) -> float:
    """Return the largest curvature of a single row's loss, ``2 w (|z|^2 + 1)`` with w of mean 1."""
    centre, scale = torch.from_numpy(frame.centre), torch.from_numpy(frame.scale)
    mean_weight = 1.0 if rows.weight is None else float(rows.weight.double().mean())
    steepest = 0.0
    for shard in rows.shards():
        for block in rows.blocks(shard):
            apart = (block.X.double() - centre.to(block.X.device)).square_()
            lengths = apart @ scale.square().to(block.X.device) + float(intercept)
            if block.weight is not None:
                lengths = lengths * block.weight.double() / mean_weight
            steepest = max(steepest, 2.0 * float(lengths.max()))
    return steepest
