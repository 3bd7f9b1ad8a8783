"""`torchlinear inspect`: what a saved model is, or what the columns of a file hold."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from torchlinear.commands import screen
from torchlinear.commands.common import Common, option
from torchlinear.commands.language import say

if TYPE_CHECKING:
    from torchlinear.sources.base import Profile, Table

__all__ = ["inspect"]


def inspect(
    file: Annotated[str, option("inspect.file")],
    /,
    *,
    common: Common = Common(),  # noqa: B008  (a frozen record)
) -> None:
    """Print the model or the columns; see the messages for what users read."""
    if file.lower().endswith(".safetensors"):
        _model(file, as_json=common.json)
    else:
        _data(file, as_json=common.json)


def _model(file: str, *, as_json: bool) -> None:
    import torchlinear as tl
    from torchlinear.commands import summary

    fitted = tl.load(file)
    described = fitted.summary()
    if as_json:
        screen.emit({"equation": fitted.equation, **described.to_dict()})
    else:
        summary.show(fitted.equation, described)


def _data(file: str, *, as_json: bool) -> None:
    from torchlinear.commands import columns
    from torchlinear.sources import read

    table = read(file)
    with screen.busy(say("inspect.busy", source=table.source)):
        profile = table.profile()
    if as_json:
        screen.emit(_record(table, profile))
    else:
        columns.show_profile(table, profile)


def _record(table: Table, profile: Profile) -> dict[str, Any]:
    held = [
        {"name": c.name, "kind": c.kind, "type": c.dtype, **asdict(profile.columns[c.name])}
        for c in table.schema
    ]
    return {"source": table.source, "rows": profile.rows, "columns": held}
