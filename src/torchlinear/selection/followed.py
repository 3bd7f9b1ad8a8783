"""Path: what `path` returns, and where the fits on it come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.api import objective_of, solve
from torchlinear.errors import RowsNeeded
from torchlinear.fitted import Fit
from torchlinear.inputs import Prepared
from torchlinear.losses.base import Loss
from torchlinear.objective import Objective
from torchlinear.penalties.separable import Separable
from torchlinear.quadratic import QuadraticObjective
from torchlinear.statistics import Moments

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Path", "Source"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Source:
    """The rows of a path, and how they are fitted.

    Attributes
    ----------
    loss : Loss
        A smooth one.
    prepared : Prepared
        The rows and their design.
    intercept : bool
        Whether fits have one.
    precision, weight_type : str
        As in `torchlinear.fit`.
    like : Tensor or None
        The user's tensor of features, whose dtype modules take.
    moments : Moments or None
        Of the rows, once they are known; for a quadratic loss.
    """

    loss: Loss
    prepared: Prepared
    intercept: bool
    precision: str
    weight_type: str
    like: Tensor | None
    moments: Moments | None = None

    def keeping(self, moments: Moments) -> Source:
        """The same source, which needs no pass over the rows for its moments."""
        return replace(self, moments=moments)

    def objective(self, penalty: Separable) -> Objective:
        """The objective of the rows with a penalty."""
        options = {"precision": self.precision} if self.loss.quadratic else {}
        made = objective_of(
            self.loss,
            penalty,
            self.prepared.rows,
            intercept=self.intercept,
            n_outputs=len(self.prepared.outputs(self.loss)),
            **options,
        )
        if self.moments is not None and isinstance(made, QuadraticObjective):
            made.moments = self.moments
        return made

    def fit(self, penalty: Separable, start: Tensor) -> Fit:
        """The fit with a penalty, from coefficients near it."""
        prepared, weight_type = self.prepared, self.weight_type if self.prepared.weighted else None
        solution = solve(self.objective(penalty), weight_type=weight_type, start=start)
        solution = replace(
            solution, targets=prepared.outputs(self.loss), classes=prepared.classes, offset=prepared.offset
        )
        return Fit(solution, design=prepared.design, rows=prepared.rows, like=self.like)


@dataclass(frozen=True, eq=False, repr=False)
class Path:
    """Coefficients at m strengths of a penalty, from the strongest to the weakest.

    ``len(path)`` is m, and ``path[i]`` is the `Fit` at the i-th strength.

    Attributes
    ----------
    penalties : tuple of penalty objects
        The penalty at each strength.
    coef : Tensor, shape (m, p + 1, k), float64
        Coefficients in the user's units, the intercept last (0 without one).
    names, targets : tuple of str
        Names of the p features and of the k targets; of softmax, of its classes.
    intercept : bool
        Whether the intercept was fitted.
    certificates : ndarray, shape (m,)
        Of squared loss the duality gap of each, relative to half the target's sum of squares; of other losses the
        largest subgradient in standardised units. 0 at the optimum.
    r2 : ndarray, shape (m, k)
        Share of the targets' variance that is explained (about zero without an intercept). Of other losses, shape
        (m, 1), the share of the null deviance, or of the loss of the intercept alone where there is no likelihood.
    deviation : Tensor, shape (p,)
        Standard deviations of the features (1/n).
    seconds : float
        Wall-clock seconds that it took.
    source : Source or None
        The rows; None after pickling.
    loss : str
        What was minimised besides the penalty.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.eye(4, dtype=torch.float64)[:, :2]
    >>> path = tl.path(X, torch.tensor([3.0, 1.0, 0.0, 0.0]), alphas=[1.0, 0.5])
    >>> path.coef[:, :-1, 0].round(decimals=6).tolist()
    [[0.0, 0.0], [1.333333, 0.0]]
    >>> path[1].solution.penalty
    'L1(0.5)'
    """

    penalties: tuple[Separable, ...]
    coef: Tensor
    names: tuple[str, ...]
    targets: tuple[str, ...]
    intercept: bool
    certificates: Array
    r2: Array
    deviation: Tensor
    seconds: float
    source: Source | None
    loss: str = "squared"

    @property
    def alphas(self) -> Array:
        """Strength of each penalty, shape (m,)."""
        return np.array([penalty.alpha for penalty in self.penalties])

    @property
    def nonzero(self) -> NDArray[np.int64]:
        """Features with a coefficient other than zero, shape (m,); with L1, the degrees of freedom of one target."""
        return np.asarray((self.coef[:, :-1] != 0).any(dim=2).sum(dim=1).numpy())

    def __len__(self) -> int:
        return len(self.penalties)

    def __getitem__(self, index: int) -> Fit:
        if self.source is None:
            raise RowsNeeded(
                "this path holds no rows (it was pickled), so it has no fits; path.coef has the coefficients."
            )
        return self.source.fit(self.penalties[index], self.coef[index])

    def __iter__(self) -> Iterator[Fit]:
        return (self[i] for i in range(len(self)))

    def to_frame(self) -> pd.DataFrame:
        """One row for each penalty: alpha, features, R2, certificate, then the coefficients, ``Intercept`` first.

        Of losses that are not squared, ``explained`` (the share of the null deviance) stands for R2. With several
        targets or classes the columns of R2 and of coefficients are pairs (name, target).
        """
        import pandas as pd

        names = [*(["Intercept"] if self.intercept else []), *self.names]
        order = [*([len(self.names)] if self.intercept else []), *range(len(self.names))]
        facts = {"alpha": self.alphas, "nonzero": self.nonzero, "certificate": self.certificates}
        several = len(self.targets) > 1
        columns: dict[object, NDArray[Any]] = {
            (name, "") if several else name: v for name, v in facts.items()
        }
        coef = self.coef.numpy()
        if self.loss != "squared":
            columns[("explained", "") if several else "explained"] = self.r2[:, 0]
        else:
            for j, target in enumerate(self.targets):
                columns[("R2", target) if several else "R2"] = self.r2[:, j]
        for j, target in enumerate(self.targets):
            for name, i in zip(names, order):
                columns[(name, target) if several else name] = coef[:, i, j]
        return pd.DataFrame(columns)

    def plot(self, ax: Axes | None = None, *, target: int | str = 0) -> Axes:
        """Every coefficient against the strength of the penalty, in units in which columns compare.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure otherwise.
        target : int or str
            Which of several targets.

        Returns
        -------
        Axes
            The axes drawn on.
        """
        from torchlinear.report.paths import Profiles, plot_profiles

        j = self.targets.index(target) if isinstance(target, str) else target
        effects = (self.coef[:, :-1, j] * self.deviation).numpy()
        squared = self.loss == "squared"
        r2 = self.r2[:, j if squared else 0]
        profiles = Profiles(
            self.alphas, effects, self.names, self.targets[j], r2, self.label, None if squared else self.loss
        )
        return plot_profiles(profiles, ax)

    @property
    def label(self) -> str:
        """The kind of penalty in words."""
        l1, l2 = self.penalties[0].with_alpha(1.0).shares()
        return "lasso" if l2 == 0 else "ridge" if l1 == 0 else f"elastic net, mix {l1:g}"

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "source": None}

    def __repr__(self) -> str:
        strengths = f"alpha {self.alphas[0]:.4g} to {self.alphas[-1]:.4g}"
        most = int(self.nonzero.max())
        return f"Path({self.label}, {len(self)} penalties, {strengths}, at most {most} of {len(self.names)} features)"
