"""What a design learns from a table: roles, kinds, levels and means of columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from torchlinear.design.encoding import Columns, Encoder, Labels, Variable
from torchlinear.design.packing import BLOCK_ROWS, Buffers, Pool, packed
from torchlinear.errors import DataError, InvalidInput
from torchlinear.labels import Label, are_proportions, refusal
from torchlinear.sources.base import LEVEL_LIMIT, Column, Table

__all__ = [
    "Learnt",
    "Request",
    "check_roles",
    "features_of",
    "from_columns",
    "means",
    "number",
    "offset_of",
    "refuse_target",
    "targets_of",
    "variables_of",
]


@dataclass(frozen=True, slots=True)
class Request:
    """What to learn from which table; see `Design.learn`."""

    table: Table
    target: tuple[str, ...]
    weights: str | None
    missing: Literal["error", "drop", "mean"]
    intercept: bool
    labels: Literal["binary", "many"] | None = None
    offset: str | None = None
    exposure: str | None = None

    @property
    def reserved(self) -> set[str]:
        """Columns that are no features unless somebody names them."""
        given = (*self.target, self.weights, self.offset, self.exposure)
        return {name for name in given if name is not None}


@dataclass(frozen=True, slots=True)
class Learnt:
    """The parts of a design."""

    features: Encoder
    targets: Encoder
    intercept: bool
    offset: Encoder | None = None


def from_columns(request: Request, columns: Sequence[str] | None) -> Learnt:
    """Learn one feature or set of dummies for each column."""
    targets = targets_of(request)
    check_roles(request)
    features = features_of(request, _feature_names(request, columns))
    return Learnt(features, targets, request.intercept, offset_of(request))


def check_roles(request: Request) -> None:
    """Refuse weights and exposures that are no numbers."""
    for role, name in (("weights", request.weights), ("exposure", request.exposure)):
        if name is not None:
            number(request.table.column(name, role), role)


def offset_of(request: Request) -> Columns | None:
    """The column that is the offset."""
    if request.offset is None:
        return None
    return Columns((number(request.table.column(request.offset, "offset"), "offset"),))


def features_of(request: Request, names: Sequence[str]) -> Columns:
    """Features from columns as they stand; without intercept the first category keeps all its levels."""
    variables = variables_of(request, names)
    first = next((v.name for v in variables if v.kind == "category"), None)
    return Columns(variables, full=None if request.intercept else first)


def _feature_names(request: Request, columns: Sequence[str] | None) -> Sequence[str]:
    if columns is None:
        names: Sequence[str] = [name for name in request.table.names if name not in request.reserved]
        if not names:
            raise InvalidInput(
                f"{request.table.source} has no column beside {', '.join(request.table.names)}."
            )
        return names
    if isinstance(columns, str):
        columns = [columns]
    twice = [name for name in columns if list(columns).count(name) > 1]
    if twice:
        raise InvalidInput(f"columns: {twice[0]!r} is named twice.")
    refuse_target(request, columns, "columns")
    if not columns:
        raise InvalidInput("columns is empty; name at least one feature.")
    return columns


def refuse_target(request: Request, names: Iterable[str], argument: str) -> None:
    """Raise when a target is among the features, which would predict it from itself."""
    both = [name for name in names if name in request.target]
    if both:
        raise InvalidInput(
            f"{argument}: {both[0]!r} is the target and also a feature; leave it out of the features."
        )


def targets_of(request: Request) -> Encoder:
    """Targets as they stand in the table, or numbers of the classes that a request for labels finds."""
    if not request.target:
        raise InvalidInput("target is missing: name the target column, or give a formula such as 'y ~ x'.")
    columns = [request.table.column(name, "target") for name in request.target]
    if request.labels is not None and len(columns) == 1:
        return _labels(request.table, columns[0], binary=request.labels == "binary")
    if request.labels == "many":
        listed = ", ".join(request.target)
        raise InvalidInput(f"target names {len(columns)} columns ({listed}); expected one, of labels.")
    return Columns(tuple(number(column, "target") for column in columns))


def _labels(table: Table, column: Column, *, binary: bool) -> Encoder:
    """The classes of a column; or the column itself where it holds proportions."""
    if column.kind in ("date", "other"):
        number(column, "target")  # refuses it
    levels = table.levels([column.name])[column.name]
    if levels is None and binary and column.kind == "number":
        return Columns((number(column, "target"),))  # proportions, or the loss refuses them
    if levels is None:
        raise DataError(
            f"target: column {column.name!r} holds more than {LEVEL_LIMIT:,} different values; expected classes. For "
            "numbers use loss='squared'."
        )
    if not levels:
        raise DataError(f"target: column {column.name!r} has no values.")
    if column.kind == "text":
        classes: tuple[Label, ...] = tuple(
            sorted(levels)
        )  # whatever order is declared: as labels of an array
        variable = Variable(column.name, "category", tuple(map(str, classes)))
    else:
        classes = _booleans(table, column, levels) if column.kind == "boolean" else _numbers(levels)
        variable = number(column, "target")
        if binary and are_proportions(classes):
            return Columns((variable,))
    reason = refusal(classes, binary=binary)
    if reason is not None:
        raise DataError(f"target: column {column.name!r} {reason}")
    return Labels(variable, classes)


def _booleans(table: Table, column: Column, levels: Sequence[str]) -> tuple[Label, ...]:
    """False and True, those there are; or the words that a CSV has for them, which are in the same order."""
    if len(levels) == 2 and not {level.lower() for level in levels} <= {"false", "true"}:
        return tuple(sorted(levels))
    facts = table.profile([column.name], levels=False).columns[column.name]
    ends = {end for end in (facts.minimum, facts.maximum) if end is not None}
    return tuple(bool(end) for end in sorted(ends))


def _numbers(levels: Sequence[str]) -> tuple[Label, ...]:
    """Numbers from their texts; whole ones are the same from every source, 3 and never 3.0."""
    numbers = [float(level) for level in levels]
    return tuple(map(int, numbers) if all(number.is_integer() for number in numbers) else numbers)


def number(column: Column, argument: str) -> Variable:
    """A column that has to be numeric, for the role that `argument` names."""
    if column.kind == "text":
        advice = " For classes use loss='logistic' (two) or 'softmax'." if argument == "target" else ""
        raise DataError(
            f"{argument}: column {column.name!r} is text ({column.dtype}); expected numbers.{advice}"
        )
    if column.kind not in ("number", "boolean"):
        raise DataError(f"{argument}: column {column.name!r} is a {column.dtype}; expected numbers.")
    return Variable(column.name, column.kind, single=column.dtype == "FLOAT")


def variables_of(
    request: Request, names: Sequence[str], categories: Iterable[str] = (), *, argument: str = "columns"
) -> tuple[Variable, ...]:
    """Learn how to read columns as features; those in `categories` and text as categories."""
    columns = [request.table.column(name, argument) for name in names]
    for column in columns:
        _refuse(column, argument)
    wanted = set(categories) | {c.name for c in columns if c.kind == "text"}
    levels = _levels(request.table, [name for name in names if name in wanted])
    numbers = [name for name in names if name not in wanted]
    mean = means(request.table, numbers) if request.missing == "mean" else {}
    return tuple(
        Variable(c.name, "category", levels[c.name], numeric=c.kind == "number")
        if c.name in levels
        else Variable(
            c.name,
            "boolean" if c.kind == "boolean" else "number",
            mean=mean.get(c.name),
            single=c.dtype == "FLOAT",
        )
        for c in columns
    )


def _refuse(column: Column, argument: str) -> None:
    if column.kind == "date":
        raise DataError(
            f"{argument}: column {column.name!r} is a {column.dtype}, which is not a number. Make one of it "
            "first, "
            "such as its year or the days since some day, or leave the column out."
        )
    if column.kind == "other":
        raise DataError(
            f"{argument}: column {column.name!r} is a {column.dtype}, of which no feature can be made; "
            "leave it out."
        )


def _levels(table: Table, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, levels in table.levels(names).items() if names else ():
        if levels is None:
            raise DataError(
                f"column {name!r} holds more than {LEVEL_LIMIT:,} different values, as a name or an "
                "identifier does; "
                "leave it out, or group its values first."
            )
        if not levels:
            raise DataError(f"column {name!r} has no values; leave it out.")
        found[name] = levels
    return found


def means(table: Table, names: Sequence[str]) -> dict[str, float]:
    """Mean of the values that are there, the same bits at any number of threads.

    Raises
    ------
    DataError
        A column has no values.
    """
    encoder = Columns(tuple(Variable(name, "number") for name in names))
    pool = Pool(lambda: Buffers.allocate(encoder, Columns(()), encoder.variables, BLOCK_ROWS))
    sums: list[list[float]] = [[] for _ in names]
    counts = np.zeros(len(names), dtype=np.int64)
    for buffers, n in packed(table.batches(names), BLOCK_ROWS, pool) if names else ():
        there = ~np.isnan(buffers.X[:, :n])
        counts += there.sum(axis=1)
        for parts, total in zip(sums, np.where(there, buffers.X[:, :n], 0.0).sum(axis=1)):
            parts.append(float(total))
    if names and not counts.all():
        raise DataError(f"column {names[int(counts.argmin())]!r} has no values; leave it out.")
    return {name: math.fsum(parts) / int(count) for name, parts, count in zip(names, sums, counts)}
