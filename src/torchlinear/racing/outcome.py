"""`Race`: what `race` returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from torchlinear.loop import Status
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.racing.curvature import Curvature
from torchlinear.racing.records import LEVELS, Optimum, Runner
from torchlinear.racing.sentences import Sentence
from torchlinear.racing.units import Units
from torchlinear.rows import Rows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Race"]


@dataclass(frozen=True)
class Race:
    """Several solvers' ways from one start to the optimum.

    Attributes
    ----------
    names, targets : tuple of str
        Names of the p features and the k columns of the coefficients.
    runners : tuple of Runner
        In the order asked for; ``race["adam"]`` is one of them.
    optimum : Optimum
        What they ran to.
    start : Tensor, shape (p + 1, k), float64
        Where they started, in the user's units.
    rows : Rows
        What they ran on.
    loss : Loss
        The loss.
    epochs : int
        Passes that each had at most.
    units : Units
        The units of the race.
    objective : Objective
        What they minimised, in these units.
    curvature : Curvature
        What the ways depend on.
    why : tuple of Sentence
        What explains the outcome, every number in it computed from the data. Each is a `str`, in English; its method
        ``told("zh")`` says it in Chinese.
    swept : bool
        Whether each solver ran with a grid of learning rates.
    stopped : bool
        Whether the callback ended it; then the last runner's way is a part, and later ones are missing.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.linspace(0, 1, 20, dtype=torch.float64)
    >>> race = tl.race(x, x.exp(), solvers=["bgd", "exact"], lr=1.5, epochs=100)
    >>> race["bgd"].status is tl.Status.DIVERGED
    True
    >>> race["bgd"].why
    'bgd diverged: lr 1.5 is above 2/λmax = 0.79.'
    >>> race["bgd"].why.told("zh")
    'bgd 发散了：学习率 1.5 超过了 2/λmax = 0.79。'
    """

    names: tuple[str, ...]
    targets: tuple[str, ...]
    runners: tuple[Runner, ...]
    optimum: Optimum
    start: Tensor
    rows: Rows
    loss: Loss
    epochs: int
    units: Units
    objective: Objective
    curvature: Curvature
    why: tuple[Sentence, ...] = ()
    swept: bool = False
    stopped: bool = False

    def __getitem__(self, name: str) -> Runner:
        for runner in self.runners:
            if runner.name == name:
                return runner
        raise KeyError(
            f"{name!r} did not race; there are {', '.join(runner.name for runner in self.runners)}."
        )

    def __iter__(self) -> Iterator[Runner]:
        return iter(self.runners)

    def __len__(self) -> int:
        return len(self.runners)

    def standings(self) -> tuple[Runner, ...]:
        """The runners, best first: by the passes to 0.01 % of the optimum, to 1 %, to 10 %, then by the final gap.

        Those that diverged are last.
        """
        return tuple(sorted(self.runners, key=_rank))

    def plot(self, ax: Axes | None = None, against: str = "both") -> Any:
        """Draw the gap to the optimum, on a logarithmic axis; of a sweep the final gap against the learning rate.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure otherwise.
        against : {"both", "passes", "seconds"}
            Passes over the data, seconds of solving, or a panel for each (on `ax` there is room for one: passes).

        Returns
        -------
        Axes or ndarray of Axes
            What was drawn on.
        """
        from torchlinear.racing import pictures

        return pictures.sweep(self, ax) if self.swept else pictures.gaps(self, ax, against)

    def plot_paths(self, ax: Axes | None = None, features: Sequence[str] | None = None) -> Axes:
        """Draw the ways down over the contours of the loss.

        With more than two coefficients the others are profiled out, at their best for each point of the map, and the
        picture says so.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure otherwise.
        features : two of str, optional
            Whose coefficients; ``"Intercept"`` is one. By default slope and intercept of a single feature, else the
            two coefficients on which most of the way depends.

        Returns
        -------
        Axes
            What was drawn on.

        Raises
        ------
        InvalidInput
            When `features` are not two coefficients of the race.
        """
        from torchlinear.racing import pictures

        return pictures.paths(self, ax, features)

    def plot_fit(self, ax: Axes | None = None, runner: str | None = None) -> Any:
        """Draw the line on its way through the points, of one feature, a panel for each runner.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw one runner, the first by default; a new figure otherwise.
        runner : str, optional
            Which one; all by default.

        Returns
        -------
        Axes or ndarray of Axes
            What was drawn on.

        Raises
        ------
        InvalidInput
            When there are several features or targets.
        """
        from torchlinear.racing import pictures

        return pictures.movement(self, ax, runner)

    def report(self, path: str | PathLike[str], language: str = "en") -> None:
        """Write the race as one HTML file with a slider over time; it makes no request.

        Parameters
        ----------
        path : str or path
            Where to write.
        language : {"en", "zh"}
            What the page is written in: English or Chinese.

        Raises
        ------
        InvalidInput
            For other languages.

        Examples
        --------
        >>> import tempfile, torch, torchlinear as tl
        >>> from pathlib import Path
        >>> x = torch.linspace(0, 1, 20, dtype=torch.float64)
        >>> race = tl.race(x, x.exp(), solvers=["bgd", "adam", "exact"], epochs=50)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     race.report(Path(folder, "race.html"))
        ...     Path(folder, "race.html").read_text(encoding="utf-8")[:15]
        '<!DOCTYPE html>'
        """
        from torchlinear.racing import reporting

        Path(path).write_text(reporting.html(self, language), encoding="utf-8")

    def to_frame(self) -> pd.DataFrame:
        """Every frame of every runner as a row: runner, passes, seconds, loss, gap and the coefficients."""
        import pandas as pd

        from torchlinear.racing.pictures import names_of

        parts = []
        for runner in self.runners:
            columns = {"runner": runner.name, "passes": runner.passes, "seconds": runner.seconds}
            columns |= {"loss": runner.loss, "gap": runner.gap}
            flat = runner.coef.reshape(len(runner.frames), -1).T
            parts.append(pd.DataFrame(columns | dict(zip(names_of(self), flat))))
        return pd.concat(parts, ignore_index=True)

    def __str__(self) -> str:
        from torchlinear.racing import reporting

        return "\n".join([reporting.table(self), "", *self.why])


def _rank(runner: Runner) -> tuple[float, ...]:
    """Smaller is better."""
    times = []
    for level in reversed(LEVELS):
        at = runner.within[level]
        times.append(float("inf") if at is None else at.passes)
    lost = runner.status is Status.DIVERGED
    return (float(lost), *times, runner.final)
