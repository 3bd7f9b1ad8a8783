"""Why a race went as it did: sentences whose every number is computed from the data and the runs.

Here it is decided which sentence is true; its words are in ``sentences_en.toml`` and ``sentences_zh.toml``.
"""

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
from torchlinear.racing.sentences import Sentence
from torchlinear.solvers.descent import Descent
from torchlinear.solvers.rules import SGD, Adagrad

__all__ = ["Facts", "of_race", "of_runner"]

Array = NDArray[np.float64]

HOVERS = 2.0  # times that the gap changes at most, over the second half, of a runner that goes nowhere
NOISE = 10.0  # times the noise floor, up to which a gap that stays is noise
ROUNDING = 1e-13  # gap that rounding of the objective may hide
ROUND = 1.5  # condition number up to which a valley is round
ARRIVED = 1e-6  # gap below which nobody asks why
BOUNDED = ("adam", "adamw", "nadam")  # whose steps are about lr, whatever the gradient
UNCURVED = ("fista", "saga")  # solvers with steps of one length in all directions


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
    quadratic : bool
        Whether the curvature is the same everywhere, so that what it says of the whole way is exact.
    smooth : bool
        Whether the penalty has no corners, where no curvature says how the way goes on.
    """

    bend: Curvature
    scatter: Array | None
    whole: float
    rows: int
    slope: Array
    way: Array
    names: tuple[str, ...]
    standardized: bool
    quadratic: bool
    smooth: bool


def of_race(facts: Facts, runners: tuple[Runner, ...]) -> tuple[Sentence, ...]:
    """Sentences about all: the curvature, each runner's reason, who was first."""
    return tuple(filter(None, [_condition(facts), *(runner.why for runner in runners), _first(runners)]))


def of_runner(entry: Entry, run: Run, facts: Facts) -> Sentence:
    """Why a runner ended as it did; empty when there is nothing to say."""
    solver = entry.solver
    if not isinstance(solver, Descent):
        return _direct(entry, run)
    if solver.weight_decay or solver.maximize:
        return Sentence()  # it runs somewhere else
    if isinstance(solver, SGD):
        if entry.batch_size is not None:
            return _noisy(entry, solver, run, facts)
        return _steady(entry, solver, run, facts)
    if isinstance(solver, Adagrad):
        return Sentence() if entry.batch_size is not None else _shrinking(entry, solver, run, facts)
    return _bounded(entry, solver, run, facts) if solver.name in BOUNDED else Sentence()


def _number(value: float) -> str:
    """Two digits, with commas in thousands."""
    return f"{float(f'{value:.2g}'):,.0f}" if 10.0 <= abs(value) < 1e9 else significant(value, 2)


def _rate(lr: float) -> str:
    return f"{lr:.3g}"


def _percent(share: float) -> str:
    """Two digits, in percent; the sign is the template's."""
    return significant(100.0 * share, 2)


def _counted(one: str, many: str, count: int) -> Sentence:
    """The phrase `one` or, of another count, `many`."""
    return Sentence(one) if count == 1 else Sentence(many, count=f"{count:,}")


def _condition(facts: Facts) -> Sentence:
    bend = facts.bend
    edge = _number(bend.edge)
    if not math.isfinite(bend.bottom):
        return Sentence("top_only", top=_number(bend.top), edge=edge)
    units = Sentence("standard_units" if facts.standardized else "user_units")
    level = _counted("level_one", "level", bend.flat) if bend.flat else Sentence()
    if bend.condition < ROUND:
        return Sentence("round", units=units, edge=edge, level=level)
    scaled = Sentence()
    if not facts.standardized and bend.standardised < bend.condition / 2.0:
        scaled = Sentence("scaled", condition=_number(bend.standardised))
    return Sentence(
        "valley", condition=_number(bend.condition), units=units, edge=edge, level=level, scaled=scaled
    )


def _steady(entry: Entry, solver: SGD, run: Run, facts: Facts) -> Sentence:
    """Gradient descent on all rows, with or without momentum."""
    bend, lr = facts.bend, float(entry.lr or 0.0)
    if solver.schedule != "constant":
        return Sentence()
    if run.status is Status.DIVERGED or _too_long(solver, lr, bend):
        return _unstable("diverged" if run.status is Status.DIVERGED else "restless", entry, solver, facts)
    if solver.momentum or not facts.smooth or not math.isfinite(bend.bottom):
        return Sentence()
    flat, steep = lr * bend.bottom, 2.0 - lr * bend.top  # shares of the error that a step removes
    slow, removed = (bend.bottom, flat) if flat <= steep else (bend.top, steep)
    if not 0.0 < removed < 1.0:
        return Sentence()
    passes = -math.log(2.0) / math.log1p(-removed)
    return Sentence(
        "steady",
        name=entry.name,
        removed=_percent(removed),
        direction=Sentence("flattest" if slow == bend.bottom else "steepest"),
        half=Sentence("half", passes=_number(passes)) if passes > 1.0 else Sentence(),
        lay=Sentence("lay", share=_percent(_along(facts, slow))) if facts.quadratic else Sentence(),
    )


def _longest(solver: SGD) -> float:
    """Times 1/λmax, the learning rate above which descent on all rows finds no rest.

    There a root of its recursion leaves the unit circle at -1 (Lessard, Recht, Packard 2016, "Analysis and design of
    optimization algorithms via integral quadratic constraints", section 4). Dampening shortens the steps.
    """
    m = solver.momentum
    if solver.nesterov:
        return (2.0 + 2.0 * m) / (1.0 + 2.0 * m)
    return 2.0 * (1.0 + m) / _share(solver) if _share(solver) > 0.0 else math.inf


def _share(solver: SGD) -> float:
    """What dampening leaves of a gradient."""
    return 1.0 - solver.dampening if solver.momentum else 1.0


def _too_long(solver: SGD, lr: float, bend: Curvature) -> bool:
    return lr * max(bend.top, bend.start) > _longest(solver)


def _unstable(key: str, entry: Entry, solver: SGD, facts: Facts) -> Sentence:
    """That the learning rate is above what descent on all rows allows; nothing when it is not."""
    bend, lr, longest = facts.bend, float(entry.lr or 0.0), _longest(solver)
    if not _too_long(solver, lr, bend):
        return Sentence()
    edge = _number(longest / max(bend.top, bend.start))
    bound = "2/λmax" if not solver.momentum else f"{_number(longest)}/λmax"
    return Sentence(key, name=entry.name, lr=_rate(lr), bound=bound, edge=edge)


def _energy(facts: Facts) -> Array:
    """Shares of the gap at the start that lie along the eigenvectors, shape (q,)."""
    # Of several targets the Hessian may be that of each.
    along = facts.bend.vectors.T @ facts.way.reshape(len(facts.bend.values), -1)
    found = np.maximum(facts.bend.values, 0.0) * np.square(along).sum(axis=1)
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


def _noisy(entry: Entry, solver: SGD, run: Run, facts: Facts) -> Sentence:
    """Descent on a part of the rows at a time."""
    bend, lr, size = facts.bend, float(entry.lr or 0.0), entry.batch_size or 1
    told = {"name": entry.name, "lr": _rate(lr)}
    some = _counted("one_row", "rows", size)
    if run.status is Status.DIVERGED:
        steep = bend.spectrum(size, facts.rows).rough
        if _too_long(solver, lr, bend) or lr * steep <= 1.0:
            return _unstable("diverged", entry, solver, facts)
        times = {"times": _number(steep / bend.top), "steep": _number(steep), "edge": _number(1.0 / steep)}
        return Sentence("diverged_batch", **told, **times, some=some)
    level = hovering(run.frames)
    if level is None or facts.scatter is None or not facts.smooth or solver.schedule != "constant":
        return Sentence()
    if not solver.momentum < 1.0:
        return Sentence()
    step = lr * _share(solver) / (1.0 - solver.momentum)
    held = floor(facts.scatter, bend, step, size, facts.rows) / facts.whole
    steps = float(run.frames.passes[-1]) * -(-facts.rows // size)
    unmoved = _unmoved(facts, step, steps)
    if unmoved > level / 3.0:
        model = Sentence("" if facts.quadratic else "modelled")
        return Sentence("slow", **told, steps=_number(steps), left=_percent(unmoved), model=model)
    if not level < NOISE * held < math.inf:
        return Sentence()
    cancels = Sentence("cancels" if level < held / 3.0 else "")
    return Sentence("hovers", **told, level=_percent(level), held=_percent(held), some=some, cancels=cancels)


def hovering(frames: Frames) -> float | None:
    """The median gap of the second half, unless that of the quarter before is `HOVERS` times as large."""
    passes, gap = frames.passes.numpy(), frames.gap.numpy()
    late, before = (
        gap[passes > passes[-1] / 2.0],
        gap[(passes > passes[-1] / 4.0) & (passes <= passes[-1] / 2.0)],
    )
    if len(late) < 5 or len(before) < 5:
        return None
    level, was = float(np.median(late)), float(np.median(before))
    return level if level > ARRIVED and was < HOVERS * level else None


def _shrinking(entry: Entry, solver: Adagrad, run: Run, facts: Facts) -> Sentence:
    """AdaGrad: how much of the first step is left."""
    if solver.schedule != "constant" or solver.lr_decay or solver.initial_accumulator_value:
        return Sentence()  # more than the sum of the squares decides
    sums = run.state.memory["slots"][0].numpy()
    first = np.abs(np.concatenate([facts.slope[:-1].T.ravel(), facts.slope[-1]]))
    seen = (sums > 0) & (first > 0) & np.isfinite(sums)
    if not seen.any() or run.status is Status.DIVERGED:
        return Sentence()
    share = float(np.median(first[seen] / np.sqrt(sums[seen])))
    return Sentence("shrinking", name=entry.name, share=_percent(min(share, 1.0)))


def _bounded(entry: Entry, solver: Descent, run: Run, facts: Facts) -> Sentence:
    """Adam: steps of about lr, however far the way is."""
    lr = float(entry.lr or 0.0)
    if solver.schedule != "constant" or run.status is Status.DIVERGED or lr == 0.0:
        return Sentence()
    way = np.abs(facts.way).max(axis=1)
    far, steps = int(way.argmax()), 1 if entry.batch_size is None else -(-facts.rows // entry.batch_size)
    passes = max(way[far] / lr / steps, 1.0 / steps)
    return Sentence(
        "bounded",
        name=entry.name,
        lr=_rate(lr),
        coefficient=[*facts.names, Sentence("intercept")][far],
        way=_number(float(way[far])),
        passes=_number(passes),
    )


def _direct(entry: Entry, run: Run) -> Sentence:
    """Solvers without a learning rate."""
    passes, gap = int(run.frames.passes[-1]), float(run.frames.gap[-1])
    many = _counted("one_pass", "passes", passes)
    if isinstance(entry.solver, Exact):
        return Sentence("exact", name=entry.name, passes=many, solver=entry.solver.reason)
    steps = _counted("one_iteration", "iterations", run.state.epoch)
    left = Sentence("nothing") if gap < ROUNDING else Sentence("percent", share=_percent(gap))
    curvature = Sentence("" if entry.solver.name in UNCURVED else "by_curvature")
    return Sentence("curved", name=entry.name, steps=steps, passes=many, left=left, curvature=curvature)


def _first(runners: tuple[Runner, ...]) -> Sentence:
    """Who of those that step came within 1 % first, and last."""
    there = [
        (at.passes, runner.name)
        for runner in runners
        if isinstance(runner.solver, Descent) and (at := runner.within[0.01]) is not None
    ]
    if len(there) < 2:
        return Sentence()
    (least, first), (most, last) = min(there), max(there)
    if least == most:
        return Sentence()
    return Sentence("first", first=first, least=_number(least), last=last, most=_number(most))
