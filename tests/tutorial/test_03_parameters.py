"""model.parameters() lists what can be trained; freezing takes nothing off that list."""

import pytest
import torch
from torch import nn, optim

import torchlinear as tl
from torchlinear.errors import InvalidInput


def test_a_line_has_a_weight_and_a_bias(line):
    named = {name: tuple(value.shape) for name, value in line().named_parameters()}
    assert named == {"linear.weight": (1, 1), "linear.bias": (1,)}


def test_parameters_lists_frozen_ones_too(line):
    model = line()
    model.linear.bias.requires_grad_(False)
    assert [p.requires_grad for p in model.parameters()] == [True, False]


@pytest.mark.parametrize("frozen", ["weight", "bias"])
def test_a_frozen_parameter_keeps_every_bit(points, line, by_hand, frozen):
    x, y = points
    ours, theirs = line(), line()
    for model in (ours, theirs):
        getattr(model.linear, frozen).requires_grad_(False)
    before = getattr(ours.linear, frozen).clone()
    tl.train(ours, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(ours.parameters(), lr=0.1), epochs=200)
    by_hand(theirs, x, y, nn.MSELoss(), optim.SGD(theirs.parameters(), lr=0.1), 200)
    assert torch.equal(getattr(ours.linear, frozen), before)
    assert getattr(ours.linear, frozen).grad is None
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=1e-5)


def test_the_optimizer_moves_only_what_it_was_given(points, line):
    x, y = points
    model = line()
    bias = model.linear.bias.detach().clone()
    optimizer = optim.SGD([model.linear.weight], lr=0.1)
    tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=50)
    assert torch.equal(model.linear.bias, bias)


def test_each_group_has_its_own_learning_rate(points, line, by_hand):
    x, y = points

    def optimizer_of(model):
        quick, slow = model.linear.weight, model.linear.bias
        return optim.SGD([{"params": [quick], "lr": 0.5}, {"params": [slow]}], lr=0.01)

    ours, theirs = line(), line()
    tl.train(ours, x, y, criterion=nn.MSELoss(), optimizer=optimizer_of(ours), epochs=100)
    by_hand(theirs, x, y, nn.MSELoss(), optimizer_of(theirs), 100)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=1e-5)


def test_an_optimizer_of_another_model_moves_nothing(points, line, by_hand):
    """Common in notebooks: the model is made again, the optimizer is not."""
    x, y = points
    model, optimizer = line(), optim.SGD(line().parameters(), lr=0.1)
    losses = by_hand(model, x, y, nn.MSELoss(), optimizer, 3)
    assert losses[0] == losses[2]
    with pytest.raises(InvalidInput, match="another model"):
        tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=3)
