"""Data sets of the lab: named columns of numbers or labels, and the few lines of Python that make them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from torchlinear.lab.safety import Refused

__all__ = ["MOST_LEVELS", "MOST_POINTS", "Column", "DataSet", "Kind", "Origin", "Term", "distinct"]

Array = NDArray[np.float64]
Kind = Literal["tutorial", "maker", "builtin", "points", "file"]

MOST_POINTS = 2_000  # that are drawn, and that can be edited
MOST_LEVELS = 20  # more different values are no classes
RIDGE = 0.01  # offered with classes, for those that can be told apart without error have no optimum


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        As its source spells it.
    kind : {"number", "label", "other"}
        What can be made of it; of "other" (dates, names) nothing.
    values : array, shape (n,), float64
        Numbers, or the places of labels among `levels`; NaN where a value is missing. Empty for "other".
    levels : tuple of str or None
        The labels, in order.
    """

    name: str
    kind: Literal["number", "label", "other"]
    values: Array
    levels: tuple[str, ...] | None = None

    @property
    def losses(self) -> tuple[str, ...]:
        """Losses that this column suits as a target."""
        found = distinct(self.values)
        if self.kind == "other" or not len(found):
            return ()
        classes = 2 <= len(found) <= MOST_LEVELS and bool((found == np.round(found)).all())
        of_classes = (("logistic",) if len(found) == 2 else ()) + (("softmax",) if classes else ())
        return (("squared", "huber") if self.kind == "number" else ()) + of_classes

    @property
    def terms(self) -> tuple[str, ...]:
        """What its coefficients are called when this is a feature: labels are coded by treatment, against the first."""
        if self.kind == "label" and self.levels is not None:
            return tuple(f"{self.name}[T.{level}]" for level in self.levels[1:])
        return (self.name,) if self.kind == "number" else ()

    def indicator(self, place: int) -> Array:
        """1 in the rows of a label, 0 in others, NaN where it is missing."""
        return np.where(np.isnan(self.values), np.nan, self.values == place)

    @property
    def varies(self) -> bool:
        """Whether there are two different values."""
        return len(distinct(self.values)) > 1

    @property
    def classes(self) -> int:
        """How many classes there are when this is a target of classes."""
        return len(distinct(self.values))

    def names_of(self, found: Array) -> tuple[str, ...]:
        """What values are called: their labels, or the numbers themselves."""
        if self.levels is None:
            return tuple(f"{value:g}" for value in found)
        return tuple(self.levels[int(value)] for value in found)

    def describe(self) -> dict[str, Any]:
        """The column for the page."""
        known = self.values[np.isfinite(self.values)]
        facts: dict[str, Any] = dict.fromkeys(("min", "max", "mean", "sd"))
        if self.kind == "number" and len(known):
            facts = {"min": known.min(), "max": known.max(), "mean": known.mean(), "sd": known.std()}
        levels = self.levels
        if self.kind == "number" and 0 < len(few := distinct(self.values)) <= MOST_LEVELS:
            levels = self.names_of(few)
        return {
            "name": self.name,
            "kind": self.kind,
            "missing": int(np.isnan(self.values).sum()),
            **facts,
            "levels": levels,
            "losses": self.losses,
            "terms": self.terms,
        }


def distinct(values: Array) -> Array:
    """The different values that are not missing, sorted; more than `MOST_LEVELS` are only counted that far."""
    first = np.unique(values[:1_000])
    if np.isfinite(first).sum() > MOST_LEVELS:
        return np.asarray(first[np.isfinite(first)])
    found = np.unique(values)
    return np.asarray(found[np.isfinite(found)])


@dataclass(frozen=True, slots=True)
class Term:
    """What stands before a coefficient.

    Attributes
    ----------
    column : Column
        Whose values it is made of.
    place : int or None
        Place of the label that it indicates; None for the numbers of the column themselves.
    """

    column: Column
    place: int | None = None

    @property
    def values(self) -> Array:
        """Shape (n,)."""
        return self.column.values if self.place is None else self.column.indicator(self.place)


@dataclass(frozen=True, slots=True)
class Origin:
    """How a program gets the same columns.

    Attributes
    ----------
    lines : str
        Statements after which ``data`` holds the columns by name.
    frame : bool
        Whether ``data`` is a frame of pandas; else it is a dict of tensors.
    imports : tuple of str
        Lines of imports that the statements need, torch apart.
    """

    lines: str
    frame: bool = False
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataSet:
    """Columns of equal length.

    Attributes
    ----------
    kind : str
        Where it came from.
    name : str
        What the page calls it.
    columns : mapping of str to Column
        By name.
    target, features : str, tuple of str
        What the page offers first.
    origin : Origin
        The program that makes it.
    """

    kind: Kind
    name: str
    columns: Mapping[str, Column]
    target: str
    features: tuple[str, ...]
    origin: Origin

    @classmethod
    def of(
        cls, kind: Kind, name: str, columns: Sequence[Column], origin: Origin, target: str | None = None
    ) -> DataSet:
        """A data set with what it offers first: the last column that can be a target, by numbers, else by labels."""
        suited = [column for column in columns if column.losses]
        targets = [column.name for column in sorted(suited, key=lambda column: column.varies)]
        chosen = target if target in targets else (targets[-1] if targets else None)
        others = [column for column in columns if column.terms and column.name != chosen]
        numbers = [column for column in others if column.kind == "number"]
        features = tuple(column.name for column in numbers or others)
        if chosen is None or not features:
            raise Refused(422, "nothing_to_explain", name=name, levels=str(MOST_LEVELS))
        return cls(kind, name, {column.name: column for column in columns}, chosen, features, origin)

    @property
    def n_rows(self) -> int:
        """Rows."""
        return max(len(column.values) for column in self.columns.values())

    def column(self, name: str) -> Column:
        """The column called `name`."""
        if name not in self.columns:
            raise Refused(400, "no_column", data=self.name, name=repr(name[:60]))
        return self.columns[name]

    def term(self, name: str) -> Term:
        """The term called `name`: a column, or a label of one."""
        if name not in self.columns:
            for column in self.columns.values():
                if column.kind == "label" and name in column.terms:
                    return Term(column, column.terms.index(name) + 1)
        return Term(self.column(name))

    def points(self, target: str, feature: str) -> dict[str, Any]:
        """The values of a term and a target where both are known, evenly thinned to what can be drawn."""
        x, y = self.term(feature).values, self.column(target).values
        if len(x) != len(y):
            raise Refused(400, "not_drawn", feature=feature, target=target)
        kept = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        shown = kept[:: max(1, -(-len(kept) // MOST_POINTS))]
        return {
            "feature": feature,
            "target": target,
            "x": x[shown].tolist(),
            "y": y[shown].tolist(),
            "total": len(kept),
        }

    def describe(self, number: str) -> dict[str, Any]:
        """The data set for the page, under the `number` that it asks for it by."""
        target = self.columns[self.target]
        first = self.columns[self.features[0]]
        numbers = target.kind == first.kind == "number"
        editable = len(self.features) == 1 and self.n_rows <= MOST_POINTS and numbers
        return {
            "id": number,
            "name": self.name,
            "kind": self.kind,
            "rows": self.n_rows,
            "editable": editable,
            "columns": [column.describe() for column in self.columns.values()],
            "target": self.target,
            "features": self.features,
            "loss": target.losses[0],
            "penalty": {"kind": "none" if target.kind == "number" else "l2", "strength": RIDGE},
            "points": self.points(self.target, first.terms[0]),
        }
