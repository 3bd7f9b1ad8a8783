"""Laws of every solver in the registry: it reaches the optimum, or its certificate says how far it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

import torchlinear as tl
from torchlinear.api import TOLERANCE
from torchlinear.block import TensorRows
from torchlinear.engines.local import Local
from torchlinear.losses.base import Loss
from torchlinear.losses.squared import Squared
from torchlinear.penalties.l2 import L2
from torchlinear.quadratic import QuadraticObjective
from torchlinear.solvers import REGISTRY
from torchlinear.solvers.base import Budget, Solver, State

N, P, K = 80, 3, 2

# Their steps end at the optimum of the objective, or as near as float64 gets.
EXACT = {"cholesky", "qr"}
CONVERGE = EXACT | {"bgd", "momentum", "nesterov"}  # linearly, in theory too


@pytest.fixture(params=REGISTRY.entries)
def name(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def solver(name: str) -> Solver:
    made = REGISTRY.load(name)()
    assert isinstance(made, Solver)
    assert made.name == name
    return made


@pytest.fixture(params=["intercept", "origin"])
def problem(request: Any, rng: np.random.Generator) -> QuadraticObjective:
    """Ridge with weights and columns in different units; condition number of the columns below 5."""
    mixed = np.eye(P) + 0.3 * rng.uniform(-1.0, 1.0, size=(P, P))
    X = rng.normal(size=(N, P)) @ mixed * [1.0, 100.0, 0.01] + [0.5, 0.0, 0.02]
    y = X @ rng.normal(size=(P, K)) + rng.normal(size=(N, K)) + 1.0
    rows = TensorRows(*(torch.from_numpy(a) for a in (X, y, rng.uniform(0.5, 2.0, size=N))))
    penalty = L2(0.1, column_weights=[1.0, 1e4, 1e-4])
    return QuadraticObjective(Squared(), penalty, Local(1).load(rows), intercept=request.param == "intercept")


def start(solver: Solver, problem: QuadraticObjective) -> State:
    return solver.init(problem, torch.zeros(P + 1, K, dtype=torch.float64))


def steps(solver: Solver, problem: QuadraticObjective, *epochs: int) -> list[State]:
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


def test_it_reaches_the_optimum_or_says_how_far_it_is(
    solver: Solver, name: str, problem: QuadraticObjective
) -> None:
    best = torch.from_numpy(problem.optimum("qr").coef)
    state = start(solver, problem)
    while not state.done and state.epoch < solver.epochs and problem.certificate(state.coef) > TOLERANCE:
        state = solver.step(problem, state, Budget(max(1, solver.epochs // 10), math.inf))
        above = problem.value(state.coef) - problem.value(best)
        bound = _excess_at_most(problem, problem.certificate(state.coef))
        assert above <= bound * (1 + 1e-6) + 1e-14 * problem.value(best)
    if name in CONVERGE:
        assert problem.certificate(state.coef) <= (1e-12 if name in EXACT else TOLERANCE)
        if name in EXACT:
            torch.testing.assert_close(state.coef, best, rtol=1e-11, atol=1e-13)
    else:
        assert problem.certificate(state.coef) < 0.2 < problem.certificate(torch.zeros_like(best))


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


def test_half_the_budget_twice_is_the_whole_to_the_bit(solver: Solver, problem: QuadraticObjective) -> None:
    whole, halves = steps(solver, problem, 8), steps(solver, problem, 4, 4)
    if whole[-1].done:
        assert same(whole[-1], halves[1])
    else:
        assert same(whole[-1], halves[-1])
        assert torch.equal(whole[-1].trace, torch.cat([state.trace for state in halves[1:]]))


def test_a_step_is_pure(solver: Solver, problem: QuadraticObjective) -> None:
    state = steps(solver, problem, 2)[-1]
    before = replace(state, coef=state.coef.clone(), memory={k: v.clone() for k, v in state.memory.items()})
    once, twice = (solver.step(problem, state, Budget(3, math.inf)) for _ in range(2))
    assert same(state, before)
    assert same(once, twice)


def test_a_step_keeps_to_its_budget_and_traces_every_epoch(
    solver: Solver, problem: QuadraticObjective
) -> None:
    first, second = steps(solver, problem, 3)[-1], steps(solver, problem, 1)[-1]
    assert 1 <= first.epoch <= 3
    assert second.epoch == 1
    for state in (first, second):
        assert state.trace.shape == (state.epoch,)
        assert state.trace.dtype == torch.float64
        assert torch.isfinite(state.trace).all()
        assert state.coef.shape == (P + 1, K)


def test_without_an_intercept_it_stays_zero(solver: Solver, problem: QuadraticObjective) -> None:
    state = steps(solver, problem, 5)[-1]
    assert bool((state.coef[-1] == 0).all()) == (not problem.intercept)


def test_a_state_is_tensors_and_numbers(solver: Solver, problem: QuadraticObjective) -> None:
    for state in steps(solver, problem, 2):
        assert all(isinstance(value, Tensor) for value in state.memory.values())
        assert isinstance(state.epoch, int)
        assert isinstance(state.cursor, int)


def test_it_describes_itself_in_one_line(solver: Solver, name: str, problem: QuadraticObjective) -> None:
    described = solver.describe(problem)
    assert described.startswith(name)
    assert "\n" not in described
    fit = tl.fit(problem.rows.X, problem.rows.y, solver=name, max_epochs=100)  # type: ignore[attr-defined]
    assert fit.solver.split(",")[0] == described.split(",")[0]


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


def test_it_refuses_what_it_cannot_minimise_and_says_what_to_do(
    solver: Solver, name: str, problem: QuadraticObjective
) -> None:
    assert solver.refusal(problem) is None
    refused = solver.refusal(QuadraticObjective(Quartic(), None, problem.loaded))
    assert refused is not None
    assert "quartic" in refused
    assert refused.split("; ")[-1] == "use loss='squared'."
    with pytest.raises(tl.InvalidInput, match=rf"^solver='{name}': .*use loss='squared'\.$"):
        tl.fit(torch.eye(3), torch.ones(3), solver=solver, loss=Quartic())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_of_any_dtype_are_solved_in_float64(
    solver: Solver, problem: QuadraticObjective, dtype: torch.dtype
) -> None:
    rows = problem.rows
    assert isinstance(rows, TensorRows)
    assert rows.weight is not None
    held = TensorRows(rows.X.to(dtype), rows.y.to(dtype), rows.weight)
    exact = TensorRows(rows.X.to(dtype).double(), rows.y.to(dtype).double(), rows.weight)
    found, truth = (
        steps(
            solver,
            QuadraticObjective(Squared(), problem.penalty, Local(1).load(part), intercept=problem.intercept),
            3,
        )[-1]
        for part in (held, exact)
    )
    torch.testing.assert_close(found.coef, truth.coef, rtol=1e-12, atol=1e-14)
