"""A softmax or sigmoid in the model before a criterion that applies its own is named, with the remedy."""

import warnings

import pytest
import torch
from torch import nn, optim

import torchlinear as tl
from torchlinear.errors import TorchlinearWarning


class ByHand(nn.Module):
    """A softmax that no graph shows as one."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, inputs):
        shares = self.linear(inputs).exp()
        return shares / shares.sum(dim=1, keepdim=True)


class Inside(nn.Module):
    """In a forward, with a change of shape after it."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, inputs):
        return torch.softmax(self.linear(inputs).double(), dim=1).float().reshape(-1, 3)


def sequential(*last, k=3):
    return nn.Sequential(nn.Linear(4, k), *last)


CLASSES = torch.arange(30) % 3
ZERO_ONE = (torch.arange(30) % 2).float().reshape(-1, 1)
FAULTS = {
    "softmax": (lambda: sequential(nn.Softmax(dim=1)), nn.CrossEntropyLoss(), "model ends with a softmax"),
    "softmax in forward": (Inside, nn.CrossEntropyLoss(), "model ends with a softmax"),
    "softmax by hand": (ByHand, nn.CrossEntropyLoss(), "model ends with a softmax"),
    "softmax after layers": (
        lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=-1)),
        nn.functional.cross_entropy, "model ends with a softmax",
    ),
    "log_softmax": (lambda: sequential(nn.LogSoftmax(dim=1)), nn.CrossEntropyLoss(), "changes nothing"),
    "sigmoid, classes": (lambda: sequential(nn.Sigmoid()), nn.CrossEntropyLoss(), "model ends with a sigmoid"),
    "sigmoid": (
        lambda: sequential(nn.Sigmoid(), k=1), nn.BCEWithLogitsLoss(), r"or keep a sigmoid and use nn\.BCELoss",
    ),
    "no log_softmax": (sequential, nn.NLLLoss(), r"Use nn\.CrossEntropyLoss\(\)"),
    "softmax without log": (lambda: sequential(nn.Softmax(dim=1)), nn.NLLLoss(), "log-probabilities"),
}  # fmt: skip


def train(model, criterion, **options):
    y = ZERO_ONE if isinstance(criterion, nn.BCEWithLogitsLoss | nn.BCELoss) else CLASSES
    x = torch.randn(30, 4)
    return tl.train(model, x, y, criterion, optim.SGD(model.parameters(), lr=0.1), 5, **options)


@pytest.mark.parametrize("batching", [{}, {"batch_size": 7}])
@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_named_once_in_the_line_that_called(name, batching):
    make, criterion, words = FAULTS[name]
    with pytest.warns(TorchlinearWarning, match=words) as caught:
        train(make(), criterion, **batching)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_raw_scores_are_asked_for_by_their_name():
    with pytest.warns(TorchlinearWarning, match=r"^CrossEntropyLoss expects raw scores \(logits\)"):
        train(sequential(nn.Softmax(dim=1)), nn.CrossEntropyLoss())


def scaled(model, factor):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(factor)
    return model


def one_third():
    """Zero weights and a bias that sums to 1: ordinary scores that happen to look like probabilities."""
    model = scaled(sequential(), 0.0)
    with torch.no_grad():
        model[0].bias.fill_(1 / 3)
    return model


RIGHT = {
    "scores": (sequential, nn.CrossEntropyLoss()),
    "scores near 0": (lambda: scaled(sequential(), 1e-3), nn.CrossEntropyLoss()),
    "scores of 1/3": (one_third, nn.CrossEntropyLoss()),
    "layers": (lambda: nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.Linear(8, 3)), nn.CrossEntropyLoss()),
    "a rectifier": (lambda: sequential(nn.ReLU()), nn.CrossEntropyLoss()),
    "a tangent": (lambda: sequential(nn.Tanh()), nn.CrossEntropyLoss()),
    "one score": (lambda: sequential(k=1), nn.BCEWithLogitsLoss()),
    "layers, one score": (
        lambda: nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.Linear(8, 1)), nn.BCEWithLogitsLoss(),
    ),
    "sigmoid with its own loss": (lambda: sequential(nn.Sigmoid(), k=1), nn.BCELoss()),
    "log_softmax with its own loss": (lambda: sequential(nn.LogSoftmax(dim=1)), nn.NLLLoss()),
}  # fmt: skip


@pytest.mark.parametrize("batching", [{}, {"batch_size": 7}])
@pytest.mark.parametrize("name", RIGHT)
def test_no_false_alarm(name, batching):
    make, criterion = RIGHT[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(make(), criterion, **batching)


def test_a_model_with_a_softmax_runs_in_torchs_loop():
    """The compiled loop would train another model."""
    with pytest.warns(TorchlinearWarning, match="softmax"):
        fit = train(sequential(nn.Softmax(dim=1)), nn.CrossEntropyLoss())
    assert fit.solver == "eager: PyTorch's own loop, because forward uses softmax"


class Secretly(nn.Module):
    """Affine for a symbol, a sigmoid for numbers: only the comparison on the first rows sees it."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 1)

    def forward(self, inputs):
        out = self.linear(inputs)
        return out.sigmoid() if isinstance(out, torch.Tensor) else out


def test_a_sigmoid_that_the_tracing_does_not_see_is_seen_in_the_output():
    with pytest.warns(TorchlinearWarning, match="sigmoid"):
        fit = train(Secretly(), nn.BCEWithLogitsLoss())
    assert "its output or gradients differ from those of one affine map" in fit.solver
