"""Why a race went as it did: sentences whose every number is computed from the data and the runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from torchlinear.inference.numerals import significant
from torchlinear.loop import Status
from torchlinear.racing.course import Run
from torchlinear.racing.curvature import Curvature
from torchlinear.racing.exact import Exact
from torchlinear.racing.lineup import Entry
from torchlinear.racing.noise import floor
from torchlinear.racing.records import Frames, Runner
from torchlinear.solvers.descent import Descent
from torchlinear.solvers.rules import SGD

__all__ = ["Facts", "of_race", "of_runner"]

Array = NDArray[np.float64]

HOVERS = 2.0  # times that the gap changes at most, over the second half, of a runner that goes nowhere
NOISE = 10.0  # times the noise floor, up to which a gap that stays is noise
ROUNDING = 1e-13  # gap that rounding of the objective may hide
ROUND = 1.5  # condition number up to which a valley is round
ARRIVED = 1e-6  # gap below which nobody asks why
BOUNDED = ("adam", "adamw", "nadam")  # whose steps are about lr, whatever the gradient


@dataclass(frozen=True, slots=True)
class Facts:
    """What sentences are made of.

    Attributes
    ----------
    bend : Curvature
        Of the objective.
    scatter : ndarray or None
        Variances of a row's gradient along the eigenvectors, shape (q,).
    whole : float
        Objective at the start less that at the optimum.
    rows : int
        How many there are.
    slope : ndarray, shape (p + 1, k)
        Derivative at the start.
    way : ndarray, shape (p + 1, k)
        From the start to the optimum, in the units of the race.
    names : tuple of str
        Features.
    standardized : bool
        Whether the units of the race are standard deviations.
    """

    bend: Curvature
    scatter: Array | None
    whole: float
    rows: int
    slope: Array
    way: Array
    names: tuple[str, ...]
    standardized: bool


def of_race(facts: Facts, runners: tuple[Runner, ...]) -> tuple[str, ...]:
    """Sentences about all: the curvature, each runner's reason, who was first."""
    return tuple(filter(None, [_condition(facts), *(runner.why for runner in runners), _first(runners)]))


def of_runner(entry: Entry, run: Run, facts: Facts) -> str:
    """Why a runner ended as it did; empty when there is nothing to say."""
    solver = entry.solver
    if not isinstance(solver, Descent):
        return _direct(entry, run)
    if isinstance(solver, SGD):
        if entry.batch_size is not None:
            return _noisy(entry, solver, run, facts)
        return _steady(entry, solver, run, facts)
    if solver.name == "adagrad" and entry.batch_size is None:
        return _shrinking(entry, run, facts)
    return _bounded(entry, solver, run, facts) if solver.name in BOUNDED else ""


def _number(value: float) -> str:
    """Two digits, with commas in thousands."""
    return f"{float(f'{value:.2g}'):,.0f}" if 10.0 <= abs(value) < 1e9 else significant(value, 2)


def _rate(lr: float) -> str:
    return f"{lr:.3g}"


def _percent(share: float) -> str:
    return f"{significant(100.0 * share, 2)} %"


def _condition(facts: Facts) -> str:
    bend = facts.bend
    edge = f"descent on all rows is stable below lr = 2/λmax = {_number(bend.edge)}"
    if not math.isfinite(bend.bottom):
        return f"The largest curvature is {_number(bend.top)}: {edge}."
    units = "with columns standardised" if facts.standardized else "in your units"
    if bend.condition < ROUND:
        return f"The loss is about as steep in every direction ({units}); {edge}."
    text = (
        f"The loss is {_number(bend.condition)} times as steep along its steepest direction as along its flattest "
        f"(condition number of the Hessian, {units}); {edge}."
    )
    if facts.standardized or not bend.standardised < bend.condition / 2.0:
        return text
    return f"{text} With columns standardised the condition number would be {_number(bend.standardised)}."


def _steady(entry: Entry, solver: SGD, run: Run, facts: Facts) -> str:
    """Gradient descent on all rows, with or without momentum."""
    bend, m, lr = facts.bend, solver.momentum, float(entry.lr or 0.0)
    if solver.schedule != "constant":
        return ""
    factor = (2.0 + 2.0 * m) / (1.0 + 2.0 * m) if solver.nesterov else 2.0 * (1.0 + m)
    top = max(bend.top, bend.start)
    bound = "2/λmax" if not m else f"{_number(factor)}/λmax"
    if lr * top > factor:
        verb = "diverged" if run.status is Status.DIVERGED else "does not come to rest"
        return f"{entry.name} {verb}: lr {_rate(lr)} is above {bound} = {_number(factor / top)}."
    if m or not math.isfinite(bend.bottom) or run.status is Status.DIVERGED:
        return ""
    slow = bend.bottom if 1.0 - lr * bend.bottom >= abs(1.0 - lr * bend.top) else bend.top
    left, where = abs(1.0 - lr * slow), "flattest" if slow == bend.bottom else "steepest"
    if left >= 1.0 or left == 0.0:
        return ""
    half = math.log(0.5) / math.log(left)
    many = f" (half takes {_number(half)} passes)" if half > 1.0 else ""
    return (
        f"{entry.name}: near the optimum each pass leaves {left:.6g} of the error along the {where} direction{many}, "
        f"where {_percent(_along(facts, slow))} of the gap lay at the start."
    )


def _energy(facts: Facts) -> Array:
    """Shares of the gap at the start that lie along the eigenvectors, shape (q,)."""
    found = facts.bend.values * np.square(facts.bend.vectors.T @ facts.way.ravel())
    return np.asarray(found / found.sum())


def _along(facts: Facts, value: float) -> float:
    """Share of the gap at the start that lies along the direction of an eigenvalue."""
    return float(_energy(facts)[np.abs(facts.bend.values - value) <= 1e-9 * abs(value)].sum())


def _unmoved(facts: Facts, lr: float, steps: float) -> float:
    """Share of the gap that so many steps of gradient descent leave, without noise."""
    if not facts.bend.values.size:
        return 0.0
    left = np.minimum(np.abs(1.0 - lr * np.maximum(facts.bend.values, 0.0)), 1.0)
    return float((_energy(facts) * left ** (2.0 * steps)).sum())


def _noisy(entry: Entry, solver: SGD, run: Run, facts: Facts) -> str:
    """Descent on a part of the rows at a time."""
    bend, lr, size = facts.bend, float(entry.lr or 0.0), entry.batch_size or 1
    some = "one row" if size == 1 else f"{size} rows"
    if run.status is Status.DIVERGED:
        if lr > bend.edge:
            return f"{entry.name} diverged: lr {_rate(lr)} is above 2/λmax = {_number(bend.edge)}."
        steep = bend.spectrum(size, facts.rows).rough
        return (
            f"{entry.name} diverged: {some} can be {_number(steep / bend.top)} times as steep as all of them, and lr "
            f"{_rate(lr)} is above 1/{_number(steep)} = {_number(1.0 / steep)}."
        )
    level = hovering(run.frames)
    if level is None or facts.scatter is None or solver.schedule != "constant":
        return ""
    held = floor(facts.scatter, bend, lr / (1.0 - solver.momentum), size, facts.rows) / facts.whole
    steps = float(run.frames.passes[-1]) * -(-facts.rows // size)
    unmoved = _unmoved(facts, lr / (1.0 - solver.momentum), steps)
    if unmoved > level / 3.0:
        return (
            f"{entry.name} has come {_number(steps)} steps, and lr {_rate(lr)} is small for the flat directions: "
            f"without any noise {_percent(unmoved)} of the gap would be left."
        )
    if not level < NOISE * held < math.inf:
        return ""
    text = (
        f"{entry.name} hovers {_percent(level)} above the optimum: gradients of {some} differ, and with lr "
        f"{_rate(lr)} their noise holds it near {_percent(held)}"
    )
    if level < held / 3.0:
        text += (
            " if rows are drawn independently; here each comes once an epoch, and the noise cancels in part"
        )
    return f"{text}. A smaller or shrinking lr goes lower."


def hovering(frames: Frames) -> float | None:
    """The median gap of the second half, when it is no smaller than that of the quarter before; else None."""
    passes, gap = frames.passes.numpy(), frames.gap.numpy()
    late, before = (
        gap[passes > passes[-1] / 2.0],
        gap[(passes > passes[-1] / 4.0) & (passes <= passes[-1] / 2.0)],
    )
    if len(late) < 5 or len(before) < 5:
        return None
    level, was = float(np.median(late)), float(np.median(before))
    return level if level > ARRIVED and was < HOVERS * level else None


def _shrinking(entry: Entry, run: Run, facts: Facts) -> str:
    """AdaGrad: how much of the first step is left."""
    sums = run.state.memory["slots"][0].numpy()
    first = np.abs(np.concatenate([facts.slope[:-1].T.ravel(), facts.slope[-1]]))
    seen = (sums > 0) & (first > 0) & np.isfinite(sums)
    if not seen.any() or run.status is Status.DIVERGED:
        return ""
    share = float(np.median(first[seen] / np.sqrt(sums[seen])))
    return (
        f"{entry.name} divides by the root of the sum of all squared gradients, so its steps only shrink: at the "
        f"end lr counts {_percent(min(share, 1.0))} of what it counted in the first step."
    )


def _bounded(entry: Entry, solver: Descent, run: Run, facts: Facts) -> str:
    """Adam: steps of about lr, however far the way is."""
    lr = float(entry.lr or 0.0)
    if solver.schedule != "constant" or run.status is Status.DIVERGED or lr == 0.0:
        return ""
    way = np.abs(facts.way).max(axis=1)
    far, steps = int(way.argmax()), 1 if entry.batch_size is None else -(-facts.rows // entry.batch_size)
    name = [*facts.names, "the intercept"][far]
    passes = way[far] / lr / steps
    return (
        f"{entry.name} moves a coefficient by about lr {_rate(lr)} a step, however steep the loss is: {name} has "
        f"{_number(float(way[far]))} to go, which takes {_number(max(passes, 1.0 / steps))} passes or more."
    )


def _direct(entry: Entry, run: Run) -> str:
    """Solvers that know the curvature."""
    passes, gap = int(run.frames.passes[-1]), float(run.frames.gap[-1])
    left = "nothing" if gap < ROUNDING else _percent(gap)
    many = "1 pass" if passes == 1 else f"{passes:,} passes"
    if isinstance(entry.solver, Exact):
        return f"{entry.name}: {many} over the rows ({entry.solver.reason})."
    iterations = run.state.epoch
    steps = "1 iteration" if iterations == 1 else f"{iterations:,} iterations"
    return (
        f"{entry.name}: {steps}, {many} over the rows in all, {left} of the gap left; it uses the curvature."
    )


def _first(runners: tuple[Runner, ...]) -> str:
    """Who of those that step came within 1 % first, and last."""
    there = [
        (at.passes, runner.name)
        for runner in runners
        if isinstance(runner.solver, Descent) and (at := runner.within[0.01]) is not None
    ]
    if len(there) < 2:
        return ""
    (least, first), (most, last) = min(there), max(there)
    if least == most:
        return ""
    return (
        f"Of the descents that came within 1 % of the optimum, {first} needed the fewest passes ({_number(least)}), "
        f"{last} the most ({_number(most)})."
    )
