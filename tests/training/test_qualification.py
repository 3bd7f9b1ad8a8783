"""When training is compiled and when it is not; and that finding out leaves no trace."""

import contextlib
import copy
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.nn.utils import prune
from torch.optim.optimizer import register_optimizer_step_post_hook

import torchlinear as tl
from torchlinear.training.tracing import NotAffine, trace


def why(model, rows, **options):
    """Train for two epochs, on the twin of a plain loop; return `fit.solver`."""
    x, y = rows(dtype=torch.float32)
    optimizer = options.pop("optimizer", None) or optim.SGD(model.parameters(), lr=0.01)
    criterion = options.pop("criterion", nn.MSELoss())
    return tl.train(
        model, options.pop("x", x), options.pop("y", y), criterion, optimizer, 2, **options
    ).solver


class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 1)
        self.calls = 0
        self.seen = []

    def forward(self, inputs):
        return self.linear(inputs)


class Twice(Base):
    """Two stacked layers are one affine map, but train differently."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2, bias=False)
        self.second = nn.Linear(2, 1, bias=False)

    def forward(self, inputs):
        return self.second(self.linear(inputs))


class UsedTwice(Base):
    def forward(self, inputs):
        return self.linear(inputs) + self.linear(inputs)


class Scaled(Base):
    def forward(self, inputs):
        return 2 * self.linear(inputs)


class Weighed(Base):
    def forward(self, inputs):
        return nn.functional.linear(inputs, 2 * self.linear.weight, self.linear.bias)


class Prints(Base):
    def forward(self, inputs):
        print("shape", inputs.shape)
        return self.linear(inputs)


class Counts(Base):
    def forward(self, inputs):
        self.calls += 1
        return self.linear(inputs)


class Collects(Base):
    def forward(self, inputs):
        self.seen.append(1)
        return self.linear(inputs)


class Branches(Base):
    def forward(self, inputs):
        return self.linear(inputs) if inputs.sum() > 0 else -self.linear(inputs)


class Draws(Base):
    def forward(self, inputs):
        return self.linear(inputs) if torch.rand(()) < 2 else inputs


class DrawsInPython(Base):
    def forward(self, inputs):
        return self.linear(inputs) if random.random() < 2 else inputs


class DrawsInNumpy(Base):
    def forward(self, inputs):
        return self.linear(inputs) if np.random.rand() < 2 else inputs


class Flips(Base):
    def forward(self, inputs):
        return self.linear(inputs.flip(0))


class Rows(Base):
    """A view that makes other rows of the same numbers."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def forward(self, inputs):
        return self.linear(inputs.view(-1, 1)).view(-1, 3)[:, :1]


class Warns(Base):
    def forward(self, inputs):
        import warnings

        warnings.warn("something", UserWarning, stacklevel=1)
        return self.linear(inputs)


class Detaches(Base):
    def forward(self, inputs):
        out = self.linear(inputs)
        if isinstance(out, torch.Tensor):  # not in the tracing: only the comparison of gradients sees it
            out = out.detach() + out - out.detach() if self.training else out.sign()
        return out


class Secretly(Base):
    """Does one thing to a symbol and another to numbers."""

    def forward(self, inputs):
        return self.linear(inputs) if not isinstance(inputs, torch.Tensor) else 3 * self.linear(inputs)


REFUSED = {
    Twice: "forward uses linear",
    UsedTwice: "forward uses add",
    Scaled: "forward uses mul",
    Weighed: "a tensor that is not a parameter",
    Counts: "forward changes the module",
    Collects: "forward changes the module",
    Branches: "cannot be traced",
    Draws: "forward draws random numbers",
    DrawsInPython: "forward draws random numbers",
    DrawsInNumpy: "forward draws random numbers",
    Flips: "forward uses flip",
    Rows: "forward uses getitem",
    Secretly: "output or gradients differ",
}


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)
def test_forwards_that_run_in_torchs_loop(rows, kind):
    assert REFUSED[kind] in why(kind(), rows)


def test_a_forward_that_prints_prints_every_epoch(rows, capsys):
    assert "forward prints" in why(Prints(), rows)
    assert capsys.readouterr().out == "shape torch.Size([40, 3])\n" * 2


def test_a_forward_that_warns_warns_every_epoch(rows):
    with pytest.warns(UserWarning, match="something") as warned:
        assert "forward prints or warns" in why(Warns(), rows)
    assert len(warned) == 2


def test_a_forward_that_counts_counts_epochs(rows):
    model = Counts()
    why(model, rows)
    assert model.calls == 2
    model = Collects()
    why(model, rows)
    assert model.seen == [1, 1]


def parametrised():
    return nn.utils.parametrizations.weight_norm(nn.Linear(3, 1))


def pruned():
    layer = nn.Linear(3, 1)
    prune.l1_unstructured(layer, "weight", 1)
    return layer


def subclassed():
    class Doubling(nn.Linear):
        def forward(self, inputs):
            return 2 * super().forward(inputs)

    return Doubling(3, 1)


def reshaped():
    """Arithmetic on a parameter before it is used."""

    class Reshaped(Base):
        def forward(self, inputs):
            return inputs @ self.linear.weight.T + self.linear.bias

    return Reshaped()


def with_buffer():
    model = Base()
    model.register_buffer("offset", torch.ones(1))
    return model


@pytest.mark.parametrize(
    "make",
    [
        parametrised, pruned, subclassed, reshaped, with_buffer,
        lambda: nn.Sequential(nn.Linear(3, 1), nn.Dropout(0.0)),
        lambda: nn.Sequential(nn.Linear(3, 1), nn.ReLU()),
        lambda: nn.Sequential(nn.LayerNorm(3, elementwise_affine=False), nn.Linear(3, 1)),
        lambda: torch.compile(nn.Linear(3, 1), backend="eager"),
    ],
)  # fmt: skip
def test_modules_that_run_in_torchs_loop(plain_loop, rows, make):
    x, y = rows(dtype=torch.float32)
    torch.manual_seed(1)
    model = make()
    torch.manual_seed(1)
    twin = make()
    fit = tl.train(model, x, y, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01), 3)
    losses = plain_loop(twin, x, y, nn.MSELoss(), optim.SGD(twin.parameters(), lr=0.01), 3)
    assert fit.solver.startswith("eager: ")
    assert fit.history.loss.tolist() == losses


def count(calls):
    return lambda *args: calls.append(1)


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
@pytest.mark.parametrize(
    "where",
    ["forward", "forward_pre", "full_backward", "full_backward_pre", "parameter", "accumulate", "criterion",
     "optimizer pre", "optimizer post", "global forward", "global optimizer"],
)  # fmt: skip
def test_hooks_are_called_by_torchs_loop(rows, where):
    model, calls = Base(), []
    optimizer, criterion = optim.SGD(model.parameters(), lr=0.01), nn.MSELoss()
    hook = count(calls)
    handle = {
        "forward": lambda: model.linear.register_forward_hook(hook),
        "forward_pre": lambda: model.register_forward_pre_hook(hook),
        "full_backward": lambda: model.linear.register_full_backward_hook(hook),
        "full_backward_pre": lambda: model.linear.register_full_backward_pre_hook(hook),
        "parameter": lambda: model.linear.weight.register_hook(hook),
        "accumulate": lambda: model.linear.weight.register_post_accumulate_grad_hook(hook),
        "criterion": lambda: criterion.register_forward_hook(hook),
        "optimizer pre": lambda: optimizer.register_step_pre_hook(hook),
        "optimizer post": lambda: optimizer.register_step_post_hook(hook),
        "global forward": lambda: nn.modules.module.register_module_forward_hook(hook),
        "global optimizer": lambda: register_optimizer_step_post_hook(hook),
    }[where]()
    calls_of_one = {"global forward": 3}.get(where, 1)  # the model, its layer and the criterion
    try:
        assert "hook" in why(model, rows, optimizer=optimizer, criterion=criterion)
    finally:
        handle.remove()
    assert len(calls) == 2 * calls_of_one, "once an epoch: finding out called nothing"
    assert why(model, rows, optimizer=optimizer, criterion=criterion).startswith("compiled")


def test_autocast_runs_in_torchs_loop(rows):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert "autocast" in why(Base(), rows)


def test_dispatch_modes_see_torchs_loop(rows):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        assert why(Base(), rows).startswith("eager")
    assert counter.get_total_flops() > 0


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda p: optim.RAdam(p), "RAdam"),
        (lambda p: type("Mine", (optim.SGD,), {})(p, lr=0.1), "Mine"),
        (lambda p: optim.SGD(p, lr=torch.tensor(0.1)), "tensor"),
    ],
)
def test_optimizers_that_run_in_torchs_loop(rows, make, reason):
    model = Base()
    assert reason in why(model, rows, optimizer=make(model.parameters()))


def test_what_torchs_step_refuses_stays_its_error(rows):
    model = Base()
    with pytest.raises(AssertionError, match="capturable"):
        why(model, rows, optimizer=optim.Adam(model.parameters(), capturable=True))
    with pytest.raises(RuntimeError, match="a leaf Variable"):
        why(model, rows, optimizer=optim.SGD(model.parameters(), lr=0.1, differentiable=True))


def test_a_step_that_was_replaced_is_called(rows):
    model, calls = Base(), []
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    step = optimizer.step
    optimizer.step = lambda *args: (calls.append(1), step(*args))[1]
    assert "replaced" in why(model, rows, optimizer=optimizer)
    assert len(calls) == 2


def test_gradients_of_what_the_optimizer_does_not_hold_add_up_as_in_torch(plain_loop, rows):
    x, y = rows(dtype=torch.float32)
    model = Base()
    twin = copy.deepcopy(model)
    fit = tl.train(model, x, y, nn.MSELoss(), optim.SGD([model.linear.weight], lr=0.01), 5)
    plain_loop(twin, x, y, nn.MSELoss(), optim.SGD([twin.linear.weight], lr=0.01), 5)
    assert "is not in the optimiser" in fit.solver
    assert torch.equal(model.linear.bias.grad, twin.linear.bias.grad)


def test_rows_that_want_a_gradient_get_it(rows):
    x, y = rows(dtype=torch.float32)
    x.requires_grad_(True)
    model = Base()
    assert "x or y requires a gradient" in why(model, rows, x=x, y=y)
    assert x.grad.abs().sum() > 0


def test_sums_over_a_smaller_last_batch(rows):
    criterion = nn.MSELoss(reduction="sum")
    assert "last batch" in why(Base(), rows, criterion=criterion, batch_size=16)
    assert why(Base(), rows, criterion=criterion, batch_size=20).startswith("compiled")


def test_a_view_to_a_fixed_number_of_rows(rows):
    """It works for all rows at once, which is compiled; in batches it is PyTorch's own error."""

    class Fixed(Base):
        def forward(self, inputs):
            return self.linear(inputs.view(40, 3))

    assert why(Fixed(), rows).startswith("compiled")
    with pytest.raises(tl.InvalidInput, match=r"shape '\[40, 3\]' is invalid"):
        why(Fixed(), rows, batch_size=16)


def test_large_products_are_left_to_torch():
    x, y = torch.randn(300, 400), torch.randn(300, 200)
    model = nn.Linear(400, 200)
    fit = tl.train(model, x, y, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01), 2, batch_size=100)
    assert "faster at this size" in fit.solver


def test_finding_out_leaves_no_trace(rows):
    """Whatever the answer: gradients, random state, attributes, training mode and output are as before."""
    x, _ = rows(dtype=torch.float32)
    for kind in (Base, *REFUSED, Prints):
        model = kind()
        for p in model.parameters():
            p.grad = torch.randn_like(p)
        before = copy.deepcopy(
            (model.state_dict(), [p.grad for p in model.parameters()], model.calls, model.seen)
        )
        numbers = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
        versions = [p._version for p in model.parameters()]
        with contextlib.suppress(NotAffine):
            trace(model, x)
        after = model.state_dict(), [p.grad for p in model.parameters()], model.calls, model.seen
        assert all(map(torch.equal, before[0].values(), after[0].values()))
        assert all(map(torch.equal, before[1], after[1]))
        assert before[2:] == after[2:]
        assert versions == [p._version for p in model.parameters()]
        assert torch.equal(numbers[0], torch.get_rng_state())
        assert numbers[1] == random.getstate()
        assert (numbers[2] == np.random.get_state()[1]).all()
        assert set(vars(model)) == set(vars(kind()))


def test_random_numbers_go_on_as_in_torchs_loop(plain_loop, rows, Line):
    """Shuffling by the global generator, as torch's loop does; nothing else draws from it."""
    x, y = rows(dtype=torch.float32)
    model = Line(3)
    twin = copy.deepcopy(model)
    torch.manual_seed(9)
    fit = tl.train(model, x, y, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01), 3, batch_size=8)
    ours = torch.rand(3)
    torch.manual_seed(9)
    plain_loop(twin, x, y, nn.MSELoss(), optim.SGD(twin.parameters(), lr=0.01), 3, batch_size=8)
    assert fit.solver.startswith("compiled")
    assert torch.equal(ours, torch.rand(3))
    torch.testing.assert_close(model.state_dict(), twin.state_dict(), rtol=1e-5, atol=1e-6)


def test_two_threads_find_out_at_once(rows):
    """Nothing of torch is patched while a module is traced."""
    x, y = rows(dtype=torch.float32)

    def one(kind):
        model = kind()
        for _ in range(20):
            tl.train(model, x, y, nn.MSELoss(), optim.SGD(model.parameters(), lr=1e-3), 2)
        return model

    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(one, [Base, Scaled, Base, Twice]))
    assert all(bool(torch.isfinite(p).all()) for model in models for p in model.parameters())
