"""Box: each coefficient between two bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.penalties.constraint import Constraint

__all__ = ["Box"]

Ends = float | Sequence[float] | NDArray[Any] | Tensor


@dataclass(frozen=True, slots=True)
class Box(Constraint):
    """The constraint ``low <= coef <= high``, in the user's units; never on the intercept.

    Alone, or added to a penalty: ``tl.L1(0.1) + tl.Box(-1, 1)``. Coefficients that reach a bound equal it exactly.

    Parameters
    ----------
    low, high : float, or sequence or array of float, shape (p,)
        Least and largest coefficient of all columns, or of each column; infinite where there is no bound.

    Raises
    ------
    InvalidInput
        When a bound is NaN, or no number lies between the two.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.tensor([0.0, 1.0, 2.0])
    >>> tl.fit(x, 3 * x + 0.8, penalty=tl.Box(0, 2)).equation
    'y = 2 x + 1.8'
    """

    low: Ends = -math.inf
    high: Ends = math.inf
    name: ClassVar[str] = "box"

    def __post_init__(self) -> None:
        try:
            ends = [
                torch.as_tensor(given, dtype=torch.float64, device="cpu") for given in (self.low, self.high)
            ]
        except (TypeError, ValueError, RuntimeError):
            ends = []
        if not _bounds(ends):
            raise InvalidInput(
                "Box takes low and high with low <= high, each a number or one number for each column (-inf or inf "
                f"where there is no bound), got low={self.low!r}, high={self.high!r}."
            )
        for name, end in zip(("low", "high"), ends):  # tuples compare and print
            object.__setattr__(self, name, tuple(end.tolist()) if end.ndim else float(end))

    def __str__(self) -> str:
        ends = (f"{end:g}" if isinstance(end, float) else "one a column" for end in (self.low, self.high))
        return f"Box({', '.join(ends)})"

    def lower(self, n_features: int) -> Tensor:
        """Least values, shape (p,), float64."""
        return _for_columns("low", self.low, n_features)

    def upper(self, n_features: int) -> Tensor:
        """Largest values, shape (p,), float64."""
        return _for_columns("high", self.high, n_features)


def _bounds(ends: list[Tensor]) -> bool:
    """Whether they are least and largest values between which there are numbers."""
    sizes = {end.numel() for end in ends if end.ndim}
    if not ends or len(sizes) > 1 or any(end.ndim > 1 for end in ends):
        return False
    low, high = ends
    return bool(((low <= high) & (low < math.inf) & (high > -math.inf)).all())  # not of NaN


def _for_columns(name: str, bound: Ends, n_features: int) -> Tensor:
    if not isinstance(bound, float) and len(bound) != n_features:
        raise InvalidInput(
            f"Box.{name} has {len(bound)} entries for {n_features} columns; give a number, or one for each column of "
            "the design (dummies count singly)."
        )
    return torch.as_tensor(bound, dtype=torch.float64, device="cpu").expand(n_features)
