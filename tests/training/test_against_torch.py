"""The compiled path against PyTorch's own loop: parameters, gradients, state, losses, what comes after."""

import copy

import pytest
import torch
from torch import nn, optim

import torchlinear as tl

DTYPES = {"float32": torch.float32, "float64": torch.float64}
# Relative; short runs. In float32 torch sums gradients in float32 and the kernels in float64.
TOLERANCE = {torch.float32: 3e-6, torch.float64: 1e-11}

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "sgd decay": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.3),
    "sgd momentum": lambda p: optim.SGD(p, lr=0.03, momentum=0.8, dampening=0.2, weight_decay=0.1),
    "sgd nesterov": lambda p: optim.SGD(p, lr=0.03, momentum=0.8, nesterov=True),
    "sgd maximize": lambda p: optim.SGD(p, lr=0.01, maximize=True, weight_decay=0.1),
    "sgd momentum maximize": lambda p: optim.SGD(p, lr=0.01, maximize=True, momentum=0.5),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.3, lr_decay=0.1, initial_accumulator_value=0.2),
    "adagrad decay": lambda p: optim.Adagrad(p, lr=0.3, weight_decay=0.2),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.02, weight_decay=0.1),
    "rmsprop momentum centered": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True, alpha=0.9),
    "adam": lambda p: optim.Adam(p, lr=0.05),
    "adam amsgrad": lambda p: optim.Adam(p, lr=0.05, amsgrad=True, weight_decay=0.1, betas=(0.7, 0.9)),
    "adam foreach": lambda p: optim.Adam(p, lr=0.05, foreach=True, weight_decay=0.1),
    "adamw fused": lambda p: optim.AdamW(p, lr=0.05, fused=True),
    "adam maximize": lambda p: optim.Adam(p, lr=0.01, maximize=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.05, weight_decay=0.2),
    "adadelta": lambda p: optim.Adadelta(p, lr=1.0, rho=0.8, weight_decay=0.1),
    "nadam": lambda p: optim.NAdam(p, lr=0.03, weight_decay=0.1, momentum_decay=0.01),
    "nadam decoupled": lambda p: optim.NAdam(p, lr=0.03, weight_decay=0.1, decoupled_weight_decay=True),
}
BATCHES = {
    "all rows": {},
    "batches": {"batch_size": 16},  # 40 rows: the last batch has 8
    "one row": {"batch_size": 1},
    "in order": {"batch_size": 13, "shuffle": False},
    "more than all": {"batch_size": 100},
}


def check(
    model, optimizer, x, y, tools, *, epochs=12, criterion=None, scheduler=None, tolerance=None, **batching
):
    """Train twins by torch and by `tl.train`, compare everything, then take one more step with each."""
    plain_loop, twins, assert_same, everything = tools
    criterion = nn.MSELoss() if criterion is None else criterion
    twin, twin_optimizer, twin_scheduler = twins(model, optimizer, scheduler)
    tolerance = TOLERANCE[x.dtype] if tolerance is None else tolerance
    generators = (torch.Generator().manual_seed(3), torch.Generator().manual_seed(3))
    fit = tl.train(
        model, x, y, criterion, optimizer, epochs, scheduler=scheduler, generator=generators[0], **batching
    )
    assert fit.solver.startswith("compiled"), fit.solver
    losses = plain_loop(
        twin, x, y, criterion, twin_optimizer, epochs,
        scheduler=twin_scheduler, generator=generators[1], **batching,
    )  # fmt: skip
    scale = max(abs(loss) for loss in losses)
    assert fit.history.loss.tolist() == pytest.approx(losses, rel=10 * tolerance, abs=tolerance * scale)
    ours = everything(model, optimizer, scheduler)
    theirs = everything(twin, twin_optimizer, twin_scheduler)
    size = max(float(p.detach().abs().max()) for p in twin.parameters())
    slope = max([float(p.grad.abs().max()) for p in twin.parameters() if p.grad is not None], default=0.0)
    assert_same(ours, theirs, rtol=10 * tolerance, atol=10 * tolerance * max(size, slope, slope**2))
    assert torch.equal(generators[0].get_state(), generators[1].get_state())
    plain_loop(model, x, y, criterion, optimizer, 1)
    plain_loop(twin, x, y, criterion, twin_optimizer, 1)
    assert_same(
        everything(model, optimizer, scheduler),
        everything(twin, twin_optimizer, twin_scheduler),
        rtol=10 * tolerance,
        atol=10 * tolerance * max(size, slope, slope**2),
    )
    return fit


@pytest.fixture
def tools(plain_loop, twins, assert_same, everything):
    return plain_loop, twins, assert_same, everything


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batching", BATCHES)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_optimizer_with_every_batch_size(tools, rows, Line, kind, batching, dtype):
    x, y = rows(dtype=DTYPES[dtype])
    model = Line(3, 1, DTYPES[dtype])
    check(model, OPTIMIZERS[kind](model.parameters()), x, y, tools, **BATCHES[batching])


@pytest.mark.parametrize(
    "kind", ["sgd momentum", "adam amsgrad", "nadam", "rmsprop momentum centered", "adagrad"]
)
@pytest.mark.parametrize("batching", ["all rows", "batches"])
def test_state_that_is_there_is_the_start(tools, rows, Line, kind, batching):
    x, y = rows()
    model = Line(3, 1, torch.float64)
    optimizer = OPTIMIZERS[kind](model.parameters())
    tools[0](model, x, y, nn.MSELoss(), optimizer, 5)
    check(model, optimizer, x, y, tools, **BATCHES[batching])


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("batching", [{}, {"batch_size": 10}])
def test_several_outputs_and_both_reductions(tools, rows, Line, outputs, reduction, batching):
    x, y = rows(k=outputs)
    model = Line(3, outputs, torch.float64)
    optimizer = optim.SGD(model.parameters(), lr=0.1 if reduction == "mean" else 0.002)
    check(model, optimizer, x, y, tools, criterion=nn.MSELoss(reduction=reduction), **batching)


class Product(nn.Module):
    """x @ W + b with parameters of one's own."""

    def __init__(self, p, k, bias=True):
        super().__init__()
        self.W = nn.Parameter(torch.randn(p, k, dtype=torch.float64))
        self.b = nn.Parameter(torch.randn(k, dtype=torch.float64)) if bias else None

    def forward(self, inputs):
        out = inputs @ self.W
        return out if self.b is None else out + self.b


class Vector(nn.Module):
    """x @ w + b with a vector and a number, predictions (n,)."""

    def __init__(self, p):
        super().__init__()
        self.w = nn.Parameter(torch.randn(p, dtype=torch.float64))
        self.b = nn.Parameter(torch.randn((), dtype=torch.float64))

    def forward(self, inputs):
        return self.b + torch.matmul(inputs, self.w)


class Reversed(nn.Module):
    """Bias first in the list of parameters, and a functional call."""

    def __init__(self, p):
        super().__init__()
        self.b = nn.Parameter(torch.randn(1, dtype=torch.float64))
        self.W = nn.Parameter(torch.randn(1, p, dtype=torch.float64))

    def forward(self, inputs):
        return nn.functional.linear(inputs, self.W, bias=self.b).squeeze(-1)


MODELS = {
    "linear itself": (lambda: nn.Linear(3, 2, dtype=torch.float64), (40, 3), (40, 2)),
    "no bias": (lambda: nn.Linear(3, 1, bias=False, dtype=torch.float64), (40, 3), (40, 1)),
    "sequential": (lambda: nn.Sequential(nn.Identity(), nn.Linear(3, 1).double()), (40, 3), (40, 1)),
    "flatten before": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 2, dtype=torch.float64)), (40, 2, 3), (40, 2),
    ),
    "flatten after": (
        lambda: nn.Sequential(nn.Linear(3, 1, dtype=torch.float64), nn.Flatten(0)), (40, 3), (40,),
    ),
    "product": (lambda: Product(3, 2), (40, 3), (40, 2)),
    "product, no bias": (lambda: Product(3, 2, bias=False), (40, 3), (40, 2)),
    "vector": (lambda: Vector(3), (40, 3), (40,)),
    "bias first": (lambda: Reversed(3), (40, 3), (40,)),
    "more features than rows": (lambda: nn.Linear(30, 1, dtype=torch.float64), (20, 30), (20, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["sgd momentum", "adam"])
@pytest.mark.parametrize("batching", [{}, {"batch_size": 7}])
def test_every_way_to_write_an_affine_map(tools, name, kind, batching):
    make, takes, gives = MODELS[name]
    x, y = torch.randn(takes, dtype=torch.float64), torch.randn(gives, dtype=torch.float64)
    model = make()
    optimizer = (
        optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
        if kind[0] == "s"
        else optim.Adam(model.parameters())
    )
    check(model, optimizer, x, y, tools, tolerance=1e-10, **batching)


@pytest.mark.parametrize("layout", ["transposed", "strided", "expanded", "read backwards"])
@pytest.mark.parametrize("batching", [{}, {"batch_size": 7}])
def test_rows_in_any_layout(tools, rows, Line, layout, batching):
    x, y = rows()
    x, y = {
        "transposed": lambda: (x.T.contiguous().T, y),
        "strided": lambda: (torch.randn(80, 9, dtype=torch.float64)[::2, ::3], y.repeat(1, 4)[:, ::4]),
        "expanded": lambda: (x[:1].expand(40, 3), y),
        "read backwards": lambda: (x.flip(0), y[:1].expand(40, 1)),
    }[layout]()
    model = Line(3, 1, torch.float64)
    check(model, optim.Adam(model.parameters(), lr=0.05), x, y, tools, **batching)


AWKWARD = {
    "a column twice": lambda x: x[:, [0, 1, 0]],
    "a constant column": lambda x: torch.cat([x[:, :2], torch.full_like(x[:, :1], 3.0)], dim=1),
    "a column of zeros": lambda x: torch.cat([x[:, :2], torch.zeros_like(x[:, :1])], dim=1),
    "all rows the same": lambda x: x[:1].repeat(40, 1),
    "far from zero": lambda x: x + torch.tensor([0.0, 30.0, -20.0]),
    "of different size": lambda x: x * torch.tensor([1e-4, 1.0, 10.0]),
}


@pytest.mark.parametrize("kind", ["sgd", "adam", "adagrad"])
@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_columns(tools, rows, Line, name, kind):
    x, y = rows()
    model = Line(3, 1, torch.float64)
    make = {"sgd": lambda p: optim.SGD(p, lr=1e-4, momentum=0.9)}.get(kind, OPTIMIZERS[kind])
    check(model, make(model.parameters()), AWKWARD[name](x), y, tools, epochs=100, tolerance=1e-10)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("batching", [{}, {"batch_size": 2}])
def test_few_rows(tools, rows, Line, n, batching):
    x, y = rows(n=n)
    model = Line(3, 1, torch.float64)
    check(model, optim.SGD(model.parameters(), lr=0.05, momentum=0.5), x, y, tools, **batching)


def test_a_perfect_fit_from_the_start(tools, rows, Line):
    """No gradient but rounding: nothing moves."""
    x, _ = rows()
    model = Line(3, 1, torch.float64)
    y = model(x).detach()
    before = model.linear.weight.clone()
    fit = tl.train(model, x, y, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), 50)
    assert fit.solver.startswith("compiled")
    assert float(fit.history.loss.max()) < 1e-30
    torch.testing.assert_close(model.linear.weight, before, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("target", [torch.float16, torch.float64, torch.int64])
def test_targets_of_another_dtype_where_torch_takes_them(tools, rows, Line, target):
    x, y = rows(dtype=torch.float32)
    model = Line(3)
    check(model, optim.SGD(model.parameters(), lr=0.1), x, (4 * y).to(target), tools)


@pytest.mark.parametrize("frozen", ["weight", "bias"])
@pytest.mark.parametrize("kind", ["sgd momentum", "adamw"])
@pytest.mark.parametrize("batching", [{}, {"batch_size": 16}])
def test_a_frozen_parameter_stays_and_has_no_gradient(tools, rows, Line, frozen, kind, batching):
    x, y = rows()
    model = Line(3, 1, torch.float64)
    getattr(model.linear, frozen).requires_grad_(False)
    before = getattr(model.linear, frozen).clone()
    check(model, OPTIMIZERS[kind](model.parameters()), x, y, tools, **batching)
    assert torch.equal(getattr(model.linear, frozen), before)


@pytest.mark.parametrize("batching", [{}, {"batch_size": 16}])
def test_each_group_has_its_own_numbers(tools, rows, Line, batching):
    x, y = rows(k=2)
    model = Line(3, 2, torch.float64)
    groups = [
        {"params": [model.linear.bias], "lr": 0.2, "weight_decay": 0.5},
        {"params": [model.linear.weight]},
    ]
    check(model, optim.Adam(groups, lr=0.01, betas=(0.8, 0.95)), x, y, tools, **batching)


def test_groups_whose_state_began_at_different_times(tools, rows, Line):
    x, y = rows()
    model = Line(3, 1, torch.float64)
    optimizer = optim.Adam([{"params": [model.linear.weight]}], lr=0.02)
    model.linear.bias.requires_grad_(False)
    tools[0](model, x, y, nn.MSELoss(), optimizer, 7)
    model.linear.bias.requires_grad_(True)
    optimizer.add_param_group({"params": [model.linear.bias]})
    check(model, optimizer, x, y, tools)


def test_a_gradient_left_over_does_not_count(tools, rows, Line):
    x, y = rows()
    model = Line(3, 1, torch.float64)
    nn.functional.mse_loss(model(x), y).backward()
    check(model, optim.SGD(model.parameters(), lr=0.1), x, y, tools)


SCHEDULERS = {
    "lambda": lambda o: optim.lr_scheduler.LambdaLR(o, lambda epoch: 0.9**epoch),
    "multiplicative": lambda o: optim.lr_scheduler.MultiplicativeLR(o, lambda epoch: 0.95),
    "step": lambda o: optim.lr_scheduler.StepLR(o, 3, 0.5),
    "multi step": lambda o: optim.lr_scheduler.MultiStepLR(o, [2, 5], 0.5),
    "constant": lambda o: optim.lr_scheduler.ConstantLR(o, 0.3, 4),
    "linear": lambda o: optim.lr_scheduler.LinearLR(o, 0.1, 1.0, 6),
    "exponential": lambda o: optim.lr_scheduler.ExponentialLR(o, 0.8),
    "polynomial": lambda o: optim.lr_scheduler.PolynomialLR(o, 9, 2.0),
    "cosine": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 5),
    "restarts": lambda o: optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2),
}


@pytest.mark.parametrize("batching", [{}, {"batch_size": 16}])
@pytest.mark.parametrize("kind", ["sgd momentum", "adam"])
@pytest.mark.parametrize("schedule", SCHEDULERS)
def test_schedules_of_the_learning_rate(tools, rows, Line, schedule, kind, batching):
    x, y = rows()
    model = Line(3, 1, torch.float64)
    optimizer = OPTIMIZERS[kind](
        [{"params": [model.linear.weight]}, {"params": [model.linear.bias], "lr": 0.003}]
    )
    scheduler = SCHEDULERS[schedule](optimizer)
    # deepcopy of the optimiser would keep the step that the scheduler wrapped, bound to the original
    twin = copy.deepcopy(model)
    twin_optimizer = OPTIMIZERS[kind](
        [{"params": [twin.linear.weight]}, {"params": [twin.linear.bias], "lr": 0.003}]
    )
    twin_scheduler = SCHEDULERS[schedule](twin_optimizer)
    generators = (torch.Generator().manual_seed(3), torch.Generator().manual_seed(3))
    plain_loop, _, assert_same, everything = tools
    fit = tl.train(
        model, x, y, nn.MSELoss(), optimizer, 12, scheduler=scheduler, generator=generators[0], **batching
    )
    assert fit.solver.startswith("compiled"), fit.solver
    losses = plain_loop(
        twin,
        x,
        y,
        nn.MSELoss(),
        twin_optimizer,
        12,
        scheduler=twin_scheduler,
        generator=generators[1],
        **batching,
    )
    assert fit.history.loss.tolist() == pytest.approx(losses, rel=1e-10)
    ours, theirs = everything(model, optimizer, scheduler), everything(twin, twin_optimizer, twin_scheduler)
    for one in (ours, theirs):
        one["scheduler"] = {k: v for k, v in one["scheduler"].items() if k != "lr_lambdas"}
    assert_same(ours, theirs, rtol=1e-10, atol=1e-10)
    scheduler.step()  # warns, and so fails, if torch thinks that no step of the optimiser came before


@pytest.mark.parametrize("batching", [{}, {"batch_size": 16}])
@pytest.mark.parametrize("schedule", ["lambda", "exponential", "step"])
def test_a_schedule_ends_where_divergence_ends_the_training(rows, Line, schedule, batching):
    x, y = rows()
    model = Line(3, 1, torch.float64)
    optimizer = optim.SGD(model.parameters(), lr=1e40, momentum=0.9)
    scheduler = SCHEDULERS[schedule](optimizer)
    twin = SCHEDULERS[schedule](optim.SGD(model.parameters(), lr=1e40, momentum=0.9))
    with pytest.warns(tl.ConvergenceWarning, match="diverged"):
        fit = tl.train(model, x, y, nn.MSELoss(), optimizer, 5_000, scheduler=scheduler, **batching)
    assert fit.solver.startswith("compiled")
    assert fit.status is tl.Status.DIVERGED
    twin.optimizer.step()
    for _ in range(len(fit.history)):
        twin.step()
    assert 0 < scheduler.last_epoch == len(fit.history) < 5_000
    assert scheduler.get_last_lr() == twin.get_last_lr()
    assert optimizer.param_groups[0]["lr"] == twin.optimizer.param_groups[0]["lr"]


def test_thirty_thousand_epochs_of_the_first_program(plain_loop, Line):
    """Float32, full batch: 3,000 of its epochs here, so that the test is short."""
    x = torch.rand(50, 1)
    y = 3 * x + 0.8
    model = Line()
    twin = copy.deepcopy(model)
    fit = tl.train(model, x, y, nn.MSELoss(), optim.SGD(model.parameters(), lr=1e-3), epochs=3_000)
    losses = plain_loop(twin, x, y, nn.MSELoss(), optim.SGD(twin.parameters(), lr=1e-3), 3_000)
    assert fit.solver.startswith("compiled")
    assert fit.history.loss.tolist() == pytest.approx(losses, rel=0, abs=1e-6)
    torch.testing.assert_close(model.state_dict(), twin.state_dict(), rtol=0, atol=1e-4)
