"""The picture of a cross-validation shows the errors, their bars, and both choices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes

from torchlinear.report.validation import Errors, plot_errors

ALPHA = np.geomspace(10.0, 0.01, 30)
MEAN = 1.0 + (np.log10(ALPHA) + 1.0) ** 2 / 10


@pytest.fixture
def errors() -> Errors:
    return Errors(
        ALPHA, MEAN, np.full(30, 0.05), np.arange(30), [""] * 30, best=20, one_standard_error=14, chosen=14,
        splits=5, measure="mean squared error",
    )  # fmt: skip


def words(ax: Axes) -> str:
    legend = ax.get_legend()
    assert legend is not None
    return " | ".join(text.get_text() for text in (*ax.texts, *legend.get_texts()))


def test_the_curve_its_bars_and_the_choices(errors: Errors) -> None:
    ax = plot_errors(errors)
    curve = next(line for line in ax.lines if line.get_label() == "mean error")
    np.testing.assert_array_equal(curve.get_xdata(), ALPHA[::-1])
    np.testing.assert_array_equal(curve.get_ydata(), MEAN[::-1])
    (bars,) = ax.collections
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose(ends, np.column_stack([MEAN - 0.05, MEAN + 0.05])[::-1])
    marked = {
        str(line.get_label()): line.get_xdata()[0] for line in ax.lines if "erro" in str(line.get_label())
    }
    assert marked["least error"] == ALPHA[20]
    assert marked["one standard error (chosen)"] == ALPHA[14]
    assert ax.get_xscale() == "log"
    assert ax.get_yscale() == "linear"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("strength of the penalty, alpha", "mean squared error")
    assert f"alpha = {ALPHA[14]:.4f}" in words(ax)
    assert "14 features, 5 splits" in words(ax)
    assert "29 features" in words(ax)  # along the top, at the weakest penalty


def test_one_curve_for_each_mix(errors: Errors) -> None:
    two = replace(errors, curve=["mix 0.1"] * 15 + ["mix 0.9"] * 15)
    ax = plot_errors(two)
    lengths = {line.get_label(): len(line.get_xdata()) for line in ax.lines if "mix" in str(line.get_label())}
    assert lengths == {"mix 0.1": 15, "mix 0.9": 15}
    assert len(ax.collections[0].get_segments()) == 15  # bars on the curve of the best alone


def test_without_a_standard_error_there_are_no_bars(errors: Errors) -> None:
    ax = plot_errors(replace(errors, standard_error=np.full(30, np.nan)))
    assert not ax.collections
    assert "±" not in words(ax)


def test_errors_of_many_sizes_are_on_a_logarithmic_axis(errors: Errors) -> None:
    ax = plot_errors(replace(errors, mean=MEAN**30, measure="mean deviance: logistic"))
    assert ax.get_yscale() == "log"
    assert ax.get_ylabel() == "mean deviance: logistic"


def test_a_strength_of_zero_has_a_place(errors: Errors) -> None:
    ax = plot_errors(replace(errors, alpha=np.append(ALPHA[:-1], 0.0)))
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    assert low < 0.0 < high
