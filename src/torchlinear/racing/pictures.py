"""A race's numbers as the pictures want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from torchlinear.errors import InvalidInput
from torchlinear.racing.captions import about, others
from torchlinear.racing.contours import Contours, contours
from torchlinear.registry import suggestion
from torchlinear.rows import drawn
from torchlinear.solvers.descent import Descent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from torchlinear.racing.outcome import Race
    from torchlinear.racing.records import Runner

__all__ = ["gaps", "line_of", "map_of", "movement", "names_of", "pair", "paths", "sweep", "trail"]

Array = NDArray[np.float64]

MOST_POINTS = 1_000  # of the data, in a picture
MOST_COLUMNS = 3  # panels side by side
INTERCEPT = "Intercept"
REACH = 1.0  # of the box around start and optimum: how far a way may leave it and still be shown whole


def gaps(race: Race, ax: Axes | None, against: str) -> Any:
    """`Race.plot`: gaps against passes, seconds or both, each in its Axes."""
    if against not in ("both", "passes", "seconds"):
        raise InvalidInput(f"against={against!r}: expected 'both', 'passes' or 'seconds'.")
    if against == "both" and ax is not None:
        against = "passes"
    from torchlinear.report.race import Curve, plot_gaps

    sides = ("passes", "seconds") if against == "both" else (against,)
    axes = _figure(len(sides), 5.6, 4.4) if ax is None else [ax]
    for place, (side, one) in enumerate(zip(sides, axes)):
        curves = [
            Curve(
                runner.label,
                getattr(runner, side).numpy(),
                runner.gap.numpy(),
                not isinstance(runner.solver, Descent),
            )
            for runner in race.runners
        ]
        title = "The race" if place == 0 else "The same by the clock"
        plot_gaps(curves, one, side, title, about(race) if place == 0 else "solving only")
        if place == len(sides) - 1:
            one.legend(frameon=False, fontsize=8.5, loc="upper left", bbox_to_anchor=(1.14, 1.0))
    return axes[0] if len(axes) == 1 else np.array(axes, dtype=object)


def sweep(race: Race, ax: Axes | None) -> Axes:
    """`Race.plot` of a sweep: final gap against learning rate."""
    from torchlinear.report.race import Sweep, plot_sweep

    found: dict[str, list[Runner]] = {}
    for runner in race.runners:
        if runner.lr is not None:
            size = f", {runner.batch_size} rows a step" if (runner.batch_size or 1) > 1 else ""
            found.setdefault(f"{runner.solver.name}{size}", []).append(runner)
    if not found:
        raise InvalidInput("no runner of this race has a learning rate: there is nothing to sweep.")
    sweeps = [
        Sweep(label, np.array([float(r.lr or 0) for r in group]), np.array([r.final for r in group]))
        for label, group in found.items()
    ]
    one = _figure(1, 6.4, 4.4)[0] if ax is None else ax
    return plot_sweep(sweeps, one, race.curvature.edge, about(race))


def paths(race: Race, ax: Axes | None, features: Sequence[str] | None) -> Axes:
    """`Race.plot_paths`: the ways over the contours of the loss."""
    from torchlinear.report.race import Trail, plot_trails

    axes = pair(race, features)
    ground = map_of(race, axes)
    trails = [
        Trail(runner.label, trail(race, runner, axes), not isinstance(runner.solver, Descent))
        for runner in race.runners
    ]
    best = race.units.inside(race.optimum.coef).numpy().ravel()[list(axes)]
    names = [names_of(race)[axis] for axis in axes]
    below = others(ground) or about(race)
    one = _figure(1, 8.0, 5.2)[0] if ax is None else ax
    return plot_trails(ground.x, ground.y, ground.gap, trails, best, names, one, below)


def movement(race: Race, ax: Axes | None, runner: str | None) -> Any:
    """`Race.plot_fit`: the line on its way, a panel for each runner."""
    from torchlinear.report.race import STAGES, Line, colours_of, plot_line

    if len(race.names) != 1 or len(race.targets) != 1:
        raise InvalidInput(
            f"plot_fit draws one target over one feature, not {len(race.targets)} over {len(race.names)}; "
            "use plot_paths()."
        )
    shown = [race[runner]] if runner is not None else list(race.runners)[: 1 if ax is not None else None]
    axes = _figure(len(shown), 4.4, 3.3) if ax is None else [ax]
    found = drawn(race.rows, MOST_POINTS)
    points = found.X[:, 0], found.y[:, 0]
    grid = np.linspace(points[0].min(), points[0].max(), 100)
    best = Line("optimum", grid, line_of(race, race.optimum.coef.numpy(), grid))
    colours = dict(zip((one.name for one in race), colours_of([one.label for one in race])))
    for one, who in zip(axes, shown):
        lines = [
            Line(_moment(float(who.passes[at])), grid, line_of(race, who.coef[at].numpy(), grid))
            for at in _stages(who, STAGES)
        ]
        names = race.names[0], race.targets[0]
        plot_line(lines, points, best, names, who.label, colours[who.name], one)
    return axes[0] if len(axes) == 1 else np.array(axes, dtype=object)


def _stages(runner: Runner, most: int) -> list[int]:
    """The start and frames whose passes are evenly spaced on a logarithmic scale, the last one too."""
    passes = runner.passes.numpy()
    wanted = np.geomspace(passes[1], passes[-1], most - 1) if len(passes) > 1 else passes
    return sorted({0, *(int(np.abs(passes - moment).argmin()) for moment in wanted)})


def _moment(passes: float) -> str:
    return "start" if passes == 0 else f"{passes:,.3g} pass{'es' if passes != 1 else ''}"


def line_of(race: Race, coef: Array, grid: Array) -> Array:
    """Means over a grid of the only feature."""
    eta = torch.from_numpy(coef[-1, 0] + coef[0, 0] * grid)[:, None]
    return np.asarray(race.loss.mean(eta)[:, 0].numpy())


def names_of(race: Race, intercept: str = INTERCEPT) -> list[str]:
    """What the flat coefficients (p + 1) k are called."""
    own = [*race.names, intercept]
    if len(race.targets) == 1:
        return own
    return [f"{name} ({target})" for name in own for target in race.targets]


def pair(race: Race, features: Sequence[str] | None) -> tuple[int, int]:
    """The two coefficients of a map: those asked for; the slope and intercept of one feature; the two that move most.

    Raises
    ------
    InvalidInput
        When they are not two different coefficients.
    """
    names, k = names_of(race), len(race.targets)
    if features is not None:
        known = {name: at for at, name in reversed(list(enumerate(names)))}
        if k > 1:
            known |= {name: at * k for at, name in enumerate([*race.names, INTERCEPT])}
        for name in features:
            if name not in known:
                raise InvalidInput(
                    f"features: {name!r} is not a coefficient{suggestion(name, known)}; there are "
                    f"{', '.join(names[:12])}."
                )
        if len(set(features)) != 2:
            raise InvalidInput(
                f"features takes the names of two different coefficients, got {list(features)!r}."
            )
        return known[features[0]], known[features[1]]
    if len(race.names) == 1:
        return 0, k
    moved = race.units.inside(race.optimum.coef) - race.units.inside(race.start)
    bent = race.curvature.steepness(moved.shape[0], moved.shape[1])
    far = (moved.square().numpy() * bent)[:-1].ravel()
    first, second = sorted(np.argsort(-far, kind="stable")[:2].tolist())
    return first, second


def map_of(race: Race, axes: tuple[int, int], points: int | None = None) -> Contours:
    """The loss around the start, the optimum and the ways that do not run off, in the units of the race."""
    best, start = race.units.inside(race.optimum.coef), race.units.inside(race.start)
    ends = np.stack([best.numpy().ravel()[list(axes)], start.numpy().ravel()[list(axes)]])
    low, high = ends.min(axis=0), ends.max(axis=0)
    span = np.maximum(high - low, 0.3 * max((high - low).max(), 1e-12))
    for runner in race.runners:
        way = trail(race, runner, axes)
        way = way[np.isfinite(way).all(axis=1)]
        near = ((way > low - REACH * span) & (way < high + REACH * span)).all(axis=1)
        if near.any():
            low, high = np.minimum(low, way[near].min(axis=0)), np.maximum(high, way[near].max(axis=0))
    room = 0.12 * span
    return contours(race.objective, best, start, axes, np.stack([low - room, high + room], axis=1), points)


def trail(race: Race, runner: Runner, axes: tuple[int, int]) -> Array:
    """A runner's way over the map, shape (f, 2)."""
    inside = race.units.inside(runner.coef).numpy()
    return np.asarray(inside.reshape(len(inside), -1)[:, list(axes)])


def _figure(panels: int, width: float, height: float) -> list[Axes]:
    from matplotlib import pyplot

    columns = min(panels, MOST_COLUMNS)
    rows = -(-panels // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(width * columns, height * rows), squeeze=False)
    for unused in axes.ravel()[panels:]:
        unused.remove()
    figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.08)
    return list(axes.ravel()[:panels])
