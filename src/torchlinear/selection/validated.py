"""CrossValidation: what `cross_validate` returns, and the choice among penalties by their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from torchlinear.fitted import Fit
from torchlinear.penalties.elastic_net import L1L2
from torchlinear.penalties.separable import Separable
from torchlinear.selection.followed import Path

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Choice", "CrossValidation", "choose"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Choice:
    """Errors of m penalties over all splits, and two choices among them.

    Attributes
    ----------
    mean : ndarray, shape (m,)
        Mean error over the splits, weighted by their held-out weights.
    standard_error : ndarray, shape (m,)
        Its standard error as the splits differ; NaN for a single split.
    best : int
        Position of the least mean error; of equal ones the first.
    one_standard_error : int
        Position of the strongest penalty, of the mix of the best, within one standard error of it.
    """

    mean: Array
    standard_error: Array
    best: int
    one_standard_error: int


def choose(penalties: Sequence[Separable], errors: Array, weights: Array) -> Choice:
    """Choose among `penalties` by their errors (K, m) on splits of such held-out weights, shape (K,)."""
    mean = np.average(errors, axis=0, weights=weights)
    spread = np.full_like(mean, np.nan)
    if len(weights) > 1:
        spread = np.sqrt(np.average(np.square(errors - mean), axis=0, weights=weights) / (len(weights) - 1))
    best = int(np.argmin(mean))
    alike = np.array([shares(penalty) == shares(penalties[best]) for penalty in penalties])
    near = np.flatnonzero((mean <= mean[best] + np.nan_to_num(spread[best])) & alike)
    alphas = np.array([penalty.alpha for penalty in penalties])
    return Choice(mean, spread, best, int(near[np.argmax(alphas[near])]))


def shares(penalty: Separable) -> tuple[float, float]:
    """Shares of L1 and L2 in a penalty."""
    return penalty.with_alpha(1.0).shares()


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """Errors of penalties on held-out rows, the choice among them, and the final fit.

    Attributes
    ----------
    penalties : tuple of penalty objects
        The m penalties that were tried; those of one mix together, from the strongest to the weakest.
    errors : ndarray, shape (K, m)
        Mean error on the held-out rows of each split, as `measure` says; squared errors are summed over the targets.
    weights : ndarray, shape (K,)
        Weight of the held-out rows of each split: their number, without weights.
    choice : Choice
        The errors of all splits taken together, and what they favour.
    coef : ndarray, shape (m, p + 1, k)
        Coefficients on all rows at each penalty, the intercept last.
    loss : str
        What was minimised.
    rule : str
        Which choice `fit` follows: ``"best"`` or ``"one_standard_error"``.
    fit : Fit
        The fit of all rows with the chosen penalty.
    paths : tuple of Path
        The coefficients on all rows as `torchlinear.path` returns them, one path for each mix; none for a loss
        that has none.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.randn(100, 5, generator=torch.Generator().manual_seed(0))
    >>> found = tl.cross_validate(X, X[:, 0] + 0.1 * X[:, 1], penalty="l2", folds=10)
    >>> found.errors.shape, found.alphas[found.best] == found.penalty.alpha
    ((10, 100), np.True_)
    """

    penalties: tuple[Separable, ...]
    errors: Array
    weights: Array
    choice: Choice
    coef: Array
    loss: str
    rule: str
    fit: Fit
    paths: tuple[Path, ...] = ()

    @property
    def alphas(self) -> Array:
        """Strength of each penalty, shape (m,)."""
        return np.array([penalty.alpha for penalty in self.penalties])

    @property
    def mixes(self) -> Array:
        """Share of L1 of each penalty, shape (m,): 1 for the lasso, 0 for ridge."""
        return np.array([shares(penalty)[0] for penalty in self.penalties])

    @property
    def mean(self) -> Array:
        """Mean error of each penalty over the splits, weighted by their held-out weights; shape (m,)."""
        return self.choice.mean

    @property
    def standard_error(self) -> Array:
        """Standard error of `mean` as the splits differ, shape (m,); NaN for a single split."""
        return self.choice.standard_error

    @property
    def best(self) -> int:
        """Position of the penalty of least mean error; of equal ones the first."""
        return self.choice.best

    @property
    def one_standard_error(self) -> int:
        """Position of the strongest penalty within one standard error of the best, at the same mix."""
        return self.choice.one_standard_error

    @property
    def measure(self) -> str:
        """What the errors are: ``"mean squared error"``, or the mean deviance or loss of what was minimised."""
        family = self.fit.solution.family
        if family is None or family.quadratic:
            return "mean squared error"
        return f"mean {'deviance' if family.likelihood else 'loss'}: {self.loss}"

    @property
    def chosen(self) -> int:
        """Position of the penalty that `fit` has."""
        return int(getattr(self.choice, self.rule))

    @property
    def penalty(self) -> Separable:
        """The penalty that `fit` has."""
        return self.penalties[self.chosen]

    @property
    def path(self) -> Path | None:
        """The path on all rows that the chosen penalty is on; None for a loss that has none."""
        return next((path for path in self.paths if self.penalty in path.penalties), None)

    @property
    def nonzero(self) -> NDArray[np.int64]:
        """Features with a coefficient other than zero on all rows, at each penalty; shape (m,)."""
        return np.asarray(np.count_nonzero(self.coef[:, :-1].any(axis=2), axis=1))

    def to_frame(self) -> pd.DataFrame:
        """One row for each penalty: alpha, mix (of an elastic net), mean error, standard error, features, choices."""
        import pandas as pd

        frame = pd.DataFrame(
            {
                "alpha": self.alphas,
                "mix": self.mixes,
                "error": self.mean,
                "standard_error": self.standard_error,
                "nonzero": self.nonzero,
                "best": np.arange(len(self.penalties)) == self.best,
                "one_standard_error": np.arange(len(self.penalties)) == self.one_standard_error,
            }
        )
        return frame if isinstance(self.penalties[0], L1L2) else frame.drop(columns="mix")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Mean error with bars of one standard error against the strength of the penalty, both choices marked.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure otherwise.

        Returns
        -------
        Axes
            The axes drawn on.
        """
        from torchlinear.report.validation import Errors, plot_errors

        mixed = isinstance(self.penalties[0], L1L2)
        errors = Errors(
            self.alphas,
            self.mean,
            self.standard_error,
            self.nonzero,
            [f"mix {mix:g}" if mixed else "" for mix in self.mixes],
            self.best,
            self.one_standard_error,
            self.chosen,
            len(self.weights),
            self.measure,
        )
        return plot_errors(errors, ax)

    def __repr__(self) -> str:
        return (
            f"CrossValidation({len(self.penalties)} penalties, {len(self.weights)} splits; {self.rule}: "
            f"{self.penalty}, error {self.mean[self.chosen]:.6g})"
        )
