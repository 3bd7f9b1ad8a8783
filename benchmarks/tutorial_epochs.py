"""The tutorial's 30,000 epochs through `tl.train` on its own module, against its own eager loop."""

from __future__ import annotations

import contextlib
import tempfile

import torch
from harness import Side, race
from torch import nn, optim

import torchlinear as tl

EPOCHS = 30_000


class Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


def program() -> tuple[torch.Tensor, torch.Tensor, nn.Module, optim.Optimizer]:
    torch.manual_seed(0)
    x = torch.rand(50, 1)
    model = Line()
    return x, 3 * x + 0.8, model, optim.SGD(model.parameters(), lr=1e-3)


def eager(log_every: int | None) -> nn.Module:
    x, y, model, optimizer = program()
    criterion = nn.MSELoss()
    for epoch in range(EPOCHS):
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if log_every and (epoch + 1) % log_every == 0:
            print(f"Epoch[{epoch}/{EPOCHS}], loss: {loss.item():.6f}")
    return model


def compiled(log_every: int | None) -> nn.Module:
    x, y, model, optimizer = program()
    tl.train(model, x, y, nn.MSELoss(), optimizer, epochs=EPOCHS, log_every=log_every)
    return model


def logged(side: object) -> None:
    with tempfile.TemporaryFile("w") as file, contextlib.redirect_stdout(file):
        side(20)  # type: ignore[operator]


if __name__ == "__main__":
    for ours, theirs in zip(compiled(None).parameters(), eager(None).parameters()):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    race(
        "tutorial, 30,000 epochs",
        Side("torchlinear tl.train", lambda: compiled(None), 15),
        Side("eager PyTorch", lambda: eager(None), 3),
        goal="at least 200",
        file="tutorial_epochs",
    )
    race(
        "tutorial, 30,000 epochs, log_every=20 to a file",
        Side("torchlinear tl.train", lambda: logged(compiled), 15),
        Side("eager PyTorch", lambda: logged(eager), 3),
        goal="at least 100",
        file="tutorial_epochs",
    )
