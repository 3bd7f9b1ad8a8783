"""What users pass for X, y and weights: arrays of every kind as tensors, frames by their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.errors import DataError, InvalidInput

__all__ = [
    "as_exposure",
    "as_features",
    "as_offset",
    "as_targets",
    "as_weights",
    "column_names",
    "described",
    "is_frame",
    "is_tabular",
    "labels",
    "n_rows",
    "unused",
    "with_columns",
]


def as_features(X: Any, name: str = "X") -> Tensor:
    """A float tensor of shape (n, p) from a tensor, an array, a frame of numbers or nested lists; 1-D is a column."""
    tensor = _as_float(X, name)
    if tensor.ndim == 1:
        tensor = tensor.unsqueeze(1)
    if tensor.ndim != 2:
        raise InvalidInput(f"{name} has shape {tuple(tensor.shape)}; expected (n, p), rows by features.")
    if tensor.shape[0] == 0 or tensor.shape[1] == 0:
        raise DataError(f"{name} has shape {tuple(tensor.shape)}: there is nothing to fit.")
    return tensor


def as_targets(y: Any, rows: int) -> Tensor:
    """A float tensor of shape (n, k) for n = `rows`; 1-D is one target."""
    tensor = _as_float(y, "y")
    if tensor.ndim == 1:
        tensor = tensor.unsqueeze(1)
    if tensor.ndim != 2 or tensor.shape[0] != rows or tensor.shape[1] == 0:
        raise InvalidInput(
            f"y has shape {tuple(_shape(y))} for {rows} rows of X; expected ({rows},) or ({rows}, k)."
        )
    return tensor


def as_weights(weights: Any, rows: int) -> Tensor:
    """A float64 tensor of shape (n,) for n = `rows`, finite and at least 0."""
    tensor = _one_each(weights, rows, "weights")
    if not bool(torch.isfinite(tensor).all()) or bool((tensor < 0).any()):
        raise InvalidInput("weights must be finite and at least 0.")
    return tensor


def as_offset(offset: Any, rows: int) -> Tensor:
    """A float64 tensor of shape (n,) for n = `rows`, finite."""
    tensor = _one_each(offset, rows, "offset")
    if not bool(torch.isfinite(tensor).all()):
        raise InvalidInput("offset must be finite in every row; 0 changes nothing.")
    return tensor


def as_exposure(exposure: Any, rows: int) -> Tensor:
    """The logarithms of exposures, a float64 tensor of shape (n,) for n = `rows`."""
    tensor = _one_each(exposure, rows, "exposure")
    if not bool((torch.isfinite(tensor) & (tensor > 0)).all()):
        raise InvalidInput("exposure must be finite and above 0 in every row; 1 changes nothing.")
    return tensor.log()


def _one_each(values: Any, rows: int, name: str) -> Tensor:
    """A float64 tensor with one number for each row."""
    tensor = _as_float(values, name).double()
    if tensor.shape != (rows,):
        raise InvalidInput(f"{name} has shape {tuple(tensor.shape)}; expected ({rows},), one for each row.")
    return tensor


def _as_float(values: Any, name: str) -> Tensor:
    if isinstance(values, Tensor):
        tensor = values.detach()
        if tensor.layout is not torch.strided:
            raise InvalidInput(f"{name} is a sparse tensor; expected dense rows: pass {name}.to_dense().")
        if tensor.is_meta:
            raise InvalidInput(
                f"{name} is on the meta device, which holds no values; pass a tensor with some."
            )
        if tensor.is_complex():
            raise DataError(f"{name} is complex; expected real numbers.")
    else:
        array = _as_array(values, name)
        if not array.flags.writeable or not array.dtype.isnative or any(step < 0 for step in array.strides):
            array = array.astype(array.dtype.newbyteorder("="), copy=True)
        tensor = torch.from_numpy(array)
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.double()


def _as_array(values: Any, name: str) -> NDArray[Any]:
    """An array of numbers of at most 8 bytes; NaN where a masked array has no value."""
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        raise InvalidInput(f"{name} is a sparse matrix; expected dense rows: pass {name}.toarray().")
    try:
        if isinstance(values, np.ma.MaskedArray):
            values = np.ma.filled(values.astype(np.float64), np.nan)
        array = np.asarray(values)
        if array.dtype.kind in "mM":
            raise DataError(
                f"{name} holds dates or durations; expected numbers, such as days since the first of them."
            )
        if array.dtype.kind == "c":
            raise DataError(f"{name} is complex; expected real numbers.")
        return array if array.dtype.kind in "fiub" and array.itemsize <= 8 else array.astype(np.float64)
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        advice = "pass a frame with column names, so that text becomes categories, or convert it first."
        if name == "y":
            advice = "for classes use loss='logistic' (two) or loss='softmax'."
        raise DataError(
            f"{name} holds values that are not numbers (such as {_example(values)!r}); {advice}"
        ) from None


def _example(values: Any) -> Any:
    for value in np.asarray(values, dtype=object).ravel()[:10_000]:
        try:
            float(value)
        except (TypeError, ValueError):
            return value
    return None


def _shape(values: Any) -> Sequence[int]:
    return np.shape(values) if not isinstance(values, Tensor) else values.shape


def is_tabular(data: Any) -> bool:
    """Whether `data` has named columns: a path, a frame, a table or a mapping of columns."""
    return isinstance(data, (str, PathLike, Mapping)) or hasattr(data, "columns") or hasattr(data, "schema")


def is_frame(data: Any) -> bool:
    """Whether `data` has named columns and lies in memory."""
    return isinstance(data, Mapping) or (is_tabular(data) and hasattr(data, "columns"))


def with_columns(frame: Any, added: dict[str, Any]) -> Any:
    """A frame of the same kind with more columns, at its end; `frame` stays as it is."""
    if isinstance(frame, Mapping):
        return {**frame, **added}
    import narwhals.stable.v2 as nw

    wrapped = nw.from_native(frame, eager_only=True)
    series = (nw.new_series(name, values, backend=wrapped.implementation) for name, values in added.items())
    return wrapped.with_columns(*series).to_native()


def column_names(frame: Any) -> list[str]:
    """Names of a frame's columns, as strings."""
    names = frame if isinstance(frame, Mapping) else getattr(frame, "column_names", None) or frame.columns
    return [str(name) for name in names]


def described(values: Any) -> str:
    """What a value is, for messages: ``"a Tensor of shape (6, 2)"``."""
    shape = getattr(values, "shape", None)
    kind = f"a {type(values).__name__}"
    return kind if shape is None else f"{kind} of shape {tuple(shape)}"


def n_rows(frame: Any) -> int:
    """Rows of a frame or a mapping of columns."""
    return len(next(iter(frame.values()), ())) if isinstance(frame, Mapping) else len(frame)


def unused(names: Sequence[str], frame: Any) -> tuple[str, ...]:
    """Names like `names` that no column has."""
    taken = set(column_names(frame))
    while taken & set(names):
        names = [f"{name}_" for name in names]
    return tuple(names)


def labels(values: Any) -> tuple[str, ...] | None:
    """Names that a Series or a frame gives its columns; None for anything else."""
    if is_tabular(values):
        return tuple(column_names(values))
    name = getattr(values, "name", None)
    return (name,) if isinstance(name, str) and name and not isinstance(values, Tensor) else None
