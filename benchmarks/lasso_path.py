"""Lasso paths of 100 penalties: 1,000,000 x 100 (more rows than columns) and 500 x 20,000 (more columns).

    python benchmarks/lasso_path.py [tall] [wide]

Every side solves the same 100 problems, without an intercept on centred columns in the order that the peers prefer
(column-major), to an objective within 1e-8 of the least. A peer gets the loosest of its tolerances that reaches
that; the search for it is not timed. celer and skglm come with the extra `bench`; adelie asks for an older NumPy than
torchlinear, so it is installed beside it by `pip install --no-deps adelie` where it is wanted.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from harness import machine, report, seconds
from numpy.typing import NDArray
from sklearn.linear_model import lasso_path

import torchlinear as tl

Array = NDArray[np.float64]

PENALTIES = 100
EXCESS = 1e-8  # of the objective above the least, relative, at the worst of the penalties
TOLERANCES = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
PATIENCE = 15.0  # seconds of a run from which on the one of the search for its tolerance counts


@dataclass(frozen=True)
class Problem:
    """Centred rows, and strengths as scikit-learn counts them: 1 / (2 n) |y - X b|^2 + alpha |b|_1."""

    X: Array
    y: Array
    alphas: Array

    def values(self, coefs: Array) -> Array:
        """Objective at coefficients, shape (m, p), of the m strengths."""
        fitted = np.empty(len(coefs))
        for i, b in enumerate(coefs):
            support = np.flatnonzero(b)
            fitted[i] = np.square(self.y - self.X[:, support] @ b[support]).sum() / (2 * len(self.y))
        return fitted + self.alphas * np.abs(coefs).sum(axis=1)


def made(rows: int, columns: int, matter: int, weakest: float) -> Problem:
    """Columns that correlate (one factor explains a fifth of each), of which some matter."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(columns, rows)).T
    X += 0.5 * rng.normal(size=(rows, 1))
    X -= X.mean(axis=0)
    b = np.zeros(columns)
    b[rng.choice(columns, matter, replace=False)] = rng.normal(size=matter)
    y = X @ b
    y += y.std() * rng.normal(size=rows)
    y -= y.mean()
    top = np.abs(X.T @ y).max() / rows
    return Problem(X, y, np.geomspace(top, weakest * top, PENALTIES))


def torchlinear_path(problem: Problem) -> Array:
    path = tl.path(problem.X, problem.y, alphas=2.0 * problem.alphas, intercept=False)
    return path.coef[:, :-1, 0].numpy()


def sklearn_path(problem: Problem, tol: float) -> Array:
    _, coefs, _ = lasso_path(problem.X, problem.y, alphas=problem.alphas, tol=tol, max_iter=1_000_000)
    return coefs.T


def celer_path(problem: Problem, tol: float) -> Array:
    from celer import celer_path as solve

    _, coefs, _ = solve(problem.X, problem.y, "lasso", alphas=problem.alphas, tol=tol, max_iter=1_000)
    return coefs.T


def skglm_path(problem: Problem, tol: float) -> Array:
    from skglm.estimators import Lasso

    model = Lasso(alpha=1.0, fit_intercept=False, tol=tol, max_iter=1_000)
    return model.path(problem.X, problem.y, problem.alphas)[1].T


def adelie_path(problem: Problem, tol: float) -> Array:
    adelie = import_module("adelie")
    state = adelie.grpnet(
        problem.X, adelie.glm.gaussian(problem.y), lmda_path=problem.alphas, intercept=False, tol=tol * tol,
        early_exit=False, progress_bar=False,
    )  # fmt: skip
    return state.betas.toarray()


def adelie_moments(problem: Problem, tol: float) -> Array:
    """Its algorithm on cross products, which NumPy forms."""
    adelie = import_module("adelie")
    X, n = problem.X, len(problem.y)
    state = adelie.gaussian_cov(
        np.asfortranarray(X.T @ X / n), X.T @ problem.y / n, lmda_path=problem.alphas, tol=tol * tol,
        early_exit=False, progress_bar=False, rdev_tol=0,
    )  # fmt: skip
    return state.betas.toarray()


PEERS: dict[str, tuple[str, Callable[[Problem, float], Array]]] = {
    "scikit-learn lasso_path": ("sklearn", sklearn_path),
    "celer celer_path": ("celer", celer_path),
    "skglm Lasso.path": ("skglm", skglm_path),
    "adelie grpnet": ("adelie", adelie_path),
    "adelie gaussian_cov of X'X": ("adelie", adelie_moments),
}


def compare(title: str, problem: Problem, goal: str, repeats: int, skip: tuple[str, ...] = ()) -> None:
    """Time all sides; a peer that cannot reach the objective is said to."""
    small = made(300, 40, 5, 0.1)
    torchlinear_path(small)
    print(f"{title}\n{machine()}")
    least = problem.values(torchlinear_path(problem))
    medians = {"torchlinear tl.path": 0.0}
    work: dict[str, Callable[[], object]] = {"torchlinear tl.path": lambda: torchlinear_path(problem)}
    for name, (package, solve) in PEERS.items():
        if name in skip:
            continue
        if find_spec(package) is None:
            print(f"  {name}: not installed")
            continue
        solve(small, 1e-4)  # compiles
        tol, took = tolerance(name, problem, solve, least)
        if tol is None:
            continue
        medians[name] = took
        if took < PATIENCE:
            work[name] = lambda solve=solve, tol=tol: solve(problem, tol)
    times = {name: [seconds(run) for _ in range(repeats)] for name, run in work.items()}
    medians |= {name: float(np.median(values)) for name, values in times.items()}
    report(title, medians, goal=goal, file="lasso_path")


def tolerance(
    name: str, problem: Problem, solve: Callable[[Problem, float], Array], least: Array
) -> tuple[float | None, float]:
    """The loosest tolerance that reaches the objective, and the seconds that it took."""
    for tol in TOLERANCES:
        began = time.perf_counter()
        coefs = solve(problem, tol)
        took = time.perf_counter() - began
        if len(coefs) < PENALTIES:
            print(f"  {name}: ends after {len(coefs)} penalties")
            return None, took
        excess = float((problem.values(coefs) / least - 1.0).max())
        assert (problem.values(coefs) / least - 1.0).min() > -1e-11, "ours is not the least"
        if excess <= EXCESS:
            print(f"  {name}: tol={tol:g}, {excess:.1e} above the least objective, {took:.1f} s", flush=True)
            return tol, took
    print(f"  {name}: still {excess:.1e} above the least objective at tol={tol:g}")
    return None, took


def main() -> None:
    warnings.simplefilter("ignore")  # a tolerance that is not reached shows in the objective
    asked = sys.argv[1:] or ["tall", "wide"]
    if "wide" in asked:
        problem = made(500, 20_000, 50, 1e-2)
        skip = ("adelie gaussian_cov of X'X",)  # it would form 20,000 x 20,000
        compare("lasso path, 500 x 20,000, 100 penalties", problem, "at least 1", 3, skip)
    if "tall" in asked:
        problem = made(1_000_000, 100, 30, 1e-3)
        compare("lasso path, 1,000,000 x 100, 100 penalties", problem, "at least 5", 3)


if __name__ == "__main__":
    main()
