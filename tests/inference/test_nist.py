"""The analysis of variance that NIST certifies, recomputed to 30 digits."""

import json
from pathlib import Path

import pandas as pd
import pytest

import torchlinear as tl

NIST = Path(__file__).parent.parent / "truth" / "nist"
SETS = json.loads((NIST / "certified.json").read_text())["datasets"]
PERFECT = ("Wampler1", "Wampler2")

# Relative. F and R2 come from rss and tss, which keep 13 digits or more; F of Wampler5 (R2 = 0.002)
# loses two of them to the difference of the two, as it would anywhere.
TOLERANCE = 1e-11


def whole(name: str) -> dict:
    known, frame = SETS[name], pd.read_csv(NIST / f"{name}.csv")
    degree = known["poly_degree"] or 0
    features = f"poly(x, {degree}, raw=True)" if degree > 1 else " + ".join(c for c in frame if c != "y")
    fit = tl.fit(frame, formula=f"y ~ {features}" + ("" if known["intercept"] else " - 1"))
    return fit.summary().to_dict()["targets"]["y"]


@pytest.mark.parametrize("name", [name for name in SETS if name not in PERFECT])
def test_analysis_of_variance(name: str) -> None:
    got, truth, anova = whole(name), SETS[name]["exact30"], SETS[name]["anova"]
    assert (got["model_df"], got["residual_df"]) == (anova["reg_df"], anova["res_df"])
    assert got["sigma"] == pytest.approx(float(truth["resid_sd"]), rel=TOLERANCE)
    assert got["r2"] == pytest.approx(float(truth["r2"]), rel=TOLERANCE)
    assert got["f"] == pytest.approx(float(truth["F"]), rel=TOLERANCE)


@pytest.mark.parametrize("name", PERFECT)
def test_perfect_fits(name: str) -> None:
    got = whole(name)
    assert got["r2"] == 1.0
    assert got["f"] is None or got["f"] > 1e25
    assert got["f_p"] == 0.0
    assert got["sigma"] < 1e-9 * max(abs(value) for value in got["coef"])
    assert all(p == 0.0 for p in got["p"])
