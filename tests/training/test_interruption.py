"""Ctrl-C: once ends the training at the next batch, twice at once."""

import copy
import signal

import pytest
import torch
from torch import nn, optim

import torchlinear as tl
from torchlinear.kernels import descent
from torchlinear.solvers import compiled, compiled_rows

F = nn.functional


class PressesCtrlC(nn.Module):
    """Two layers; forward presses Ctrl-C at the calls that it is told."""

    def __init__(self, at=()):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        self.at, self.calls = set(at), 0

    def forward(self, inputs):
        self.calls += 1
        if self.calls in self.at:
            signal.raise_signal(signal.SIGINT)
        return self.layers(inputs)


def train(model, x, y, epochs, **options):
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    return tl.train(model, x, y, nn.MSELoss(), optimizer, epochs, shuffle=False, **options), optimizer


def test_once_returns_what_the_finished_steps_left(plain_loop, rows, capsys):
    x, y = rows(dtype=torch.float32)
    model = PressesCtrlC(at=[12])
    twin = copy.deepcopy(model)
    twin.at = set()
    fit, optimizer = train(model, x, y, 1000, log_every=5)
    assert fit.status is tl.Status.INTERRUPTED
    assert len(fit.history) == 12
    assert capsys.readouterr().out.count("Epoch[") == 2
    theirs = optim.Adam(twin.parameters(), lr=0.05)
    plain_loop(twin, x, y, nn.MSELoss(), theirs, 12)
    assert all(map(torch.equal, model.state_dict().values(), twin.state_dict().values()))
    assert [s["step"].item() for s in optimizer.state.values()] == [12.0] * 4


def test_inside_an_epoch_it_ends_after_the_batch(plain_loop, rows):
    x, y = rows(dtype=torch.float32)
    model = PressesCtrlC(at=[10])  # 40 rows in batches of 10: the second batch of the third epoch
    twin = copy.deepcopy(model)
    twin.at = set()
    fit, _ = train(model, x, y, 1000, batch_size=10)
    assert fit.status is tl.Status.INTERRUPTED
    assert model.calls == 10
    assert len(fit.history) == 2
    theirs = optim.Adam(twin.parameters(), lr=0.05)
    losses = plain_loop(twin, x, y, nn.MSELoss(), theirs, 2, batch_size=10, shuffle=False)
    plain_loop(twin, x[:20], y[:20], nn.MSELoss(), theirs, 1, batch_size=10, shuffle=False)
    assert fit.history.loss.tolist() == losses
    assert all(map(torch.equal, model.state_dict().values(), twin.state_dict().values()))


def test_twice_raises_at_once(rows):
    x, y = rows(dtype=torch.float32)

    class Twice(PressesCtrlC):
        def forward(self, inputs):
            if self.calls == 3:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
            return super().forward(inputs)

    model = Twice()
    with pytest.raises(KeyboardInterrupt):
        train(model, x, y, 1000)
    assert model.calls == 3


def test_the_handler_is_put_back(rows):
    x, y = rows(dtype=torch.float32)
    before = signal.getsignal(signal.SIGINT)
    train(PressesCtrlC(at=[2]), x, y, 10)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("batch_size", [None, 8])
def test_a_compiled_training_ends_between_calls_of_the_kernel(plain_loop, rows, monkeypatch, batch_size):
    """Pressed in the third call; a call is as long as a batch or an epoch here."""
    x, y = rows(dtype=torch.float64)
    model = nn.Linear(3, 1, dtype=torch.float64)
    twin = copy.deepcopy(model)
    where, name = (descent, "full_batch") if batch_size is None else (compiled_rows, "descend")
    kernel, calls = getattr(where, name), []

    def pressed(*args):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return kernel(*args)

    monkeypatch.setattr(where, name, pressed)
    monkeypatch.setattr(compiled, "CALL_SECONDS", 1e-9)
    fit, optimizer = train(model, x, y, 10**6, batch_size=batch_size)
    assert fit.solver.startswith("compiled")
    assert fit.status is tl.Status.INTERRUPTED
    theirs = optim.Adam(twin.parameters(), lr=0.05)
    if batch_size is None:
        plain_loop(twin, x, y, nn.MSELoss(), theirs, 3)
    else:
        plain_loop(twin, x[:24], y[:24], nn.MSELoss(), theirs, 1, batch_size=8, shuffle=False)
    torch.testing.assert_close(model.state_dict(), twin.state_dict(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        [p.grad for p in model.parameters()], [p.grad for p in twin.parameters()], rtol=1e-10, atol=1e-12
    )
    assert [s["step"].item() for s in optimizer.state.values()] == [3.0, 3.0]
