"""Groups of rows, as values or as a column of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.errors import InvalidInput
from torchlinear.values import column_names, is_frame, is_tabular

__all__ = ["Grouped", "groups_of"]


@dataclass(frozen=True, slots=True)
class Grouped:
    """What became of `groups=`: a value for each row, and the features that remain."""

    values: NDArray[Any] | None
    columns: Sequence[str] | None


def groups_of(
    data: Any,
    groups: Any,
    *,
    target: Any,
    columns: Sequence[str] | None,
    formula: str | None,
    weights: Any,
) -> Grouped:
    """Values of the groups, and the features without the column that held them.

    Raises
    ------
    InvalidInput
        When `groups` names a column of data without named columns, or the column is not there.
    """
    if not isinstance(groups, str):
        if groups is None:
            return Grouped(None, columns)
        values = groups.detach().cpu().numpy() if hasattr(groups, "detach") else np.asarray(groups)
        return Grouped(values, columns)
    if not is_tabular(data):
        raise InvalidInput(
            f"groups={groups!r} names a column, but the data has no named columns; pass the values."
        )
    names, values = _column(data, groups)
    if columns is None and formula is None:
        others = {groups, *((target,) if isinstance(target, str) else ())}
        others |= {
            name for name in (target if isinstance(target, (list, tuple)) else ()) if isinstance(name, str)
        }
        others |= {weights} if isinstance(weights, str) else set()
        columns = [name for name in names if name not in others]
    return Grouped(values, columns)


def _column(data: Any, name: str) -> tuple[list[str], NDArray[Any]]:
    """Names of all columns, and the values of one in the order of the rows."""
    from torchlinear.sources import read

    table = read(data)
    column = table.column(name, "groups")
    if is_frame(data) and column.kind not in ("number", "boolean"):
        return column_names(data), _values(data, name)
    text = column.kind not in ("number", "boolean")
    levels = {
        each: found for each, found in table.levels([name] if text else []).items() if found is not None
    }
    if text and not levels:
        raise InvalidInput(
            f"groups={name!r} has too many different texts in a file; number the groups instead."
        )
    batches = [
        batch.column(0) for shard in table.shards() for batch in table.batches([name], levels, shard=shard)
    ]
    parts = [getattr(part, "indices", part).to_numpy(zero_copy_only=False) for part in batches]
    return list(table.names), np.concatenate(parts) if parts else np.zeros(0)


def _values(frame: Any, name: str) -> NDArray[Any]:
    if isinstance(frame, dict):
        return np.asarray(frame[name]).astype(str)
    import narwhals.stable.v2 as nw

    return np.asarray(nw.from_native(frame, eager_only=True)[name].to_numpy()).astype(str)
