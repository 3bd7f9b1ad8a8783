"""Solution: the record of a finished fit, which inference, reports and files work from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.information import Information
from torchlinear.labels import Label
from torchlinear.leastsquares import LeastSquares
from torchlinear.loop import History, Status
from torchlinear.losses.base import Loss
from torchlinear.sandwich import Sandwich

__all__ = ["Solution"]


@dataclass(frozen=True, slots=True)
class Solution:
    """Where a fit ended and what is known about it; it holds no rows.

    Attributes
    ----------
    coef : Tensor, shape (p + 1, k), float64
        Coefficients in the user's units, the intercept last (0 without one).
    names : tuple of str
        Names of the p features.
    targets : tuple of str
        Names of the k columns of `coef`: the targets, or with a softmax the classes.
    intercept : bool
        Whether the intercept was fitted.
    loss : str
        Name of the loss.
    penalty : str
        The penalty as summaries print it; ``"none"`` without one.
    solver : str
        The solver and why, one sentence.
    status : Status
        How the fit ended.
    history : History
        Loss by epoch.
    certificate : float
        Largest slope left at `coef` in standardised units; 0 is the optimum. NaN when nothing exact is known.
    seconds : float
        Wall-clock seconds of the fit.
    weight_type : str or None
        What the weights mean: "precision" or "frequency"; None without weights.
    evidence : LeastSquares or None
        What classical inference needs; None for losses and models that have none.
    information : Information or None
        What inference needs after maximum likelihood; None for other fits.
    sandwich : Sandwich or None
        What inference needs of Huber and quantile fits; None for others.
    separated : tuple of str
        Features that separate the targets, whose coefficients have no optimum.
    optimum : float or None
        The objective at the exact optimum, where it is known.
    family : Loss or None
        The loss itself, whose link says what predictions mean; None where there is only a name of one.
    classes : tuple of str, bool, int or float, or None
        The sorted classes of a target of labels.
    offset : str or None
        What the linear predictor has besides features and intercept, in words such as ``"log(hours)"``.
    rows : int or None
        Rows with a weight above zero; None where nobody counted them.
    """

    coef: Tensor
    names: tuple[str, ...]
    targets: tuple[str, ...]
    intercept: bool
    loss: str
    penalty: str
    solver: str
    status: Status
    history: History
    certificate: float
    seconds: float
    weight_type: str | None
    evidence: LeastSquares | None
    information: Information | None = None
    separated: tuple[str, ...] = ()
    optimum: float | None = None
    family: Loss | None = None
    classes: tuple[Label, ...] | None = None
    offset: str | None = None
    sandwich: Sandwich | None = None
    rows: int | None = None

    @property
    def known(self) -> LeastSquares | Information | Sandwich | None:
        """What inference works from; None where there is nothing."""
        return self.evidence or self.information or self.sandwich

    @property
    def dropped(self) -> tuple[str, ...]:
        """Features that were dropped because they depend on others."""
        return tuple(name for name, out in zip(self.names, self.dependent) if out)

    @property
    def dependent(self) -> NDArray[np.bool_]:
        """Which features were found to depend on those before them, shape (p,)."""
        known = self.known
        return np.zeros(len(self.names), dtype=bool) if known is None else known.dependent
