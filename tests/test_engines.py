"""What only the local engine does: threads, their limits and their errors. Laws of all engines: conformance/."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import torch
from threadpoolctl import threadpool_info

from torchlinear.block import Block
from torchlinear.engines.base import tree
from torchlinear.engines.local import Local, single_threaded_blas
from torchlinear.rows import TensorRows


class Shards(TensorRows):
    """Twelve shards of one row."""

    def shards(self) -> range:
        return range(self.X.shape[0])

    def blocks(self, shard: int, start: int = 0) -> Iterator[Block]:
        yield Block(self.X[shard : shard + 1], self.y[shard : shard + 1])


def rows() -> Shards:
    X = torch.arange(12, dtype=torch.float64)[:, None]
    return Shards(X, X)


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize("workers", [1, 2, 5, 100])
def test_work_is_done_by_so_many_threads(workers: int) -> None:
    seen: set[int] = set()

    def note(block: Block) -> float:
        seen.add(threading.get_ident())
        time.sleep(0.005)
        return float(block.X.sum())

    assert Local(workers).load(rows()).sum(note) == 66.0
    assert len(seen) <= min(workers, 12)
    assert (threading.get_ident() in seen) == (workers == 1)
    assert (len(seen) > 1) == (workers > 1)


@pytest.mark.parametrize("workers", [1, 3])
def test_blas_and_torch_have_one_thread_inside(workers: int) -> None:
    inside: set[tuple[int, ...]] = set()

    def look(block: Block) -> float:
        inside.add((torch.get_num_threads(), *blas_threads()))
        return 0.0

    before = (torch.get_num_threads(), blas_threads())
    Local(workers).load(rows()).sum(look)
    assert inside == {(1, 1)}
    assert (torch.get_num_threads(), blas_threads()) == before


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_in_a_block_comes_out_and_leaves_no_limits(workers: int) -> None:
    def fail(block: Block) -> float:
        raise RuntimeError("block 0")

    before = (torch.get_num_threads(), blas_threads())
    with pytest.raises(RuntimeError, match="block 0"):
        Local(workers).load(rows()).sum(fail)
    assert (torch.get_num_threads(), blas_threads()) == before


def test_each_thread_gets_its_own_threads_back() -> None:
    """The second thread comes while the first is inside and leaves after it."""
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    after: dict[str, int] = {}

    def first() -> None:
        with single_threaded_blas():
            first_in.set()
            second_in.wait(10)
        after["first"] = torch.get_num_threads()
        first_out.set()

    def second() -> None:
        first_in.wait(10)
        with single_threaded_blas(), single_threaded_blas():
            second_in.set()
            first_out.wait(10)
            after["inside"] = torch.get_num_threads()
        after["second"] = torch.get_num_threads()

    expected, before = torch.get_num_threads(), blas_threads()
    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert after == {"first": expected, "inside": 1, "second": expected}
    assert blas_threads() == before
    assert torch.get_num_threads() == expected


def test_the_tree_adds_neighbours() -> None:
    def texts(n: int) -> list[str]:
        return [str(i) for i in range(n)]

    class Sum(str):
        def __add__(self, other: str) -> Sum:
            return Sum(f"({self}{other!s})")

    added = {n: str(tree([Sum(text) for text in texts(n)])) for n in (1, 2, 3, 5, 6)}
    assert added == {1: "0", 2: "(01)", 3: "((01)2)", 5: "(((01)(23))4)", 6: "(((01)(23))(45))"}
