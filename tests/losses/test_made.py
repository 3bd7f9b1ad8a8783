"""Losses by the names and links that users type."""

from __future__ import annotations

from typing import Any

import pytest

import torchlinear as tl
from torchlinear.losses import ALIASES, REGISTRY, made


def test_a_name_means_its_defaults() -> None:
    assert made("squared") == tl.Squared()
    assert made("negative_binomial") == tl.NegativeBinomial(theta=1.0, link="log")


@pytest.mark.parametrize(("name", "default"), [
    ("binomial", "logit"), ("poisson", "log"), ("gamma", "inverse"), ("inverse_gaussian", "inverse_squared"),
    ("tweedie", "log"), ("negative_binomial", "log"), ("squared", "identity"),
])  # fmt: skip
def test_default_links_are_rs(name: str, default: str) -> None:
    """R's families; `MASS::negative.binomial`, and the usual one of `statmod::tweedie`."""
    assert made(name) == made(name, default)
    assert next(iter(REGISTRY.load(name).links)) == default


@pytest.mark.parametrize(("second", "first"), ALIASES.items())
def test_second_names(second: str, first: str) -> None:
    assert made(second) == made(first)
    assert made(second).name == first


def test_a_link_goes_with_a_name() -> None:
    assert made("gamma", "log") == tl.Gamma(link="log")
    assert made("gaussian", "log") == tl.Squared(link="log")
    assert made("logistic", "logit") == tl.Binomial()


def test_an_object_says_its_own_link() -> None:
    loss = tl.Tweedie(power=1.2, link="identity")
    assert made(loss) is loss
    assert made(loss, "identity") is loss
    with pytest.raises(tl.InvalidInput, match=r"link='log' beside the object loss=Tweedie\(power=1\.2, "):
        made(loss, "log")


@pytest.mark.parametrize(("loss", "link", "sentence"), [
    ("gamma", "logit", r"^loss='gamma' has no link='logit' \(did you mean 'log'\?\)\. Its links: inverse, log, ident"),
    ("poisson", "inverse", r"^loss='poisson' has no link='inverse'\. Its links: log, identity, sqrt\.$"),
    ("poison", None, r"^loss='poison' is not known \(did you mean 'poisson'\?\)"),
    ("logistic", "probit", r"for link='probit' use loss='binomial'\.$"),
    ("huber", "log", r"^loss='huber' has no links, got link='log'; leave link= out\.$"),
    (tl.Gamma, None, r"got the class Gamma: call it\.$"),
    (3, None, r"^loss= takes one of squared, .* or a Loss object, got int\.$"),
])  # fmt: skip
def test_what_is_not_there_is_said(loss: Any, link: str | None, sentence: str) -> None:
    with pytest.raises(tl.InvalidInput, match=sentence):
        made(loss, link)


@pytest.mark.parametrize("power", [0.5, float("nan"), float("inf"), "1.5"])
def test_powers_that_no_distribution_has(power: Any) -> None:
    with pytest.raises(tl.InvalidInput, match="at least 1 or at most 0"):
        tl.Tweedie(power=power)


@pytest.mark.parametrize("theta", [0.0, -1.0, float("nan"), float("inf"), None])
def test_sizes_that_are_none(theta: Any) -> None:
    with pytest.raises(tl.InvalidInput, match="above 0"):
        tl.NegativeBinomial(theta=theta)


@pytest.mark.parametrize(("loss", "text"), [
    (tl.Squared(), "squared"), (tl.Squared(link="log"), "squared, log link"), (tl.Binomial(), "binomial, logit link"),
    (tl.Tweedie(power=1.5), "tweedie of power 1.5, log link"),
    (tl.NegativeBinomial(theta=2.0), "negative_binomial of theta 2, log link"),
])  # fmt: skip
def test_what_summaries_print(loss: Any, text: str) -> None:
    assert str(loss) == text
