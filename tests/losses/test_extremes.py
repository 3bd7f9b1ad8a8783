"""Losses far out, against the definitions of the families at 60 digits: every digit, and inf where truth overflows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import mpmath as mp
import pytest
import torch

from torchlinear.losses import ALIASES, REGISTRY, made
from torchlinear.losses.base import Loss

Number = Any  # mpmath has no types

PREDICTORS = [
    -800.0,
    -60.0,
    -41.0,
    -39.0,
    -30.0,
    -9.0,
    -2.5,
    -1.0,
    -1e-3,
    1e-3,
    0.7,
    1.1,
    3.0,
    9.0,
    30.0,
    60.0,
    800.0,
]
EPS = sys.float_info.epsilon

# Twice what is lost at most on these points: the exponential of a squared argument loses eta^2 eps / 2 (probit).
DIGITS = {"probit": 4e-13}


def mean(link: str, eta: Number) -> Number:
    return {
        "identity": lambda: eta,
        "log": lambda: mp.exp(eta),
        "inverse": lambda: 1 / eta,
        "inverse_squared": lambda: 1 / mp.sqrt(eta),
        "sqrt": lambda: eta**2,
    }[link]()


def logs(link: str, eta: Number) -> tuple[Number, Number]:
    """log mu and log(1 - mu)."""
    return {
        "logit": lambda: (-mp.log1p(mp.exp(-eta)), -mp.log1p(mp.exp(eta))),
        "probit": lambda: (_log_normal(eta), _log_normal(-eta)),
        "cauchit": lambda: (_log_cauchy(eta), _log_cauchy(-eta)),
        "cloglog": lambda: (
            mp.log(-mp.expm1(-mp.exp(eta))) if eta < 0 else mp.log1p(-mp.exp(-mp.exp(eta))),
            -mp.exp(eta),
        ),
        "log": lambda: (eta, mp.log1p(-mp.exp(eta))),
    }[link]()


def _log_normal(x: Number) -> Number:
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2) if x < 0 else mp.log1p(-mp.erfc(x / mp.sqrt(2)) / 2)


def _log_cauchy(x: Number) -> Number:
    return mp.log(mp.atan2(1, -x) / mp.pi) if x < 0 else mp.log1p(-mp.atan2(1, x) / mp.pi)


def definition(loss: Any, y: Number) -> Callable[[Number], Number]:
    """Loss of one entry as a function of eta."""
    if loss.name == "binomial":

        def binomial(eta: Number) -> Number:
            here, rest = logs(loss.link, eta)
            return (-y * here if y else mp.mpf(0)) - ((1 - y) * rest if y != 1 else mp.mpf(0))

        return binomial
    if loss.name == "negative_binomial":
        k = mp.mpf(loss.theta)
        return lambda eta: (y + k) * mp.log1p(mean(loss.link, eta) / k) - y * mp.log(mean(loss.link, eta) / k)
    if loss.name == "squared":
        return lambda eta: (y - mean(loss.link, eta)) ** 2

    def integral(mu: Number, q: Number) -> Number:
        return mu**q / q if q else mp.log(mu)

    p = mp.mpf(loss.power)
    return lambda eta: integral(mean(loss.link, eta), 2 - p) - y * integral(mean(loss.link, eta), 1 - p)


def targets(name: str) -> list[float]:
    if name == "binomial":
        return [0.0, 0.3, 1.0]
    return [0.7, 40.0] if name in ("gamma", "inverse_gaussian") else [0.0, 0.7, 40.0]


def agree(found: float, truth: Number, scale: Number, tolerance: float) -> bool:
    """To so many digits of the largest term; infinite exactly where the truth does not fit, 0 where it underflows."""
    if abs(truth) > mp.mpf(sys.float_info.max):
        return found == float("inf") * mp.sign(truth)
    return bool(abs(found - truth) <= tolerance * scale + 1e-300)


KINDS = [
    (name, link)
    for name in REGISTRY.entries
    for link in getattr(REGISTRY.load(name), "links", ())
    if name not in ALIASES
]


@pytest.mark.parametrize(("name", "link"), KINDS)
def test_every_digit_far_out(name: str, link: str) -> None:
    loss = made(name, link)
    wrong = [
        f"order {order} at eta = {eta:g}, y = {y:g}: {found!r} is not {mp.nstr(truth, 17)}"
        for y in targets(name)
        for eta in PREDICTORS
        if _inside(loss, eta)
        for order, (found, truth, scale) in enumerate(_compared(loss, eta, y))
        if not agree(found, truth, scale, DIGITS.get(link, 4e-14))
    ]
    assert not wrong, "\n".join(wrong)


def _inside(loss: Any, eta: float) -> bool:
    mask = loss.inside(torch.tensor([[eta]], dtype=torch.float64))
    return mask is None or bool(mask.all())


def _compared(loss: Loss, eta: float, y: float) -> list[tuple[float, Number, Number]]:
    """By order of the derivative: what was found, the truth, and the size of the terms that it is the sum of.

    The loss is affine in y, so its terms are the part at y = 0 and the rest; only of a binomial loss, whose terms
    have the same sign, every digit of the sum is asked for.
    """
    point, target = (torch.tensor([[v]], dtype=torch.float64) for v in (eta, y))
    found = [value.item() for value in loss.derivatives(point, target)]
    with mp.workdps(60):
        f, terms = definition(loss, mp.mpf(y)), []
        for order in range(3):
            truth = mp.diff(f, mp.mpf(eta), order) if order else f(mp.mpf(eta))
            scale = abs(truth)
            if loss.name != "binomial":
                base = definition(loss, mp.mpf(0))
                part = mp.diff(base, mp.mpf(eta), order) if order else base(mp.mpf(eta))
                scale = abs(part) + abs(truth - part)
            terms.append((found[order], truth, scale))
    return terms


@pytest.mark.parametrize(("name", "link"), KINDS)
def test_nothing_is_nan_anywhere(name: str, link: str) -> None:
    """At any float, near 0 and near the largest too."""
    loss = made(name, link)
    sizes = torch.tensor([0.0, 5e-324, 1e-300, 1e-20, 1.0, 700.0, 800.0, 1e20, 1e300], dtype=torch.float64)
    eta = torch.cat([sizes, -sizes])[:, None]
    for y in targets(name):
        for part in (
            *loss.derivatives(eta, torch.full_like(eta, y)),
            loss.expected(eta, torch.full_like(eta, y)),
        ):
            assert not part.isnan().any(), (y, eta[part.reshape(len(eta), -1).isnan().any(dim=1)])
