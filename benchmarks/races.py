"""Races of the five classic optimisers, from the call to the record: how long a page waits for them.

    python benchmarks/races.py

Each race is timed after one that warmed up, as in a lab that is open. Peers do not race; the other side is the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from harness import machine, report, seconds

import torchlinear as tl

RUNNERS = ("bgd", "sgd", "mbgd", "adagrad", "adam", "exact")
LAB_FRAMES, MOST_FRAMES = 600, 2_000


def points() -> tuple[torch.Tensor, torch.Tensor]:
    """The tutorial's: 50 points about y = 3 x + 0.8."""
    torch.manual_seed(0)
    x = torch.rand(50, 1, dtype=torch.float64)
    return x, 3 * x + 0.8 + 0.1 * torch.randn(50, 1, dtype=torch.float64)


def many() -> tuple[torch.Tensor, torch.Tensor]:
    """100,000 x 20, standard normal, with noise of the size of the signal."""
    torch.manual_seed(0)
    X = torch.randn(100_000, 20, dtype=torch.float64)
    signal = X @ torch.randn(20, 1, dtype=torch.float64) / 20**0.5
    return X, signal + torch.randn_like(signal)


def timed(title: str, limit: float, run: Callable[..., tl.Race]) -> None:
    """Time a race with as many frames as the lab keeps, and with the most that it may."""
    print(f"race of five, {title}\n{machine()}")
    for frames in (LAB_FRAMES, MOST_FRAMES):
        work = partial(run, frames=frames)
        slowest = max(work().runners, key=lambda runner: float(runner.seconds[-1]))
        print(f"  {slowest.name} takes longest, {float(slowest.seconds[-1]):.2f} s")
        took = median(seconds(work) for _ in range(3))
        medians = {f"torchlinear tl.race, {frames} frames": took, "the limit": limit}
        report(f"race of five, {title}, {frames} frames", medians, goal=f"at most {limit:g} s", file="races")


def main() -> None:
    race = partial(tl.race, solvers=RUNNERS)
    x, y = points()
    timed("30,000 epochs, 50 rows", 1.0, partial(race, x, y, epochs=30_000))
    X, z = many()
    timed("100 epochs, 100,000 x 20", 10.0, partial(race, X, z, epochs=100))
    timed(
        "100 epochs, 100,000 x 20, logistic",
        10.0,
        partial(race, X, (z > 0).long(), loss="logistic", epochs=100),
    )


if __name__ == "__main__":
    main()
