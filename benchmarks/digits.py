"""Correct digits on the eleven linear regressions that NIST certifies: worst coefficient and standard error.

Digits are ``-log10(|value - truth| / |truth|)``, from 0 to 16; where the truth is 0, ``-log10 |value|``. The
truth is NIST's certificate recomputed from NIST's data in 60-digit arithmetic (``exact30`` of
tests/truth/nist/certified.json; its authors checked it against every digit that NIST prints).

Peers get the columns of the model as float64, powers included. torchlinear gets the data and the formula, and
in a second row the same ready-made columns as its peers.

    python benchmarks/digits.py            prints the digits
    python benchmarks/digits.py --write    also writes them to benchmarks/results/digits.csv
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pandas as pd

NIST = Path(__file__).parents[1] / "tests" / "truth" / "nist"
CERTIFIED = json.loads((NIST / "certified.json").read_text(encoding="utf-8"))["datasets"]
RESULTS = Path(__file__).parent / "results" / "digits.csv"
MOST = 16.0


@dataclass(frozen=True)
class Problem:
    """One set of NIST: the table, its columns as float64 (the intercept apart), and the certificate."""

    name: str
    frame: pd.DataFrame
    X: np.ndarray
    intercept: bool
    formula: str

    @property
    def y(self) -> np.ndarray:
        return self.frame["y"].to_numpy(dtype=float)

    @property
    def with_ones(self) -> np.ndarray:
        return np.column_stack([np.ones(len(self.X)), self.X]) if self.intercept else self.X

    @property
    def truth(self) -> dict[str, list[str]]:
        return CERTIFIED[self.name]["exact30"]


@dataclass(frozen=True)
class Answer:
    """What a program says: coefficients, the intercept first, and standard errors where it gives them."""

    coef: Iterable[float]
    se: Iterable[float] | None = None


def problem(name: str) -> Problem:
    frame, known = pd.read_csv(NIST / f"{name}.csv"), CERTIFIED[name]
    degree = known["poly_degree"] or 0
    columns = [column for column in frame if column != "y"]
    X = frame[columns].to_numpy(dtype=float)
    if degree > 1:
        X = np.column_stack([X[:, 0] ** k for k in range(1, degree + 1)])
    terms = f"poly(x, {degree}, raw=True)" if degree > 1 else " + ".join(columns)
    return Problem(name, frame, X, known["intercept"], f"y ~ {terms}" + " - 1" * (not known["intercept"]))


def digits(value: float, truth: str) -> float:
    if not math.isfinite(value):
        return 0.0
    with localcontext(prec=60):
        exact = Decimal(truth)
        error = abs(Decimal(float(value)) - exact) / (abs(exact) or 1)
        return MOST if error == 0 else min(MOST, max(0.0, float(-error.log10())))


def worst(values: Iterable[float] | None, truth: list[str]) -> float | None:
    return (
        None
        if values is None
        else min(digits(value, exact) for value, exact in zip(values, truth, strict=True))
    )


def torchlinear(given: Problem) -> Answer:
    import torchlinear as tl

    table = tl.fit(given.frame, formula=given.formula).summary().to_frame()
    return Answer(table["coef"], table["se"])


def torchlinear_columns(given: Problem) -> Answer:
    import torchlinear as tl

    table = tl.fit(given.X, given.y, intercept=given.intercept).summary().to_frame()
    return Answer(table["coef"], table["se"])


def numpy_lstsq(given: Problem) -> Answer:
    return Answer(np.linalg.lstsq(given.with_ones, given.y, rcond=None)[0])


def statsmodels_ols(given: Problem) -> Answer:
    import statsmodels.api as sm

    result = sm.OLS(given.y, given.with_ones).fit()
    return Answer(result.params, result.bse)


def scikit_learn(given: Problem, **options: float) -> Answer:
    from sklearn.linear_model import LinearRegression

    model = LinearRegression(fit_intercept=given.intercept, **options).fit(given.X, given.y)
    return Answer([model.intercept_, *model.coef_] if given.intercept else model.coef_)


SIDES: dict[str, Callable[[Problem], Answer]] = {
    "torchlinear": torchlinear,
    "torchlinear, ready-made columns": torchlinear_columns,
    "numpy.linalg.lstsq": numpy_lstsq,
    "statsmodels OLS": statsmodels_ols,
    "scikit-learn LinearRegression": scikit_learn,
    "scikit-learn LinearRegression(tol=0)": lambda given: scikit_learn(given, tol=0.0),
}


def measure(side: str, name: str) -> tuple[float, float | None]:
    """Correct digits of the worst coefficient and of the worst standard error (None where there is none)."""
    given = problem(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a program warns of does not change its digits
        answer = SIDES[side](given)
    coef = worst(answer.coef, given.truth["coef"])
    assert coef is not None
    return coef, worst(answer.se, given.truth["se"])


def main() -> None:
    parser = argparse.ArgumentParser(description="Correct digits on the certified sets of NIST.")
    parser.add_argument("--write", action="store_true", help="write results/digits.csv")
    write = parser.parse_args().write
    rows = []
    for name in CERTIFIED:
        for side in SIDES:
            coef, se = measure(side, name)
            rows.append([name, side, f"{coef:.1f}", "" if se is None else f"{se:.1f}"])
            print(f"{name:<10s} {side:<38s} {rows[-1][2]:>5s} {rows[-1][3]:>5s}")
    if write:
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows([["set", "side", "coef", "se"], *rows])


if __name__ == "__main__":
    main()
