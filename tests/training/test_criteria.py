"""Criteria other than MSELoss that are compiled, against PyTorch's own loop."""

import copy

import pytest
import torch
from torch import nn, optim

import torchlinear as tl

F = nn.functional
DTYPES = {"float32": torch.float32, "float64": torch.float64}
# Relative; short runs. In float32 torch sums gradients in float32 and the kernels in float64.
TOLERANCE = {torch.float32: 3e-6, torch.float64: 1e-11}
OUTRIGHT = 1e-10  # the law of trajectories for SGD and AdaGrad, in float64

# Each criterion with what its targets are, and how many outputs the model has.
CRITERIA = {
    "bce": (nn.BCEWithLogitsLoss(), "zero or one", 1),
    "bce sum": (nn.BCEWithLogitsLoss(reduction="sum"), "zero or one", 1),
    "bce positive": (nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0)), "zero or one", 1),
    "bce labels": (
        nn.BCEWithLogitsLoss(weight=torch.tensor([2.0, 0.5]), pos_weight=torch.tensor([3.0, 0.2])),
        "zero or one", 2,
    ),
    "bce soft": (nn.BCEWithLogitsLoss(), "shares", 2),
    "bce function": (F.binary_cross_entropy_with_logits, "zero or one", 1),
    "ce": (nn.CrossEntropyLoss(), "classes", 4),
    "ce of two": (nn.CrossEntropyLoss(), "two classes", 2),
    "ce sum": (nn.CrossEntropyLoss(reduction="sum"), "classes", 4),
    "ce weighted": (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5, 0.1])), "classes", 4),
    "ce smoothed": (nn.CrossEntropyLoss(label_smoothing=0.1), "classes", 4),
    "ce ignoring": (nn.CrossEntropyLoss(ignore_index=1), "classes", 4),
    "ce all at once": (
        nn.CrossEntropyLoss(
            weight=torch.tensor([1.0, 2.0, 0.5, 0.1]), label_smoothing=0.2, ignore_index=-1
        ),
        "classes and -1", 4,
    ),
    "ce all at once, sum": (
        nn.CrossEntropyLoss(
            weight=torch.tensor([1.0, 2.0, 0.5, 0.1]), label_smoothing=0.2, ignore_index=-1, reduction="sum"
        ),
        "classes and -1", 4,
    ),
    "ce probabilities": (nn.CrossEntropyLoss(), "probabilities", 4),
    "ce probabilities weighted": (
        nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5, 0.1]), label_smoothing=0.1),
        "probabilities", 4,
    ),
    "ce probabilities sum": (nn.CrossEntropyLoss(reduction="sum"), "probabilities", 4),
    "ce function": (F.cross_entropy, "classes", 4),
    "l1": (nn.L1Loss(), "numbers", 1),
    "l1 sum": (nn.L1Loss(reduction="sum"), "numbers", 2),
    "smooth l1": (nn.SmoothL1Loss(beta=0.5), "numbers", 1),
    "smooth l1 of beta 0": (nn.SmoothL1Loss(beta=0.0), "numbers", 1),
    "huber": (nn.HuberLoss(delta=0.7), "numbers", 2),
    "huber sum": (nn.HuberLoss(reduction="sum", delta=0.3), "numbers", 1),
    "poisson": (nn.PoissonNLLLoss(), "counts", 1),
    "poisson full": (nn.PoissonNLLLoss(full=True, reduction="sum"), "counts", 2),
    "poisson of means": (nn.PoissonNLLLoss(log_input=False, full=True, eps=1e-3), "counts", 1),
    "poisson function": (F.poisson_nll_loss, "counts", 1),
}  # fmt: skip
OPTIMIZERS = {
    "sgd": lambda p, lr: optim.SGD(p, lr=0.3 * lr),
    "sgd momentum": lambda p, lr: optim.SGD(p, lr=0.1 * lr, momentum=0.8, dampening=0.2, weight_decay=0.1),
    "adagrad": lambda p, lr: optim.Adagrad(p, lr=0.1),
    "rmsprop": lambda p, lr: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "adam": lambda p, lr: optim.Adam(p, lr=0.03, amsgrad=True),
    "adamw": lambda p, lr: optim.AdamW(p, lr=0.03, weight_decay=0.2),
    "adadelta": lambda p, lr: optim.Adadelta(p, lr=1.0, rho=0.8),
    "nadam": lambda p, lr: optim.NAdam(p, lr=0.02),
}
BATCHES = {
    "all rows": {},
    "batches": {"batch_size": 16},  # 200 rows: the last batch has 8
    "one row": {"batch_size": 1},
    "in order": {"batch_size": 130, "shuffle": False},  # more than a tile of the kernels
    "all rows, shuffled": {"batch_size": 500},
}


def targets(kind, x, dtype):
    n = len(x)
    score = x[:, :1].double() + torch.randn(n, 2, dtype=torch.float64)
    return {
        "zero or one": lambda k: (score[:, :k] > 0).to(dtype),
        "shares": lambda k: score[:, :k].sigmoid().to(dtype),
        "classes": lambda k: torch.randint(0, k, (n,)),
        "two classes": lambda k: (score[:, 0] > 0).long(),
        "classes and -1": lambda k: torch.randint(-1, k, (n,)),
        "probabilities": lambda k: torch.randn(n, k).softmax(dim=1).to(dtype),
        "numbers": lambda k: (2 * score[:, :k] + 0.5).to(dtype),
        "counts": lambda k: torch.poisson(score[:, :k].exp()).to(dtype),
    }[kind]


def case(name, dtype=torch.float64, n=200, p=5):
    """Rows, a model, the criterion in the dtype, and a learning rate that suits."""
    criterion, kind, k = CRITERIA[name]
    x = torch.randn(n, p, dtype=torch.float64).to(dtype)
    y = targets(kind, x, dtype)(k)
    model = nn.Linear(p, k, dtype=dtype)
    if "of means" in name:  # whose scores must be above zero
        x = x.abs() + 0.1
        with torch.no_grad():
            model.weight.abs_().add_(0.5)
            model.bias.fill_(1.0)
    if isinstance(criterion, nn.Module):
        criterion = copy.deepcopy(criterion).to(dtype)
    lr = 0.005 if "of means" in name else 0.05 if "poisson" in name else 0.3
    return x, y, model, criterion, 0.01 * lr if getattr(criterion, "reduction", "mean") == "sum" else lr


@pytest.fixture
def check(plain_loop, twins, assert_same, everything):
    """Train twins by torch and by `tl.train`, compare everything, then take one more step with each."""

    def run(x, y, model, criterion, optimizer, epochs=8, tolerance=None, **batching):
        twin, twin_optimizer, _ = twins(model, optimizer)
        tolerance = TOLERANCE[x.dtype] if tolerance is None else tolerance
        generators = (torch.Generator().manual_seed(3), torch.Generator().manual_seed(3))
        fit = tl.train(model, x, y, criterion, optimizer, epochs, generator=generators[0], **batching)
        assert fit.solver.startswith("compiled: one affine map, "), fit.solver
        losses = plain_loop(
            twin, x, y, criterion, twin_optimizer, epochs, generator=generators[1], **batching
        )
        scale = max(abs(loss) for loss in losses)
        assert fit.history.loss.tolist() == pytest.approx(losses, rel=10 * tolerance, abs=tolerance * scale)
        size = max(float(p.detach().abs().max()) for p in twin.parameters())
        slope = max(float(p.grad.abs().max()) for p in twin.parameters() if p.grad is not None)
        close = {"rtol": 10 * tolerance, "atol": 10 * tolerance * max(size, slope, slope**2)}
        assert_same(everything(model, optimizer), everything(twin, twin_optimizer), **close)
        assert torch.equal(generators[0].get_state(), generators[1].get_state())
        plain_loop(model, x, y, criterion, optimizer, 1)
        plain_loop(twin, x, y, criterion, twin_optimizer, 1)
        assert_same(everything(model, optimizer), everything(twin, twin_optimizer), **close)
        return fit

    return run


@pytest.mark.parametrize("batching", BATCHES)
@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_with_every_batch_size(check, name, batching):
    if batching == "one row" and ("ignoring" in name or "at once" in name):
        batching = "in order"  # a batch of one row that is ignored is 0 / 0, see the test of that
    x, y, model, criterion, lr = case(name)
    optimizer = OPTIMIZERS["sgd"](model.parameters(), lr)
    check(x, y, model, criterion, optimizer, 2 if batching == "one row" else 6, **BATCHES[batching])


@pytest.mark.parametrize("batching", ["all rows", "batches"])
@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_in_float32(check, name, batching):
    x, y, model, criterion, lr = case(name, torch.float32)
    check(x, y, model, criterion, OPTIMIZERS["sgd"](model.parameters(), lr), **BATCHES[batching])


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("batching", ["all rows", "batches"])
@pytest.mark.parametrize("name", ["bce", "ce weighted", "huber", "poisson", "l1"])
def test_every_optimizer(check, name, batching, kind):
    x, y, model, criterion, lr = case(name)
    check(x, y, model, criterion, OPTIMIZERS[kind](model.parameters(), lr), **BATCHES[batching])


@pytest.mark.parametrize(("kind", "batching"), [("sgd", "batches"), ("adagrad", "all rows")])
@pytest.mark.parametrize("name", CRITERIA)
def test_end_points_of_long_runs(plain_loop, twins, name, kind, batching):
    """The law of trajectories: SGD and AdaGrad end where torch's own loop ends."""
    x, y, model, criterion, lr = case(name, n=70)
    optimizer = OPTIMIZERS[kind](model.parameters(), 0.1 * lr)
    twin, twin_optimizer, _ = twins(model, optimizer)
    options = {"epochs": 200, **BATCHES[batching]}
    generators = [torch.Generator().manual_seed(7) for _ in range(2)]
    tl.train(model, x, y, criterion, optimizer, generator=generators[0], **options)
    plain_loop(twin, x, y, criterion, twin_optimizer, generator=generators[1], **options)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=OUTRIGHT)


@pytest.mark.parametrize("batching", ["all rows", "batches"])
@pytest.mark.parametrize("name", ["bce", "ce", "poisson", "huber"])
def test_adam_differs_from_torch_as_torch_does_from_itself(plain_loop, name, batching):
    """The law of trajectories for the other rules: ten times what a permutation of the rows makes of torch."""
    x, y, model, criterion, _ = case(name, n=70)
    options = {"epochs": 200, **BATCHES[batching]}
    end = copy.deepcopy(model)

    def order_of():
        return torch.Generator().manual_seed(7)

    fit = tl.train(
        end, x, y, criterion, optim.Adam(end.parameters(), lr=0.03), generator=order_of(), **options
    )
    assert fit.solver.startswith("compiled")

    def torchs(columns):
        """End of torch's loop with the columns permuted: the same sums, rounded in another order."""
        twin = copy.deepcopy(model)
        with torch.no_grad():
            twin.weight.copy_(model.weight[:, columns])
        plain_loop(
            twin, x[:, columns], y, criterion, optim.Adam(twin.parameters(), lr=0.03),
            generator=order_of(), **options,
        )  # fmt: skip
        weight = torch.empty_like(twin.weight)
        weight[:, columns] = twin.weight.detach()
        return torch.cat([weight.flatten(), twin.bias.detach()])

    ends = [torchs(torch.arange(x.shape[1]))] + [torchs(torch.randperm(x.shape[1])) for _ in range(2)]
    apart = max(float((a - b).abs().max()) for a in ends for b in ends)
    ours = torch.cat([end.weight.detach().flatten(), end.bias.detach()])
    assert float((ours - ends[0]).abs().max()) <= max(1e-10, 10 * apart)


@pytest.mark.parametrize("batching", [{}, {"batch_size": 16}])
@pytest.mark.parametrize("name", ["bce", "ce"])
def test_schedules(plain_loop, assert_same, everything, name, batching):
    x, y, model, criterion, _ = case(name)
    twin = copy.deepcopy(model)
    one, other = (optim.SGD(m.parameters(), lr=0.5, momentum=0.5) for m in (model, twin))
    ours, theirs = (optim.lr_scheduler.StepLR(o, 3, 0.5) for o in (one, other))
    generators = [torch.Generator().manual_seed(7) for _ in range(2)]
    fit = tl.train(model, x, y, criterion, one, 10, scheduler=ours, generator=generators[0], **batching)
    plain_loop(twin, x, y, criterion, other, 10, scheduler=theirs, generator=generators[1], **batching)
    assert fit.solver.startswith("compiled")
    assert_same(everything(model, one, ours), everything(twin, other, theirs), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("batching", [{}, {"batch_size": 16}])
@pytest.mark.parametrize("frozen", ["weight", "bias"])
@pytest.mark.parametrize("name", ["bce labels", "ce"])
def test_a_frozen_parameter_stays(check, name, frozen, batching):
    x, y, model, criterion, _ = case(name)
    getattr(model, frozen).requires_grad_(False)
    before = getattr(model, frozen).clone()
    check(x, y, model, criterion, optim.AdamW(model.parameters(), lr=0.03), **batching)
    assert torch.equal(getattr(model, frozen), before)


class Vector(nn.Module):
    """x @ w + b with predictions (n,)."""

    def __init__(self, p):
        super().__init__()
        self.w = nn.Parameter(torch.randn(p, dtype=torch.float64))
        self.b = nn.Parameter(torch.randn((), dtype=torch.float64))

    def forward(self, inputs):
        return self.b + torch.matmul(inputs, self.w)


class Product(nn.Module):
    """x @ W without a bias."""

    def __init__(self, p, k):
        super().__init__()
        self.W = nn.Parameter(torch.randn(p, k, dtype=torch.float64))

    def forward(self, inputs):
        return inputs @ self.W


@pytest.mark.parametrize("batching", [{}, {"batch_size": 16}])
@pytest.mark.parametrize(
    ("name", "make", "shape"),
    [
        ("bce", lambda: Vector(5), (200,)),
        ("bce", lambda: nn.Sequential(nn.Linear(5, 1, dtype=torch.float64), nn.Flatten(0)), (200,)),
        ("bce labels", lambda: Product(5, 2), (200, 2)),
        ("ce", lambda: Product(5, 4), (200,)),
        ("ce", lambda: nn.Sequential(nn.Flatten(), nn.Linear(5, 4, dtype=torch.float64)), (200,)),
        ("huber", lambda: nn.Linear(5, 2, bias=False, dtype=torch.float64), (200, 2)),
    ],
)
def test_ways_to_write_an_affine_map(check, name, make, shape, batching):
    x, y, _, criterion, lr = case(name)
    model = make()
    check(x, y.reshape(shape), model, criterion, optim.Adam(model.parameters(), lr=0.02 * lr), **batching)


def test_labels_in_bytes(check):
    x, y, model, criterion, _ = case("ce")
    check(x, y.to(torch.uint8), model, criterion, optim.SGD(model.parameters(), lr=0.1))


def test_more_features_than_rows_and_more_rows_than_a_tile(check):
    for n, p in ((20, 200), (1_000, 3)):
        x, y, model, criterion, _ = case("ce", n=n, p=p)
        check(x, y, model, criterion, optim.SGD(model.parameters(), lr=0.01), batch_size=300)


@pytest.mark.parametrize("batching", [{}, {"batch_size": 8}])
@pytest.mark.parametrize(
    "name", ["bce", "bce positive", "bce labels", "ce", "ce all at once", "ce probabilities"]
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_scores_of_800_neither_overflow_nor_become_nan(check, name, dtype, batching):
    x, y, model, criterion, lr = case(name, DTYPES[dtype], n=40)
    with torch.no_grad():
        model.weight.zero_()[:, 0] = torch.tensor([800.0, -800.0, 800.0, 0.0])[: len(model.weight)]
    x[:, 0] = torch.tensor([1.0, -1.0, 1.0, 1.0]).repeat(10)
    fit = check(x, y, model, criterion, optim.SGD(model.parameters(), lr=0.1 * lr), epochs=3, **batching)
    assert bool(torch.isfinite(fit.history.loss).all())
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())


def test_rows_that_are_all_right_cost_what_torch_says():
    """Losses of 1e-20 keep their digits where a difference from 1 would have none."""
    x = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    y = (x > 0).double()
    model = nn.Linear(1, 1, dtype=torch.float64)
    with torch.no_grad():
        model.weight.fill_(46.0)
        model.bias.zero_()
    expected = F.binary_cross_entropy_with_logits(model(x), y).item()
    fit = tl.train(model, x, y, nn.BCEWithLogitsLoss(), optim.SGD(model.parameters(), lr=1.0), 1)
    assert 0 < expected < 1e-19
    assert fit.history.loss[0].item() == pytest.approx(expected, rel=1e-14)


def test_a_batch_without_a_class_is_torchs_nan(plain_loop):
    """All rows of a batch ignored: torch divides 0 by 0."""
    x, y = torch.randn(32, 3, dtype=torch.float64), torch.full((32,), -100)
    y[:16] = torch.arange(16) % 3
    model = nn.Linear(3, 3, dtype=torch.float64)
    with pytest.warns(tl.ConvergenceWarning, match="diverged"):
        fit = tl.train(
            model, x, y, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1), 3,
            batch_size=16, shuffle=False,
        )  # fmt: skip
    assert fit.solver.startswith("compiled")
    assert bool(torch.isnan(model.weight).all())


@pytest.mark.parametrize("batching", [{}, {"batch_size": 16}])
def test_divergence_is_a_status(batching):
    x, y, model, criterion, _ = case("poisson")
    with pytest.warns(tl.ConvergenceWarning, match="diverged"):
        fit = tl.train(model, x, y, criterion, optim.SGD(model.parameters(), lr=1e6), 500, **batching)
    assert fit.solver.startswith("compiled")
    assert fit.status is tl.Status.DIVERGED
    assert len(fit.history) < 500


class Own(nn.BCEWithLogitsLoss):
    """What it changes cannot be seen."""

    def forward(self, out, y):
        return 2 * super().forward(out, y)


LEFT_TO_TORCH = {
    "a subclass": (Own(), "zero or one", 1, "Own is not compiled"),
    "one's own": (lambda out, y: ((out - y) ** 4).mean(), "numbers", 1, "<lambda> is not compiled"),
    "weights by row": (
        nn.BCEWithLogitsLoss(weight=torch.rand(200, 1, dtype=torch.float64)), "zero or one", 1,
        "not one for each output",
    ),
    "soft margins": (nn.MultiLabelSoftMarginLoss(), "zero or one", 2, "MultiLabelSoftMarginLoss is not"),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT_TO_TORCH)
def test_criteria_that_run_in_torchs_loop(plain_loop, name):
    criterion, kind, k, why = LEFT_TO_TORCH[name]
    x = torch.randn(200, 5, dtype=torch.float64)
    y = targets(kind, x, torch.float64)(k)
    model = nn.Linear(5, k, dtype=torch.float64)
    twin = copy.deepcopy(model)
    fit = tl.train(model, x, y, criterion, optim.SGD(model.parameters(), lr=0.1), 3)
    losses = plain_loop(twin, x, y, criterion, optim.SGD(twin.parameters(), lr=0.1), 3)
    assert why in fit.solver
    assert fit.history.loss.tolist() == losses


def test_the_criterion_is_named():
    x, y, model, criterion, _ = case("bce")
    fit = tl.train(model, x, y, criterion, optim.SGD(model.parameters(), lr=0.1), 2, batch_size=32)
    assert fit.solver == "compiled: one affine map, BCEWithLogitsLoss, SGD, 32 rows a step"
    fit = tl.train(model, x, y, F.binary_cross_entropy_with_logits, optim.SGD(model.parameters(), lr=0.1), 2)
    assert fit.solver == "compiled: one affine map, BCEWithLogitsLoss, SGD, all rows a step"


def test_wide_products_are_left_to_torch():
    """Where matrix products are all that counts, PyTorch's are faster."""
    x, y = torch.randn(512, 768), torch.randint(0, 200, (512,))
    model = nn.Linear(768, 200)
    fit = tl.train(
        model, x, y, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.01), 2, batch_size=256
    )
    assert "faster at this size" in fit.solver
