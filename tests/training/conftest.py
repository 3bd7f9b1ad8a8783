"""The loop that every PyTorch program writes, as the truth for `tl.train`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim


class Line(nn.Module):
    """One affine map, the way tutorials write it."""

    def __init__(self, features: int = 1, outputs: int = 1, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.linear = nn.Linear(features, outputs, dtype=dtype)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.linear(inputs)


def plain_loop(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    criterion: Callable[[Tensor, Tensor], Tensor],
    optimizer: optim.Optimizer,
    epochs: int,
    batch_size: int | None = None,
    shuffle: bool = True,
    generator: torch.Generator | None = None,
    scheduler: Any = None,
) -> list[float]:
    """Train with nothing but PyTorch; return the mean over rows of the losses before each update."""
    losses = []
    for _ in range(epochs):
        order = torch.arange(len(x))
        if batch_size is not None and shuffle:
            order = torch.randperm(len(x), generator=generator)
        total = 0.0
        for rows in order.split(batch_size or len(x)):
            loss = criterion(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        losses.append(total / len(x))
        if isinstance(scheduler, optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(losses[-1])
        elif scheduler is not None:
            scheduler.step()
    return losses


def twins(model: nn.Module, optimizer: optim.Optimizer, scheduler: Any = None) -> tuple[Any, Any, Any]:
    """Copies that belong together as the originals do."""
    return copy.deepcopy((model, optimizer, scheduler))


def assert_same(ours: Any, theirs: Any, rtol: float, atol: float = 0.0) -> None:
    """Parameters, gradients, state: same structure, types and dtypes, and numbers as close as asked."""
    assert type(ours) is type(theirs)
    if isinstance(ours, Tensor):
        torch.testing.assert_close(ours, theirs, rtol=rtol, atol=atol)
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert_same(ours[key], theirs[key], rtol, atol)
    elif isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other, rtol, atol)
    elif isinstance(ours, float):
        assert ours == pytest.approx(theirs, rel=1e-12)
    else:
        assert ours == theirs


def everything(model: nn.Module, optimizer: optim.Optimizer, scheduler: Any = None) -> dict[str, Any]:
    """All that a later step depends on."""
    return {
        "parameters": dict(model.state_dict()),
        "gradients": [p.grad for p in model.parameters()],
        "frozen": [p.requires_grad for p in model.parameters()],
        "optimizer": optimizer.state_dict(),
        "scheduler": None if scheduler is None else scheduler.state_dict(),
        "training": [module.training for module in model.modules()],
    }


@pytest.fixture(name="plain_loop")
def _plain_loop() -> Callable[..., list[float]]:
    return plain_loop


@pytest.fixture(name="twins")
def _twins() -> Callable[..., tuple[Any, Any, Any]]:
    return twins


@pytest.fixture(name="assert_same")
def _assert_same() -> Callable[..., None]:
    return assert_same


@pytest.fixture(name="everything")
def _everything() -> Callable[..., dict[str, Any]]:
    return everything


@pytest.fixture(name="Line")
def _line() -> type[Line]:
    return Line


@pytest.fixture
def rows() -> Callable[..., tuple[Tensor, Tensor]]:
    """Rows (n, p) and targets (n, k) around an affine map, from fresh random numbers."""

    def make(
        n: int = 40, p: int = 3, k: int = 1, dtype: torch.dtype = torch.float64
    ) -> tuple[Tensor, Tensor]:
        x = torch.randn(n, p, dtype=torch.float64) + 0.5
        y = x @ torch.randn(p, k, dtype=torch.float64) + torch.randn(k, dtype=torch.float64)
        return x.to(dtype), (y + 0.3 * torch.randn(n, k, dtype=torch.float64)).to(dtype)

    return make
