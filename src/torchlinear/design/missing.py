"""What to say when a table holds values that cannot be fitted: how many, in which columns, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.errors import DataError
from torchlinear.sources.base import Profile, Table

if TYPE_CHECKING:
    from torchlinear.design import Design

__all__ = ["complaint"]


def complaint(
    design: Design,
    table: Table,
    X: NDArray[Any] | None = None,
    y: NDArray[Any] | None = None,
    offset: NDArray[Any] | None = None,
) -> DataError:
    """The error for rows that `design` cannot fit, after counting them in the whole of `table`.

    `X`, `y` and `offset` are the block in which transformed columns were found not to be finite.
    """
    profile = table.profile(design.fitted_columns, levels=False)
    return DataError(
        _missing(design, profile)
        or _infinite(profile)
        or _negative(design, profile)
        or _not_positive(design, profile)
        or _undefined(design, X, y)
        or _undefined_offset(design, offset)
        or f"{table.source} changed while it was read: a value is missing, or of a level that was not there."
    )


def _missing(design: Design, profile: Profile) -> str | None:
    counts = {name: column.missing for name, column in profile.columns.items() if column.missing}
    if not counts or design.missing == "drop":
        return None
    if design.missing == "mean":
        numbers = {v.name for v in design.features.variables if v.mean is not None}
        counts = {name: count for name, count in counts.items() if name not in numbers}
        if not counts:
            return None
        return (
            f"missing values: {_listed(counts, profile)}. missing='mean' fills in numeric features only, "
            "neither "
            "targets and weights nor categories; pass missing='drop' to leave these rows out."
        )
    return (
        f"missing values: {_listed(counts, profile)}; pass missing='drop' to leave these rows out, or "
        "'mean' to "
        "fill in the mean of numeric features."
    )


def _infinite(profile: Profile) -> str | None:
    counts = {name: column.infinite for name, column in profile.columns.items() if column.infinite}
    if not counts:
        return None
    return f"infinite values: {_listed(counts, profile)}; correct them, or leave these rows or columns out."


def _negative(design: Design, profile: Profile) -> str | None:
    least = None if design.weights is None else profile.columns[design.weights].minimum
    if least is None or least >= 0:
        return None
    return f"weights: column {design.weights!r} goes down to {least:g}; weights must be at least 0."


def _not_positive(design: Design, profile: Profile) -> str | None:
    least = None if design.exposure is None else profile.columns[design.exposure].minimum
    if least is None or least > 0:
        return None
    return f"exposure: column {design.exposure!r} goes down to {least:g}; an exposure must be above 0."


def _undefined_offset(design: Design, offset: NDArray[Any] | None) -> str | None:
    if offset is None:
        return None
    count = int((~np.isfinite(offset)).sum())
    return (
        f"the offset {design.shift} is not a finite number in {count:,} of {len(offset):,} rows looked at; change it, "
        "or leave these rows out."
    )


def _undefined(design: Design, X: NDArray[Any] | None, y: NDArray[Any] | None) -> str | None:
    """Name the transformed columns that came out as NaN or infinite, such as the logarithm of 0."""
    for encoder, matrix in ((design.features, X), (design.targets, y)):
        if matrix is not None and not np.isfinite(matrix).all():
            counts = (~np.isfinite(matrix)).sum(axis=1)
            worst = int(counts.argmax())
            return (
                f"{encoder.names[worst]} is not a finite number, in {int(counts[worst]):,} of "
                f"{matrix.shape[1]:,} rows looked at; change the formula, or leave these rows out."
            )
    return None


def _listed(counts: dict[str, int], profile: Profile) -> str:
    return f"{', '.join(f'{name}: {count:,}' for name, count in counts.items())} of {profile.rows:,} rows"
