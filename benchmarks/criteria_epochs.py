"""Criteria other than MSELoss against eager PyTorch: full-batch epochs, and one epoch in batches of 32."""

from __future__ import annotations

import torch
from harness import Side, race
from torch import nn, optim

import torchlinear as tl

COLUMNS, CLASSES = 20, 10
torch.manual_seed(0)
CRITERIA = {"logistic": nn.BCEWithLogitsLoss(), "softmax of 10 classes": nn.CrossEntropyLoss()}


def rows(n: int, kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and labels that the rows explain in part."""
    x = torch.randn(n, COLUMNS)
    scores = x @ torch.randn(COLUMNS, CLASSES) + torch.randn(n, CLASSES)
    return x, (scores[:, :1] > 0).float() if kind == "logistic" else scores.argmax(dim=1)


def program(kind: str) -> tuple[nn.Module, optim.Optimizer]:
    torch.manual_seed(1)
    model = nn.Linear(COLUMNS, 1 if kind == "logistic" else CLASSES)
    return model, optim.SGD(model.parameters(), lr=0.1)


def eager(kind: str, x: torch.Tensor, y: torch.Tensor, epochs: int, batch_size: int | None) -> nn.Module:
    """The loop of every PyTorch program."""
    model, optimizer = program(kind)
    criterion, generator = CRITERIA[kind], torch.Generator().manual_seed(2)
    for _ in range(epochs):
        order = [slice(None)]
        if batch_size is not None:
            order = torch.randperm(len(x), generator=generator).split(batch_size)
        for batch in order:
            loss = criterion(model(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def ours(kind: str, x: torch.Tensor, y: torch.Tensor, epochs: int, batch_size: int | None) -> nn.Module:
    model, optimizer = program(kind)
    generator = torch.Generator().manual_seed(2)
    fit = tl.train(model, x, y, CRITERIA[kind], optimizer, epochs, batch_size=batch_size, generator=generator)
    assert fit.solver.startswith("compiled"), fit.solver
    return model


def compare(kind: str, n: int, epochs: int, batch_size: int | None, goal: str) -> None:
    """Race one case, after a look that both end in the same place."""
    x, y = rows(n, kind)
    once = 30 if batch_size is None else 1
    for a, b in zip(
        ours(kind, x, y, once, batch_size).parameters(), eager(kind, x, y, once, batch_size).parameters()
    ):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    batches = "full batch" if batch_size is None else f"batches of {batch_size}"
    race(
        f"{kind}, {batches}, {epochs} epochs of {n:,} x {COLUMNS}",
        Side("torchlinear tl.train", lambda: ours(kind, x, y, epochs, batch_size), 5),
        Side("eager PyTorch", lambda: eager(kind, x, y, epochs, batch_size), 3),
        goal=goal,
        file="criteria_epochs",
    )


if __name__ == "__main__":
    for kind in CRITERIA:
        compare(kind, 100_000, 100, None, "at least 1")
        compare(kind, 100_000, 1, 32, "at least 40")
