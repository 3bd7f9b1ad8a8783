"""`torchlinear race`: the table, JSON, the files it writes, and mistakes."""

import os
import pty
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import torchlinear as tl


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """A CSV of thirty points near y = 3 x + 0.8."""
    random = np.random.default_rng(1)
    x = random.random(30)
    y = 3 * x + 0.8 + 0.1 * random.normal(size=30)
    path = tmp_path / "line.csv"
    path.write_text("x,y\n" + "".join(f"{a!r},{b!r}\n" for a, b in zip(x.tolist(), y.tolist())))
    return path


def test_the_table_has_a_row_for_each_runner_best_first(run, line: Path) -> None:
    ended = run("race", line, "-y", "y", "--epochs", 40, "-s", "bgd", "adam", "exact")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    (top,) = (place for place, row in enumerate(lines) if row.startswith("runner"))
    rows = lines[top + 1 : top + 4]
    names = [row.split()[0].strip(",") for row in rows]
    assert names[0] == "exact"
    assert sorted(names) == ["adam", "bgd", "exact"]
    assert all(re.search("[▁▂▃▄▅▆▇█]{24}", row) for row in rows)
    assert "stable below lr = 2/λmax" in ended.out
    assert "\x1b" not in ended.out


def test_json_says_what_the_library_says(run, line: Path) -> None:
    found = run("race", line, "-y", "y", "--json", "--epochs", 40, "--seed", 3, "--standardize").json
    race = tl.race(str(line), "y", epochs=40, seed=3, standardize=True)
    assert found["epochs"] == 40
    assert found["condition"] == race.curvature.condition
    assert [row["name"] for row in found["standings"]] == [runner.name for runner in race.standings()]
    for row in found["standings"]:
        runner = race[row["name"]]
        assert (row["gap"], row["lr"], row["batch_size"]) == (runner.final, runner.lr, runner.batch_size)
        assert list(row["within"]) == ["0.1", "0.01", "0.0001"]
        assert (row["within"]["0.01"] is None) == (runner.within[0.01] is None)
    assert found["why"][0] == race.why[0]


def test_files_are_written(run, line: Path, tmp_path: Path) -> None:
    ended = run(
        "race", line, "-y", "y", "--epochs", 5, "--report", "race.html", "--plot", "race.png", "--lang", "zh"
    )
    assert ended.code == 0
    assert "race.html" in ended.out
    assert "差距" in ended.out
    page = (tmp_path / "race.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "<h2>排名</h2>" in page
    assert (tmp_path / "race.png").read_bytes().startswith(b"\x89PNG")


def test_a_sweep_prints_every_learning_rate(run, line: Path) -> None:
    ended = run("race", line, "-y", "y", "--epochs", 20, "-s", "bgd", "--lr", "sweep")
    assert ended.code == 0
    assert len(re.findall(r"^bgd, lr ", ended.out, flags=re.MULTILINE)) > 10
    assert "diverged" in ended.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-y", "y", "--lr", "fast"), "--lr takes a number, curvature or sweep, not 'fast'."),
        (("-y", "y", "-s", "adm"), "-s 'adm' is not known (did you mean adam?)"),
        (("-y", "z"), "z"),
        ((), "Add -y COLUMN. The columns: x (number), y (number)."),
        (("-y", "y", "--loss", "absolute"), "differentiable"),
        (("-y", "y", "--plot", "race.txt"), "race.txt"),
    ],
)
def test_a_mistake_gets_one_sentence(run, line: Path, words: tuple[str, ...], message: str) -> None:
    ended = run("race", line, *words)
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert ended.out == ""


def on_terminal(columns: int, *words: str) -> str:
    """What the command writes on a terminal of its own."""
    child, master = pty.fork()
    if child == 0:
        os.environ |= {"TERM": "xterm", "COLUMNS": str(columns), "LINES": "30", "LC_ALL": "C.UTF-8"}
        os.execv(sys.executable, [sys.executable, "-m", "torchlinear.commands", "race", *words])
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    _, status = os.waitpid(child, 0)
    text = seen.decode()
    assert os.waitstatus_to_exitcode(status) == 0, text
    return text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_number_is_cut_on_a_terminal_of_eighty_columns(line: Path, language: str) -> None:
    text = on_terminal(80, str(line), "-y", "y", "--epochs", "30", "--lang", language)
    rows = [row for row in text.split("\x1b[?25h")[0].splitlines() if re.search("[▁▂▃▄▅▆▇█]{24}", row)]
    final = rows[-6:]
    assert len(final) == 6
    for row in final:
        assert row.replace("\x1b[0m", "").rstrip().endswith(("s", "秒"))
        assert "…" not in re.sub("^.*[▁▂▃▄▅▆▇█]", "", row)


def test_the_table_fills_on_a_terminal_without_scrolling(line: Path) -> None:
    """Frames of the live table are drawn over one another: each begins by going up as many lines as it has."""
    text = on_terminal(110, str(line), "-y", "y", "--epochs", "3000")
    assert text.count("\x1b[?25l") == 1  # the cursor hides once and comes back
    assert "\x1b[?25h" in text
    assert "\x1b[2J" not in text  # never the whole screen
    assert text.count("\x1b[1A") >= 7  # up over the table instead
    assert text.rstrip().splitlines()[-1].strip()


def test_chinese_gets_the_reasons_in_chinese(run, line: Path) -> None:
    ended = run("race", line, "-y", "y", "--epochs", 20, "-s", "bgd", "exact", "--lang", "zh")
    assert (ended.code, ended.err) == (0, "")
    told = re.sub(r"\s", "", ended.out)
    assert "条件数" in told
    assert "exact：把数据读了1遍，就得到最优解。" in told
    assert "stable" not in told
