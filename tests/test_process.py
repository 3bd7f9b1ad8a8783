"""What a process around a fit may do: install read-only, without a home, fork afterwards."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import torchlinear as tl

SCRIPT = """
import json, os, sys
import torch
import torchlinear as tl

x = torch.arange(40, dtype=torch.float64).reshape(-1, 2).sin()
y = 3 * x[:, 0] - x[:, 1] + 0.8
fit = tl.fit(x, y, precision="double")
child = os.fork()
if child == 0:
    again = tl.fit(x, y, precision="double")
    os._exit(0 if torch.equal(again.coef, fit.coef) else 3)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps({"from": tl.__file__, "equation": fit.equation, "child": status}))
"""


def tree(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: Any) -> dict[str, Any]:
    """A process that fits from a read-only copy of the package, with no home folder, and forks."""
    folder = tmp_path_factory.mktemp("site")
    package = Path(shutil.copytree(Path(tl.__file__).parent, folder / "torchlinear"))
    for stale in package.rglob("__pycache__"):
        shutil.rmtree(stale)
    for path in (*package.rglob("*"), package):
        path.chmod(0o555 if path.is_dir() else 0o444)
    temporary = tmp_path_factory.mktemp("temporary")
    no_home = folder / "file"  # below a file not even root can make a folder
    no_home.touch()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("NUMBA", "XDG", "MPL")) and k != "HOME"},
        "HOME": str(no_home / "home"), "TMPDIR": str(temporary), "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "error",
    }  # fmt: skip
    before = tree(package)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=250,
        env=environment,
        cwd=temporary,
    )
    assert done.returncode == 0, done.stderr
    return {
        **json.loads(done.stdout),
        "package": package,
        "written": tree(package) - before,
        "temporary": temporary,
    }


def test_a_read_only_install_without_a_home_fits(ran: dict[str, Any]) -> None:
    assert Path(ran["from"]).parent == ran["package"]
    assert ran["equation"] == "y = 3 x0 - 1 x1 + 0.8"


def test_it_writes_nothing_beside_the_package(ran: dict[str, Any]) -> None:
    assert ran["written"] == set()


def test_compiled_kernels_are_kept_in_a_private_temporary_folder(ran: dict[str, Any]) -> None:
    (private,) = [path for path in ran["temporary"].iterdir() if path.name.startswith("torchlinear-")]
    assert private.stat().st_mode & 0o077 == 0
    assert any(private.rglob("*.nbc"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_is_forked_after_a_fit_fits_too(ran: dict[str, Any]) -> None:
    assert ran["child"] == 0
