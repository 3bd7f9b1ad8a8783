"""What is not compiled runs PyTorch's own loop: the same bits, the same random numbers, the same buffers."""

import copy

import pytest
import torch
from torch import nn, optim

import torchlinear as tl

F = nn.functional


def two_layers():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def with_dropout_and_norm():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.3), nn.Linear(4, 1))


OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.003, momentum=0.5),
    "adam": lambda p: optim.Adam(p, lr=0.05),
    "radam": lambda p: optim.RAdam(p, lr=0.05),
    "asgd": lambda p: optim.ASGD(p, lr=0.05),
    "rprop": lambda p: optim.Rprop(p, lr=0.01),
    "adamax": lambda p: optim.Adamax(p, lr=0.02),
}


def train_both(tools, model, make, x, y, criterion, epochs=6, seed=11, **batching):
    """Train a model and its copy from the same random state; return the fit, all of ours, all of theirs."""
    plain_loop, everything = tools
    twin = copy.deepcopy(model)
    ours, theirs = make(model.parameters()), make(twin.parameters())
    torch.manual_seed(seed)
    fit = tl.train(model, x, y, criterion, ours, epochs, **batching)
    torch.manual_seed(seed)
    losses = plain_loop(twin, x, y, criterion, theirs, epochs, **batching)
    assert fit.solver.startswith("eager: ")
    assert fit.history.loss.tolist() == losses
    return fit, everything(model, ours), everything(twin, theirs)


@pytest.fixture
def tools(plain_loop, everything):
    return plain_loop, everything


@pytest.mark.parametrize("batching", [{}, {"batch_size": 16}, {"batch_size": 7, "shuffle": False}])
@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("make", [two_layers, with_dropout_and_norm])
def test_any_module_any_optimizer(tools, rows, assert_same, make, kind, batching):
    x, y = rows(dtype=torch.float32)
    _, ours, theirs = train_both(tools, make(), OPTIMIZERS[kind], x, y, nn.MSELoss(), **batching)
    assert_same(ours, theirs, rtol=0)


CRITERIA = {
    "soft margin": (nn.SoftMarginLoss(), "signs"),
    "squared hinge": (nn.MultiMarginLoss(p=2), "classes"),
    "soft margins": (nn.MultiLabelSoftMarginLoss(), "zeros and ones"),
    "divergence": (nn.KLDivLoss(reduction="batchmean"), "probabilities"),
    "function": (F.multi_margin_loss, "classes"),
    "of one's own": (lambda out, y: ((out - y) ** 4).mean(), "numbers"),
}


@pytest.mark.parametrize("batching", [{}, {"batch_size": 9}])
@pytest.mark.parametrize("name", CRITERIA)
def test_one_linear_layer_with_any_loss(tools, rows, assert_same, name, batching):
    criterion, kind = CRITERIA[name]
    x, y = rows(dtype=torch.float32)
    y = {
        "numbers": y,
        "signs": (y - y.median()).sign(),
        "zeros and ones": (torch.rand(40, 3) > 0.5).float(),
        "classes": torch.arange(40) % 3,
        "probabilities": torch.rand(40, 3).softmax(dim=1),
    }[kind]
    model = nn.Linear(3, 1 if kind in ("numbers", "signs") else 3)
    make = OPTIMIZERS["sgd"]
    fit, ours, theirs = train_both(tools, model, make, x, y, criterion, **batching)
    assert_same(ours, theirs, rtol=0)
    assert "is not compiled yet" in fit.solver
    assert torch.equal(fit.coef.reshape(3, -1), model.weight.detach().double().T)


def test_an_optimizer_that_asks_for_a_closure(rows):
    x, y = rows(dtype=torch.float32)
    model = two_layers()
    twin = copy.deepcopy(model)
    ours, theirs = optim.LBFGS(model.parameters(), max_iter=5), optim.LBFGS(twin.parameters(), max_iter=5)
    fit = tl.train(model, x, y, nn.MSELoss(), ours, epochs=4)
    losses = []
    for _ in range(4):

        def closure():
            loss = F.mse_loss(twin(x), y)
            theirs.zero_grad()
            loss.backward()
            return loss

        losses.append(theirs.step(closure).item())
    assert fit.history.loss.tolist() == losses
    assert all(map(torch.equal, model.state_dict().values(), twin.state_dict().values()))


@pytest.mark.parametrize("kind", ["plateau", "one cycle"])
def test_schedulers_that_need_more_than_the_epoch(plain_loop, rows, Line, kind):
    """`ReduceLROnPlateau` sees the loss; `OneCycleLR` moves the momentum too. Both run in torch's loop."""

    def make(optimizer):
        if kind == "plateau":
            return optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, threshold=0.2, factor=0.5)
        return optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=20)

    x, y = rows(dtype=torch.float32)
    model = Line(3)
    twin = copy.deepcopy(model)
    ours, theirs = (optim.SGD(m.parameters(), lr=0.1, momentum=0.5) for m in (model, twin))
    fit = tl.train(model, x, y, nn.MSELoss(), ours, 15, scheduler=make(ours))
    losses = plain_loop(twin, x, y, nn.MSELoss(), theirs, 15, scheduler=make(theirs))
    assert fit.history.loss.tolist() == losses
    assert ours.param_groups[0]["lr"] == theirs.param_groups[0]["lr"] != 0.1
    assert type(make(optim.SGD(model.parameters(), lr=0.1))).__name__ in fit.solver


def test_without_an_optimizer_it_is_adam(rows):
    x, y = rows(dtype=torch.float32)
    model = two_layers()
    twin = copy.deepcopy(model)
    tl.train(model, x, y, epochs=5)
    tl.train(twin, x, y, nn.MSELoss(), optim.Adam(twin.parameters()), epochs=5)
    assert all(map(torch.equal, model.state_dict().values(), twin.state_dict().values()))


@pytest.mark.parametrize("batching", [{}, {"batch_size": 16}])
def test_a_run_cut_into_many_steps_is_the_same_run(rows, monkeypatch, batching):
    """The loop asks for steps of a tenth of a second, which may end inside an epoch; here, of no time."""
    x, y = rows(dtype=torch.float32)
    ends = []
    for seconds in (0.1, 0.0):
        monkeypatch.setattr("torchlinear.loop.STEP_SECONDS", seconds)
        torch.manual_seed(5)
        model = with_dropout_and_norm()
        optimizer = optim.Adam(model.parameters(), lr=0.05)
        fit = tl.train(model, x, y, nn.MSELoss(), optimizer, epochs=7, **batching)
        ends.append((fit.history.loss, list(model.state_dict().values())))
    assert torch.equal(ends[0][0], ends[1][0])
    assert len(ends[0][0]) == 7
    assert all(map(torch.equal, ends[0][1], ends[1][1]))


@pytest.mark.parametrize("batching", [{}, {"batch_size": 16}])
def test_a_compiled_run_cut_into_many_steps_is_the_same_run(rows, Line, monkeypatch, batching):
    x, y = rows(dtype=torch.float32)
    ends = []
    for seconds, call in ((0.1, 0.02), (0.0, 1e-9)):
        monkeypatch.setattr("torchlinear.loop.STEP_SECONDS", seconds)
        monkeypatch.setattr("torchlinear.solvers.compiled.CALL_SECONDS", call)
        torch.manual_seed(5)
        model = Line(3)
        optimizer = optim.Adam(model.parameters(), lr=0.05, amsgrad=True)
        scheduler = optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        fit = tl.train(model, x, y, nn.MSELoss(), optimizer, epochs=7, scheduler=scheduler, **batching)
        assert fit.solver.startswith("compiled")
        ends.append((fit.history.loss, list(model.state_dict().values()), scheduler.get_last_lr()))
    assert torch.equal(ends[0][0], ends[1][0])
    assert len(ends[0][0]) == 7
    assert all(map(torch.equal, ends[0][1], ends[1][1]))
    assert ends[0][2] == ends[1][2]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64])
def test_parameters_of_any_dtype(plain_loop, rows, dtype):
    x, y = (values.to(dtype) for values in rows(dtype=torch.float32))
    model = nn.Linear(3, 1, dtype=dtype)
    twin = copy.deepcopy(model)
    loss = (lambda out, y: (out - y).abs().mean()) if dtype.is_complex else nn.MSELoss()
    fit = tl.train(model, x, y, loss, optim.SGD(model.parameters(), lr=0.01), 5)
    losses = plain_loop(twin, x, y, loss, optim.SGD(twin.parameters(), lr=0.01), 5)
    assert fit.history.loss.tolist() == losses
    assert all(map(torch.equal, model.state_dict().values(), twin.state_dict().values()))


def test_whole_numbers_for_an_embedding(plain_loop):
    x, y = torch.randint(0, 5, (40, 2)), torch.rand(40, 1)
    model = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 1))
    twin = copy.deepcopy(model)
    fit = tl.train(model, x, y, nn.MSELoss(), optim.Adam(model.parameters()), 5, batch_size=8, shuffle=False)
    losses = plain_loop(
        twin, x, y, nn.MSELoss(), optim.Adam(twin.parameters()), 5, batch_size=8, shuffle=False
    )
    assert fit.history.loss.tolist() == losses
    assert fit.predict(x).shape == (40, 1)


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("criterion", [nn.MSELoss(), nn.L1Loss()], ids=["compiled", "eager"])
def test_torchs_default_device_is_not_ours(rows, criterion, batch_size):
    """Whoever sets it to a GPU may train on the CPU; the meta device shows what would land elsewhere."""
    x, y = rows(dtype=torch.float32)
    model = nn.Linear(3, 1)
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        fit = tl.train(
            model, x, y, criterion, optim.SGD(model.parameters(), lr=0.01), 5,
            batch_size=batch_size, generator=generator,
        )  # fmt: skip
        assert fit.history.epoch.tolist() == [0, 1, 2, 3, 4]
    assert fit.coef.device.type == fit.history.loss.device.type == "cpu"


@pytest.mark.parametrize("epochs", [250_000])
def test_every_fourth_epoch_of_many_is_kept(Line, epochs):
    x = torch.rand(20, 1)
    model = Line()
    fit = tl.train(model, x, 2 * x, nn.MSELoss(), optim.SGD(model.parameters(), lr=1e-4), epochs)
    assert len(fit.history) == epochs
    assert fit.history.epoch.tolist() == list(range(0, epochs, 4))
    assert len(fit.history.loss) == epochs // 4
    assert bool((fit.history.loss.diff() <= 1e-7).all())
