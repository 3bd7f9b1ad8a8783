"""What is written: on any stream, in any width, and as JSON."""

import io
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from torchlinear.commands import language, main, screen


@pytest.fixture(autouse=True)
def _handler() -> None:
    screen.prepare()


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("▁▂▃▄▅▆▇█ R² ✔ ±3", "ascii", b"_.-=+*#@ R2 v +3"),
        ("│─╭╯", "ascii", b"|-++"),
        ("R² = 0.9 ✔", "gbk", b"R2 = 0.9 v"),
        ("房价", "ascii", b"??"),
        ("房价 ²", "gbk", "房价 2".encode("gbk")),
        ("naïve", "ascii", b"na?ve"),
    ],
)
def test_each_character_becomes_one_that_the_stream_has(text, encoding, expected) -> None:
    assert text.encode(encoding, errors="torchlinear") == expected


@pytest.mark.parametrize("width", [20, 33, 60, 96])
@pytest.mark.parametrize("name", language.LANGUAGES)
def test_wrapped_text_keeps_every_character_and_its_width(name: str, width: int) -> None:
    for text in language.catalogue(name).values():
        lines = screen.wrapped(text, width)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        longest = max(map(cell_len, text.split()))
        assert all(cell_len(line) <= max(width, longest) for line in lines)
        assert not any(re.match("[\uff0c\u3002\uff1b\uff1a\u3001\uff09\uff01\uff1f]", line) for line in lines)


def test_json_has_neither_nan_nor_infinity(capsys) -> None:
    screen.emit({"a": math.nan, "b": [math.inf, 1.5], "c": {"d": "房价"}, 1: None})
    out = capsys.readouterr().out
    assert json.loads(out, parse_constant=lambda name: pytest.fail(name)) == {
        "a": None, "b": [None, 1.5], "c": {"d": "房价"}, "1": None,
    }  # fmt: skip


COMMANDS = [
    ["demo", "--step"],
    ["inspect", "房价.csv"],
    ["fit", "没有.csv"],
    ["fit", "--help"],
    ["demo", "x"],
]


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "cp1252", "utf-8"])
@pytest.mark.parametrize("lang", language.LANGUAGES)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_stream_refuses_a_character(encoding, lang, command, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "房价.csv").write_text("面积,é²\n1,2\n3,✔\n", encoding="utf-8")
    written = io.BytesIO()
    with io.TextIOWrapper(written, encoding=encoding) as stream:
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setattr("sys.stderr", stream)
        code = main([*command, "--lang", lang])
        stream.flush()
        text = written.getvalue().decode(encoding)
    assert code == (2 if "没有.csv" in command or "x" in command else 0)
    assert text.strip()
    assert "\x1b" not in text
    if "没有.csv" not in command:  # a sentence of the library, which speaks English
        chinese = lang == "zh" and encoding in ("gbk", "utf-8")
        own = re.sub("房价|面积", "", text)
        assert bool(re.search("[\u4e00-\u9fff]", own)) == chinese


@pytest.mark.parametrize("encoding", ["ascii", "gbk"])
def test_the_streams_of_a_process_refuse_no_character(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "é².csv").write_text("✔,面积\n1,2\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "torchlinear.commands", "inspect", "é².csv"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert ("面积" if encoding == "gbk" else "??") in done.stdout.decode(encoding)
