"""What the classic first program starts from: fifty points on y = 3 x + 0.8, a line to fit, and the loop."""

from collections.abc import Callable

import matplotlib
import pytest
import torch
from torch import Tensor, nn, optim

matplotlib.use("Agg")

Losses = list[float]


class Line(nn.Module):
    """The model of the tutorial: one straight line."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.linear(inputs)


def line() -> Line:
    torch.manual_seed(1)
    return Line()


def by_hand(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    criterion: Callable[[Tensor, Tensor], Tensor],
    optimizer: optim.Optimizer,
    epochs: int,
    batch_size: int | None = None,
    generator: torch.Generator | None = None,
) -> Losses:
    """Train with nothing but PyTorch; return the loss of each epoch, taken before each update."""
    losses = []
    for _ in range(epochs):
        batches = [torch.arange(len(x))]
        if batch_size is not None:
            batches = list(torch.randperm(len(x), generator=generator).split(batch_size))
        total = 0.0
        for rows in batches:
            loss = criterion(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / len(x))
    return losses


@pytest.fixture
def points() -> tuple[Tensor, Tensor]:
    """Fifty points on y = 3 x + 0.8: x (50, 1) and y (50, 1), float32."""
    x = torch.rand(50, 1, generator=torch.Generator().manual_seed(0))
    return x, 3 * x + 0.8


@pytest.fixture
def three_groups() -> tuple[Tensor, Tensor]:
    """Three overlapping clouds: features (300, 2), float32, and labels 0, 1, 2 (300,), int64."""
    labels = torch.arange(300) % 3
    centres = torch.tensor([[0.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    noise = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    return centres[labels] + noise, labels


@pytest.fixture(name="line")
def _line() -> Callable[[], Line]:
    """Make a fresh line; every one starts from the same weight and bias."""
    return line


@pytest.fixture(name="by_hand")
def _by_hand() -> Callable[..., Losses]:
    """PyTorch's own loop, to compare with."""
    return by_hand
