"""What docs/en/algorithms.md says of five algorithms, on random data of the page's kind: new points in every run."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn, optim

import torchlinear as tl
from torchlinear.api import solve
from torchlinear.engines.local import Local
from torchlinear.losses.squared import Squared
from torchlinear.quadratic import QuadraticObjective
from torchlinear.racing.course import Counted
from torchlinear.rows import TensorRows

ROOT = Path(__file__).resolve().parents[2]
ROWS = 1000


@dataclass(frozen=True)
class Bowl:
    """The page's data: x in [0, 1), y = 3 x + 0.8 + 0.5 noise; with its optimum and its second derivative."""

    x: Tensor
    y: Tensor

    @property
    def columns(self) -> Tensor:
        return torch.cat([self.x, torch.ones_like(self.x)], dim=1)

    @property
    def hessian(self) -> Tensor:
        return 2 * self.columns.T @ self.columns / len(self.x)

    @property
    def best(self) -> Tensor:
        return torch.linalg.lstsq(self.columns, self.y).solution

    def left(self, w: Tensor) -> Tensor:
        """Share of the way down from zero that is left at each of w, shape (2, m)."""
        off = w - self.best
        whole = self.best.T @ self.hessian @ self.best
        return (off * (self.hessian @ off)).sum(dim=0) / whole.squeeze()


@pytest.fixture
def bowl(rng: np.random.Generator) -> Bowl:
    x = torch.from_numpy(rng.random((ROWS, 1)))
    return Bowl(x, 3 * x + 0.8 + 0.5 * torch.from_numpy(rng.normal(size=(ROWS, 1))))


def gaps(bowl: Bowl, solver: Any, passes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Passes, and the share of the way that is left, of one runner of a race."""
    race = tl.race(bowl.x, bowl.y, solvers=[solver], epochs=passes, frames=4_000, seed=seed)
    runner = next(iter(race))
    return runner.passes, bowl.left(runner.coef[:, :, 0].T)


def floors(bowl: Bowl, solver: Any, *edges: int) -> Tensor:
    """What is left on average between edges, in passes, over runs in six orders of the rows."""
    means = torch.zeros(len(edges) - 1, dtype=torch.float64)
    for seed in range(6):
        passes, left = gaps(bowl, solver, edges[-1], seed)
        for i, (begin, end) in enumerate(itertools.pairwise(edges)):
            means[i] += left[(passes > begin) & (passes <= end)].mean() / 6
    return means


def arrival(bowl: Bowl, lr: float, seed: int) -> float:
    """Passes after which SGD came within a tenth for the first time."""
    passes, left = gaps(bowl, tl.SGD(lr=lr, batch_size=1), 1, seed)
    return float(passes[left < 0.1][0])


def steps(make: Any, bowl: Bowl, count: int, scale: float = 1.0, batch_size: int = ROWS) -> Iterator[Tensor]:
    """(slope, intercept) after each step of an optimiser of torch's, from zero, on `scale` times the target."""
    w = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    optimizer, generator = make([w]), torch.Generator().manual_seed(0)
    for _ in range(count):
        rows = torch.randperm(ROWS, generator=generator)[:batch_size]
        optimizer.zero_grad()
        nn.functional.mse_loss(bowl.columns[rows] @ w, scale * bowl.y[rows]).backward()
        optimizer.step()
        yield w.detach().clone()


def test_bgd_looks_at_all_rows(bowl: Bowl, rng: np.random.Generator) -> None:
    one = tl.fit(bowl.x, bowl.y, solver=tl.SGD(lr=0.5, epochs=1))
    (theirs,) = steps(lambda w: optim.SGD(w, lr=0.5), bowl, 1)
    np.testing.assert_allclose([one.coef[0], one.intercept], theirs[:, 0], rtol=1e-12)
    moved = bowl.y.clone()
    moved[rng.integers(ROWS)] += 1.0  # whichever row it is, the step is another
    other = tl.fit(bowl.x, moved, solver=tl.SGD(lr=0.5, epochs=1))
    assert float(other.intercept - one.intercept) == pytest.approx(0.5 * 2 / ROWS, rel=1e-9)


def test_there_is_no_worse_optimum(bowl: Bowl, rng: np.random.Generator) -> None:
    assert torch.linalg.eigvalsh(bowl.hessian).min() > 0.0
    exact = tl.fit(bowl.x, bowl.y)
    for _ in range(10):
        start = 100.0 * rng.normal(size=2)
        runner = tl.race(bowl.x, bowl.y, solvers=["bgd"], lr=0.5, epochs=1_500, start=start)["bgd"]
        np.testing.assert_allclose(runner.coef[-1, :, 0], [exact.coef[0], exact.intercept], rtol=0, atol=1e-8)


def test_bgd_goes_down_in_every_step_up_to_an_edge(bowl: Bowl) -> None:
    edge = 2.0 / float(torch.linalg.eigvalsh(bowl.hessian)[-1])
    _, below = gaps(bowl, tl.SGD(lr=0.98 * edge), 300)
    assert (below.diff() <= 1e-14).all()
    assert below[-1] < 1e-3
    _, above = gaps(bowl, tl.SGD(lr=1.02 * edge), 300)
    assert above[-1] > 1e3


def test_bgd_reads_the_rows_once_however_many_epochs(bowl: Bowl) -> None:
    rows = Counted(Local().load(TensorRows(bowl.x, bowl.y)))
    solve(QuadraticObjective(Squared(), None, rows), tl.SGD(lr=0.5, epochs=100), infer=False)
    assert rows.passes == 1


def test_sgd_is_acceptable_before_one_pass_is_over(bowl: Bowl) -> None:
    passes, left = gaps(bowl, tl.SGD(lr=0.05, batch_size=1), 1)
    assert passes[left < 0.01][0] < 1.0
    assert bowl.left(next(steps(lambda w: optim.SGD(w, lr=0.5), bowl, 1))) > 0.05  # BGD, after as many rows


def test_sgd_hovers_at_its_noise_floor(bowl: Bowl) -> None:
    early, late = floors(bowl, tl.SGD(lr=0.05, batch_size=1), 10, 25, 60)
    assert 0.25 < late / early < 4.0  # it no longer falls; means of six runs scatter by a fifth
    (quarter,) = floors(bowl, tl.SGD(lr=0.0125, batch_size=1), 25, 60)
    assert late / quarter > 1.7  # about as the learning rate
    soon, later = (sum(arrival(bowl, lr, seed) for seed in range(6)) for lr in (0.05, 0.0125))
    assert later > 1.5 * soon  # what the lower floor costs
    falling = gaps(bowl, tl.SGD(lr=0.1, batch_size=1, schedule="1/t"), 200)[1][-1]
    assert falling < late / 10.0


def test_mbgd_sits_between(bowl: Bowl) -> None:
    one, ten, hundred = (floors(bowl, tl.SGD(lr=0.3, batch_size=size), 20, 50)[0] for size in (1, 10, 100))
    assert 4.0 < one / ten < 25.0  # about the rows of a step
    assert ten > 3.0 * hundred
    everything = gaps(bowl, tl.SGD(lr=0.3), 400)[1][-1]
    assert hundred > 10.0 * everything
    soon = [gaps(bowl, tl.SGD(lr=0.05, batch_size=size), 1)[1][-1] for size in (1, 10, ROWS)]
    assert soon[0] < 0.05 < soon[2]
    assert soon[1] < soon[2] / 5.0


def test_the_steps_of_adagrad_only_shrink(bowl: Bowl) -> None:
    for start in (0.0, 10.0):
        w = torch.full((2, 1), start, dtype=torch.float64, requires_grad=True)
        optimizer, rates = optim.Adagrad([w], lr=0.5), []
        for _ in range(300):
            optimizer.zero_grad()
            nn.functional.mse_loss(bowl.columns @ w, bowl.y).backward()
            optimizer.step()
            rates.append(0.5 / optimizer.state[w]["sum"].sqrt())
        shrinking = torch.cat(rates, dim=1)
        assert (shrinking.diff() <= 0.0).all()
        if start == 0.0:
            last = shrinking[:, -1]
            exact = tl.fit(bowl.x, bowl.y, solver=tl.Adagrad(lr=0.5, epochs=300, batch_size=None))
            np.testing.assert_allclose([exact.coef[0], exact.intercept], w.detach()[:, 0], rtol=1e-9)
    assert (shrinking[:, -1] < last / 5.0).all()  # large gradients at first: slow for good


def test_adagrad_ends_at_the_optimum(bowl: Bowl) -> None:
    _, left = gaps(bowl, tl.Adagrad(lr=0.5), 3_000)
    assert left[-1] < 1e-12


def test_adagrad_learns_rare_columns_as_fast(bowl: Bowl) -> None:
    rare = (torch.arange(ROWS) % 100 == 0).double()[:, None]
    X, y = torch.cat([bowl.x, rare], dim=1), bowl.y + 2 * rare
    best = tl.fit(X, y).coef[1]
    plain = tl.fit(X, y, solver=tl.SGD(lr=0.5, epochs=10)).coef[1] / best
    ours = tl.fit(X, y, solver=tl.Adagrad(lr=0.5, epochs=10)).coef[1] / best
    assert plain < 0.25
    assert 0.6 < ours < 1.4


@pytest.mark.parametrize("optimizer", [optim.Adagrad, optim.Adam])
def test_a_loss_that_counts_more_changes_nothing(bowl: Bowl, optimizer: Any) -> None:
    ends = []
    for weight in (1.0, 1000.0):
        w = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
        rule = optimizer([w], lr=0.1)
        for _ in range(100):
            rule.zero_grad()
            (weight * nn.functional.mse_loss(bowl.columns @ w, bowl.y)).backward()
            rule.step()
        ends.append(w.detach())
    torch.testing.assert_close(*ends, rtol=1e-5, atol=1e-6)


def page_adam() -> Any:
    """`adam` as the page writes it, in a namespace with the page's data."""
    text = (ROOT / "docs" / "en" / "algorithms.md").read_text(encoding="utf-8")
    code = next(part.split("```")[0] for part in text.split("```python\n") if part.startswith("def adam("))
    return code.split("\n\n\n")[0]


def adam(bowl: Bowl, lr: float, count: int, **parts: Any) -> Tensor:
    space: dict[str, Any] = {"torch": torch, "n": ROWS, "X": bowl.columns, "y": bowl.y}
    exec(page_adam(), space)
    way: Tensor = space["adam"](lr, count, **parts)
    return way


@pytest.mark.parametrize("batch_size", [10, ROWS])
def test_adam_is_momentum_and_rmsprop_with_bias_correction(bowl: Bowl, batch_size: int) -> None:
    theirs = torch.cat([*steps(lambda w: optim.Adam(w, lr=0.1), bowl, 100, batch_size=batch_size)], dim=1)
    torch.testing.assert_close(adam(bowl, 0.1, 100, batch_size=batch_size), theirs, rtol=1e-9, atol=1e-9)


def test_adam_without_rmsprop_steps_as_far_as_the_gradient_is_large(bowl: Bowl) -> None:
    for memory, factor in ((0.999, 1.0), (0, 1000.0)):
        first, scaled = (adam(bowl, 0.1, 1, memory=memory, y=scale * bowl.y)[1, 0] for scale in (1, 1000))
        assert float(scaled / first) == pytest.approx(factor, rel=1e-6)


def test_adam_without_bias_correction_steps_too_far_at_first(bowl: Bowl) -> None:
    right, wrong = (float(adam(bowl, 0.1, 1, corrected=corrected)[1, 0]) for corrected in (True, False))
    assert right == pytest.approx(0.1, rel=1e-6)
    assert wrong == pytest.approx(0.1 * (1 - 0.9) / np.sqrt(1 - 0.999), rel=1e-6)


def test_adam_without_momentum_goes_a_longer_way_about_the_optimum(bowl: Bowl) -> None:
    smooth, rough = (
        float(
            adam(bowl, 0.02, 2_000, momentum=momentum, batch_size=10)[:, 1_000:].diff(dim=1).norm(dim=0).sum()
        )
        for momentum in (0.9, 0.0)
    )
    assert rough > 2.5 * smooth


def test_adam_cannot_stride_where_the_way_is_long(bowl: Bowl) -> None:
    way = torch.cat([torch.zeros(2, 1, dtype=torch.float64), adam(bowl, 0.1, 100)], dim=1)
    assert way.diff(dim=1).abs().max() < 0.11
    reached = (bowl.left(way) < 0.01).nonzero()[0]
    assert reached > 25  # the slope is about 3 away
    assert (gaps(bowl, tl.SGD(lr=0.5), 25)[1] < 0.01).any()


def test_adam_in_batches_has_a_floor_that_grows_with_the_learning_rate(bowl: Bowl) -> None:
    long, short = (floors(bowl, tl.Adam(lr=lr, batch_size=10), 20, 60)[0] for lr in (0.1, 0.025))
    assert long > 1.7 * short > 0.0


def test_plain_descent_on_standardised_columns_needs_no_more_epochs_than_adam(bowl: Bowl) -> None:
    race = tl.race(bowl.x, bowl.y, solvers=["bgd", "adam"], standardize=True, epochs=300)
    plain, adam = (race[name].within[1e-4] for name in ("bgd", "adam"))
    assert plain is not None
    assert adam is None or plain.passes <= adam.passes


def test_the_pictures_of_the_page_can_be_drawn_again(tmp_path: Path) -> None:
    script = ROOT / "docs" / "images" / "algorithms.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, timeout=200)
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {"bgd.svg", "sgd.svg", "mbgd.svg", "adagrad.svg", "adam.svg"}
    assert drawn <= {path.name for path in script.parent.glob("*.svg")}
    for language in ("en", "zh"):
        page = (ROOT / "docs" / language / "algorithms.md").read_text(encoding="utf-8")
        assert all(f"(../images/{name})" in page for name in drawn)
