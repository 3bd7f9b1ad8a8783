"""The trajectory law and the others that a descent solver obeys."""

import copy
import itertools
import math
import re

import numpy as np
import pytest
import torch
from torch import nn

import torchlinear as tl
from torchlinear.engines.local import Local
from torchlinear.errors import InvalidInput
from torchlinear.losses.squared import Squared
from torchlinear.penalties.l2 import L2
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import TensorRows
from torchlinear.solvers import descent_epochs, rules
from torchlinear.solvers.base import Budget, State

TRAJECTORY_LAW = 1e-10  # design decision 6
FOREVER = 1e9  # seconds

# Rule by rule: ours, torch's, and the options of both.
CASES = {
    "plain": (rules.SGD, torch.optim.SGD, {"lr": 0.05}),
    "momentum": (rules.SGD, torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "dampening": 0.1}),
    "nesterov": (rules.SGD, torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "adagrad": (rules.Adagrad, torch.optim.Adagrad, {"lr": 0.3, "initial_accumulator_value": 0.1}),
    "rmsprop": (rules.RMSprop, torch.optim.RMSprop, {"lr": 0.01, "centered": True, "momentum": 0.5}),
    "adam": (rules.Adam, torch.optim.Adam, {"lr": 0.05, "weight_decay": 1e-3}),
    "amsgrad": (rules.Adam, torch.optim.Adam, {"lr": 0.05, "amsgrad": True}),
    "adamw": (rules.AdamW, torch.optim.AdamW, {"lr": 0.05}),
    "adadelta": (rules.Adadelta, torch.optim.Adadelta, {"lr": 1.0}),
    "nadam": (rules.NAdam, torch.optim.NAdam, {"lr": 0.02, "decoupled_weight_decay": True}),
}
OUTRIGHT = {"plain", "momentum", "nesterov", "adagrad"}


@pytest.fixture(autouse=True)
def one_thread():
    """Torch's loops over tiny tensors, of which these tests run many, only lose by a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rows(n=150, p=3, k=1, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    X = torch.randn(n, p, generator=g, dtype=dtype) * torch.tensor([1.0, 2.0, 0.5]) + torch.tensor(
        [0.0, 1.0, -1]
    )
    w = torch.randn(p, k, generator=g, dtype=dtype)
    return X.to(dtype), (X.to(dtype) @ w + 0.8 + 0.3 * torch.randn(n, k, generator=g, dtype=dtype)).to(dtype)


def objective_of(X, y, penalty=None, intercept=True, weight=None):
    return QuadraticObjective(Squared(), penalty, Local().load(TensorRows(X, y, weight)), intercept=intercept)


def run(solver, objective, epochs, coef=None, seconds=FOREVER):
    if coef is None:
        coef = torch.zeros(objective.n_features + 1, objective.n_outputs, dtype=torch.float64)
    return solver.step(objective, solver.init(objective, coef), Budget(epochs, seconds))


def torch_loop(optim, options, X, y, epochs, batches=None, penalty=0.0):
    """The loop as everybody writes it, from zeros; the trace is the mean loss before each update."""
    model = nn.Linear(X.shape[1], y.shape[1], dtype=torch.float64)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    optimizer, criterion, trace = optim(model.parameters(), **options), nn.MSELoss(), []
    k = y.shape[1]  # torchlinear's objective sums over outputs, MSELoss averages
    for epoch in range(epochs):
        total = 0.0
        for batch in [slice(None)] if batches is None else batches[epoch]:
            loss = k * criterion(model(X[batch]), y[batch]) + penalty / 2 * model.weight.square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(X[batch])
        trace.append(total / len(X))
    return torch.cat([model.weight.detach().T, model.bias.detach()[None]]), torch.tensor(
        trace, dtype=torch.float64
    )


def orders(n, batch_size, epochs, seed=0):
    g = torch.Generator().manual_seed(seed)
    return [torch.randperm(n, generator=g).split(batch_size) for _ in range(epochs)]


def assert_on_trajectory(state, runs, outright):
    """`runs` are torch's own loop, with its rows in three orders: end points and traces."""
    for ours, theirs in zip((state.coef, state.trace), zip(*runs)):
        size = theirs[0].abs() if theirs[0].ndim == 1 else theirs[0].abs().max()
        spread = max(float(((a - b).abs() / size).max()) for a, b in itertools.combinations(theirs, 2))
        allowed = TRAJECTORY_LAW if outright else max(TRAJECTORY_LAW, 10 * spread)
        assert float(((ours - theirs[0]).abs() / size).max()) <= allowed


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_full_batch_trajectory_is_torchs(case, k):
    ours, optim, options = CASES[case]
    (X, y), epochs = rows(k=k), 600
    state = run(ours(**options), objective_of(X, y), epochs)
    runs = []
    for seed in range(3):
        g = torch.Generator().manual_seed(seed)
        order = torch.arange(len(X)) if seed == 0 else torch.randperm(len(X), generator=g)
        runs.append(torch_loop(optim, options, X[order], y[order], epochs))
    assert_on_trajectory(state, runs, case in OUTRIGHT)


@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize("case", CASES)
def test_mini_batch_trajectory_is_torchs(case, batch_size):
    ours, optim, options = CASES[case]
    options = {**options, "lr": options["lr"] / 5}
    (X, y), epochs = rows(n=100), 3 if batch_size == 1 else 20
    state = run(ours(**options, batch_size=batch_size, seed=4), objective_of(X, y), epochs)
    batches = orders(len(X), batch_size, epochs, seed=4)
    runs = [torch_loop(optim, options, X, y, epochs, batches)]
    for seed in range(2):  # the same batches, with their rows in another order
        g = torch.Generator().manual_seed(seed)
        turned = [[b[torch.randperm(len(b), generator=g)] for b in split] for split in batches]
        runs.append(torch_loop(optim, options, X, y, epochs, turned))
    assert_on_trajectory(state, runs, case in OUTRIGHT)


@pytest.mark.parametrize("batch_size", [None, 32])
def test_a_penalty_is_part_of_the_gradient_and_spares_the_intercept(batch_size):
    (X, y), penalty = rows(k=2), 0.7
    solver = rules.SGD(lr=0.02, batch_size=batch_size)
    state = run(solver, objective_of(X, y, L2(penalty)), 50)
    batches = None if batch_size is None else orders(len(X), 32, 50)
    end, trace = torch_loop(torch.optim.SGD, {"lr": 0.02}, X, y, 50, batches, penalty)
    torch.testing.assert_close(state.coef, end, rtol=TRAJECTORY_LAW, atol=0)
    torch.testing.assert_close(state.trace, trace, rtol=1e-11, atol=0)


@pytest.mark.parametrize("copied", [2**30, 0])
def test_rows_of_another_layout_or_dtype_take_the_same_steps(copied, monkeypatch):
    monkeypatch.setattr("torchlinear.solvers.descent_batches.COPIED_BYTES", copied)
    X, y = rows(dtype=torch.float32)
    solver, zeros = rules.Adam(lr=0.01, batch_size=32), torch.zeros(4, 1, dtype=torch.float64)
    expected = run(solver, objective_of(X.double(), y.double()), 5, zeros)
    for x_ in (X, X.T.contiguous().T, X.double().T.contiguous().T):
        state = run(solver, objective_of(x_, y), 5, zeros)
        assert torch.equal(state.coef, expected.coef)
        assert torch.equal(state.trace, expected.trace)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("solver", [rules.SGD(momentum=0.9), rules.Adam(), rules.Adagrad()])
def test_weighted_fits_reach_the_exact_optimum(solver, intercept):
    X, y = rows(k=2)
    weight = torch.rand(len(X), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    objective = objective_of(X * torch.tensor([1.0, 1e4, 1e-3]), y + 100, L2(0.1), intercept, weight)
    state = run(solver, objective, solver.epochs)
    best = torch.from_numpy(objective.least_squares("cholesky").coef.copy())
    torch.testing.assert_close(state.coef, best, rtol=1e-9, atol=0)
    assert float(state.trace[-1]) == pytest.approx(objective.value(best), rel=1e-14)
    assert intercept or not state.coef[-1].any()


@pytest.mark.parametrize(
    "solver",
    [
        rules.SGD(batch_size=1),
        rules.SGD(batch_size=32),
        rules.SGD(batch_size=8, momentum=0.9),
        rules.Adam(batch_size=32),
        rules.NAdam(batch_size=32),
        rules.RMSprop(batch_size=32),
        rules.Adagrad(batch_size=32),
        rules.Adadelta(batch_size=32),
    ],
    ids=repr,
)
def test_stochastic_steps_come_near_the_optimum_whatever_the_units(solver):
    X, y = rows(n=2_000)
    objective = objective_of(X * torch.tensor([1e3, 1e-3, 1.0]) + torch.tensor([0.0, 1.0, 50.0]), y)
    start = torch.zeros(4, 1, dtype=torch.float64)
    best = torch.from_numpy(objective.least_squares("cholesky").coef.copy())
    floor, before = objective.value(best), objective.value(start)
    state = run(solver, objective, solver.epochs, start)
    assert objective.value(state.coef) - floor < 1e-3 * (before - floor)


ALL = [
    ours(**options, batch_size=size) if lr else ours(**{**options, "lr": None}, batch_size=size)
    for ours, _, options in CASES.values()
    for size in (None, 7)
    for lr in (True, False)
]


@pytest.mark.parametrize("solver", ALL, ids=repr)
def test_half_the_budget_twice_is_the_whole_to_the_bit(solver):
    objective = objective_of(*rows(), L2(0.1))
    start = solver.init(objective, torch.zeros(4, 1, dtype=torch.float64))
    whole = solver.step(objective, start, Budget(10, FOREVER))
    kept = copy.deepcopy(start)
    half = solver.step(objective, start, Budget(5, FOREVER))
    rest = solver.step(objective, half, Budget(5, FOREVER))
    assert_same_state(rest, whole)
    assert torch.equal(torch.cat([half.trace, rest.trace]), whole.trace)
    assert_same_state(start, kept)  # a step is pure


@pytest.mark.parametrize("solver", [rules.SGD(batch_size=1), rules.Adam(lr=0.01, batch_size=32)], ids=repr)
def test_steps_that_end_inside_an_epoch_give_the_same_bits(solver, monkeypatch):
    monkeypatch.setattr("torchlinear.solvers.descent_epochs.CALL_SECONDS", 0.0)  # one batch a call
    objective = objective_of(*rows())
    start = solver.init(objective, torch.zeros(4, 1, dtype=torch.float64))
    whole = solver.step(objective, start, Budget(2, FOREVER))
    state, cursors, traces = start, set(), []
    while state.epoch < 2:
        state = solver.step(objective, state, Budget(2 - state.epoch, 0.0))
        cursors.add(state.cursor)
        traces.append(state.trace)
    assert len(cursors) == math.ceil(150 / solver.batch_size)
    assert_same_state(state, whole)
    assert torch.equal(torch.cat(traces), whole.trace)


def assert_same_state(a: State, b: State):
    assert (a.epoch, a.cursor) == (b.epoch, b.cursor)
    assert torch.equal(a.coef, b.coef)
    assert a.memory.keys() == b.memory.keys()
    for key, tensor in a.memory.items():
        assert torch.equal(tensor, b.memory[key]), key


def test_an_order_is_drawn_once_however_often_a_step_ends_in_its_epoch(monkeypatch):
    drawn, permutations = [], descent_epochs.permutations

    def counted(generator, n, many):
        drawn.append((n, many))
        return permutations(generator, n, many)

    monkeypatch.setattr(descent_epochs, "permutations", counted)
    descent_epochs._drawn.cache_clear()
    problem, solver = objective_of(*rows()), rules.SGD(lr=0.01, batch_size=1)
    state = solver.init(problem, torch.zeros(4, 1, dtype=torch.float64))
    for cursor in range(10, 150, 10):
        state = solver.step(problem, state, Budget(0, FOREVER, cursor))
    assert (state.epoch, state.cursor, drawn) == (0, 140, [(150, 1)])
    whole = solver.step(problem, solver.init(problem, state.coef * 0), Budget(0, FOREVER, 140))
    assert torch.equal(whole.coef, state.coef)


def test_seconds_end_a_step():
    objective = objective_of(*rows())
    for solver in (rules.SGD(lr=1e-3), rules.SGD(lr=1e-3, batch_size=1)):
        run(solver, objective, 1)  # compiled
        state = run(solver, objective, 10**9, seconds=0.05)
        assert 0 < state.epoch < 10**9


@pytest.mark.parametrize("solver", [rules.SGD(lr=1e3), rules.SGD(lr=1e3, batch_size=4)], ids=repr)
def test_divergence_shows_in_the_state(solver):
    state = run(solver, objective_of(*rows()), 1_000)
    assert not torch.isfinite(state.coef).all()
    assert state.epoch < 1_000


def test_constant_columns_and_a_constant_target_do_no_harm():
    X, y = rows()
    X[:, 1] = 1e6 + 0.1
    state = run(rules.SGD(), objective_of(X, y), 2_000)
    others = objective_of(X[:, [0, 2]], y)
    best = others.least_squares("cholesky")
    assert float(state.trace[-1]) == pytest.approx(
        float(others.value(torch.from_numpy(best.coef.copy()))), rel=1e-9
    )
    flat = run(rules.Adam(), objective_of(X, torch.full_like(y, 5.0)), 1_000)
    assert torch.isfinite(flat.coef).all()
    assert float(flat.trace[-1]) < 1e-12


def test_presets_carry_the_names_of_the_textbooks():
    presets = {name: getattr(rules, name)() for name in ("bgd", "sgd", "mbgd", "momentum", "nesterov")}
    assert {name: solver.name for name, solver in presets.items()} == {name: name for name in presets}
    assert [presets[name].batch_size for name in ("bgd", "sgd", "mbgd")] == [None, 1, 32]


def test_describe_says_whose_step_it_is():
    objective = objective_of(*rows())
    with_lr = rules.Adam(lr=1e-3, batch_size=32).describe(objective)
    assert with_lr == "adam: 32 rows a step, lr=0.001 in your units, the trajectory of torch.optim"
    without = rules.SGD().describe(objective)
    assert without == "bgd: all rows a step, columns standardised inside, lr from the largest curvature"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: rules.SGD(lr=-1.0), "SGD.lr takes a finite number of at least 0, got -1.0"),
        (lambda: rules.Adam(lr=math.nan), "Adam.lr"),
        (lambda: rules.Adam(batch_size=0), "Adam.batch_size takes a whole number of at least 1, got 0"),
        (lambda: rules.Adam(batch_size=2.5), "got 2.5"),
        (lambda: rules.Adam(betas=(0.9, 1.0)), "Adam.betas takes two numbers"),
        (lambda: rules.SGD(nesterov=True), "SGD.nesterov needs a momentum"),
        (lambda: rules.SGD(epochs=-1), "SGD.epochs"),
        (lambda: rules.SGD(lr=-1), "SGD.lr takes a finite number of at least 0, got -1"),
        (lambda: rules.SGD(lr="fast"), "SGD.lr takes a finite number of at least 0, got 'fast'"),
        (lambda: rules.SGD(momentum=True), "SGD.momentum takes a finite number of at least 0, got True"),
        (lambda: rules.RMSprop(alpha=None), "RMSprop.alpha takes a finite number"),
        (lambda: rules.Adam(betas=0.9), "Adam.betas takes two numbers"),
        (
            lambda: rules.SGD(batch_size=2, seed=-5),
            "SGD.seed takes a whole number from 0 to 2**63 - 1, got -5",
        ),
        (lambda: rules.SGD(batch_size=2, seed="x"), "SGD.seed takes a whole number"),
    ],
)
def test_numbers_out_of_range_are_named(make, words):
    with pytest.raises(InvalidInput, match=re.escape(words)):
        make()


def test_numbers_of_numpy_are_numbers():
    X, y = rows()
    fits = [
        tl.fit(X, y, solver=rules.SGD(kind(0.125), momentum=kind(0.5), epochs=9), tol=1e-300)
        for kind in (float, np.float32, np.float64)
    ]
    assert all(torch.equal(fit.coef, fits[0].coef) for fit in fits)


def test_descent_through_fit():
    X, y = rows()
    exact = tl.fit(X, y)
    presets = (rules.bgd, rules.momentum, rules.nesterov)
    for make in (*presets, rules.Adagrad, rules.RMSprop, rules.Adam, rules.NAdam, rules.Adadelta):
        fit = tl.fit(X, y, solver=make())
        assert fit.status.label == "converged", make
        np.testing.assert_allclose(np.asarray(fit.coef), np.asarray(exact.coef), rtol=1e-6)


@pytest.mark.parametrize(
    "options", [{"batch_size": 1}, {"batch_size": 7}, {"batch_size": 7, "momentum": 0.9}]
)
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_epochs_together_give_the_bits_of_epochs_one_by_one(rng, monkeypatch, loss, options):
    X = torch.from_numpy(rng.normal(size=(53, 3)))
    y = X.sum(dim=1) + torch.from_numpy(rng.normal(size=53))
    y = y if loss == "squared" else (y > 0).double()
    solver = rules.SGD(0.05, epochs=40, seed=3, schedule="cosine", **options)
    fits = []
    for together in (2**20, 100, 1):  # rows that one call of the kernel may run: many epochs, one, none
        monkeypatch.setattr("torchlinear.solvers.descent_epochs.TOGETHER", together)
        fits.append(tl.fit(X, y, loss=loss, penalty=L2(0.01), solver=solver, tol=1e-300))
    assert len(fits[0].history) == 40
    assert all(torch.equal(fit.coef, fits[0].coef) for fit in fits)
    assert all(torch.equal(fit.history.loss, fits[0].history.loss) for fit in fits)
