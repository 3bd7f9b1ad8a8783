"""Ctrl-C: once ends at the next step or block, twice at once; it is never lost and the handler comes back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import torchlinear as tl
from torchlinear import interruption
from torchlinear.block import Block
from torchlinear.engines.local import Local
from torchlinear.losses.squared import Squared
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import TensorRows

X = torch.randn(50, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
Y = X.sum(dim=1) + 1.0


def press(times: int = 1) -> None:
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def _handler_comes_back() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    assert signal.getsignal(signal.SIGINT) is before
    assert not interruption.requested()


class Pressed(TensorRows):
    """Rows that press Ctrl-C when block `at` is read."""

    def __init__(self, at: int, times: int = 1, shards: int = 4) -> None:
        super().__init__(X, Y[:, None])
        self.at, self.times, self.count, self.read = at, times, shards, 0

    def shards(self) -> list[int]:
        return list(range(self.count))

    def blocks(self, shard: int, start: int = 0) -> Iterator[Block]:
        for _ in range(5):
            self.read += 1
            if self.read == self.at:
                press(self.times)
            yield Block(self.X, self.y)


def objective(rows: TensorRows) -> QuadraticObjective:
    return QuadraticObjective(Squared(), None, Local(workers=1).load(rows))


def test_once_ends_at_the_next_step() -> None:
    steps: list[int] = []

    def report(state: Any, history: Any) -> None:
        steps.append(state.epoch)
        if len(steps) == 3:
            press()

    fit = tl.fit(X, Y, solver=tl.SGD(lr=1e-9), max_epochs=10**9, callback=report)
    assert fit.status is tl.Status.INTERRUPTED
    assert len(steps) == 3
    assert len(fit.history) == steps[-1]
    again = tl.fit(X, Y, solver=tl.SGD(lr=1e-9), max_epochs=steps[-1])
    assert torch.equal(fit.coef, again.coef)
    assert fit.certificate == again.certificate > 0


def test_twice_raises_at_once() -> None:
    steps: list[int] = []

    def report(state: Any, history: Any) -> None:
        steps.append(state.epoch)
        press(2)

    with pytest.raises(KeyboardInterrupt):
        tl.fit(X, Y, solver=tl.SGD(lr=1e-9), max_epochs=10**9, callback=report)
    assert len(steps) == 1


def test_a_mini_batch_fit_in_its_first_epoch_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchlinear.loop.STEP_SECONDS", 1e-9)
    x = torch.randn(400_000, 2, dtype=torch.float64)
    fit = tl.fit(x, x.sum(1), solver=tl.SGD(lr=1e-9, batch_size=1), callback=lambda state, history: press())
    assert fit.status is tl.Status.INTERRUPTED
    assert len(fit.history) == 0
    assert (fit.coef != 0).all()


@pytest.mark.parametrize("solver", ["auto", "cholesky", "qr"])
@pytest.mark.parametrize("at", [2, 9])
def test_an_exact_fit_inside_its_first_pass_raises(solver: str, at: int) -> None:
    from torchlinear.api import solve

    rows = Pressed(at)
    with pytest.raises(KeyboardInterrupt):
        solve(objective(rows), solver)
    assert rows.read <= at + 1  # ends at the next block, not after the pass


def test_inside_the_pass_of_a_descent_it_raises_too() -> None:
    from torchlinear.api import solve

    with pytest.raises(KeyboardInterrupt):
        solve(objective(Pressed(3)), tl.SGD(lr=1e-9))


def test_in_the_last_block_it_is_not_lost() -> None:
    """The pass is over and the fit exact, but the user asked to stop, maybe a loop around many fits."""
    from torchlinear.api import solve

    rows = Pressed(at=-1)
    solve(objective(rows), "cholesky")
    with pytest.raises(KeyboardInterrupt):
        solve(objective(Pressed(at=rows.read)), "cholesky")


def test_a_sum_over_threads_ends_too() -> None:
    from torchlinear.api import solve

    seen: list[int] = []

    class Slow(Pressed):
        def blocks(self, shard: int, start: int = 0) -> Iterator[Block]:
            for i in range(5):
                seen.append(i)
                if len(seen) == 3:
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                yield Block(self.X, self.y)
                waited.wait(0.02)

    waited = threading.Event()
    rows = Slow(at=-1, shards=30)
    with pytest.raises(KeyboardInterrupt):
        solve(QuadraticObjective(Squared(), None, Local(workers=3).load(rows)), "cholesky")
    assert len(seen) < 60  # of 150 blocks


def test_other_threads_fit_without_a_handler() -> None:
    statuses: list[Any] = []
    thread = threading.Thread(
        target=lambda: statuses.append(tl.fit(X, Y, solver="bgd", max_epochs=50).status)
    )
    thread.start()
    thread.join()
    assert statuses[0] in (tl.Status.CONVERGED, tl.Status.BUDGET_USED)


def test_a_process_that_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        fit = tl.fit(X, Y, solver=tl.SGD(lr=1e-9), max_epochs=20, callback=lambda state, history: press(3))
        assert fit.status is tl.Status.BUDGET_USED
    finally:
        signal.signal(signal.SIGINT, before)


def test_somebody_elses_handler_comes_back_after_an_error() -> None:
    calls: list[int] = []

    def theirs(signum: int, frame: Any) -> None:
        calls.append(signum)

    def report(state: Any, history: Any) -> None:
        raise RuntimeError("theirs")

    before = signal.signal(signal.SIGINT, theirs)
    try:
        with pytest.raises(RuntimeError, match="theirs"):
            tl.fit(X, Y, solver="bgd", callback=report)
        press()
        assert calls == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_watching_says_what_was_asked() -> None:
    watch = interruption.watching()
    watch.__enter__()
    assert not interruption.requested()
    interruption.check()
    press()
    assert interruption.requested()
    with pytest.raises(interruption.Interrupted):
        interruption.check()
    with pytest.raises(KeyboardInterrupt):
        watch.__exit__(None, None, None)
    with interruption.watching():
        assert not interruption.requested()
        press()
        interruption.honoured()
