"""Group lasso: P(beta) = alpha * sum over groups g of c_g (mix |beta_g| + (1 - mix) / 2 |beta_g|^2).

|beta_g| is the Euclidean norm of the coefficients of the columns of group g, of all outputs together, each times its
`column_weights`; with `standardize`, times the standard deviation of its column as well.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from torchlinear.errors import InvalidInput
from torchlinear.penalties.base import Penalty, checked_strengths

__all__ = ["GroupLasso"]

ROUNDS = 100  # of Newton's method for a group's norm; it takes about ten
SETTLED = 1e-16  # of its step, relative


@dataclass(frozen=True, slots=True)
class GroupLasso(Penalty):
    """The group-lasso penalty ``alpha * sum(weights * norm(beta of the group))``, in the user's units.

    Columns of a group are in or out of the model together: the dummies of a factor, the powers of a variable, or one
    column for all targets or classes (Yuan, Lin 2006, "Model selection and estimation in regression with grouped
    variables"). Groups that do not pay for themselves have coefficients of exactly zero.

    Parameters
    ----------
    alpha : float
        Strength, at least 0.
    groups : sequence of hashable, shape (p,), optional
        The group of each column, by any label. By default each column is a group: then the coefficients of a column
        for all targets are zero together, as in scikit-learn's ``MultiTaskLasso(alpha=a)``, which is
        ``GroupLasso(2 * a)``.
    weights : sequence or array of float, shape (groups,), optional
        Relative strength of each group, in the order in which labels first come up; 0 leaves a group unpenalised.
        By default the root of the number of its columns.
    mix : float
        Share of the norms, from 0 to 1; the rest is L2.
    standardize : bool
        Whether beta is taken times the standard deviation (1/n) of its column, so that the units of the columns do
        not matter.
    column_weights : sequence or array of float, shape (p,), optional
        What the coefficient of each column counts in the norm of its group, 1 by default; 0 leaves a column
        unpenalised.

    Raises
    ------
    InvalidInput
        When `alpha` or a weight is negative or not finite, `mix` is not from 0 to 1, or weights are not one for each
        group or column.

    Examples
    --------
    >>> import torch, torchlinear as tl
    >>> X = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, -1, 0], [0, 0, -1]])
    >>> fit = tl.fit(X, X @ torch.tensor([4.0, 3.0, 0.5]), penalty=tl.GroupLasso(0.5, groups=["a", "a", "b"]))
    >>> fit.coef.ne(0).tolist()
    [True, True, False]
    """

    alpha: float = 1.0
    groups: Sequence[Hashable] | NDArray[Any] | Tensor | None = None
    weights: Sequence[float] | NDArray[Any] | Tensor | None = None
    mix: float = 1.0
    standardize: bool = False
    column_weights: Sequence[float] | NDArray[Any] | Tensor | None = None
    _metric: tuple[float, ...] | None = field(default=None, repr=False)
    name: ClassVar[str] = "group_lasso"
    smooth: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.groups is not None:
            object.__setattr__(self, "groups", _labels(self.groups))
        for name in ("weights", "column_weights"):
            given = getattr(self, name)
            values = checked_strengths(self.alpha, given)
            if values is None:
                raise InvalidInput(
                    f"GroupLasso takes a finite alpha and {name} of at least 0, got alpha={self.alpha!r}, "
                    f"{name}={given!r}."
                )
            if given is not None:
                object.__setattr__(self, name, values[1:])
        if not (isinstance(self.mix, Real) and 0.0 <= self.mix <= 1.0):
            raise InvalidInput(f"GroupLasso takes a mix from 0 (L2) to 1 (norms), got mix={self.mix!r}.")

    def __str__(self) -> str:
        mixed = "" if self.mix == 1.0 else f", mix={self.mix:g}"
        groups = "" if self.groups is None else f", {len(set(tuple(self.groups)))} groups"
        kinds = {"group": self.weights, "column": self.column_weights}
        said = " and ".join(kind for kind, given in kinds.items() if given is not None)
        weighted = f", with {said} weights" if said else ""
        standardized = ", of standardised columns" if self.standardize else ""
        return f"GroupLasso({self.alpha:g}{groups}{mixed}){weighted}{standardized}"

    def with_alpha(self, alpha: float) -> GroupLasso:
        """The same penalty at another strength."""
        return replace(self, alpha=alpha)

    def in_units(self, deviation: Tensor) -> GroupLasso:
        """The penalty in the user's units, for columns with these standard deviations, shape (p,)."""
        return replace(self, _metric=tuple(deviation.tolist())) if self.standardize else self

    def index(self, n_features: int) -> Tensor:
        """Number of the group of each column, shape (p,), int64; groups in the order in which they come up."""
        if self.groups is None:
            return torch.arange(n_features, device="cpu")
        if len(self.groups) != n_features:
            raise InvalidInput(
                f"GroupLasso.groups has {len(self.groups)} entries for {n_features} columns; give the group of each "
                "column of the design (dummies count singly)."
            )
        labels = tuple(self.groups)
        numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
        return torch.tensor([numbers[label] for label in labels], dtype=torch.int64, device="cpu")

    def strengths(self, n_features: int) -> Tensor:
        """Strengths of the groups' norms, shape (groups,), float64."""
        return self.alpha * self.mix * self._weights(n_features)

    def ridge(self, n_features: int) -> Tensor:
        """Strengths of the columns' squares, shape (p,), float64."""
        weights = self._weights(n_features)[self.index(n_features)]
        return self.alpha * (1.0 - self.mix) * weights * self.metric(n_features).square()

    def metric(self, n_features: int) -> Tensor:
        """What coefficients are multiplied by in the norms, shape (p,), float64."""
        found = torch.ones(n_features, dtype=torch.float64, device="cpu")
        if self._metric is not None:
            found *= torch.tensor(self._metric, dtype=torch.float64, device="cpu")
        if self.column_weights is None:
            return found
        if len(self.column_weights) != n_features:
            raise InvalidInput(
                f"GroupLasso.column_weights has {len(self.column_weights)} entries for {n_features} columns; give one "
                "for each column of the design (dummies count singly)."
            )
        return found * torch.as_tensor(self.column_weights, dtype=torch.float64, device="cpu")

    def norms(self, beta: Tensor) -> Tensor:
        """Norms of the groups, shape (groups,)."""
        scaled = self.metric(beta.shape[0]).to(beta)[:, None] * beta
        return self._totals(scaled.square().sum(dim=1)).sqrt()

    def rough(self, beta: Tensor) -> Tensor:
        """The part that is not smooth, a scalar."""
        return self.strengths(beta.shape[0]).to(beta) @ self.norms(beta)

    def value(self, beta: Tensor) -> Tensor:
        """P(beta), a scalar."""
        squares = self.ridge(beta.shape[0]).to(beta) @ beta.square().sum(dim=1) / 2.0
        return self.rough(beta) + squares

    def gradient(self, beta: Tensor) -> Tensor:
        """Derivative of the squares, shape (p, k)."""
        return self.curvature(beta) * beta

    def curvature(self, beta: Tensor) -> Tensor:
        """Strengths of the squares as a diagonal, shape (p, k)."""
        return self.ridge(beta.shape[0]).to(beta)[:, None].expand(beta.shape)

    def prox(self, beta: Tensor, step: Tensor) -> Tensor:
        """``argmin_b (b - beta)^2 / (2 step) + strengths norms(b)``, shape (p, k); `step` broadcasts.

        With steps that differ within a group its norm r is the root of sum z^2 / (r d + strength)^2 = 1, found by
        Newton's method on the root of the inverse sum, which is concave (More, Sorensen 1983).
        """
        p, number = beta.shape[0], self.index(beta.shape[0]).to(beta.device)
        metric, strength = self.metric(p).to(beta)[:, None], self.strengths(p).to(beta)
        seen = metric > 0
        safe = torch.where(seen, metric, 1.0)
        d = torch.where(seen, 1.0 / (torch.as_tensor(step).to(beta) * safe.square()), 0.0).expand(beta.shape)
        z = torch.where(seen, d * metric * beta, 0.0)
        size = self._totals(z.square().sum(dim=1)).sqrt()
        out, free = size <= strength, strength == 0
        top = torch.zeros_like(size).scatter_reduce(0, number, d.amax(dim=1), "amax")
        r = torch.where(out | free, 1.0, (size - strength) / top.clamp(min=torch.finfo(beta.dtype).tiny))
        for _ in range(ROUNDS):
            width = (r[:, None] * 0 + strength[:, None])[number] + r[number, None] * d
            width = torch.where((out | free)[number, None], 1.0, width)
            total = self._totals((z / width).square().sum(dim=1))
            bend = self._totals((z.square() * d / width**3).sum(dim=1))
            moved = torch.where(out | free, 0.0, (total - total.sqrt()) * total.sqrt() / bend)
            r = r + moved
            if not bool((moved > SETTLED * r).any()):
                break
        shrunk = z / (d + (strength / r)[number, None]).clamp(min=torch.finfo(beta.dtype).tiny)
        found = torch.where(out[number, None], 0.0, shrunk / safe)
        return torch.where(free[number, None] | ~seen, beta, found)

    def steepest(self, slope: Tensor, beta: Tensor) -> Tensor:
        """The smallest of ``slope`` plus the subgradients of the norms, shape (p, k)."""
        p, number = beta.shape[0], self.index(beta.shape[0]).to(beta.device)
        metric, strength, norms = self.metric(p).to(beta), self.strengths(p).to(beta), self.norms(beta)
        scaled = slope / torch.where(metric > 0, metric, 1.0)[:, None]
        size = self._totals(torch.where(metric > 0, scaled.square().sum(dim=1), 0.0)).sqrt()
        left = torch.where(size > strength, 1.0 - strength / torch.where(size > 0, size, 1.0), 0.0)
        pulled = (strength / torch.where(norms > 0, norms, 1.0))[number] * metric.square()
        at_zero = torch.where((metric > 0)[:, None], left[number, None] * slope, slope)
        return torch.where((norms > 0)[number, None], slope + pulled[:, None] * beta, at_zero)

    def _totals(self, values: Tensor) -> Tensor:
        """Sums over the columns of each group, shape (groups,)."""
        number = self.index(len(values)).to(values.device)
        return values.new_zeros(int(number.max()) + 1 if len(number) else 0).index_add(0, number, values)

    def _weights(self, n_features: int) -> Tensor:
        """Weights of the groups, shape (groups,), float64."""
        sizes = torch.bincount(self.index(n_features))
        if self.weights is None:
            return sizes.double().sqrt()
        if len(self.weights) != len(sizes):
            raise InvalidInput(
                f"GroupLasso.weights has {len(self.weights)} entries for {len(sizes)} groups; give one for each, in "
                "the order in which their labels first come up."
            )
        return torch.as_tensor(self.weights, dtype=torch.float64, device="cpu")


def _labels(groups: Any) -> tuple[Hashable, ...]:
    """Labels that compare by value: elements of tensors and arrays as Python's numbers."""
    try:
        labels = tuple(group.item() if hasattr(group, "item") else group for group in groups)
        hash(labels)
    except (TypeError, ValueError, RuntimeError):
        raise InvalidInput(
            f"GroupLasso.groups takes a label for each column, such as ['a', 'a', 'b'], got {groups!r}."
        ) from None
    return labels
