"""Penalties: one file each, listed here by the name that users type."""

from torchlinear.registry import Entry, Registry

__all__ = ["REGISTRY"]

REGISTRY = Registry(
    "penalty",
    {
        "l2": Entry("penalties.l2:L2", "Ridge: alpha / 2 times the sum of squares."),
        "l1": Entry("penalties.l1:L1", "Lasso: alpha times the sum of absolute values; zeros are exact."),
        "elastic_net": Entry("penalties.elastic_net:L1L2", "Elastic net: mix * L1 + (1 - mix) * L2."),
        "group_lasso": Entry(
            "penalties.group_lasso:GroupLasso", "Group lasso: columns of a group are in or out together."
        ),
        "nonnegative": Entry(
            "penalties.nonnegative:NonNegative",
            "No coefficient below zero; tl.Box(low, high) has other bounds.",
        ),
    },
    elsewhere={
        "ridge": "'l2'",
        "lasso": "'l1'",
        "box": "tl.Box(low, high)",
        "bounds": "tl.Box(low, high)",
        "firth": "tl.Firth()",
        "positive": "'nonnegative'",
    },
)
