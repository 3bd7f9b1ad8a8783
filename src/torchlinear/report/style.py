"""How plots look: colours and a quiet frame, set on one Axes and nowhere else."""

from __future__ import annotations

from matplotlib.axes import Axes

__all__ = ["FAINT", "INK", "LINE", "POINT", "axes_of", "heading", "quiet"]

POINT = "#d62a2f"  # red points, as in the classic first program
LINE = "#1b3a5c"
INK = "#2b2f33"
FAINT = "#7a828a"
GRID = "#e6e9ec"


def axes_of(ax: Axes | None) -> Axes:
    """`ax`, or the Axes of a new figure that ``plt.show()`` shows."""
    if ax is not None:
        return ax
    from matplotlib import pyplot  # a process that brings its own Axes needs no pyplot

    return pyplot.subplots(figsize=(6.4, 4.4), layout="constrained")[1]


def quiet(ax: Axes) -> None:
    """Two spines, a faint grid behind the data, grey ticks."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(FAINT)
    ax.tick_params(colors=FAINT, labelcolor=INK, labelsize=9, which="both")
    ax.grid(True, color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set_color(INK)


def heading(ax: Axes, title: str, below: str, lift: float = 0.0) -> None:
    """Write a title to the left, and a smaller grey line under it; `lift` points leave room above the axes."""
    pad = lift + (24 if below else 8)
    ax.set_title(title, loc="left", color=INK, fontsize=12, fontweight="bold", pad=pad, parse_math=False)
    if below:
        ax.annotate(
            below,
            xy=(0, 1),
            xycoords="axes fraction",
            xytext=(0, 8 + lift),
            textcoords="offset points",
            color=FAINT,
            fontsize=9.5,
            parse_math=False,
        )
