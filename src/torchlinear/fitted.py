"""`Fit`: what `fit`, `train` and `load` return. Its methods orchestrate; inference and report compute."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from torchlinear.block import Block
from torchlinear.errors import InvalidInput, RowsNeeded
from torchlinear.labels import Label, recode
from torchlinear.loop import History, Status
from torchlinear.model import LinearModel
from torchlinear.offsets import placed, shift_of, shifted
from torchlinear.responses import Kind, kind_of, numbers, respond
from torchlinear.rows import Rows, TensorRows, drawn
from torchlinear.solution import Solution
from torchlinear.sparse import features
from torchlinear.values import as_targets, is_frame, is_tabular, n_rows, with_columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from torchlinear.design import Design
    from torchlinear.inference.intervals import Prediction
    from torchlinear.inference.summary import Summary

__all__ = ["Fit"]


class Fit:
    """A fitted linear model.

    Attributes
    ----------
    solution : Solution
        The record that everything else is computed from.
    design : Design or None
        How columns became numbers; None for a fit on tensors or arrays.
    module : nn.Module
        The model as a plain module in the user's units; for `tl.train`, the very module given. It returns linear
        predictors: of classes, scores that `torch.sigmoid` (two) or `torch.softmax` (more) makes probabilities.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> x = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]])
    >>> fit = tl.fit(x, x @ torch.tensor([1.0, 2.0]) + 3)
    >>> fit.names, fit.coef.round(decimals=6).tolist()
    (('x0', 'x1'), [1.0, 2.0])
    """

    def __init__(
        self,
        solution: Solution,
        *,
        design: Design | None = None,
        rows: Rows | None = None,
        module: nn.Module | None = None,
        like: Tensor | None = None,
    ) -> None:
        self.solution, self.design, self._rows = solution, design, rows
        self._like = None if like is None else torch.empty(0, dtype=like.dtype, device=like.device)
        if module is None:
            floats = like is not None and like.is_floating_point()
            module = LinearModel(
                solution.coef, dtype=like.dtype if floats and like is not None else torch.float64
            )
        self.module = module

    @property
    def coef(self) -> Tensor:
        """Coefficients, shape (p,), or (p, k) for several targets; float64, user's units."""
        beta = self.solution.coef[:-1]
        return beta[:, 0] if beta.shape[1] == 1 else beta

    @property
    def intercept(self) -> Tensor:
        """Intercept, a scalar, or shape (k,) for several targets."""
        last = self.solution.coef[-1]
        return last[0] if last.shape[0] == 1 else last

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return self.solution.names

    @property
    def status(self) -> Status:
        """How the fit ended; its value is the advice."""
        return self.solution.status

    @property
    def history(self) -> History:
        """Loss by epoch."""
        return self.solution.history

    @property
    def certificate(self) -> float:
        """Largest slope left in standardised units: 0 is the optimum."""
        return self.solution.certificate

    @property
    def solver(self) -> str:
        """The solver and why, one sentence."""
        return self.solution.solver

    @property
    def equation(self) -> str:
        """The fitted line in words, such as ``'y = 3 x + 0.8'``; one line for each target."""
        from torchlinear.report.tables import equation

        return equation(self.solution)

    @property
    def classes(self) -> tuple[Label, ...] | None:
        """The classes of a target of labels, sorted; None for a target of numbers."""
        return self.solution.classes

    def predict(
        self,
        new: Any,
        *,
        kind: Kind | None = None,
        interval: float | None = None,
        offset: Any = None,
        exposure: Any = None,
    ) -> Any:
        """Predictions for new rows.

        Parameters
        ----------
        new : tensor, array, frame or path
            Rows like those of the fit, without the target.
        kind : {"label", "mean", "proba", "link"}, optional
            What to predict: the likeliest class; the mean of the target (of labels, the probability of the second
            class, or of each of several); the probability of each class, as `predict_proba`; or the linear
            predictor. By default the label where the fit has classes, else the mean.
        interval : float, optional
            Level of a prediction interval, such as 0.95, for squared loss.
        offset, exposure : tensor or array, shape (n,), optional
            Of the new rows, for a fit with an offset or exposure on arrays. A model of a frame or file finds them among
            the columns, unless their values are given.

        Returns
        -------
        Tensor or ndarray, shape (n,) or (n, k), or Prediction
            A tensor for a tensor, else an array; NaN for a row that cannot be predicted, None among labels that
            are not floats. Labels that are texts always are an array. With `interval` a record with `mean`, `low`,
            `high`.

        Raises
        ------
        InvalidInput
            When the columns are not those of the fit, or the fit has no such kind of prediction.

        Examples
        --------
        >>> import torch, torchlinear as tl
        >>> x = torch.tensor([0.0, 1.0, 2.0, 3.0])
        >>> fit = tl.fit(x, ["no", "yes", "no", "yes"], loss="logistic")
        >>> fit.predict([[-1.0], [4.0]]).tolist()
        ['no', 'yes']
        >>> fit.predict(torch.tensor([[1.5]]), kind="mean").round(decimals=6)
        tensor([0.5000])
        """
        if interval is not None:
            return self._intervals(new, interval, offset, exposure)
        wanted = kind_of(self.solution, kind)
        found = torch.cat(list(self.predict_blocks(new, kind=wanted, offset=offset, exposure=exposure)))
        tensor = self.design is None and isinstance(new, Tensor)
        dtype = features(new).dtype if self.design is None else torch.float64
        return respond(self.solution, found, wanted, tensor=tensor, dtype=dtype)

    def predict_proba(self, new: Any, *, offset: Any = None, exposure: Any = None) -> Any:
        """Probability of each class for new rows.

        Parameters
        ----------
        new : tensor, array, frame or path
            Rows like those of the fit, without the target.
        offset, exposure : tensor or array, shape (n,), optional
            As in `predict`.

        Returns
        -------
        Tensor or ndarray, shape (n, classes)
            Columns in the order of `classes`; a tensor for a tensor, NaN for a row that cannot be predicted.

        Raises
        ------
        InvalidInput
            When the columns are not those of the fit, or the fit has no classes.
        """
        return self.predict(new, kind="proba", offset=offset, exposure=exposure)

    def predict_blocks(
        self, new: Any, *, kind: Kind | None = None, offset: Any = None, exposure: Any = None
    ) -> Iterator[Tensor]:
        """Predictions block by block in the order of the rows, for new rows of any size.

        Parameters
        ----------
        new : tensor, array, frame or path
            Rows like those of the fit, without the target.
        kind : {"label", "mean", "proba", "link"}, optional
            As in `predict`.
        offset, exposure : tensor or array, shape (n,), optional
            As in `predict`.

        Yields
        ------
        Tensor, shape (n, k), float64
            Numbers of one block; labels as (n, 1) numbers that count in `classes`. NaN where a row cannot be predicted.
        """
        wanted = kind_of(self.solution, kind)
        for block in self._blocks(new, offset, exposure):
            yield numbers(self.solution, block.predict(self.solution.coef), wanted)

    def _intervals(self, new: Any, level: float, offset: Any, exposure: Any) -> Prediction:
        from torchlinear.inference.intervals import Prediction, prediction

        if self.solution.family is not None and not self.solution.family.quadratic:
            raise InvalidInput(
                f"interval={level!r} is for squared loss, not {self.solution.loss}: predict means without interval=."
            )
        parts = [
            prediction(
                self.solution,
                block.X.double().cpu().numpy(),
                level,
                mean=block.predict(self.solution.coef).cpu().numpy(),
            )
            for block in self._blocks(new, offset, exposure)
        ]
        return Prediction(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("mean", "low", "high"))
        )

    def _blocks(self, new: Any, offset: Any = None, exposure: Any = None) -> Iterator[Block]:
        """Features of new rows, without targets."""
        given = offset is not None or exposure is not None
        if given and self.solution.offset is None:
            role = "exposure" if offset is None else "offset"
            raise InvalidInput(f"{role}= is given, but the model was fitted without; leave it out.")
        if self.design is None:
            X = self._array(new)
            if not given and self.solution.offset is not None:
                raise InvalidInput(
                    f"the model was fitted with {self.solution.offset}, and new rows need it too: pass "
                    f"{'exposure' if 'exposure' in self.solution.offset else 'offset'}=, one number for each row."
                )
            yield Block(
                X, torch.empty(X.shape[0], 0, device=X.device), offset=shift_of(offset, exposure, X.shape[0])
            )
            return
        if not is_tabular(new):
            raise InvalidInput(
                f"predict takes a frame or a file with the columns {', '.join(self.design.columns)}, "
                f"got a {type(new).__name__}."
            )
        from torchlinear.sources import read

        if given:
            new = shifted(new, self.design, offset=offset, exposure=exposure)
        rows = self.design.rows(read(new), target=False)
        for shard in rows.shards():
            yield from rows.blocks(shard)

    def _array(self, new: Any) -> Tensor:
        """Features of a model of arrays, shape (n, p)."""
        X = features(new, "new")
        if X.shape[1] != len(self.names):
            raise InvalidInput(
                f"new has {X.shape[1]} columns (shape {tuple(X.shape)}); the model was fitted on "
                f"{len(self.names)}: {', '.join(self.names)}. One row has the shape (1, {len(self.names)})."
            )
        return X

    def summary(self, cov: str = "classical", *, level: float = 0.95, base: Label | None = None) -> Summary:
        """Coefficients with standard errors, t, p and intervals.

        Parameters
        ----------
        cov : str
            Type of the covariance: ``"classical"``; of quantile and absolute loss ``"robust"`` (the same as classical)
            and ``"iid"``.
        level : float
            Level of the intervals.
        base : label, optional
            The class of a softmax that the others are compared with; without it, the coefficients of all classes
            sum to zero.

        Returns
        -------
        Summary
            Prints as a table; ``to_frame()`` is a pandas frame.
        """
        from torchlinear.inference.summary import summarise

        return summarise(self.solution, cov=cov, level=level, base=base)

    def plot(self, ax: Axes | None = None, *, data: Any = None, y: Any = None, target: int | str = 0) -> Axes:
        """Points, line and band with the equation; predicted against observed for more than one feature.

        Of two classes or proportions, the curve of the probability over the feature, or over the linear predictor.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure otherwise.
        data, y
            Rows to draw, when the fit no longer holds its own: a frame or file, or arrays X and y.
        target : int or str
            Which of several targets.

        Returns
        -------
        Axes
            The axes drawn on.

        Raises
        ------
        RowsNeeded
            When the fit holds no rows and none are given.
        """
        from torchlinear.report.plots import plot

        rows = self._rows if data is None else self._replayed(data, y)
        if rows is None:
            raise RowsNeeded(
                "this fit holds no rows (it was loaded from a file); pass the rows to draw: plot(data=...)."
            )
        found = drawn(rows)
        return plot(
            self.solution, found.X, found.y, offset=found.offset, total=found.total, target=target, ax=ax
        )

    def plot_loss(self, ax: Axes | None = None) -> Axes:
        """Loss by epoch, on `ax` or in a new figure."""
        from torchlinear.report.plots import plot_loss

        return plot_loss(self.history, best=self.solution.optimum, ax=ax)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the model to one ``.safetensors`` file; `torchlinear.load` reads it. It holds no rows.

        The file is written beside `path` and moved into place, so that a failure leaves an old file as it was.
        """
        from torchlinear.storage import write

        write(path, self.solution, self.design, self._like)

    def _replayed(self, data: Any, y: Any) -> Rows:
        if self.design is not None:
            from torchlinear.sources import read

            if y is not None and is_frame(data):
                columns = [np.asarray(y)] if self.classes else as_targets(y, n_rows(data)).cpu().numpy().T
                data = with_columns(data, dict(zip(self.design.targets.names, columns)))
            return placed(self.design.rows(read(data)), self.solution.family)
        if y is None:
            raise InvalidInput("y is missing: this model was fitted on arrays, so pass plot(data=X, y=y).")
        X = self._array(data)
        n, classes = X.shape[0], self.classes
        target = as_targets(y, n) if classes is None else recode(y, n, classes)
        return TensorRows(X, target, names=self.names, targets=self.solution.targets)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_rows": None}

    def __repr__(self) -> str:
        known = f"{self.solution.loss}, {len(self.names)} features"
        if self.classes is not None and len(self.solution.targets) > 1:
            return f"Fit({known}, {len(self.classes)} classes, {self.status.label})"
        return f"Fit({known}, {self.status.label}: {self.equation})"
