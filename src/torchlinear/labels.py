"""Labels: classes of any kind as numbers, and back.

Classes are sorted: numbers by size, False before True, texts by their characters. A loss of two classes sees
0 and 1, so that the second class is what it calls a success; a loss of many sees 0 to k - 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.errors import DataError, InvalidInput
from torchlinear.values import as_targets

__all__ = ["Coded", "Label", "are_proportions", "code", "decode", "recode", "refusal"]

Label = str | bool | int | float

SHOWN = 5  # classes that a message names
NARROW = 1 << 16  # range of whole numbers whose classes are found by counting instead of sorting


@dataclass(frozen=True, slots=True)
class Coded:
    """A target that a loss of labels takes.

    Attributes
    ----------
    y : Tensor, shape (n, 1), float64
        The number of each row's class, or its proportion of successes, shape (n, k).
    classes : tuple of str, bool, int or float, or None
        The sorted classes; None for proportions.
    """

    y: Tensor
    classes: tuple[Label, ...] | None


def code(y: Any, rows: int, *, binary: bool) -> Coded:
    """Number the classes of labels.

    Parameters
    ----------
    y : tensor, array, Series or list, shape (n,) or (n, 1)
        Labels: texts, booleans or numbers. With `binary` also proportions of successes, numbers from 0 to 1 that
        are not all 0 or 1, shape (n,) or (n, k).
    rows : int
        n.
    binary : bool
        Whether the loss tells two classes apart, or any number of them.

    Raises
    ------
    InvalidInput
        The shape is another.
    DataError
        A label is missing or of a kind that no label is; there is one class, or more than the loss takes.

    Examples
    --------
    >>> from torchlinear.labels import code
    >>> coded = code(["b", "a", "b"], 3, binary=True)
    >>> coded.classes, coded.y[:, 0].tolist()
    (('a', 'b'), [1.0, 0.0, 1.0])
    """
    values = _values(y)
    if values.ndim == 2 and values.shape[1] > 1 and binary:
        return Coded(as_targets(y, rows), None)  # several proportions; the loss refuses what is none
    if tuple(values.shape) not in ((rows,), (rows, 1)):
        wanted = f"({rows},)" if not binary else f"({rows},) or ({rows}, k)"
        raise InvalidInput(f"y has shape {tuple(values.shape)} for {rows} rows of X; expected {wanted}.")
    flat = values.reshape(-1)
    coded = _numbers(flat, binary) if isinstance(flat, Tensor) else _texts(flat)
    if coded.classes is not None:
        reason = refusal(coded.classes, binary=binary)
        if reason is not None:
            raise DataError(f"y {reason}")
    return coded


def refusal(classes: Sequence[Label], *, binary: bool) -> str | None:
    """Why a loss of labels cannot take these classes, after the name of the target; None when it can."""
    count = len(classes)
    listed = ", ".join(map(str, classes[:SHOWN])) + ", ..." * (count > SHOWN)
    if count == 1:
        return f"holds one class only ({listed}); expected at least two, for there is nothing to tell apart."
    fractions = [c for c in classes if isinstance(c, float) and not c.is_integer()]
    if fractions and (not binary or count > 2):
        use = "divide successes by trials and pass the trials as weights" if binary else "use loss='squared'"
        return (
            f"holds numbers that are not whole (such as {fractions[0]:g}), which are no classes; expected labels"
            f"{' or proportions from 0 to 1' if binary else ''}: {use}."
        )
    if binary and count > 2:
        return (
            f"holds {count:,} classes ({listed}), but this loss tells two apart; use loss='softmax' (for counts "
            "of successes, divide them by the trials and pass the trials as weights)."
        )
    return None


def are_proportions(values: Sequence[Label]) -> bool:
    """Whether numbers are proportions of successes, from 0 to 1 and not all of them 0 or 1."""
    return all(isinstance(v, float) and 0 <= v <= 1 for v in values) and not set(values) <= {0.0, 1.0}


def decode(codes: Tensor, classes: Sequence[Label], *, tensor: bool) -> Any:
    """The labels of numbers of classes.

    Parameters
    ----------
    codes : Tensor, shape (n,)
        Numbers of classes, NaN where a row cannot be predicted.
    classes : sequence of str, bool, int or float
        The classes.
    tensor : bool
        Whether a tensor is wanted, which only holds numbers.

    Returns
    -------
    ndarray or Tensor, shape (n,)
        Labels, of the classes' dtype (texts: object). Where a row cannot be predicted NaN among floats and in
        tensors, which then are float64, else None in an array of objects.
    """
    lost = codes.isnan()
    place = torch.where(lost, 0, codes).long()
    if tensor and not isinstance(classes[0], str):
        dtype = torch.float64 if isinstance(classes[0], float) else None
        labels = torch.tensor(classes, dtype=dtype, device=codes.device)[place]
        return torch.where(lost, torch.nan, labels.double()) if bool(lost.any()) else labels
    known = np.asarray(classes, dtype=object if isinstance(classes[0], str) else None)
    found = known[place.cpu().numpy()]
    if bool(lost.any()):
        floats = found.dtype.kind == "f"
        found = found if floats else found.astype(object)
        found[lost.cpu().numpy()] = np.nan if floats else None
    return found


def recode(y: Any, rows: int, classes: Sequence[Label]) -> Tensor:
    """Number labels among classes that are known; shape (n, 1), float64.

    Raises
    ------
    InvalidInput
        There is another label, or not one for each row.
    """
    values = np.asarray(y.detach().cpu() if isinstance(y, Tensor) else y).reshape(-1).tolist()
    place = {label: float(j) for j, label in enumerate(classes)}
    if len(values) != rows:
        raise InvalidInput(f"y has {len(values):,} labels for {rows:,} rows of X; expected one for each.")
    strange = [value for value in values if value not in place]
    if strange:
        listed = ", ".join(map(str, classes[:SHOWN])) + ", ..." * (len(classes) > SHOWN)
        raise InvalidInput(f"y holds {strange[0]!r}, which is none of the classes of the fit: {listed}.")
    return torch.tensor([place[value] for value in values], dtype=torch.float64).unsqueeze(1)


def _texts(array: NDArray[Any]) -> Coded:
    values = array.tolist()
    classes = sorted(set(values))
    place = {label: j for j, label in enumerate(classes)}
    codes = np.fromiter((place[label] for label in values), np.float64, len(values))
    return Coded(torch.from_numpy(codes).unsqueeze(1), tuple(map(str, classes)))


def _values(y: Any) -> Tensor | NDArray[Any]:
    """Labels as a tensor of numbers or booleans, or as an array of texts."""
    if isinstance(y, Tensor):
        return (
            as_targets(y, len(y))
            if y.is_complex() or y.layout is not torch.strided or y.is_meta
            else y.detach()
        )
    array = np.asarray(y)
    if array.dtype.kind == "U" and isinstance(y, list | tuple):
        array = np.asarray(y, dtype=object)  # NumPy writes numbers and NaN among texts as texts
    if array.dtype.kind == "O":
        array = _narrowed(array)
    if array.dtype.kind in "OU":
        return array
    if array.dtype.kind == "b" or (array.dtype.kind in "iu" and array.dtype != np.uint64):
        return torch.from_numpy(array.astype(np.bool_ if array.dtype.kind == "b" else np.int64))
    return as_targets(array, len(array)) if array.ndim else torch.zeros(())


def _narrowed(array: NDArray[Any]) -> NDArray[Any]:
    """An array of objects that are all texts, or of the booleans or numbers that they all are."""
    kinds = {type(value) for value in array.ravel().tolist()}
    missing = [kind for kind in kinds if kind.__name__ in ("NoneType", "NAType", "NaTType")]
    texts = [kind for kind in kinds if issubclass(kind, str)]
    if missing or (texts and float in kinds):  # NaN among texts
        count = sum(value is None or value != value for value in map(_known, array.ravel().tolist()))
        if count:
            raise DataError(f"y has {count:,} missing labels of {array.size:,}; drop those rows first.")
    if len(texts) == len(kinds):
        return array
    for kind, dtype in (
        ((bool, np.bool_), np.bool_),
        ((int, np.integer), np.int64),
        ((int, float, np.number), float),
    ):
        if all(issubclass(k, kind) and (dtype is np.bool_ or not issubclass(k, bool)) for k in kinds):
            return array.astype(dtype)
    raise DataError(
        f"y holds labels of different or unknown kinds ({', '.join(sorted(kind.__name__ for kind in kinds))}); "
        "expected texts, booleans or numbers: make them one kind first."
    )


def _known(value: Any) -> Any:
    """None for what stands for no value, so that it can be compared."""
    return None if type(value).__name__ in ("NAType", "NaTType") else value


def _numbers(values: Tensor, binary: bool) -> Coded:
    floats = values.is_floating_point()
    if floats and not bool(torch.isfinite(values).all()):
        count = int((~torch.isfinite(values)).sum())
        raise DataError(f"values are NaN or inf (y: {count}); drop those rows or fill them in first.")
    low, high = (v.item() for v in (values.amin(), values.amax())) if values.numel() else (0, 0)
    inside = floats and low >= 0 and high <= 1
    is_high = values == high
    if bool((is_high | (values == low)).all()) and not (inside and not {low, high} <= {0, 1}):
        classes = (low,) if low == high else (low, high)
        return Coded(is_high.double().unsqueeze(1), classes)
    if binary and inside:
        return Coded(values.unsqueeze(1), None)
    if not floats and high - low < NARROW:
        return _counted(values, int(low))
    found, codes = torch.unique(values, return_inverse=True)
    return Coded(codes.double().unsqueeze(1), tuple(found.tolist()))


def _counted(values: Tensor, low: int) -> Coded:
    """Classes of whole numbers in a narrow range."""
    ahead = values - low
    there = torch.bincount(ahead) > 0
    codes = (there.cumsum(0) - 1)[ahead]
    classes = (there.nonzero()[:, 0] + low).tolist()
    return Coded(codes.double().unsqueeze(1), tuple(classes))
