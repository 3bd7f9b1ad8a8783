"""Encoders and variables as JSON and back, checked field by field: a model file may come from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any, TypeVar

from torchlinear.design.encoding import Columns, Encoder, Labels, Variable
from torchlinear.labels import Label

__all__ = [
    "classes_from_list",
    "encoder_from_dict",
    "one_of",
    "optional_text",
    "text",
    "variable_from_dict",
    "variable_to_dict",
]

T = TypeVar("T", bound=str)


def variable_to_dict(v: Variable) -> dict[str, Any]:
    """All fields."""
    return {**asdict(v), "levels": list(v.levels)}


def variable_from_dict(document: Mapping[str, Any]) -> Variable:
    """The variable of `variable_to_dict`; KeyError, TypeError or ValueError where it is none."""
    mean = document["mean"]
    return Variable(
        text(document["name"]),
        one_of(document["kind"], ("number", "boolean", "category")),
        tuple(text(level) for level in document["levels"]),
        None if mean is None else float(mean),
        bool(document["single"]),
        bool(document["numeric"]),
    )


def encoder_from_dict(document: Mapping[str, Any], variables: Mapping[str, Variable]) -> Encoder:
    """The encoder of `Encoder.to_dict`."""
    kind = one_of(document["kind"], ("columns", "formula", "labels"))
    own = tuple(variables[text(name)] for name in document["variables"])
    if kind == "columns":
        return Columns(own, optional_text(document["full"]))
    if kind == "labels":
        (variable,) = own
        return Labels(variable, classes_from_list(document["classes"]))
    from torchlinear.design.replay import Formula, decoded  # formulaic and pandas: half a second

    return Formula(
        text(document["text"]),
        one_of(document["side"], ("left", "right", "offset")),
        tuple(text(name) for name in document["columns"]),
        bool(document["intercept"]),
        own,
        decoded(document["state"]),
    ).checked()


def classes_from_list(values: Any) -> tuple[Label, ...]:
    """Sorted classes of one kind: texts, booleans or numbers."""
    kinds = {type(value) for value in values}
    if (
        not isinstance(values, list)
        or len(values) < 2
        or len(kinds) > 1
        or not kinds <= {str, bool, int, float}
    ):
        raise TypeError(f"expected at least two classes of one kind, got {values!r}")
    if any(not a < b for a, b in pairwise(values)):
        raise ValueError(f"expected sorted classes, got {values!r}")
    return tuple(values)


def text(value: Any) -> str:
    """`value`, which must be a string."""
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {value!r}")
    return value


def optional_text(value: Any) -> str | None:
    """`value`, which must be a string or None."""
    return None if value is None else text(value)


def one_of(value: Any, known: Sequence[T]) -> T:
    """`value`, which must be among `known`."""
    for member in known:
        if value == member:
            return member
    raise ValueError(f"expected one of {', '.join(known)}, got {value!r}")
