"""Call somebody's code once to look at it, and see that it left no trace.

What the code prints is captured, and random state and the attributes of a module are compared and put back.
"""

from __future__ import annotations

import contextlib
import io
import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["Watched", "untouched"]


@dataclass(slots=True)
class Watched:
    """What the code did besides returning; `side_effect` is a verb and its object, None for nothing."""

    side_effect: str | None = None


@contextlib.contextmanager
def untouched(module: nn.Module) -> Iterator[Watched]:
    """Run the block with its output captured; afterwards `module` and all random state are as before."""
    watched, printed = Watched(), io.StringIO()
    attributes, numbers = _attributes(module), _random_state()
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            warnings.catch_warnings(record=True) as warned,
        ):
            warnings.simplefilter("always")
            yield watched
    finally:
        changed = [part for part in attributes if not part.same()]
        drew = not _same_numbers(numbers, _random_state())
        for part in changed:
            part.restore()
        if drew:
            _restore_random_state(numbers)
    if printed.getvalue() or warned:
        watched.side_effect = "prints or warns"
    elif changed:
        watched.side_effect = "changes the module"
    elif drew:
        watched.side_effect = "draws random numbers"


@dataclass(slots=True)
class _Held:
    """A dict or a list that hangs on a module, and what it held."""

    owner: Any
    items: list[Any]

    @classmethod
    def of(cls, owner: Any) -> _Held:
        return cls(owner, _items(owner))

    def same(self) -> bool:
        now = _items(self.owner)
        return len(now) == len(self.items) and all(a is b for a, b in zip(now, self.items))

    def restore(self) -> None:
        self.owner.clear()
        if isinstance(self.owner, dict):
            half = len(self.items) // 2
            self.owner.update(zip(self.items[:half], self.items[half:]))
        else:
            self.owner.extend(self.items)


def _items(owner: Any) -> list[Any]:
    return [*owner.keys(), *owner.values()] if isinstance(owner, dict) else list(owner)


def _attributes(module: nn.Module) -> list[_Held]:
    """The attributes of the module and its parts, and the dicts and lists among them."""
    own = [vars(part) for part in module.modules()]
    held = [value for attributes in own for value in attributes.values() if isinstance(value, (dict, list))]
    return [_Held.of(owner) for owner in (*own, *held)]


def _random_state() -> tuple[Any, ...]:
    return torch.get_rng_state(), random.getstate(), np.random.get_state()


def _same_numbers(a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
    same_legacy = a[2][2:] == b[2][2:] and np.array_equal(a[2][1], b[2][1])
    return torch.equal(a[0], b[0]) and a[1] == b[1] and same_legacy


def _restore_random_state(state: tuple[Any, ...]) -> None:
    torch.set_rng_state(state[0])
    random.setstate(state[1])
    np.random.set_state(state[2])
