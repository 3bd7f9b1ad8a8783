"""Exit codes, and one sentence for a mistake."""

import subprocess
import sys
import time
from importlib.metadata import version

import pytest

from torchlinear import commands
from torchlinear.commands import language, main
from torchlinear.errors import DataError, TorchlinearError


def test_without_a_command_the_help_page_is_shown(run) -> None:
    assert run() == run("--help")
    assert all(name in run().out for name in commands.COMMANDS)


def test_the_version_is_that_of_the_package(run) -> None:
    assert run("--version") == (0, version("torchlinear") + "\n", "")


@pytest.mark.parametrize("command", commands.COMMANDS)
@pytest.mark.parametrize("lang", language.LANGUAGES)
def test_every_command_has_a_help_page_without_keys(run, command: str, lang: str) -> None:
    ended = run(command, "--help", "--lang", lang)
    assert ended.code == 0
    assert "--json" in ended.out
    assert not [key for key in language.catalogue("en") if key in ended.out.split()]
    assert language.catalogue(lang)[f"{command}.help"].split()[0] in ended.out


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "fti",
            "There is no command 'fti' (did you mean fit?). Commands: demo, fit, predict, inspect, race, lab.",
        ),
        ("demo --stepp", "There is no option --stepp (did you mean --step?). See --help."),
        ("demo now", "Too many arguments: now."),
        ("fit", "DATA is missing: torchlinear fit DATA."),
        ("fit a.csv -y", "The option -y needs a value."),
        ("fit a.csv -y b -y c", "The option -y is there twice."),
        (
            "fit a.csv --penalty l3",
            "--penalty 'l3' is not known. Known: none, l2, l1, elastic_net, group_lasso, nonnegative.",
        ),
        ("fit a.csv --alpha strong", "--alpha takes a number, not 'strong'."),
        ("fit a.csv --max-epochs many", "--max-epochs takes a whole number, not 'many'."),
        ("demo --step --code", "--code, --step and --classes show different things; give one of them."),
        ("demo --lang fr", "--lang 'fr' is not known. Known: en, zh."),
    ],
)
def test_a_mistake_gets_one_sentence_and_code_2(run, line: str, sentence: str) -> None:
    assert run(*line.split()) == (2, "", sentence + "\n")


def test_a_file_that_an_option_swallowed_is_named(run, houses) -> None:
    ended = run("fit", "-y", "price", "-x", "area", "houses.csv")
    assert ended.code == 2
    assert "put the file first: torchlinear fit houses.csv" in ended.err


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (DataError("two\n  lines"), 2, "two lines\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (RuntimeError("oh"), 1, "This should not have happened (RuntimeError: oh)"),
    ],
)
def test_errors_of_every_kind_end_in_a_sentence(run, monkeypatch, error, code, text) -> None:
    def fail(words: list[str]) -> int:
        raise error

    monkeypatch.setattr(commands, "_run", fail)
    ended = run("demo")
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(text)
    assert ended.err.count("\n") == 1


def test_debug_shows_the_traceback() -> None:
    with pytest.raises(TorchlinearError, match="no-such-file"):
        main(["inspect", "no-such-file.csv", "--debug"])


def test_a_reader_that_goes_away_is_no_error(houses) -> None:
    command = [sys.executable, "-m", "torchlinear.commands", "inspect", str(houses), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == commands.CLOSED_PIPE
    process.stderr.close()


def test_help_comes_at_once() -> None:
    """Under 0.3 s of processor time, the best of several runs."""
    resource = pytest.importorskip("resource", reason="measures children on Unix")
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "torchlinear.commands", "--help"], check=True, capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        time.sleep(0.05)
    assert min(times) < 0.3
