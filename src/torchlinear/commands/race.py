"""`torchlinear race`: several solvers on a file's columns, live, against the exact optimum."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from torchlinear.commands import screen
from torchlinear.commands.common import Common, option
from torchlinear.commands.language import current, say
from torchlinear.errors import InvalidInput
from torchlinear.losses import REGISTRY as LOSSES
from torchlinear.penalties import REGISTRY as PENALTIES
from torchlinear.solvers import REGISTRY

if TYPE_CHECKING:
    from torchlinear.racing.outcome import Race

__all__ = ["race"]

SOLVERS = (*REGISTRY.entries, "exact")
RUNNERS = ("bgd", "sgd", "mbgd", "adagrad", "adam", "exact")


def race(
    data: Annotated[str, option("fit.data")],
    /,
    *,
    target: Annotated[str | None, option("fit.target", "--target", "-y", metavar="COLUMN")] = None,
    columns: Annotated[
        list[str] | None, option("fit.columns", "--columns", "-x", many=True, metavar="COLUMN...")
    ] = None,
    formula: Annotated[str | None, option("fit.formula", metavar="FORMULA")] = None,
    solvers: Annotated[
        list[str] | None,
        option("racing.solvers", "--solvers", "-s", many=True, metavar="NAME...", choices=SOLVERS),
    ] = None,
    loss: Annotated[str, option("fit.loss", metavar="NAME", choices=tuple(LOSSES.entries))] = "squared",
    link: Annotated[str | None, option("fit.link", metavar="NAME")] = None,
    loss_option: Annotated[
        list[str] | None, option("fit.loss_option", many=True, metavar="NAME=VALUE...")
    ] = None,
    penalty: Annotated[
        str, option("fit.penalty", metavar="NAME", choices=("none", *PENALTIES.entries))
    ] = "none",
    alpha: Annotated[float | None, option("fit.alpha", metavar="NUMBER")] = None,
    mix: Annotated[float | None, option("fit.mix", metavar="NUMBER")] = None,
    lr: Annotated[str, option("racing.lr", metavar="NUMBER")] = "curvature",
    epochs: Annotated[int, option("racing.epochs", metavar="NUMBER")] = 200,
    batch_size: Annotated[int | None, option("racing.batch_size", metavar="NUMBER")] = None,
    momentum: Annotated[float, option("racing.momentum", metavar="NUMBER")] = 0.0,
    schedule: Annotated[
        Literal["constant", "step", "cosine", "1/t"], option("racing.schedule", metavar="NAME")
    ] = "constant",
    standardize: Annotated[bool, option("racing.standardize")] = False,
    seed: Annotated[int, option("racing.seed", metavar="NUMBER")] = 0,
    missing: Annotated[Literal["error", "drop", "mean"], option("fit.missing", metavar="WHAT")] = "error",
    time_limit: Annotated[float | None, option("racing.time_limit", metavar="SECONDS")] = None,
    report: Annotated[Path | None, option("racing.report", metavar="HTML")] = None,
    plot: Annotated[Path | None, option("racing.plot", metavar="PNG")] = None,
    common: Common = Common(),  # noqa: B008  (a frozen record)
) -> None:
    """Race, show the table as it fills, write what was asked for; see the messages for what users read."""
    from torchlinear.commands import files
    from torchlinear.commands.fit import ask, penalty_of
    from torchlinear.commands.losses import loss_of
    from torchlinear.commands.scenes.track import Track

    files.refuse_picture(plot)
    rate, shrinkage = _rate(lr), penalty_of(penalty, alpha, mix)

    import torchlinear as tl
    from torchlinear.sources import read

    row_loss = loss_of(loss, link, loss_option or ())
    table = read(data)
    if target is None and formula is None:
        target = ask(table, may_ask=not common.json)
    if target is not None and table.column(target, "target").kind == "text" and not row_loss.labels:
        raise InvalidInput(say("fit.text", target=target, loss=loss))
    names = list(solvers or RUNNERS)
    with Track(
        say("racing.title", source=table.source), names, epochs, quiet=common.json or rate == "sweep"
    ) as track:
        result = tl.race(
            table, target, columns=columns, formula=formula, loss=row_loss, penalty=shrinkage, solvers=names, lr=rate,
            epochs=epochs, batch_size=batch_size, momentum=momentum, schedule=schedule, standardize=standardize,
            seed=seed, missing=missing, time_limit=time_limit, callback=track.put,
        )  # fmt: skip
        track.end(result)
    written = _write(result, report, plot)
    if common.json:
        screen.emit({**_record(result), **written})
        return
    _tell(result, written)


def _rate(given: str) -> Any:
    """A number, or one of the two words."""
    if given in ("curvature", "sweep"):
        return given
    try:
        return float(given)
    except ValueError:
        raise InvalidInput(say("racing.lr_number", got=given)) from None


def _write(result: Race, report: Path | None, plot: Path | None) -> dict[str, str]:
    """Write the page and the picture; the files that were written."""
    from torchlinear.commands import files

    written = {}
    if report is not None:
        from torchlinear.racing.reporting import html

        with files.replacing(report) as file:
            file.write(html(result, current()).encode())
        written["report"] = str(report)
    if plot is not None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8.4, 4.6), layout="constrained")
        result.plot(figure.subplots())
        files.write_picture(plot, figure)
        written["plot"] = str(plot)
    return written


def _tell(result: Race, written: dict[str, str]) -> None:
    """Explain, and name the files."""
    console = screen.console()
    if result.swept:
        from torchlinear.racing.reporting import table

        console.print(table(result))
    console.print()
    for sentence in result.why:
        screen.paragraph(console, sentence.told(current()))
    if written:
        console.print()
    if "plot" in written:
        console.print(say("picture.written", path=written["plot"]), soft_wrap=True)
    if "report" in written:
        console.print(say("racing.report_written", path=written["report"]), soft_wrap=True)


def _record(result: Race) -> dict[str, Any]:
    """The race as JSON."""
    return {
        "loss": str(result.loss),
        "epochs": result.epochs,
        "condition": result.curvature.condition,
        "largest_stable_lr": result.curvature.edge,
        "optimum": {
            "loss": result.optimum.loss,
            "coef": dict(zip([*result.names, "Intercept"], result.optimum.coef.tolist())),
        },
        "standings": [
            {
                "name": runner.name,
                "lr": runner.lr,
                "batch_size": runner.batch_size,
                "status": runner.status.label,
                "gap": runner.final,
                "passes": float(runner.passes[-1]),
                "seconds": float(runner.seconds[-1]),
                "within": {
                    f"{level:g}": None if at is None else {"passes": at.passes, "seconds": at.seconds}
                    for level, at in runner.within.items()
                },
            }
            for runner in result.standings()
        ],
        "why": list(result.why),
    }
