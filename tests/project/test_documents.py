"""The documents are true in both languages: same headings, same code, and the code prints what they say.

In a document a ``python`` block is run, all of one document in one process and in order. A ``text`` block
that follows with only empty lines between is what it prints, or, when it raises, ends in
``ErrorType: message``. A ``console`` block has commands after ``$`` and under each what it prints; those that
start with ``torchlinear`` or name a Python script are run. In what is printed, ``...`` stands for anything.
"""

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGLISH, CHINESE = ROOT / "docs" / "en", ROOT / "docs" / "zh"
PAIRS = [
    (ROOT / "README.md", ROOT / "README.zh-CN.md"),
    *((path, CHINESE / path.relative_to(ENGLISH)) for path in sorted(ENGLISH.rglob("*.md"))),
]
SECONDS = 240  # for all steps of one document

# Runs the steps that come as JSON, [kind, code, line], and ends each with a separator and its status.
END = re.compile("\x1e(0|1)\n")
RUNNER = r"""
import json, subprocess, sys
from subprocess import DEVNULL, STDOUT
namespace = {"__name__": "__main__"}
for kind, code, line in json.load(sys.stdin):
    failed = False
    try:
        if kind == "python":
            exec(compile("\n" * line + code, sys.argv[1], "exec"), namespace)
        else:
            failed = subprocess.run(code, shell=True, stderr=STDOUT, stdin=DEVNULL).returncode
    except Exception as error:
        failed = True
        print(f"{type(error).__name__}: {error}")
    print(f"\x1e{int(bool(failed))}", flush=True)
"""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the word after the fence, the text, and the lines (from 0) of its two fences."""

    kind: str
    text: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a document runs, and what it says is printed (None where it does not say)."""

    kind: str
    code: str
    line: int
    prints: str | None


def read(path: Path) -> tuple[list[str], list[Block]]:
    """Headings with their number signs, and fenced blocks."""
    headings: list[str] = []
    blocks: list[Block] = []
    opened: tuple[str, str, int] | None = None
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        fence = re.match(r"\s*(```+|~~~+)\s*(.*)", line)
        if opened is None and fence:
            opened = (fence[1], fence[2].strip(), number)
        elif opened is not None and fence and fence[1].startswith(opened[0]) and not fence[2]:
            text = "".join(f"{inner}\n" for inner in lines[opened[2] + 1 : number])
            blocks.append(Block(opened[1], text, opened[2], number))
            opened = None
        elif opened is None and re.match(r"#{1,6} ", line):
            headings.append(line)
    assert opened is None, f"{path.name}: the block that starts in line {opened[2] + 1} has no end"
    return headings, blocks


def steps(path: Path) -> list[Step]:
    """What the document runs, in order."""
    _, blocks = read(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    found: list[Step] = []
    for block, after in zip(blocks, [*blocks, None][1:], strict=True):
        if block.kind == "python":
            told = after is not None and after.kind == "text"
            told = told and not "".join(lines[block.last + 1 : after.first]).strip()
            found.append(Step("python", block.text, block.first + 1, after.text if told else None))
        elif block.kind == "console":
            parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)[1:]
            for command, printed in zip(parts[::2], parts[1::2], strict=True):
                if re.match(r"torchlinear\b|python [\w/]+\.py\b", command):
                    found.append(Step("console", command, block.first + 1, printed or None))
    return found


def run(path: Path, folder: Path) -> list[tuple[str, bool]]:
    """Run the steps in a folder with a copy of `examples/`: what each printed, and whether it failed."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    told = [(step.kind, step.code, step.line) for step in steps(path)]
    environment = os.environ | {
        "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", ""),
        "PYTHONUTF8": "1",
        "TORCHLINEAR_LANG": "en",
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, path.name],
        input=json.dumps(told),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=SECONDS,
        check=True,
    )
    parts = END.split(done.stdout)
    return [(printed, status == "1") for printed, status in zip(parts[:-1:2], parts[1::2], strict=True)]


def name(path: Path) -> str:
    """The path as it is shown beside a test."""
    return path.relative_to(ROOT).as_posix()


def test_each_document_has_both_languages() -> None:
    written = {*CHINESE.rglob("*.md"), *ROOT.glob("README.*.md")}
    assert {name(path) for path in written} == {name(chinese) for _, chinese in PAIRS}


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=name)
def test_languages_have_the_same_headings(english: Path, chinese: Path) -> None:
    levels = [[heading.split(" ")[0] for heading in read(path)[0]] for path in (english, chinese)]
    assert levels[0] == levels[1]
    assert levels[0].count("#") == 1


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=name)
def test_languages_have_the_same_blocks(english: Path, chinese: Path) -> None:
    blocks = [[(block.kind, block.text) for block in read(path)[1]] for path in (english, chinese)]
    assert blocks[0] == blocks[1]


@pytest.mark.parametrize(
    "document", [*(path for pair in PAIRS for path in pair), *ROOT.glob("C*.md")], ids=name
)
def test_links_lead_somewhere(document: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        file, _, place = link.partition("#")
        if "://" in link:
            continue
        target = document.parent / file if file else document
        if not target.exists() or (place and place not in map(anchor, read(target)[0])):
            broken.append(link)
    assert not broken


def anchor(heading: str) -> str:
    """What GitHub calls a heading in links."""
    return re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower()).replace(" ", "-")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_files_that_the_guide_names_are_there(language: str) -> None:
    text = (ROOT / "docs" / language / "guide.md").read_text(encoding="utf-8")
    table = text.split("\n## 16.")[1].split("\n|", 1)[1]
    named = re.findall(r"`([\w/]+(?:\.py|/))`", table)
    assert len(named) > 10
    assert [path for path in named if not (ROOT / "src" / "torchlinear" / path).exists()] == []


def test_readme_shows_python() -> None:
    assert [step for step in steps(ROOT / "README.md") if step.kind == "python"]


@pytest.mark.parametrize("document", [english for english, _ in PAIRS], ids=name)
def test_blocks_print_what_the_document_says(document: Path, tmp_path: Path) -> None:
    compare = doctest.OutputChecker().check_output
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    wrong = [
        f"line {step.line}:\n{step.code}--- says\n{step.prints}\n--- prints\n{printed}"
        for step, (printed, failed) in zip(steps(document), run(document, tmp_path), strict=True)
        if (failed if step.prints is None else not compare(step.prints, printed, flags))
    ]
    assert not wrong, "\n\n".join(wrong)
