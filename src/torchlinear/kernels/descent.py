"""Descent on the squared loss: full-batch epochs from second moments, mini-batches from the rows.

The model is ``eta = X w' + b`` with weight w (k, p) and bias b (k,), as in `nn.Linear`; its P = k p + k
numbers lie flat in `theta`, weight first. Gradients are float64, and the rule is applied in the dtype of
the parameters. What `full_batch` and `mini_batch` are given stays as it is; the loops are in `epochs`.

>>> import numpy as np
>>> from torchlinear.kernels import descent, update
>>> rng = np.random.default_rng(0)
>>> X = rng.random((50, 1))
>>> batches = descent.Batches.plain(X, 3 * X + 0.8, batch_size=10)
>>> hyper = np.zeros((1, 8))  # SGD without momentum
>>> rule = descent.Rule(update.SGD, hyper, descent.spans_of(np.array([0, 0])))
>>> walk = descent.Walk.start(np.zeros(2), rows=1)
>>> for epoch in range(200):
...     order = rng.permutation(50).astype(np.int32)
...     walk = descent.mini_batch(batches, rule, walk, np.array([0.5]), order).walk
>>> walk.theta.round(6).tolist()
[3.0, 0.8]
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from torchlinear.kernels import epochs
from torchlinear.kernels.update import Array

__all__ = [
    "Batches",
    "Epochs",
    "Part",
    "Quadratic",
    "Rule",
    "Shuffled",
    "Walk",
    "follow",
    "full_batch",
    "mini_batch",
    "rule_numbers",
    "shuffled",
    "spans_of",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the descent family and its numbers, as the kernels take them.

    Attributes
    ----------
    code : int
        `update.SGD`, ..., `update.NADAM`.
    hyper : array, shape (G, 8)
        Rows of hyper-parameters: lr, weight_decay, maximize, then those of `update.HYPER`.
    spans : array, shape (s, 3), int64
        Entries ``start <= i < stop`` of theta use row ``row``; entries in no span are frozen. See `spans_of`.
    single : bool
        Parameters and state are float32.
    single_scalars : bool
        The scalars ``step`` and ``mu_product`` are float32, torch's default.
    lasso : array, shape (P,) or (0,)
        Price of the absolute value of each parameter, met by a proximal step after each update; empty for none.
    """

    code: int
    hyper: Array
    spans: NDArray[np.int64]
    single: bool = False
    single_scalars: bool = True
    lasso: Array = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a descent stands.

    Attributes
    ----------
    theta : array, shape (P,)
        Parameters.
    slots : array, shape (3, P)
        What the rule remembers per entry, in the order of `update.SLOTS`.
    clock : array, shape (G, 2)
        Per row of hyper-parameters: steps taken (0: nothing remembered yet) and NAdam's mu_product (1 first).
    grad : array, shape (P,)
        Gradient of the last step, before weight decay and the sign of `maximize`.
    """

    theta: Array
    slots: Array
    clock: Array
    grad: Array

    @classmethod
    def start(cls, theta: Array, rows: int) -> Walk:
        """Begin at `theta` with nothing remembered; `rows` is G."""
        clock = np.tile([0.0, 1.0], (rows, 1))
        return cls(np.array(theta, dtype=np.float64), np.zeros((3, theta.size)), clock, np.zeros(theta.size))

    def copy(self) -> Walk:
        """Return the same in memory of its own."""
        return Walk(self.theta.copy(), self.slots.copy(), self.clock.copy(), self.grad.copy())


@dataclass(frozen=True, slots=True)
class Quadratic:
    """Squared loss as a quadratic about an anchor, everything times 2 f when the loss is f SSE.

    Attributes
    ----------
    curvature : array, shape (p, p)
        2 f S.
    mean : array, shape (p,)
        Means of the features; zeros when S is not centred.
    weight : float
        2 f W; 0 when S is not centred.
    anchor, slope : arrays, shape (P,)
        The anchor a, and 2 f h, the gradient of the loss there.
    floor : array, shape (k,)
        f SSE at the anchor, by output.
    ridge : array, shape (p,)
        Penalty ``1/2 sum ridge_j w_oj^2``, part of the objective.
    gain : array, shape (k,)
        What an output counts in the reported loss (not in the gradient); ones unless targets were rescaled.
    """

    curvature: Array
    mean: Array
    weight: float
    anchor: Array
    slope: Array
    floor: Array
    ridge: Array
    gain: Array


@dataclass(frozen=True, slots=True)
class Batches:
    """Rows in memory; the loss of b of them is ``factor / b * sum_i weight_i |y_i - eta_i|^2 + penalty``.

    Attributes
    ----------
    X : array, shape (n, p), float32 or float64, row-major
        Features, used as ``(X - centre) * scale``.
    y : array, shape (n, k), float32 or float64
        Targets, used as ``(y - target_centre) * target_scale``.
    weight : array, shape (n,) or (0,)
        Row weights of mean 1; empty for none.
    batch_size : int
        Rows of a batch; the last one of an epoch may be smaller.
    centre, scale : arrays, shape (p,)
        See X.
    target_centre, target_scale : arrays, shape (k,)
        See y.
    factor : float
        ``1 / k`` for `torch.nn.MSELoss`, 1 for torchlinear's objective.
    ridge, gain : arrays, shapes (p,) and (k,)
        As in `Quadratic`.
    """

    X: NDArray[np.floating]
    y: NDArray[np.floating]
    weight: Array
    batch_size: int
    centre: Array
    scale: Array
    target_centre: Array
    target_scale: Array
    factor: float
    ridge: Array
    gain: Array

    @classmethod
    def plain(cls, X: NDArray[np.floating], y: NDArray[np.floating], batch_size: int) -> Batches:
        """`torch.nn.MSELoss` on rows as they are."""
        p, k = X.shape[1], y.shape[1]
        return cls(
            X, y, np.empty(0), batch_size,
            np.zeros(p), np.ones(p), np.zeros(k), np.ones(k), 1.0 / k, np.zeros(p), np.ones(k),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Epochs:
    """Where `full_batch` ended, and the loss before each update, shape (epochs done,)."""

    walk: Walk
    losses: Array


@dataclass(frozen=True, slots=True)
class Part:
    """Where `mini_batch` ended: rows used of this epoch, and the sum over them of the loss of their batch."""

    walk: Walk
    cursor: int
    total: float


@dataclass(frozen=True, slots=True)
class Shuffled:
    """Where `shuffled` ended: rows used of all epochs, and the total of each, as of `Part`."""

    walk: Walk
    used: int
    totals: Array


def spans_of(group: NDArray[np.integer]) -> NDArray[np.int64]:
    """Find the runs in `group`, shape (P,): the row of hyper-parameters of each entry, -1 if frozen."""
    edges = (group[1:] != group[:-1]).nonzero()[0] + 1
    spans = np.empty((edges.size + 1, 3), dtype=np.int64)
    spans[0, 0], spans[1:, 0] = 0, edges
    spans[:-1, 1], spans[-1, 1] = edges, group.size
    spans[:, 2] = group[spans[:, 0]]
    return np.ascontiguousarray(spans[spans[:, 2] >= 0])


def full_batch(form: Quadratic, rule: Rule, walk: Walk, rates: Array) -> Epochs:
    """Epochs of full-batch descent, each O(k p^2).

    Parameters
    ----------
    form : Quadratic
        The loss.
    rule : Rule
        The rule; its column ``lr`` gives way to `rates`.
    walk : Walk
        Where to start; left as it is.
    rates : array, shape (epochs, G)
        Learning rate of each epoch and row of hyper-parameters.

    Returns
    -------
    Epochs
        Fewer than asked for when the parameters stop being finite: then they are as that epoch left them.
    """
    walk, losses = walk.copy(), np.empty(len(rates))
    done = epochs.full_batch(
        *rule_numbers(rule, rates), walk.theta, walk.slots, walk.clock, walk.grad,
        form.curvature, form.mean, form.weight, form.anchor, form.slope, form.floor, form.ridge, form.gain,
        losses,
    )  # fmt: skip
    return Epochs(walk, losses[:done])


def mini_batch(
    batches: Batches,
    rule: Rule,
    walk: Walk,
    rates: Array,
    order: NDArray[np.int32],
    first: int = 0,
    last: int = -1,
    total: float = 0.0,
) -> Part:
    """Part of an epoch of mini-batch descent.

    Parameters
    ----------
    batches : Batches
        Rows and loss.
    rule, walk
        As in `full_batch`.
    rates : array, shape (G,)
        Learning rate of each row of hyper-parameters.
    order : array, shape (n,), int32
        The rows in the order of this epoch.
    first, last : int
        Use ``order[first:last]``; both are batch boundaries. All to the end by default.
    total : float
        The epoch's total so far.

    Returns
    -------
    Part
        Its cursor is `last` unless the parameters stopped being finite. The mean loss of an epoch is its
        `total` over n; pass what came before in the epoch as `total`, so that every cut gives the same bits.
    """
    walk, sum_ = walk.copy(), np.array([total])
    last = len(order) if last < 0 else last
    b = batches
    cursor = epochs.mini_batch(
        *rule_numbers(rule, rates[None, :]), walk.theta, walk.slots, walk.clock, walk.grad,
        b.X, b.y, b.weight, order, first, last, b.batch_size,
        b.centre, b.scale, b.target_centre, b.target_scale, b.factor, b.ridge, b.gain, sum_,
    )  # fmt: skip
    return Part(walk, cursor, float(sum_[0]))


def shuffled(batches: Batches, rule: Rule, walk: Walk, rates: Array, order: NDArray[np.int32]) -> Shuffled:
    """Epochs of mini-batch descent, one after another.

    Parameters
    ----------
    batches, rule, walk
        As in `mini_batch`.
    rates : array, shape (epochs, G)
        Learning rates.
    order : array, shape (epochs * n,), int32
        The rows in the order of the epochs.

    Returns
    -------
    Shuffled
        The bits of as many calls of `mini_batch`, which cost more than few rows.
    """
    walk, totals, b = walk.copy(), np.zeros(len(rates)), batches
    used = epochs.mini_batch(
        *rule_numbers(rule, rates), walk.theta, walk.slots, walk.clock, walk.grad,
        b.X, b.y, b.weight, order, 0, len(order), b.batch_size,
        b.centre, b.scale, b.target_centre, b.target_scale, b.factor, b.ridge, b.gain, totals,
    )  # fmt: skip
    return Shuffled(walk, used, totals)


def follow(rule: Rule, walk: Walk, gradients: Array, rates: Array) -> Walk:
    """Apply `rule` to given gradients, shape (steps, P), with learning rates (steps, G)."""
    walk = walk.copy()
    epochs.follow(
        *rule_numbers(rule, rates),
        walk.theta,
        walk.slots,
        walk.clock,
        walk.grad,
        np.ascontiguousarray(gradients),
    )
    return walk


def rule_numbers(rule: Rule, rates: Array) -> tuple[int, bool, bool, NDArray[np.int64], Array, Array, Array]:
    """Return the rule with learning rates (steps, G) as the first arguments of a compiled loop."""
    rates = np.ascontiguousarray(rates, dtype=np.float64)
    return rule.code, rule.single, rule.single_scalars, rule.spans, rule.hyper, rates, rule.lasso
