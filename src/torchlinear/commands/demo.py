"""`torchlinear demo`: the classic first PyTorch program, fitted in every way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from torchlinear.commands import screen
from torchlinear.commands.common import Common, option
from torchlinear.commands.language import say
from torchlinear.errors import InvalidInput

__all__ = ["demo"]


def demo(
    *,
    code: Annotated[bool, option("demo.code")] = False,
    step: Annotated[bool, option("demo.step")] = False,
    classes: Annotated[bool, option("demo.classes")] = False,
    output: Annotated[Path | None, option("demo.output", "--output", "-o", metavar="PNG")] = None,
    common: Common = Common(),  # noqa: B008  (a frozen record)
) -> None:
    """Show the tutorial's line fitted by every algorithm; see the messages for what users read."""
    if code + step + classes > 1:
        raise InvalidInput(say("demo.one_of"))
    if output is not None and (code or step):
        raise InvalidInput(say("demo.no_picture"))
    if code:
        from torchlinear.commands.scenes import code as scene

        scene.show(as_json=common.json)
        return
    with screen.busy(say("demo.loading")):
        from torchlinear.commands.scenes import classes as groups
        from torchlinear.commands.scenes import race
        from torchlinear.commands.scenes import step as iteration
    if step:
        iteration.show(as_json=common.json)
    elif classes:
        groups.show(output, as_json=common.json)
    else:
        race.show(output, as_json=common.json)
