"""Softmax on embeddings, 20,000 x 256 with 20 classes and a spectrum that decays 100-fold: one fit, and a sweep.

Every side is run to the same objective: the peers with the loosest tolerance, of those listed, that comes within
1e-8 of the optimum; ours ends at a duality gap of 1e-8.

    python benchmarks/softmax_probe.py [fit] [sweep]
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from harness import Side, machine, race, report, seconds
from sklearn.linear_model import LogisticRegression

import torchlinear as tl
from torchlinear.probe.choice import Settings, solved
from torchlinear.probe.sweep import Moments

ROWS, COLUMNS, CLASSES = 20_000, 256, 20
GAP = 1e-8
TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)


def embeddings() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(COLUMNS, COLUMNS))).Q
    spectrum = np.logspace(0, -2, COLUMNS)
    inner = rng.normal(size=(ROWS, COLUMNS)) * spectrum
    eta = 3.0 * inner @ rng.normal(size=(COLUMNS, CLASSES)) / np.linalg.norm(spectrum)
    return inner @ rotation.T, (eta + rng.gumbel(size=(ROWS, CLASSES))).argmax(axis=1)


X, y = embeddings()


def objective(weight: np.ndarray, intercept: np.ndarray, alpha: float) -> float:
    eta = torch.from_numpy(X @ weight.T + intercept)
    loss = torch.nn.functional.cross_entropy(eta, torch.from_numpy(y))
    return float(loss) + alpha / 2 * float(np.square(weight).sum())


def of_layer(layer: torch.nn.Linear, alpha: float) -> float:
    weight, bias = (part.detach().double().numpy() for part in (layer.weight, layer.bias))
    return objective(weight, bias, alpha)


def peer(alpha: float, solver: str, tol: float) -> LogisticRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that max_iter was reached
        return LogisticRegression(C=1 / (ROWS * alpha), solver=solver, tol=tol, max_iter=5_000).fit(X, y)


def tolerance(alpha: float, solver: str, best: float) -> tuple[float, float]:
    """The loosest tolerance that reaches the objective, and the seconds that it took."""
    for tol in TOLERANCES:
        began = time.perf_counter()
        found = peer(alpha, solver, tol)
        took = time.perf_counter() - began
        if objective(found.coef_, found.intercept_, alpha) <= best * (1 + GAP):
            return tol, took
    raise SystemExit(f"{solver} does not reach the objective at alpha = {alpha:g}")


def one_fit() -> None:
    alpha = 1.0 / ROWS  # scikit-learn's C = 1
    best = of_layer(tl.LinearProbe([alpha], tol=1e-12).fit(X, y).module, alpha)
    rows32 = torch.from_numpy(X).float()
    ours: dict[str, Callable[[], object]] = {
        "torchlinear tl.LinearProbe, float64 rows": lambda: tl.LinearProbe([alpha]).fit(X, y),
        "torchlinear tl.LinearProbe, float32 rows": lambda: tl.LinearProbe([alpha]).fit(rows32, y),
        "torchlinear tl.fit": lambda: tl.fit(X, y, loss="softmax", penalty=tl.L2(alpha)),
    }
    above = of_layer(tl.LinearProbe([alpha]).fit(X, y).module, alpha) / best - 1
    print(f"gap of ours: {above:.1e}")
    assert above <= GAP
    peers = []
    for solver in ("lbfgs", "newton-cg"):
        tol, _ = tolerance(alpha, solver, best)
        work = lambda solver=solver, tol=tol: peer(alpha, solver, tol)  # noqa: E731
        peers.append(Side(f"scikit-learn {solver}, tol={tol:g}", work, 3))
    first, *others = (Side(name, work, 5) for name, work in ours.items())
    race(
        f"softmax, {ROWS:,} x {COLUMNS}, {CLASSES} classes",
        first,
        *peers,
        goal="at least 5",
        file="softmax_probe",
    )
    for side in others:
        print(f"  {side.name:<44s} {1e3 * min(seconds(side.work) for _ in range(3)):12.3f} ms")


def sweep() -> None:
    """Ours solved together, and a peer's fits one after another, each timed once at the tolerance that it needs."""
    alphas = tl.LinearProbe(20).fit(X, y).results["penalty"].to_numpy()
    settings = Settings(CLASSES, True, GAP, torch.device("cpu"))

    def ours(tol: float = GAP) -> list[float]:
        asked = replace(settings, tolerance=tol)
        loaded = asked.load(torch.from_numpy(X), torch.from_numpy(y))
        fitted = solved(loaded, torch.from_numpy(alphas), Moments(loaded), asked)
        return [objective(coef[:-1].T, coef[-1], alpha) for alpha, coef in zip(alphas, fitted.coef.numpy())]

    exact = ours(1e-12)
    assert all(found <= best * (1 + GAP) for found, best in zip(ours(), exact))
    title = f"sweep of {len(alphas)} penalties of that softmax"
    print(f"{title}\n{machine()}")
    together = float(np.median([seconds(ours) for _ in range(3)]))
    theirs = 0.0
    for alpha, best in zip(alphas, exact):
        tol, took = tolerance(alpha, "newton-cg", best)
        theirs += took
        print(f"  scikit-learn newton-cg, alpha={alpha:.2e}: tol={tol:g}, {took:.2f} s", flush=True)
    medians = {"torchlinear, solved together": together, "scikit-learn newton-cg, 20 fits": theirs}
    report(title, medians, goal="at least 10", file="softmax_probe")


if __name__ == "__main__":
    asked = sys.argv[1:] or ["fit", "sweep"]
    if "fit" in asked:
        one_fit()
    if "sweep" in asked:
        sweep()
