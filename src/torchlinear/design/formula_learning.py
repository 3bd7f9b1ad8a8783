"""What a formula learns from a table: its columns as in `learning`, and the state of its transforms.

Levels, ranges, means and standard deviations are exact, from SQL. Other state (knots at quantiles,
orthogonal polynomials) is learnt from all rows up to a million, above that from every k-th: the columns
then span the same space, or nearly, and are the same at every replay.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from torchlinear.design.encoding import Columns, Encoder, Variable
from torchlinear.design.formulas import Sides, Use, parse, use_of
from torchlinear.design.learning import (
    Learnt,
    Request,
    check_roles,
    features_of,
    number,
    offset_of,
    refuse_target,
    targets_of,
    variables_of,
)
from torchlinear.design.packing import BLOCK_ROWS, Buffers, Pool, packed
from torchlinear.design.replay import (
    Formula,
    blank_spec,
    categories_of,
    frame_of,
    model_matrix,
    state_of,
    terms_of,
)
from torchlinear.errors import DataError, InvalidInput
from torchlinear.sources.base import Profile, Table

__all__ = ["LEARNING_ROWS", "from_formula"]

LEARNING_ROWS = 1_000_000  # 20 columns of these are 160 MB

Array = NDArray[Any]


def from_formula(request: Request, text: str) -> Learnt:
    """Learn the features and targets of a formula."""
    table = request.table
    sides = parse(text, [name for name in table.names if name not in request.reserved])
    left = Use() if sides.left is None else use_of(sides.left, text)
    right = use_of(sides.right, text)
    request = _with_target(request, sides, left, text)
    refuse_target(request, right.columns, f"formula={text!r}")
    for name in (*left.columns, *right.columns):
        table.column(name, f"formula={text!r}")
    for name in {*left.computed, *right.computed}:
        number(table.column(name), f"formula={text!r}")
    check_roles(request)
    offset = _offset(request, text, sides)
    intercept = sides.intercept and request.intercept
    if _plain(sides.right, right):
        features: Encoder = features_of(replace(request, intercept=intercept), list(right.columns))
    else:
        features = _learn(request, text, "right", intercept, right)
    classes = request.labels is not None and len(left.columns) == 1 and not left.computed
    if sides.left is None or classes or _plain(sides.left, left):
        return Learnt(features, targets_of(request), intercept, offset)
    if any(left.columns.values()):
        raise DataError(
            f"formula={text!r}: the target is a category; for classes use loss='logistic' (two) or 'softmax'."
        )
    if request.labels == "many":
        raise InvalidInput(f"formula={text!r}: the target of this loss is a column of labels, as it stands.")
    return Learnt(features, _learn(request, text, "left", False, left), intercept, offset)


def _offset(request: Request, text: str, sides: Sides) -> Encoder | None:
    """The terms in offset(), or the column that the request names."""
    if not len(sides.offset):
        return offset_of(request)
    if request.offset is not None:
        raise InvalidInput(
            f"formula={text!r} has an offset(), and offset={request.offset!r} is another; pass one."
        )
    use = use_of(sides.offset, text)
    for name, category in use.columns.items():
        if category:
            raise InvalidInput(
                f"formula={text!r}: {name!r} is a category in offset(); an offset is a number."
            )
        number(request.table.column(name, f"formula={text!r}"), f"formula={text!r}")
    if not use.computed and len(sides.offset) == 1:
        (name,) = use.columns
        return offset_of(replace(request, offset=name))
    return _learn(request, text, "offset", False, use)


def _with_target(request: Request, sides: Sides, left: Use, text: str) -> Request:
    if sides.left is None:
        return request
    if request.target:
        raise InvalidInput(
            f"formula={text!r} names the target, and so does target={request.target[0]!r}; pass one."
        )
    return replace(request, target=tuple(left.columns))


def _plain(terms: Any, use: Use) -> bool:
    """Whether the terms are columns as they stand."""
    return (
        not use.computed and not any(use.columns.values()) and all(len(term.factors) == 1 for term in terms)
    )


def _learn(
    request: Request, text: str, side: Literal["left", "right", "offset"], intercept: bool, use: Use
) -> Formula:
    table, names = request.table, tuple(use.columns)
    numeric = {name for name in use.plain if table.column(name).kind == "number"}
    both = [name for name in (*use.computed, *numeric) if use.columns[name]]
    if both:
        raise InvalidInput(
            f"formula={text!r}: {both[0]!r} is a category in C() and a number elsewhere; choose one."
        )
    categories = [name for name in names if use.columns[name]]
    variables = variables_of(request, names, categories, argument=f"formula={text!r}")
    _check_references(use, variables, text)
    numbers = [v.name for v in variables if v.kind != "category"]
    profile = table.profile(numbers, levels=False)
    variables = tuple(_with_mean(v, profile) for v in variables)
    columns = tuple(name for name in table.names if name not in request.reserved)
    state: dict[str, Any] = {}
    if use.stateful:
        values, step = _learning_rows(table, variables, profile, fill=request.missing == "mean")
        n = len(next(iter(values.values())))
        blank = blank_spec(terms_of(text, side, columns, intercept), {})
        state = state_of(model_matrix(blank, frame_of(variables, values, n)).model_spec)
        if step > 1:
            _make_exact(state, profile)
    return Formula(text, side, columns, intercept, variables, state).checked()


def _check_references(use: Use, variables: Sequence[Variable], text: str) -> None:
    """Every level that the others are compared with has to be there."""
    levels = {v.name: categories_of(v) for v in variables if v.kind == "category"}
    for column, level in use.references:
        if level not in levels[column]:
            known = ", ".join(map(repr, levels[column][:20])) + ", ..." * (len(levels[column]) > 20)
            raise InvalidInput(f"formula={text!r}: {column!r} has no level {level!r}. Its levels: {known}.")


def _with_mean(v: Variable, profile: Profile) -> Variable:
    """A number with a typical value, which stands in where a row cannot be predicted; always float64."""
    if v.kind == "category":
        return v
    mean = v.mean if v.mean is not None else profile.columns[v.name].mean
    if mean is None:
        raise DataError(f"column {v.name!r} has no finite values; leave it out.")
    return replace(v, mean=float(mean), single=False)


def _learning_rows(
    table: Table, variables: Sequence[Variable], profile: Profile, *, fill: bool
) -> tuple[Mapping[str, Array], int]:
    """Values of every k-th row, and k; with k > 1 also a row of minima and one of maxima."""
    step = max(1, -(-profile.rows // LEARNING_ROWS))
    nothing = Columns(())
    pool = Pool(lambda: Buffers.allocate(nothing, nothing, variables, BLOCK_ROWS))
    batches = table.batches(
        [v.name for v in variables],
        {v.name: v.levels for v in variables if v.kind == "category"},
        complete=not fill,
    )
    parts: dict[str, list[Array]] = {v.name: [] for v in variables}
    seen = 0
    for buffers, n in packed(batches, BLOCK_ROWS, pool):
        for name, found in parts.items():
            found.append(buffers.values[name][:n][-seen % step :: step].copy())
        seen += n
    if not seen:
        raise DataError(f"{table.source}: no row has a value in each of {', '.join(parts)}.")
    for v in variables if step > 1 else ():
        facts = profile.columns.get(v.name)
        ends = [0, 0] if facts is None else [facts.minimum, facts.maximum]
        parts[v.name].append(np.array(ends, dtype=v.dtype))
    values = {name: np.concatenate(found) for name, found in parts.items()}
    for v in variables if fill else ():
        if v.mean is not None:
            np.copyto(values[v.name], v.mean, where=np.isnan(values[v.name]))
    return values, step


def _make_exact(state: dict[str, Any], profile: Profile) -> None:
    """Centres and scales of plain columns from all rows instead of every k-th."""
    for expression, learnt in state.items():
        call = ast.parse(expression, mode="eval").body
        if not (isinstance(call, ast.Call) and len(call.args) == 1 and isinstance(call.args[0], ast.Name)):
            continue
        facts = profile.columns.get(call.args[0].id)
        if facts is None or call.keywords or facts.mean is None or facts.deviation is None:
            continue
        function = ast.unparse(call.func)
        if function in ("center", "scale", "standardize"):
            learnt["center"] = facts.mean
        if function == "scale":
            learnt["scale"] = facts.deviation
        elif function == "standardize":
            finite = profile.rows - facts.missing - facts.infinite
            learnt["scale"] = facts.deviation * math.sqrt((finite - 1) / finite)
