"""`torchlinear demo --classes`: three groups of points, told apart by CrossEntropyLoss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, optim

from torchlinear.commands import screen
from torchlinear.commands.language import say
from torchlinear.commands.scenes import picture
from torchlinear.commands.scenes.board import Board, Row
from torchlinear.commands.scenes.lanes import Finish, Lane, one_thread, train
from torchlinear.commands.scenes.picture import COLOURS
from torchlinear.report.style import POINT, heading, quiet

__all__ = ["LANES", "accuracy", "groups", "optimum", "show"]

EPOCHS = 100
CENTRES = ((0.0, 1.6), (1.6, -1.0), (-1.6, -1.0))  # close enough to overlap, so that an optimum exists
POINTS = 50  # in each group
GROUPS = (POINT, "#1b5fa0", "#3d8f6e")  # colours
FLOOR = 1e-7  # losses of float32 cannot be told from the optimum below

LANES = (
    Lane("BGD", "SGD(lr=0.5)", lambda parameters: optim.SGD(parameters, lr=0.5)),
    Lane("SGD", "SGD(lr=0.01)", lambda parameters: optim.SGD(parameters, lr=0.01), batch_size=1),
    Lane("MBGD", "SGD(lr=0.1)", lambda parameters: optim.SGD(parameters, lr=0.1), batch_size=10),
    Lane("AdaGrad", "Adagrad(lr=1)", lambda parameters: optim.Adagrad(parameters, lr=1.0)),
    Lane("Adam", "Adam(lr=0.1)", lambda parameters: optim.Adam(parameters, lr=0.1)),
)


def groups() -> tuple[Tensor, Tensor]:
    """Points of shape (150, 2), float32, and the group of each, shape (150,), int64."""
    torch.manual_seed(0)
    labels = torch.arange(len(CENTRES)).repeat_interleave(POINTS)
    return torch.tensor(CENTRES)[labels] + torch.randn(len(labels), 2), labels


def model() -> nn.Linear:
    """A fresh ``nn.Linear(2, 3)``, the same every time."""
    torch.manual_seed(1)
    return nn.Linear(2, len(CENTRES))


def optimum() -> float:
    """The smallest loss there is: Newton-like steps in float64 until the gradient is nothing."""
    x, labels = groups()
    x, best, criterion = x.double(), model().double(), nn.CrossEntropyLoss()
    solver = optim.LBFGS(
        best.parameters(),
        max_iter=500,
        tolerance_grad=1e-12,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        solver.zero_grad()
        loss: Tensor = criterion(best(x), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    solver.step(closure)  # type: ignore[no-untyped-call]
    return closure().item()


def accuracy(finish: Finish) -> float:
    """Share of the points whose group is predicted right."""
    x, labels = groups()
    with torch.no_grad():
        return float((finish.module(x).argmax(dim=1) == labels).double().mean())


def show(output: Path | None, *, as_json: bool) -> None:
    """Run everything, show it as it happens, write the picture."""
    target = picture.target(output, "classes.png")
    board = Board(
        say("classes.title", points=POINTS * len(CENTRES), epochs=EPOCHS),
        [Row(lane.name, say(f"race.{lane.name.lower()}")) for lane in LANES],
        loss=say("board.gap"),
        floor=FLOOR,
        parameters=(say("classes.accuracy"),),
        quiet=as_json,
    )
    with one_thread(), board:
        best = optimum()
        finishes = []
        for place, lane in enumerate(LANES):
            finishes.append(train(lane, model(), *groups(), nn.CrossEntropyLoss(), EPOCHS))
            board.put(place, finishes[-1], (accuracy(finishes[-1]),), optimum=best)
    written, problem = picture.write(target, lambda figure: draw(figure, finishes, best))
    if as_json:
        screen.emit(record(finishes, best, written))
    else:
        console = screen.console()
        console.print()
        screen.paragraph(console, say("classes.optimum", loss=f"{best:.6f}"))
        screen.paragraph(console, say("classes.scores"))
        console.print()
        picture.tell(written, problem)
    picture.insist(output, problem)


def record(finishes: list[Finish], best: float, written: Path | None) -> dict[str, Any]:
    """The demo as JSON."""
    lanes = [
        {
            "name": finish.name,
            "optimizer": finish.call,
            "epochs": finish.epochs,
            "loss": float(finish.loss[-1]),
            "accuracy": accuracy(finish),
            "seconds": finish.seconds,
        }
        for finish in finishes
    ]
    return {"optimum": best, "algorithms": lanes, "picture": None if written is None else str(written)}


def draw(figure: Any, finishes: list[Finish], best: float) -> None:
    """The points on the regions that Adam's model gives to each group; the loss by epoch."""
    x, labels = groups()
    plane, loss = figure.subplots(1, 2)
    side = torch.linspace(-5.5, 5.5, 400)
    across, up = torch.meshgrid(side, side, indexing="xy")
    with torch.no_grad():
        regions = finishes[-1].module(torch.stack([across, up], dim=-1)).argmax(dim=-1)
    levels = [-0.5, 0.5, 1.5, 2.5]
    plane.contourf(across, up, regions, levels=levels, colors=GROUPS, alpha=0.15)
    for group, colour in enumerate(GROUPS):
        plane.scatter(*x[labels == group].T, color=colour, s=16)
    for finish, colour in zip(finishes, COLOURS):
        above = (finish.loss - best).clamp_min(FLOOR)
        loss.plot(finish.epoch + 1, above, color=colour, linewidth=1.5, label=finish.name)
    heading(plane, "nn.Linear(2, 3)", f"{len(x)} points in {len(GROUPS)} groups, {finishes[-1].name}")
    heading(loss, "nn.CrossEntropyLoss", "above its smallest value, by epoch")
    plane.set(xlabel="x1", ylabel="x2", aspect="equal")
    loss.set(xlabel="epoch", ylabel="loss", xscale="log", yscale="log")
    for axes in (plane, loss):
        quiet(axes)
    loss.legend(frameon=False, fontsize=9, loc="lower left")
