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
from torchlinear.losses.base import Loss


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


LABELS = np.random.default_rng(6).integers(0, 3, 60)
TARGETS = {
    "two": np.array(["no", "yes"])[LABELS % 2],
    "three": np.array(["a", "b", "c"])[LABELS],
    "flag": LABELS == 1,
    "number": LABELS % 2 * 4 - 1,
    "share": np.linspace(0, 1, 60),
    "count": LABELS + 1.0,
}


@pytest.mark.parametrize(
    ("target", "loss"),
    [
        ("two", "logistic"),
        ("two", tl.Binomial(link="cloglog")),
        ("three", "softmax"),
        ("flag", "softmax"),
        ("number", "logistic"),
        ("share", "logistic"),
        ("count", "poisson"),
        ("count", tl.Gamma(link="log")),
        ("count", tl.Tweedie(power=1.2)),
        ("count", tl.NegativeBinomial(theta=3.0)),
        ("count", tl.InverseGaussian(link="log")),
        ("count", tl.Squared(link="log")),
        ("count", tl.Quantile(0.3)),
        ("count", tl.Huber(delta=2.0)),
        ("count", "absolute"),
    ],
    ids=str,
)
@pytest.mark.parametrize("framed", [False, True], ids=["arrays", "frame"])
def test_every_loss_comes_back_with_its_options_and_classes(
    path: Path, target: str, loss: str | Loss, framed: bool
) -> None:
    frame = _frame()[["area"]] / 100
    new = frame if framed else frame.to_numpy()
    fit = tl.fit(new, TARGETS[target], loss=loss)
    fit.save(path)
    back = tl.load(path)
    assert back.solution.family == fit.solution.family
    assert back.classes == fit.classes
    assert [type(label) for label in back.classes or ()] == [type(label) for label in fit.classes or ()]
    assert back.equation == fit.equation
    assert str(back.summary()) == str(fit.summary())
    for kind in ("link", "mean", *(("label", "proba") if fit.classes else ())):
        np.testing.assert_array_equal(back.predict(new, kind=kind), fit.predict(new, kind=kind))


def test_a_file_of_the_first_schema_is_read(truth: Path) -> None:
    """Written by torchlinear 0.1.0 before it knew other losses."""
    back = tl.load(truth / "models" / "schema1.safetensors")
    new = pd.DataFrame({"area": [50.0, 80, 65, 120, 90], "city": ["Lyon", "Paris", "Lyon", "Paris", "Nice"]})
    written = [97.80821918, 300.82191781, 142.19178082, 419.17808219, 210.0]
    np.testing.assert_allclose(back.predict(new), written, rtol=1e-9)
    assert back.solution.family == tl.Squared()
    assert back.classes is None
    back.summary()


def test_a_loss_of_somebody_elses_is_not_saved(path: Path) -> None:
    class Ours(type(tl.Squared())):  # type: ignore[misc]
        pass

    fit = tl.fit(torch.arange(5.0), torch.arange(5.0), loss=Ours())
    with pytest.raises(tl.ModelFileError, match=r"Ours is not one of torchlinear's.*keep fit.module"):
        fit.save(path)
    assert not path.exists()


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
        ("family", {"name": "os", "options": {}}),
        ("family", {"name": "squared", "options": {"link": ["identity"]}}),
        ("family", {"name": "squared", "options": {"link": "probit"}}),
        ("family", {"name": "squared", "options": {"power": 2}}),
        ("family", "squared"),
        ("classes", ["b", "a"]),
        ("classes", "ab"),
        ("rows", "many"),
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
