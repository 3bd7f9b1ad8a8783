"""Problem: what `fit` is asked to minimise, from the arguments that users type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from torchlinear.engines.local import Local
from torchlinear.errors import DataError, InvalidInput
from torchlinear.hinges.objective import HingeObjective, ridged
from torchlinear.inputs import Prepared, prepare
from torchlinear.jeffreys import JeffreysObjective, refuse
from torchlinear.losses import made
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.penalties import REGISTRY as PENALTIES
from torchlinear.penalties.base import Penalty
from torchlinear.penalties.firth import Firth
from torchlinear.pinball.objective import PinballObjective
from torchlinear.quadratic import QuadraticObjective
from torchlinear.rows import Rows
from torchlinear.solvers.residual_scale import with_scale
from torchlinear.summed import SummedObjective
from torchlinear.wide.objective import WideObjective, suits

__all__ = ["Problem", "member", "objective_of", "one_of", "pose", "refuse_endless"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be minimised.

    Attributes
    ----------
    prepared : Prepared
        The rows and what is known about them.
    objective : Objective
        Loss and penalty over them.
    outputs : tuple of str
        Names of the columns of the coefficients.
    """

    prepared: Prepared
    objective: Objective
    outputs: tuple[str, ...]


def pose(
    data: Any,
    target: Any = None,
    *,
    formula: str | None = None,
    columns: Sequence[str] | None = None,
    loss: str | Loss = "squared",
    link: str | None = None,
    penalty: str | Penalty | None = None,
    intercept: bool = True,
    weights: Any = None,
    offset: Any = None,
    exposure: Any = None,
    missing: Literal["error", "drop", "mean"] = "error",
    precision: str = "auto",
    device: str | torch.device = "auto",
) -> Problem:
    """The problem that arguments of `torchlinear.fit` describe; `InvalidInput` where they do not."""
    one_of("precision", precision, ("auto", "extended", "double"))
    one_of("missing", missing, ("error", "drop", "mean"))
    chosen = made(loss, link)
    prepared = prepare(
        data,
        target,
        formula=formula,
        columns=columns,
        weights=weights,
        missing=missing,
        intercept=intercept,
        device=device,
        loss=chosen,
        offset=offset,
        exposure=exposure,
    )
    outputs = prepared.outputs(chosen)
    objective = objective_of(
        chosen,
        None if penalty is None else member(PENALTIES, penalty, Penalty),
        prepared.rows,
        intercept=intercept if prepared.design is None else prepared.design.intercept,
        n_outputs=len(outputs),
        precision=precision,
    )
    return Problem(prepared, objective, outputs)


def objective_of(
    loss: Loss,
    penalty: Penalty | None,
    rows: Rows,
    *,
    intercept: bool = True,
    n_outputs: int | None = None,
    **quadratic: Any,
) -> Objective:
    """The objective of `rows`: answered from their moments where the loss is quadratic, else summed."""
    loaded = Local().load(rows)
    if isinstance(penalty, Firth):
        refuse(loss, rows.n_outputs)
    loss, near = with_scale(loss, penalty, loaded, intercept=intercept)
    if loss.quadratic:
        exact = WideObjective if suits(loss, penalty, rows) else QuadraticObjective
        return exact(loss, penalty, loaded, intercept=intercept, **quadratic)
    summed = _summed(loss, penalty)(loss, penalty, loaded, intercept=intercept, n_outputs=n_outputs)
    if near is not None:
        summed.start = near
    return summed


def _summed(loss: Loss, penalty: Penalty | None) -> type[SummedObjective]:
    """The kind of objective of a loss that is not quadratic."""
    if isinstance(penalty, Firth):
        return JeffreysObjective
    if ridged(loss, penalty):
        return HingeObjective
    return PinballObjective if loss.piecewise else SummedObjective


def refuse_endless(objective: Objective, outputs: Sequence[str]) -> None:
    """Refuse targets at the end of what a mean can be, such as counts that are all 0: no intercept is the best.

    Parameters
    ----------
    objective : Objective
        What is to be minimised.
    outputs : sequence of str
        Names of the columns of the coefficients.
    """
    known = isinstance(objective, SummedObjective) and not isinstance(objective, JeffreysObjective)
    if not known or not objective.intercept:
        return
    means = torch.from_numpy(objective.spread.mean[objective.n_features :])  # type: ignore[attr-defined]
    endless = ~torch.isfinite(objective.loss.predictor(means))
    if endless.any():
        at = int(endless.nonzero()[0])
        name = outputs[at] if objective.loss.separable else f"class {outputs[at]}"
        raise DataError(
            f"the mean of {name} is {float(means[at]):g} over the rows that count, where the intercept of "
            f"{objective.loss} loss would grow for ever; leave that target or class out, or give rows that differ."
        )


def member(registry: Any, given: Any, kind: type) -> Any:
    """An object of the registry: itself, or by name with its defaults."""
    if isinstance(given, kind):
        return given
    if not isinstance(given, str):
        got = f"the class {given.__name__}: call it" if isinstance(given, type) else type(given).__name__
        raise InvalidInput(
            f"{registry.kind}= takes one of {', '.join(registry.entries)} or a {kind.__name__} object, got {got}."
        )
    made = registry.load(given)
    return made()


def one_of(argument: str, value: Any, known: tuple[str, ...]) -> None:
    """Refuse a value that is not among those known."""
    if value not in known:
        raise InvalidInput(f"{argument}={value!r} is not known. Known: {', '.join(known)}.")
