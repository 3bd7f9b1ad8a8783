"""Draw the pictures of the page on algorithms: `python docs/images/algorithms.py [FOLDER]`; default: beside it.

`bgd.svg`, `sgd.svg`, `mbgd.svg`, `adagrad.svg`, `adam.svg`: on the left the way over the contours of the loss, on the
right what the page says of the algorithm, in curves. The points are the page's.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor

import torchlinear as tl
from torchlinear.report.style import FAINT, INK, POINT, heading, quiet

ROWS = 1000
COLOURS = ["#1b3a5c", "#c8802b", "#3d8f6e", "#8453a6"]
SMOOTH = 20  # moments, of 600, to either side in a running mean
ZERO = torch.zeros(2, 1, dtype=torch.float64)


def points() -> tuple[Tensor, Tensor]:
    """The page's points, each (1000, 1)."""
    torch.manual_seed(0)
    x = torch.rand(ROWS, 1, dtype=torch.float64)
    return x, 3 * x + 0.8 + 0.5 * torch.randn(ROWS, 1, dtype=torch.float64)


def run(solver: object) -> object:
    """The runner of one solver in `tl.race`: its frames, and its gap to the optimum at each."""
    return next(iter(tl.race(*points(), solvers=[solver], epochs=100, frames=600)))


def left(runner: object, smooth: int) -> tuple[np.ndarray, np.ndarray]:
    """Passes, and the share of the way down that is left: running means over `smooth` moments to either side.

    Windows are symmetric at the start, so that the way begins at 1.
    """
    gap = runner.gap.numpy()  # type: ignore[attr-defined]
    reach = np.minimum(smooth, np.arange(len(gap)))
    means = [gap[i - r : i + r + 1].mean() for i, r in enumerate(reach)]
    return runner.passes.numpy(), np.array(means) / gap[0]  # type: ignore[attr-defined]


def way(axes: Axes, coef: np.ndarray, title: str, below: str, colour: str) -> None:
    """Draw a way, shape (steps, 2), over contours of the loss; a cross at the optimum."""
    x, y = (part.numpy().ravel() for part in points())
    slope, last = np.meshgrid(np.linspace(-0.4, 4.4, 120), np.linspace(-0.3, 3.1, 120))
    columns = np.stack([x, np.ones_like(x)], axis=1)
    best = np.linalg.lstsq(columns, y, rcond=None)[0]
    off = np.stack([slope - best[0], last - best[1]], axis=-1)
    above = np.einsum("...i,ij,...j", off, columns.T @ columns / len(x), off)
    axes.contour(slope, last, above, levels=np.geomspace(1e-3, 6, 12), colors="0.8", linewidths=0.8)
    axes.plot(*coef.T, color=colour, linewidth=1.2, marker=".", markersize=3)
    axes.plot(*best, "+", color=POINT, markersize=12, markeredgewidth=2)
    axes.set(xlim=(-0.4, 4.4), ylim=(-0.3, 3.1), xlabel="slope", ylabel="intercept")
    quiet(axes)
    axes.grid(False)
    heading(axes, title, below)


def of(runner: object) -> np.ndarray:
    """The way of a runner, shape (frames, 2)."""
    return runner.coef.numpy()[:, :, 0]  # type: ignore[attr-defined]


def curves(
    axes: Axes, runs: dict[str, tuple[np.ndarray, np.ndarray]], title: str, below: str, **limits: object
) -> None:
    """Draw curves with their names."""
    for colour, (name, (across, up)) in zip(COLOURS, runs.items()):
        axes.plot(across, up, color=colour, linewidth=1.6, label=name)
    axes.set(**limits)
    quiet(axes)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    heading(axes, title, below)


def gaps(
    axes: Axes, solvers: dict[str, object], title: str, below: str, smooth: int = 0, **limits: object
) -> None:
    """Draw what is left of the way, by pass over the rows."""
    labels = {
        "xlabel": "passes over the rows",
        "ylabel": "left of the way down",
        "xscale": "log",
        "yscale": "log",
    }
    runs = {name: left(run(solver), smooth) for name, solver in solvers.items()}
    curves(axes, runs, title, below, **(labels | limits))


def adam(momentum: float = 0.9, memory: float = 0.999, corrected: bool = True) -> np.ndarray:
    """Slope and intercept after each of 120 steps of 10 rows with lr 0.1; without one part or another."""
    x, y = points()
    columns, generator = torch.cat([x, torch.ones_like(x)], dim=1), torch.Generator().manual_seed(0)
    w, m, v, ways = ZERO.clone(), ZERO.clone(), ZERO.clone(), [ZERO]
    for t in range(1, 121):
        rows = torch.randperm(ROWS, generator=generator)[:10]
        gradient = 2 * columns[rows].T @ (columns[rows] @ w - y[rows]) / len(rows)
        m = momentum * m + (1 - momentum) * gradient
        v = memory * v + (1 - memory) * gradient**2 if memory else torch.ones_like(w)
        mean, square = (m / (1 - momentum**t), v / (1 - memory**t)) if corrected else (m, v)
        w = w - 0.1 * mean / (square.sqrt() + 1e-8)
        ways.append(w)
    return torch.cat(ways, dim=1).T.numpy()


def draw_bgd(one: Axes, two: Axes) -> None:
    """Four learning rates, the last of them beyond the edge."""
    way(one, of(run(tl.SGD(lr=0.5))), "BGD", "all 1,000 rows a step, lr 0.5", COLOURS[0])
    rates = {f"lr {lr}": tl.SGD(lr=lr) for lr in (0.1, 0.5, 0.75, 0.82)}
    gaps(two, rates, "There is an edge", "longest stable step: 0.789", ylim=(1e-6, 1e3))


def draw_sgd(one: Axes, two: Axes) -> None:
    """A noise floor for each learning rate, and none for one that falls."""
    way(one, of(run(tl.SGD(lr=0.1, batch_size=1))), "SGD", "one row a step, lr 0.1", COLOURS[1])
    rates: dict[str, object] = {f"lr {lr}": tl.SGD(lr=lr, batch_size=1) for lr in (0.2, 0.05, 0.0125)}
    rates["lr 0.1 falling like 1/t"] = tl.SGD(lr=0.1, batch_size=1, schedule="1/t")
    gaps(
        two,
        rates,
        "Soon there, never quite",
        "dashed: the first pass is over; running means",
        SMOOTH,
        ylim=(1e-6, 3),
    )
    two.axvline(1, color=FAINT, linestyle="--", linewidth=1)


def draw_mbgd(one: Axes, two: Axes) -> None:
    """The floor by the number of rows."""
    way(one, of(run(tl.SGD(lr=0.5, batch_size=10))), "MBGD", "10 rows a step, lr 0.5", COLOURS[2])
    sizes = {f"{size} rows a step" if size > 1 else "1 row a step": size for size in (1, 10, 100)}
    solvers: dict[str, object] = {name: tl.SGD(lr=0.5, batch_size=size) for name, size in sizes.items()}
    solvers["all rows"] = tl.SGD(lr=0.5)
    gaps(
        two,
        solvers,
        "Between the two",
        "lr 0.5: more rows, a lower floor; running means",
        SMOOTH,
        ylim=(1e-6, 3),
    )


def draw_adagrad(one: Axes, two: Axes) -> None:
    """The learning rates that only shrink."""
    x, y = points()
    columns, w, seen = torch.cat([x, torch.ones_like(x)], dim=1), ZERO.clone(), ZERO.clone()
    ways, rates = [w], []
    for _ in range(300):
        gradient = 2 * columns.T @ (columns @ w - y) / ROWS
        seen = seen + gradient**2
        rates.append(0.5 / seen.sqrt())
        w = w - rates[-1] * gradient
        ways.append(w)
    way(one, torch.cat(ways, dim=1).T.numpy(), "AdaGrad", "all rows a step, lr 0.5", COLOURS[3])
    rate = torch.cat(rates, dim=1).numpy()
    epochs = np.arange(1, 301)
    runs = {"of the slope": (epochs, rate[0]), "of the intercept": (epochs, rate[1])}
    labels = {
        "xlabel": "epoch",
        "ylabel": "lr / root of the sum of squares",
        "xscale": "log",
        "ylim": (0, None),
    }
    curves(two, runs, "They only shrink", "the learning rates of slope and intercept", **labels)


def draw_adam(one: Axes, two: Axes) -> None:
    """The length of the steps, with and without each part."""
    way(one, adam(), "Adam", "10 rows a step, lr 0.1, 120 steps", "#3b82c4")
    parts: dict[str, Callable[[], np.ndarray]] = {
        "Adam": adam,
        "without momentum": lambda: adam(momentum=0.0),
        "without RMSProp": lambda: adam(memory=0.0),
        "without bias correction": lambda: adam(corrected=False),
    }
    steps = np.arange(1, 121)
    runs = {name: (steps, np.abs(np.diff(make()[:, 0]))) for name, make in parts.items()}
    labels = {"xlabel": "step", "ylabel": "change of the slope", "yscale": "log", "ylim": (1e-4, 2)}
    curves(two, runs, "What each part does", "lr 0.1: Adam's steps are about that, or shorter", **labels)


DRAWINGS: dict[str, Callable[[Axes, Axes], None]] = {
    "bgd": draw_bgd,
    "sgd": draw_sgd,
    "mbgd": draw_mbgd,
    "adagrad": draw_adagrad,
    "adam": draw_adam,
}


def main(folder: Path) -> None:
    """Write the pictures; the same bytes every time with the same Matplotlib."""
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "torchlinear"
    for name, draw in DRAWINGS.items():
        figure, (one, two) = plt.subplots(1, 2, figsize=(10.4, 4.0), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.15, h_pad=0.12)
        draw(one, two)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
