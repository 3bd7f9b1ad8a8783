"""A model is a subclass of nn.Module: it calls super().__init__() and has a method named forward."""

import pytest
import torch
from torch import nn, optim

import torchlinear as tl
from torchlinear.errors import InvalidInput


class WithoutSuper(nn.Module):
    """Forgets super().__init__(); a plain list hides it until somebody asks for the parameters."""

    def __init__(self):
        self.layers = [nn.Linear(1, 1)]

    def forward(self, inputs):
        return self.layers[0](inputs)


class Farward(nn.Module):
    """Has everything but a method of the right name."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def farward(self, inputs):
        return self.linear(inputs)


class WithoutForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)


def test_a_complete_subclass_trains(points, line):
    x, y = points
    model = line()
    fit = tl.train(
        model, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(model.parameters(), lr=0.5), epochs=300
    )
    assert fit.module is model
    assert model.linear.weight.item() == pytest.approx(3, abs=1e-3)
    assert model.linear.bias.item() == pytest.approx(0.8, abs=1e-3)


def test_pytorch_notices_a_forgotten_super_at_the_first_layer():
    class Early(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\) call"):
        Early()


def test_a_super_forgotten_unnoticed_is_named(points):
    x, y = points
    model = WithoutSuper()
    optimizer = optim.SGD(model.layers[0].parameters(), lr=0.1)
    with pytest.raises(InvalidInput, match=r"super\(\).__init__\(\)"):
        tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=1)


def test_a_misspelt_forward_is_named(points):
    x, y = points
    model = Farward()
    with pytest.raises(NotImplementedError, match="forward"):
        model(x)
    with pytest.raises(InvalidInput, match=r"forward") as raised:
        tl.train(
            model, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=1
        )
    assert "farward" in str(raised.value), "the method that was meant is named"


def test_a_missing_forward_is_named(points):
    x, y = points
    model = WithoutForward()
    with pytest.raises(InvalidInput, match=r"forward"):
        tl.train(
            model, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=1
        )


def test_super_in_the_old_spelling_is_the_same(points):
    class Old(nn.Module):
        def __init__(self):
            super(Old, self).__init__()  # noqa: UP008  the spelling of many tutorials
            self.linear = nn.Linear(1, 1)

        def forward(self, inputs):
            return self.linear(inputs)

    x, y = points
    model = Old()
    before = nn.functional.mse_loss(model(x), y).item()
    fit = tl.train(
        model, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=50
    )
    assert float(fit.history.loss[0]) == pytest.approx(before, abs=1e-6)
    assert torch.nn.functional.mse_loss(model(x), y).item() < before
