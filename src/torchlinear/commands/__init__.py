"""The command line: one command a file, loaded only when it is called.

`main` is the entry point of the script `torchlinear`. A user's mistake ends with exit code 2 and one
sentence on standard error, Ctrl-C with 130; `--debug` shows the traceback instead.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torchlinear.commands import language, screen
from torchlinear.commands.language import say
from torchlinear.errors import InvalidInput, TorchlinearError, TorchlinearWarning

if TYPE_CHECKING:
    from cyclopts import App

__all__ = ["COMMANDS", "main"]

COMMANDS = ("demo", "fit", "predict", "inspect", "race", "lab")  # in the order of the help page

MISTAKE = 2
INTERRUPTED = 130
CLOSED_PIPE = 141  # as the shell reports a reader that went away, such as `head`


def main(tokens: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    tokens : sequence of str, optional
        The words after the program's name; those of the process by default.

    Returns
    -------
    int
        Exit code: 0, 2 after a user's mistake, 130 after Ctrl-C.

    Examples
    --------
    >>> from torchlinear.commands import main
    >>> main(["fit", "no-such-file.csv", "-y", "price"])
    2
    """
    words = list(sys.argv[1:] if tokens is None else tokens)
    screen.prepare()
    debug = "--debug" in words
    try:
        language.use(language.chosen(words, sys.stdout.encoding))
        with _warnings_as_sentences(debug):
            return _run(words)
    except TorchlinearError as error:
        if debug:
            raise
        screen.complain(str(error))
        return MISTAKE
    except KeyboardInterrupt:
        screen.complain(say("main.interrupted"))
        return INTERRUPTED
    except BrokenPipeError:
        screen.let_go()
        return CLOSED_PIPE
    except Exception as error:
        if debug:
            raise
        screen.complain(say("main.bug", kind=type(error).__name__, message=str(error) or "-"))
        return 1


def _run(words: list[str]) -> int:
    from cyclopts import CycloptsError, MissingArgumentError

    from torchlinear.commands import usage

    app = _app()
    if not words:
        app.help_print([])
        return 0
    try:
        done = app(words, print_error=False, exit_on_error=False, result_action="return_value")
    except MissingArgumentError as error:
        raise InvalidInput(usage.missing(error, words)) from error
    except CycloptsError as error:
        raise InvalidInput(usage.sentence(error)) from error
    return done if isinstance(done, int) else 0


def _app() -> App:
    from cyclopts import App, Group

    from torchlinear.commands.usage import Help

    app = App(
        "torchlinear",
        help="main.help",
        version=_version,
        version_flags=["--version"],
        help_format="plaintext",
        help_formatter=Help(),
        group_commands=Group("main.commands", sort_key=0),
        group_arguments=Group("main.arguments", sort_key=1),
        group_parameters=Group("main.options", sort_key=2),
        suppress_keyboard_interrupt=False,
    )
    app["--help"].help, app["--version"].help = "main.show_help", "main.show_version"
    app["--help"].group = app["--version"].group = Group("main.options", sort_key=2)
    for place, name in enumerate(COMMANDS):
        app.command(
            f"torchlinear.commands.{name}:{name}",
            name=name,
            help=f"{name}.help",
            version_flags=[],
            sort_key=place,
        )
    return app


def _version() -> str:
    from importlib.metadata import version

    return version("torchlinear")


@contextmanager
def _warnings_as_sentences(debug: bool) -> Iterator[None]:
    """Show our warnings as a sentence each; others only with `--debug`, for users cannot mend them."""
    import warnings

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,  # noqa: ARG001
        line: str | None = None,
    ) -> None:
        if issubclass(category, TorchlinearWarning):
            screen.note(say("main.warning", message=message))
        elif debug:
            screen.note(warnings.formatwarning(message, category, filename, lineno, line).rstrip())

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        yield
