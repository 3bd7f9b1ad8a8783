"""After training: eval, a prediction, and the way to NumPy."""

import numpy as np
import pytest
import torch
from torch import nn, optim

import torchlinear as tl


@pytest.fixture
def trained(points, line):
    x, y = points
    model = line()
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    return tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optimizer, epochs=300)


def test_eval_changes_nothing_for_a_line(points, line):
    x, _ = points
    model = line()
    before = model(x)
    model.eval()
    assert torch.equal(model(x), before)


def test_eval_changes_a_model_with_dropout(points):
    x, _ = points
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.5))
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize("mode", [True, False])
def test_training_leaves_the_mode_of_the_model_alone(points, line, mode):
    x, y = points
    model = line().train(mode)
    tl.train(model, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(model.parameters(), lr=0.1), epochs=3)
    assert model.training is mode


def test_a_prediction_hangs_on_its_gradient_until_detached(points, line):
    x, _ = points
    prediction = line()(x)
    with pytest.raises(RuntimeError, match="detach"):
        prediction.numpy()
    assert prediction.detach().numpy().shape == (50, 1)
    with torch.no_grad():
        assert line()(x).numpy().dtype == np.float32


def test_predict_is_the_model_without_the_gradient(points, trained):
    x, _ = points
    prediction = trained.predict(x)
    assert not prediction.requires_grad
    assert prediction.numpy().ravel() == pytest.approx(trained.module(x).detach().numpy().ravel(), abs=1e-6)


def test_predict_at_a_point_that_was_not_in_the_data(trained):
    assert float(trained.predict(torch.tensor([[2.0]])).squeeze()) == pytest.approx(6.8, abs=5e-3)


def test_the_equation_is_rounded_where_the_numbers_are(points, line):
    x, y = points
    model = line()
    with torch.no_grad():
        model.linear.weight.fill_(2.958266)
        model.linear.bias.fill_(0.820156)
    fit = tl.train(
        model, x, y, criterion=nn.MSELoss(), optimizer=optim.SGD(model.parameters(), lr=1e-9), epochs=1
    )
    assert fit.equation == "y = 2.958 x + 0.820"


def test_the_equation_is_short_where_nothing_is_lost(trained):
    assert [p.item() for p in trained.module.parameters()] == pytest.approx([3, 0.8], abs=1e-5)
    assert trained.equation == "y = 3 x + 0.8"
