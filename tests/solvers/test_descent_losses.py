"""The descent family on losses other than the squared: the trajectory law, penalties with kinks, and its own steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import torchlinear as tl
from torchlinear.api import objective_of
from torchlinear.errors import InvalidInput
from torchlinear.losses.absolute import Absolute
from torchlinear.losses.base import Loss
from torchlinear.losses.softmax import Softmax
from torchlinear.objective import Objective
from torchlinear.penalties.l1 import L1
from torchlinear.penalties.l2 import L2
from torchlinear.rows import TensorRows
from torchlinear.solvers import rules
from torchlinear.solvers.base import Budget, State
from torchlinear.solvers.descent import Descent
from torchlinear.solvers.newton import Newton
from torchlinear.solvers.proximal_newton import ProximalNewton
from torchlinear.sparse import SparseRows

TRAJECTORY_LAW = 1e-10  # design decision 6
N, P = 90, 3

Random = np.random.Generator
Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Family:
    """A loss, the same in torch's words for each row, and targets of it."""

    loss: Loss
    in_torch: Callable[[Tensor, Tensor], Tensor]
    targets: Callable[[Random, Array], Array]
    lr: float = 0.05


def _mean(eta: Array) -> Array:
    return np.exp(0.4 * eta)


def _labels(rng: Random, eta: Array) -> Array:
    return (eta + rng.logistic(size=eta.shape) > 0).astype(np.float64)


def _per_row(loss: Tensor) -> Tensor:
    return loss.sum(dim=1)


FAMILIES = {
    "logit": Family(
        tl.Binomial(),
        lambda e, y: _per_row(F.binary_cross_entropy_with_logits(e, y, reduction="none")),
        _labels,
    ),
    "probit": Family(
        tl.Binomial(link="probit"),
        lambda e, y: _per_row(F.binary_cross_entropy(torch.special.ndtr(e), y, reduction="none")),
        _labels,
    ),
    "cloglog": Family(
        tl.Binomial(link="cloglog"),
        lambda e, y: _per_row((1.0 - y) * e.exp() - y * (-torch.expm1(-e.exp())).log()),
        _labels,
    ),
    "softmax": Family(
        Softmax(),
        lambda e, y: F.cross_entropy(e, y[:, 0].long(), reduction="none"),
        lambda rng, eta: np.digitize(eta + rng.logistic(size=eta.shape), [-1.0, 1.0]).astype(np.float64),
    ),
    "poisson": Family(
        tl.Poisson(),
        lambda e, y: _per_row(F.poisson_nll_loss(e, y, reduction="none")),
        lambda rng, eta: rng.poisson(_mean(eta)).astype(np.float64),
    ),
    "poisson-sqrt": Family(
        tl.Poisson(link="sqrt"),
        lambda e, y: _per_row(F.poisson_nll_loss(e.square(), y, log_input=False, eps=0.0, reduction="none")),
        lambda rng, eta: rng.poisson(4.0 + _mean(eta)).astype(np.float64),
        lr=0.02,
    ),
    "gamma": Family(
        tl.Gamma(link="log"),
        lambda e, y: _per_row(y * (-e).exp() + e),
        lambda rng, eta: _mean(eta) * rng.gamma(4.0, 0.25, size=eta.shape),
    ),
    "tweedie": Family(
        tl.Tweedie(power=1.5),
        lambda e, y: _per_row(2.0 * y * (-0.5 * e).exp() + 2.0 * (0.5 * e).exp()),
        lambda rng, eta: _mean(eta) * rng.poisson(2.0, size=eta.shape) / 2.0,
    ),
    "inverse_gaussian": Family(
        tl.InverseGaussian(link="log"),
        lambda e, y: _per_row(0.5 * y * (-2.0 * e).exp() - (-e).exp()),
        lambda rng, eta: rng.wald(_mean(eta), 9.0),
    ),
    "negative_binomial": Family(
        tl.NegativeBinomial(theta=2.0),
        lambda e, y: _per_row(y * F.softplus(math.log(2.0) - e) + 2.0 * F.softplus(e - math.log(2.0))),
        lambda rng, eta: rng.poisson(_mean(eta) * rng.gamma(2.0, 0.5, size=eta.shape)).astype(np.float64),
    ),
    "huber": Family(
        tl.Huber(1.0),
        lambda e, y: _per_row(F.huber_loss(e, y, reduction="none")),
        lambda rng, eta: eta + rng.standard_t(2.0, size=eta.shape),
    ),
    "squared_hinge": Family(
        tl.SquaredHinge(), lambda e, y: _per_row((1.0 - (2.0 * y - 1.0) * e).clamp(min=0.0).square()), _labels
    ),
    "squared-log": Family(
        tl.Squared(link="log"),
        lambda e, y: _per_row((y - e.exp()).square()),
        lambda rng, eta: _mean(eta) + 0.1 * rng.normal(size=eta.shape),
        lr=0.01,
    ),
}
CLASSES = 3
SMOOTH = [name for name in FAMILIES if name not in ("poisson-sqrt", "squared-log")]  # and convex

# Rule by rule: ours, torch's, the options of both, and the share of the family's learning rate.
RULES: dict[str, tuple[type[Descent], type[torch.optim.Optimizer], dict[str, Any], float]] = {
    "plain": (rules.SGD, torch.optim.SGD, {}, 1.0),
    "nesterov": (rules.SGD, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}, 0.2),
    "adagrad": (rules.Adagrad, torch.optim.Adagrad, {}, 1.0),
    "adam": (rules.Adam, torch.optim.Adam, {"weight_decay": 1e-3}, 0.4),
}


@pytest.fixture(autouse=True)
def one_thread():  # type: ignore[no-untyped-def]
    """Torch's loops over tiny tensors, of which these tests run many, only lose by a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rows_of(
    family: Family, rng: Random, *, weighted: bool = False, offset: bool = False, n: int = N
) -> TensorRows:
    """Rows whose features are of order 1, one of them not centred."""
    X = rng.normal(loc=[0.0, 0.5, 0.0], size=(n, P))
    at = rng.normal(scale=0.3, size=n) if offset else None
    eta = X @ [1.0, -0.7, 0.4] + (0.0 if at is None else at)
    y = family.targets(rng, eta[:, None])
    weight = rng.uniform(0.5, 2.0, size=n) if weighted else None
    X, y, weight, at = (None if a is None else torch.from_numpy(np.asarray(a)) for a in (X, y, weight, at))
    return TensorRows(X, y, weight, offset=at)


def problem_of(family: Family, rows: Any, penalty: Any = None, *, intercept: bool = True) -> Objective:
    outputs = CLASSES if isinstance(family.loss, Softmax) else None
    return objective_of(family.loss, penalty, rows, intercept=intercept, n_outputs=outputs)


def near(problem: Objective, rng: Random) -> Tensor:
    """A start where no slope is mere rounding, which adaptive rules would magnify."""
    return problem.start + torch.from_numpy(rng.normal(scale=0.1, size=problem.start.shape))


def run(solver: Descent, problem: Objective, epochs: int, coef: Tensor | None = None) -> State:
    coef = problem.start if coef is None else coef
    return solver.step(problem, solver.init(problem, coef), Budget(epochs, math.inf))


def torch_loop(
    family: Family,
    rows: TensorRows,
    optim: type[torch.optim.Optimizer],
    options: dict[str, Any],
    epochs: int,
    batches: list[list[Tensor]],
    *,
    start: Tensor,
    ridge: float = 0.0,
    schedule: Any = None,
) -> tuple[Tensor, Tensor]:
    """The loop as everybody writes it; the trace is the mean loss before each update."""
    model = nn.Linear(P, start.shape[1], dtype=torch.float64)
    with torch.no_grad():
        model.weight.copy_(start[:-1].T)
        model.bias.copy_(start[-1])
    optimizer, trace = optim(model.parameters(), **options), []
    scheduler = None if schedule is None else schedule(optimizer)
    weight = torch.ones(len(rows.y), dtype=torch.float64) if rows.weight is None else rows.weight
    weight, offset = weight / weight.mean(), 0.0 if rows.offset is None else rows.offset[:, None]
    for epoch in range(epochs):
        total = 0.0
        for batch in batches[epoch % len(batches)]:
            at = model(rows.X[batch]) + (offset[batch] if isinstance(offset, Tensor) else 0.0)
            loss = (weight[batch] * family.in_torch(at, rows.y[batch])).mean()
            loss = loss + ridge / 2.0 * model.weight.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        trace.append(total / len(rows.y))
        if scheduler is not None:
            scheduler.step()
    coef = torch.cat([model.weight.detach().T, model.bias.detach()[None]])
    return coef, torch.tensor(trace, dtype=torch.float64)


def orders(n: int, size: int | None, epochs: int, seed: int) -> list[list[Tensor]]:
    if size is None:
        return [[torch.arange(n)]]
    g = torch.Generator().manual_seed(seed)
    return [list(torch.randperm(n, generator=g).split(size)) for _ in range(epochs)]


def assert_on_trajectory(state: State, ours_is: tuple[Tensor, Tensor], turned: tuple[Tensor, Tensor]) -> None:
    """`turned` is torch's loop with the rows of each batch in another order: as far as torch is from itself."""
    for ours, theirs, other in zip((state.coef, state.trace), ours_is, turned):
        size = theirs.abs().max()
        allowed = max(TRAJECTORY_LAW, 10.0 * float((theirs - other).abs().max() / size))
        assert float((ours - theirs).abs().max() / size) <= allowed


@pytest.mark.parametrize("size", [None, 16])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", FAMILIES)
def test_the_trajectory_is_torchs(name: str, rule: str, size: int | None, rng: Random) -> None:
    family, (ours, optim, options, share) = FAMILIES[name], RULES[rule]
    rows, epochs = rows_of(family, rng), 60 if size is None else 5
    problem, options = problem_of(family, rows), {**options, "lr": share * family.lr}
    start = near(problem, rng)
    state = run(ours(**options, batch_size=size, seed=7), problem, epochs, start)
    batches = orders(N, size, epochs, seed=7)
    runs = [
        torch_loop(family, rows, optim, options, epochs, order, start=start)
        for order in (batches, [[batch.flip(0) for batch in split] for split in batches])
    ]
    assert_on_trajectory(state, *runs)


@pytest.mark.parametrize("size", [None, 16])
@pytest.mark.parametrize("name", ["logit", "poisson", "gamma", "huber"])
def test_weights_offset_and_ridge_are_part_of_it(name: str, size: int | None, rng: Random) -> None:
    family, ridge = FAMILIES[name], 0.7
    rows, epochs = rows_of(family, rng, weighted=True, offset=True), 20 if size is None else 4
    problem = problem_of(family, rows, L2(ridge))
    state = run(rules.SGD(lr=family.lr, batch_size=size), problem, epochs)
    batches = orders(N, size, epochs, seed=0)
    options = {"lr": family.lr}
    end, trace = torch_loop(
        family, rows, torch.optim.SGD, options, epochs, batches, start=problem.start, ridge=ridge
    )
    torch.testing.assert_close(state.coef, end, rtol=TRAJECTORY_LAW, atol=TRAJECTORY_LAW)
    torch.testing.assert_close(state.trace, trace, rtol=TRAJECTORY_LAW, atol=TRAJECTORY_LAW)


@pytest.mark.parametrize("penalty", [None, L2(0.3), L1(0.05)], ids=str)
@pytest.mark.parametrize("size", [None, 16])
@pytest.mark.parametrize("lr", [None, 0.05])
@pytest.mark.parametrize("name", ["logit", "poisson", "softmax", "huber"])
def test_compiled_loops_take_the_steps_of_the_general_way(
    name: str, lr: float | None, size: int | None, penalty: Any, rng: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    family, solver = FAMILIES[name], rules.Adam(lr=lr, batch_size=size)
    rows = rows_of(family, rng, weighted=True)
    start = near(problem_of(family, rows, penalty), rng)
    compiled = run(solver, problem_of(family, rows, penalty), 10, start)
    monkeypatch.setattr("torchlinear.solvers.descent_ways.criterion_of", lambda *_: None)
    general = run(solver, problem_of(family, rows, penalty), 10, start)
    torch.testing.assert_close(compiled.coef, general.coef, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(compiled.trace, general.trace, rtol=1e-10, atol=1e-12)


class Streamed(TensorRows):
    """Rows that are cut into blocks and known by their blocks alone."""

    def shards(self) -> range:  # type: ignore[override]
        return range(0, len(self.y), self._shard)

    @property
    def _shard(self) -> int:
        return 37


@pytest.mark.parametrize("size", [None, 16])
@pytest.mark.parametrize("name", ["logit", "gamma"])
def test_sparse_rows_take_the_steps_of_dense_ones(name: str, size: int | None, rng: Random) -> None:
    family = FAMILIES[name]
    rows = rows_of(family, rng, weighted=True)
    rows.X[torch.from_numpy(rng.random(size=rows.X.shape) < 0.5)] = 0.0
    thin = SparseRows(rows.X.to_sparse_csr(), rows.y, rows.weight)
    start = near(problem_of(family, rows), rng)
    for solver in (rules.SGD(batch_size=size), rules.Adam(lr=0.01, batch_size=size)):
        dense, sparse = (run(solver, problem_of(family, part), 8, start) for part in (rows, thin))
        torch.testing.assert_close(sparse.coef, dense.coef, rtol=1e-9, atol=1e-10)


def test_blocks_of_a_stream_take_the_steps_of_rows_in_memory(rng: Random) -> None:
    family = FAMILIES["gamma"]
    rows = rows_of(family, rng, weighted=True, offset=True)
    stream = Streamed(rows.X, rows.y, rows.weight, offset=rows.offset)
    whole, streamed = (run(rules.SGD(momentum=0.9), problem_of(family, part), 30) for part in (rows, stream))
    torch.testing.assert_close(streamed.coef, whole.coef, rtol=1e-9, atol=1e-10)


ON_ALL_ROWS = [rules.SGD(), rules.SGD(momentum=0.9), rules.SGD(momentum=0.9, nesterov=True)]


def left(solver: Descent, problem: Objective, tolerance: float) -> float:
    """The certificate where the solver ends."""
    state = solver.init(problem, problem.start)
    while state.epoch < solver.epochs and problem.certificate(state.coef) > tolerance:
        state = solver.step(problem, state, Budget(50, math.inf))
    return problem.certificate(state.coef)


@pytest.mark.parametrize("solver", ON_ALL_ROWS, ids=lambda s: s.name)
@pytest.mark.parametrize("name", SMOOTH)
def test_without_lr_the_optimum_is_reached_whatever_the_units(
    name: str, solver: Descent, rng: Random
) -> None:
    family = FAMILIES[name]
    rows = rows_of(family, rng, weighted=True)
    units = torch.tensor([1e3, 1.0, 1e-3], dtype=torch.float64)
    problem = problem_of(
        family, TensorRows(rows.X * units + units, rows.y, rows.weight), L2(1e-2, standardize=True)
    )
    assert left(replace(solver, epochs=3_000), problem, 1e-7) <= 1e-7


@pytest.mark.parametrize("solver", [rules.SGD(batch_size=8), rules.Adam(batch_size=16)], ids=lambda s: s.name)
@pytest.mark.parametrize("name", SMOOTH)
def test_batches_come_near_the_optimum(name: str, solver: Descent, rng: Random) -> None:
    family = FAMILIES[name]
    problem = problem_of(family, rows_of(family, rng), L2(0.05))
    newton = Newton()
    best = newton.step(problem, newton.init(problem, problem.start), Budget(100, math.inf)).coef
    state = run(replace(solver, epochs=60), problem, 60)
    start, floor = problem.value(problem.start), problem.value(best)
    assert problem.value(state.coef) - floor < 0.1 * (start - floor)


@pytest.mark.parametrize("solver", ON_ALL_ROWS, ids=lambda s: s.name)
@pytest.mark.parametrize("name", ["logit", "poisson", "gamma", "squared_hinge", "softmax"])
def test_a_lasso_has_the_zeros_and_the_others_of_coordinate_descent(
    name: str, solver: Descent, rng: Random
) -> None:
    family = FAMILIES[name]
    problem = problem_of(family, rows_of(family, rng), L1(0.1))
    exact = ProximalNewton()
    best = exact.step(problem, exact.init(problem, problem.start), Budget(100, math.inf)).coef
    state = solver.init(problem, problem.start)
    while state.epoch < 3_000 and problem.certificate(state.coef) > 1e-10:
        state = solver.step(problem, state, Budget(50, math.inf))
    size = best[:-1].abs().max()
    assert bool((state.coef[:-1][best[:-1] == 0] == 0).all())
    assert float((state.coef[:-1] - best[:-1]).abs().max()) <= 1e-6 * max(float(size), 1e-3)


def test_the_zeros_of_a_lasso_with_squared_loss(rng: Random) -> None:
    X = torch.from_numpy(rng.normal(size=(200, 6)))
    y = X[:, :2] @ torch.tensor([2.0, -1.0], dtype=torch.float64) + torch.from_numpy(rng.normal(size=200))
    exact = tl.fit(X, y, penalty=tl.L1(0.5))
    for solver in ("bgd", "momentum", "nesterov", "adagrad", "adam", "rmsprop", "nadam"):
        fit = tl.fit(X, y, penalty=tl.L1(0.5), solver=solver)
        assert fit.status is tl.Status.CONVERGED, solver
        assert torch.equal(fit.coef == 0, exact.coef == 0), solver
        torch.testing.assert_close(fit.coef, exact.coef, rtol=1e-3, atol=1e-4)


def prox(beta: Tensor, price: float | Tensor) -> Tensor:
    return torch.sign(beta) * (beta.abs() - price).clamp(min=0.0)


@pytest.mark.parametrize("size", [None, 16])
@pytest.mark.parametrize("rule", ["ista", "heavy ball", "fista", "adam"])
def test_proximal_steps_are_those_of_the_textbook(rule: str, size: int | None, rng: Random) -> None:
    """Plain loops over autograd's gradients; momentum is of the iterates, as in iPiano and FISTA."""
    family, alpha, lr, m, epochs = FAMILIES["logit"], 0.1, 0.1, 0.9, 25
    rows = rows_of(family, rng)
    problem = problem_of(family, rows, L1(alpha))
    solver = {
        "ista": rules.SGD(lr=lr, batch_size=size),
        "heavy ball": rules.SGD(lr=lr, batch_size=size, momentum=m),
        "fista": rules.SGD(lr=lr, batch_size=size, momentum=m, nesterov=True),
        "adam": rules.Adam(lr=lr, batch_size=size),
    }[rule]
    start = near(problem, rng)
    w = start[:, 0].clone().requires_grad_()
    price = torch.tensor([alpha] * P + [0.0], dtype=torch.float64)
    last, iterate, optimizer = w.detach().clone(), w.detach().clone(), torch.optim.Adam([w], lr=lr)
    for split in orders(N, size, epochs, seed=0) * (epochs if size is None else 1):
        for batch in split:
            at = rows.X[batch] @ w[:-1] + w[-1]
            optimizer.zero_grad()
            family.in_torch(at[:, None], rows.y[batch]).mean().backward()
            g = w.grad
            assert g is not None
            with torch.no_grad():
                if rule == "adam":
                    optimizer.step()
                    step = float(optimizer.state[w]["step"])
                    scale = (optimizer.state[w]["exp_avg_sq"] / (1.0 - 0.999**step)).sqrt() + 1e-8
                    w.copy_(prox(w, lr / scale * price))
                elif rule == "fista":
                    new = prox(w - lr * g, lr * price)
                    ahead = new + m * (new - iterate)
                    w.copy_(torch.where((new == 0) & (price > 0), new, ahead))
                    iterate = torch.where((new == 0) & (price > 0), w, new)
                else:
                    momentum = m * (w - last) if rule == "heavy ball" else 0.0
                    last = w.detach().clone()
                    w.copy_(prox(w - lr * g + momentum, lr * price))
    state = run(solver, problem, epochs, start)
    torch.testing.assert_close(state.coef[:, 0], w.detach(), rtol=1e-9, atol=1e-11)


SCHEDULES: dict[str, tuple[Any, Callable[[torch.optim.Optimizer], Any]]] = {
    "constant": ("constant", lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda _: 1.0)),
    "step": ("step", lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=4, gamma=0.1)),
    "cosine": ("cosine", lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=12)),
    "1/t": ("1/t", lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda e: 1.0 / (1.0 + e))),
    "own": (lambda e: 0.8**e, lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma=0.8)),
}


@pytest.mark.parametrize("size", [None, 16])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_torchs(name: str, size: int | None, rng: Random) -> None:
    family, (schedule, in_torch), epochs = FAMILIES["logit"], SCHEDULES[name], 12
    rows = rows_of(family, rng)
    problem = problem_of(family, rows)
    solver = rules.Adam(lr=0.1, batch_size=size, epochs=epochs, schedule=schedule)
    start = near(problem, rng)
    state = run(solver, problem, epochs, start)
    batches = orders(N, size, epochs, seed=0)
    options = {"lr": 0.1}
    end, _ = torch_loop(
        family, rows, torch.optim.Adam, options, epochs, batches, start=start, schedule=in_torch
    )
    torch.testing.assert_close(state.coef, end, rtol=1e-9, atol=1e-10)


def test_a_schedule_says_what_is_wrong_with_it() -> None:
    with pytest.raises(
        InvalidInput, match=r"SGD.schedule takes one of constant, step, cosine, 1/t or a function"
    ):
        rules.SGD(lr=0.1, schedule="linear")
    with pytest.raises(InvalidInput, match=r"SGD.schedule is of a learning rate that you choose"):
        rules.SGD(schedule="cosine")
    with pytest.raises(
        InvalidInput, match=r"must return a finite number of at least 0, got -1.0 for epoch 2"
    ):
        tl.fit([[0.0], [1.0]], [0.0, 1.0], solver=tl.SGD(lr=0.1, schedule=lambda e: 1.0 - e))


@pytest.mark.parametrize(
    "solver", [*ON_ALL_ROWS, rules.Adagrad(), rules.Adam(), rules.RMSprop()], ids=lambda s: s.name
)
def test_steps_are_halved_where_the_loss_bends_more_than_at_the_start(solver: Descent, rng: Random) -> None:
    X = rng.normal(size=(400, 2))
    y = rng.poisson(np.exp(2.5 * X[:, :1] - 1.0)).astype(np.float64)  # means from 1e-4 to 1e3
    problem = problem_of(FAMILIES["poisson"], TensorRows(torch.from_numpy(X), torch.from_numpy(y)))
    state, start = solver.init(problem, problem.start), problem.value(problem.start)
    while state.epoch < 3_000 and problem.certificate(state.coef) > 1e-6:
        state = solver.step(problem, state, Budget(100, math.inf))
    assert problem.certificate(state.coef) < 1e-2
    assert problem.value(state.coef) < start
    if solver.name == "bgd":
        assert float(state.memory["share"]) < 1.0
        assert bool((state.trace.diff() <= 1e-10 * abs(start)).all())


def test_an_epoch_of_batches_that_ran_away_is_taken_back(rng: Random) -> None:
    X = rng.normal(size=(200, 1)) ** 3  # some rows are far out
    y = np.exp(X.clip(-2.0, 2.0)).round()
    problem = problem_of(FAMILIES["poisson"], TensorRows(torch.from_numpy(X), torch.from_numpy(y)))
    solver, start = rules.Adam(batch_size=4, epochs=30), problem.value(problem.start)
    wild = replace(solver.init(problem, problem.start), memory={**solver.init(problem, problem.start).memory})
    wild.memory["share"] = torch.tensor([1e3], dtype=torch.float64)  # type: ignore[index]
    state = solver.step(problem, wild, Budget(30, math.inf))
    assert state.epoch == 30
    assert torch.isfinite(state.trace).all()
    assert float(state.memory["share"]) < 1e3
    assert problem.value(state.coef) < start


@pytest.mark.parametrize("name", ["logit", "gamma", "poisson"])
@pytest.mark.parametrize("lr", [None, 0.01])
def test_a_step_may_end_inside_an_epoch(name: str, lr: float | None, rng: Random) -> None:
    family, solver = FAMILIES[name], rules.Adam(lr=lr, batch_size=16)
    problem = problem_of(family, rows_of(family, rng))
    start = solver.init(problem, problem.start)
    whole = solver.step(problem, start, Budget(2, math.inf))
    part = solver.step(problem, start, Budget(0, math.inf, cursor=32))
    assert (part.epoch, part.cursor) == (0, 32)
    part = solver.step(problem, part, Budget(1, math.inf, cursor=32))
    assert (part.epoch, part.cursor) == (1, 32)
    rest = solver.step(problem, part, Budget(1, math.inf))
    assert torch.equal(rest.coef, whole.coef)
    assert all(torch.equal(rest.memory[key], whole.memory[key]) for key in whole.memory)


def test_it_starts_inside_of_the_domain(rng: Random) -> None:
    X = rng.uniform(1.0, 2.0, size=(100, 1))
    y = rng.poisson(10.0 * X).astype(np.float64)
    rows = TensorRows(torch.from_numpy(X), torch.from_numpy(y))
    problem = objective_of(tl.Poisson(link="identity"), None, rows, intercept=False)
    assert problem.value(problem.start) == math.inf
    state = rules.SGD().init(problem, problem.start)
    assert math.isfinite(problem.value(state.coef))


def test_what_classes_share_sums_to_zero(rng: Random) -> None:
    problem = problem_of(FAMILIES["softmax"], rows_of(FAMILIES["softmax"], rng))
    for solver in (rules.Adam(), rules.Adagrad(batch_size=16)):
        coef = run(solver, problem, 30).coef
        assert float(coef.sum(dim=1).abs().max()) <= 1e-12 * float(coef.abs().max())


@pytest.mark.parametrize(
    ("solver", "loss", "penalty", "words"),
    [
        (rules.SGD(), Absolute(), None, "follows a slope, and absolute loss has kinks; use solver='auto'"),
        (rules.SGD(lr=0.1, maximize=True), tl.Binomial(), L1(1.0), "does not take L1"),
        (rules.SGD(), tl.Binomial(), tl.NonNegative(), "takes L1, L2 and elastic net, not NonNegative"),
    ],
)
def test_what_it_refuses(solver: Descent, loss: Loss, penalty: Any, words: str, rng: Random) -> None:
    problem = objective_of(loss, penalty, rows_of(FAMILIES["logit"], rng))
    refused = solver.refusal(problem)
    assert refused is not None
    assert words in refused


def test_fit_says_what_runs() -> None:
    X, y = torch.arange(8.0)[:, None], torch.tensor([0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0])
    for loss, halved in (("logistic", False), ("poisson", True)):
        fit = tl.fit(X, y, loss=loss, solver="bgd")
        assert fit.status is tl.Status.CONVERGED
        assert ("halved where the objective rises" in fit.solver) == halved
    own = tl.fit(X, y, loss="logistic", solver=tl.Adam(lr=0.1, schedule="cosine"))
    assert own.solver.startswith("adam: all rows a step, lr=0.1 times cosine in your units")


def test_noise_about_the_best_start_is_no_divergence(rng: Random) -> None:
    X = rng.normal(size=(200, 2))
    y = rng.gamma(2.0, size=200)
    fit = tl.fit(X, y, loss="gamma", link="log", penalty=tl.L1(10.0), solver=tl.SGD(batch_size=8, epochs=3))
    assert fit.status is tl.Status.BUDGET_USED
    with pytest.warns(tl.ConvergenceWarning, match="diverged"):
        tl.fit(100.0 * X, y, loss="gamma", link="log", solver=tl.SGD(lr=10.0, batch_size=8, epochs=3))


@pytest.mark.parametrize("solver", ["bgd", "sgd", "momentum", "adam", "fista", "saga"])
def test_the_intercept_alone(solver: str, rng: Random) -> None:
    """Without columns there is no matrix whose eigenvalues could say a step."""
    y = (rng.uniform(size=200) < 0.3).astype(float)
    y[:2] = 0.0, 1.0
    fit = tl.fit({"y": y}, formula="y ~ 1", loss="logistic", solver=solver)
    odds = y.mean() / (1.0 - y.mean())
    assert float(fit.intercept) == pytest.approx(math.log(odds), abs=0.05 if solver == "sgd" else 1e-6)


def test_batches_take_no_notice_of_rows_without_weight(rng: Random) -> None:
    """Whatever these hold: a step is chosen from the longest row that counts."""
    X, eta = rng.normal(size=(80, 2)), rng.normal(size=80)
    y, weights = (X[:, 0] + eta > 0).astype(float), np.append(np.zeros(2), np.ones(78))
    X[:2] = 1e200
    options: dict[str, Any] = {"loss": "logistic", "penalty": L2(0.1)}
    truth = tl.fit(X[2:], y[2:], **options)
    fit = tl.fit(X, y, weights=weights, solver=rules.SGD(batch_size=8), **options)
    np.testing.assert_allclose(fit.coef, truth.coef, atol=0.02)
