"""An instance is called like a function: model(x) runs forward, before any training too."""

import pytest
import torch
from torch import nn, optim

import torchlinear as tl


def test_calling_the_model_runs_forward(points, line):
    x, _ = points
    model = line()
    by_formula = x * model.linear.weight.item() + model.linear.bias.item()
    torch.testing.assert_close(model(x), by_formula)
    torch.testing.assert_close(model(x), model.forward(x))


def test_linear_counts_columns_and_takes_any_number_of_rows(line):
    model = line()
    assert (model.linear.in_features, model.linear.out_features) == (1, 1)
    assert [model(torch.zeros(n, 1)).shape for n in (1, 50, 1000)] == [(1, 1), (50, 1), (1000, 1)]


def test_training_starts_from_the_line_that_the_model_drew_before(points, line):
    x, y = points
    model = line()
    first = nn.functional.mse_loss(model(x), y).item()
    fit = tl.train(
        model, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=5
    )
    assert float(fit.history.loss[0]) == pytest.approx(first, abs=1e-6)


def test_hooks_run_in_call_and_not_in_forward(points, line):
    x, y = points
    seen = []
    model = line()
    model.register_forward_hook(lambda module, args, output: seen.append(len(output)))
    model.forward(x)
    assert seen == []
    model(x)
    assert seen == [50]
    seen.clear()
    tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=3)
    # A hook may do anything, so the model with one is trained by PyTorch's own loop, and sees every epoch.
    assert seen.count(50) >= 3
