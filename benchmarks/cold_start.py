"""Cold: a fresh process imports and fits 10,000 x 10, second run on a machine; against scikit-learn."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from harness import machine, report, seconds

PROGRAM = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.normal(size=(10_000, 10)); y = X.sum(axis=1)
from {package} import LinearRegression
LinearRegression().fit(X, y)
"""


def cold(package: str) -> float:
    program = PROGRAM.format(package=package)
    return seconds(lambda: subprocess.run([sys.executable, "-c", program], check=True))


if __name__ == "__main__":
    print(machine())
    cold("torchlinear")
    times = [(cold("torchlinear"), cold("sklearn.linear_model")) for _ in range(7)]
    ours, theirs = median(a for a, _ in times), median(b for _, b in times)
    report(
        "cold LinearRegression().fit, 10,000 x 10",
        {"torchlinear": ours, "scikit-learn": theirs},
        goal="at most 2.5 s slower",
        file="cold_start",
    )
    print(f"torchlinear is {ours - theirs:.2f} s slower (goal: at most 2.5 s)")
