"""A run as the page asks for it, checked field by field, and the numbers that it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchlinear.lab import fields
from torchlinear.lab.data import MOST_LEVELS, Array, DataSet
from torchlinear.lab.safety import Refused
from torchlinear.lab.sentences import Said

__all__ = ["LOSSES", "MOST_EPOCHS", "MOST_RUNNERS", "SOLVERS", "Entrant", "Numbers", "Plan", "SolverKind"]

MOST_EPOCHS, MOST_RUNNERS, MOST_FEATURES = 1_000_000, 12, 200
SECONDS = 10.0  # of a run, unless the page asks for more
LOSSES = ("squared", "huber", "logistic", "softmax")
PENALTIES = ("none", "l1", "l2")


@dataclass(frozen=True, slots=True)
class SolverKind:
    """What can be set for a solver.

    Attributes
    ----------
    batch_size : int or None
        Rows of a step when the page says nothing; None for all of them.
    batches : bool
        Whether it takes a batch size at all.
    descends : bool
        Whether it is of the descent family: it has a learning rate.
    momentum : bool
        Whether it takes a momentum.
    """

    batch_size: int | None = None
    batches: bool = False
    descends: bool = True
    momentum: bool = False


SOLVERS = {
    "bgd": SolverKind(momentum=True),
    "sgd": SolverKind(batch_size=1, batches=True, momentum=True),
    "mbgd": SolverKind(batch_size=32, batches=True, momentum=True),
    "momentum": SolverKind(momentum=True),
    "adagrad": SolverKind(batches=True),
    "rmsprop": SolverKind(batches=True, momentum=True),
    "adam": SolverKind(batches=True),
    "lbfgs": SolverKind(descends=False),
    "newton": SolverKind(descends=False),
    "exact": SolverKind(descends=False),
}
MOMENTUM = 0.9  # of the solver called momentum, unless it is set


@dataclass(frozen=True, slots=True)
class Entrant:
    """One algorithm of a run.

    Attributes
    ----------
    id : str
        What the page calls it.
    solver : str
        One of `SOLVERS`.
    lr : float or None
        Learning rate; None for one chosen from the curvature.
    batch_size : int or None
        Rows of a step; None for all of them.
    momentum : float
        Share of the last step that is kept.
    """

    id: str
    solver: str
    lr: float | None
    batch_size: int | None
    momentum: float


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a run is about: features and target of the rows in which none is missing.

    Attributes
    ----------
    X : Tensor, shape (n, p), float64
        Features, standardised if that was asked for.
    y : Tensor, shape (n,)
        Target: float64, or the numbers of classes as int64.
    dropped : int
        Rows that were left out.
    means, deviations : arrays, shape (p,)
        Of the features before they were standardised.
    outputs : tuple of str
        Names of the columns of the coefficients.
    """

    X: Tensor
    y: Tensor
    dropped: int
    means: Array
    deviations: Array
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A run.

    Attributes
    ----------
    data : DataSet
        Rows.
    target : str
        A column.
    features : tuple of str
        Terms, one for each coefficient but the intercept: columns of numbers, and labels as ``city[T.Nice]``.
    loss, delta : str, float
        What a row costs; `delta` is the threshold of "huber".
    entrants : tuple of Entrant
        Who races.
    penalty, strength : str, float
        What coefficients cost.
    standardize : bool
        Whether each feature is brought to mean 0 and standard deviation 1 first.
    epochs, seed : int
        Passes over the rows, and the seed of their order.
    seconds : float
        That all runners together may take.
    start : nested tuple or None
        Coefficients to start from, p + 1 rows of k, the intercept last; None for zeros.
    axes : (int, int) or None
        Which of the flattened coefficients the map shows; None for those that matter most.
    """

    data: DataSet
    target: str
    features: tuple[str, ...]
    loss: str
    delta: float
    entrants: tuple[Entrant, ...]
    penalty: str
    strength: float
    standardize: bool
    epochs: int
    seed: int
    seconds: float
    start: tuple[tuple[float, ...], ...] | None
    axes: tuple[int, int] | None

    @classmethod
    def of(cls, body: Mapping[str, Any], data: DataSet) -> Plan:
        """The run that `body` asks for; `Refused` says what is wrong with it."""
        target, columns = fields.text(body, "target"), fields.texts(body, "features", MOST_FEATURES)
        loss = fields.choice(body, "loss", LOSSES, "squared")
        _check_target(data, target, loss)
        features = _terms(data, target, columns)
        penalty = fields.record(body.get("penalty", {"kind": "none"}), "penalty")
        outputs = data.column(target).classes if loss == "softmax" else 1
        size = (len(features) + 1) * outputs
        return cls(
            data=data,
            target=target,
            features=features,
            loss=loss,
            delta=fields.number(body, "delta", 1.35, 1e-6, 1e6),
            entrants=_entrants(body.get("runners")),
            penalty=fields.choice(penalty, "kind", PENALTIES, "none"),
            strength=fields.number(penalty, "strength", 0.0, 0.0, 1e9),
            standardize=fields.flag(body, "standardize"),
            epochs=fields.whole(body, "epochs", 1_000, 1, MOST_EPOCHS),
            seed=fields.whole(body, "seed", 0),
            seconds=fields.number(body, "seconds", SECONDS, 0.1, 600.0),
            start=_start(body.get("start"), len(features) + 1, outputs),
            axes=_axes(body.get("axes"), size),
        )

    @property
    def of_classes(self) -> bool:
        """Whether the target is a class."""
        return self.loss in ("logistic", "softmax")

    def numbers(self) -> Numbers:
        """The rows of the run."""
        terms = [self.data.term(name).values for name in self.features]
        values = np.stack([*terms, self.data.column(self.target).values], axis=1)
        endless = np.isinf(values).any(axis=0)
        if endless.any():
            name = (*self.features, self.target)[int(endless.argmax())]
            raise Refused(422, "infinite", name=name)
        kept = ~np.isnan(values).any(axis=1)
        values = values[kept]
        if len(values) < 2:
            raise Refused(422, "few_rows", count=str(len(values)))
        X, target = np.ascontiguousarray(values[:, :-1]), values[:, -1]
        means, deviations = X.mean(axis=0), X.std(axis=0)
        if self.standardize:
            constant = [name for name, spread in zip(self.features, deviations) if not spread > 0.0]
            if constant:
                raise Refused(422, "constant", name=constant[0])
        made = torch.from_numpy(X)
        if self.standardize:
            made = (made - made.mean(dim=0)) / made.std(dim=0, correction=0)
        y, outputs = self._target(target)
        return Numbers(made, y, int((~kept).sum()), means, deviations, outputs)

    def _target(self, values: Array) -> tuple[Tensor, tuple[str, ...]]:
        if not self.of_classes:
            return torch.from_numpy(values.copy()), (self.target,)
        found, codes = np.unique(values, return_inverse=True)
        if len(found) < 2 or (self.loss == "logistic" and len(found) > 2):
            raise Refused(422, "classes", target=self.target, count=str(len(found)))
        names = self.data.column(self.target).names_of(found)
        return torch.from_numpy(codes), names if self.loss == "softmax" else (names[1],)


def _check_target(data: DataSet, target: str, loss: str) -> None:
    suited = data.column(target).losses
    if loss not in suited:
        known = Said("suited", losses=", ".join(suited)) if suited else Said()
        raise Refused(422, "no_target", target=target, loss=loss, suited=known)


def _terms(data: DataSet, target: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The terms of the columns that were chosen as features."""
    found: list[str] = []
    for name in columns:
        if name == target:
            raise Refused(422, "own_feature", name=name)
        column = data.column(name)
        if not column.terms:
            raise Refused(422, "no_feature", name=name, levels=str(MOST_LEVELS))
        taken = [term for term in column.terms if term != name and term in data.columns]
        if taken:
            raise Refused(422, "taken", name=name, term=taken[0])
        found += column.terms
    if len(found) > MOST_FEATURES:
        raise Refused(422, "wide", count=str(len(found)), most=str(MOST_FEATURES))
    return tuple(found)


def _entrants(given: Any) -> tuple[Entrant, ...]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_RUNNERS:
        raise Refused(400, "runners", most=str(MOST_RUNNERS))
    found: dict[str, Entrant] = {}
    for one in given:
        entrant = _entrant(fields.record(one, "runners"), found)
        found[entrant.id] = entrant
    return tuple(found.values())


def _entrant(body: Mapping[str, Any], taken: Mapping[str, Entrant]) -> Entrant:
    solver = fields.choice(body, "solver", SOLVERS)
    kind = SOLVERS[solver]
    lr, size = body.get("lr"), body.get("batch_size")
    momentum = fields.number(body, "momentum", 0.0, 0.0, 0.9999)
    if solver == "momentum":
        momentum = momentum or MOMENTUM
    return Entrant(
        id=_id(body.get("id"), solver, taken),
        solver=solver,
        lr=fields.number(body, "lr", None, 1e-12, 1e12) if kind.descends and lr is not None else None,
        batch_size=fields.whole(body, "batch_size", None, 1)
        if kind.batches and size is not None
        else kind.batch_size,
        momentum=momentum if kind.momentum else 0.0,
    )


def _id(given: Any, solver: str, taken: Mapping[str, Entrant]) -> str:
    if given is None:
        names = [solver, *(f"{solver}-{place}" for place in range(2, MOST_RUNNERS + 1))]
        return next(name for name in names if name not in taken)
    if not isinstance(given, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", given) or given in taken:
        raise Refused(400, "runner_id")
    return given


def _start(given: Any, rows: int, columns: int) -> tuple[tuple[float, ...], ...] | None:
    if given is None:
        return None
    if not isinstance(given, list) or len(given) != rows:
        raise Refused(400, "start", rows=str(rows), columns=str(columns))
    exact = range(columns, columns + 1)
    return tuple(tuple(fields.numbers(row, "start", exact)) for row in given)


def _axes(given: Any, size: int) -> tuple[int, int] | None:
    if given is None:
        return None
    a, b = fields.numbers(given, "axes", range(2, 3))
    if a not in range(size) or b not in range(size) or a == b:
        raise Refused(400, "axes", most=str(size - 1))
    return int(a), int(b)
