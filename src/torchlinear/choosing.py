"""`choose`: which solver a fit would take, and why, without the fit."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torchlinear.api import chosen_for, fit
from torchlinear.engines.local import single_threaded_blas
from torchlinear.problem import pose
from torchlinear.solvers import REGISTRY
from torchlinear.solvers.auto import refusal
from torchlinear.solvers.base import Solver

__all__ = ["SolverChoice", "choose"]

WIDTH = 80


@dataclass(frozen=True, slots=True)
class SolverChoice:
    """What `choose` returns: the solver that a fit would take, and what the others say to it.

    Attributes
    ----------
    solver : str
        Its name.
    why : str
        Why, one sentence: what `Fit.solver` would say.
    able : tuple of str
        Other solvers that take the problem.
    refusals : mapping of str to str
        Those that do not, and why not: one sentence each.
    """

    solver: str
    why: str
    able: tuple[str, ...]
    refusals: Mapping[str, str]

    def __str__(self) -> str:
        same: dict[str, list[str]] = {}
        for name, reason in self.refusals.items():
            same.setdefault(reason, []).append(name)
        rows = [("solver", self.why)]
        rows += [("also", f"{', '.join(self.able)}: when asked for")] if self.able else []
        for reason, names in same.items():
            named = len(names) == 1 and reason.startswith(names[0])
            rows.append(("not", reason if named else f"{', '.join(names)}: {reason}"))
        return "\n".join(_line(*row) for row in rows)


def _line(label: str, text: str) -> str:
    return textwrap.fill(
        f"{label:<10}{text}",
        WIDTH,
        subsequent_indent=" " * 10,
        break_long_words=False,
        break_on_hyphens=False,
    )


@single_threaded_blas()
def choose(data: Any, target: Any = None, **arguments: Any) -> SolverChoice:
    """Say which solver `fit` would take for these arguments, and why, without fitting.

    It follows the very rule of ``solver="auto"``. With squared loss that rule takes one pass over the rows, for
    the condition number of the columns; of other losses only the shape matters, and the scale of a Huber loss.

    Parameters
    ----------
    data, target
        As in `torchlinear.fit`.
    **arguments
        The other arguments of `torchlinear.fit`, by name. Those that say when to stop make no difference.

    Returns
    -------
    SolverChoice
        The solver, why, and the refusals of the others; it prints as a table.

    Raises
    ------
    InvalidInput
        Where `fit` would: when an argument is not what is expected, or the solver asked for does not take the problem.
    DataError
        When the rows cannot be fitted as they are.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    >>> choice = tl.choose(X, X[:, 0] > 0.5, loss="logistic", penalty="l1")
    >>> choice.solver, choice.why
    ('proximal_newton', 'proximal_newton: L1(1) makes coefficients exactly zero')
    >>> choice.refusals["newton"]
    "newton takes smooth losses and penalties, not binomial with L1(1); use solver='auto'."
    """
    given = inspect.signature(fit).bind(data, target, **arguments).arguments
    objective = pose(
        **{name: given[name] for name in inspect.signature(pose).parameters if name in given}
    ).objective
    solver, why = chosen_for(objective, given.get("solver", "auto"))
    others: dict[str, Solver] = {
        name: REGISTRY.load(name)() for name in REGISTRY.entries if name != solver.name
    }
    said = {name: refusal(other, objective) for name, other in others.items()}
    return SolverChoice(
        solver.name,
        why,
        tuple(name for name, reason in said.items() if reason is None),
        {name: reason for name, reason in said.items() if reason is not None},
    )
