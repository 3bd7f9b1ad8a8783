"""Design: from a table's columns, or a formula over them, to numeric features; learnt once, then replayed.

What is learnt are facts about columns: which are numbers and which categories, the levels of the categories,
the means that fill gaps, the state of a formula's transforms. Learning reads what these facts need and no
more: plain numeric columns need no pass over the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from torchlinear.design import documents, learning
from torchlinear.design.encoding import Columns, Encoder, Labels, Variable
from torchlinear.design.streaming import TableRows
from torchlinear.errors import InvalidInput, ModelFileError
from torchlinear.labels import Label
from torchlinear.sources.base import Profile, Table

__all__ = ["Description", "Design"]

Missing = Literal["error", "drop", "mean"]

VERSION = 2  # of `Design.to_dict`: 2 knows classes and offsets


@dataclass(frozen=True, slots=True)
class Description:
    """One column of a design, for people.

    Attributes
    ----------
    column : str
        Its name.
    kind : str
        ``"number"``, ``"boolean"`` or ``"category"``.
    role : str
        ``"feature"``, ``"target"``, ``"weights"``, ``"offset"`` or ``"exposure"``.
    levels : tuple of str
        Of a category.
    missing : int, optional
        Rows without a value, when a profile was given.
    """

    column: str
    kind: str
    role: str
    levels: tuple[str, ...] = ()
    missing: int | None = None


@dataclass(frozen=True)
class Design:
    """How columns become features; see `Design.learn`.

    Attributes
    ----------
    features, targets : Encoder
        From columns to X and y.
    weights : str, optional
        Column of the row weights.
    missing : {"error", "drop", "mean"}
        What becomes of rows with missing values in a fit.
    intercept : bool
        Whether the model has an intercept; never a column of X.
    formula : str, optional
        The formula as it was written.
    offset : Encoder, optional
        From columns to the offset, which is their sum.
    exposure : str, optional
        Column whose logarithm is added to the offset.
    """

    features: Encoder
    targets: Encoder
    weights: str | None = None
    missing: Missing = "error"
    intercept: bool = True
    formula: str | None = None
    offset: Encoder | None = None
    exposure: str | None = None

    @classmethod
    def learn(
        cls,
        table: Table,
        *,
        formula: str | None = None,
        columns: Sequence[str] | None = None,
        target: str | Sequence[str] | None = None,
        weights: str | None = None,
        missing: Missing = "error",
        intercept: bool = True,
        labels: Literal["binary", "many"] | None = None,
        offset: str | None = None,
        exposure: str | None = None,
    ) -> Self:
        """Learn from a table what replaying needs.

        Parameters
        ----------
        table : Table
            Where the columns are.
        formula : str, optional
            Such as ``"price ~ area + C(city) + poly(age, 2)"``, instead of `columns` and `target`.
        columns : sequence of str, optional
            The features; by default all columns but the target and the weights. Numbers pass, booleans
            become 0 and 1, text becomes dummies for every level but the first in sorted order.
        target : str or sequence of str, optional
            The target, or several.
        weights : str, optional
            Column of the row weights.
        missing : {"error", "drop", "mean"}
            Rows with missing values: an error that counts them, left out, or numeric features filled in with
            their mean.
        intercept : bool
            Whether the model has an intercept. Without, the first category keeps all its levels.
        labels : {"binary", "many"}, optional
            The target holds classes, texts, booleans or numbers, of which there are two or many. Instead of two
            classes it may hold proportions from 0 to 1.
        offset : str, optional
            Column that is added to the linear predictor; or ``offset(...)`` in the formula.
        exposure : str, optional
            Column above 0 whose logarithm is added to the linear predictor.

        Returns
        -------
        Design
            Ready for `rows`.

        Raises
        ------
        InvalidInput
            A column is not there, the target is also a feature, or the formula is none.
        DataError
            A column cannot be a feature or a target: dates, too many levels, no values at all.

        Examples
        --------
        >>> from torchlinear.design import Design
        >>> from torchlinear.sources import read
        >>> table = read({"area": [50.0, 80.0], "city": ["Lyon", "Paris"], "price": [1.0, 2.0]})
        >>> Design.learn(table, target="price").features.names
        ('area', 'city[T.Paris]')
        """
        if missing not in ("error", "drop", "mean"):
            raise InvalidInput(f"missing={missing!r} is not known; it is 'error', 'drop' or 'mean'.")
        if formula is not None and columns is not None:
            raise InvalidInput("formula= and columns= both choose the features; pass one of them.")
        request = learning.Request(
            table, _names(target), weights, missing, intercept, labels, offset, exposure
        )
        if formula is None:
            learnt = learning.from_columns(request, columns)
        else:
            from torchlinear.design.formula_learning import (
                from_formula,  # formulaic and pandas: half a second
            )

            learnt = from_formula(request, formula)
        return cls(
            learnt.features,
            learnt.targets,
            weights,
            missing,
            learnt.intercept,
            formula,
            learnt.offset,
            exposure,
        )

    def rows(self, table: Table, *, target: bool = True) -> TableRows:
        """The rows of a table as numbers, with the target or, to predict, without.

        Without the target every row of the table keeps its place, and rows that cannot be predicted are NaN.
        """
        return TableRows(self, table, target=target)

    @property
    def classes(self) -> tuple[Label, ...] | None:
        """Classes of the target, sorted; None for numbers."""
        return self.targets.classes if isinstance(self.targets, Labels) else None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a prediction reads."""
        return tuple(v.name for v in self.variables)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What a prediction reads: columns of the features, the offset and the exposure."""
        given = [*self.features.variables, *(() if self.offset is None else self.offset.variables)]
        if self.exposure is not None:
            given.append(Variable(self.exposure, "number"))
        return tuple({v.name: v for v in reversed(given)}.values())[::-1]

    @property
    def offset_column(self) -> str | None:
        """The column that is the offset as it stands, if one is."""
        return self.offset.variables[0].name if isinstance(self.offset, Columns) else None

    @property
    def shift(self) -> str | None:
        """The offset in words, such as ``"log(hours)"``; None without one."""
        parts = [] if self.offset is None else list(self.offset.names)
        if self.exposure is not None:
            parts.append(f"log({self.exposure})")
        return " + ".join(parts) or None

    @property
    def fitted_columns(self) -> tuple[str, ...]:
        """Columns that a fit reads."""
        weights = () if self.weights is None else (self.weights,)
        return tuple(dict.fromkeys([*self.columns, *(v.name for v in self.targets.variables), *weights]))

    @property
    def safe(self) -> bool:
        """Whether finite columns give finite features: nothing is transformed."""
        encoders = (self.features, self.targets, self.offset)
        return all(encoder is None or isinstance(encoder, Columns) for encoder in encoders)

    def describe(self, profile: Profile | None = None) -> tuple[Description, ...]:
        """One line for each column that takes part, with counts of missing values from `profile`."""
        roles = {
            "target": self.targets.variables,
            "feature": self.features.variables,
            "weights": () if self.weights is None else (Variable(self.weights, "number"),),
            "offset": () if self.offset is None else self.offset.variables,
            "exposure": () if self.exposure is None else (Variable(self.exposure, "number"),),
        }
        return tuple(
            Description(
                v.name,
                v.kind,
                role,
                v.levels,
                profile.columns[v.name].missing
                if profile is not None and v.name in profile.columns
                else None,
            )
            for role, variables in roles.items()
            for v in variables
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything that a replay needs, in terms of JSON."""
        shifting = () if self.offset is None else self.offset.variables
        variables = {v.name: v for v in (*shifting, *self.targets.variables, *self.features.variables)}
        return {
            "version": VERSION,
            "formula": self.formula,
            "weights": self.weights,
            "missing": self.missing,
            "intercept": self.intercept,
            "variables": [documents.variable_to_dict(v) for v in variables.values()],
            "features": self.features.to_dict(),
            "targets": self.targets.to_dict(),
            "offset": None if self.offset is None else self.offset.to_dict(),
            "exposure": self.exposure,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Restore a design; runs no code from the document.

        Raises
        ------
        ModelFileError
            The document is not one that `to_dict` makes.
        """
        try:
            if document["version"] not in range(1, VERSION + 1):
                raise ModelFileError(
                    f"the design is of version {document['version']}; this program reads up to {VERSION}."
                )
            variables = {d["name"]: documents.variable_from_dict(d) for d in document["variables"]}
            offset = document.get("offset")
            return cls(
                documents.encoder_from_dict(document["features"], variables),
                documents.encoder_from_dict(document["targets"], variables),
                documents.optional_text(document["weights"]),
                documents.one_of(document["missing"], ("error", "drop", "mean")),
                bool(document["intercept"]),
                documents.optional_text(document["formula"]),
                None if offset is None else documents.encoder_from_dict(offset, variables),
                documents.optional_text(document.get("exposure")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, ModelFileError):
                raise
            raise ModelFileError(f"the design in this file is damaged: {error!r}.") from error


def _names(target: str | Sequence[str] | None) -> tuple[str, ...]:
    return () if target is None else (target,) if isinstance(target, str) else tuple(target)
