"""Laws of every solver in the registry: it reaches the optimum, or its certificate says how far it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

import torchlinear as tl
from torchlinear.api import TOLERANCE, objective_of
from torchlinear.engines.local import Local
from torchlinear.losses.absolute import Absolute
from torchlinear.losses.base import Loss
from torchlinear.losses.softmax import Softmax
from torchlinear.objective import Objective
from torchlinear.penalties.l2 import L2
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import TensorRows
from torchlinear.solvers import REGISTRY
from torchlinear.solvers.base import Budget, Solver, State
from torchlinear.summed import SummedObjective

N, P, K = 80, 3, 2

# Their steps end at the optimum of the objective, or as near as float64 gets.
EXACT = {"cholesky", "qr", "coordinate", "interior_point", "newton", "proximal_newton", "working_set"}
CONVERGE = EXACT | {"bgd", "fista", "momentum", "nesterov", "lbfgs", "newton_cg", "saga"}  # in theory too
# What else than the ridge a solver may be asked for; each has its rows in `rows_of`.
LOSSES: dict[str, Loss] = {
    "squared": tl.Squared(),
    "binomial": tl.Binomial(),
    "poisson": tl.Poisson(),
    "softmax": Softmax(),
    "absolute": Absolute(),
    "hinge": tl.Hinge(),
    "squared_hinge": tl.SquaredHinge(),
}


def rows_of(kind: str, rng: np.random.Generator) -> TensorRows:
    """Weighted rows in different units; condition number of the columns below 5."""
    mixed = np.eye(P) + 0.3 * rng.uniform(-1.0, 1.0, size=(P, P))
    X = rng.normal(size=(N, P)) @ mixed * [1.0, 100.0, 0.01] + [0.5, 0.0, 0.02]
    y = {
        "squared": lambda: X @ rng.normal(size=(P, K)) + rng.normal(size=(N, K)) + 1.0,
        "binomial": lambda: _labels(X, rng),
        "poisson": lambda: rng.poisson(2.0, size=(N, K)),
        "softmax": lambda: _labels(X, rng)[:, :1],
        "absolute": lambda: X[:, :1] + rng.normal(size=(N, 1)),
        "hinge": lambda: _labels(X, rng),
        "squared_hinge": lambda: _labels(X, rng),
    }[kind]()
    weight = rng.uniform(0.5, 2.0, size=N)
    return TensorRows(*(torch.from_numpy(np.asarray(a, dtype=np.float64)) for a in (X, y, weight)))


def _labels(X: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Labels that the features tell something about, but not all: of each output by a feature of its own."""
    scores = (X - X.mean(axis=0)) / X.std(axis=0)
    return 3.0 * scores[:, :K] + rng.logistic(size=(N, K)) > 0


def problem_of(kind: str, rows: TensorRows, intercept: bool = True) -> Objective:
    penalty = None if kind == "absolute" else L2(0.1, column_weights=[1.0, 1e4, 1e-4])
    outputs = K if kind == "softmax" else None
    return objective_of(LOSSES[kind], penalty, rows, intercept=intercept, n_outputs=outputs)


def takes(name: str, kind: str) -> bool:
    rows = rows_of(kind, np.random.default_rng(0))
    return REGISTRY.load(name)().refusal(problem_of(kind, rows)) is None  # type: ignore[no-any-return]


PAIRS = [(name, kind) for name in REGISTRY.entries for kind in LOSSES if takes(name, kind)]


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: Any) -> tuple[str, str]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def name(pair: tuple[str, str]) -> str:
    return pair[0]


@pytest.fixture
def kind(pair: tuple[str, str]) -> str:
    return pair[1]


@pytest.fixture
def solver(name: str) -> Solver:
    made = REGISTRY.load(name)()
    assert isinstance(made, Solver)
    assert made.name == name
    return made


@pytest.fixture(params=["intercept", "origin"])
def problem(request: Any, kind: str, rng: np.random.Generator) -> Objective:
    return problem_of(kind, rows_of(kind, rng), request.param == "intercept")


def best_of(problem: Objective) -> Tensor:
    """The optimum, by other means than the solver's: a direct solve, or Newton's method with autograd's Hessian."""
    if isinstance(problem, QuadraticObjective):
        return torch.from_numpy(problem.optimum("qr").coef)
    rows, free = problem.rows, torch.ones(P + 1, problem.n_outputs, dtype=torch.bool)
    assert isinstance(rows, TensorRows)
    assert rows.weight is not None
    free[-1] = problem.intercept
    part = rows.weight / rows.weight.sum()

    def value(flat: Tensor) -> Tensor:
        coef = torch.zeros(P + 1, problem.n_outputs, dtype=torch.float64)
        coef[free] = flat
        loss = part @ problem.loss.value(rows.X @ coef[:-1] + coef[-1], rows.y)
        return loss if problem.penalty is None else loss + problem.penalty.value(coef[:-1])

    flat = problem.start[free]
    for _ in range(30):
        gradient = torch.autograd.functional.jacobian(value, flat)
        hessian = torch.autograd.functional.hessian(value, flat)
        step = torch.linalg.lstsq(hessian, gradient[:, None], driver="gelsd").solution[:, 0]
        halved = 0.5 ** torch.arange(20, dtype=torch.float64)
        flat = (
            flat - step * halved[int(torch.stack([value(flat - step * share) for share in halved]).argmin())]
        )
    coef = torch.zeros(P + 1, problem.n_outputs, dtype=torch.float64)
    coef[free] = flat
    return coef


def start(solver: Solver, problem: Objective) -> State:
    return solver.init(problem, problem.start)


def steps(solver: Solver, problem: Objective, *epochs: int) -> list[State]:
    states = [start(solver, problem)]
    for count in epochs:
        states.append(solver.step(problem, states[-1], Budget(count, math.inf)))
    return states


def same(a: State, b: State) -> bool:
    return (
        torch.equal(a.coef, b.coef)
        and (a.epoch, a.cursor, a.done) == (b.epoch, b.cursor, b.done)
        and a.memory.keys() == b.memory.keys()
        and all(torch.equal(a.memory[key], b.memory[key]) for key in a.memory)
    )


def test_it_reaches_the_optimum_or_says_how_far_it_is(solver: Solver, name: str, problem: Objective) -> None:
    state = start(solver, problem)
    while not state.done and state.epoch < solver.epochs and problem.certificate(state.coef) > TOLERANCE:
        state = solver.step(problem, state, Budget(max(1, solver.epochs // 10), math.inf))
        if isinstance(problem, QuadraticObjective):
            best = problem.value(best_of(problem))
            bound = _excess_at_most(problem, problem.certificate(state.coef))
            assert problem.value(state.coef) - best <= bound * (1 + 1e-6) + 1e-14 * best
    reached = problem.certificate(state.coef)
    if name not in CONVERGE:
        assert reached < 0.2 < problem.certificate(torch.zeros_like(state.coef))
        return
    assert reached <= (1e-10 if name in EXACT else TOLERANCE)
    if problem.loss.smooth:
        best = best_of(problem)
        assert problem.value(state.coef) <= problem.value(best) * (1 + 1e-13)
        if name in EXACT:
            torch.testing.assert_close(state.coef, best, rtol=1e-9, atol=1e-11)


def _excess_at_most(problem: QuadraticObjective, certificate: float) -> float:
    """What the objective can be above its least, by the certificate c: with H = R'R + ridge and slope g in
    standardised units |g_j| <= c t, it is g' H^-1 g / W <= p (c t)^2 / (smallest eigenvalue W), and (c t)^2 / W
    more for the intercept."""
    triangle = problem.factor
    R, weight = triangle.R.high, triangle.weight
    norms = np.sqrt(np.square(R[:, :P]).sum(axis=0))
    targets = np.square(R[:, P:]).sum()
    H = (R[:, :P].T @ R[:, :P] + np.diag(problem.ridge(weight))) / np.outer(norms, norms)
    return float((P / np.linalg.eigvalsh(H)[0] + 1.0) * certificate**2 * targets / weight)


def test_half_the_budget_twice_is_the_whole_to_the_bit(solver: Solver, problem: Objective) -> None:
    whole, halves = steps(solver, problem, 8), steps(solver, problem, 4, 4)
    if whole[-1].done:  # the loop asks nothing more of a solver that is done
        assert same(whole[-1], next((state for state in halves[1:] if state.done), halves[-1]))
    else:
        assert same(whole[-1], halves[-1])
        assert torch.equal(whole[-1].trace, torch.cat([state.trace for state in halves[1:]]))


def test_a_step_is_pure(solver: Solver, problem: Objective) -> None:
    state = steps(solver, problem, 2)[-1]
    before = replace(state, coef=state.coef.clone(), memory={k: v.clone() for k, v in state.memory.items()})
    once, twice = (solver.step(problem, state, Budget(3, math.inf)) for _ in range(2))
    assert same(state, before)
    assert same(once, twice)


def test_a_step_keeps_to_its_budget_and_traces_every_epoch(solver: Solver, problem: Objective) -> None:
    first, second = steps(solver, problem, 3)[-1], steps(solver, problem, 1)[-1]
    assert 1 <= first.epoch <= 3
    assert second.epoch == 1
    for state in (first, second):
        assert state.trace.shape == (state.epoch,)
        assert state.trace.dtype == torch.float64
        assert torch.isfinite(state.trace).all()
        assert state.coef.shape == (P + 1, problem.n_outputs)


def test_without_an_intercept_it_stays_zero(solver: Solver, problem: Objective) -> None:
    state = steps(solver, problem, 5)[-1]
    assert bool((state.coef[-1] == 0).all()) == (not problem.intercept)


def test_a_state_is_tensors_and_numbers(solver: Solver, problem: Objective) -> None:
    for state in steps(solver, problem, 2):
        assert all(isinstance(value, Tensor) for value in state.memory.values())
        assert isinstance(state.epoch, int)
        assert isinstance(state.cursor, int)


def test_it_describes_itself_in_one_line(solver: Solver, name: str, problem: Objective) -> None:
    described = solver.describe(problem)
    assert described.startswith(name)
    assert "\n" not in described


@dataclass(frozen=True)
class Quartic(Loss):
    """A loss that no solver of a quadratic one can minimise."""

    name: ClassVar[str] = "quartic"

    def value(self, eta: Tensor, y: Tensor) -> Tensor:
        return (y - eta).pow(4).sum(dim=1)

    def gradient(self, eta: Tensor, y: Tensor) -> Tensor:
        return 4.0 * (eta - y).pow(3)

    def curvature(self, eta: Tensor, y: Tensor) -> Tensor:
        return 12.0 * (eta - y).square()


class Streamed(TensorRows):
    """Rows that are read again at every pass and know no order."""


@pytest.mark.parametrize("name", REGISTRY.entries)
def test_it_refuses_what_it_cannot_minimise_and_says_what_to_do(name: str, rng: np.random.Generator) -> None:
    solver, rows = REGISTRY.load(name)(), rows_of("squared", rng)
    for kind in LOSSES:
        refused = solver.refusal(problem_of(kind, rows_of(kind, rng)))
        assert (refused is None) == ((name, kind) in PAIRS)
        if refused is not None:
            assert refused.endswith(".")
            assert "use " in refused
    if solver.refusal(SummedObjective(Quartic(), None, Local(1).load(rows))) is None:
        return
    with pytest.raises(tl.InvalidInput, match=rf"^solver='{name}': .*use "):
        tl.fit(torch.eye(3), torch.ones(3), solver=name, loss=Quartic())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_of_any_dtype_are_solved_in_float64(
    solver: Solver, kind: str, problem: Objective, dtype: torch.dtype
) -> None:
    rows = problem.rows
    assert isinstance(rows, TensorRows)
    held = TensorRows(rows.X.to(dtype), rows.y.to(dtype), rows.weight)
    exact = TensorRows(rows.X.to(dtype).double(), rows.y.to(dtype).double(), rows.weight)
    found, truth = (steps(solver, problem_of(kind, part, problem.intercept), 3)[-1] for part in (held, exact))
    torch.testing.assert_close(found.coef, truth.coef, rtol=1e-11, atol=1e-13)
