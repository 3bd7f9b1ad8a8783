"""Picture of a probe's sweep: log-loss and accuracy on held-out rows against the strength of the penalty."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from torchlinear.inference.numerals import significant
from torchlinear.report import fonts
from torchlinear.report.style import FAINT, INK, LINE, POINT, axes_of, heading, quiet

__all__ = ["plot_sweep"]

ACCURACY = "#3f8f5f"
LEGEND_POINTS = 16.0  # room of the legend, between the title and the axes


def plot_sweep(results: pd.DataFrame, best: int, classes: int, ax: Axes | None = None) -> Axes:
    """Draw the log-loss with bars of one standard error, and on an axis to the right top-1 and top-5.

    Parameters
    ----------
    results : DataFrame
        With the columns `penalty`, `log_loss`, `log_loss_error`, `top1` and `top5`.
    best : int
        Row of the chosen penalty.
    classes : int
        How many classes there are; of five or fewer, top-5 says nothing and is left out.
    ax : Axes, optional
        Where to draw; a new figure otherwise.

    Returns
    -------
    Axes
        The axes of the log-loss.
    """
    ax = axes_of(ax)
    quiet(ax)
    frame = results.sort_values("penalty")
    x, y, spread = (frame[name].to_numpy() for name in ("penalty", "log_loss", "log_loss_error"))
    loss = ax.errorbar(
        x, y, yerr=spread, color=LINE, ecolor=FAINT, elinewidth=0.7, capsize=1.5,
        marker="o", markersize=2.6, linewidth=1.6, zorder=3, label="log-loss",
    )  # fmt: skip
    right = ax.twinx()
    right.spines["top"].set_visible(False)
    right.spines["right"].set_color(FAINT)
    right.tick_params(colors=FAINT, labelcolor=INK, labelsize=9)
    right.set_ylabel("accuracy", color=INK)
    lines = [loss, *right.plot(x, frame["top1"].to_numpy(), color=ACCURACY, linewidth=1.4, label="top-1")]
    if classes > 5:
        lines += right.plot(
            x, frame["top5"].to_numpy(), color=ACCURACY, linewidth=1.2, linestyle=":", label="top-5"
        )
    row = results.iloc[best]
    ax.axvline(row["penalty"], color=POINT, linewidth=1.2, zorder=1)
    ax.plot([row["penalty"]], [row["log_loss"]], "o", color=POINT, markersize=5.5, zorder=4)
    ax.set_xscale("log")
    ax.set_xlabel("strength of the penalty, alpha")
    ax.set_ylabel("log-loss on held-out rows")
    low, high = float(y.min()), float(y.max())
    ax.set_ylim(max(0.0, low - 0.08 * (high - low)), high + 0.08 * (high - low) + np.finfo(float).tiny)
    ax.legend(
        handles=lines, frameon=False, fontsize=9, labelcolor=INK, ncols=3, loc="lower left",
        bbox_to_anchor=(-0.01, 0.99), columnspacing=1.2, borderpad=0.1,
    )  # fmt: skip
    facts = [
        f"alpha = {significant(float(row['penalty']))}",
        f"log-loss {significant(float(row['log_loss']))}",
        f"top-1 {100.0 * row['top1']:.1f}%",
    ]
    heading(ax, "Penalties of a linear probe", ", ".join(facts), LEGEND_POINTS)
    fonts.adapt(ax)
    return ax
