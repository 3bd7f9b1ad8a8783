"""The four programs in examples/ run as a beginner would run them; both of a pair end at the same line."""

import difflib
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
EPOCHS = {"cpu": 30_000, "gpu": 300}
# Where plain PyTorch stops with seed 0: not at 3 x + 0.8, see docs/en/tutorial.md.
STOPS_AT = {"cpu": (2.958, 0.820), "gpu": (0.907, 1.356)}

LOG_LINE = re.compile(r"Epoch\[(\d+)/(\d+)\], loss: (\d+\.\d{6})")
EQUATION = re.compile(r"y = (-?\d+\.\d{6}) x \+ (-?\d+\.\d{6})")


@cache
def output_of(name: str) -> list[str]:
    """Run one example in a process of its own, without a screen, and return what it printed."""
    script = EXAMPLES / f"{name}.py"
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def log_of(name: str) -> list[tuple[int, int, float]]:
    matches = [LOG_LINE.fullmatch(line) for line in output_of(name)[:-1]]
    assert all(matches), "every line but the last is a line of the log"
    return [(int(m[1]), int(m[2]), float(m[3])) for m in matches if m]


def line_of(name: str) -> tuple[float, float]:
    match = EQUATION.fullmatch(output_of(name)[-1])
    assert match, output_of(name)[-1]
    return float(match[1]), float(match[2])


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
@pytest.mark.parametrize("library", ["torch", "torchlinear"])
def test_ends_where_the_tutorial_ends(kind: str, library: str) -> None:
    assert line_of(f"{kind}_{library}") == pytest.approx(STOPS_AT[kind], abs=5e-4)


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_both_end_at_the_same_line(kind: str) -> None:
    # float32: two orders of rounding through 30,000 updates.
    assert line_of(f"{kind}_torchlinear") == pytest.approx(line_of(f"{kind}_torch"), abs=1e-4)


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_both_print_the_same_log(kind: str) -> None:
    ours, theirs = log_of(f"{kind}_torchlinear"), log_of(f"{kind}_torch")
    assert [line[:2] for line in theirs] == [(i, EPOCHS[kind]) for i in range(19, EPOCHS[kind], 20)]
    assert [line[:2] for line in ours] == [line[:2] for line in theirs]
    # Losses agree to 1e-6, so the sixth printed decimal differs by one at most.
    assert [line[2] for line in ours] == pytest.approx([line[2] for line in theirs], rel=0, abs=1.001e-6)


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_only_the_import_and_the_loop_differ(kind: str) -> None:
    before, after = (
        (EXAMPLES / f"{kind}_{library}.py").read_text(encoding="utf-8").splitlines()[1:]
        for library in ("torch", "torchlinear")
    )
    changes = [line for line in difflib.ndiff(before, after) if line[0] in "+-" and line[2:].strip()]
    added = [line[2:] for line in changes if line[0] == "+"]
    removed = [line[2:] for line in changes if line[0] == "-"]
    assert added[0] == "import torchlinear as tl"
    assert len(added) == 2
    assert added[1].startswith("tl.train(model, x, y, ")
    assert removed[0].startswith("for epoch in range(")
    assert all(line.startswith("    ") for line in removed[1:])
