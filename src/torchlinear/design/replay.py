"""Formula: an encoder for everything that a formula can say, by formulaic.

What was learnt is stored as plain numbers: kinds, levels and means of the columns, and the state of the
transforms (centres, scales, knots, recurrence coefficients). A replay builds formulaic's own specification
from these, in the process that learnt them as in one that loads them, so both give the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pandas as pd
from formulaic import ModelSpec, SimpleFormula
from formulaic.errors import FormulaicError
from formulaic.transforms import TRANSFORMS, stateful_transform
from numpy.typing import NDArray

from torchlinear.design.encoding import Encoder, Values, Variable
from torchlinear.design.formulas import ELEMENTWISE, INTERCEPT, Power, parse, power_of, use_of
from torchlinear.design.powers import write_powers
from torchlinear.errors import InvalidInput

__all__ = [
    "Formula",
    "blank_spec",
    "categories_of",
    "decoded",
    "frame_of",
    "model_matrix",
    "state_of",
    "terms_of",
]

Array = NDArray[Any]


class _Place(NamedTuple):
    """Powers and the first of their columns."""

    power: Power
    start: int


@stateful_transform  # type: ignore[untyped-decorator]
def _bs(x: Any, *args: Any, extrapolation: str = "na", _state: dict[str, Any], **options: Any) -> Any:
    """B-splines, NaN beyond the range that was learnt: such a row cannot be predicted, the others can."""
    return TRANSFORMS["bs"](x, *args, extrapolation=extrapolation, _state=_state, **options)


_FUNCTIONS = {**ELEMENTWISE, "bs": _bs}


@dataclass(frozen=True)
class Formula(Encoder):
    """The features, or targets, of one side of a formula.

    Parameters
    ----------
    text : str
        The formula, both sides.
    side : {"left", "right"}
        Which side this is.
    columns : tuple of str
        What ``.`` stands for.
    intercept : bool
        Whether the model has an intercept, which decides how categories are coded. It is not a feature.
    variables : tuple of Variable
        The columns that are read; numbers with their means.
    state : dict
        Of each stateful transform, by its text.
    """

    text: str
    side: Literal["left", "right", "offset"]
    columns: tuple[str, ...]
    intercept: bool
    variables: tuple[Variable, ...]
    state: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def _spec(self) -> ModelSpec:
        """The specification that formulaic replays, its structure made from two typical rows."""
        return model_matrix(self._blank(), self._typical()).model_spec

    def _blank(self) -> ModelSpec:
        return blank_spec(terms_of(self.text, self.side, self.columns, self.intercept), self.state)

    def _typical(self) -> pd.DataFrame:
        rows = {
            v.name: np.zeros(2, np.int32) if v.kind == "category" else np.full(2, v.mean or 0.0)
            for v in self.variables
        }
        return frame_of(self.variables, rows, 2)

    @property
    def names(self) -> tuple[str, ...]:
        """Names as formulaic gives them; but raw polynomials count from 1, so that ``[2]`` is the square."""
        names = list(self._spec.column_names)[self._offset :]
        for power, start in self._powers:
            if len(power.exponents) > 1 or names[start].endswith("[0]"):
                stem = names[start].removesuffix("[0]")
                names[start : start + len(power.exponents)] = [f"{stem}[{k}]" for k in power.exponents]
        return tuple(names)

    @property
    def dtype(self) -> np.dtype[Any]:
        """float64."""
        return np.dtype(np.float64)

    @cached_property
    def _offset(self) -> int:
        """Columns of formulaic's matrix before the first feature: the intercept."""
        return int(self.intercept and self.side == "right")

    @cached_property
    def _powers(self) -> tuple[_Place, ...]:
        """The terms that are powers of one column, which are formed in double-double."""
        numbers = {v.name for v in self.variables if v.kind == "number"}
        places, start = [], -self._offset
        for term, scoped, columns in self._spec.structure:
            power = power_of(term.factors[0]) if len(term.factors) == 1 and start >= 0 else None
            plain = power is not None and power.column in numbers and len(columns) == len(power.exponents)
            if power is not None and plain and [s.scale for s in scoped] == [1]:
                places.append(_Place(power, start))
            start += len(columns)
        return tuple(places)

    @property
    def extended(self) -> bool:  # type: ignore[override]
        """Whether there are powers above the first."""
        return any(place.power.exponents[-1] > 1 for place in self._powers)

    def direct(self) -> Mapping[str, int]:
        """None: formulaic writes all of them."""
        return {}

    def encode(self, values: Values, X: Array, low: Array | None) -> None:
        """Evaluate the terms, then the powers in double-double."""
        n = X.shape[1]
        if n == 0:
            return
        matrix = model_matrix(self._spec, frame_of(self.variables, values, n))
        X[...] = np.asarray(matrix)[:, self._offset :].T
        if low is not None:
            low[...] = 0.0
            for power, start in self._powers:
                rows = slice(start, start + len(power.exponents))
                write_powers(values[power.column], power.exponents, X[rows], low[rows])

    def to_dict(self) -> dict[str, Any]:
        """Text and numbers; the variables are stored by the design."""
        return {
            "kind": "formula",
            "text": self.text,
            "side": self.side,
            "columns": list(self.columns),
            "intercept": self.intercept,
            "variables": [v.name for v in self.variables],
            "state": _encoded(self.state),
        }

    def checked(self) -> Self:
        """Itself, after evaluating the terms on typical rows.

        Raises
        ------
        InvalidInput
            The terms cannot be evaluated.
        """
        self.names  # noqa: B018 - builds the specification
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}


def terms_of(
    text: str, side: Literal["left", "right", "offset"], columns: tuple[str, ...], intercept: bool
) -> SimpleFormula:
    """The terms of one side, with the intercept if there is one; all of them harmless."""
    sides = parse(text, columns)
    if side == "offset":
        use_of(sides.offset, text)
        return sides.offset
    left = SimpleFormula([]) if sides.left is None else sides.left
    terms = left if side == "left" else SimpleFormula([*([INTERCEPT] if intercept else []), *sides.right])
    use_of(terms, text)
    return terms


def blank_spec(terms: SimpleFormula, state: Mapping[str, Any]) -> ModelSpec:
    """A specification before it has seen rows, with learnt transforms."""
    return ModelSpec(
        formula=terms,
        materializer="pandas",
        output="numpy",
        na_action="ignore",
        transform_state=_copied(state),
    )


def model_matrix(spec: ModelSpec, frame: pd.DataFrame) -> Any:
    """Evaluate a specification; errors of formulaic leave as ours."""
    try:
        with np.errstate(all="ignore"):
            return spec.get_model_matrix(frame, context=_FUNCTIONS)
    except (FormulaicError, ValueError, TypeError, KeyError, IndexError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()
        raise InvalidInput(f"formula cannot be evaluated: {reason[0] if reason else repr(error)}") from error


def frame_of(variables: tuple[Variable, ...], values: Values, n: int) -> pd.DataFrame:
    """The frame that formulaic reads: numbers and categories with all their levels."""
    columns: dict[str, Any] = {
        v.name: pd.Categorical.from_codes(values[v.name], categories=pd.Index(categories_of(v)))
        if v.kind == "category"
        else values[v.name]
        for v in variables
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(n), copy=False)


def categories_of(v: Variable) -> list[Any]:
    """Levels of a numeric column as numbers, so that ``C(year, Treatment(2020))`` finds its level."""
    if not v.numeric:
        return list(v.levels)
    return [int(level) if float(level).is_integer() else float(level) for level in v.levels]


def state_of(spec: ModelSpec) -> dict[str, Any]:
    """The learnt transforms of a specification, in plain numbers, lists and dicts."""
    return {name: _plain(state) for name, state in spec.transform_state.items() if state}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InvalidInput(f"formula: what a transform learnt cannot be stored ({type(value).__name__}).")


def _copied(state: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that formulaic may write to."""
    return {key: _copied(item) if isinstance(item, Mapping) else item for key, item in state.items()}


def _encoded(value: Any) -> Any:
    """Dicts as lists of pairs: the keys of JSON are strings, those of a polynomial's state are not."""
    if isinstance(value, dict):
        return {"pairs": [[key, _encoded(item)] for key, item in value.items()]}
    return [_encoded(item) for item in value] if isinstance(value, list) else value


def decoded(value: Any) -> Any:
    """The inverse of the above."""
    if isinstance(value, dict):
        return {key: decoded(item) for key, item in value["pairs"]}
    return [decoded(item) for item in value] if isinstance(value, list) else value
