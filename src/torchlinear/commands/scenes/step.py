"""`torchlinear demo --step`: one iteration of the training loop with all its numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from torch import nn, optim

from torchlinear.commands import screen
from torchlinear.commands.language import say
from torchlinear.commands.scenes.tutorial import EPOCHS, LR, line, points

__all__ = ["Iteration", "iterate", "show"]

SHOWN = 4  # rows of the data that are printed


@dataclass(frozen=True, slots=True)
class Iteration:
    """The numbers of one iteration.

    Attributes
    ----------
    n : int
        Rows of the data.
    rows : list of (x, y, prediction, error)
        The first rows; the error is the prediction minus y.
    lr : float
        The learning rate.
    before, after : (float, float)
        Weight and bias before and after the step.
    loss, loss_after : float
        Mean squared error before and after the step.
    by_backward : (float, float)
        Gradients of weight and bias that `backward` left in `.grad`.
    by_formula : (float, float)
        The same two from 2/n sum(error x) and 2/n sum(error).
    without_zero : (float, float)
        What `.grad` would hold if `backward` ran a second time without `zero_grad`.
    """

    n: int
    rows: list[tuple[float, float, float, float]]
    lr: float
    before: tuple[float, float]
    after: tuple[float, float]
    loss: float
    loss_after: float
    by_backward: tuple[float, float]
    by_formula: tuple[float, float]
    without_zero: tuple[float, float]


def iterate() -> Iteration:
    """Run one iteration of the tutorial's loop with PyTorch and keep every number."""
    x, y = points()
    model, criterion = line(), nn.MSELoss()
    optimizer = optim.SGD(model.parameters(), lr=LR)
    before = _parameters(model)

    prediction = model(x)
    loss = criterion(prediction, y)
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    by_backward = _gradients(model)
    loss.backward()
    without_zero = _gradients(model)
    optimizer.zero_grad()
    criterion(model(x), y).backward()
    optimizer.step()

    error = (prediction - y).detach().double()
    table = torch.cat([x.double(), y.double(), prediction.detach().double(), error], dim=1)
    return Iteration(
        n=len(x),
        rows=[(row[0], row[1], row[2], row[3]) for row in table[:SHOWN].tolist()],
        lr=LR,
        before=before,
        after=_parameters(model),
        loss=loss.item(),
        loss_after=criterion(model(x), y).item(),
        by_backward=by_backward,
        by_formula=(2 * (error * x).mean().item(), 2 * error.mean().item()),
        without_zero=without_zero,
    )


def _parameters(model: nn.Linear) -> tuple[float, float]:
    return model.weight.item(), model.bias.item()


def _gradients(model: nn.Linear) -> tuple[float, float]:
    assert model.weight.grad is not None
    assert model.bias.grad is not None
    return model.weight.grad.item(), model.bias.grad.item()


def show(*, as_json: bool) -> None:
    """Print the iteration."""
    numbers = iterate()
    if as_json:
        screen.emit(asdict(numbers))
        return
    console = screen.console()
    (w, b), (gw, gb) = numbers.before, numbers.by_backward
    console.print(Text(say("step.title"), style="bold"))
    screen.paragraph(console, say("step.start", n=numbers.n, w=_number(w), b=_number(b)))
    _heading(console, 1, "prediction = model(x)", say("step.prediction"))
    _indented(console, _data(numbers))
    _heading(console, 2, "loss = criterion(prediction, y)", say("step.loss", loss=_number(numbers.loss)))
    _heading(console, 3, "optimizer.zero_grad()", say("step.zero_grad"))
    twice = say("step.twice", once=_number(gw), twice=_number(numbers.without_zero[0]))
    screen.paragraph(console, twice, indent=3, style="dim")
    _heading(console, 4, "loss.backward()", say("step.backward"))
    _indented(console, _gradient_table(numbers))
    _heading(console, 5, "optimizer.step()", say("step.step", lr=numbers.lr))
    _indented(console, _updates(numbers, gw, gb))
    console.print()
    before, after = _number(numbers.loss), _number(numbers.loss_after)
    screen.paragraph(console, say("step.end", before=before, after=after, epochs=f"{EPOCHS:,}"))


def _heading(console: Any, place: int, code: str, meaning: str) -> None:
    console.print()
    console.print(Text.assemble((f"{place}  ", "bold"), (code, "bold cyan")))
    screen.paragraph(console, meaning, indent=3)


def _indented(console: Any, table: Table) -> None:
    console.print(Padding(table, (0, 0, 0, 3), expand=False))


def _data(numbers: Iteration) -> Table:
    table = _table("x", "y", say("step.column_prediction"), say("step.column_error"))
    for row in numbers.rows:
        table.add_row(*map(_number, row))
    table.add_row(*["..."] * 4)
    return table


def _gradient_table(numbers: Iteration) -> Table:
    table = _table("", say("step.by_backward"), say("step.by_formula"), say("step.formula"))
    table.columns[-1].justify = "left"
    formulas = (say("step.formula_w"), say("step.formula_b"))
    parts = zip(("w.grad", "b.grad"), numbers.by_backward, numbers.by_formula, formulas)
    for name, backward, formula, words in parts:
        table.add_row(name, _number(backward), _number(formula), words)
    return table


def _updates(numbers: Iteration, gw: float, gb: float) -> Table:
    table = Table.grid(padding=(0, 1))
    for name, before, gradient, after in zip("wb", numbers.before, (gw, gb), numbers.after):
        formula = f"{name} - lr * {name}.grad"
        written = f"{_number(before)} - {numbers.lr} * ({_number(gradient)})"
        table.add_row(name, "=", formula, "=", written, "=", Text(_number(after), style="bold"))
    return table


def _table(*headers: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for header in headers:
        table.add_column(header, justify="right")
    return table


def _number(value: float) -> str:
    return f"{value:.6f}"
