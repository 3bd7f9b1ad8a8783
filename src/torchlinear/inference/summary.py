"""Summary: all that a fit says about itself, as a record that prints well.

Standard errors, t, p and intervals stand in it only where they are what they claim to be: at the optimum of
a least-squares fit without penalty. Elsewhere they are NaN, and a note says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from torchlinear.errors import InvalidInput, MissingExtra
from torchlinear.inference.contrasts import against
from torchlinear.inference.covariance import observations, refusal, residual_df, types
from torchlinear.inference.likelihood import Likelihood, likelihood
from torchlinear.inference.table import Coefficients, tables_of
from torchlinear.inference.tests import Quality, critical, quality
from torchlinear.information import Information
from torchlinear.labels import Label
from torchlinear.leastsquares import LeastSquares
from torchlinear.registry import suggestion
from torchlinear.sandwich import Sandwich
from torchlinear.solution import Solution

if TYPE_CHECKING:
    import pandas

__all__ = ["Summary", "summarise"]

KNOWN = ("classical",)
PERFECT = 1e-30  # of the target's mean square: residual variance that is rounding alone, as R's lm judges


@dataclass(frozen=True, slots=True)
class Summary:
    """What `Fit.summary` returns: ``print`` it, or take `tables`, `to_frame()`, `to_dict()`.

    Attributes
    ----------
    tables : tuple of Coefficients
        One for each target.
    quality : Quality, Likelihood or None
        R2, F and the like of least squares, or deviances of maximum likelihood, each of shape (k,); None when
        the fit kept neither.
    inference : bool
        Whether standard errors apply.
    notes : tuple of str
        Sentences that a reader needs to know.
    cov, level
        Type of the covariance; level of the intervals.
    how : str
        How it was computed, in words.
    rows : int or None
        Rows with a weight above zero.
    weight : float or None
        Sum of the weights.
    features, intercept, loss, penalty, weight_type, solver, status, certificate, epochs, classes, offset
        As in the solution.
    """

    tables: tuple[Coefficients, ...]
    quality: Quality | Likelihood | None
    inference: bool
    notes: tuple[str, ...]
    cov: str
    level: float
    rows: int | None
    weight: float | None
    features: tuple[str, ...]
    intercept: bool
    loss: str
    penalty: str
    weight_type: str | None
    solver: str
    status: str
    certificate: float
    epochs: int
    classes: tuple[Label, ...] | None = None
    offset: str | None = None
    how: str = ""

    def __str__(self) -> str:
        from torchlinear.inference.text import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from torchlinear.inference.markup import as_html

        return as_html(self)

    def to_frame(self) -> pandas.DataFrame:
        """Return the coefficients as a pandas frame.

        Returns
        -------
        pandas.DataFrame
            Index: names, ``Intercept`` first; (target, name) for several targets. Columns: ``coef, se, t, p,
            low, high``.

        Raises
        ------
        MissingExtra
            When pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MissingExtra(
                "to_frame() needs pandas: python -m pip install pandas; to_dict() works without it."
            ) from None
        frames = {
            table.target: pandas.DataFrame(table.columns, index=pandas.Index(table.names, name="name"))
            for table in self.tables
        }
        if len(self.tables) == 1:
            return frames[self.tables[0].target]
        return pandas.concat(frames, names=["target", "name"])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists, texts and numbers for JSON; None for what is NaN or infinite."""
        return {
            "targets": {table.target: self._target(j) for j, table in enumerate(self.tables)},
            "cov": self.cov if self.inference else None,
            "level": self.level,
            "rows": self.rows,
            "weight": _plain(self.weight),
            "weight_type": self.weight_type,
            "intercept": self.intercept,
            "loss": self.loss,
            "classes": None if self.classes is None else list(self.classes),
            "offset": self.offset,
            "penalty": self.penalty,
            "solver": self.solver,
            "status": self.status,
            "certificate": _plain(self.certificate),
            "epochs": self.epochs,
            "notes": list(self.notes),
        }

    def _target(self, j: int) -> dict[str, Any]:
        table, fields = self.tables[j], {}
        if self.quality is not None:
            values = (
                (field.name, getattr(self.quality, field.name)) for field in dataclass_fields(self.quality)
            )
            fields = {name: _plain(value if isinstance(value, float) else value[j]) for name, value in values}
        columns = {name: [_plain(value) for value in values] for name, values in table.columns.items()}
        return {"names": list(table.names), "dropped": list(table.dropped), **columns, **fields}


def summarise(
    solution: Solution, cov: str = "classical", level: float = 0.95, base: Label | None = None
) -> Summary:
    """Summarise a fit.

    Parameters
    ----------
    solution : Solution
        The fit.
    cov : str
        Type of the covariance. ``"classical"`` is the usual one of each loss: of squared loss one variance for all rows
        (divided by their weights), of likelihoods the expected information, of Huber's that of R's rlm, of quantiles
        ``"robust"``; they have ``"iid"`` too.
    level : float
        Level of the confidence intervals.
    base : label, optional
        The class of a softmax that the others are compared with; without it, coefficients sum to zero over the classes.

    Returns
    -------
    Summary
        Prints as a table.

    Raises
    ------
    InvalidInput
        When `cov` or `base` is not known, or `level` is not between 0 and 1.
    """
    possible = tuple(dict.fromkeys((*KNOWN, *types(solution))))
    if cov not in possible:
        hint = suggestion(str(cov).lower(), possible)
        raise InvalidInput(f"cov={cov!r} is not known{hint}. Known: {', '.join(possible)}.")
    critical(level, 1.0)  # refuses a bad level whatever the fit
    cov = cov if cov in types(solution) else types(solution)[0]
    solution = solution if base is None else against(solution, base)
    known = solution.known
    return Summary(
        tables=tables_of(solution, level, cov),
        quality=None if known is None else _quality(solution, known),
        inference=refusal(solution) is None,
        notes=tuple(_notes(solution)),
        cov=cov,
        level=level,
        rows=solution.rows if known is None else known.rows,
        weight=None if known is None else known.weight,
        features=solution.names,
        intercept=solution.intercept,
        loss=solution.loss,
        penalty=solution.penalty,
        weight_type=solution.weight_type,
        solver=solution.solver,
        status=solution.status.label,
        certificate=solution.certificate,
        epochs=len(solution.history),
        classes=solution.classes,
        offset=solution.offset,
        how=_how(solution, known, cov),
    )


def _how(solution: Solution, known: LeastSquares | Information | Sandwich | None, cov: str) -> str:
    """How the covariance was computed."""
    if isinstance(known, Sandwich):
        return known.words[cov]
    if isinstance(known, Information):
        return "expected information"
    weighted = ", divided by its weight" if solution.weight_type == "precision" else ""
    return f"one variance for every row{weighted}"


def _quality(solution: Solution, known: LeastSquares | Information | Sandwich) -> Quality | Likelihood | None:
    """Quality of the fit; NaN for what holds only at the optimum of a fit without penalty, elsewhere."""
    if isinstance(known, Sandwich):
        return None
    if isinstance(known, Information):
        return likelihood(solution, known)
    full = quality(solution, known)
    if refusal(solution) is None:
        return full
    unknown = np.full_like(full.r2, math.nan)
    return replace(
        full,
        model_df=math.nan,
        residual_df=math.nan,
        sigma=unknown,
        adjusted_r2=unknown,
        f=unknown,
        f_p=unknown,
        log_likelihood=unknown,
        aic=unknown,
        bic=unknown,
    )


def _notes(solution: Solution) -> list[str]:
    reason, known = refusal(solution), solution.evidence
    notes = [] if reason is None else [f"No standard errors: {reason}"]
    family = solution.family
    if family is not None and not family.separable and len(solution.targets) == len(solution.classes or ()):
        notes.append(
            "Coefficients sum to zero over the classes; summary(base=...) compares them with one of them."
        )
    if reason is None and solution.penalty == "Firth()":
        notes.append("Intervals are Wald's, at the estimates of Firth; of separated targets they are rough.")
    if known is None:
        return notes + _dropped(solution)
    if reason is None and residual_df(solution, known) <= 0:
        notes.append(
            f"No standard errors: {observations(solution, known):g} observations and "
            f"{known.rank + int(solution.intercept)} coefficients leave no degrees of freedom to "
            "estimate the scatter from; more rows or fewer features give them."
        )
    elif reason is None and _perfect(known).any():
        notes.append(
            "The fit is perfect to the last digit: standard errors, t and p describe rounding, not data."
        )
    notes += _dropped(solution)
    if (known.tss == 0).any():
        notes.append("A target does not vary, so R2 and F are undefined.")
    return notes


def _dropped(solution: Solution) -> list[str]:
    if not solution.dropped:
        return []
    names = ", ".join(solution.dropped)
    return [f"Dropped: {names}: constant, or a linear combination of the columns before; coefficient 0."]


def _perfect(known: LeastSquares) -> NDArray[np.bool_]:
    """Targets whose residuals are rounding alone, shape (k,)."""
    square = known.tss / known.weight + np.square(known.mean[len(known.dependent) :])
    return np.asarray((known.tss > 0) & (known.rss / known.weight <= PERFECT * square))


def _plain(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
