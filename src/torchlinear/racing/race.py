"""`race`: several solvers from one start, each against the exact optimum."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from torchlinear import interruption
from torchlinear.api import solve
from torchlinear.engines.local import single_threaded_blas
from torchlinear.errors import DataError, InvalidInput
from torchlinear.inputs import prepare
from torchlinear.loop import Limits, Status
from torchlinear.losses import made as made_loss
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.penalties import REGISTRY as PENALTIES
from torchlinear.penalties.base import Penalty
from torchlinear.problem import member
from torchlinear.racing.course import Course, Run
from torchlinear.racing.curvature import curvature, slope_of
from torchlinear.racing.judge import judge_of
from torchlinear.racing.lineup import Entry, Options, lineup
from torchlinear.racing.maker import Maker
from torchlinear.racing.noise import scatter
from torchlinear.racing.outcome import Race
from torchlinear.racing.reasons import Facts, of_race, of_runner
from torchlinear.racing.records import Frames, Optimum, Runner, reached
from torchlinear.racing.schedule import as_function
from torchlinear.racing.sentences import Sentence
from torchlinear.racing.units import Units
from torchlinear.solvers.base import Solver
from torchlinear.wide.objective import WideObjective

__all__ = ["race"]

RUNNERS = ("bgd", "sgd", "mbgd", "adagrad", "adam", "exact")
EPOCHS = 200
SWEEP_FRAMES = 60  # a sweep looks at ends


def race(
    data: Any,
    target: Any = None,
    *,
    solvers: Sequence[str | Solver] = RUNNERS,
    loss: str | Loss = "squared",
    lr: float | Literal["curvature", "sweep"] | Mapping[str, float] | None = None,
    epochs: int = EPOCHS,
    seed: int = 0,
    batch_size: int | None = None,
    momentum: float = 0.0,
    schedule: Any = "constant",
    penalty: str | Penalty | None = None,
    standardize: bool = False,
    start: Any = None,
    intercept: bool = True,
    formula: str | None = None,
    columns: Sequence[str] | None = None,
    weights: Any = None,
    link: str | None = None,
    missing: Literal["error", "drop", "mean"] = "error",
    frames: int = 1_000,
    time_limit: float | None = None,
    callback: Callable[[str, Frames], Any] | None = None,
) -> Race:
    """Race several solvers from the same start, and measure each against the exact optimum.

    Parameters
    ----------
    data, target, formula, columns, intercept, weights, link, missing
        As in `torchlinear.fit`.
    solvers : sequence of str or Solver
        ``"bgd"``, ``"sgd"`` (one row a step), ``"mbgd"``, ``"momentum"``, ``"nesterov"``, ``"adagrad"``,
        ``"rmsprop"``, ``"adam"``, ``"adamw"``, ``"adadelta"``, ``"nadam"``, ``"lbfgs"``, ``"newton"``, ``"exact"``,
        ...; or objects with their options, ``tl.Adam(lr=0.1, batch_size=10)``.
    loss : str or Loss
        Any differentiable loss.
    lr : float, "curvature", "sweep", mapping or None
        Learning rate of the descent family: one for all, or by name; by default from the curvature: of descent on
        all rows half the longest stable step. ``"sweep"`` runs each with a grid of them.
    epochs : int
        Passes over the rows at most (iterations of solvers that have no epochs).
    seed : int
        Of the order of the rows.
    batch_size : int, optional
        Rows of a step of ``"mbgd"``, 32 by default.
    momentum : float
        At least 0 and below 1; of ``"bgd"``, ``"sgd"`` and ``"mbgd"``.
    schedule : {"constant", "step", "cosine", "1/t"}, callable or torch.optim.lr_scheduler.LRScheduler
        Of the learning rates; see `tl.SGD`. A scheduler of torch's is followed epoch by epoch, relative to its
        first rate.
    penalty : str, Penalty or None
        As in `torchlinear.fit`; in the units of the race.
    standardize : bool
        Race on columns of mean 0 and standard deviation 1 instead of the user's units.
    start : tensor or array, shape (p + 1,) or (p + 1, k), optional
        Where all start, in the user's units, the intercept last; by default zeros, or the model of the intercept
        alone where the loss of zeros is not finite (an inverse link).
    frames : int
        Moments of each run that are kept at most, evenly spaced on a logarithmic scale of passes.
    time_limit : float, optional
        Seconds of each runner at most.
    callback : callable, optional
        Called with a runner's name and its new `Frames` while it runs. When it returns False the race ends;
        what it raises ends the race too.

    Returns
    -------
    Race
        Frozen: `runners`, `optimum`, `why`, `standings()`.

    Raises
    ------
    InvalidInput
        When an argument is not what is expected.
    DataError
        When the rows cannot be fitted as they are, or have no optimum.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.linspace(0, 1, 50, dtype=torch.float64)
    >>> race = tl.race(x, 3 * x + 0.8 + 0.1 * torch.sin(50 * x), solvers=["bgd", "exact"], lr=0.5, epochs=300)
    >>> [runner.name for runner in race.standings()]
    ['exact', 'bgd']
    >>> race["exact"].passes[-1].item() <= 2
    True
    """
    _checked(epochs=epochs, frames=frames, batch_size=batch_size)
    criterion = made_loss(loss, link)
    shrink = None if penalty is None else member(PENALTIES, penalty, Penalty)
    if criterion.piecewise:
        raise InvalidInput(
            f"loss={str(criterion)!r}: a race takes losses that are differentiable; use loss='huber', or "
            "tl.fit for the exact solution."
        )
    _check_rates(lr, momentum)
    prepared = prepare(
        data, target, formula=formula, columns=columns, weights=weights, missing=missing, intercept=intercept,
        device="cpu", loss=criterion,
    )  # fmt: skip
    free = intercept if prepared.design is None else prepared.design.intercept
    targets = prepared.outputs(criterion)
    units, rows = Units.of(prepared.rows, standardize, centred=free)
    maker = Maker(criterion, shrink, rows, free, len(targets))
    with interruption.watching(), single_threaded_blas():
        reference = maker.reference()
        if isinstance(reference, WideObjective):
            raise InvalidInput(
                f"a race looks at the curvature along all columns, and {rows.n_features:,} are too many for that "
                "with L1; leave columns out, or use tl.fit."
            )
        optimum, best = _optimum(reference)
        inside = _start(start, reference, units)
        judge = judge_of(reference, best, inside)
        if not math.isfinite(judge.whole):
            raise InvalidInput("start: the loss is not finite there, so that no way down begins there.")
        if not judge.whole > 0:
            raise InvalidInput("start is the optimum already: there is no way to race.")
        bend = curvature(reference, best, inside)
        options = Options(lr, batch_size, momentum, as_function(schedule, epochs), epochs, seed)
        entries = lineup(solvers, options, bend, rows.n_rows or 1)
        course = Course(
            maker.of, judge, units.users, inside, Limits(epochs, time_limit),
            SWEEP_FRAMES if lr == "sweep" else frames, callback,
        )  # fmt: skip
        facts = Facts(
            bend, scatter(reference, best, bend), judge.whole, rows.n_rows or 1, slope_of(reference, inside),
            (best - inside).numpy(), rows.names, standardize, criterion.quadratic, reference.smooth,
        )  # fmt: skip
        runners, stopped = _run(entries, course, maker, facts)
    return Race(
        names=rows.names,
        targets=targets,
        runners=runners,
        optimum=replace(optimum, coef=units.users(best[None])[0]),
        start=units.users(inside[None])[0],
        rows=prepared.rows,
        loss=criterion,
        epochs=epochs,
        units=units,
        objective=reference,
        curvature=bend,
        why=of_race(facts, runners),
        swept=lr == "sweep",
        stopped=stopped,
    )


def _run(
    entries: Sequence[Entry], course: Course, maker: Maker, facts: Facts
) -> tuple[tuple[Runner, ...], bool]:
    """All runners, and whether the callback stopped the race."""
    for entry in entries:
        refusal = entry.solver.refusal(maker.of(entry.solver))
        if refusal is not None:
            raise InvalidInput(f"solvers: {entry.solver.name!r}: {refusal}")
    runners: list[Runner] = []
    for entry in entries:
        try:
            maker.warm_up(entry.solver)
            run = course.run(entry.name, entry.solver)
        except interruption.Interrupted:  # outside the loop's steps, which end with a status
            raise KeyboardInterrupt from None
        if run.status is Status.INTERRUPTED and not run.stopped:
            raise KeyboardInterrupt
        runners.append(_runner(entry, run, facts))
        if run.stopped:
            return tuple(runners), True
    return tuple(runners), False


def _runner(entry: Entry, run: Run, facts: Facts) -> Runner:
    return Runner(
        entry.name, entry.label, entry.solver, entry.lr, entry.batch_size, run.frames, reached(run.frames),
        run.status, Sentence() if run.stopped else of_runner(entry, run, facts),
    )  # fmt: skip


def _optimum(objective: Objective) -> tuple[Optimum, Tensor]:
    """The optimum, and its coefficients in the units of the race."""
    solution = solve(objective)
    if solution.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    if solution.status is Status.SEPARATED:
        raise DataError(f"there is no optimum to race to: {solution.status.value}")
    value = objective.value(solution.coef)
    if not math.isfinite(value):
        raise DataError("there is no optimum to race to: the exact solver found none.")
    return Optimum(solution.coef, value, solution.solver), solution.coef


def _start(given: Any, objective: Objective, units: Units) -> Tensor:
    """Where runners start, in the units of the race."""
    shape = (objective.n_features + 1, objective.n_outputs)
    if given is None:
        zeros = torch.zeros(shape, dtype=torch.float64)
        inside = units.inside(zeros) if objective.intercept else zeros
        return inside if math.isfinite(objective.value(inside)) else objective.start
    try:
        found = given.detach().cpu() if isinstance(given, Tensor) else given
        start = torch.as_tensor(np.asarray(found, dtype=np.float64))
    except (TypeError, ValueError):
        start = torch.empty(0)
    fits = start.shape == shape or (shape[1] == 1 and start.numel() == shape[0])
    if not fits or not torch.isfinite(start).all():
        raise InvalidInput(
            f"start: expected {shape[0]} x {shape[1]} finite numbers, one for each of "
            f"{', '.join(objective.rows.names[:5])}{', ...' if shape[0] > 6 else ''} and the intercept last, got shape "
            f"{tuple(start.shape)}."
        )
    if not objective.intercept and start.reshape(shape)[-1].any():
        raise InvalidInput(
            "start: its last number is the intercept, which is 0 in a race with intercept=False."
        )
    return units.inside(start.reshape(shape))


def _check_rates(lr: Any, momentum: float) -> None:
    known = isinstance(lr, (int, float, Mapping)) and not isinstance(lr, bool)
    if lr is not None and not known and lr not in ("curvature", "sweep"):
        raise InvalidInput(f"lr={lr!r}: expected a number, 'curvature', 'sweep', or numbers by solver name.")
    if not 0.0 <= momentum < 1.0:
        raise InvalidInput(f"momentum={momentum!r}: expected a number of at least 0 and below 1.")


def _checked(**given: int | None) -> None:
    for name, value in given.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise InvalidInput(f"{name}={value!r}: expected a whole number of at least 1.")
