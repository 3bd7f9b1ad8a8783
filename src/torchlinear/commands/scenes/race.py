"""`torchlinear demo`: the tutorial's line by every algorithm, by the exact solver and PyTorch's own loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn, optim

import torchlinear as tl
from torchlinear.commands import screen
from torchlinear.commands.language import say
from torchlinear.commands.scenes import picture
from torchlinear.commands.scenes.board import Board, Row, duration
from torchlinear.commands.scenes.lanes import Finish, Lane, one_thread, train
from torchlinear.commands.scenes.picture import COLOURS
from torchlinear.commands.scenes.tutorial import EPOCHS, LR, line, points
from torchlinear.report.style import POINT, heading, quiet

__all__ = ["LANES", "eager", "show"]

STAGES = (1, 300, 3_000, EPOCHS)  # epochs after which the picture shows the line of BGD
FLOOR = 1e-14  # losses below are the rounding of float32
EAGER_SECONDS = 6.0  # the eager loop stops here, and its time is scaled to all epochs
EAGER_EVERY = 20  # epochs between two readings of the eager loop's loss, as often as the tutorial prints

LANES = (
    Lane("BGD", f"SGD(lr={LR})", lambda parameters: optim.SGD(parameters, lr=LR)),
    Lane("SGD", f"SGD(lr={LR})", lambda parameters: optim.SGD(parameters, lr=LR), batch_size=1),
    Lane("MBGD", f"SGD(lr={LR})", lambda parameters: optim.SGD(parameters, lr=LR), batch_size=10),
    Lane("AdaGrad", "Adagrad(lr=0.1)", lambda parameters: optim.Adagrad(parameters, lr=0.1)),
    Lane("Adam", f"Adam(lr={LR})", lambda parameters: optim.Adam(parameters, lr=LR)),
)


@dataclass(frozen=True, slots=True)
class Eager:
    """PyTorch's own loop: where it ended, and its time for all epochs, scaled if it was stopped early."""

    finish: Finish
    seconds: float


def eager(progress: Callable[[Finish], None], epochs: int = EPOCHS, limit: float = EAGER_SECONDS) -> Eager:
    """Run the tutorial's loop with PyTorch alone, for `epochs` or `limit` seconds, whichever ends first."""
    x, y = points()
    model, criterion = line(), nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=LR)
    seen: list[int] = []
    losses: list[float] = []
    seconds, done = 0.0, 0
    while done < epochs and seconds < limit:
        stop = min(done + 1000, epochs)
        began = time.perf_counter()
        for epoch in range(done, stop):
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if (epoch + 1) % EAGER_EVERY == 0:
                seen.append(epoch)
                losses.append(loss.item())
        seconds += time.perf_counter() - began
        done = stop
        finish = Finish(
            "PyTorch", "", torch.tensor(seen), torch.tensor(losses).double(), done, seconds, model
        )
        progress(finish)
    return Eager(finish, seconds * epochs / done)


def exact() -> Finish:
    """The optimum by `tl.fit`."""
    x, y = points()
    began = time.perf_counter()
    fit = tl.fit(x, y)
    seconds = time.perf_counter() - began
    return Finish("", "tl.fit", fit.history.epoch, fit.history.loss, 1, seconds, fit.module)


def show(output: Path | None, *, as_json: bool, epochs: int = EPOCHS) -> None:
    """Run everything, show it as it happens, write the picture."""
    target = picture.target(output, "demo.png")
    board = Board(
        say("race.title", epochs=f"{epochs:,}"),
        [*(Row(lane.name, say(f"race.{lane.name.lower()}")) for lane in LANES),
         Row(say("race.exact"), say("race.exact_call")), Row("PyTorch", say("race.eager"))],
        loss=say("board.loss"),
        floor=FLOOR,
        parameters=(say("race.slope"), say("race.intercept")),
        quiet=as_json,
    )  # fmt: skip
    with one_thread(), board:
        warm_up()
        finishes = []
        for place, lane in enumerate(LANES):
            x, y = points()
            finishes.append(train(lane, line(), x, y, nn.MSELoss(), epochs))
            board.put(place, finishes[-1], values(finishes[-1]))
        optimum = exact()
        board.put(len(LANES), optimum, values(optimum), one_pass=True)
        loop = eager(lambda finish: board.put(len(LANES) + 1, finish, values(finish), goal=epochs), epochs)
    written, problem = picture.write(target, lambda figure: draw(figure, finishes))
    if as_json:
        screen.emit(record(finishes, optimum, loop, written))
    else:
        tell(finishes, optimum, loop)
        picture.tell(written, problem)
    picture.insist(output, problem)


def warm_up() -> None:
    """Load the compiled code, so that the times are those of the training alone."""
    x, y = points()
    for lane in LANES:
        train(lane, line(), x, y, nn.MSELoss(), 2)
    tl.fit(x, y)


def values(finish: Finish) -> tuple[float, ...]:
    """Slope and intercept."""
    return tuple(parameter.item() for parameter in finish.module.parameters())


def tell(finishes: list[Finish], optimum: Finish, loop: Eager) -> None:
    """What the numbers mean, in sentences."""
    console = screen.console()
    bgd = finishes[0]
    epochs = f"{bgd.epochs:,}"
    speed = {
        "eager": duration(loop.seconds),
        "ours": duration(bgd.seconds),
        "ratio": f"{loop.seconds / bgd.seconds:,.0f}",
        "measured": f"{loop.finish.epochs:,}",
    }
    key = "race.speed" if loop.finish.epochs == bgd.epochs else "race.speed_scaled"
    console.print()
    screen.paragraph(console, say(key, epochs=epochs, **speed))
    screen.paragraph(console, say("race.lines", exact=equation(optimum), bgd=equation(bgd), epochs=epochs))
    console.print()
    screen.paragraph(console, say("race.more"))


def equation(finish: Finish) -> str:
    """``y = 2.958 x + 0.820``."""
    slope, start = values(finish)
    return f"y = {slope:.3f} x {'-' if start < 0 else '+'} {abs(start):.3f}"


def record(finishes: list[Finish], optimum: Finish, loop: Eager, written: Path | None) -> dict[str, Any]:
    """The demo as JSON."""

    def of(finish: Finish) -> dict[str, Any]:
        slope, start = values(finish)
        return {
            "name": finish.name or "exact",
            "optimizer": finish.call,
            "epochs": finish.epochs,
            "loss": float(finish.loss[-1]),
            "slope": slope,
            "intercept": start,
            "seconds": finish.seconds,
        }

    return {
        "epochs": finishes[0].epochs,
        "algorithms": [of(finish) for finish in (*finishes, optimum)],
        "pytorch": {**of(loop.finish), "optimizer": LANES[0].call, "seconds_for_all_epochs": loop.seconds},
        "times_faster": loop.seconds / finishes[0].seconds,
        "picture": None if written is None else str(written),
    }


def draw(figure: Any, finishes: list[Finish]) -> None:
    """The points in red with the line of BGD on its way; the loss by epoch."""
    x, y = points()
    fit, loss = figure.subplots(1, 2)
    fit.scatter(x, y, color=POINT, s=16, zorder=3)
    ends = torch.tensor([[0.0], [1.0]])
    for shade, epochs in enumerate(STAGES, start=1):
        stage = train(LANES[0], line(), x, y, nn.MSELoss(), epochs)
        label = f"epoch {epochs:,}: {equation(stage)}"
        with torch.no_grad():
            fit.plot(ends, stage.module(ends), color=COLOURS[0], alpha=shade / len(STAGES), label=label)
    for finish, colour in zip(finishes, COLOURS):
        shown = thinned(len(finish.loss))
        curve = finish.epoch[shown] + 1, finish.loss[shown].clamp_min(FLOOR)
        loss.plot(*curve, color=colour, linewidth=1.5, label=finish.name)
    heading(fit, "y = 3 x + 0.8", "BGD on its way")
    heading(loss, "nn.MSELoss", "every algorithm, by epoch")
    fit.set(xlabel="x", ylabel="y")
    loss.set(xlabel="epoch", ylabel="loss", xscale="log", yscale="log")
    for axes in (fit, loss):
        quiet(axes)
    fit.legend(frameon=False, fontsize=9, loc="upper left")
    loss.legend(frameon=False, fontsize=9, loc="lower left")


def thinned(epochs: int) -> list[int]:
    """Places among so many epochs, spaced evenly on a log scale, where a curve is drawn."""
    return sorted({round(epochs ** (place / 399)) - 1 for place in range(400)})
