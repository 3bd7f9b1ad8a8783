"""Embeddings and labels as users have them: tensors, arrays, and files that are mapped rather than read."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchlinear.errors import DataError, InvalidInput, ModelFileError
from torchlinear.labels import Label, code
from torchlinear.values import as_features

__all__ = ["Examples", "examples", "matched"]

KINDS = (".npy", ".safetensors", ".parquet")
FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


class Examples:
    """Embeddings and what stands beside them.

    Attributes
    ----------
    X : Tensor, shape (n, p), any float dtype
        Embeddings.
    y : Any
        Labels, one for each row; None when there are none.
    """

    def __init__(self, X: Tensor, y: Any) -> None:
        if X.ndim != 2 or 0 in X.shape:
            raise InvalidInput(f"X has shape {tuple(X.shape)}; expected (n, p), a row for each embedding.")
        self.X, self.y = X, y

    def coded(self) -> tuple[Tensor, tuple[Label, ...]]:
        """The number of each row's class, shape (n,), int64, and the classes, sorted."""
        if self.y is None:
            raise InvalidInput("y is missing: pass fit(X, y), or the name of the labels in the file.")
        found = code(self.y, len(self.X), binary=False)
        assert found.classes is not None
        return found.y[:, 0].long().cpu(), found.classes


def examples(X: Any, y: Any = None) -> Examples:
    """Embeddings and labels.

    Parameters
    ----------
    X : tensor, array, frame or path, shape (n, p)
        Embeddings. A ``.npy`` file and a ``.safetensors`` file are mapped, so that only the rows at work are in
        memory. A Parquet file holds them in one column of lists, or in columns of numbers.
    y : tensor, array, Series, list, str or path, shape (n,), optional
        Labels; the path of a ``.npy`` file of them; or the name of their tensor or column in the file.

    Raises
    ------
    InvalidInput
        Something else came.
    """
    y = _from_file(y) if isinstance(y, (str, PathLike)) else y
    if not isinstance(X, (str, PathLike)):
        if isinstance(y, str):
            raise InvalidInput(
                f"y={y!r} names a column, but X is a {type(X).__name__}; pass the labels themselves."
            )
        return Examples(_features(X), y)
    path = Path(fspath(X))
    if path.suffix not in KINDS:
        raise InvalidInput(
            f"X={str(path)!r}: expected a tensor, an array, or a path ending in {', '.join(KINDS)}."
        )
    _exists(path)
    if path.suffix == ".npy":
        if isinstance(y, str):
            raise InvalidInput(
                f"y={y!r}: a .npy file holds one array; pass the labels themselves, or the path of a .npy file of them."
            )
        return Examples(_features(_mapped(path)), y)
    return _tensors(path, y) if path.suffix == ".safetensors" else _columns(path, y)


def matched(y: Any, rows: int, classes: Sequence[Label]) -> Tensor:
    """The number of each label among known classes, shape (n,), int64; `DataError` for a label that is new."""
    values = y.tolist() if hasattr(y, "tolist") else list(y)
    if len(values) != rows:
        raise InvalidInput(f"y has {len(values)} labels for {rows} rows of X.")
    place = {label: j for j, label in enumerate(classes)}
    new = next((label for label in values if label not in place), None)
    if new is not None:
        raise DataError(f"y holds the label {new!r}, which is none of the {len(classes)} classes of the fit.")
    return torch.tensor([place[label] for label in values])


def _features(X: Any) -> Tensor:
    """Rows in their own float dtype; whole numbers become float32."""
    if isinstance(X, Tensor) and X.dtype in FLOATS and X.layout is torch.strided:
        return X.detach()
    if isinstance(X, np.ndarray) and X.dtype.kind == "f" and X.dtype.isnative and X.itemsize <= 8:
        forward = X.flags.writeable and all(step >= 0 for step in X.strides)
        return torch.from_numpy(X if forward else X.copy())
    whole = isinstance(X, (Tensor, np.ndarray)) and not (
        X.is_floating_point() if isinstance(X, Tensor) else X.dtype.kind == "f"
    )
    tensor = as_features(X).contiguous()  # a frame's columns become rows once, not at every pass
    return tensor.float() if whole else tensor


def _from_file(y: str | PathLike[str]) -> Any:
    """Labels of a ``.npy`` file; a name stays what it is."""
    path = Path(fspath(y))
    if path.suffix == ".npy":
        return np.array(_mapped(_exists(path)))
    if isinstance(y, str):
        return y
    raise InvalidInput(f"y={str(path)!r}: expected labels, the path of a .npy file, or the name of a column.")


def _exists(path: Path) -> Path:
    if not path.exists():
        raise InvalidInput(f"no such file: {str(path)!r}.")
    return path


def _mapped(path: Path) -> Any:
    try:
        return np.load(
            path, mmap_mode="c", allow_pickle=False
        )  # "c": torch wants memory that may be written to
    except (ValueError, OSError, EOFError) as error:
        raise ModelFileError(f"{str(path)!r} is not a readable .npy array ({error}).") from None


def _tensors(path: Path, y: Any) -> Examples:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            wide = [name for name in names if len(file.get_slice(name).get_shape()) == 2]
            if isinstance(y, str):
                wide = [name for name in wide if name != y]
            if len(wide) != 1:
                raise InvalidInput(
                    f"{str(path)!r} holds {len(wide)} tensors of shape (n, p) ({', '.join(names)}); expected one."
                )
            if isinstance(y, str):
                if y not in names:
                    raise InvalidInput(f"{str(path)!r} has no tensor {y!r}. There are: {', '.join(names)}.")
                y = file.get_tensor(y)
            return Examples(_features(file.get_tensor(wide[0])), y)
    except SafetensorError as error:
        raise ModelFileError(f"{str(path)!r} is not a readable .safetensors file ({error}).") from None


def _columns(path: Path, y: Any) -> Examples:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    if isinstance(y, str):
        if y not in table.column_names:
            raise InvalidInput(
                f"{str(path)!r} has no column {y!r}. There are: {', '.join(table.column_names)}."
            )
        labels, table = table[y].to_pandas(), table.drop_columns([y])
    else:
        labels = y
    lists = [name for name in table.column_names if pa.types.is_nested(table.schema.field(name).type)]
    if len(lists) == 1:
        column = table[lists[0]].combine_chunks()
        width = len(column[0]) if len(column) else 0
        flat = np.concatenate([chunk.flatten().to_numpy() for chunk in getattr(column, "chunks", [column])])
        if flat.size != len(column) * width or column.null_count:
            raise DataError(f"the lists of column {lists[0]!r} differ in length; expected (n, p) embeddings.")
        return Examples(_features(flat.reshape(len(column), width).copy()), labels)
    numbers = [n for n in table.column_names if pa.types.is_floating(table.schema.field(n).type)]
    if not numbers:
        raise InvalidInput(f"{str(path)!r} has no column of lists and no columns of floats to be embeddings.")
    return Examples(_features(np.column_stack([table[n].to_numpy() for n in numbers])), labels)
