"""Adam: a running mean of the gradient, divided by the root of a running mean of its square."""

import numpy as np
import pytest
import torch
from torch import nn, optim

import torchlinear as tl


def adam(x, y, weight, bias, lr, epochs):
    """Follow Kingma & Ba (2015), algorithm 1, in NumPy: beta1 0.9, beta2 0.999, epsilon 1e-8."""
    line, mean, square = np.array([weight, bias]), np.zeros(2), np.zeros(2)
    for step in range(1, epochs + 1):
        error = line[0] * x + line[1] - y
        gradient = np.array([(2 * error * x).mean(), (2 * error).mean()])
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        line -= lr * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    return line


@pytest.fixture
def trained(points, line):
    x, y = points
    model = line()
    start = [p.item() for p in model.parameters()]
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    fit = tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=100)
    return fit, optimizer, start


def test_it_is_the_formula(points, trained):
    x, y = (values.numpy().astype(float).ravel() for values in points)
    fit, _, start = trained
    expected = adam(x, y, *start, lr=0.05, epochs=100)
    assert [p.item() for p in fit.module.parameters()] == pytest.approx(expected, abs=1e-4)


def test_it_follows_the_loop(points, line, by_hand, trained):
    x, y = points
    twin = line()
    losses = by_hand(twin, x, y, nn.MSELoss(), optim.Adam(twin.parameters(), lr=0.05), 100)
    torch.testing.assert_close(trained[0].module.state_dict(), twin.state_dict(), rtol=0, atol=1e-4)
    assert [float(loss) for loss in trained[0].history.loss] == pytest.approx(losses, rel=0, abs=1e-6)


def test_its_first_step_is_the_learning_rate_whatever_the_slope(points, line):
    for scale in (1, 1000):
        x, y = points
        model = line()
        start = model.linear.weight.item()
        optimizer = optim.Adam(model.parameters(), lr=0.05)
        tl.train(model, x, scale * y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=1)
        assert abs(model.linear.weight.item() - start) == pytest.approx(0.05, rel=1e-4)


def test_its_memory_stays_in_the_optimizer(points, line, by_hand, trained):
    """So another epoch by hand goes on where tl.train stopped."""
    x, y = points
    fit, optimizer, _ = trained
    twin = line()
    theirs = optim.Adam(twin.parameters(), lr=0.05)
    by_hand(twin, x, y, nn.MSELoss(), theirs, 100)
    for mine, other in zip(fit.module.parameters(), twin.parameters(), strict=True):
        assert optimizer.state[mine].keys() == theirs.state[other].keys()
        assert float(optimizer.state[mine]["step"]) == 100
        for key in ("exp_avg", "exp_avg_sq"):
            torch.testing.assert_close(
                optimizer.state[mine][key], theirs.state[other][key], rtol=1e-3, atol=1e-6
            )
    by_hand(fit.module, x, y, nn.MSELoss(), optimizer, 20)
    by_hand(twin, x, y, nn.MSELoss(), theirs, 20)
    torch.testing.assert_close(fit.module.state_dict(), twin.state_dict(), rtol=0, atol=1e-4)
