"""Adam on 1,000,000 x 20 against eager PyTorch: 1,000 full-batch epochs, and one epoch in batches of 32."""

from __future__ import annotations

import torch
from harness import Side, race
from torch import nn, optim

import torchlinear as tl

ROWS, COLUMNS = 1_000_000, 20
torch.manual_seed(0)
X = torch.randn(ROWS, COLUMNS)
Y = X @ torch.randn(COLUMNS, 1) + 1.0 + torch.randn(ROWS, 1)


def program() -> tuple[nn.Module, optim.Optimizer]:
    torch.manual_seed(1)
    model = nn.Linear(COLUMNS, 1)
    return model, optim.Adam(model.parameters(), lr=1e-2)


def eager(epochs: int, batch_size: int | None) -> nn.Module:
    model, optimizer = program()
    criterion = nn.MSELoss()
    generator = torch.Generator().manual_seed(2)
    for _ in range(epochs):
        order = [slice(None)]
        if batch_size is not None:
            order = torch.randperm(ROWS, generator=generator).split(batch_size)
        for batch in order:
            loss = criterion(model(X[batch]), Y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def ours(epochs: int, batch_size: int | None) -> nn.Module:
    model, optimizer = program()
    generator = torch.Generator().manual_seed(2)
    tl.train(model, X, Y, nn.MSELoss(), optimizer, epochs=epochs, batch_size=batch_size, generator=generator)
    return model


if __name__ == "__main__":
    for epochs, batch in ((20, None), (1, 32)):
        for a, b in zip(ours(epochs, batch).parameters(), eager(epochs, batch).parameters()):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    race(
        "Adam, full batch, 1,000 epochs of 1,000,000 x 20",
        Side("torchlinear tl.train", lambda: ours(1_000, None), 5),
        Side("eager PyTorch", lambda: eager(1_000, None), 1),
        goal="at least 500",
        file="adam_epochs",
    )
    race(
        "Adam, batches of 32, one epoch of 1,000,000 x 20",
        Side("torchlinear tl.train", lambda: ours(1, 32), 5),
        Side("eager PyTorch", lambda: eager(1, 32), 3),
        goal="at least 40",
        file="adam_epochs",
    )
