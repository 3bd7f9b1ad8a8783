"""Lines of the log: which epochs, which text, where they go, and that they cost next to nothing."""

import io
import subprocess
import sys
import time

import pytest
import torch
from torch import nn, optim

import torchlinear as tl
from torchlinear.loop import History
from torchlinear.solvers.base import State
from torchlinear.training.train import _EpochLog

F = nn.functional


def layers(compiled):
    torch.manual_seed(4)
    return nn.Linear(3, 1) if compiled else nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize(("epochs", "every"), [(60, 20), (59, 20), (7, 1), (19, 20), (20, 20)])
def test_lines_are_those_of_the_loop(plain_loop, rows, capsys, compiled, batch_size, epochs, every):
    x, y = rows(dtype=torch.float32)
    ours, theirs = layers(compiled), layers(compiled)
    options = {"batch_size": batch_size, "shuffle": False}
    fit = tl.train(
        ours, x, y, nn.MSELoss(), optim.SGD(ours.parameters(), lr=0.01), epochs, log_every=every, **options
    )
    assert fit.solver.startswith("compiled" if compiled else "eager")
    printed = capsys.readouterr().out
    losses = plain_loop(
        theirs, x, y, nn.MSELoss(), optim.SGD(theirs.parameters(), lr=0.01), epochs, **options
    )
    expected = [(i, loss) for i, loss in enumerate(losses) if (i + 1) % every == 0]
    lines = printed.splitlines(keepends=True)
    assert len(lines) == len(expected)
    for line, (epoch, loss) in zip(lines, expected, strict=True):
        start, number = line.split(" loss: ")
        assert start == f"Epoch[{epoch}/{epochs}],"
        assert number == f"{float(number):.6f}\n"
        assert float(number) == pytest.approx(loss, abs=1.01e-6)


def test_the_line_of_the_tutorial(capsys):
    log = _EpochLog(30_000, 20)
    history = History()
    trace = torch.full((20,), 1.1183607, dtype=torch.float64)
    history.extend(trace)
    log(State(torch.empty(0, 1), epoch=20, trace=trace), history)
    assert capsys.readouterr().out == "Epoch[19/30000], loss: 1.118361\n"


@pytest.mark.parametrize("cuts", [[7, 13, 1, 19, 20, 40], [100], [1] * 100])
def test_lines_do_not_depend_on_where_steps_end(capsys, cuts):
    losses = torch.rand(100, dtype=torch.float64)
    log, history, first = _EpochLog(100, 15), History(), 0
    for count in cuts:
        trace = losses[first : first + count]
        history.extend(trace)
        log(State(torch.empty(0, 1), trace=trace), history)
        first += count
    expected = [f"Epoch[{i}/100], loss: {losses[i]:.6f}" for i in range(14, 100, 15)]
    assert capsys.readouterr().out.splitlines() == expected


def test_fifteen_hundred_lines_take_a_few_milliseconds(monkeypatch):
    trace = torch.rand(30_000, dtype=torch.float64)
    took = []
    for _ in range(5):
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        history = History()
        history.extend(trace)
        began = time.perf_counter()
        _EpochLog(30_000, 20)(State(torch.empty(0, 1), trace=trace), history)
        took.append(time.perf_counter() - began)
        assert sys.stdout.getvalue().count("\n") == 1500
    assert min(took) < 0.02


@pytest.mark.parametrize("compiled", [True, False])
def test_the_log_of_a_training_that_diverges_reaches_stdout(plain_loop, rows, capsys, compiled):
    x, y = rows(dtype=torch.float32)
    model, twin = layers(compiled), layers(compiled)
    with pytest.warns(tl.ConvergenceWarning, match="diverged.*lower lr"):
        fit = tl.train(model, x, y, nn.MSELoss(), optim.SGD(model.parameters(), lr=50.0), 500, log_every=1)
    assert fit.status is tl.Status.DIVERGED
    lines = capsys.readouterr().out.splitlines()
    losses = plain_loop(twin, x, y, nn.MSELoss(), optim.SGD(twin.parameters(), lr=50.0), len(lines))
    assert len(lines) == len(fit.history) < 500
    assert [line.split(",")[0] for line in lines] == [f"Epoch[{i}/500]" for i in range(len(lines))]
    assert [float(line.split()[-1]) for line in lines[:5]] == pytest.approx(losses[:5], rel=1e-5)


def test_no_stdout_is_no_reason_to_stop(monkeypatch, rows):
    """`pythonw` has none."""
    x, y = rows(dtype=torch.float32)
    model = layers(True)
    monkeypatch.setattr(sys, "stdout", None)
    fit = tl.train(model, x, y, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01), 40, log_every=20)
    assert len(fit.history) == 40


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "utf-16"])
def test_streams_of_any_encoding(monkeypatch, rows, encoding):
    x, y = rows(dtype=torch.float32)
    model, raw = layers(True), io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, newline="\n"))
    tl.train(model, x, y, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01), 40, log_every=20)
    assert raw.getvalue().decode(encoding).count("Epoch[") == 2


def test_lines_appear_while_the_training_goes_on():
    """In a pipe, too: a line is there soon after its epoch, not at the end."""
    program = """
import time, torch, torchlinear as tl
from torch import nn
model = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
model.register_forward_hook(lambda *_: time.sleep(0.05))
x = torch.rand(4, 1)
tl.train(model, x, x, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.01), 60, log_every=1)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline().startswith("Epoch[0/60]")
        first = time.perf_counter()
        rest = process.stdout.read().splitlines()
        assert time.perf_counter() - first > 1.0, "59 epochs of 0.05 seconds came after the first line"
    assert len(rest) == 59
    assert process.returncode == 0
