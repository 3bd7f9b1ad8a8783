"""The rows of a mini-batch descent, on their way to the kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.block import TensorRows
from torchlinear.kernels.descent import Batches, Part, Rule, Walk, mini_batch
from torchlinear.solvers.frame import Frame

__all__ = ["View", "batches", "descend", "steepest_row"]

Array = NDArray[np.float64]

COPIED_BYTES = 2**30  # rows that lie column by column are laid out anew, once, up to this size
_laid_out: WeakKeyDictionary[TensorRows, Tensor] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class View:
    """Rows in memory for `descend`.

    Attributes
    ----------
    kernel : Batches
        What the kernel takes; its X and y are empty when the rows cannot be handed over as they lie.
    apart : tuple of Tensor, optional
        X and y, when they are large and lie column by column, or lie on a GPU: then the rows of each call are
        gathered first, at several times the cost.
    """

    kernel: Batches
    apart: tuple[Tensor, Tensor] | None


def batches(rows: TensorRows, frame: Frame, strength: Array, size: int) -> View:
    """Look at `rows` in `frame`, in batches of `size`, with the penalty ``1/2 sum strength_j beta_j^2``."""
    X, y = _row_major(rows), rows.y.detach()
    lies_well = X.device.type == "cpu" and X.is_contiguous()
    weight = np.empty(0)
    if rows.weight is not None:
        weight = (rows.weight.double() / rows.weight.double().mean()).cpu().numpy()
    kernel = Batches(
        X=X.numpy() if lies_well else np.empty((0, X.shape[1])),
        y=y.cpu().contiguous().numpy() if lies_well else np.empty((0, y.shape[1])),
        weight=np.ascontiguousarray(weight),
        batch_size=size,
        centre=frame.centre,
        scale=frame.scale,
        target_centre=frame.target_centre,
        target_scale=frame.target_scale,
        factor=1.0,
        ridge=frame.ridge(strength),
        gain=frame.gain,
    )
    return View(kernel, None if lies_well else (X, y))


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
    """Go on over ``order[first:last]``; see `kernels.descent.mini_batch`."""
    if view.apart is None:
        return mini_batch(view.kernel, rule, walk, rates, order.numpy(), first, last, total)
    taken = order[first:last].long()
    X, y = (t.index_select(0, taken.to(t.device)).cpu().contiguous().numpy() for t in view.apart)
    weight = view.kernel.weight[taken.numpy()] if view.kernel.weight.size else view.kernel.weight
    chunk = replace(view.kernel, X=X, y=y, weight=weight)
    part = mini_batch(chunk, rule, walk, rates, np.arange(last - first, dtype=np.int32), total=total)
    return Part(part.walk, first + part.cursor, part.total)


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
