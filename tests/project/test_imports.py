"""The laws of the source tree that a reader of one file relies on."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import torchlinear

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(torchlinear.__file__).parent
TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
# The solvers that visit rows one by one or in small batches, and hand them to kernels.
ROW_SOLVERS = (
    "solvers/descent",
    "solvers/coordinate",
    "solvers/saga",
    "kernels/criteria.py",
    "kernels/saga.py",
)
# Methods about the rows themselves: some are kept, columns are walked among, products of rows with rows are formed,
# a sweep of penalties multiplies rows of half precision, and a race standardises rows and asks for the steepest.
ROW_METHODS = ("pinball/", "wide/", "dual.py", "leaveoneout.py", "probe/passes.py", "racing/")
# The faces of a fit compute nothing: they hand over rows to be predicted, or say of which kind rows are.
FACES = ("fitted.py", "training/trained.py", "estimators/")


def imported(tree: ast.AST) -> set[str]:
    """The full names of the modules that a file imports, at the top or inside functions."""
    nodes = list(ast.walk(tree))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def importers(package: str) -> set[str]:
    """The files that import a package or anything inside it."""
    return {
        path
        for path, tree in TREES.items()
        if any(name == package or name.startswith(f"{package}.") for name in imported(tree))
    }


def test_imports_go_one_way() -> None:
    linter = shutil.which("lint-imports", path=Path(sys.executable).parent)
    assert linter, "import-linter is not installed beside this Python"
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stdout


def test_only_kernels_use_numba() -> None:
    users = importers("numba") | importers("llvmlite")
    assert users
    assert all(path.startswith("kernels/") for path in users), users


@pytest.mark.parametrize("package", ["pickle", "joblib", "marshal", "shelve", "dill", "cloudpickle"])
def test_nothing_reads_files_that_can_run_code(package: str) -> None:
    assert importers(package) == set()


def test_only_named_solvers_see_the_rows_themselves() -> None:
    """Whoever else needs X asks the Block for a sum over it; its shape, dtype and device are no secret."""
    users = set()
    for path, tree in TREES.items():
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        asked = {id(node.value) for node in nodes if node.attr in {"shape", "dtype", "device"}}
        users |= {path for node in nodes if id(node) not in asked and _is_rows(node)}
    assert any(path.startswith("solvers/") for path in users)
    assert all(
        path.startswith((*ROW_SOLVERS, *ROW_METHODS, *FACES, "block.py", "rows.py")) for path in users
    ), users


def _is_rows(node: ast.Attribute) -> bool:
    """Whether an expression is the X of something called a block or rows."""
    return node.attr == "X" and ast.unparse(node.value).rpartition(".")[2] in {"block", "rows"}
