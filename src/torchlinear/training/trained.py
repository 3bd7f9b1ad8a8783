"""TrainedFit: the `Fit` of a module that was trained; it predicts by the module itself."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from torchlinear.errors import InvalidInput
from torchlinear.fitted import Fit
from torchlinear.rows import TensorRows
from torchlinear.solution import Solution

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from torchlinear.inference.summary import Summary
    from torchlinear.labels import Label

__all__ = ["TrainedFit"]


class TrainedFit(Fit):
    """What `train` returns: a `Fit` whose `module` is the model that was given.

    Coefficients, equation, summary, plot and file are those of the moment when training ended, and only a
    module that is one affine map of its input has them. Predictions are the module's own, as it is now.

    Parameters
    ----------
    solution : Solution
        How the training went; NaN coefficients when the module is not known to be one affine map.
    module : nn.Module
        The model.
    rows : TensorRows
        Features and targets, for `plot`.
    obstacle : str or None
        Why the module is not known to be one affine map; None when it is.
    """

    def __init__(self, solution: Solution, module: nn.Module, rows: TensorRows, obstacle: str | None) -> None:
        super().__init__(solution, rows=rows, module=module, like=rows.X)
        self._obstacle = obstacle

    @property
    def coef(self) -> Tensor:
        """Coefficients when training ended, shape (p,), or (p, k) for several outputs; float64."""
        self._needs_coefficients("coef")
        return super().coef

    @property
    def intercept(self) -> Tensor:
        """Intercept when training ended, a scalar, or shape (k,) for several outputs; 0 without a bias."""
        self._needs_coefficients("intercept")
        return super().intercept

    @property
    def equation(self) -> str:
        """The trained line in words; one line for each output."""
        self._needs_coefficients("equation")
        return super().equation

    def predict(self, new: Any, *, interval: float | None = None, **options: Any) -> Any:
        """Predictions of the module as it is now, in evaluation mode and without gradients.

        Parameters
        ----------
        new : tensor or array, shape (n, ...)
            Rows like those of the training; brought to the module's device, and floats to its dtype.
        interval : float, optional
            Level of a prediction interval, such as 0.95, for one affine map trained with `MSELoss`.
        **options
            Those of `Fit.predict` are refused: the module says what it predicts.

        Returns
        -------
        Tensor or ndarray, shape (n,) or (n, ...), or Prediction
            A tensor on the module's device for a tensor, else an array.
        """
        if any(value is not None for value in options.values()):
            raise InvalidInput(
                f"{next(iter(options))}= goes with tl.fit; a trained module predicts what its forward() returns."
            )
        if interval is not None:
            self._needs_coefficients("predict(interval=...)")
            return super().predict(new, interval=interval)
        out = _in_evaluation(self.module, _as_input(new, next(self.module.parameters())))
        if isinstance(out, Tensor) and self._obstacle is None and out.ndim == 2 and out.shape[1] == 1:
            out = out[:, 0]
        return out.cpu().numpy() if isinstance(out, Tensor) and not isinstance(new, Tensor) else out

    def summary(self, cov: str = "classical", *, level: float = 0.95, base: Label | None = None) -> Summary:
        """As `Fit.summary`, at the coefficients where training ended."""
        self._needs_coefficients("summary")
        return super().summary(cov, level=level, base=base)

    def plot(self, ax: Axes | None = None, *, data: Any = None, y: Any = None, target: int | str = 0) -> Axes:
        """As `Fit.plot`."""
        self._needs_coefficients("plot")
        if data is None and self._rows is not None and self._rows.n_outputs != self.solution.coef.shape[1]:
            raise InvalidInput(
                f"plot draws numbers against numbers, and here y names one of {self.solution.coef.shape[1]} "
                "classes; fit.plot_loss draws how the training went."
            )
        return super().plot(ax, data=data, y=y, target=target)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the trained line to one ``.safetensors`` file; `torchlinear.load` reads it."""
        self._needs_coefficients("save")
        super().save(path)

    def _needs_coefficients(self, what: str) -> None:
        if self._obstacle is not None:
            raise InvalidInput(
                f"{what} needs a model that is one affine map of its input, and "
                f"{type(self.module).__name__} is not known to be one, because {self._obstacle}; use "
                "fit.predict, fit.history, fit.plot_loss and torch.save(fit.module.state_dict(), path)."
            )

    def __repr__(self) -> str:
        shown = self.equation if self._obstacle is None else type(self.module).__name__
        return f"TrainedFit({self.solution.loss}, {self.status.label}: {shown})"


def _as_input(new: Any, like: Tensor) -> Tensor:
    rows = new if isinstance(new, Tensor) else torch.as_tensor(np.asarray(new))
    return rows.to(like.device, like.dtype if rows.is_floating_point() else rows.dtype)


def _in_evaluation(module: nn.Module, rows: Tensor) -> Any:
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            return module(rows)
    finally:
        for part, training in modes:
            part.training = training
