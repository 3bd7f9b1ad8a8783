"""`fit`: arguments in, `Fit` out. The work is done below: inputs, objective, solvers, loop, inference, report."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral, Real
from os import PathLike
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear import interruption
from torchlinear.engines.local import single_threaded_blas
from torchlinear.errors import ConvergenceWarning, InvalidInput, RankWarning
from torchlinear.fitted import Fit
from torchlinear.information import (
    Information,
    at_boundary,
    dependent,
    information,
    joint_information,
    separated,
    told_apart,
    without,
)
from torchlinear.jeffreys import JeffreysObjective
from torchlinear.loop import History, Limits, Outcome, Status, run
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.penalties.base import Penalty
from torchlinear.problem import member, objective_of, one_of, pose, refuse_endless
from torchlinear.quadratic import QuadraticObjective
from torchlinear.sandwich import Sandwich, sandwich
from torchlinear.solution import Solution
from torchlinear.solvers import REGISTRY as SOLVERS
from torchlinear.solvers.auto import choose, refusal
from torchlinear.solvers.base import Solver, State
from torchlinear.solvers.joint import DAMPED, MOST_COEFFICIENTS, Joint
from torchlinear.summed import SummedObjective

__all__ = ["chosen_for", "fit", "load", "objective_of", "solve"]

MOST_INFORMED = 1_000  # coefficients of all classes together whose covariance is kept: 8 MB
LIMITED = (Status.BUDGET_USED, Status.TIME_LIMIT)
UNFINISHED = (Status.BUDGET_USED, Status.INACCURATE)
HOVERING = 0.1  # certificate up to which noisy steps may have ended above their start
TOLERANCE = 1e-8  # of the certificate: the largest correlation left between a feature and the residuals


def fit(
    data: Any,
    target: Any = None,
    *,
    formula: str | None = None,
    columns: Sequence[str] | None = None,
    loss: str | Loss = "squared",
    link: str | None = None,
    penalty: str | Penalty | None = None,
    solver: str | Solver = "auto",
    intercept: bool = True,
    weights: Any = None,
    weight_type: str = "precision",
    offset: Any = None,
    exposure: Any = None,
    missing: Literal["error", "drop", "mean"] = "error",
    precision: str = "auto",
    device: str | torch.device = "auto",
    tol: float | None = None,
    max_epochs: int | None = None,
    time_limit: float | None = None,
    callback: Callable[[State, History], None] | None = None,
) -> Fit:
    """Fit a linear model.

    Parameters
    ----------
    data : tensor, array, sparse matrix, frame, or path
        Features X, shape (n, p) or (n,), with `target` y; or a pandas, polars or Arrow frame, or the path of a
        CSV, Parquet or JSON file (globs too), with the name of its target column.
    target : tensor, array, str or list of str
        y, shape (n,) or (n, k); or the name of the target column (names, for several). For a loss on classes
        labels of any kind, shape (n,): texts, booleans, numbers. They are sorted, and of two the second is the
        success.
    formula : str, optional
        Wilkinson formula such as ``"price ~ area + C(city)"`` instead of `target`, for frames and files.
        Formulas are data: only the listed functions and operators are known, and nothing else is run.
    columns : sequence of str, optional
        Feature columns of a frame or file; all but the target by default.
    loss : str or Loss
        ``"squared"``; ``"logistic"`` for two classes or proportions, ``"softmax"`` for more; ``"poisson"``,
        ``"gamma"``, ``"tweedie"``, ...; or an object with its options, such as ``tl.Tweedie(power=1.5)``.
    link : str, optional
        How the mean depends on the linear predictor, such as ``"log"``, for losses that have links; else their
        usual one.
    penalty : str, Penalty or None
        None (the default), ``"l2"``, ``"l1"``, ``"elastic_net"``, or an object with its options: ``tl.L2(alpha)``,
        ``tl.L1(alpha)``, ``tl.L1L2(alpha, mix)``, ``tl.GroupLasso(alpha, groups)``; or bounds, ``tl.NonNegative()`` and
        ``tl.Box(low, high)``, alone or added to L1, L2 and L1L2. The intercept is never penalised.
    solver : str or Solver
        ``"auto"``, which `Fit.solver` explains; ``"cholesky"``, ``"qr"``, ``"newton"``, ``"newton_cg"``,
        ``"lbfgs"``, ``"coordinate"``, ``"proximal_newton"``, ``"working_set"``, ``"fista"``, ``"saga"``,
        ``"interior_point"``; or, for every smooth loss, one of the descent family: ``"bgd"``, ``"sgd"``, ``"mbgd"``,
        ``"adagrad"``, ``"adam"``, ...; or an object with its options, ``tl.Adam(lr=1e-3)``.
    intercept : bool
        Whether to fit an intercept.
    weights : tensor, array or str, optional
        Row weights, shape (n,), at least 0; or the name of their column. Of proportions, how many trials each is of.
    weight_type : {"precision", "frequency"}
        What weights mean: inverse variances up to a factor, or how many equal rows each row stands for.
    offset : tensor, array or str, optional
        What is added to the linear predictor of each row, shape (n,), or the name of its column; in a formula also
        ``offset(log(hours))``. New rows need it too.
    exposure : tensor, array or str, optional
        Time, area or population that each row stands for, shape (n,), above 0, or the name of its column: with the
        log link the mean is proportional to it (its logarithm is an offset).
    missing : {"error", "drop", "mean"}
        What becomes of rows of a frame or file with missing values.
    precision : {"auto", "extended", "double"}
        Sums in double-double when that is cheap, always, or never. Residuals that refine coefficients
        always are.
    device : str or torch.device
        ``"auto"`` leaves tensors where they are.
    tol : float, optional
        Certificate at which an iterative solver stops, 1e-8 by default.
    max_epochs : int, optional
        Passes over the rows at most (iterations, of Newton's method and its relatives); each solver has its own
        default.
    time_limit : float, optional
        Seconds at most.
    callback : callable, optional
        Called with the solver's state and the history after every step.

    Returns
    -------
    Fit
        The fitted model.

    Raises
    ------
    InvalidInput
        When an argument is not what is expected.
    DataError
        When the rows cannot be fitted as they are.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.tensor([0.0, 1.0, 2.0])
    >>> fit = tl.fit(x, 3 * x + 0.8)
    >>> fit.equation
    'y = 3 x + 0.8'
    """
    one_of("weight_type", weight_type, ("precision", "frequency"))
    _above_zero(tol=tol, max_epochs=max_epochs, time_limit=time_limit)
    problem = pose(
        data, target, formula=formula, columns=columns, loss=loss, link=link, penalty=penalty, intercept=intercept,
        weights=weights, offset=offset, exposure=exposure, missing=missing, precision=precision, device=device,
    )  # fmt: skip
    prepared = problem.prepared
    refuse_endless(problem.objective, problem.outputs)
    solution = solve(
        problem.objective, solver, tol=tol, max_epochs=max_epochs, time_limit=time_limit, callback=callback,
        weight_type=weight_type if prepared.weighted else None,
    )  # fmt: skip
    solution = replace(solution, targets=problem.outputs, classes=prepared.classes, offset=prepared.offset)
    solution, out = _dropped(problem.objective, solution)
    _warn(solution, out)
    like = data if isinstance(data, Tensor) else None
    return Fit(solution, design=prepared.design, rows=prepared.rows, like=like)


@single_threaded_blas()
def solve(
    objective: Objective,
    solver: str | Solver = "auto",
    *,
    tol: float | None = None,
    max_epochs: int | None = None,
    time_limit: float | None = None,
    callback: Callable[[State, History], None] | None = None,
    weight_type: str | None = None,
    infer: bool = True,
    start: Tensor | None = None,
) -> Solution:
    """Minimise `objective`: choose the solver, run the loop, keep the record. `fit` and the estimators call it."""
    chosen, why = chosen_for(objective, solver)
    tolerance = TOLERANCE if tol is None else tol
    start = objective.start if start is None else start
    outcome = run(
        objective,
        chosen,
        start,
        stop=lambda state: objective.certificate(state.coef) <= tolerance,
        limits=Limits(chosen.epochs if max_epochs is None else max_epochs, time_limit),
        report=callback,
    )
    if outcome.status is Status.INTERRUPTED and outcome.state.epoch == outcome.state.cursor == 0:
        raise KeyboardInterrupt
    if outcome.status in LIMITED and _astray(objective, outcome.state.coef, start):
        outcome = replace(outcome, status=Status.DIVERGED)
    if outcome.status in UNFINISHED and _at_boundary(objective, outcome.state.coef):
        outcome = replace(outcome, status=Status.BOUNDARY)
    return _record(objective, outcome, why, weight_type, infer)


def _astray(objective: Objective, coef: Tensor, start: Tensor) -> bool:
    """Whether a descent ended higher than it began, and not only because it hovers about a start that was best."""
    return objective.value(coef) > objective.value(start) and objective.certificate(coef) > HOVERING


def _at_boundary(objective: Objective, coef: Tensor) -> bool:
    """Whether a fit ran into the end of the domain of its link, where no slope is 0."""
    return isinstance(objective, SummedObjective) and at_boundary(objective, coef)


def chosen_for(objective: Objective, solver: str | Solver = "auto") -> tuple[Solver, str]:
    """The solver, and why; to choose one may take a pass over the rows. `InvalidInput` where it will not do."""
    if solver != "auto":
        chosen: Solver = member(SOLVERS, solver, Solver)
        why = chosen.describe(objective)
    else:
        try:
            with interruption.watching():
                choice = choose(objective)
        except interruption.Interrupted:
            raise KeyboardInterrupt from None
        chosen, why = choice.solver, choice.reason
    reason = refusal(chosen, objective)
    if reason is not None:
        raise InvalidInput(f"solver={chosen.name!r}: {reason}")
    return chosen, why


def _record(
    objective: Objective, outcome: Outcome, why: str, weight_type: str | None, infer: bool
) -> Solution:
    coef = outcome.state.coef.detach().cpu().double()
    exact = objective if isinstance(objective, QuadraticObjective) else None
    done = outcome.status is Status.CONVERGED
    model = _joint(objective, coef) if done else None
    known = _information(objective, coef, model, weight_type) if infer and done else None
    grow = _separated(objective, coef, known, model) if done else ()
    grow = grow or _told_apart(objective, coef)
    if grow:
        outcome = replace(outcome, status=Status.SEPARATED)
    return Solution(
        coef=coef,
        names=objective.rows.names,
        targets=objective.rows.targets,
        intercept=objective.intercept,
        loss=str(objective.loss),
        family=objective.loss,
        penalty="none" if objective.penalty is None else str(objective.penalty),
        solver=why,
        status=outcome.status,
        history=outcome.history,
        certificate=objective.certificate(coef),
        seconds=outcome.seconds,
        weight_type=weight_type,
        evidence=None if exact is None else exact.evidence_at(coef),
        information=known if isinstance(known, Information) else None,
        sandwich=known if isinstance(known, Sandwich) else None,
        separated=grow,
        optimum=None if exact is None else exact.best,
        rows=objective.spread.rows if isinstance(objective, SummedObjective) else objective.rows.n_rows,
    )


def _joint(objective: Objective, coef: Tensor) -> Joint | None:
    """Second derivatives of all classes together, where these are not too many and no penalty tells them apart."""
    if (
        not isinstance(objective, SummedObjective)
        or objective.penalty is not None
        or objective.loss.separable
    ):
        return None
    count = objective.n_outputs * (objective.n_features + 1)
    return Joint.at(objective, coef) if objective.loss.likelihood and count <= MOST_COEFFICIENTS else None


def _information(
    objective: Objective, coef: Tensor, model: Joint | None, weight_type: str | None
) -> Information | Sandwich | None:
    """What inference needs, of fits without a penalty, or with one that takes a bias away."""
    if isinstance(objective, JeffreysObjective):
        return information(objective, coef)
    if not isinstance(objective, SummedObjective) or objective.penalty is not None:
        return None
    if not objective.loss.likelihood:
        return None if weight_type == "precision" else sandwich(objective, coef)
    if objective.loss.separable:
        return information(objective, coef)
    if model is None or len(model.H) > MOST_INFORMED:
        return None
    H = model.H - DAMPED * np.eye(len(model.H))
    found = joint_information(objective, coef, H, model.scale, model.centre)
    return found or joint_information(objective, coef, H, model.scale, model.centre, dependent(objective))


def _separated(
    objective: Objective, coef: Tensor, known: Information | Sandwich | None, model: Joint | None
) -> tuple[str, ...]:
    """Features that tell the targets apart without error, so that no coefficients are the best."""
    if not isinstance(objective, SummedObjective) or isinstance(objective, JeffreysObjective):
        return ()
    if model is not None:
        grow = separated(objective, model.step(objective, coef)[0][:-1])
        return grow and (told_apart(objective, coef) or grow)
    return separated(objective, known.moved) if isinstance(known, Information) else ()


def _told_apart(objective: Objective, coef: Tensor) -> tuple[str, ...]:
    """Features by which a loss of the margin tells the targets apart without error, so that no optimum is there."""
    if not isinstance(objective, SummedObjective) or objective.loss.probabilities:
        return ()
    return told_apart(objective, coef) if objective.penalty is None else ()


def _dropped(objective: Objective, solution: Solution) -> tuple[Solution, tuple[str, ...]]:
    """Features that depend on those before them, and the solution without them, whatever the solver."""
    out = solution.dependent if solution.dropped else _dependent(objective, solution)
    if isinstance(objective, SummedObjective) and bool((solution.coef[:-1][out] != 0.0).any()):
        solution = replace(solution, coef=without(objective, solution.coef, out))
    return solution, tuple(name for name, dropped in zip(solution.names, out) if dropped)


def _dependent(objective: Objective, solution: Solution) -> NDArray[np.bool_]:
    """Features that depend on those before them, of a fit of which no inference asked; a pass where it may be so."""
    looked = solution.known is not None or solution.status is not Status.CONVERGED
    none = looked or objective.penalty is not None or not bool((solution.coef[:-1] == 0.0).any())
    return solution.dependent if none or not isinstance(objective, SummedObjective) else dependent(objective)


def _warn(solution: Solution, dropped: tuple[str, ...]) -> None:
    if dropped:
        warnings.warn(
            f"dropped {', '.join(dropped)}: constant, or a linear combination of the columns before it; "
            "coefficient 0, no standard error. Predictions are not affected.",
            RankWarning,
            stacklevel=3,
        )
    if solution.status in (Status.DIVERGED, Status.INACCURATE, Status.BOUNDARY):
        warnings.warn(f"fit {solution.status.value}", ConvergenceWarning, stacklevel=3)
    if solution.status is Status.SEPARATED:
        names = ", ".join(solution.separated)
        warnings.warn(f"fit {solution.status.value} It is: {names}.", ConvergenceWarning, stacklevel=3)


def _above_zero(**limits: float | None) -> None:
    for name, value in limits.items():
        kind = Integral if name == "max_epochs" else Real
        if value is not None and not (isinstance(value, kind) and value > 0):
            number = "whole number" if kind is Integral else "number"
            raise InvalidInput(f"{name}={value!r}: expected a {number} above 0.")


def load(path: str | PathLike[str]) -> Fit:
    """Read a model that `Fit.save` wrote.

    Parameters
    ----------
    path : str or path
        A ``.safetensors`` file. Nothing in it is executed.

    Returns
    -------
    Fit
        The fit without its rows.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, or not a torchlinear model.

    Examples
    --------
    >>> import os, tempfile, torch, torchlinear as tl
    >>> path = os.path.join(tempfile.mkdtemp(), "line.safetensors")
    >>> x = torch.arange(5.0)
    >>> tl.fit(x, 3 * x + 0.8).save(path)
    >>> tl.load(path).equation
    'y = 3 x + 0.8'
    """
    from torchlinear.storage import read

    solution, design, like = read(path)
    return Fit(solution, design=design, like=like)
