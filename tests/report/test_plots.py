"""Pictures: what is drawn is the fit, on the Axes that was given, and nothing else changes."""

from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import torchlinear as tl
from torchlinear.errors import InvalidInput
from torchlinear.inference.intervals import prediction
from torchlinear.loop import History
from torchlinear.report.plots import plot, plot_loss


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.random((50, 1))
    return x, 3 * x[:, 0] + 0.8 + 0.3 * rng.normal(size=50)


def words(ax: Axes) -> str:
    legend = ax.get_legend()
    below = [text.get_text() for text in (*ax.texts, *(legend.get_texts() if legend else ()))]
    return " | ".join([ax.get_title(loc="left"), *below])


def test_points_line_band_and_words(rows: tuple) -> None:
    x, y = rows
    fit = tl.fit(x, y)
    ax = plot(fit.solution, x, y)
    scatter, band = ax.collections
    np.testing.assert_array_equal(scatter.get_offsets(), np.column_stack([x, y]))
    red, green, blue = to_rgb(scatter.get_facecolor()[0])
    assert red > 0.6 > 2 * max(green, blue)
    (line,) = ax.lines
    grid = line.get_xdata()
    assert (grid.min(), grid.max()) == (x.min(), x.max())
    np.testing.assert_allclose(line.get_ydata(), float(fit.intercept) + float(fit.coef) * grid, rtol=1e-12)
    at = prediction(fit.solution, grid[:, None], 0.95, "confidence")
    corners = band.get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(at.low.min())
    assert corners[:, 1].max() == pytest.approx(at.high.max())
    r2 = np.corrcoef(x[:, 0], y)[0, 1] ** 2
    for part in (fit.equation, f"R² = {r2:.3f}", "n = 50", "95% confidence band"):
        assert part in words(ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")


def test_more_features_predicted_against_observed() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    y = X @ [1.0, 2.0, 3.0, 4.0] + rng.normal(size=80)
    fit = tl.fit(X, y)
    ax = plot(fit.solution, X, y)
    (scatter,) = ax.collections
    np.testing.assert_allclose(scatter.get_offsets(), np.column_stack([y, fit.predict(X)]), rtol=1e-12)
    (diagonal,) = ax.lines
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("observed y", "predicted y")
    assert f"R² = {np.corrcoef(fit.predict(X), y)[0, 1] ** 2:.3f}" in words(ax)


def test_one_of_several_targets_is_named() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    Y = X @ rng.normal(size=(2, 3)) + rng.normal(size=(30, 3))
    fit = tl.fit(X, Y)
    for target, j in ((0, 0), (2, 2), ("y1", 1)):
        ax = plot(fit.solution, X, Y, target=target)
        assert f"target y{j} ({j + 1} of 3)" in words(ax)
        np.testing.assert_allclose(ax.collections[0].get_offsets()[:, 0], Y[:, j])
        assert fit.equation.splitlines()[j] == ax.get_title(loc="left")
    with pytest.raises(InvalidInput, match=r"'y9' is not known.*Known: y0, y1, y2"):
        plot(fit.solution, X, Y, target="y9")
    with pytest.raises(InvalidInput, match="out of range"):
        plot(fit.solution, X, Y, target=3)


def test_many_rows_are_sampled_and_said_to_be() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=5000)
    y = x + rng.normal(size=5000)
    fit = tl.fit(x, y)
    ax = plot(fit.solution, x[:, None], y)
    drawn = ax.collections[0].get_offsets()
    assert len(drawn) == 2000
    assert set(map(tuple, drawn)) <= set(zip(x, y, strict=True))
    assert ax.collections[0].get_rasterized()
    assert "2,000 of 5,000 rows drawn" in words(ax)
    assert "n = 5,000" in words(ax)
    ax = plot(fit.solution, x[:100, None], y[:100], total=5000)
    assert "100 of 5,000 rows drawn" in words(ax)
    assert f"R² = {np.corrcoef(x, y)[0, 1] ** 2:.3f}" in words(ax), "of all rows, not of those drawn"


def test_no_band_where_no_errors_apply(rows: tuple) -> None:
    x, y = rows
    for solution in (
        tl.fit(x, y, penalty="l2").solution,
        replace(tl.fit(x, y).solution, certificate=0.01),
        replace(tl.fit(x, y).solution, evidence=None),
    ):
        ax = plot(solution, x, y)
        assert len(ax.collections) == 1
        assert "band" not in words(ax)
        assert "R² = " in words(ax)


def test_only_the_given_axes_changes(rows: tuple) -> None:
    x, y = rows
    before, figures = dict(matplotlib.rcParams), plt.get_fignums()
    figure = Figure()
    left, right = figure.subplots(1, 2)
    frame = {name: spine.get_visible() for name, spine in right.spines.items()}
    assert plot(tl.fit(x, y).solution, x, y, ax=left) is left
    history = History()
    history.extend(torch.tensor([2.0, 1.0]))
    assert plot_loss(history, ax=left) is left
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == figures
    assert not right.has_data()
    assert {name: spine.get_visible() for name, spine in right.spines.items()} == frame


def test_a_new_figure_is_one_that_show_shows(rows: tuple) -> None:
    ax = plot(tl.fit(*rows).solution, *rows)
    assert ax.figure.number in plt.get_fignums()


def test_names_are_not_formulas(rows: tuple) -> None:
    x, y = rows
    ax = plot(replace(tl.fit(x, y).solution, names=("$a_{$",), targets=("in $ of $\\frac",)), x, y)
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == "$a_{$"


def test_rows_of_another_fit_are_refused(rows: tuple) -> None:
    x, y = rows
    with pytest.raises(InvalidInput, match=r"X has shape \(50, 2\).*expected \(n, 1\)"):
        plot(tl.fit(x, y).solution, np.hstack([x, x]), y)


def history(losses: np.ndarray) -> History:
    made = History()
    made.extend(torch.from_numpy(losses))
    return made


def test_loss_by_epoch() -> None:
    losses = 1 + np.exp(-np.arange(50) / 9)
    ax = plot_loss(history(losses))
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_ydata(), losses)
    np.testing.assert_array_equal(line.get_xdata(), np.arange(50))
    assert ax.get_yscale() == "linear"
    assert "50 epochs, last loss 1.004" in words(ax)


def test_losses_of_many_powers_of_ten_are_logarithmic() -> None:
    assert plot_loss(history(4 * np.exp(-np.arange(3000) / 100.0))).get_yscale() == "log"


def test_the_gap_to_the_optimum() -> None:
    losses = 0.09 + 4 * np.exp(-np.arange(1000) / 50.0)
    ax = plot_loss(history(losses), best=0.09)
    loss, gap, best = ax.lines
    np.testing.assert_array_equal(loss.get_ydata(), losses)
    np.testing.assert_array_equal(gap.get_ydata(), losses - 0.09)
    assert set(best.get_ydata()) == {0.09}
    assert ax.get_yscale() == "log"
    assert "above the exact optimum 0.09000" in words(ax)
    assert "gap to the optimum" in words(ax)


def test_an_optimum_of_zero_needs_no_line() -> None:
    ax = plot_loss(history(4 * np.exp(-np.arange(1000) / 50.0)), best=0.0)
    assert len(ax.lines) == 1
    assert "above the exact optimum 0" in words(ax)


def test_a_diverged_run_is_drawn_and_named() -> None:
    losses = np.append(10.0 ** np.arange(0.0, 300.0, 10.0), [np.inf, np.nan])
    ax = plot_loss(history(losses))
    ax.figure.canvas.draw()
    assert "diverged" in words(ax)


def test_no_epochs_no_picture() -> None:
    with pytest.raises(InvalidInput, match="exact solver takes no epochs"):
        plot_loss(History())


@pytest.fixture
def patients() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    dose, age = rng.normal(size=90), rng.uniform(20, 80, 90)
    state = np.where(dose + (age - 50) / 20 + rng.logistic(size=90) > 0, "sick", "well")
    days = rng.integers(1, 60, 90) * 1.0
    return {
        "dose": dose,
        "age": age,
        "state": state,
        "days": days,
        "falls": rng.poisson(days * np.exp(dose / 3 - 2)),
    }


def test_the_curve_of_two_classes(patients: dict) -> None:
    x = patients["dose"]
    fit = tl.fit(x[:, None], patients["state"], loss="logistic")
    ax = fit.plot()
    np.testing.assert_array_equal(
        ax.collections[0].get_offsets(), np.column_stack([x, patients["state"] == "well"])
    )
    (line,) = ax.lines
    np.testing.assert_allclose(
        line.get_ydata(), fit.predict_proba(line.get_xdata()[:, None])[:, 1], rtol=1e-12
    )
    assert ax.get_ylabel() == "y = well"
    found = fit.solution.information
    share = 1 - float(found.deviance[0] / found.null_deviance[0])
    for part in (fit.equation, f"deviance explained = {share:.3f}", "n = 90"):
        assert part in words(ax)
    assert "band" not in words(ax)


def test_labels_of_rows_that_are_given_again(patients: dict) -> None:
    x, state = patients["dose"][:, None], patients["state"]
    fit = tl.fit(x, state, loss="logistic")
    drawn = fit.plot().collections[0].get_offsets()
    np.testing.assert_array_equal(fit.plot(data=x, y=state.tolist()).collections[0].get_offsets(), drawn)
    framed = tl.fit({"dose": x[:, 0]}, state, loss="logistic")
    again = framed.plot(data={"dose": x[:, 0]}, y=state)
    np.testing.assert_array_equal(again.collections[0].get_offsets(), drawn)
    with pytest.raises(
        InvalidInput, match=r"y holds 'cured', which is none of the classes of the fit: sick, well"
    ):
        fit.plot(data=x, y=["cured"] * 90)
    with pytest.raises(InvalidInput, match=r"y has 3 labels for 90 rows"):
        fit.plot(data=x, y=["sick"] * 3)


def test_two_classes_of_several_features_over_the_linear_predictor(patients: dict) -> None:
    X = np.column_stack([patients["dose"], patients["age"]])
    fit = tl.fit(X, patients["state"], loss="binomial", link="probit")
    ax = fit.plot()
    eta = fit.predict(X, kind="link")
    np.testing.assert_allclose(ax.collections[0].get_offsets()[:, 0], eta, rtol=1e-12)
    (line,) = ax.lines
    assert (line.get_xdata().min(), line.get_xdata().max()) == pytest.approx(
        (eta.min(), eta.max()), rel=1e-12
    )
    assert ax.get_xlabel() == "probit P(y=well)"


def test_counts_with_exposure_predicted_against_observed(patients: dict) -> None:
    fit = tl.fit(patients, "falls", columns=["dose"], loss="poisson", exposure="days")
    ax = fit.plot()
    expected = np.column_stack([patients["falls"], fit.predict(patients)])
    np.testing.assert_allclose(ax.collections[0].get_offsets(), expected, rtol=1e-12)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("observed falls", "predicted falls")


def test_an_offset_that_was_taken_off_is_named(patients: dict) -> None:
    target = 3 * patients["dose"] + patients["days"]
    fit = tl.fit(patients["dose"][:, None], target, offset=patients["days"])
    ax = fit.plot()
    shown = np.column_stack([patients["dose"], target - patients["days"]])
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), shown)
    assert ax.get_ylabel() == "y - offset"


def test_a_softmax_has_no_line(patients: dict) -> None:
    fit = tl.fit(patients["dose"][:, None], np.arange(90) % 3, loss="softmax")
    with pytest.raises(InvalidInput, match=r"one for each of 3 classes; fit.predict_proba\(X\)"):
        fit.plot()
