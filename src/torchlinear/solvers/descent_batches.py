"""The rows of a mini-batch descent, on their way to the kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.kernels import criteria, descent
from torchlinear.kernels.criteria import Criterion, Minibatches, Tiles
from torchlinear.kernels.descent import Batches, Part, Rule, Shuffled, Walk
from torchlinear.rows import Rows, TensorRows
from torchlinear.solvers.frame import Frame

__all__ = ["View", "batches", "batches_of", "descend", "shuffle", "steepest_row", "tiles_of"]

Array = NDArray[np.float64]

COPIED_BYTES = 2**30  # rows that lie column by column are laid out anew, once, up to this size
CHUNK = 4_096  # rows that are looked at together
_laid_out: WeakKeyDictionary[TensorRows, Tensor] = WeakKeyDictionary()
_tiled: WeakKeyDictionary[TensorRows, tuple[Array, int, Tiles]] = WeakKeyDictionary()


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


def tiles_of(rows: TensorRows, criterion: Criterion, frame: Frame, strength: Array) -> Tiles:
    """Rows laid out for whole epochs; the layout lives as long as `rows`, until another frame asks for its own."""
    units = np.concatenate([frame.centre, frame.scale])
    kept = _tiled.get(rows)
    if kept is None or kept[1] != criterion.code or not np.array_equal(kept[0], units):
        kernel = batches_of(rows, criterion, frame, strength, 1).kernel
        if not kernel.X.size:  # column by column
            kernel = replace(kernel, X=rows.X.detach().contiguous().numpy(), y=_targets(rows))
        assert isinstance(kernel, Minibatches)
        kept = _tiled[rows] = (units, criterion.code, Tiles.of(kernel))
    return replace(kept[2], criterion=criterion, ridge=frame.ridge(strength))


def _targets(rows: TensorRows) -> Array:
    return np.ascontiguousarray(rows.y.detach().cpu().double().numpy())


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


def shuffle(view: View, rule: Rule, walk: Walk, rates: Array, order: Tensor) -> Shuffled:
    """Go on over epochs, whose rows `order` holds one after another; of rows that lie as the kernel takes them."""
    numbers = order.numpy()
    if isinstance(view.kernel, Batches):
        return descent.shuffled(view.kernel, rule, walk, rates, numbers)
    return criteria.shuffled(view.kernel, rule, walk, rates, numbers)


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


def steepest_row(rows: Rows, frame: Frame, intercept: bool) -> float:
    """Return the largest ``w (|z|^2 + 1)`` of a row, with w of mean 1: what bends a loss there.

    Rows without a weight may hold anything.
    """
    centre, scale = torch.from_numpy(frame.centre), torch.from_numpy(frame.scale)
    longest, weight, count = 0.0, 0.0, 0
    for shard in rows.shards():
        for block in rows.blocks(shard):
            for start in range(0, len(block.y), CHUNK):
                apart = (block.dense(start, start + CHUNK) - centre.to(block.X.device)).square_()
                lengths = apart @ scale.square().to(block.X.device) + float(intercept)
                if block.weight is not None:
                    part = block.weight[start : start + CHUNK].double()
                    weight, lengths = weight + float(part.sum()), torch.where(part > 0, lengths * part, 0.0)
                longest, count = max(longest, float(lengths.max())), count + len(lengths)
    return longest * count / weight if weight else longest
