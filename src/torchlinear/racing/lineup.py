"""Who runs: names and solver objects as solvers with a learning rate each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from torchlinear.errors import InvalidInput
from torchlinear.racing.curvature import Curvature
from torchlinear.racing.exact import Exact
from torchlinear.racing.sentences import Sentence
from torchlinear.registry import suggestion
from torchlinear.solvers import REGISTRY
from torchlinear.solvers.base import Solver
from torchlinear.solvers.descent import Descent
from torchlinear.solvers.rules import SGD

__all__ = ["Entry", "Options", "expected", "lineup"]

SHARE = (
    0.1  # of the typical way to a coefficient's minimum: the first step of a rule that scales its gradients
)
ADAGRAD_SHARE = 1.0  # whose steps shrink by themselves
DELTA = 1.0  # Adadelta's, whose steps have units of their own
SWEEP = 10.0 ** np.arange(-3.0, 1.26, 0.25)  # of the learning rate that the curvature suggests


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for every runner that is asked for by name.

    Attributes
    ----------
    lr : float, "curvature", "sweep", mapping or None
        Learning rates; a mapping is by name.
    batch_size : int or None
        Rows of a step of ``"mbgd"``.
    momentum : float
        Of ``"bgd"``, ``"sgd"`` and ``"mbgd"``.
    schedule : str or callable
        Of the learning rate.
    epochs : int
        Passes.
    seed : int
        Of the order of the rows.
    """

    lr: float | str | Mapping[str, float] | None
    batch_size: int | None
    momentum: float
    schedule: Any
    epochs: int
    seed: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A runner before its start."""

    name: str
    label: Sentence
    solver: Solver
    lr: float | None
    batch_size: int | None


def lineup(
    solvers: Sequence[str | Solver], options: Options, bend: Curvature, rows: int
) -> tuple[Entry, ...]:
    """The runners, with learning rates.

    Raises
    ------
    InvalidInput
        When a name is not known, or an option does not suit.
    """
    if isinstance(solvers, (str, Solver)):
        solvers = [solvers]
    if not solvers:
        raise InvalidInput(f"solvers=[] has nobody to race; choose among {', '.join(known())}.")
    if isinstance(options.lr, Mapping):
        _check_names(options.lr, solvers)
    found: list[Entry] = []
    for given in solvers:
        solver = made(given, options)
        if not isinstance(solver, Descent):
            found.append(Entry(solver.name, Sentence("named", name=solver.name), solver, None, None))
            continue
        for rate in rates(given, solver, options, bend, rows):
            schedule = options.schedule if isinstance(given, str) else solver.schedule
            found.append(entry(replace(solver, lr=rate, schedule=schedule), rows))
    return tuple(apart(found))


def _check_names(lr: Mapping[str, Any], solvers: Sequence[str | Solver]) -> None:
    """Refuse learning rates of nobody, and those that are no numbers."""
    names = [given.name if isinstance(given, Solver) else given for given in solvers]
    for name, rate in lr.items():
        if name not in names:
            raise InvalidInput(
                f"lr: {name!r} does not race{suggestion(str(name), names)}; there are {', '.join(map(str, names))}."
            )
        if rate is not None and (isinstance(rate, bool) or not isinstance(rate, (int, float))):
            raise InvalidInput(f"lr: expected a number for {name!r}, got {rate!r}.")


def known() -> list[str]:
    """Names that race."""
    return [*REGISTRY.entries, "exact"]


def made(given: str | Solver, options: Options) -> Solver:
    """The solver of a name, with the race's options; an object keeps its own but for the passes."""
    if isinstance(given, Descent):
        return replace(given, epochs=options.epochs)
    if isinstance(given, Solver):
        return given
    if not isinstance(given, str):
        raise InvalidInput(
            f"solvers= takes names and solver objects such as tl.Adam(lr=0.1), got {type(given).__name__}."
        )
    if given in ("exact", "auto"):
        return Exact()
    if given not in REGISTRY.entries:
        raise InvalidInput(
            f"solvers: {given!r} is not known{suggestion(given, known())}. Known: {', '.join(known())}."
        )
    solver = REGISTRY.load(given)()
    if not isinstance(solver, Descent):
        return solver  # type: ignore[no-any-return]
    changes: dict[str, Any] = {"epochs": options.epochs, "seed": options.seed}
    if given == "mbgd" and options.batch_size is not None:
        changes["batch_size"] = options.batch_size
    if options.momentum and given in ("bgd", "sgd", "mbgd"):
        changes["momentum"] = options.momentum
    return replace(solver, **changes)


def rates(
    given: str | Solver, solver: Descent, options: Options, bend: Curvature, rows: int
) -> Sequence[float]:
    """The learning rate of a runner; several in a sweep."""
    if solver.lr is not None:
        return [solver.lr]
    lr = options.lr
    if isinstance(lr, Mapping):
        lr = lr.get(given if isinstance(given, str) else solver.name)
    if isinstance(lr, (int, float)) and not isinstance(lr, bool):
        return [float(lr)]
    chosen = expected(solver, bend, rows)
    return [float(f"{chosen * step:.3g}") for step in SWEEP] if lr == "sweep" else [chosen]


def expected(solver: Descent, bend: Curvature, rows: int) -> float:
    """The learning rate that the curvature suggests, in the units of the race, to three digits.

    Of gradient descent on all rows it is ``1 / top``, half the longest stable step; of SGD with momentum or in
    batches it is `Descent.chosen_rates`. A rule that scales its gradients moves each
    coefficient by about ``lr`` a step whatever the curvature; its steps are a tenth of the typical way to the
    minimum of one coefficient alone (all of it for Adagrad, whose steps shrink).
    """
    if (
        isinstance(solver, SGD)
        and not solver.momentum
        and (solver.batch_size is None or solver.batch_size >= rows)
    ):
        found = 1.0 / max(bend.top, bend.start)
    elif isinstance(solver, SGD):
        found = solver.chosen_rates(bend.spectrum(solver.batch_size, rows), np.zeros(1))[0]
    elif solver.name == "adadelta":
        found = DELTA
    else:
        batches = 1 if solver.batch_size is None else max(1, rows // solver.batch_size)
        share = ADAGRAD_SHARE if solver.name == "adagrad" else SHARE
        found = share * (bend.slope or 1.0) / np.sqrt(batches)
    return _rounded_down(float(found))


def _rounded_down(value: float) -> float:
    """Three digits, and never above: the longest stable step is near."""
    unit = 10.0 ** (np.floor(np.log10(value)) - 2)
    return float(f"{np.floor(value / unit) * unit:.3g}")


def entry(solver: Descent, rows: int) -> Entry:
    """A runner of the descent family, with what it is called."""
    size = solver.batch_size if solver.batch_size is None or solver.batch_size < rows else None
    told = {"name": solver.name, "lr": f"{solver.lr:.3g}"}
    label = (
        Sentence("stepping", **told)
        if size in (None, 1)
        else Sentence("stepping_batch", **told, size=str(size))
    )
    return Entry(solver.name, label, solver, solver.lr, size)


def apart(found: Sequence[Entry]) -> list[Entry]:
    """The same with names that differ: ``adam``, ``adam-2``."""
    seen: dict[str, int] = {}
    named = []
    for one in found:
        seen[one.name] = seen.get(one.name, 0) + 1
        named.append(one if seen[one.name] == 1 else replace(one, name=f"{one.name}-{seen[one.name]}"))
    return named
