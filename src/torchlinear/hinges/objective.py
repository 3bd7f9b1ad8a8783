"""The objective of a loss made of hinges, and its certificate, the relative duality gap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray

from torchlinear.block import Block
from torchlinear.hinges.problem import Hinges, Optimum
from torchlinear.hinges.solution import solve
from torchlinear.losses.base import Loss
from torchlinear.losses.pieces import Pieces
from torchlinear.penalties.base import Penalty
from torchlinear.penalties.separable import Separable
from torchlinear.pinball.kept import Taken, kept
from torchlinear.pinball.matrices import Matrix, stacked, with_constant
from torchlinear.pinball.objective import LinearProgram, PinballObjective

__all__ = ["HingeObjective", "ridged"]

Array = NDArray[np.float64]

INSIDE = 1.0 - 1e-9  # of a dual's interval
MOST = 8_000  # columns, or rows if they are fewer, whose equations are solved: half a gigabyte


@dataclass(frozen=True)
class Gathered:
    """Rows with their offsets; ``a + b`` are both sets of rows."""

    parts: tuple[Taken, ...]
    offsets: tuple[Array, ...]

    def __add__(self, other: Gathered) -> Gathered:
        return Gathered(self.parts + other.parts, self.offsets + other.offsets)

    @property
    def weight(self) -> Array:
        """Weights, shape (n,)."""
        return np.concatenate([part.weight for part in self.parts])

    @property
    def y(self) -> Array:
        """Targets, shape (n,)."""
        return np.concatenate([part.y for part in self.parts])

    @property
    def offset(self) -> Array:
        """Offsets, shape (n,)."""
        return np.concatenate(self.offsets)

    def columns(self, intercept: bool) -> Matrix:
        """Features, and with an intercept a column of ones after them; dense ones are copied once."""
        parts = [part.X for part in self.parts]
        if scipy.sparse.issparse(parts[0]):
            return with_constant(stacked(parts)) if intercept else stacked(parts)
        found = np.ones((len(self.weight), parts[0].shape[1] + intercept))
        np.concatenate(parts, out=found[:, : parts[0].shape[1]])
        return found


def ridged(loss: Loss, penalty: Penalty | None) -> bool:
    """Whether loss and penalty make a quadratic programme, or would with a ridge."""
    return loss.hinged or (loss.piecewise and isinstance(penalty, Separable) and penalty.shares()[1] > 0)


class HingeObjective(PinballObjective):
    """An objective of a loss that is a sum of hinges, with an L2 penalty or an elastic net.

    The first call of `certificate` solves the quadratic programme, whose dual bounds the objective from below.
    """

    @property
    def refusal(self) -> str | None:
        """Why there is no quadratic programme for this objective; None when there is."""
        name, p = self.loss.name, self.n_features
        smooth = f"squared_{name}" if self.loss.hinged else "huber"
        if self.bounded:
            return f"{name} loss takes no bounds, got {self.penalty}; use penalty='l2', or loss={smooth!r}."
        if self.penalty is not None and not isinstance(self.penalty, Separable):
            return (
                f"{name} loss with {self.penalty} is no quadratic programme; use penalty='l2' or 'elastic_net', or "
                f"loss={smooth!r}."
            )
        if self.penalty is None or not self.penalty.ridge(p).any():
            given = "no penalty" if self.penalty is None else str(self.penalty)
            return (
                f"{name} loss with {given} has no unique optimum; use penalty=tl.L2(alpha), as support vector "
                "machines do, or tl.L1L2(alpha, mix)."
            )
        if min(p, self.spread.rows) > MOST:
            return (
                f"{name} loss takes up to {MOST:,} columns or as many rows, not {p:,} columns of "
                f"{self.spread.rows:,} rows; use loss={smooth!r}."
            )
        return None

    @property
    def programme(self) -> str:
        """What kind of problem this is, in words."""
        return f"{self.loss.name} loss with a ridge is a quadratic programme"

    @cached_property
    def optimum(self) -> LinearProgram:
        """The optimum, each target by itself; one pass, kept."""
        coef, bound, centre = [], 0.0, self.centre if self.intercept else np.zeros(self.n_features)
        for column in range(self.n_outputs):
            every = self.loaded.sum(_gathered, column, centre)
            found = solve(self._problem(every))
            beta = self._zeroed(found)
            last = found.coef[-1] - centre @ beta if self.intercept else 0.0
            coef.append(torch.from_numpy(np.append(beta, last)))
            bound += found.value - found.gap
        return LinearProgram(torch.stack(coef, dim=1), bound / self.weight)

    def _zeroed(self, found: Optimum) -> Array:
        """Coefficients of the features, shape (p,): 0 where the dual of the penalty is inside of its interval."""
        beta, lasso = found.coef[: self.n_features].copy(), np.asarray(self.lasso(self.weight))
        absolute = np.flatnonzero(lasso)
        if len(absolute):
            up, down = found.dual[-2 * len(absolute) :].reshape(2, -1)
            beta[absolute[np.abs(up - down) < INSIDE * lasso[absolute]]] = 0.0
        return beta

    def _problem(self, every: Gathered) -> Hinges:
        """The rows and the penalty as one problem, for the weights of all rows."""
        Z, p = every.columns(self.intercept), self.n_features
        ridge, lasso = np.asarray(self.ridge(self.weight)), np.asarray(self.lasso(self.weight))
        sign, at, weight = _hinges(self.loss, every)
        row = np.broadcast_to(np.arange(Z.shape[0]), at.shape)
        absolute = np.flatnonzero(lasso)
        unit = scipy.sparse.eye_array(p, p + self.intercept, format="csr")[absolute]
        both, there = np.tile(np.arange(len(absolute)) + Z.shape[0], 2), weight > 0
        return Hinges(
            stacked([Z, unit]) if len(absolute) else Z,
            np.append(ridge, 0.0) if self.intercept else ridge,
            np.concatenate([row[there], both]),
            np.concatenate([sign[there], np.repeat([1.0, -1.0], len(absolute))]),
            np.concatenate([at[there], np.zeros(len(both))]),
            np.concatenate([weight[there], np.tile(lasso[absolute], 2)]),
            np.repeat([False, True], [int(there.sum()), len(both)]),
        )


def _hinges(loss: Loss, every: Gathered) -> tuple[Array, Array, Array]:
    """Signs, places and weights of the hinges of all rows, shape (h, n)."""
    pieces = _pieces(loss)(every.y)
    sign = np.broadcast_to(pieces.sign[:, None], pieces.at.shape)
    return sign, pieces.at - sign * every.offset, pieces.share * every.weight


def _pieces(loss: Loss) -> Callable[[Array], Pieces]:
    """How a loss is made of hinges: it says so itself, or has two straight lines of the residual."""
    if loss.hinged:
        return loss.pieces  # type: ignore[attr-defined, no-any-return]
    below, above = loss.slopes  # type: ignore[attr-defined]

    def lines(y: Array) -> Pieces:
        share = np.broadcast_to(np.array([[above], [-below]]), (2, len(y)))
        return Pieces(np.array([1.0, -1.0]), np.stack([y, -y]), share)

    return lines


def _gathered(block: Block, column: int, centre: Array) -> Gathered:
    block = block.counted()
    offset = np.zeros(len(block.y)) if block.offset is None else block.offset.cpu().numpy()
    return Gathered(kept(block, column, centre, None, np.inf).parts, (offset,))
