"""scikit-learn's own test files pass on torchlinear's classes.

``python tests/foreign/test_foreign.py`` runs them all (or those named) and writes the table ``counts.toml``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import sklearn

import torchlinear

HERE = Path(__file__).resolve().parent
COUNTS = HERE / "counts.toml"
FILES: dict[str, list[str]] = tomllib.loads((HERE / "files.toml").read_text())
LEFT_OUT: dict[str, dict[str, str]] = tomllib.loads((HERE / "left_out.toml").read_text())
COLUMNS = ("passed", "left out", "of others", "skipped", "expected by scikit-learn to fail")
MODULES = {"test_glm": "sklearn.linear_model._glm.tests.test_glm"}


def ready(file: str) -> bool:
    """Whether torchlinear has an estimator that the file is about."""
    return any(name in torchlinear.__all__ for name in FILES[file])


def run(file: str, *options: str) -> tuple[dict[str, Any], str]:
    """What the plugin recorded of one file, run in its own process, and what pytest printed."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.json"
        command = [
            *(
                sys.executable,
                "-m",
                "pytest",
                "-p",
                "plugin",
                "-p",
                "no:cacheprovider",
                "-q",
                "--tb=short",
                "-rfEp",
            ),
            *("--record", str(record), *options),
            *("--pyargs", MODULES.get(file, f"sklearn.linear_model.tests.{file}")),
        ]
        # With SCIPY_ARRAY_API the tests that pass torch tensors are run too.
        environment = {**os.environ, "PYTHONPATH": str(HERE), "SCIPY_ARRAY_API": "1"}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1800
        )
        output = done.stdout + done.stderr
        assert record.exists(), output
        return json.loads(record.read_text()), output


def row(counts: dict[str, int]) -> dict[str, int]:
    """Counts of one file as the table has them."""
    return {column: counts.get(column, 0) for column in COLUMNS}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("file", [file for file in FILES if ready(file)])
def test_scikit_learns_tests_pass(file: str) -> None:
    table = tomllib.loads(COUNTS.read_text())
    if sklearn.__version__ != table["scikit-learn"]:
        pytest.skip(f"the list and the counts are of scikit-learn {table['scikit-learn']}")
    found, output = run(file)
    assert not found["counts"].get("failed"), output
    assert found["stale"] == [], "entries of left_out.toml that name no test"
    assert row(found["counts"]) == table[file]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("file", [file for file in FILES if ready(file) and LEFT_OUT.get(file)])
def test_nothing_is_left_out_that_passes(file: str) -> None:
    if sklearn.__version__ != tomllib.loads(COUNTS.read_text())["scikit-learn"]:
        pytest.skip("the list is of another version of scikit-learn")
    found, output = run(file, "--left-out")
    assert not found["counts"].get("passed"), output
    assert not found["counts"].get("of others"), output


def test_nothing_is_left_out_without_a_reason() -> None:
    assert set(LEFT_OUT) <= set(FILES)
    for entries in LEFT_OUT.values():
        for entry, reason in entries.items():
            assert len(reason.split()) >= 3, f"{entry}: {reason!r}"


def write(files: Iterable[str]) -> None:
    """Run files and put their counts into the table; print what fails and what is listed but gone."""
    for file in files:
        found, output = run(file)
        print(file, found["counts"], *found["stale"], sep="\n  ")
        if found["counts"].get("failed"):
            print(output)
        table: dict[str, Any] = tomllib.loads(COUNTS.read_text()) if COUNTS.exists() else {}
        table[file] = row(found["counts"])
        lines = [
            "# Written by `python tests/foreign/test_foreign.py`.",
            f'scikit-learn = "{sklearn.__version__}"',
        ]
        for known in filter(table.__contains__, FILES):
            lines += ["", f"[{known}]", *(f'"{column}" = {table[known][column]}' for column in COLUMNS)]
        COUNTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    write(sys.argv[1:] or [file for file in FILES if ready(file)])
