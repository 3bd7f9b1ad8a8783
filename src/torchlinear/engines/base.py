"""Who adds the blocks up: `load` the rows once, then ask for sums over their blocks again and again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, Self, TypeVar

from torchlinear.block import Block
from torchlinear.rows import Rows

__all__ = ["Engine", "Loaded", "Summable"]


class Summable(Protocol):
    """A frozen record that merges with its like."""

    def __add__(self, other: Self, /) -> Self:
        """The record of both sets of rows."""
        ...


T = TypeVar("T", bound=Summable)


class Loaded(ABC):
    """Rows that are ready to be summed over."""

    rows: Rows

    @abstractmethod
    def sum(self, function: Callable[..., T], *args: Any) -> T:
        """Sum of ``function(block, *args)``: folded in block order in a shard, then a tree over shards.

        `function` is pure. The order of additions depends on the data alone, so the result is the same
        bits for any number of workers.
        """

    @abstractmethod
    def first(self) -> Block | None:
        """The first block with a row in it, or None when there is no row."""


class Engine(ABC):
    """A place where blocks are added up."""

    @abstractmethod
    def load(self, rows: Rows) -> Loaded:
        """Make `rows` ready to be summed over."""


def tree(parts: list[T]) -> T:
    """Pairwise sum whose association depends on the positions alone."""
    while len(parts) > 1:
        pairs = [parts[i] + parts[i + 1] for i in range(0, len(parts) - 1, 2)]
        parts = pairs + parts[len(pairs) * 2 :]
    return parts[0]
