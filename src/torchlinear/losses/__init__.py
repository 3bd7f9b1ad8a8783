"""Losses: one file each, listed here by the name that users type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchlinear.errors import InvalidInput
from torchlinear.registry import Entry, Registry

if TYPE_CHECKING:
    from torchlinear.losses.base import Loss

__all__ = ["ALIASES", "REGISTRY", "made"]

REGISTRY = Registry(
    "loss",
    {
        "squared": Entry("losses.squared:Squared", "Squared error, the loss of ordinary least squares."),
        "gaussian": Entry("losses.squared:Squared", "The same as squared, by the name of its family."),
        "binomial": Entry("losses.binomial:Binomial", "A label of two classes, or a proportion."),
        "logistic": Entry("losses.binomial:Binomial", "The logit link of binomial: logistic regression."),
        "softmax": Entry("losses.softmax:Softmax", "A label of any number of classes, a column for each."),
        "poisson": Entry("losses.poisson:Poisson", "Counts."),
        "gamma": Entry("losses.gamma:Gamma", "Positive numbers whose spread grows with their mean."),
        "tweedie": Entry("losses.tweedie:Tweedie", "Amounts of which many are 0."),
        "inverse_gaussian": Entry(
            "losses.inverse_gaussian:InverseGaussian", "Positive numbers with a long tail."
        ),
        "negative_binomial": Entry(
            "losses.negative_binomial:NegativeBinomial", "Counts that vary more than Poisson's."
        ),
        "quantile": Entry(
            "losses.quantile:Quantile", "Pinball loss: a quantile, 0.5 (the median) by default."
        ),
        "absolute": Entry("losses.absolute:Absolute", "Absolute error: the median."),
        "huber": Entry("losses.huber:Huber", "Squares near 0, straight lines beyond: outliers pull less."),
        "hinge": Entry(
            "losses.hinge:Hinge", "Hinge: the support vector machine, for a label of two classes."
        ),
        "squared_hinge": Entry(
            "losses.squared_hinge:SquaredHinge", "Squared hinge: the smooth support vector machine."
        ),
        "epsilon_insensitive": Entry(
            "losses.epsilon_insensitive:EpsilonInsensitive",
            "Support vector regression: residuals up to epsilon are free.",
        ),
        "squared_epsilon_insensitive": Entry(
            "losses.squared_epsilon_insensitive:SquaredEpsilonInsensitive",
            "The smooth support vector regression.",
        ),
    },
    elsewhere={
        "mse": "'squared'",
        "l2": "'squared'",
        "ols": "'squared'",
        "mae": "'absolute'",
        "l1": "'absolute'",
        "median": "'absolute'",
        "pinball": "'quantile'",
        "cross_entropy": "'softmax'",
        "multinomial": "'softmax'",
        "bce": "'logistic'",
        "log_loss": "'logistic'",
        "probit": "loss='binomial', link='probit'",
        "svm": "'hinge'",
    },
)

ALIASES = {"gaussian": "squared", "logistic": "binomial"}  # second names, and what such a loss calls itself


def made(loss: str | Loss, link: str | None = None) -> Loss:
    """The loss object that a user means by a name or an object, and perhaps a link.

    Parameters
    ----------
    loss : str or Loss
        A name of the registry, for the defaults of its options; or the object itself.
    link : str, optional
        The link, instead of the default of a name.

    Returns
    -------
    Loss
        The object.

    Raises
    ------
    InvalidInput
        When there is no such loss, or it has no such link; the message lists those there are.

    Examples
    --------
    >>> from torchlinear.losses import made
    >>> made("gamma", link="log")
    Gamma(link='log')
    """
    from torchlinear.losses.base import Loss

    if isinstance(loss, Loss):
        if link not in (None, getattr(loss, "link", None)):
            name = type(loss).__name__
            raise InvalidInput(
                f"link={link!r} beside the object loss={loss!r}: say the link where the object is made, in {name}(...)."
            )
        return loss
    if not isinstance(loss, str):
        got = f"the class {loss.__name__}: call it" if isinstance(loss, type) else type(loss).__name__
        raise InvalidInput(f"loss= takes one of {', '.join(REGISTRY.entries)} or a Loss object, got {got}.")
    kind = REGISTRY.load(loss)
    if link is None:
        return kind()  # type: ignore[no-any-return]
    if not hasattr(kind, "links"):
        raise InvalidInput(f"loss={loss!r} has no links, got link={link!r}; leave link= out.")
    if loss == "logistic" and link != "logit":
        raise InvalidInput(
            f"loss='logistic' is the logit link of 'binomial'; for link={link!r} use loss='binomial'."
        )
    return kind(link=link)  # type: ignore[no-any-return]
