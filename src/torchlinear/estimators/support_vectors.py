"""What `LinearSVC` and `LinearSVR` share: the parameters of liblinear, and the combinations that it refuses."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from torchlinear.errors import InvalidInput
from torchlinear.estimators.base import LinearEstimator

__all__ = ["SupportVectors"]

DUAL = ("hinge", "epsilon_insensitive")  # losses that liblinear knows in the dual problem only


class SupportVectors(LinearEstimator):
    """A linear model whose rows cost nothing within a margin."""

    _takes_sparse = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "C": [Interval(Real, 0.0, None, closed="neither")],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "dual": ["boolean", StrOptions({"auto"})],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
    }
    penalty: str = "l2"
    loss: str
    C: float
    dual: bool | str

    def _check_parameters(self) -> None:
        super()._check_parameters()
        reason = self._unsupported()
        if reason is not None:
            raise InvalidInput(
                f"Unsupported set of arguments: {reason}, Parameters: penalty={self.penalty!r}, loss={self.loss!r}, "
                f"dual={self.dual!r}"
            )

    def _unsupported(self) -> str | None:
        """What liblinear refuses of the parameters, in scikit-learn's words."""
        pair = f"The combination of penalty={self.penalty!r} and loss={self.loss!r}"
        if self.penalty == "l1" and self.loss in DUAL:
            return f"{pair} is not supported"
        primal, dual = not self.dual, self.dual and self.dual != "auto"
        if (self.loss in DUAL and primal) or (self.penalty == "l1" and dual):
            return f"{pair} are not supported when dual={self.dual}"
        return None
