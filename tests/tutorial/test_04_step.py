"""zero_grad, backward, step: clear the old slope, find the new one, walk down it."""

from itertools import pairwise

import torch
from torch import nn, optim

import torchlinear as tl


def test_backward_is_the_derivative_of_the_mean_square(points, line):
    x, y = points
    model = line()
    error = (model(x) - y).detach()
    nn.functional.mse_loss(model(x), y).backward()
    torch.testing.assert_close(model.linear.weight.grad, (2 * error * x).mean().reshape(1, 1))
    torch.testing.assert_close(model.linear.bias.grad, (2 * error).mean().reshape(1))


def test_gradients_add_up_until_they_are_cleared(points, line):
    x, y = points
    model = line()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    nn.functional.mse_loss(model(x), y).backward()
    once = model.linear.weight.grad.clone()
    nn.functional.mse_loss(model(x), y).backward()
    torch.testing.assert_close(model.linear.weight.grad, 2 * once)
    optimizer.zero_grad()
    assert model.linear.weight.grad is None


def test_never_cleared_they_swing_the_line_back_and_forth_without_end(points, line):
    x, y = points
    model = line()
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    away = []
    for _ in range(2000):
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        away.append(model.linear.weight.item() - 3)
    crossings = sum(a * b < 0 for a, b in pairwise(away))
    assert crossings >= 6
    assert max(away[-600:]) > 1, "as far beyond the goal as ever"


def test_step_walks_by_learning_rate_times_gradient(points, line):
    x, y = points
    model = line()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    nn.functional.mse_loss(model(x), y).backward()
    expected = model.linear.weight - 0.1 * model.linear.weight.grad
    optimizer.step()
    torch.testing.assert_close(model.linear.weight, expected)


def test_a_gradient_left_over_does_not_enter_the_training(points, line):
    x, y = points
    clean, dirty = line(), line()
    nn.functional.mse_loss(dirty(x), y).backward()
    for model in (clean, dirty):
        tl.train(
            model, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=10
        )
    torch.testing.assert_close(clean.state_dict(), dirty.state_dict(), rtol=0, atol=0)


def test_training_leaves_the_gradient_of_its_last_step(points, line, by_hand):
    x, y = points
    ours, theirs = line(), line()
    tl.train(ours, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(ours.parameters(), lr=0.1), epochs=10)
    by_hand(theirs, x, y, nn.MSELoss(), optim.SGD(theirs.parameters(), lr=0.1), 10)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=0, atol=1e-6)


def test_ten_epochs_and_one_step_by_hand_are_eleven_epochs(points, line, by_hand):
    x, y = points
    ours, theirs = line(), line()
    optimizer = optim.SGD(ours.parameters(), lr=0.1, momentum=0.9)
    tl.train(ours, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=10)
    by_hand(ours, x, y, nn.MSELoss(), optimizer, 1)
    by_hand(theirs, x, y, nn.MSELoss(), optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9), 11)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=1e-5)
