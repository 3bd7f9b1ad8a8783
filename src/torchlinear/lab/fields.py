"""What the page sends, field by field: of the right kind and within its bounds, or refused in one sentence."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from torchlinear.lab.safety import Refused
from torchlinear.lab.sentences import Said

__all__ = ["choice", "flag", "number", "numbers", "record", "text", "texts", "whole"]

Fields = Mapping[str, Any]


def number(
    fields: Fields, name: str, default: float | None = None, low: float = -1e12, high: float = 1e12
) -> float:
    """A number between `low` and `high`."""
    value = fields.get(name, default)
    if not _is_number(value) or not low <= value <= high:
        raise _unexpected(name, value, Said("number", low=f"{low:g}", high=f"{high:g}"))
    return float(value)


def whole(fields: Fields, name: str, default: int | None = None, low: int = 0, high: int = 2**31 - 1) -> int:
    """A whole number between `low` and `high`."""
    value = fields.get(name, default)
    if not _is_number(value) or value != int(value) or not low <= value <= high:
        raise _unexpected(name, value, Said("whole", low=str(low), high=str(high)))
    return int(value)


def text(fields: Fields, name: str) -> str:
    """A text."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise _unexpected(name, value, Said("text"))
    return value


def choice(fields: Fields, name: str, known: Collection[str], default: str | None = None) -> str:
    """One of the texts `known`."""
    value = fields.get(name, default)
    if not isinstance(value, str) or value not in known:
        raise _unexpected(name, value, Said("choice", known=", ".join(known)))
    return value


def flag(fields: Fields, name: str) -> bool:
    """True or false; false when missing."""
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise _unexpected(name, value, Said("flag"))
    return value


def texts(fields: Fields, name: str, most: int) -> tuple[str, ...]:
    """At least one text, each different."""
    value = fields.get(name)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _unexpected(name, value, Said("texts"))
    if not 1 <= len(value) <= most or len(set(value)) != len(value):
        raise Refused(400, "count_texts", name=name, count=str(len(value)), most=str(most))
    return tuple(value)


def numbers(value: Any, name: str, count: range) -> list[float]:
    """A list of numbers."""
    if not isinstance(value, list) or not all(_is_number(each) for each in value):
        raise _unexpected(name, value, Said("numbers"))
    if len(value) not in count:
        low, high = str(count.start), str(count.stop - 1)
        raise Refused(400, "count_numbers", name=name, count=str(len(value)), low=low, high=high)
    return [float(each) for each in value]


def record(value: Any, name: str) -> dict[str, Any]:
    """An object with fields of its own."""
    if not isinstance(value, dict):
        raise _unexpected(name, value, Said("record"))
    return value


def _is_number(value: Any) -> bool:
    """Whether JSON has it as a finite number that a float holds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 2**63


def _unexpected(name: str, value: Any, what: Said) -> Refused:
    return Refused(400, "expected", name=name, value=_short(value), what=what)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
