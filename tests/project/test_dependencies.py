"""What is imported is declared, and what is declared is pinned."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
CORE = PROJECT["dependencies"]
PINS = [
    line.split("==")[0]
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def distribution(requirement: str) -> str:
    """The normalised name at the start of a requirement or pin."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]*\w", requirement)[0]).lower()


def imported(folder: Path) -> set[str]:
    """The distributions that the files of a folder import, at the top or inside functions."""
    modules: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.split(".")[0])
    known = packages_distributions()
    own = {"torchlinear", *(path.stem for path in folder.iterdir())}
    foreign = modules - own - set(sys.stdlib_module_names)
    return {distribution(name) for module in foreign for name in known.get(module, [module])}


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("src", ("lab",)), ("tests", ("dev",)), ("examples", ()), ("benchmarks", ("bench",))],
)
def test_imports_are_declared(folder: str, extras: tuple[str, ...]) -> None:
    declared = {distribution(line) for line in (*CORE, *(line for extra in extras for line in EXTRAS[extra]))}
    assert imported(ROOT / folder) <= declared


def test_everything_declared_is_pinned() -> None:
    declared = {
        distribution(line) for line in (*CORE, *(line for lines in EXTRAS.values() for line in lines))
    }
    assert declared - {"torchlinear"} <= {distribution(pin) for pin in PINS}
