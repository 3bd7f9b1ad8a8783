"""Draw the README's race: `python docs/images/race.py [FOLDER]`; default: beside it.

`race.svg`: the algorithms of the first PyTorch program on fifty points, from the same start, each with the learning
rate that `tl.race` takes from the curvature: on the left how much of the way to the optimum is left after each pass
over the data, on the right their ways over the contours of the loss.
"""

import sys
from pathlib import Path

import matplotlib
import torch
from matplotlib import pyplot as plt

import torchlinear as tl


def raced() -> tl.Race:
    """The race on the README's points."""
    torch.manual_seed(0)
    x = torch.rand(50, 1)
    y = 3 * x + 0.8 + 0.1 * torch.randn(50, 1)
    return tl.race(
        x, y, solvers=["bgd", "sgd", "mbgd", "adagrad", "adam", "exact"], batch_size=10, epochs=300
    )


def main(folder: Path) -> None:
    """Write the picture; the same bytes every time with the same Matplotlib."""
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "torchlinear"
    race = raced()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 4.2), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    race.plot(left, against="passes").get_legend().remove()  # the map's holds for both
    race.plot_paths(right)
    figure.savefig(folder / "race.svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
