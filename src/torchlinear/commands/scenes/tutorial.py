"""The classic first PyTorch program, where the scenes start: fifty points, one line, mean squared error."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["EPOCHS", "LR", "SLOPE", "START", "line", "points"]

SLOPE, START = 3.0, 0.8  # y = 3 x + 0.8
LR = 1e-3
EPOCHS = 30_000


def points() -> tuple[Tensor, Tensor]:
    """x, fifty uniform points of shape (50, 1), and y = 3 x + 0.8; float32, always the same."""
    torch.manual_seed(0)
    x = torch.rand(50, 1)
    return x, SLOPE * x + START


def line() -> nn.Linear:
    """A fresh ``nn.Linear(1, 1)``; called after `points`, every one starts from the same random weight."""
    points()
    return nn.Linear(1, 1)
