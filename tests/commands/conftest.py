"""Commands run in this process, in English and in a folder of their own, unless a test says otherwise."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from torchlinear.commands import main


class Ended(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TORCHLINEAR_LANG", "COLUMNS", "FORCE_COLOR", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line, given as words."""

    def run(*words: Any) -> Ended:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Ended(code, *capsys.readouterr())

    return run


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """A CSV: price = 2000 area + 5000 rooms + 30000 in Nice + 90000 in Paris, exactly."""
    random = np.random.default_rng(0)
    extra = {"Lyon": 0, "Nice": 30_000, "Paris": 90_000}
    lines = ["area,rooms,city,price"]
    for _ in range(60):
        area, rooms = int(random.integers(30, 200)), int(random.integers(1, 7))
        city = str(random.choice(list(extra)))
        lines.append(f"{area},{rooms},{city},{2000 * area + 5000 * rooms + extra[city]}")
    path = tmp_path / "houses.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
