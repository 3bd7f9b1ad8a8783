"""Files: what is written comes back, what is foreign is refused, and nothing is lost when writing fails."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import torchlinear as tl


def _frame(rows: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    area = rng.uniform(40, 200, rows)
    city = rng.choice(["Berlin", "Paris", "Rome"], rows)
    price = 2.5 * area + np.where(city == "Paris", 80, 0) + rng.normal(0, 5, rows)
    return pd.DataFrame({"area": area, "city": city, "price": price})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def test_arrays_come_back_with_everything_but_the_rows(path: Path) -> None:
    x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    fit = tl.fit(x, x @ torch.tensor([3.0, -1.0]) + 0.8 + 0.1 * torch.sin(40 * x[:, 0]))
    fit.save(path)
    back = tl.load(path)
    assert torch.equal(back.coef, fit.coef)
    assert torch.equal(back.intercept, fit.intercept)
    assert torch.equal(back.predict(x), fit.predict(x))
    assert back.predict(x).dtype == torch.float32
    assert torch.equal(back.module(x), fit.module(x))
    assert str(back.summary()) == str(fit.summary())
    assert (back.equation, back.names, back.status) == (fit.equation, fit.names, fit.status)
    assert (back.solver, back.certificate) == (fit.solver, fit.certificate)
    assert torch.equal(back.history.loss, fit.history.loss)
    with pytest.raises(tl.RowsNeeded, match="data="):
        back.plot()


def test_frames_are_predicted_by_the_design_that_was_saved(path: Path) -> None:
    frame = _frame()
    fit = tl.fit(frame, "price")
    fit.save(path)
    new = frame.drop(columns="price").iloc[::-1].reset_index(drop=True)
    np.testing.assert_array_equal(tl.load(path).predict(new), fit.predict(new))


def test_a_formula_is_replayed_from_the_file(path: Path) -> None:
    frame = _frame()
    fit = tl.fit(frame, formula="price ~ poly(area, 2, raw=True) + C(city)")
    fit.save(path)
    np.testing.assert_array_equal(tl.load(path).predict(frame), fit.predict(frame))


def test_the_file_holds_no_rows(path: Path) -> None:
    x = torch.rand(10_000, 1)
    tl.fit(x, 3 * x + 0.8).save(path)
    assert path.stat().st_size < 5_000


def test_the_metadata_reads_without_torchlinear(path: Path) -> None:
    x = torch.arange(5.0)
    tl.fit(x, 3 * x + 0.8).save(path)
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    model = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["model"])
    assert model["names"] == ["x"]
    assert model["loss"] == "squared"


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


def _torch_zip() -> bytes:
    buffer = io.BytesIO()
    torch.save({"weight": torch.ones(1)}, buffer)
    return buffer.getvalue()


def _evil_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(_Evil()))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"area,price\n1,2\n", id="csv"),
        pytest.param(bytes(range(256)) * 40, id="noise"),
        pytest.param(b"\xff" * 8 + b"{}", id="a header of 2**64 bytes"),
        pytest.param(_torch_zip(), id="torch.save"),
        pytest.param(pickle.dumps(_Evil()), id="a pickle that runs code"),
        pytest.param(_evil_zip(), id="a zip with a pickle that runs code"),
    ],
)
def test_foreign_files_are_refused_and_nothing_runs(
    path: Path, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path.write_bytes(content)
    with pytest.raises(tl.ModelFileError, match="not a readable torchlinear model"):
        tl.load(path)
    assert not (tmp_path / "executed").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(tl.ModelFileError, match="no such file"):
        tl.load(tmp_path / "nowhere.safetensors")


def test_somebody_elses_safetensors_file_is_refused(path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.ones(2)}, path)
    with pytest.raises(tl.ModelFileError, match="not a torchlinear model"):
        tl.load(path)


def test_every_truncation_is_refused(path: Path) -> None:
    x = torch.arange(5.0)
    tl.fit(x, 3 * x + 0.8).save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(tl.ModelFileError):
            tl.load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("names", ["a", "b"]),
        ("names", "x"),
        ("targets", [1]),
        ("status", "PERFECT"),
        ("history", {"seen": 7, "stride": 0}),
        ("dtype", "object"),
        ("evidence", {"condition": "x", "rows": 5, "weight": 5.0}),
        ("design", {"code": "import os"}),
        ("schema", 999),
    ],
)
def test_every_field_is_checked(path: Path, field: str, value: object) -> None:
    x = torch.arange(5.0)
    tl.fit(x, 3 * x + 0.8).save(path)
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    model = json.loads(header["__metadata__"]["model"])
    model[field] = value
    header["__metadata__"]["model"] = json.dumps(model)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])
    with pytest.raises(tl.ModelFileError):
        tl.load(path)


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files, which only POSIX systems can")
def test_a_disk_that_fills_leaves_the_old_file(path: Path) -> None:
    x = torch.arange(5.0)
    tl.fit(x, 3 * x + 0.8).save(path)
    before = path.read_bytes()
    program = """
        import resource, signal, sys, torch, torchlinear as tl
        fit = tl.fit(torch.rand(500, 40), torch.rand(500))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            fit.save(sys.argv[1])
        except tl.ModelFileError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "nothing was changed" in done.stdout, done.stderr
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    x = torch.arange(5.0)
    with pytest.raises(tl.ModelFileError, match="cannot write"):
        tl.fit(x, 3 * x + 0.8).save(tmp_path / "no" / "model.safetensors")
