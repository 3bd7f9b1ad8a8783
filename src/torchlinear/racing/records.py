"""What a race leaves: a `Race` of `Runner` records. They hold numbers; `report` draws them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from torchlinear.loop import Status
from torchlinear.racing.sentences import Sentence
from torchlinear.solvers.base import Solver

__all__ = ["LEVELS", "Frames", "Optimum", "Reached", "Runner"]

LEVELS = (0.1, 0.01, 0.0001)  # gaps whose first crossing is kept


@dataclass(frozen=True, slots=True)
class Frames:
    """Where a runner was at some moments.

    Attributes
    ----------
    passes : Tensor, shape (f,), float64
        Passes over the rows until then.
    seconds : Tensor, shape (f,), float64
        Seconds of solving until then; what it takes to look at the frames is not counted.
    loss : Tensor, shape (f,), float64
        The objective of all rows: mean loss and penalty.
    gap : Tensor, shape (f,), float64
        ``(loss - optimum) / (loss at the start - optimum)``: 1 at the start, 0 at the optimum.
    coef : Tensor, shape (f, p + 1, k), float64
        Coefficients in the user's units; the last row is the intercept.
    """

    passes: Tensor
    seconds: Tensor
    loss: Tensor
    gap: Tensor
    coef: Tensor

    def __len__(self) -> int:
        return len(self.passes)


@dataclass(frozen=True, slots=True)
class Reached:
    """When a runner came within a gap for the first time."""

    passes: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Optimum:
    """What the runners run to.

    Attributes
    ----------
    coef : Tensor, shape (p + 1, k), float64
        Coefficients in the user's units.
    loss : float
        The objective there.
    solver : str
        How it was found.
    """

    coef: Tensor
    loss: float
    solver: str


@dataclass(frozen=True, slots=True)
class Runner:
    """One solver's race.

    Attributes
    ----------
    name : str
        The solver's name; with a number behind it where two have the same.
    label : Sentence
        The same with what sets it apart: ``"mbgd, 32 rows a step, lr 0.01"``.
    solver : Solver
        What ran.
    lr : float or None
        Its learning rate, in the units of the race; None for solvers that have none.
    batch_size : int or None
        Rows of a step; None for all of them.
    frames : Frames
        Its history. `passes`, `seconds`, `loss`, `gap` and `coef` are those of the frames.
    within : mapping of float to Reached or None
        When it came within 10 %, 1 % and 0.01 % of the optimum; None for never.
    status : Status
        How it ended.
    why : Sentence
        What explains it, computed from the data: a `str` in English; ``why.told("zh")`` is Chinese.
        Empty when there is nothing to say.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.linspace(0, 1, 20, dtype=torch.float64)
    >>> runner = tl.race(x, x.exp(), solvers=["bgd"], lr=0.3, epochs=500)["bgd"]
    >>> runner.label, runner.within[0.1].passes, runner.passes[-1].item()
    ('bgd, lr 0.3', 1.0, 500.0)
    """

    name: str
    label: Sentence
    solver: Solver
    lr: float | None
    batch_size: int | None
    frames: Frames
    within: Mapping[float, Reached | None]
    status: Status
    why: Sentence = field(default_factory=Sentence)

    @property
    def passes(self) -> Tensor:
        """Passes over the rows until each frame, shape (f,)."""
        return self.frames.passes

    @property
    def seconds(self) -> Tensor:
        """Seconds of solving until each frame, shape (f,)."""
        return self.frames.seconds

    @property
    def loss(self) -> Tensor:
        """Objective at each frame, shape (f,)."""
        return self.frames.loss

    @property
    def gap(self) -> Tensor:
        """Share of the way to the optimum that is left at each frame, shape (f,)."""
        return self.frames.gap

    @property
    def coef(self) -> Tensor:
        """Coefficients at each frame in the user's units, shape (f, p + 1, k)."""
        return self.frames.coef

    @property
    def final(self) -> float:
        """The gap at the end; inf when there is none any more."""
        return float(torch.nan_to_num(self.gap[-1], nan=torch.inf, posinf=torch.inf))


def reached(frames: Frames) -> dict[float, Reached | None]:
    """The first frame within each of `LEVELS`."""
    found: dict[float, Reached | None] = {}
    for level in LEVELS:
        inside = (frames.gap <= level).nonzero()
        first = int(inside[0]) if len(inside) else None
        found[level] = (
            None if first is None else Reached(float(frames.passes[first]), float(frames.seconds[first]))
        )
    return found
