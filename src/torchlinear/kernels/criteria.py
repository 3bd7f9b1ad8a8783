"""Descent on losses other than the squared: every step passes over its rows; the loops are in `passes`.

The model, `theta`, the rules and where a descent stands are those of `descent`. A `Criterion` is a loss of
`losses` with its numbers, and says what the sum over a batch is divided by.

>>> import numpy as np
>>> from torchlinear.kernels import criteria, descent, losses, update
>>> X = np.array([[-2.0], [-1.0], [0.5], [1.0], [3.0]])
>>> y = np.array([[0.0], [0.0], [1.0], [0.0], [1.0]])
>>> logistic = criteria.Criterion.of(losses.LOGISTIC, outputs=1)
>>> rule = descent.Rule(update.SGD, np.zeros((1, 8)), descent.spans_of(np.array([0, 0])))
>>> tiles = criteria.Tiles.of(criteria.Minibatches.plain(X, y, logistic, batch_size=5))
>>> start = descent.Walk.start(np.zeros(2), rows=1)
>>> done = criteria.full_batch(tiles, rule, start, np.full((5_000, 1), 1.0))
>>> done.walk.theta.round(6).tolist(), float(done.losses[-1].round(6))
([1.379123, -1.132902], 0.381916)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import passes
from torchlinear.kernels.descent import Epochs, Part, Rule, Shuffled, Walk, rule_numbers
from torchlinear.kernels.losses import NUMBERS
from torchlinear.kernels.passes import ENTRIES, NOTHING, ROWS, SHARES
from torchlinear.kernels.update import Array

__all__ = [
    "ENTRIES",
    "NOTHING",
    "ROWS",
    "SHARES",
    "Criterion",
    "Minibatches",
    "Tiles",
    "full_batch",
    "mini_batch",
    "seconds",
    "shuffled",
]

_Float = TypeVar("_Float", bound=np.floating)

WIDE = 128  # features from which a tile has fewer rows, so that it stays in the second cache


@dataclass(frozen=True, slots=True)
class Criterion:
    """A loss and how it is averaged, as the kernels take them.

    Attributes
    ----------
    code : int
        `losses.LOGISTIC`, ...
    numbers : array, shape (2,)
        What `losses.NUMBERS` names for that loss.
    weights : array, shape (2, k)
        What `losses.WEIGHTS` names, for each output or class.
    divisor : int
        `NOTHING`, `ROWS`, `ENTRIES` (rows times outputs) or `SHARES` (the sum of what rows count).
    factor : float
        What the loss is multiplied by.
    """

    code: int
    numbers: Array
    weights: Array
    divisor: int
    factor: float = 1.0

    @property
    def outputs(self) -> int:
        """k."""
        return self.weights.shape[1]

    @classmethod
    def of(
        cls,
        code: int,
        outputs: int,
        *,
        numbers: dict[str, float] | None = None,
        weight: Sequence[float] | Array | float = 1.0,
        positive: Sequence[float] | Array | float = 1.0,
        divisor: int = ROWS,
    ) -> Criterion:
        """Put a loss together; `numbers` by the names of `losses.NUMBERS`, all of them."""
        values, named = np.zeros(2), {} if numbers is None else numbers
        for place, name in enumerate(NUMBERS[code]):
            values[place] = named[name]
        weights = np.ones((2, outputs))
        weights[0], weights[1] = weight, positive
        return cls(code, values, weights, divisor)


@dataclass(frozen=True, slots=True)
class Minibatches:
    """Rows in memory, and a loss on them.

    Attributes
    ----------
    X : array, shape (n, p), float32 or float64, row-major
        Features, used as ``(X - centre) * scale``.
    y : array, shape (n, k) or, for softmax, (n, 1)
        Targets; for softmax the number of the class, or a probability for each class.
    weight : array, shape (n,) or (0,)
        Row weights; empty for none. They multiply the loss; a mean over `ROWS` is still over their number.
    batch_size : int
        Rows of a batch; the last one of an epoch may be smaller.
    centre, scale : arrays, shape (p,)
        See X.
    criterion : Criterion
        The loss.
    ridge : array, shape (p,)
        Penalty ``1/2 sum ridge_j w_oj^2``, part of the objective.
    """

    X: NDArray[np.floating]
    y: Array
    weight: Array
    batch_size: int
    centre: Array
    scale: Array
    criterion: Criterion
    ridge: Array

    @classmethod
    def plain(cls, X: NDArray[np.floating], y: Array, criterion: Criterion, batch_size: int) -> Minibatches:
        """Rows as they are."""
        p = X.shape[1]
        return cls(X, y, np.empty(0), batch_size, np.zeros(p), np.ones(p), criterion, np.zeros(p))

    @property
    def width(self) -> int:
        """Rows of a tile."""
        return 128 if self.X.shape[1] <= WIDE else 32


@dataclass(frozen=True, slots=True)
class Tiles:
    """All rows in the order in which `full_batch` passes over them; as large as the rows.

    Attributes
    ----------
    X : array, shape (tiles, p, width), float32 or float64
        Features; the last tile is filled up with zeros.
    y : array, shape (tiles, t, width)
        Targets.
    weight : array, shape (tiles, width) or (0, 0)
        Row weights.
    n : int
        Rows.
    criterion, ridge
        As in `Minibatches`.
    """

    X: NDArray[np.floating]
    y: Array
    weight: Array
    n: int
    criterion: Criterion
    ridge: Array

    @classmethod
    def of(cls, rows: Minibatches) -> Tiles:
        """Lay rows out."""
        X, width = rows.X, rows.width
        if rows.centre.any() or (rows.scale != 1.0).any():
            X = (X - rows.centre) * rows.scale
        weight = _tiled(rows.weight[:, None], width)[:, 0] if rows.weight.size else np.empty((0, 0))
        return cls(
            X=_tiled(X, width),
            y=_tiled(rows.y, width),
            weight=np.ascontiguousarray(weight),
            n=len(X),
            criterion=rows.criterion,
            ridge=rows.ridge,
        )


def _tiled(rows: NDArray[_Float], width: int) -> NDArray[_Float]:
    """Lay rows (n, p) out as (tiles, p, width)."""
    n, p = rows.shape
    whole = n // width
    tiles = np.zeros((-(-n // width), p, width), dtype=rows.dtype)
    tiles[:whole] = rows[: whole * width].reshape(whole, width, p).transpose(0, 2, 1)
    if n > whole * width:
        tiles[whole, :, : n - whole * width] = rows[whole * width :].T
    return tiles


def seconds(criterion: Criterion, n: int, p: int) -> float:
    """About how long a pass over n rows takes; constants measured on two cores of 2.5 GHz."""
    return 1e-6 + n * criterion.outputs * (3e-9 + 2e-10 * p)


def full_batch(tiles: Tiles, rule: Rule, walk: Walk, rates: Array) -> Epochs:
    """Epochs of full-batch descent; as `descent.full_batch`."""
    walk, losses = walk.copy(), np.empty(len(rates))
    done = passes.full_batch(
        *rule_numbers(rule, rates), walk.theta, walk.slots, walk.clock, walk.grad,
        *_loss(tiles.criterion), tiles.ridge, tiles.X, tiles.y, tiles.weight, tiles.n, losses,
    )  # fmt: skip
    return Epochs(walk, losses[:done])


def mini_batch(
    batches: Minibatches,
    rule: Rule,
    walk: Walk,
    rates: Array,
    order: NDArray[np.int32],
    first: int = 0,
    last: int = -1,
    total: float = 0.0,
) -> Part:
    """Part of an epoch of mini-batch descent; as `descent.mini_batch`."""
    walk, sum_, b = walk.copy(), np.array([total]), batches
    cursor = passes.mini_batch(
        *rule_numbers(rule, rates[None, :]), walk.theta, walk.slots, walk.clock, walk.grad,
        *_loss(b.criterion), b.ridge, b.X, b.y, b.weight, b.centre, b.scale,
        order, first, len(order) if last < 0 else last, b.batch_size, b.width, sum_,
    )  # fmt: skip
    return Part(walk, cursor, float(sum_[0]))


def shuffled(
    batches: Minibatches, rule: Rule, walk: Walk, rates: Array, order: NDArray[np.int32]
) -> Shuffled:
    """Epochs of mini-batch descent, one after another; as `descent.shuffled`."""
    walk, totals, b = walk.copy(), np.zeros(len(rates)), batches
    used = passes.mini_batch(
        *rule_numbers(rule, rates), walk.theta, walk.slots, walk.clock, walk.grad,
        *_loss(b.criterion), b.ridge, b.X, b.y, b.weight, b.centre, b.scale,
        order, 0, len(order), b.batch_size, b.width, totals,
    )  # fmt: skip
    return Shuffled(walk, used, totals)


def _loss(criterion: Criterion) -> tuple[int, Array, Array, int, float]:
    c = criterion
    return c.code, c.numbers, c.weights, c.divisor, c.factor
