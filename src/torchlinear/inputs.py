"""What users pass, turned into rows: tensors and arrays directly, files and frames through a design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from torchlinear.block import Rows, TensorRows
from torchlinear.errors import DataError, InvalidInput

if TYPE_CHECKING:
    from torchlinear.design import Design

__all__ = ["Prepared", "as_features", "as_targets", "is_tabular", "prepare", "resolve_device"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows to fit, the design that made them (None for tensors and arrays), and whether weights came along."""

    rows: Rows
    design: Design | None
    weighted: bool


def prepare(
    data: Any,
    target: Any,
    *,
    formula: str | None,
    columns: Sequence[str] | None,
    weights: Any,
    missing: Literal["error", "drop", "mean"],
    intercept: bool,
    device: str | torch.device,
) -> Prepared:
    """Rows of `data`, with `target` and `weights`; see `torchlinear.fit` for what each may be."""
    place = resolve_device(device)
    if is_tabular(data) and (formula is not None or target is None or _names(target)):
        return _prepare_table(data, target, formula, columns, weights, missing, intercept, place)
    if formula is not None or columns is not None:
        given = "formula" if formula is not None else "columns"
        raise InvalidInput(
            f"{given}= names columns, but the data is {_kind(data)} without named columns; pass a data frame or a file."
        )
    if target is None:
        raise InvalidInput(
            "target is missing: pass fit(X, y), or a frame or file with the name of its target column."
        )
    if _names(target):
        raise InvalidInput(
            f"target={target!r} names a column, but the data is {_kind(data)}; pass the values of y."
        )
    names = tuple(str(c) for c in data.columns) if hasattr(data, "columns") else None
    X = as_features(data)
    y = as_targets(target, X.shape[0])
    weight = None if weights is None else _as_weights(weights, X.shape[0])
    if place is not None:
        X, y = X.to(place), y.to(place)
    return Prepared(TensorRows(X, y, weight, names=names), None, weight is not None)


def _prepare_table(
    data: Any,
    target: Any,
    formula: str | None,
    columns: Sequence[str] | None,
    weights: Any,
    missing: Literal["error", "drop", "mean"],
    intercept: bool,
    place: torch.device | None,
) -> Prepared:
    if weights is not None and not isinstance(weights, str):
        raise InvalidInput(
            "weights for a file or a frame is the name of a column, got " + _kind(weights) + "."
        )
    if place is not None and place.type != "cpu":
        raise InvalidInput(
            f"device={str(place)!r} takes tensors; files and frames are fitted on the CPU for now."
        )
    from torchlinear.design import Design  # imports DuckDB, which tensors and arrays never need
    from torchlinear.sources import read

    table = read(data)
    design = Design.learn(
        table,
        formula=formula,
        columns=columns,
        target=target,
        weights=weights,
        missing=missing,
        intercept=intercept,
    )
    rows = design.rows(table).collected()  # small tables are read once; large ones stream
    return Prepared(rows, design, weights is not None)


def resolve_device(device: str | torch.device) -> torch.device | None:
    """The device that `device` names; None for "auto", which leaves tensors where they are."""
    if device == "auto":
        return None
    known = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    try:
        place = torch.device(device)
    except RuntimeError:
        raise InvalidInput(f"device={device!r} is not known. Known here: auto, {', '.join(known)}.") from None
    if place.type not in ("cpu", "cuda"):
        raise InvalidInput(f"device={device!r} is not supported. Known here: auto, {', '.join(known)}.")
    if place.type == "cuda" and not torch.cuda.is_available():
        raise InvalidInput(
            f"device={device!r} was asked for, but this torch ({torch.__version__}) sees no CUDA device; "
            "use device='cpu' or device='auto'."
        )
    return place


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


def _as_weights(weights: Any, rows: int) -> Tensor:
    tensor = _as_float(weights, "weights").double()
    if tensor.shape != (rows,):
        raise InvalidInput(f"weights has shape {tuple(tensor.shape)}; expected ({rows},), one for each row.")
    if not bool(torch.isfinite(tensor).all()) or bool((tensor < 0).any()):
        raise InvalidInput("weights must be finite and at least 0.")
    return tensor


def _as_float(values: Any, name: str) -> Tensor:
    if isinstance(values, Tensor):
        tensor = values.detach()
    else:
        try:
            array = np.asarray(values)
            if array.dtype.kind not in "fiub":
                array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise DataError(
                f"{name} holds values that are not numbers (such as {_example(values)!r}); pass a frame with column "
                "names, so that text becomes categories, or convert it first."
            ) from None
        if not array.flags.writeable or not array.dtype.isnative or any(step < 0 for step in array.strides):
            array = array.astype(array.dtype.newbyteorder("="), copy=True)
        tensor = torch.from_numpy(array)
    if tensor.is_complex():
        raise DataError(f"{name} is complex; expected real numbers.")
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.double()


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


def _names(target: Any) -> bool:
    return isinstance(target, str) or (
        isinstance(target, (list, tuple)) and bool(target) and all(isinstance(name, str) for name in target)
    )


def _kind(data: Any) -> str:
    shape = getattr(data, "shape", None)
    described = f"a {type(data).__name__}"
    return described if shape is None else f"{described} of shape {tuple(shape)}"
