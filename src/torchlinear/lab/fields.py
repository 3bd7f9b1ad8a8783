"""What the page sends, field by field: of the right kind and within its bounds, or refused in one sentence."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from torchlinear.lab.safety import Refused

__all__ = ["choice", "flag", "number", "numbers", "record", "text", "texts", "whole"]

Fields = Mapping[str, Any]


def number(
    fields: Fields, name: str, default: float | None = None, low: float = -1e12, high: float = 1e12
) -> float:
    """A number between `low` and `high`."""
    value = fields.get(name, default)
    if not _is_number(value) or not low <= value <= high:
        raise Refused(400, f"{name} is {_short(value)}; expected a number from {low:g} to {high:g}.")
    return float(value)


def whole(fields: Fields, name: str, default: int | None = None, low: int = 0, high: int = 2**31 - 1) -> int:
    """A whole number between `low` and `high`."""
    value = fields.get(name, default)
    if not _is_number(value) or value != int(value) or not low <= value <= high:
        raise Refused(400, f"{name} is {_short(value)}; expected a whole number from {low} to {high}.")
    return int(value)


def text(fields: Fields, name: str) -> str:
    """A text."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise Refused(400, f"{name} is {_short(value)}; expected a text.")
    return value


def choice(fields: Fields, name: str, known: Collection[str], default: str | None = None) -> str:
    """One of the texts `known`."""
    value = fields.get(name, default)
    if not isinstance(value, str) or value not in known:
        raise Refused(400, f"{name} is {_short(value)}; expected one of {', '.join(known)}.")
    return value


def flag(fields: Fields, name: str) -> bool:
    """True or false; false when missing."""
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise Refused(400, f"{name} is {_short(value)}; expected true or false.")
    return value


def texts(fields: Fields, name: str, most: int) -> tuple[str, ...]:
    """At least one text, each different."""
    value = fields.get(name)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Refused(400, f"{name} is {_short(value)}; expected a list of texts.")
    if not 1 <= len(value) <= most or len(set(value)) != len(value):
        raise Refused(400, f"{name} holds {len(value)} texts; expected 1 to {most} different ones.")
    return tuple(value)


def numbers(value: Any, name: str, count: range) -> list[float]:
    """A list of numbers."""
    if not isinstance(value, list) or not all(_is_number(each) for each in value):
        raise Refused(400, f"{name} is {_short(value)}; expected a list of numbers.")
    if len(value) not in count:
        raise Refused(400, f"{name} holds {len(value)} numbers; expected {count.start} to {count.stop - 1}.")
    return [float(each) for each in value]


def record(value: Any, name: str) -> dict[str, Any]:
    """An object with fields of its own."""
    if not isinstance(value, dict):
        raise Refused(400, f"{name} is {_short(value)}; expected an object.")
    return value


def _is_number(value: Any) -> bool:
    """Whether JSON has it as a finite number that a float holds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 2**63


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
