"""The loop, with a solver whose every step is known, and with real ones."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

import torchlinear as tl
from torchlinear.loop import History, Limits, Outcome, Status, run
from torchlinear.solvers.base import Budget, Solver, State


@dataclass(frozen=True)
class Halving(Solver):
    """Halves its coefficient in every epoch, `per_step` epochs a step, until it is `at`."""

    per_step: int = 1
    ends_at: int | None = None
    becomes: float | None = None
    name: ClassVar[str] = "halving"

    def refusal(self, objective: Any) -> str | None:
        return None

    def init(self, problem: Any, coef: Tensor) -> State:
        return State(coef)

    def step(self, problem: Any, state: State, budget: Budget) -> State:
        assert budget.epochs >= 1
        assert 0.0 <= budget.seconds <= 0.1
        count = min(self.per_step, budget.epochs)
        trace = state.coef.sum() * 0.5 ** torch.arange(1, count + 1, dtype=torch.float64)
        coef = state.coef * 0.5**count if self.becomes is None else torch.full_like(state.coef, self.becomes)
        epoch = state.epoch + count
        return replace(state, coef=coef, epoch=epoch, trace=trace, done=epoch == self.ends_at)


ONE = torch.ones(1, 1, dtype=torch.float64)


def never(state: State) -> bool:
    return False


def went(solver: Solver, limits: Limits, stop: Any = never, **options: Any) -> Outcome:
    return run(None, solver, ONE, stop=stop, limits=limits, **options)


@pytest.mark.parametrize("per_step", [1, 3, 100])
def test_the_budget_is_used_to_the_epoch(per_step: int) -> None:
    outcome = went(Halving(per_step), Limits(10))
    assert outcome.status is Status.BUDGET_USED
    assert (outcome.state.epoch, len(outcome.history)) == (10, 10)
    assert outcome.history.epoch.tolist() == list(range(10))
    assert outcome.history.loss.tolist() == [0.5**e for e in range(1, 11)]
    assert outcome.state.coef.item() == 0.5**10


def test_good_enough_is_converged() -> None:
    outcome = went(Halving(), Limits(100), stop=lambda state: bool(state.coef.item() < 0.1))
    assert outcome.status is Status.CONVERGED
    assert outcome.state.epoch == 4


def test_the_start_is_never_good_enough_without_a_step() -> None:
    assert went(Halving(), Limits(100), stop=lambda state: True).state.epoch == 1


def test_a_solver_that_ends_above_the_tolerance_is_inaccurate() -> None:
    assert went(Halving(ends_at=3), Limits(100)).status is Status.INACCURATE
    assert went(Halving(ends_at=3), Limits(100), stop=lambda state: state.done).status is Status.CONVERGED


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_diverged(bad: float) -> None:
    outcome = went(Halving(becomes=bad), Limits(100), stop=lambda state: True)
    assert outcome.status is Status.DIVERGED
    assert outcome.state.epoch == 1


def test_the_time_limit() -> None:
    began = time.perf_counter()
    outcome = went(Halving(), Limits(10**9, seconds=0.2))
    assert outcome.status is Status.TIME_LIMIT
    assert 0.2 <= outcome.seconds <= time.perf_counter() - began
    assert outcome.seconds < 2.0
    assert outcome.state.epoch == len(outcome.history) > 1


def test_the_report_is_called_after_every_step() -> None:
    seen: list[tuple[int, int]] = []
    went(Halving(4), Limits(10), report=lambda state, history: seen.append((state.epoch, len(history))))
    assert seen == [(4, 4), (8, 8), (10, 10)]


def test_what_the_report_raises_goes_through() -> None:
    def stop_it(state: State, history: History) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        went(Halving(), Limits(10), report=stop_it)


def test_fit_passes_the_callback_and_the_limits_on() -> None:
    x = torch.randn(40, 2)
    seen: list[int] = []
    fit = tl.fit(x, x.sum(1), solver="bgd", tol=1e-300, max_epochs=7,
                 callback=lambda state, history: seen.append(state.epoch))  # fmt: skip
    assert fit.status is Status.BUDGET_USED
    assert (seen[-1], len(fit.history)) == (7, 7)
    fit = tl.fit(x, x.sum(1), solver=tl.Adam(lr=1e-9), max_epochs=10**9, time_limit=0.2)
    assert fit.status is Status.TIME_LIMIT
    assert 0.2 <= fit.solution.seconds < 2.0


@pytest.mark.parametrize("status", Status)
def test_a_status_says_what_to_do(status: Status) -> None:
    assert status.value.split(":")[0].replace(" ", "_") in (status.label, f"{status.label}_reached")
    assert status.value.endswith(".")


@pytest.mark.parametrize("chunk", [1, 7, 1000, 40_000])
def test_a_history_thins_out_and_stays_small(chunk: int) -> None:
    capacity, epochs = (100_000, 350_000) if chunk > 100 else (1_000, 3_500)
    history = History(capacity)
    losses = torch.arange(epochs, dtype=torch.float64)
    for part in losses.split(chunk):
        history.extend(part)
        assert history.loss.numel() <= capacity
    assert len(history) == epochs
    assert history.stride == 4
    assert torch.equal(history.epoch, torch.arange(0, epochs, 4))
    assert torch.equal(history.loss, losses[::4])


def test_every_epoch_is_kept_up_to_the_capacity() -> None:
    history = History()
    history.extend(torch.arange(100_000.0))
    assert (history.stride, history.loss.numel()) == (1, 100_000)
    history.extend(torch.zeros(1))
    assert (history.stride, history.loss.numel()) == (2, 50_001)


def test_a_history_of_slow_epochs_costs_no_more_than_of_fast_ones() -> None:
    history = History()
    for _ in range(20_000):  # one loss a step, and steps that end inside an epoch
        history.extend(torch.zeros(1))
        history.extend(torch.zeros(0))
    assert len(history._parts) <= 1_001
    assert len(history) == history.loss.numel() == 20_000


def test_a_history_does_not_change_with_the_trace_that_it_was_given() -> None:
    history, trace = History(), torch.ones(3, dtype=torch.float64)
    history.extend(trace)
    trace.zero_()
    assert history.loss.tolist() == [1.0, 1.0, 1.0]


def test_a_restored_history_goes_on() -> None:
    history, again = History(capacity=4), None
    for start in range(0, 30, 3):
        history.extend(torch.arange(start, start + 3.0))
        again = History.restored(history.loss, history.seen, history.stride)
    assert again is not None
    again.extend(torch.arange(30.0, 40.0))
    history.extend(torch.arange(30.0, 40.0))
    assert torch.equal(again.loss[again.epoch % 16 == 0], history.loss[history.epoch % 16 == 0])
    with pytest.raises(ValueError, match="a history of 5 epochs by 1"):
        History.restored(torch.zeros(4, dtype=torch.float64), 5, 1)


def test_a_history_names_its_ends() -> None:
    history = History()
    assert repr(history) == "History(0 epochs)"
    history.extend(torch.tensor([4.0, 0.25]))
    assert repr(history) == "History(2 epochs, loss 4 -> 0.25)"
