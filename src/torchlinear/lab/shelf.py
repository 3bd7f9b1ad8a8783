"""Shelves: what the lab remembers of data sets and runs, so many and so heavy, the last used longest."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
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
    held : callable, optional
        Whether a thing is in use: then it stays.
    """

    def __init__(
        self, lost: str, most: int, heaviest: int, held: Callable[[T], bool] = lambda _: False
    ) -> None:
        self.lost, self.most, self.heaviest, self.held = lost, most, heaviest, held
        self._things: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, name: str, thing: T, weight: int) -> None:
        """Add a thing, or put it to the front again."""
        with self._lock:
            self._things[name] = thing, weight
            self._things.move_to_end(name)
            for old in [old for old, (other, _) in self._things.items() if not self.held(other)]:
                if old == name or not self._overloaded():
                    return
                del self._things[old]

    def _overloaded(self) -> bool:
        heavy = sum(weight for _, weight in self._things.values()) > self.heaviest
        return heavy or len(self._things) > self.most

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
