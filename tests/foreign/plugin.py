"""A pytest plugin under which scikit-learn's own tests meet torchlinear's estimators.

Loaded with ``-p plugin``, before a test module is imported, it puts every public estimator of torchlinear in the
place of scikit-learn's estimator of the same name. Tests named in ``left_out.toml`` are deselected. Of each test
that passes it notes whether an estimator of torchlinear was fitted in it: those are the ones that count.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sklearn.linear_model
import sklearn.svm

import torchlinear
from torchlinear.estimators.base import LinearEstimator

LEFT_OUT = Path(__file__).with_name("left_out.toml")

# Private methods by which tests find the truth that an estimator is held against, with scikit-learn's own functions.
HELPERS = {"_get_loss"}

_seen: Counter[str] = Counter()  # tests by how they ended
_stale: list[str] = []  # entries of left_out.toml that name no test
_fitted = pytest.StashKey[bool]()
_running: list[pytest.Item] = []


def estimators() -> dict[str, type]:
    """Public estimators of torchlinear by name."""
    public = {name: getattr(torchlinear, name) for name in torchlinear.__all__}
    return {name: value for name, value in public.items() if isinstance(value, type) and _is_face(value)}


def _is_face(value: type) -> bool:
    return value.__module__.startswith("torchlinear.estimators.")


def swap() -> None:
    """Put torchlinear's estimators in the place of scikit-learn's, and note when one is fitted."""
    for name, estimator in estimators().items():
        for module in (sklearn.linear_model, sklearn.svm):
            if hasattr(module, name):
                for helper in HELPERS & vars(getattr(module, name)).keys() - vars(estimator).keys():
                    setattr(estimator, helper, vars(getattr(module, name))[helper])
                setattr(module, name, estimator)
    check = LinearEstimator._check_parameters

    def noted(self: LinearEstimator) -> None:  # every fit begins with it
        if _running:
            _running[-1].stash[_fitted] = True
        check(self)

    LinearEstimator._check_parameters = noted  # type: ignore[method-assign]


def matches(entry: str, test: str) -> bool:
    """Whether an entry names a test: a function with all of its parameters, or one test; ``*`` is anything."""
    pattern = re.escape(entry).replace(r"\*", ".*")
    return re.fullmatch(pattern if "[" in entry else pattern + r"(\[.*\])?", test) is not None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where the counts go, and whether to run what is left out instead."""
    parser.addoption("--record", type=Path, help="file for the counts, JSON")
    parser.addoption("--left-out", action="store_true", help="run only the tests that are left out")


def pytest_configure() -> None:
    """Swap before any test module is imported."""
    swap()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is left out."""
    left_out = tomllib.loads(LEFT_OUT.read_text())
    wanted, deselected = [], []
    entries = {(item.path.stem, entry) for item in items for entry in left_out.get(item.path.stem, {})}
    hit = set()
    for item in items:
        named = [entry for entry in left_out.get(item.path.stem, {}) if matches(entry, item.name)]
        hit.update((item.path.stem, entry) for entry in named)
        (deselected if named else wanted).append(item)
    _stale.extend(f"{file}: {entry}" for file, entry in sorted(entries - hit))
    _seen["left out"] = len(deselected)
    items[:] = deselected if config.getoption("--left-out") else wanted


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    """Know which test runs when an estimator is fitted."""
    _running.append(item)
    try:
        return (yield)
    finally:
        _running.pop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """Count how tests end."""
    report: pytest.TestReport = yield
    if hasattr(report, "wasxfail"):
        _seen["expected by scikit-learn to fail"] += report.when == "call" or report.skipped
    elif report.skipped:
        _seen["skipped"] += 1
    elif report.failed:
        _seen["failed"] += 1
    elif report.when == "call":
        _seen["passed" if item.stash.get(_fitted, False) else "of others"] += 1
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the counts."""
    if record := session.config.getoption("--record"):
        record.write_text(json.dumps({"counts": _seen, "stale": _stale}))
