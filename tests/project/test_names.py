"""The public names: lazy, stable, documented with examples that run."""

import ast
import doctest
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import torchlinear as tl

PACKAGE = Path(tl.__file__).parent
WITH_EXAMPLES = [path for path in sorted(PACKAGE.rglob("*.py")) if ">>>" in path.read_text(encoding="utf-8")]

# Every name twice in one process that starts with nothing loaded: reading one must not replace another.
TWICE = """
import json, types
import torchlinear as tl
first = {name: getattr(tl, name) for name in tl.__all__}
second = {name: getattr(tl, name) for name in tl.__all__}
print(json.dumps([name for name in tl.__all__ if first[name] is not second[name]
                  or isinstance(second[name], types.ModuleType)]))
"""


def fresh(code: str) -> str:
    """Standard output of a fresh Python process."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names_stay_what_they_are() -> None:
    assert json.loads(fresh(TWICE)) == []


def test_no_public_name_is_a_submodule() -> None:
    assert tl.__all__
    assert not set(tl.__all__) & {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}


def test_type_checkers_see_the_public_names() -> None:
    """The imports under TYPE_CHECKING are what mypy and editors know; `__all__` is what there is."""
    tree = ast.parse(Path(tl.__file__).read_text(encoding="utf-8"))
    shown = [block for block in tree.body if isinstance(block, ast.If)]
    names = {alias.name for block in shown for node in block.body for alias in getattr(node, "names", [])}
    assert names == set(tl.__all__)


def test_dir_lists_the_public_names() -> None:
    assert set(tl.__all__) <= set(dir(tl))


def test_unknown_names_raise_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        tl.no_such_name  # noqa: B018


def test_import_loads_nothing_heavy() -> None:
    loaded = json.loads(fresh("import json, sys, torchlinear; print(json.dumps(list(sys.modules)))"))
    assert not {"torch", "numpy", "scipy", "sklearn", "numba", "pandas", "matplotlib"} & set(loaded)


@pytest.mark.parametrize("name", tl.__all__)
def test_public_name_is_documented_with_an_example(name: str) -> None:
    thing = getattr(tl, name)
    if callable(thing):
        assert ">>>" in (thing.__doc__ or ""), f"{name} has no example in its docstring"


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_examples_in_docstrings_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parts = ("torchlinear", *path.relative_to(PACKAGE).with_suffix("").parts)
    module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    failed, ran = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert ran
    assert not failed, f"{failed} of {ran} examples; see the output above"
