"""`torchlinear demo --code`: the tutorial's program and ours, side by side."""

from __future__ import annotations

from rich.console import Group
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from torchlinear.commands import screen
from torchlinear.commands.language import say

__all__ = ["COMPILED", "DATA", "EXACT", "LOOP", "show"]

SIDE_BY_SIDE = 112  # columns that two programs and the space between them need

DATA = """\
import torch
from torch import nn, optim

torch.manual_seed(0)
x = torch.rand(50, 1)
y = 3 * x + 0.8
"""

_MODEL = """\
model = nn.Linear(1, 1)
criterion = nn.MSELoss()
optimizer = optim.SGD(model.parameters(), lr=1e-3)
"""

LOOP = (
    _MODEL
    + """\

for epoch in range(30_000):
    loss = criterion(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if (epoch + 1) % 20 == 0:
        print(f"Epoch[{epoch}/30000], loss: {loss:.6f}")
"""
)

COMPILED = (
    """\
import torchlinear as tl

"""
    + _MODEL
    + """\

tl.train(
    model, x, y,
    criterion=criterion, optimizer=optimizer,
    epochs=30_000, log_every=20,
)
"""
)

EXACT = """\
import torchlinear as tl

fit = tl.fit(x, y)
print(fit.equation)
"""


def show(*, as_json: bool) -> None:
    """Print the programs: beside each other where the terminal is wide enough."""
    if as_json:
        screen.emit({"data": DATA, "loop": LOOP, "compiled": COMPILED, "exact": EXACT})
        return
    console = screen.console()
    console.print(_block("code.data", DATA), "", sep="\n")
    left, right = _block("code.loop", LOOP), _block("code.compiled", COMPILED)
    if console.width >= SIDE_BY_SIDE:
        pair = Table.grid(padding=(0, 4))
        pair.add_row(left, right)
        console.print(pair, "", sep="\n")
    else:
        console.print(left, "", right, "", sep="\n")
    console.print(_block("code.exact", EXACT))
    console.print(say("code.end"))


def _block(title: str, program: str) -> Group:
    code = Syntax(program, "python", theme="ansi_dark", background_color="default")
    return Group(Text(say(title), style="bold"), code)
