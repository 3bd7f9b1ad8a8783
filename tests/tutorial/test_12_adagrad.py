"""AdaGrad: every parameter has its own learning rate, which shrinks with the gradients that it has seen."""

import numpy as np
import pytest
import torch
from torch import nn, optim

import torchlinear as tl


def adagrad(x, y, weight, bias, lr, epochs):
    """Follow Duchi, Hazan & Singer (2011) in NumPy: s <- s + g^2; w <- w - lr g / (sqrt(s) + 1e-10)."""
    line, seen = np.array([weight, bias]), np.zeros(2)
    for _ in range(epochs):
        error = line[0] * x + line[1] - y
        gradient = np.array([(2 * error * x).mean(), (2 * error).mean()])
        seen += gradient**2
        line -= lr * gradient / (np.sqrt(seen) + 1e-10)
    return line, seen


@pytest.fixture
def trained(points, line):
    x, y = points
    model = line()
    start = [p.item() for p in model.parameters()]
    optimizer = optim.Adagrad(model.parameters(), lr=0.5)
    fit = tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=300)
    return fit, optimizer, start


def test_it_is_the_formula(points, trained):
    x, y = (values.numpy().astype(float).ravel() for values in points)
    fit, _, start = trained
    expected, _ = adagrad(x, y, *start, lr=0.5, epochs=300)
    assert [p.item() for p in fit.module.parameters()] == pytest.approx(expected, abs=1e-4)


def test_it_follows_the_loop(points, line, by_hand, trained):
    x, y = points
    twin = line()
    losses = by_hand(twin, x, y, nn.MSELoss(), optim.Adagrad(twin.parameters(), lr=0.5), 300)
    torch.testing.assert_close(trained[0].module.state_dict(), twin.state_dict(), rtol=0, atol=1e-4)
    assert [float(loss) for loss in trained[0].history.loss] == pytest.approx(losses, rel=0, abs=1e-6)


def test_the_sum_of_squares_stays_in_the_optimizer(points, trained):
    x, y = (values.numpy().astype(float).ravel() for values in points)
    fit, optimizer, start = trained
    _, seen = adagrad(x, y, *start, lr=0.5, epochs=300)
    states = [optimizer.state[p] for p in fit.module.parameters()]
    assert [state["sum"].item() for state in states] == pytest.approx(seen, rel=1e-4)
    assert [float(state["step"]) for state in states] == [300, 300]


def test_its_step_only_ever_shrinks(points, line):
    x, y = points
    model = line()
    optimizer = optim.Adagrad(model.parameters(), lr=0.5)
    rates = []
    for _ in range(30):
        tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=10)
        rates.append(0.5 / optimizer.state[model.linear.weight]["sum"].sqrt().item())
    assert rates == sorted(rates, reverse=True)
