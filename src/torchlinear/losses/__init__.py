"""Losses: one file each, listed here by the name that users type."""

from torchlinear.registry import Entry, Registry

__all__ = ["REGISTRY"]

REGISTRY = Registry(
    "loss",
    {
        "squared": Entry("losses.squared:Squared", "Squared error, the loss of ordinary least squares."),
        "binomial": Entry("losses.binomial:Binomial", "A label of two classes, or a proportion."),
        "logistic": Entry("losses.binomial:Binomial", "The logit link of binomial: logistic regression."),
        "poisson": Entry("losses.poisson:Poisson", "Counts."),
        "quantile": Entry("losses.quantile:Quantile", "Pinball loss: a quantile, 0.5 (the median) by default."),
        "absolute": Entry("losses.absolute:Absolute", "Absolute error: the median."),
        "huber": Entry("losses.huber:Huber", "Squares near 0, straight lines beyond: outliers pull less."),
    },
)
