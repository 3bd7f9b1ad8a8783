"""What `SGDRegressor` and `SGDClassifier` share: parameters, where a descent begins, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.linear_model._base import SPARSE_INTERCEPT_DECAY, SparseCoefMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.parallel import Parallel, delayed

from torchlinear.errors import InvalidInput, warn_caller
from torchlinear.estimators.base import ConvergenceWarning, LinearEstimator, TrainingRows
from torchlinear.estimators.exchange import like, to_dense, to_numpy
from torchlinear.estimators.sgd_epochs import Array, Begin, Stop, Task, descend
from torchlinear.kernels import sgd
from torchlinear.sparse import is_sparse

__all__ = ["MOST", "Mask", "StochasticDescent"]

MOST = int(np.iinfo(np.int32).max)  # seeds are below it

SCHEDULES = {
    "constant": sgd.CONSTANT,
    "optimal": sgd.OPTIMAL,
    "invscaling": sgd.INVERSE,
    "adaptive": sgd.ADAPTIVE,
    "pa1": sgd.PASSIVE,
    "pa2": sgd.PASSIVE_SQUARED,
}

NO_WEIGHT = "The sample weights for validation set are all zero, consider using a different random state."

Mask = NDArray[np.bool_]


class StochasticDescent(SparseCoefMixin, LinearEstimator):  # type: ignore[misc]
    """Base of the estimators that step along one row at a time."""

    # Loss of the kernel by name, and its threshold or the default of its width.
    loss_functions: ClassVar[dict[str, tuple[int, float]]] = {}
    _passive_loss: ClassVar[str]  # the only one that the passive-aggressive schedules know
    _takes_sparse = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "penalty": [StrOptions({"l2", "l1", "elasticnet"}), None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "shuffle": ["boolean"],
        "verbose": ["verbose"],
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "learning_rate": [StrOptions(set(SCHEDULES))],
        "eta0": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, None, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "average": [Interval(Integral, 0, None, closed="neither"), "boolean"],
    }

    loss: str
    penalty: str | None
    alpha: float
    l1_ratio: float | None
    max_iter: int
    tol: float | None
    shuffle: bool
    verbose: int
    epsilon: float
    random_state: Any
    learning_rate: str
    eta0: float
    power_t: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    average: bool | int

    def fit(  # type: ignore[override]  # scikit-learn has the weights last
        self, X: Any, y: Any, coef_init: Any = None, intercept_init: Any = None, sample_weight: Any = None
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array, tensor, frame or sparse matrix, shape (n, p)
            Rows; sparse ones never become dense.
        y : array or tensor, shape (n,)
            Target; of a classifier labels of any kind.
        coef_init : array or tensor, shape (p,), of more than two classes (c, p), optional
            Where to begin; zeros otherwise.
        intercept_init : float or array, shape (1,), of more than two classes (c,), optional
            Where to begin; 0 otherwise.
        sample_weight : float or array, shape (n,), optional
            Weights, at least 0: a row's step is multiplied by its weight.

        Returns
        -------
        StochasticDescent
            Itself.

        Raises
        ------
        InvalidInput
            When a parameter is not what is expected, or coefficients overflow.
        """
        self._check_parameters()
        self._refuse_no_weight(sample_weight)
        rows = self._rows(X, y, sample_weight)
        begin = self._begin(rows, coef_init, intercept_init)
        self._restart()
        self._run(rows, begin, int(self.max_iter))
        self._warn()
        return self

    def _run(self, rows: Any, begin: Begin, epochs: int) -> None:
        """Descend, for each decision, and set the attributes."""
        raise NotImplementedError

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.learning_rate == "optimal" and self.alpha == 0:
            raise InvalidInput(
                "alpha must be > 0 since learning_rate is 'optimal'. alpha is used to compute the optimal learning "
                "rate."
            )
        if self.learning_rate in ("pa1", "pa2") and self.loss != self._passive_loss:
            raise InvalidInput(
                f"Learning rate '{self.learning_rate}' only works with loss '{self._passive_loss}'."
            )
        if self.penalty == "elasticnet" and self.l1_ratio is None:
            raise InvalidInput("l1_ratio must be set when penalty is 'elasticnet'")

    def _is_first_part(self) -> bool:
        """Whether `partial_fit` is called for the first time; refuses parameters that do not suit it then."""
        self._check_parameters()
        first = not hasattr(self, "coef_")
        if first and self.early_stopping:
            raise InvalidInput("early_stopping should be False with partial_fit: a call is one epoch.")
        return first

    def _plan(self, sparse: bool) -> sgd.Plan:
        """What the parameters say, as numbers."""
        loss, margin = self.loss_functions[self.loss]
        decay = SPARSE_INTERCEPT_DECAY if sparse else 1.0
        return sgd.Plan(
            loss,
            float(self.epsilon) if loss in (sgd.HUBER, sgd.INSENSITIVE, sgd.SQUARED_INSENSITIVE) else margin,
            strength=0.0 if self.penalty is None else float(self.alpha),
            mix=float({"l1": 1.0, "elasticnet": self.l1_ratio}.get(str(self.penalty)) or 0.0),
            schedule=SCHEDULES[self.learning_rate],
            eta0=float(self.eta0),
            alpha=float(self.alpha),
            power=float(self.power_t),
            decay=decay if self.fit_intercept else 0.0,
            average=int(self.average),
        )

    def _begin(self, rows: TrainingRows, coef_init: Any = None, intercept_init: Any = None) -> Begin:
        """Begin a fit at what is given, at the last fit with `warm_start`, else at zero."""
        if self.warm_start and hasattr(self, "coef_"):
            coef_init = self.coef_ if coef_init is None else coef_init
            intercept_init = self.intercept_ if intercept_init is None else intercept_init
        shape = outputs, _ = rows.outputs, rows.X.shape[1]
        return Begin(
            _given("coef_init", coef_init, rows, shape),
            _given("intercept_init", intercept_init, rows, (outputs,)),
            *(np.zeros(size, rows.X.dtype) for size in (shape, outputs)),
        )

    def _go_on(self, rows: TrainingRows) -> Begin:
        """Begin `partial_fit` where the last call of it, or of `fit`, ended."""
        if not hasattr(self, "coef_"):
            return self._begin(rows)
        shape = outputs, _ = rows.outputs, rows.X.shape[1]
        if is_sparse(self.coef_):
            raise InvalidInput("partial_fit needs dense coefficients; call densify() first.")
        coef, intercept = to_numpy(self.coef_), to_numpy(self.intercept_)
        mean, mean_intercept = np.zeros(shape), np.zeros(outputs)
        if self.average and hasattr(self, "_standard_coef"):
            coef, intercept = self._standard_coef, self._standard_intercept
            mean, mean_intercept = self._average_coef, self._average_intercept
        parts = (coef.reshape(shape), intercept.reshape(outputs), mean.reshape(shape), mean_intercept)
        return Begin(*(part.astype(rows.X.dtype) for part in parts))

    def _task(
        self, rows: TrainingRows, y: Array, weight: Array, seed: int, begin: Begin, output: int, held: Mask
    ) -> Task:
        """The task of one output with its targets; rows held out are scored by the weights that rows have."""
        walk = sgd.Walk.start(
            begin.coef[output],
            float(begin.intercept[output]),
            begin.mean[output] if self.average else None,
            float(begin.mean_intercept[output]),
            step=getattr(self, "t_", 1.0),
            rate=float(self.eta0),
        )
        score = None
        if self.early_stopping:
            score = self._score_of(rows.X[held], y[held], None if rows.weight is None else rows.weight[held])
        return Task(y, weight, seed, walk, score)

    def _score_of(self, X: Any, y: Array, weight: Array | None) -> Callable[[Array, float], float]:
        """The score of coefficients and an intercept on some rows, by `score` itself."""
        judge = clone(self)
        self._teach(judge)

        def score(coef: Array, intercept: float) -> float:
            judge.coef_, judge.intercept_ = self._shaped(coef[np.newaxis], np.array([intercept], coef.dtype))
            return float(judge.score(X, y, weight))

        return score

    def _teach(self, judge: Any) -> None:
        """Give a clone what `score` needs beside coefficients."""

    def _shaped(self, coef: Array, intercept: Array) -> tuple[Array, Array]:
        """Coefficients (k, p) and intercepts (k,) as their attributes have them."""
        return coef, intercept

    def _descend(
        self, rows: TrainingRows, tasks: list[Task], held: Mask, epochs: int, jobs: int | None = None
    ) -> None:
        """Run the tasks, and keep where they end."""
        stop = Stop(
            epochs,
            None if self.tol is None else float(self.tol),
            int(self.n_iter_no_change),
            bool(self.shuffle),
            bool(self.verbose),
        )
        stored, plan = _stored(rows.X), self._plan(is_sparse(rows.X))
        if len(tasks) == 1:
            ends = [descend(stored, tasks[0], plan, stop, held)]
        else:
            ends = Parallel(n_jobs=jobs, require="sharedmem")(
                delayed(descend)(stored, task, plan, stop, held) for task in tasks
            )
        walks = [end.walk for end in ends]
        self.n_iter_ = max(end.epochs for end in ends)
        self.t_ = getattr(self, "t_", 1.0) + float(self.n_iter_ * rows.X.shape[0])
        coef = np.stack([walk.coef for walk in walks])
        intercept = np.array([walk.intercept for walk in walks], dtype=rows.X.dtype)
        if self.average:
            self._standard_coef, self._standard_intercept = coef, intercept
            self._average_coef = np.stack([walk.mean_coef for walk in walks])
            means = [walk.numbers[sgd.MEAN_INTERCEPT] for walk in walks]
            self._average_intercept = np.array(means, dtype=rows.X.dtype)
            if self.average <= self.t_ - 1.0:
                coef, intercept = self._average_coef, self._average_intercept
        coef, intercept = self._shaped(coef, intercept)
        self.coef_, self.intercept_ = like(rows.device, coef.copy()), like(rows.device, intercept.copy())

    def _restart(self) -> None:
        """Forget the steps of the last fit."""
        for name in ("t_", "_standard_coef", "_standard_intercept", "_average_coef", "_average_intercept"):
            if hasattr(self, name):
                delattr(self, name)

    def _warn(self) -> None:
        """Say that a fit may not have converged, and that a parameter is deprecated, as scikit-learn does."""
        if self.tol is not None and self.n_iter_ == self.max_iter:
            warn_caller(
                "Maximum number of iteration reached before convergence. Consider increasing max_iter to improve "
                "the fit.",
                ConvergenceWarning,
            )
        if self.power_t < 0:
            warn_caller(
                "Negative values for `power_t` are deprecated in version 1.8 and will raise an error in 1.10. Use "
                "values in the range [0.0, inf) instead.",
                FutureWarning,
            )

    def _hold_out(self, splitter: Any, labels: Array, weight: Array) -> Mask:
        """Which rows are held out: none without `early_stopping`."""
        held = np.zeros(len(labels), dtype=np.bool_)
        if not self.early_stopping:
            return held
        split = splitter(test_size=self.validation_fraction, random_state=self.random_state)
        _, chosen = next(split.split(np.zeros((len(labels), 1)), labels))
        if not weight[chosen].any():
            raise InvalidInput(NO_WEIGHT)
        held[chosen] = True
        return held

    def _refuse_no_weight(self, sample_weight: Any) -> None:
        """Refuse weights that are all zero where rows are to be held out, in scikit-learn's words."""
        if self.early_stopping and sample_weight is not None and not np.any(to_numpy(sample_weight)):
            raise InvalidInput(NO_WEIGHT)


def _given(name: str, values: Any, rows: TrainingRows, shape: tuple[int, ...]) -> Array:
    """Initial values in the shape (k, p) or (k,), zeros by default; one decision may have fewer dimensions."""
    if values is None:
        return np.zeros(shape, rows.X.dtype)
    array = to_dense(values).astype(rows.X.dtype)
    if array.shape != shape and (shape[0] != 1 or array.shape != shape[1:]):
        raise InvalidInput(
            f"Provided {name} does not match dataset: it has shape {array.shape}; expected {shape}."
        )
    return array.reshape(shape)


def _stored(X: Any) -> sgd.Rows:
    if is_sparse(X):
        rows = csr_array(X)
        return sgd.sparse(rows.data, rows.indices, rows.indptr)
    return sgd.dense(X)
