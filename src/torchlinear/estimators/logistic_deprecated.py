"""What scikit-learn deprecates of logistic regression from 1.8 on: `penalty`, `n_jobs`, and defaults that change.

They mean what they mean there, and are warned of in its words; they go when they go there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from torchlinear.errors import warn_caller

if TYPE_CHECKING:
    from torchlinear.estimators.logistic import LogisticRegression
    from torchlinear.estimators.logistic_cv import LogisticRegressionCV

__all__ = ["UNSAID", "name_of_penalty", "warn_of_parameters", "warn_of_search"]

UNSAID = "deprecated"  # the default of `penalty`


def name_of_penalty(penalty: str | None, shares: Any, *, none: bool = False) -> str | None:
    """The penalty that is meant: the deprecated name, or what the shares of L1 say.

    Parameters
    ----------
    penalty : str or None
        The parameter `penalty`.
    shares : float or array of float, or None
        Shares of L1; None is 0.
    none : bool
        Whether there is no penalty by any share, its strength being 0.

    Returns
    -------
    str or None
        "l2", "l1", "elasticnet", or None for none.
    """
    if penalty != UNSAID:
        return penalty
    if none:
        return None
    ratios = np.zeros(1) if shares is None else np.asarray(shares)
    return "l2" if (ratios == 0).all() else "l1" if (ratios == 1).all() else "elasticnet"


def warn_of_parameters(model: LogisticRegression) -> None:
    """Warn of deprecated parameters, and of a `penalty` that says otherwise than `C` and `l1_ratio`."""
    penalty, ratio = model.penalty, model.l1_ratio
    if model.n_jobs is not None:
        warn_caller(
            "'n_jobs' has no effect since 1.8 and will be removed in 1.10. You provided "
            f"'n_jobs={model.n_jobs}', please leave it unspecified.",
            FutureWarning,
        )
    if penalty == UNSAID:
        if ratio is None:
            warn_caller(
                "'l1_ratio=None' was deprecated in version 1.8 and will trigger an error in 1.10. Use "
                "0<=l1_ratio<=1 instead.",
                FutureWarning,
            )
        return
    _warn_of_penalty(penalty, "l1_ratio", "C")
    if penalty != "elasticnet" and ratio is not None and 0 < ratio < 1:
        warn_caller(
            f"l1_ratio parameter is only used when penalty is 'elasticnet'. Got (penalty={penalty})",
            UserWarning,
        )
    if (penalty == "l2" and ratio != 0) or (penalty == "l1" and ratio != 1):
        warn_caller(
            f"Inconsistent values: penalty={penalty} with l1_ratio={ratio}. penalty is deprecated. Please use "
            "l1_ratio only.",
            UserWarning,
        )
    if penalty is None and model.C != 1.0:
        warn_caller("Setting penalty=None will ignore the C and l1_ratio parameters", UserWarning)


def warn_of_search(model: LogisticRegressionCV) -> None:
    """Warn of deprecated parameters, and of defaults that will change."""
    penalty, ratios, name = model.penalty, model.l1_ratios, type(model).__name__
    if isinstance(ratios, str):
        warn_caller(
            "The default value for l1_ratios will change from None to (0.0,) in version 1.10. From version "
            "1.10 onwards, only array-like with values in [0, 1] will be allowed, None will be forbidden. To "
            "avoid this warning, explicitly set a value, e.g. l1_ratios=(0,).",
            FutureWarning,
        )
    elif ratios is None and penalty == UNSAID:
        warn_caller(
            "'l1_ratios=None' was deprecated in version 1.8 and will trigger an error in 1.10. Use an "
            "array-like with values in [0, 1] instead.",
            FutureWarning,
        )
    elif ratios is not None and penalty not in (UNSAID, "elasticnet"):
        warn_caller(
            f"l1_ratios parameter is only used when penalty is 'elasticnet'. Got (penalty={penalty})",
            UserWarning,
        )
    _warn_of_penalty(penalty, "l1_ratios", "Cs")
    if isinstance(model.scoring, str) and model.scoring == "warn":
        warn_caller(
            "The default value of the parameter 'scoring' will change from None, i.e. accuracy, to "
            "'neg_log_loss' in version 1.11. To silence this warning, explicitly set the scoring parameter: "
            "scoring='neg_log_loss' for the new, scoring='accuracy' or scoring=None for the old default.",
            FutureWarning,
        )
    if model.use_legacy_attributes == "warn":
        warn_caller(
            f"The fitted attributes of {name} will be simplified in scikit-learn 1.10 to remove redundancy. "
            "Set `use_legacy_attributes=False` to enable the new behavior now, or set it to `True` to silence this "
            "warning during the transition period while keeping the deprecated behavior for the time being. The "
            "default value of use_legacy_attributes will change from True to False in scikit-learn 1.10. See the "
            f"docstring of {name} for more details.",
            FutureWarning,
        )


def _warn_of_penalty(penalty: str | None, ratios: str, strengths: str) -> None:
    """Warn of the deprecated `penalty`, naming the parameters that say the same."""
    if penalty != UNSAID:
        share = "({},)".format if ratios.endswith("s") else str
        warn_caller(
            "'penalty' was deprecated in version 1.8 and will be removed in 1.10. To avoid this warning, leave "
            f"'penalty' set to its default value and use {ratios!r} and {strengths!r} instead: {ratios}={share(0)} "
            f"for penalty='l2', {ratios}={share(1)} for penalty='l1', between 0 and 1 for penalty='elasticnet', and "
            f"{strengths}={share('np.inf')} for penalty=None.",
            FutureWarning,
        )
