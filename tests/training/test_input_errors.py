"""Every mistake has its own sentence, and nothing has changed when it is said."""

import copy
import re

import numpy as np
import pytest
import torch
from torch import nn, optim

import torchlinear as tl

OTHER = "cuda" if torch.cuda.is_available() else "meta"


def line(dtype=torch.float32):
    return nn.Linear(1, 1, dtype=dtype)


def sgd(model):
    return optim.SGD(model.parameters(), lr=0.1)


class Given:
    """What a call of `tl.train` is given, with one thing wrong."""

    def __init__(self, **wrong):
        x = torch.rand(50, 1)
        self.model = wrong.pop("model", None) or line()
        self.options = {"x": x, "y": 3 * x + 0.8, "criterion": nn.MSELoss(), "epochs": 5, **wrong}
        if (
            "optimizer" not in self.options
            and isinstance(self.model, nn.Module)
            and "_parameters" in vars(self.model)
        ):
            parameters = list(self.model.parameters())
            self.options["optimizer"] = optim.SGD(parameters, lr=0.1) if parameters else None

    def train(self):
        return tl.train(self.model, **self.options)


class NoSuper(nn.Module):
    def __init__(self):
        self.layers = [line()]

    def forward(self, inputs):
        return self.layers[0](inputs)


class Farward(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = line()

    def farward(self, inputs):
        return self.linear(inputs)


class NoForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = line()


class NoInput(NoForward):
    def forward(self):
        return self.linear.weight


class TwoInputs(NoForward):
    def forward(self, inputs, more):
        return self.linear(inputs) + more


class InAList(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [line()]

    def forward(self, inputs):
        return self.layers[0](inputs)


class NoReturn(NoForward):
    def forward(self, inputs):
        self.linear(inputs)


class Detached(NoForward):
    def forward(self, inputs):
        return self.linear(inputs).detach()


class Tuple(NoForward):
    def forward(self, inputs):
        return self.linear(inputs), inputs


def frozen():
    return line().requires_grad_(False)


x = torch.rand(50, 1)
three = torch.arange(50) % 3
other = line()

WRONG = {
    "a class for a model": (lambda: Given(model=nn.Linear), r"model is the class Linear; .*Linear\(\)"),
    "x for a model": (lambda: Given(model=[1]), r"model is a list; expected a torch.nn.Module"),
    "no super": (lambda: Given(model=NoSuper()), r"NoSuper.__init__ does not call super\(\).__init__\(\)"),
    "farward": (lambda: Given(model=Farward()), r"no method forward; farward looks like it: rename it"),
    "no forward": (lambda: Given(model=NoForward()), r"no method forward; define forward\(self, x\)"),
    "a list of modules": (
        lambda: Given(model=nn.ModuleList([line()])),
        r"no method forward; .*nn.Sequential",
    ),
    "no input": (lambda: Given(model=NoInput()), r"NoInput.forward does not take one input x"),
    "two inputs": (lambda: Given(model=TwoInputs()), r"TwoInputs.forward does not take one input x: .*more"),
    "layers in a list": (
        lambda: Given(model=InAList()),
        r"InAList has no parameters to train; .*nn.ModuleList",
    ),
    "no return": (lambda: Given(model=NoReturn()), r"forward returns None; .*return"),
    "detached": (lambda: Given(model=Detached()), r"does not depend on any trainable parameter; .*detach"),
    "a tuple": (lambda: Given(model=Tuple()), r"forward returns a tuple; MSELoss needs a tensor"),
    "frozen": (lambda: Given(model=frozen()), r"every parameter of Linear is frozen"),
    "x an array": (lambda: Given(x=np.ones((50, 1))), r"x is a ndarray; expected a tensor.*torch.as_tensor"),
    "y a list": (lambda: Given(y=[1.0] * 50), r"y is a list; expected a tensor"),
    "x sparse": (lambda: Given(x=x.to_sparse()), r"x is sparse \(torch.sparse_coo\); pass x.to_dense\(\)"),
    "x a number": (lambda: Given(x=torch.tensor(1.0)), r"x is a single number"),
    "no rows": (lambda: Given(x=torch.empty(0, 1), y=torch.empty(0, 1)), r"no rows to train on"),
    "fewer targets": (lambda: Given(y=torch.rand(49, 1)), r"x has 50 rows .*y has 49"),
    "NaN in x": (lambda: Given(x=torch.full((50, 1), torch.nan)), r"x holds 50 values that are not finite"),
    "inf in y": (
        lambda: Given(y=torch.where(x > x.median(), torch.inf, x)),
        r"y holds 25 values that are not",
    ),
    "inf and minus inf": (
        lambda: Given(x=torch.cat([torch.tensor([[torch.inf], [-torch.inf]]), x[2:]])),
        r"x holds 2 values that are not finite",
    ),
    "y a row": (
        lambda: Given(y=x[:, 0]),
        r"\(50,\).*\(50, 1\).*silently.*\(50, 50\); pass y.reshape\(-1, 1\)",
    ),
    "output a row": (
        lambda: Given(model=nn.Sequential(line(), nn.Flatten(0))),
        r"\(50, 1\).*\(50,\).*pass y.reshape\(-1\)",
    ),
    "y too wide": (lambda: Given(y=torch.rand(50, 2)), r"\(50, 2\).*\(50, 1\); .*must be the same shape"),
    "x too wide": (
        lambda: Given(x=torch.rand(50, 3)),
        r"x of shape \(50, 3\) \(its first layer takes 1 feat",
    ),
    "x a row": (lambda: Given(x=x[:, 0]), r"does not take x of shape \(50,\)"),
    "x in double": (lambda: Given(x=x.double()), r"x is float64 and the parameters .* float32; pass x.to\("),
    "model in double": (
        lambda: Given(model=line(torch.float64)),
        r"x is float32 and the parameters .* float64",
    ),
    "x whole numbers": (lambda: Given(x=three[:, None]), r"x is int64 .* float32.*Were x and y swapped"),
    "x elsewhere": (
        lambda: Given(x=x.to(OTHER)),
        rf"x is on {OTHER}.* and the model on cpu; .*x.to\(device\)",
    ),
    "model elsewhere": (lambda: Given(model=line().to(OTHER)), rf"x is on cpu and the model on {OTHER}"),
    "y elsewhere": (lambda: Given(y=x.to(OTHER)), rf"y is on {OTHER}.* on cpu; y = y.to\('cpu'\)"),
    "a class for a loss": (lambda: Given(criterion=nn.MSELoss), r"the class MSELoss; write nn.MSELoss\(\)"),
    "a word for a loss": (
        lambda: Given(criterion="mse"),
        r"criterion='mse' cannot be called; .*nn.MSELoss\(\)",
    ),
    "a loss by row": (lambda: Given(criterion=nn.MSELoss(reduction="none")), r"reduction='none'.*'mean'"),
    "several losses": (
        lambda: Given(criterion=lambda a, b: (a - b) ** 2),
        r"tensor of shape \(50, 1\); .*one number",
    ),
    "a Python number": (lambda: Given(criterion=lambda a, b: 1.0), r"gives a float; expected one number"),
    "labels for Huber": (
        lambda: Given(criterion=nn.BCEWithLogitsLoss(), y=three[:, None]),
        r"int64.*can't be cast",
    ),
    "one class": (
        lambda: Given(criterion=nn.CrossEntropyLoss(), y=three),
        r"one score a row.*BCEWithLogitsLoss",
    ),
    "optimizer class": (
        lambda: Given(optimizer=optim.SGD),
        r"optimizer is the class SGD; .*model.parameters\(\)",
    ),
    "optimizer word": (lambda: Given(optimizer="sgd"), r"optimizer is 'sgd'; expected an optimiser"),
    "another's optimizer": (lambda: Given(optimizer=sgd(other)), r"none of the 2 parameters .*another model"),
    "scheduler class": (
        lambda: Given(scheduler=optim.lr_scheduler.StepLR),
        r"scheduler is a type; expected one of",
    ),
    "another's scheduler": (
        lambda: Given(scheduler=optim.lr_scheduler.StepLR(sgd(other), 3)),
        r"scheduler was made for another",
    ),
    "no epochs": (lambda: Given(epochs=0), r"epochs=0; expected a whole number of at least 1"),
    "negative epochs": (lambda: Given(epochs=-3), r"epochs=-3; expected"),
    "half epochs": (lambda: Given(epochs=2.5), r"epochs=2.5; expected"),
    "true epochs": (lambda: Given(epochs=True), r"epochs=True; expected"),
    "no batch": (lambda: Given(batch_size=0), r"batch_size=0; expected a whole number of at least 1"),
    "half a batch": (lambda: Given(batch_size=0.5), r"batch_size=0.5; expected"),
    "no log": (lambda: Given(log_every=0), r"log_every=0; expected a whole number of at least 1"),
    "device": (lambda: Given(device="gpu"), r"device='gpu' is not known. Known here: auto, cpu"),
    "a seed for a generator": (
        lambda: Given(batch_size=2, generator=3),
        r"generator is a int; expected a torch.Gen",
    ),
}


def remembered(given):
    if not isinstance(given.model, nn.Module) or "_parameters" not in vars(given.model):
        return None
    optimizer = given.options.get("optimizer")
    state = optimizer.state_dict() if isinstance(optimizer, optim.Optimizer) else None
    parameters = [(p.detach().clone(), p.grad, p.device) for p in given.model.parameters()]
    return copy.deepcopy((parameters, state))


@pytest.mark.parametrize("name", WRONG)
def test_each_mistake_has_its_sentence(name):
    make, sentence = WRONG[name]
    given = make()
    before = remembered(given)
    with pytest.raises(tl.TorchlinearError) as raised:
        given.train()
    message = str(raised.value)
    assert re.search(sentence, message, re.DOTALL), message
    assert message.endswith((".", "?"))
    assert "\n" not in message
    after = remembered(given)
    if before is not None and all(p.device.type == "cpu" for p in given.model.parameters()):
        assert all(
            torch.equal(a[0], b[0]) and a[1] is b[1] is None for a, b in zip(before[0], after[0], strict=True)
        )
        assert before[1] == after[1]


LABELS = {
    "a column": (
        three[:, None],
        r"\(50, 1\) and is int64; .*class numbers of shape \(50,\): y.reshape\(50\).long",
    ),
    "a float column": (three[:, None].float(), r"\(50, 1\) and is float32; .*y.reshape\(50\).long\(\)"),
    "floats": (three.float(), r"\(50,\) and is float32; .*int64: y.long\(\)"),
    "int32": (three.int(), r"is int32; .*y.long\(\)"),
    "from one": (three + 1, r"classes 1 to 3, and the model gives 3 scores, for classes 0 to 2"),
    "negative": (three - 1, r"classes -1 to 1"),
    "whole one-hot": (nn.functional.one_hot(three), r"probabilities of that shape as numbers: y.float\(\)"),
    "too wide": (torch.rand(50, 4), r"\(50, 4\) and is float32; .*number of the class of each row"),
}


@pytest.mark.parametrize("batch_size", [None, 10])
@pytest.mark.parametrize("name", LABELS)
def test_labels_of_the_wrong_kind(name, batch_size):
    labels, sentence = LABELS[name]
    model = nn.Linear(2, 3)
    before = model.weight.detach().clone()
    with pytest.raises(tl.InvalidInput) as raised:
        tl.train(
            model, torch.rand(50, 2), labels, nn.CrossEntropyLoss(), sgd(model), 2,
            batch_size=batch_size, shuffle=False,
        )  # fmt: skip
    sentence = sentence.replace("50", str(batch_size)) if batch_size else sentence
    assert re.search(sentence, str(raised.value)), str(raised.value)
    assert torch.equal(model.weight, before)


def test_a_label_out_of_range_in_the_last_batch_is_seen_at_the_door():
    labels = three.clone()
    labels[-1] = 3
    model = nn.Linear(2, 3)
    with pytest.raises(tl.InvalidInput, match="classes 0 to 3"):
        tl.train(
            model,
            torch.rand(50, 2),
            labels,
            nn.CrossEntropyLoss(),
            sgd(model),
            2,
            batch_size=10,
            shuffle=False,
        )


def test_prediction_and_label_the_wrong_way_round():
    model = nn.Linear(2, 3)
    with pytest.raises(
        tl.InvalidInput, match=r"criterion\(model\(x\), y\) fails .*not implemented for 'Long'"
    ):
        tl.train(
            model, torch.rand(50, 2), three, lambda out, y: nn.functional.cross_entropy(y, out), sgd(model), 2
        )


def test_inside_no_grad():
    with torch.no_grad(), pytest.raises(tl.InvalidInput, match=r"inside torch.no_grad\(\)"):
        Given().train()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_asked_for_and_absent():
    given = Given(device="cuda")
    with pytest.raises(tl.InvalidInput, match="sees no CUDA device; use device='cpu'"):
        given.train()


def test_an_error_of_ones_own_comes_through_as_it_is():
    class Mine(NoForward):
        def forward(self, inputs):
            return self.liner(inputs)

    with pytest.raises(AttributeError, match="liner"):
        Given(model=Mine()).train()


def test_the_cause_of_a_translated_error_is_kept():
    with pytest.raises(tl.InvalidInput) as raised:
        Given(x=torch.rand(50, 3)).train()
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_one_number_against_one_number_is_no_mistake():
    model = nn.Linear(1, 1)
    fit = tl.train(model, torch.ones(1, 1), torch.ones(1, 1), nn.MSELoss(), sgd(model), 50)
    assert float(fit.history.loss[-1]) < 1e-6


def test_values_whose_sum_overflows_are_finite():
    model = nn.Linear(1, 1, bias=False)
    x = torch.full((4, 1), 3e38)
    fit = tl.train(model, x, torch.zeros(4, 1), nn.L1Loss(), optim.SGD(model.parameters(), lr=1e-45), 1)
    assert len(fit.history) == 1
