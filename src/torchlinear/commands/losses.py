"""`--loss`, `--link` and `--loss-option` as the loss object that they mean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING

from torchlinear.commands.language import say
from torchlinear.errors import InvalidInput
from torchlinear.losses import REGISTRY, made

if TYPE_CHECKING:
    from torchlinear.losses.base import Loss

__all__ = ["loss_of"]


def loss_of(name: str, link: str | None, given: Iterable[str]) -> Loss:
    """The loss of a name, a link and options such as ``power=1.7``.

    Raises
    ------
    InvalidInput
        The loss has no such link or option, or the value of one is not a number or out of its range.
    """
    loss = made(name, link)
    parameters = fields(loss)  # type: ignore[arg-type]  # every loss is a dataclass
    numbers = {field.name: getattr(loss, field.name) for field in parameters if field.name != "link"}
    for text in given:
        option, equals, value = text.partition("=")
        if not equals or option not in numbers:
            there = ", ".join(f"{known}={now}" for known, now in numbers.items())
            raise InvalidInput(
                say("fit.option", got=text, loss=name, there=there)
                if there
                else say("fit.no_option", got=text, loss=name)
            )
        try:
            numbers[option] = float(value)
        except ValueError:
            raise InvalidInput(say("fit.option_number", got=text)) from None
    chosen = {"link": link} if link is not None else {}
    kind = REGISTRY.load(name)
    return kind(**chosen, **numbers)  # type: ignore[no-any-return]
