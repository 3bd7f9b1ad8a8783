"""The local engine: threads of this process, one shard each at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any, ClassVar, TypeVar

import torch

from torchlinear import interruption
from torchlinear.block import Block
from torchlinear.engines.base import Engine, Loaded, Summable, tree
from torchlinear.rows import Rows

__all__ = ["Local", "single_threaded_blas"]

T = TypeVar("T", bound=Summable)


@dataclass(frozen=True, slots=True)
class Local(Engine):
    """Adds blocks up in threads of this process.

    Parameters
    ----------
    workers : int, optional
        Threads; the processors that this process may use by default. Results do not depend on it.
    """

    workers: int | None = None
    name: ClassVar[str] = "local"

    def load(self, rows: Rows) -> Loaded:
        """Rows in memory stay where they are; streamed rows are read again at every sum."""
        return _LocalRows(rows, self.workers or processors())


class _LocalRows(Loaded):
    def __init__(self, rows: Rows, workers: int) -> None:
        self.rows = rows
        self._shards = list(rows.shards())
        self._workers = min(workers, len(self._shards))

    def sum(self, function: Callable[..., T], *args: Any) -> T:
        def one(shard: Any) -> T:
            return reduce(
                lambda total, part: total + part,
                (function(block, *args) for block in self._blocks(shard)),
            )

        with single_threaded_blas():
            if self._workers <= 1:
                return tree([one(shard) for shard in self._shards])
            with ThreadPoolExecutor(self._workers) as pool:
                return tree(list(pool.map(one, self._shards)))

    def first(self) -> Block | None:
        """The first block with a row in it, or None when there is no row."""
        blocks = (block for shard in self._shards for block in self._blocks(shard))
        return next((block for block in blocks if block.X.shape[0]), None)

    def _blocks(self, shard: Any) -> Iterator[Block]:
        for block in self.rows.blocks(shard):
            interruption.check()
            yield block


def processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Mine(threading.local):
    """What this thread has set: how deep it is inside, and torch's threads before."""

    depth = 0
    before = 0


_mine = _Mine()
_lock = threading.RLock()
_users = 0  # threads that are inside
_outside: Any = None  # torch's threads and BLAS's limits before the first of them


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Threads belong to the engine alone: BLAS and torch get one each while any fit is under way.

    Besides, waking BLAS's threads for a 3 x 3 triangle can cost milliseconds.
    """
    if _mine.depth == 0:
        _enter()
    _mine.depth += 1
    try:
        yield
    finally:
        _mine.depth -= 1
        if _mine.depth == 0:
            _leave()


def _enter() -> None:
    """BLAS's limit holds for the process, so the first thread sets it; torch's for each thread by itself."""
    global _users, _outside
    with _lock:
        threads = torch.get_num_threads()
        if _users == 0:
            _outside = (threads, _blas().limit(limits=1, user_api="blas"))
        # torch gives a new thread what the last thread set: during somebody's fit, one.
        _mine.before = _outside[0] if threads == 1 else threads
        torch.set_num_threads(1)
        _users += 1


def _leave() -> None:
    global _users
    with _lock:
        torch.set_num_threads(_mine.before)
        _users -= 1
        if _users == 0:
            _outside[1].restore_original_limits()
