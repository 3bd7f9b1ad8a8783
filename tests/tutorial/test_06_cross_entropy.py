"""nn.CrossEntropyLoss: for classes. Prediction first, then label; scores as they are, without a softmax."""

import math

import pytest
import torch
from torch import nn, optim

import torchlinear as tl
from torchlinear.errors import InvalidInput


@pytest.fixture
def model():
    torch.manual_seed(1)
    return nn.Linear(2, 3)


def test_it_is_minus_the_log_probability_of_the_label(three_groups, model):
    features, labels = three_groups
    scores = model(features)
    by_formula = -scores.log_softmax(dim=1)[torch.arange(300), labels].mean()
    torch.testing.assert_close(nn.CrossEntropyLoss()(scores, labels), by_formula)


def test_label_first_breaks_it(three_groups, model):
    """The order that MSELoss forgives: whole-number labels end with an error about a type."""
    features, labels = three_groups
    with pytest.raises(NotImplementedError, match="not implemented for 'Long'"):
        nn.CrossEntropyLoss()(labels, model(features))


def test_label_first_in_one_hot_form_is_a_wrong_number_without_a_word(three_groups, model):
    features, labels = three_groups
    one_hot = nn.functional.one_hot(labels).float()
    scores = model(features)
    right, wrong = nn.CrossEntropyLoss()(scores, one_hot), nn.CrossEntropyLoss()(one_hot, scores)
    torch.testing.assert_close(right, nn.CrossEntropyLoss()(scores, labels))
    assert abs(right.item() - wrong.item()) > 0.1


def test_training_is_that_of_the_loop(three_groups, model, by_hand):
    features, labels = three_groups
    twin = nn.Linear(2, 3)
    twin.load_state_dict(model.state_dict())
    fit = tl.train(
        model,
        features,
        labels,
        criterion=nn.CrossEntropyLoss(),
        optimizer=optim.SGD(model.parameters(), lr=0.5),
        epochs=200,
    )
    losses = by_hand(twin, features, labels, nn.CrossEntropyLoss(), optim.SGD(twin.parameters(), lr=0.5), 200)
    torch.testing.assert_close(model.state_dict(), twin.state_dict(), rtol=0, atol=1e-4)
    assert [float(loss) for loss in fit.history.loss] == pytest.approx(losses, rel=0, abs=1e-6)


@pytest.mark.parametrize("form", ["column", "float", "too many classes"])
def test_labels_in_the_wrong_form_are_refused_at_the_door(three_groups, model, form):
    features, labels = three_groups
    wrong = {"column": labels[:, None], "float": labels.float(), "too many classes": labels + 1}[form]
    with pytest.raises(InvalidInput):
        tl.train(
            model,
            features,
            wrong,
            criterion=nn.CrossEntropyLoss(),
            optimizer=optim.SGD(model.parameters(), lr=0.5),
            epochs=1,
        )


def test_a_softmax_before_it_stops_the_loss_half_way(three_groups, by_hand):
    """Softmax of a softmax: three classes cannot get below log(e + 2) - 1 = 0.551, however sure the model."""
    floor = math.log(math.e + 2) - 1
    certain = nn.functional.one_hot(torch.arange(3)).float()
    assert nn.CrossEntropyLoss()(certain, torch.arange(3)).item() == pytest.approx(floor, abs=1e-6)
    features, labels = three_groups
    features = 5 * features  # far apart: without the softmax the loss comes near 0
    losses = {}
    for name, layers in {"scores": [], "softmax": [nn.Softmax(dim=1)]}.items():
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(2, 3), *layers)
        by_hand(model, features, labels, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.05), 300)
        losses[name] = nn.CrossEntropyLoss()(model(features), labels).item()
    assert losses["scores"] < floor < losses["softmax"]
