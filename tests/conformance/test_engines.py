"""Laws of every engine in the registry: sums are those of all rows, to the same bits however many work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from torchlinear.block import Block
from torchlinear.engines import REGISTRY
from torchlinear.engines.base import Engine
from torchlinear.rows import TensorRows

N = 1_000


class Cut(TensorRows):
    """Shards of unequal length, of several blocks each, one of them empty."""

    CUTS = (0, 1, 130, 130, 400, 555, 990, N)

    def shards(self) -> list[tuple[int, int]]:
        return list(zip(self.CUTS, self.CUTS[1:]))

    def blocks(self, shard: tuple[int, int], start: int = 0) -> Iterator[Block]:
        first, last = shard
        for begin in range(first, max(last, first + 1), 64):
            part = slice(begin, min(begin + 64, last))
            yield Block(self.X[part], self.y[part], None if self.weight is None else self.weight[part])


@pytest.fixture(params=REGISTRY.entries)
def kind(request: Any) -> Any:
    return REGISTRY.load(request.param)


@pytest.fixture(params=["weights", "no weights"])
def rows(request: Any, rng: np.random.Generator) -> Cut:
    X, y = rng.normal(size=(N, 4)) + 3.0, rng.normal(size=(N, 2))
    weight = rng.random(N) if request.param == "weights" else None
    return Cut(*(None if a is None else torch.from_numpy(a) for a in (X, y, weight)))  # type: ignore[arg-type]


def whole(rows: Cut) -> Block:
    return Block(rows.X, rows.y, rows.weight)


def bits(sums: Any) -> list[Any]:
    words = (*sums.mean, *(sums.cross if hasattr(sums, "cross") else sums.R))
    return [sums.rows, sums.weight, sums.log_weight, *(word.tolist() for word in words)]


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("asked", [Block.moments, Block.triangle])
def test_the_same_bits_for_any_number_of_workers(kind: Any, rows: Cut, asked: Any, extended: bool) -> None:
    shift = whole(rows).shift()
    found = [kind(workers).load(rows).sum(asked, shift, extended) for workers in (1, 2, 3)]
    assert bits(found[0]) == bits(found[1]) == bits(found[2])
    again = kind(2).load(rows).sum(asked, shift, extended)
    assert bits(again) == bits(found[0])
    expected = asked(whole(rows), shift, extended)
    assert (found[0].rows, found[0].weight) == (expected.rows, pytest.approx(expected.weight, rel=1e-14))
    np.testing.assert_allclose(found[0].mean.high, expected.mean.high, rtol=1e-13, atol=1e-14)
    ours, theirs = ((s.cross if asked is Block.moments else s.R).high for s in (found[0], expected))
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)


def test_sums_of_anything_that_adds(kind: Any, rows: Cut) -> None:
    loaded = kind(3).load(rows)
    total = loaded.sum(lambda block, factor: factor * block.X.sum(dim=0), 2.0)
    torch.testing.assert_close(total, 2.0 * rows.X.sum(dim=0), rtol=1e-12, atol=0)
    assert loaded.sum(lambda block: block.X.shape[0]) == N


def test_blocks_are_added_in_their_order(kind: Any, rows: Cut) -> None:
    class Texts(str):
        def __add__(self, other: str) -> Texts:
            return Texts(f"{self!s}{other!s}")

    def first(block: Block) -> Texts:
        return Texts("".join(f"{value:.6f} " for value in block.X[:1, 0].tolist()))

    expected = "".join(first(block) for shard in rows.shards() for block in rows.blocks(shard))
    for workers in (1, 3):
        assert kind(workers).load(rows).sum(first) == expected


def test_the_first_block_with_a_row(kind: Any, rows: Cut) -> None:
    loaded = kind(1).load(rows)
    first = loaded.first()
    assert first is not None
    assert torch.equal(first.X, rows.X[:1])
    assert loaded.rows is rows
    none: Tensor = torch.empty(0, 4)
    assert kind(1).load(TensorRows(none, none)).first() is None


def test_its_name(kind: Any) -> None:
    assert isinstance(kind(), Engine)
    assert kind.name in REGISTRY.entries
