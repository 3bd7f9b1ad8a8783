"""Blocks: layouts, dtypes, weights and low words are theirs to handle, and nobody else sees the rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import torchlinear
from torchlinear.block import Block
from torchlinear.rows import SHARD_ROWS, TensorRows, default_names, sample

N, P, K = 70, 4, 2

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "rows": Tensor.contiguous,
    "columns": lambda X: X.T.contiguous().T,
    "part of rows": lambda X: torch.cat([X, X], dim=1)[:, :P],
    "part of columns": lambda X: torch.cat([X, X]).T.contiguous().T[:N],
    "every second": lambda X: X.repeat_interleave(2, dim=0)[::2],
}


@pytest.fixture
def block(rng: np.random.Generator) -> Block:
    X, y = torch.from_numpy(rng.normal(size=(N, P))), torch.from_numpy(rng.normal(size=(N, K)))
    return Block(X, y, torch.from_numpy(rng.random(N)), torch.from_numpy(rng.normal(size=(N, P)) * 1e-18))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_sums_to_the_same_bits(block: Block, layout: str, dtype: torch.dtype) -> None:
    X = block.X.to(dtype)
    plain, other = (Block(form(X), block.y, block.weight) for form in (LAYOUTS["rows"], LAYOUTS[layout]))
    for extended in (False, True):
        shift = plain.shift()
        ours, theirs = plain.moments(shift, extended), other.moments(shift, extended)
        assert all(
            np.array_equal(a, b) for a, b in zip((*ours.mean, *ours.cross), (*theirs.mean, *theirs.cross))
        )
        R, S = plain.triangle(shift, extended).R, other.triangle(shift, extended).R
        np.testing.assert_allclose(R.high, S.high, rtol=1e-14, atol=1e-14)
    assert torch.equal(plain.X, other.X)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_predictions_and_pulls_are_float64(block: Block, dtype: torch.dtype) -> None:
    part = Block(block.X.to(dtype), block.y, block.weight)
    coef, r = torch.randn(P + 1, K), torch.randn(N, K)
    eta = part.predict(coef)
    assert eta.dtype == torch.float64
    torch.testing.assert_close(
        eta, part.X.double() @ coef[:-1].double() + coef[-1].double(), rtol=1e-14, atol=1e-14
    )
    pull = part.pull(r)
    ones = torch.cat([part.X.double(), torch.ones(N, 1)], dim=1)
    torch.testing.assert_close(pull, ones.T @ r.double(), rtol=1e-13, atol=1e-13)
    inner = float((pull * coef.double()).sum())  # <X'r, b> = <r, Xb>
    assert inner == pytest.approx(float((r.double() * eta).sum()), rel=1e-12)


def test_low_words_count(block: Block) -> None:
    assert block.low is not None
    bare = Block(block.X, block.y, block.weight)
    coef = torch.zeros(P + 1, K, dtype=torch.float64)
    coef[0] = 1.0
    big = Block(block.X * 0, block.y, block.weight, block.low)
    assert torch.equal(big.predict(coef)[:, 0], block.low[:, 0])
    shift = bare.shift()
    ours, theirs = block.moments(shift, True).mean, bare.moments(shift, True).mean
    away = (ours.high - theirs.high) + (ours.low - theirs.low)
    weights = block.weight.numpy()  # type: ignore[union-attr]
    np.testing.assert_allclose(away[:P], np.average(block.low.numpy(), axis=0, weights=weights), rtol=1e-9)


def test_rows_and_weights_are_counted() -> None:
    weight = torch.tensor([0.0, 2.0, 0.5, 0.0], dtype=torch.float64)
    block = Block(torch.ones(4, 1), torch.ones(4, 1), weight)
    assert (block.rows, block.log_weight) == (2, pytest.approx(0.0))
    assert Block(torch.ones(4, 1), torch.ones(4, 1)).rows == 4


def test_what_is_not_finite_is_counted_by_column() -> None:
    X = torch.tensor([[1.0, float("nan")], [float("inf"), 2.0], [3.0, float("-inf")]])
    assert Block(X, torch.tensor([[0.0], [float("nan")], [1.0]])).nonfinite().tolist() == [1, 2, 1]


def test_the_shift_is_finite_and_ignores_rows_without_weight() -> None:
    X = torch.tensor([[1e9], [2.0], [4.0], [float("nan")]], dtype=torch.float64)
    weight = torch.tensor([0.0, 1.0, 3.0, 0.0], dtype=torch.float64)
    assert Block(X, torch.zeros(4, 1), weight).shift().tolist() == [3.0, 0.0]
    assert np.isfinite(Block(X, torch.zeros(4, 1)).shift()).all()
    assert np.isfinite(Block(X, torch.zeros(4, 1), torch.zeros(4)).shift()).all()


@pytest.mark.parametrize("rows", [0, 1, SHARD_ROWS, SHARD_ROWS + 1, 3 * SHARD_ROWS - 1])
def test_shards_are_views_that_cover_the_rows(rows: int) -> None:
    X, y = torch.arange(rows, dtype=torch.float64)[:, None], torch.zeros(rows, 1)
    held = TensorRows(X, y, torch.ones(rows), low=torch.zeros(rows, 1))
    blocks = [block for shard in held.shards() for block in held.blocks(shard)]
    assert len(blocks) == max(1, -(-rows // SHARD_ROWS))
    assert torch.equal(torch.cat([block.X for block in blocks]), X)
    storage = X.untyped_storage().data_ptr()
    assert all(block.X.untyped_storage().data_ptr() == storage for block in blocks)
    assert all(not list(held.blocks(shard, start=1)) for shard in held.shards())


def test_names() -> None:
    assert default_names("x", 1) == ("x",)
    assert default_names("x", 3) == ("x0", "x1", "x2")
    rows = TensorRows(torch.ones(2, 2), torch.ones(2, 1), names=["a", "b"], targets=["t"])
    assert (rows.names, rows.targets, rows.n_features, rows.n_outputs, rows.n_rows) == (
        ("a", "b"),
        ("t",),
        2,
        1,
        2,
    )


def test_a_sample_is_evenly_spaced_and_whole_when_it_fits() -> None:
    n = SHARD_ROWS + 1_000
    X = torch.arange(n, dtype=torch.float64)[:, None]
    found, y, total = sample(TensorRows(X, 2 * X), most=101)
    assert (found.shape, total) == ((101, 1), n)
    np.testing.assert_array_equal(y, 2 * found)
    np.testing.assert_array_equal(found[:, 0], np.linspace(0, n - 1, 101).round())
    assert len(sample(TensorRows(X[:50], X[:50]))[0]) == 50


def test_of_the_solvers_only_those_in_batches_look_at_the_rows() -> None:
    """Layouts, dtypes, weights and devices are decided in block.py and nowhere else."""
    source = Path(torchlinear.__file__).parent
    folders = ("solvers", "losses", "penalties", "inference", "report")
    modules = [path for folder in folders for path in (source / folder).rglob("*.py")]
    modules += [source / name for name in ("objective.py", "leastsquares.py", "loop.py", "solution.py")]
    looks = re.compile(r"\b(block|rows)\.(X|y|low)\b")
    found = {path.name for path in modules if looks.search(path.read_text())}
    targets = {
        "concomitant.py",
        "joint.py",
        "residual_scale.py",
        "screened.py",
    }  # which look at the targets alone
    descents = {"descent.py", "descent_batches.py", "descent_losses.py", "descent_way.py", "descent_ways.py"}
    assert found <= descents | targets
