"""`torchlinear fit`: a model of a file's columns, with its summary."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from torchlinear.commands import screen
from torchlinear.commands.common import Common, option
from torchlinear.commands.language import say
from torchlinear.errors import InvalidInput
from torchlinear.losses import REGISTRY as LOSSES
from torchlinear.penalties import REGISTRY as PENALTIES
from torchlinear.solvers import REGISTRY

if TYPE_CHECKING:
    from torchlinear.fitted import Fit
    from torchlinear.penalties.base import Penalty
    from torchlinear.sources.base import Table

__all__ = ["ask", "fit", "penalty_of"]

SOLVERS = ("auto", *REGISTRY.entries)


def fit(
    data: Annotated[str, option("fit.data")],
    /,
    *,
    target: Annotated[str | None, option("fit.target", "--target", "-y", metavar="COLUMN")] = None,
    columns: Annotated[
        list[str] | None, option("fit.columns", "--columns", "-x", many=True, metavar="COLUMN...")
    ] = None,
    formula: Annotated[str | None, option("fit.formula", metavar="FORMULA")] = None,
    loss: Annotated[str, option("fit.loss", metavar="NAME", choices=tuple(LOSSES.entries))] = "squared",
    link: Annotated[str | None, option("fit.link", metavar="NAME")] = None,
    loss_option: Annotated[
        list[str] | None, option("fit.loss_option", many=True, metavar="NAME=VALUE...")
    ] = None,
    solver: Annotated[str, option("fit.solver", metavar="NAME", choices=SOLVERS)] = "auto",
    penalty: Annotated[
        str, option("fit.penalty", metavar="NAME", choices=("none", *PENALTIES.entries))
    ] = "none",
    alpha: Annotated[float | None, option("fit.alpha", metavar="NUMBER")] = None,
    mix: Annotated[float | None, option("fit.mix", metavar="NUMBER")] = None,
    missing: Annotated[Literal["error", "drop", "mean"], option("fit.missing", metavar="WHAT")] = "error",
    weights: Annotated[str | None, option("fit.weights", metavar="COLUMN")] = None,
    weight_type: Annotated[
        Literal["precision", "frequency"], option("fit.weight_type", metavar="KIND")
    ] = "precision",
    offset: Annotated[str | None, option("fit.offset", metavar="COLUMN")] = None,
    exposure: Annotated[str | None, option("fit.exposure", metavar="COLUMN")] = None,
    no_intercept: Annotated[bool, option("fit.no_intercept")] = False,
    max_epochs: Annotated[int | None, option("fit.max_epochs", metavar="NUMBER")] = None,
    time_limit: Annotated[float | None, option("fit.time_limit", metavar="SECONDS")] = None,
    level: Annotated[float, option("fit.level", metavar="NUMBER")] = 0.95,
    save: Annotated[Path | None, option("fit.save", metavar="FILE")] = None,
    plot: Annotated[Path | None, option("fit.plot", metavar="PNG")] = None,
    common: Common = Common(),  # noqa: B008  (a frozen record)
) -> int:
    """Fit, print the summary, write what was asked for; see the messages for what users read."""
    from torchlinear.commands import files, summary

    files.refuse_picture(plot)
    if plot is not None and loss == "softmax":
        raise InvalidInput(say("fit.no_picture"))
    shrinkage = penalty_of(penalty, alpha, mix)

    import torchlinear as tl
    from torchlinear.commands.losses import loss_of
    from torchlinear.sources import read

    row_loss = loss_of(loss, link, loss_option or ())
    table = read(data)
    if target is None and formula is None:
        target = ask(table, may_ask=not common.json)
    if target is not None and table.column(target, "target").kind == "text" and not row_loss.labels:
        raise InvalidInput(say("fit.text", target=target, loss=loss))
    with screen.busy(say("fit.busy", source=table.source)):
        fitted = tl.fit(
            table, target, columns=columns, formula=formula, loss=row_loss, solver=solver,
            penalty=shrinkage, missing=missing, weights=weights, weight_type=weight_type, offset=offset,
            exposure=exposure, intercept=not no_intercept, max_epochs=max_epochs, time_limit=time_limit,
        )  # fmt: skip
    described = fitted.summary(level=level)
    failed = fitted.status in (tl.Status.INTERRUPTED, tl.Status.DIVERGED)
    written = {} if failed else _write(fitted, save, plot)
    if common.json:
        screen.emit({"equation": fitted.equation, **described.to_dict(), **written})
    else:
        summary.show(fitted.equation, described)
        _tell(written)
    if fitted.status is tl.Status.INTERRUPTED:
        raise KeyboardInterrupt
    return int(failed)


def penalty_of(name: str, alpha: float | None, mix: float | None) -> Penalty | None:
    """The penalty of `--penalty`, `--alpha` and `--mix`; None for "none"."""
    if mix is not None and name != "elastic_net":
        raise InvalidInput(say("fit.mix_alone"))
    if name == "none":
        if alpha is not None:
            raise InvalidInput(say("fit.alpha_alone"))
        return None
    kind: type[Penalty] = PENALTIES.load(name)
    if not kind.has_strength:
        if alpha is not None:
            raise InvalidInput(say("fit.alpha_of_bounds", name=name))
        return kind()
    if alpha is None:
        raise InvalidInput(say("fit.alpha_missing", name=name))
    given = {"alpha": alpha} if mix is None else {"alpha": alpha, "mix": mix}
    return kind(**given)


def ask(table: Table, *, may_ask: bool) -> str:
    """The target column from the user, by its name or number.

    Raises
    ------
    InvalidInput
        Nobody is at the terminal; the message lists the columns.
    """
    from torchlinear.commands import columns

    if not (may_ask and sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidInput(say("fit.target_missing", columns=columns.inline(table)))
    columns.show_schema(table)
    console = screen.console()
    while True:
        try:
            answer = console.input(say("fit.which")).strip()
        except EOFError:
            raise KeyboardInterrupt from None
        chosen = answer if answer in table.names else _numbered(table, answer)
        if chosen is not None:
            console.print()
            return chosen
        console.print(say("fit.not_there", answer=answer))


def _numbered(table: Table, answer: str) -> str | None:
    """The column that a number stands for in the list."""
    if not answer.isdecimal() or not 1 <= int(answer) <= len(table.names):
        return None
    return table.names[int(answer) - 1]


def _write(fitted: Fit, save: Path | None, plot: Path | None) -> dict[str, str]:
    """Save and draw what was asked for; the files that were written."""
    from torchlinear.commands import files

    written = {}
    if save is not None:
        fitted.save(save)
        written["saved"] = str(save)
    if plot is not None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        fitted.plot(figure.subplots())
        files.write_picture(plot, figure)
        written["plot"] = str(plot)
    return written


def _tell(written: dict[str, str]) -> None:
    console = screen.console()
    if written:
        console.print()
    if "plot" in written:
        console.print(say("picture.written", path=written["plot"]), soft_wrap=True)
    if "saved" in written:
        console.print(say("fit.saved", path=written["saved"]), soft_wrap=True)
