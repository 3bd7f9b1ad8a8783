"""Draw the picture of the README: `python docs/images/readme.py [FOLDER]`; default: beside it.

`readme.svg`: on the left what `fit.plot()` draws of the README's fifty points; on the right how far above the
exact optimum each algorithm of the first PyTorch program is, epoch by epoch, through `tl.train`.
"""

import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import matplotlib
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor, nn, optim

import torchlinear as tl
from torchlinear.report.style import INK, POINT, heading, quiet

EPOCHS = 30_000
LR = 1e-3
LEAST = 1e-8  # the lower edge: some algorithms go on to rounding, the exact solver starts there

# Name, colour, optimiser, rows of a step.
ALGORITHMS: list[tuple[str, str, Callable[[Iterable[Tensor]], optim.Optimizer], int | None]] = [
    ("BGD", "#1b3a5c", lambda parameters: optim.SGD(parameters, lr=LR), None),
    ("MBGD, 10 rows a step", "#3d8f6e", lambda parameters: optim.SGD(parameters, lr=LR), 10),
    ("SGD, 1 row a step", "#c8802b", lambda parameters: optim.SGD(parameters, lr=LR), 1),
    ("AdaGrad", "#8453a6", lambda parameters: optim.Adagrad(parameters, lr=0.1), None),
    ("Adam", "#3b82c4", lambda parameters: optim.Adam(parameters, lr=LR), None),
]


def points() -> tuple[Tensor, Tensor]:
    """The README's points, each (50, 1)."""
    torch.manual_seed(0)
    x = torch.rand(50, 1)
    return x, 3 * x + 0.8 + 0.1 * torch.randn(50, 1)


def losses(make: Callable[[Iterable[Tensor]], optim.Optimizer], batch_size: int | None) -> Tensor:
    """Loss of every epoch, shape (EPOCHS,), in float64: float32 would end at its own rounding."""
    x, y = points()
    torch.manual_seed(0)
    model = nn.Linear(1, 1).double()
    fit = tl.train(
        model,
        x.double(),
        y.double(),
        nn.MSELoss(),
        make(model.parameters()),
        epochs=EPOCHS,
        batch_size=batch_size,
    )
    return fit.history.loss


def draw_race(axes: Axes) -> None:
    """Draw loss less the smallest loss there is, on two logarithmic axes, each curve with its name."""
    x, y = points()
    exact = tl.fit(x.double(), y.double())
    best = ((exact.predict(x.double()) - y.double()[:, 0]) ** 2).mean()
    quiet(axes)
    shown = torch.logspace(0, math.log10(EPOCHS), 400, dtype=torch.float64).round().long().unique()
    for name, colour, make, batch_size in ALGORITHMS:
        gap = losses(make, batch_size) - best
        axes.plot(shown, gap[shown - 1], color=colour, linewidth=1.8, label=name)
    axes.plot(1, LEAST, "*", color=POINT, markersize=13, clip_on=False, zorder=3, label="exact: one pass")
    axes.set(xscale="log", yscale="log", xlabel="epoch", ylabel="loss above the optimum")
    axes.set(xlim=(0.7, 1.4 * EPOCHS), ylim=(LEAST, 20))
    axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0.04, 0.05), labelcolor=INK)
    heading(axes, "The way down", "30,000 epochs of tl.train by each algorithm")


def main(folder: Path) -> None:
    """Write the picture; the same bytes every time with the same Matplotlib."""
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "torchlinear"
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.4, 4.3), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.15, h_pad=0.12)
    tl.fit(*points()).plot(left)
    draw_race(right)
    figure.savefig(folder / "readme.svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
