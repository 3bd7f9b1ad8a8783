"""Shelves: what the lab remembers of data sets and runs, so many and so heavy, the last used longest."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

from torchlinear.lab.safety import Refused

__all__ = ["Shelf"]

T = TypeVar("T")


class Shelf(Generic[T]):
    """Keeps the things that were used last, by name; older ones go when there are too many or they weigh too much.

    Parameters
    ----------
    lost : str
        Key of the sentence that a thing is no longer there.
    most : int
        How many are kept.
    heaviest : int
        How much they weigh together at most, but for the newest.
    """

    def __init__(self, lost: str, most: int, heaviest: int) -> None:
        self.lost, self.most, self.heaviest = lost, most, heaviest
        self._things: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, name: str, thing: T, weight: int) -> None:
        """Add a thing."""
        with self._lock:
            self._things[name] = thing, weight
            while len(self._things) > 1 and (
                len(self._things) > self.most
                or sum(weight for _, weight in self._things.values()) > self.heaviest
            ):
                self._things.popitem(last=False)

    def get(self, name: str) -> T:
        """The thing called `name`."""
        with self._lock:
            if name not in self._things:
                raise Refused(404, self.lost)
            self._things.move_to_end(name)
            return self._things[name][0]

    def __iter__(self) -> Iterator[T]:
        with self._lock:
            return iter([thing for thing, _ in self._things.values()])
