"""Labels: classes of any kind are found, sorted, numbered and given back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from torchlinear.errors import DataError, InvalidInput
from torchlinear.labels import code, decode

N = 60
CODES = np.random.default_rng(4).integers(0, 2, N)
THREE = np.random.default_rng(5).integers(0, 3, N)


def texts(codes: np.ndarray, names: tuple[str, ...] = ("healthy", "sick", "treated")) -> np.ndarray:
    return np.array(names)[codes]


KINDS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "texts": (texts(CODES), ("healthy", "sick")),
    "list of texts": (texts(CODES).tolist(), ("healthy", "sick")),
    "objects": (texts(CODES).astype(object), ("healthy", "sick")),
    "not ascii": (texts(CODES, ("健康", "生病")), ("健康", "生病")),
    "Series": (pd.Series(texts(CODES), index=range(N, 0, -1)), ("healthy", "sick")),
    "string Series": (pd.Series(texts(CODES), dtype="string"), ("healthy", "sick")),
    "Categorical": (
        pd.Categorical(texts(CODES), categories=["sick", "healthy", "never"]),
        ("healthy", "sick"),
    ),
    "polars": (pl.Series(texts(CODES)), ("healthy", "sick")),
    "polars Enum": (pl.Series(texts(CODES), dtype=pl.Enum(["sick", "healthy"])), ("healthy", "sick")),
    "booleans": (CODES.astype(bool), (False, True)),
    "nullable booleans": (pd.Series(CODES.astype(bool), dtype="boolean"), (False, True)),
    "boolean tensor": (torch.from_numpy(CODES == 1), (False, True)),
    "integers": (CODES * 5 - 2, (-2, 3)),
    "small integers": (CODES.astype(np.int8), (0, 1)),
    "unsigned": (CODES.astype(np.uint64), (0.0, 1.0)),
    "nullable integers": (pd.Series(CODES, dtype="Int64"), (0, 1)),
    "large integers": (CODES + 2**60, (2**60, 2**60 + 1)),
    "floats": (CODES * 1.0, (0.0, 1.0)),
    "other floats": (torch.from_numpy(CODES * 1.5 + 0.75), (0.75, 2.25)),
    "column": (texts(CODES)[:, None], ("healthy", "sick")),
}


@pytest.mark.parametrize(("y", "classes"), KINDS.values(), ids=KINDS)
def test_two_classes(y: Any, classes: tuple[Any, ...]) -> None:
    coded = code(y, N, binary=True)
    assert coded.classes == classes
    assert [type(label) for label in coded.classes] == [type(label) for label in classes]
    np.testing.assert_array_equal(coded.y.numpy(), CODES[:, None])


@pytest.mark.parametrize(
    "y",
    [texts(THREE), THREE - 1, THREE * 100_000, torch.from_numpy(THREE), THREE * 2.0, pd.Series(texts(THREE))],
)
def test_many_classes_are_those_of_unique(y: Any) -> None:
    known, codes = np.unique(np.asarray(y), return_inverse=True)
    coded = code(y, N, binary=False)
    assert coded.classes == tuple(known.tolist())
    np.testing.assert_array_equal(coded.y[:, 0].numpy(), codes)


@pytest.mark.parametrize("y", [texts(THREE), THREE, THREE * 1.0, THREE == 1])
@pytest.mark.parametrize("tensor", [False, True])
def test_labels_come_back_as_they_were(y: np.ndarray, tensor: bool) -> None:
    coded = code(y, N, binary=False)
    back = decode(coded.y[:, 0], coded.classes, tensor=tensor)
    assert isinstance(back, torch.Tensor) == (tensor and y.dtype.kind != "U")
    back = np.asarray(back)
    assert back.dtype.kind == {"U": "O"}.get(y.dtype.kind, y.dtype.kind)
    np.testing.assert_array_equal(back, y)


@pytest.mark.parametrize(
    ("classes", "tensor", "expected"),
    [
        (("a", "b"), False, ["b", None]),
        (("a", "b"), True, ["b", None]),
        ((0, 7), False, [7, None]),
        ((False, True), False, [True, None]),
        ((0.5, 1.5), False, [1.5, np.nan]),
        ((0, 7), True, [7.0, np.nan]),
        ((False, True), True, [1.0, np.nan]),
    ],
)
def test_a_row_that_cannot_be_predicted_has_no_label(classes: Any, tensor: bool, expected: list[Any]) -> None:
    back = decode(torch.tensor([1.0, torch.nan]), classes, tensor=tensor)
    assert str(list(np.asarray(back))) == str(list(np.asarray(expected, dtype=np.asarray(back).dtype)))


@pytest.mark.parametrize("y", [[0.25, 0.75, 0.25], [0.0, 0.5, 1.0], [1.0, 0.5, 1.0]])
def test_proportions_are_no_classes(y: list[float]) -> None:
    coded = code(torch.tensor(y), 3, binary=True)
    assert coded.classes is None
    assert coded.y[:, 0].tolist() == y


def test_several_proportions_have_a_column_each() -> None:
    y = torch.rand(5, 2)
    assert code(y, 5, binary=True).classes is None
    torch.testing.assert_close(code(y, 5, binary=True).y, y)


@pytest.mark.parametrize(
    ("y", "binary", "sentence"),
    [
        (texts(THREE), True, r"y holds 3 classes \(healthy, sick, treated\).*use loss='softmax'"),
        (np.arange(N), True, r"60 classes \(0, 1, 2, 3, 4, \.\.\.\)"),
        (["same"] * N, True, r"one class only \(same\); expected at least two"),
        (np.ones(N), False, r"one class only \(1\.0\)"),
        (np.linspace(-3, 3, N), True, r"not whole .*expected labels or proportions from 0 to 1: divide"),
        (np.linspace(0, 1, N), False, r"not whole .*expected labels: use loss='squared'"),
        (["a"] * (N - 2) + [None, np.nan], True, r"y has 2 missing labels of 60; drop those rows"),
        (["a", "b", float("nan")] * (N // 3), True, r"y has 20 missing labels of 60"),
        (pd.Series(["a", pd.NA] * (N // 2), dtype="string"), True, r"y has 30 missing labels"),
        (["a"] * (N - 1) + [1], True, r"different or unknown kinds \(int, str\).*make them one kind"),
        ([b"a", b"b"] * (N // 2), True, r"y holds values that are not numbers|unknown kinds"),
        (np.r_[CODES[1:], np.nan], True, r"NaN or inf \(y: 1\)"),
        (pd.date_range("2024-01-01", periods=N), False, r"dates"),
        (torch.zeros(N, dtype=torch.complex64), True, r"complex"),
    ],
)
def test_what_is_no_label(y: Any, binary: bool, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        code(y, N, binary=binary)


@pytest.mark.parametrize(
    ("y", "binary", "sentence"),
    [
        (texts(CODES)[:5], True, r"y has shape \(5,\) for 60 rows of X; expected \(60,\) or \(60, k\)"),
        (np.eye(N)[:, :3], False, r"y has shape \(60, 3\) for 60 rows of X; expected \(60,\)"),
        (np.zeros((N, 1, 1)), True, r"y has shape \(60, 1, 1\)"),
        (1.0, True, r"y has shape \(\)"),
    ],
)
def test_shapes(y: Any, binary: bool, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        code(y, N, binary=binary)
