"""Draw the pictures of the tutorial page: `python docs/images/tutorial.py [FOLDER]`; default: beside it.

`line.svg`: the points, and the line after 300 and after 30,000 epochs.
`valley.svg`: the loss over weight and bias, and the way of 30,000 epochs of gradient descent through it.
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import nn

STOPS = [300, 30_000]


def walk(epochs: int, lr: float = 1e-3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the tutorial's points x (50,), y (50,) and start; follow weight and bias, shape (epochs + 1, 2).

    Descent on a quadratic needs no loop: after t epochs (1 - lr c)^t of the error is left in each
    eigenvector of the second derivative, c its eigenvalue.
    """
    torch.manual_seed(0)
    x = torch.rand(50, 1).numpy().ravel().astype(float)
    start = np.array([p.item() for p in nn.Linear(1, 1).parameters()])
    best = np.array([3, 0.8])
    columns = np.stack([x, np.ones_like(x)], axis=1)
    steepness, directions = np.linalg.eigh(2 * columns.T @ columns / len(x))
    left = (1 - lr * steepness) ** np.arange(epochs + 1)[:, None]
    return x, columns @ best, best + (left * (directions.T @ (start - best))) @ directions.T


def draw_line(axes: Axes, x: np.ndarray, y: np.ndarray, path: np.ndarray) -> None:
    """Draw the points in red, and the line at each of the stops."""
    axes.scatter(x, y, color="red", s=14, label="y = 3 x + 0.8")
    ends = np.array([0.0, 1.0])
    for epochs, style in zip(STOPS, ["--", "-"], strict=True):
        weight, bias = path[epochs]
        label = f"{epochs:,} epochs: {weight:.3f} x + {bias:.3f}"
        axes.plot(ends, weight * ends + bias, style, color="tab:blue", label=label)
    axes.set(xlabel="x", ylabel="y")
    axes.legend(frameon=False)


def draw_valley(axes: Axes, x: np.ndarray, y: np.ndarray, path: np.ndarray) -> None:
    """Draw contours of the mean squared error, the path, and a dot at each of the stops."""
    weight, bias = np.meshgrid(np.linspace(0.3, 4.2, 100), np.linspace(0.3, 2.2, 100))
    loss = ((weight[..., None] * x + bias[..., None] - y) ** 2).mean(axis=-1)
    axes.contour(weight, bias, loss, levels=np.geomspace(1e-3, 2, 12), colors="0.75", linewidths=0.8)
    axes.plot(*path.T, color="tab:blue")
    for epochs in [0, *STOPS]:
        axes.plot(*path[epochs], "o", color="tab:blue", markersize=5)
        shift = (-8, -13) if epochs == max(STOPS) else (-6, 6)
        axes.annotate(f"{epochs:,}", path[epochs], xytext=shift, textcoords="offset points", ha="right")
    axes.plot(3, 0.8, "+", color="red", markersize=12, markeredgewidth=2)
    axes.annotate("w = 3, b = 0.8", (3, 0.8), xytext=(8, 8), textcoords="offset points", color="red")
    axes.set(xlabel="w", ylabel="b")


def main(folder: Path) -> None:
    """Write both pictures; the same bytes every time with the same Matplotlib."""
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "torchlinear"
    x, y, path = walk(max(STOPS))
    for name, draw in {"line": draw_line, "valley": draw_valley}.items():
        figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
        draw(axes, x, y, path)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
