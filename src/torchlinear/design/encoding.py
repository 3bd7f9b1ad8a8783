"""Encoders: from the values of named columns to rows of numbers, the same at every replay.

An encoder fills the (p, n) buffer of a block, one contiguous row for each feature. `Columns` is the plain
case, one number or one set of dummies for each column; `formulas.Formula` is the general one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from torchlinear.labels import Label

__all__ = ["Columns", "Encoder", "Labels", "Values", "Variable"]

Array = NDArray[Any]
Values = Mapping[
    str, Array
]  # by column: float numbers (missing: NaN), or int32 codes of levels (missing: -1)


@dataclass(frozen=True, slots=True)
class Variable:
    """A column of a table as a design reads it.

    Attributes
    ----------
    name : str
        The column.
    kind : {"number", "boolean", "category"}
        How it is read; booleans as 0 and 1.
    levels : tuple of str
        Of a category: its levels, in the order of the dummies.
    mean : float, optional
        Of a number: what stands in for a missing value under ``missing="mean"``.
    single : bool
        The column holds float32, and float32 holds it.
    numeric : bool
        Of a category: its levels are numbers.
    """

    name: str
    kind: Literal["number", "boolean", "category"]
    levels: tuple[str, ...] = ()
    mean: float | None = None
    single: bool = False
    numeric: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the array that holds its values."""
        return np.dtype(np.int32 if self.kind == "category" else np.float32 if self.single else np.float64)


class Encoder(ABC):
    """Named features from named columns.

    Attributes
    ----------
    variables : tuple of Variable
        The columns that are read.
    names : tuple of str
        Names of the p features.
    dtype : numpy.dtype
        float32 where all columns hold float32, else float64.
    extended : bool
        Whether features carry low words (double-double).
    """

    variables: tuple[Variable, ...]
    extended: bool = False

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """Names of the features."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """Type of the features."""

    @abstractmethod
    def direct(self) -> Mapping[str, int]:
        """Columns that are features as they stand, with their places; the caller writes these into `X`."""

    @abstractmethod
    def encode(self, values: Values, X: Array, low: Array | None) -> None:
        """Fill the other rows of `X` and all of `low`, both (p, n), from complete values of n rows."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Everything that a replay needs, in terms of JSON."""


@dataclass(frozen=True)
class Columns(Encoder):
    """One feature for each number, treatment dummies for each category.

    Parameters
    ----------
    variables : tuple of Variable
        The columns, in order.
    full : str, optional
        The category that keeps a dummy for its first level too: in a model without intercept, the first.
    """

    variables: tuple[Variable, ...]
    full: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Columns by their names; dummies as ``city[T.Paris]``, or ``city[Paris]`` where none is left out."""
        return tuple(name for v in self.variables for name in self._names_of(v))

    def _names_of(self, v: Variable) -> tuple[str, ...]:
        if v.kind != "category":
            return (v.name,)
        if v.name == self.full:
            return tuple(f"{v.name}[{level}]" for level in v.levels)
        return tuple(f"{v.name}[T.{level}]" for level in v.levels[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 when there are numbers, and all of them are float32."""
        numbers = [v for v in self.variables if v.kind == "number"]
        single = bool(numbers) and all(v.single for v in numbers)
        return np.dtype(np.float32 if single else np.float64)

    def direct(self) -> dict[str, int]:
        """Numbers and booleans."""
        places: dict[str, int] = {}
        row = 0
        for v in self.variables:
            if v.kind != "category":
                places[v.name] = row
            row += len(self._names_of(v))
        return places

    def encode(self, values: Values, X: Array, low: Array | None) -> None:
        """Write the dummies."""
        row = 0
        for v in self.variables:
            width = len(self._names_of(v))
            if v.kind == "category":
                codes = values[v.name]
                for j in range(width):
                    np.equal(codes, j + len(v.levels) - width, out=X[row + j], casting="unsafe")
            row += width

    def to_dict(self) -> dict[str, Any]:
        """The variables are stored by the design."""
        return {"kind": "columns", "variables": [v.name for v in self.variables], "full": self.full}


@dataclass(frozen=True)
class Labels(Encoder):
    """A target of classes: the number of each row's class.

    Parameters
    ----------
    variable : Variable
        The column: a category whose levels are the classes, booleans, or numbers.
    classes : tuple of str, bool, int or float
        The classes, sorted.
    """

    variable: Variable
    classes: tuple[Label, ...]

    @property
    def variables(self) -> tuple[Variable, ...]:  # type: ignore[override]
        """The column."""
        return (self.variable,)

    @property
    def names(self) -> tuple[str, ...]:
        """The column."""
        return (self.variable.name,)

    @property
    def dtype(self) -> np.dtype[Any]:
        """float64."""
        return np.dtype(np.float64)

    def direct(self) -> dict[str, int]:
        """None: a number of a class is not what stands in the column."""
        return {}

    def encode(self, values: Values, X: Array, low: Array | None) -> None:
        """Write the numbers of the classes; NaN where a number is none of them."""
        found = values[self.variable.name]
        if self.variable.kind != "number":
            X[0] = found  # codes, or 0 and 1
            return
        known = np.array(self.classes, dtype=np.float64)
        place = np.searchsorted(known, found).clip(max=len(known) - 1)
        X[0] = np.where(known[place] == found, place, np.nan)

    def to_dict(self) -> dict[str, Any]:
        """The variable is stored by the design."""
        return {"kind": "labels", "variables": [self.variable.name], "classes": list(self.classes)}
