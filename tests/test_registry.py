"""A name that is not known: what was meant, by its spelling or by what others call it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import torchlinear as tl
from torchlinear.losses import REGISTRY as LOSSES
from torchlinear.penalties import REGISTRY as PENALTIES
from torchlinear.registry import Registry


@pytest.mark.parametrize(
    ("argument", "name", "meant"),
    [
        ("penalty", "lasso", "'l1'"),
        ("penalty", "Ridge", "'l2'"),
        ("penalty", "elasticnet", "'elastic_net'"),
        ("penalty", "firth", r"tl\.Firth\(\)"),
        ("loss", "mse", "'squared'"),
        ("loss", "cross_entropy", "'softmax'"),
        ("loss", "logit", "'logistic'"),
        ("loss", "probit", "loss='binomial', link='probit'"),
    ],
)
def test_the_hint(argument: str, name: str, meant: str) -> None:
    given: Any = {argument: name}
    with pytest.raises(
        tl.InvalidInput, match=rf"^{argument}='{name}' is not known \(did you mean {meant}\?\)\. Known:"
    ):
        tl.fit(np.arange(4.0), np.array([0, 1, 0, 1]), **given)


@pytest.mark.parametrize("registry", [LOSSES, PENALTIES], ids=lambda registry: registry.kind)
def test_a_hint_is_no_member_and_leads_to_one(registry: Registry) -> None:
    assert not set(registry.elsewhere) & set(registry.entries)
    for meant in registry.elsewhere.values():
        if meant.startswith("'"):
            assert meant.strip("'") in registry.entries


def test_a_name_like_nothing_has_no_hint() -> None:
    with pytest.raises(tl.InvalidInput, match=r"^penalty='qqqq' is not known\. Known: l2, "):
        tl.fit(np.arange(4.0), np.arange(4.0), penalty="qqqq")


def test_weights_of_the_adaptive_lasso_come_from_coefficients() -> None:
    for given in ("lasso", None, [[1.0], [2.0, 3.0]]):
        with pytest.raises(
            tl.InvalidInput, match=r"takes the coefficients of an earlier fit, fit\.coef, got a"
        ):
            tl.adaptive_weights(given)
    with pytest.raises(tl.InvalidInput, match="power='2': expected a number above 0"):
        tl.adaptive_weights([1.0], power="2")  # type: ignore[arg-type]
