"""LinearProbe: the linear layer on top of frozen embeddings, its penalty chosen by a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from torchlinear.engines.local import single_threaded_blas
from torchlinear.errors import ConvergenceWarning, InvalidInput, warn_caller
from torchlinear.inputs import resolve_device
from torchlinear.labels import Label, decode
from torchlinear.loop import Status
from torchlinear.penalties.l2 import L2
from torchlinear.probe import choice
from torchlinear.probe.intake import Examples, examples, matched
from torchlinear.probe.rows import EmbeddingRows
from torchlinear.probe.sweep import Moments
from torchlinear.values import as_weights

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["LinearProbe"]


class LinearProbe:
    """Softmax regression on embeddings, with the ridge penalty that does best on rows held out.

    All penalties are fitted together, so that they share each pass over the rows; each to its optimum, by a
    duality gap. The best is then fitted on all rows.

    Parameters
    ----------
    penalties : int or sequence of float or L2
        How many log-spaced penalties to try, their range taken from the variance of the embeddings; or the
        penalties themselves, above 0, in the scale of `torchlinear.L2`.
    held_out : float
        Share of the rows that judge the penalties, drawn at random.
    folds : int, optional
        Judge by K folds instead.
    choose_by : {"log_loss", "top1", "top5"}
        Which score on held-out rows chooses.
    intercept : bool
        Whether to fit an intercept.
    tol : float
        Largest duality gap, relative to the objective.
    seed : int
        Of the draw of the rows that are held out.
    device : str or torch.device
        Where to work; ``"auto"`` is where the embeddings lie.

    Attributes
    ----------
    module : nn.Linear
        The layer (p -> k), in the dtype of the embeddings (float32 for narrower ones).
    classes : tuple
        The classes, sorted: the outputs of `module`.
    penalty : L2
        The best.
    results : DataFrame
        A row for each penalty: `penalty`, `log_loss` and its standard error, `top1`, `top5` on held-out rows,
        `gap`, `converged`. None when there was one penalty and nothing to choose.
    gap : float
        Relative duality gap of the last fit: how far its objective can be above the optimum.
    status : Status
        How the fit ended.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
    >>> y = X[:, :3].argmax(dim=1)
    >>> probe = tl.LinearProbe(penalties=5).fit(X, y)
    >>> probe.module
    Linear(in_features=8, out_features=3, bias=True)
    >>> probe.score(X, y) > 0.9
    True
    """

    module: nn.Linear
    classes: tuple[Label, ...]
    penalty: L2
    results: pd.DataFrame | None
    gap: float
    status: Status

    def __init__(
        self,
        penalties: int | Sequence[float | L2] = 20,
        *,
        held_out: float = 0.2,
        folds: int | None = None,
        choose_by: str = "log_loss",
        intercept: bool = True,
        tol: float = 1e-8,
        seed: int = 0,
        device: str | torch.device = "auto",
    ) -> None:
        self.penalties = _penalties(penalties)
        if choose_by not in choice.JUDGES:
            raise InvalidInput(f"choose_by={choose_by!r} is not known. Known: {', '.join(choice.JUDGES)}.")
        if folds is not None and not (isinstance(folds, Integral) and folds >= 2):
            raise InvalidInput(f"folds={folds!r}: expected a whole number of at least 2, or None.")
        for name, value, most in (("held_out", held_out, 1.0), ("tol", tol, 1.0)):
            if not (isinstance(value, Real) and 0 < value < most):
                raise InvalidInput(f"{name}={value!r}: expected a number above 0 and below 1.")
        self.held_out, self.folds, self.choose_by = float(held_out), folds, choose_by
        self.intercept, self.tol, self.seed, self.device = bool(intercept), float(tol), int(seed), device

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        validation: tuple[Any, Any] | tuple[Any, Any, Any] | None = None,
    ) -> LinearProbe:
        """Fit the layer.

        Parameters
        ----------
        X : tensor, array, frame or path, shape (n, p)
            Embeddings: float64, float32, bfloat16 or float16. The path of a ``.npy`` or ``.safetensors`` file, which
            are mapped and may be larger than memory, or of a Parquet file.
        y : tensor, array, Series, list, str or path, shape (n,)
            Labels of any kind; the path of a ``.npy`` file of them; or the name of their tensor or column in the file.
        sample_weight : tensor or array, shape (n,), optional
            Weight of each row, at least 0: in the mean that is minimised, and in the scores on held-out rows.
        validation : tuple, optional
            Embeddings and labels that judge the penalties, instead of rows of X; they are not fitted. Their weights may
            be a third.

        Returns
        -------
        LinearProbe
            Itself.

        Raises
        ------
        InvalidInput, DataError
            When something else came.
        """
        data = examples(X, y)
        codes, self.classes = data.coded()
        place = resolve_device(self.device) or data.X.device
        rows = data.X.to(place)
        weight = None if sample_weight is None else as_weights(sample_weight, len(rows)).cpu()
        settings = choice.Settings(len(self.classes), self.intercept, self.tol, place)
        alpha, start = self.penalties, None
        self.results = None
        if isinstance(alpha, int) or len(alpha) > 1:
            splits = self._splits(rows, codes, weight, validation, settings)
            found = choice.judged(splits, alpha, settings, self.choose_by)
            self.results, self._best, start = found.results, found.best, found.start
            alpha = torch.tensor([float(found.results["penalty"][found.best])], dtype=torch.float64)
        loaded = settings.load(rows, codes, weight=weight)
        with single_threaded_blas():
            moments = Moments(loaded)
        fitted = choice.solved(loaded, alpha, moments, settings, start)
        self.penalty, self.status, self.gap = L2(float(alpha[0])), fitted.status, float(fitted.gap[0])
        self.module = _layer(fitted.coef[0], rows.dtype, self.intercept)
        if self.status is not Status.CONVERGED:
            warn_caller(f"fit {self.status.value}", ConvergenceWarning)
        return self

    def logits(self, X: Any) -> Tensor:
        """Outputs of the layer in float64, shape (n, k), computed block by block."""
        X = examples(X).X
        weight = self._fitted().weight
        if X.shape[1] != weight.shape[1]:
            raise InvalidInput(f"X has {X.shape[1]} columns; the probe was fitted on {weight.shape[1]}.")
        bias = weight.new_zeros(len(weight)) if self.module.bias is None else self.module.bias
        coef = torch.cat([weight.T, bias[None]]).detach().double()
        rows = EmbeddingRows(X, torch.zeros(len(X), dtype=torch.int64))
        parts = (block.predict(coef) for shard in rows.shards() for block in rows.blocks(shard))
        return torch.cat(list(parts))

    def predict(self, X: Any) -> Any:
        """The likeliest class of each row, shape (n,); a tensor for a tensor, unless classes are texts."""
        codes = self.logits(X).argmax(dim=1).double()
        return decode(codes, self.classes, tensor=isinstance(X, Tensor))

    def predict_proba(self, X: Any) -> Any:
        """Probability of each class, shape (n, k), in the order of `classes`; a tensor for a tensor."""
        shares = self.logits(X).softmax(dim=1)
        return shares if isinstance(X, Tensor) else shares.cpu().numpy()

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Share of the rows, or of their weights, whose class is the likeliest."""
        data = examples(X, y)
        right = (self.logits(data.X).argmax(dim=1).cpu() == self._known(data)).double()
        if sample_weight is None:
            return float(right.mean())
        weight = as_weights(sample_weight, len(right)).cpu()
        return float(weight @ right / weight.sum())

    def plot(self, ax: Axes | None = None) -> Axes:
        """Log-loss and accuracy on held-out rows against the penalty, on `ax` or in a new figure."""
        self._fitted()
        if self.results is None:
            raise InvalidInput("there is nothing to plot: one penalty was given, so none was chosen.")
        from torchlinear.report.sweep import plot_sweep

        return plot_sweep(self.results, self._best, len(self.classes), ax)

    def _splits(
        self, X: Tensor, codes: Tensor, weight: Tensor | None, validation: Any, settings: choice.Settings
    ) -> list[tuple[Any, Any]]:
        """Rows to fit and rows to judge by."""
        if validation is None:
            pairs = choice.splits_of(len(X), held_out=self.held_out, folds=self.folds, seed=self.seed)
            return [
                (settings.load(X, codes, fit, weight), settings.load(X, codes, judge, weight))
                for fit, judge in pairs
            ]
        if not isinstance(validation, tuple) or len(validation) not in (2, 3):
            raise InvalidInput(
                "validation takes (X, y) or (X, y, weights): embeddings, labels and their weights."
            )
        other = examples(*validation[:2])
        if other.X.shape[1] != X.shape[1]:
            raise InvalidInput(f"validation has {other.X.shape[1]} columns for {X.shape[1]} of X.")
        judging = None if len(validation) == 2 else as_weights(validation[2], len(other.X)).cpu()
        held_out = settings.load(other.X.to(X.device), self._known(other), weight=judging)
        return [(settings.load(X, codes, weight=weight), held_out)]

    def _known(self, data: Examples) -> Tensor:
        return matched(data.y, len(data.X), self.classes)

    def _fitted(self) -> nn.Linear:
        if not hasattr(self, "module"):
            raise InvalidInput("this LinearProbe is not fitted yet: call fit(X, y) first.")
        return self.module

    def __repr__(self) -> str:
        if not hasattr(self, "module"):
            return "LinearProbe(not fitted)"
        p, k = self.module.in_features, self.module.out_features
        return f"LinearProbe({p} features, {k} classes, {self.penalty}, {self.status.label})"


def _penalties(given: Any) -> int | Tensor:
    """How many penalties, or the penalties themselves, strongest first."""
    if isinstance(given, Integral) and not isinstance(given, bool) and int(given) >= 1:
        return int(given)
    listed = [given] if isinstance(given, (Real, L2)) and not isinstance(given, (bool, Integral)) else given
    alphas = []
    for one in listed if isinstance(listed, (list, tuple)) or hasattr(listed, "tolist") else [None]:
        alpha = one.alpha if isinstance(one, L2) and one.column_weights is None else one
        if isinstance(alpha, bool) or not isinstance(alpha, Real) or not 0 < float(alpha) < float("inf"):
            raise InvalidInput(
                f"penalties takes a whole number of them, or numbers above 0 or L2 objects without column "
                f"weights, got {given!r}."
            )
        alphas.append(float(alpha))
    if not alphas:
        raise InvalidInput("penalties is empty; expected at least one.")
    return torch.tensor(sorted(alphas, reverse=True), dtype=torch.float64)


def _layer(coef: Tensor, dtype: torch.dtype, intercept: bool) -> nn.Linear:
    """Coefficients (p + 1, k) as a layer."""
    wanted = dtype if dtype in (torch.float32, torch.float64) else torch.float32
    layer = nn.Linear(coef.shape[0] - 1, coef.shape[1], bias=intercept, device="meta")
    layer.weight = nn.Parameter(coef[:-1].T.to(wanted, copy=True).contiguous())
    if intercept:
        layer.bias = nn.Parameter(coef[-1].to(wanted, copy=True))
    return layer
