"""nn.MSELoss: the mean of the squared errors, for numbers."""

import pytest
import torch
from torch import nn, optim

import torchlinear as tl
from torchlinear.errors import InvalidInput


def test_it_is_the_mean_of_the_squared_errors(points, line):
    x, y = points
    prediction = line()(x)
    torch.testing.assert_close(nn.MSELoss()(prediction, y), ((prediction - y) ** 2).mean())


def test_its_two_arguments_may_be_swapped(points, line):
    x, y = points
    prediction = line()(x)
    assert nn.MSELoss()(prediction, y).item() == nn.MSELoss()(y, prediction).item()


def test_losses_of_the_epochs_are_those_of_the_loop(points, line, by_hand):
    x, y = points
    ours, theirs = line(), line()
    fit = tl.train(
        ours, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(ours.parameters(), lr=0.1), epochs=500
    )
    losses = by_hand(theirs, x, y, nn.MSELoss(), optim.SGD(theirs.parameters(), lr=0.1), 500)
    assert [float(loss) for loss in fit.history.loss] == pytest.approx(losses, rel=0, abs=1e-6)


def test_a_column_against_a_row_is_fifty_by_fifty_errors(points, line, by_hand):
    """(50, 1) against (50,): PyTorch warns, goes on, and learns the mean of y with no slope."""
    x, y = points
    model = line()
    with pytest.warns(UserWarning, match="different to the input size"):
        by_hand(model, x, y[:, 0], nn.MSELoss(), optim.SGD(model.parameters(), lr=0.5), 1000)
    assert model.linear.weight.item() == pytest.approx(0, abs=1e-4)
    assert model.linear.bias.item() == pytest.approx(y.mean().item(), abs=1e-4)


@pytest.mark.parametrize("flat", ["target", "model"])
def test_here_it_is_an_error_that_names_both_shapes(points, line, flat):
    x, y = points
    model = line() if flat == "target" else nn.Sequential(nn.Linear(1, 1), nn.Flatten(0))
    target = y[:, 0] if flat == "target" else y
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    with pytest.raises(InvalidInput) as raised:
        tl.train(model, x, target, criterion=nn.MSELoss(), optimizer=optimizer, epochs=10)
    assert "(50, 1)" in str(raised.value)
    assert "(50,)" in str(raised.value)
    assert torch.equal(torch.cat([p.detach().flatten() for p in model.parameters()]), before)
