"""The rules that users name: torch's hyper-parameters and defaults, apart from `lr`.

Without `lr` the columns and targets are standardised inside, so that coefficients are of order 1, and the
step comes from the Hessian of the objective, with eigenvalues ``bottom <= ... <= top`` (of another loss than the
squared: bounds of them, see `Descent`):

- SGD on all rows: ``2 / (top + bottom)``, the best fixed step (Polyak 1963; Nesterov 2004, Theorem 2.1.15).
  With momentum m, ``(1 + sqrt m)^2 / top``, the longest step at which the steepest direction still shrinks
  by ``sqrt m`` a step (Polyak 1964), but ``1 / top`` where the Hessian is not the same everywhere, for such steps can
  go round in circles there (Lessard, Recht, Packard 2016); with Nesterov's momentum ``1 / top`` (Nesterov 1983).
- SGD in batches of b: ``1 / (2 R)`` until step ``4 R / bottom``, then ``(2 t + 1) / ((t + 1)^2 bottom)``. R,
  the expected smoothness of a batch, lies between `top` (b = n) and the curvature of the steepest row
  (b = 1): Gower et al. 2019, "SGD: general analysis and improved rates", Theorem 3.2, Proposition 3.8. The
  step is held through an epoch, is never above the line from ``1 / (2 R)`` down to 0 at `epochs`, and is
  ``1 - m`` of that with momentum m.
- Adagrad: 1 on all rows, where its own sum shrinks the step; in batches 0.1 on a line down to 0.
- RMSprop, Adam, AdamW, NAdam: 0.3 on all rows, 0.01 in batches; Adadelta: 10 on all rows, 1 in batches; on
  a line down to 0 at `epochs` (`Descent.line`). These first steps did best over condition numbers of the
  standardised columns from 1 to 10^4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from torchlinear.errors import InvalidInput
from torchlinear.kernels import update
from torchlinear.solvers.descent import Descent
from torchlinear.solvers.frame import Spectrum

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "NAdam",
    "RMSprop",
    "bgd",
    "mbgd",
    "momentum",
    "nesterov",
    "sgd",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SGD(Descent):
    """Gradient descent with any batch size; on all rows (the default) it is batch gradient descent.

    Parameters
    ----------
    lr, weight_decay, maximize, batch_size, epochs, seed
        See `Descent`.
    momentum, dampening : float
        Of the moving sum of gradients.
    nesterov : bool
        Nesterov's momentum: the gradient is taken a momentum step ahead.

    Raises
    ------
    InvalidInput
        When a number is out of range, or `nesterov` comes without momentum or with dampening.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.arange(5.0)
    >>> tl.fit(x, 3 * x + 0.8, solver=tl.SGD(momentum=0.9)).equation
    'y = 3 x + 0.8'
    """

    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False

    name: ClassVar[str] = "sgd"
    code: ClassVar[int] = update.SGD
    follows_curvature: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise InvalidInput(
                "SGD.nesterov needs a momentum above 0 and no dampening, "
                f"got momentum={self.momentum!r}, dampening={self.dampening!r}."
            )
        object.__setattr__(self, "name", self._name())

    def _name(self) -> str:
        if self.momentum:
            return "nesterov" if self.nesterov else "momentum"
        return {None: "bgd", 1: "sgd"}.get(self.batch_size, "mbgd")

    def chosen_rates(self, found: Spectrum, epoch: Array) -> Array:
        """Return the step of each epoch; see the module."""
        if found.steps > 1:
            return (1.0 - self.momentum) / (1.0 - self.dampening) * self._decreasing(found, epoch)
        if self.nesterov:
            return np.full(epoch.shape, 1.0 / found.top)
        if self.momentum:
            longest = (1.0 + math.sqrt(self.momentum)) ** 2 if found.constant else 1.0
            return np.full(epoch.shape, longest / found.top / (1.0 - self.dampening))
        return np.full(epoch.shape, 2.0 / (found.top + found.bottom))

    def _decreasing(self, found: Spectrum, epoch: Array) -> Array:
        first, t = 0.5 / found.rough, epoch * found.steps
        late = (2.0 * t + 1.0) / (np.square(t + 1.0) * found.bottom)
        step = np.where(t <= 4.0 * math.ceil(found.rough / found.bottom), first, late)
        return np.asarray(np.minimum(step, first * self.line(epoch)))

    def chosen_by(self) -> str:
        """Say how the step is chosen."""
        if self.batch_size is None:
            return "from the largest curvature"
        return "from the largest curvature of a batch, decreasing"


@dataclass(frozen=True)
class _Scaled(Descent):
    """What the rules share that scale each gradient by its own history: a step in standard deviations."""

    first_steps: ClassVar[tuple[float, float]]  # on all rows, in batches

    def chosen_rates(self, found: Spectrum, epoch: Array) -> Array:
        """Return the step of each epoch; see the module."""
        return self.first_steps[found.steps > 1] * self.line(epoch)

    def chosen_by(self) -> str:
        """Say how the step is chosen."""
        return f"{self.first_steps[self.batch_size is not None]:g} decreasing to 0 over {self.epochs} epochs"


@dataclass(frozen=True)
class Adagrad(_Scaled):
    """AdaGrad: each gradient is divided by the root of the sum of its squares.

    Parameters
    ----------
    lr, weight_decay, maximize, batch_size, epochs, seed
        See `Descent`.
    lr_decay, initial_accumulator_value, eps : float
        As in `torch.optim.Adagrad`.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.arange(5.0)
    >>> tl.fit(x, 3 * x + 0.8, solver=tl.Adagrad()).equation
    'y = 3 x + 0.8'
    """

    lr_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10

    name: ClassVar[str] = "adagrad"
    code: ClassVar[int] = update.ADAGRAD
    first_steps: ClassVar[tuple[float, float]] = (1.0, 0.1)

    def chosen_rates(self, found: Spectrum, epoch: Array) -> Array:
        """Return the step of each epoch; see the module."""
        return super().chosen_rates(found, epoch) if found.steps > 1 else np.ones(epoch.shape)

    def chosen_by(self) -> str:
        """Say how the step is chosen."""
        return "1" if self.batch_size is None else super().chosen_by()


@dataclass(frozen=True)
class RMSprop(_Scaled):
    """RMSprop: each gradient is divided by the root of a moving mean of its squares.

    Parameters
    ----------
    lr, weight_decay, maximize, batch_size, epochs, seed
        See `Descent`.
    alpha, eps, momentum : float
        As in `torch.optim.RMSprop`.
    centered : bool
        Divide by the standard deviation of the gradient instead.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.arange(5.0)
    >>> tl.fit(x, 3 * x + 0.8, solver=tl.RMSprop()).equation
    'y = 3 x + 0.8'
    """

    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False

    name: ClassVar[str] = "rmsprop"
    code: ClassVar[int] = update.RMSPROP
    first_steps: ClassVar[tuple[float, float]] = (0.3, 0.01)


@dataclass(frozen=True)
class _Moments(_Scaled):
    """What Adam, AdamW and NAdam share."""

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    first_steps: ClassVar[tuple[float, float]] = (0.3, 0.01)

    def __post_init__(self) -> None:
        super().__post_init__()
        pair = isinstance(self.betas, (tuple, list)) and len(self.betas) == 2
        if not pair or not all(isinstance(beta, Real) and 0.0 <= beta < 1.0 for beta in self.betas):
            raise InvalidInput(
                f"{self._called}.betas takes two numbers of at least 0 and below 1, got {self.betas!r}."
            )

    def options(self) -> dict[str, float]:
        """Return the hyper-parameters by the names of `update.HYPER`."""
        return {**super().options(), "beta1": self.betas[0], "beta2": self.betas[1]}


@dataclass(frozen=True)
class Adam(_Moments):
    """Adam: momentum, divided by the root of a moving mean of the squared gradient, both freed of their bias.

    Parameters
    ----------
    lr, weight_decay, maximize, batch_size, epochs, seed
        See `Descent`.
    betas, eps
        As in `torch.optim.Adam`.
    amsgrad : bool
        Divide by the largest such root so far (Reddi, Kale, Kumar 2018).

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.arange(5.0)
    >>> tl.fit(x, 3 * x + 0.8, solver=tl.Adam()).equation
    'y = 3 x + 0.8'
    """

    amsgrad: bool = False

    name: ClassVar[str] = "adam"
    code: ClassVar[int] = update.ADAM


@dataclass(frozen=True)
class AdamW(_Moments):
    """Adam with weight decay outside of the moments; its optimum is not that of an L2 penalty.

    Parameters
    ----------
    lr, weight_decay, maximize, batch_size, epochs, seed
        See `Descent`; `weight_decay` is 0.01 as in torch.
    betas, eps, amsgrad
        As in `Adam`.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.arange(5.0)
    >>> tl.fit(x, 3 * x + 0.8, solver=tl.AdamW(weight_decay=0.0)).equation
    'y = 3 x + 0.8'
    """

    weight_decay: float = 1e-2
    amsgrad: bool = False

    name: ClassVar[str] = "adamw"
    code: ClassVar[int] = update.ADAM

    def options(self) -> dict[str, float]:
        """Return the hyper-parameters by the names of `update.HYPER`."""
        return {**super().options(), "decoupled_weight_decay": 1.0}


@dataclass(frozen=True)
class NAdam(_Moments):
    """Adam with Nesterov's momentum.

    Parameters
    ----------
    lr, weight_decay, maximize, batch_size, epochs, seed
        See `Descent`.
    betas, eps
        As in `Adam`.
    momentum_decay : float
        As in `torch.optim.NAdam`.
    decoupled_weight_decay : bool
        Decay as AdamW does.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.arange(5.0)
    >>> tl.fit(x, 3 * x + 0.8, solver=tl.NAdam()).equation
    'y = 3 x + 0.8'
    """

    momentum_decay: float = 4e-3
    decoupled_weight_decay: bool = False

    name: ClassVar[str] = "nadam"
    code: ClassVar[int] = update.NADAM


@dataclass(frozen=True)
class Adadelta(_Scaled):
    """Adadelta: steps in the units of the parameters, from moving means of squared gradients and steps.

    Parameters
    ----------
    lr, weight_decay, maximize, batch_size, epochs, seed
        See `Descent`.
    rho, eps : float
        As in `torch.optim.Adadelta`.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.arange(5.0)
    >>> tl.fit(x, 3 * x + 0.8, solver=tl.Adadelta()).equation
    'y = 3 x + 0.8'
    """

    rho: float = 0.9
    eps: float = 1e-6

    name: ClassVar[str] = "adadelta"
    code: ClassVar[int] = update.ADADELTA
    first_steps: ClassVar[tuple[float, float]] = (10.0, 1.0)


def bgd() -> SGD:
    """Batch gradient descent: every step sees all rows."""
    return SGD()


def sgd() -> SGD:
    """Stochastic gradient descent: one row a step."""
    return SGD(batch_size=1)


def mbgd() -> SGD:
    """Mini-batch gradient descent: 32 rows a step."""
    return SGD(batch_size=32)


def momentum() -> SGD:
    """Batch gradient descent with momentum 0.9."""
    return SGD(momentum=0.9)


def nesterov() -> SGD:
    """Batch gradient descent with Nesterov's momentum 0.9."""
    return SGD(momentum=0.9, nesterov=True)
