"""The rule law: fed the same gradients, the kernels are torch.optim, in parameters and every state entry."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from torchlinear.kernels import descent
from torchlinear.solvers.optimizers import from_optimizer, refusal, write_back

STEPS = 1_200
RULE_LAW = (
    1e-12  # relative to the largest entry of a tensor: 1,200 steps of rounding at 1e-16 leave about 1e-14
)


def uniform(rng, low, high):
    return float(rng.uniform(low, high))


def random_options(name, rng):
    """Hyper-parameters drawn from the ranges that people use, and beyond."""
    options = {
        "lr": 10 ** uniform(rng, -4, -1),
        "weight_decay": 10 ** uniform(rng, -4, -1) if rng.random() < 0.6 else 0.0,
        "maximize": bool(rng.random() < 0.3),
    }
    eps = 10 ** uniform(rng, -10, -4)
    if name == "SGD" and rng.random() < 0.8:
        nesterov = bool(rng.random() < 0.5)
        options |= {
            "momentum": uniform(rng, 0.1, 0.99),
            "nesterov": nesterov,
            "dampening": 0.0 if nesterov else uniform(rng, 0, 0.9),
        }
    elif name == "Adagrad":
        options |= {
            "lr_decay": uniform(rng, 0, 0.1),
            "initial_accumulator_value": uniform(rng, 0, 1),
            "eps": eps,
        }
    elif name == "RMSprop":
        options |= {
            "alpha": uniform(rng, 0.3, 0.999),
            "eps": eps,
            "momentum": uniform(rng, 0.1, 0.95) if rng.random() < 0.5 else 0.0,
            "centered": bool(rng.random() < 0.5),
        }
    elif name in ("Adam", "AdamW", "NAdam"):
        options |= {"betas": (uniform(rng, 0.3, 0.99), uniform(rng, 0.3, 0.9999)), "eps": eps}
        if name == "NAdam":
            options |= {
                "momentum_decay": uniform(rng, 0, 0.02),
                "decoupled_weight_decay": bool(rng.random() < 0.5),
            }
        else:
            options["amsgrad"] = bool(rng.random() < 0.5)
    elif name == "Adadelta":
        options |= {"rho": uniform(rng, 0.3, 0.99), "eps": eps}
    return options


NAMES = ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "Adadelta", "NAdam"]


def make(name, rng, dtype=torch.float64, one_group=False):
    """A layer (k = 2, p = 3) and an optimiser, by default with different options for weight and bias."""
    torch.manual_seed(int(rng.integers(1 << 30)))
    layer = nn.Linear(3, 2, dtype=dtype)
    first, second = random_options(name, rng), random_options(name, rng)
    if name == "SGD":  # torch forbids Nesterov's dampening in the defaults, which groups may not undo
        second = {**first, "lr": second["lr"], "weight_decay": second["weight_decay"]}
    if one_group:
        return layer, getattr(torch.optim, name)(layer.parameters(), **first)
    second.pop("initial_accumulator_value", None)
    groups = [{"params": [layer.weight]}, {"params": [layer.bias], **second}]
    return layer, getattr(torch.optim, name)(groups, **first)


def gradients(rng, steps, scale=1.0):
    """Gradients whose size wanders over some orders of magnitude, as along a descent."""
    sizes = np.exp(np.cumsum(rng.normal(size=(steps, 8)) * 0.05, axis=0))
    return rng.normal(size=(steps, 8)) * sizes * scale


def torch_steps(layer, optimizer, grads):
    for g in grads:
        layer.weight.grad = torch.tensor(g[:6].reshape(2, 3), dtype=layer.weight.dtype)
        layer.bias.grad = torch.tensor(g[6:], dtype=layer.bias.dtype)
        optimizer.step()


def our_steps(layer, optimizer, grads):
    assert refusal(optimizer, layer.weight, layer.bias) is None
    found = from_optimizer(optimizer, layer.weight, layer.bias)
    rates = np.tile(found.rates(optimizer), (len(grads), 1))
    write_back(optimizer, found, descent.follow(found.rule, found.walk, grads, rates))


def assert_same(ours, theirs, tolerance):
    (layer_a, optimizer_a), (layer_b, optimizer_b) = ours, theirs
    for a, b in zip(layer_a.parameters(), layer_b.parameters(), strict=True):
        state_a, state_b = optimizer_a.state.get(a, {}), optimizer_b.state.get(b, {})
        assert list(state_a) == list(state_b)
        for key, x, y in [
            ("parameter", a, b),
            ("gradient", a.grad, b.grad),
            *((key, state_a[key], state_b[key]) for key in state_b),
        ]:
            assert x.dtype == y.dtype, key
            assert x.shape == y.shape, key
            difference, size = (x - y).abs().max(), y.abs().max()
            assert difference <= tolerance * size, f"{key}: {difference / size:.1e}"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", NAMES)
def test_same_gradients_same_parameters_and_state(name, seed):
    rng = np.random.default_rng([NAMES.index(name), seed])
    theirs = make(name, rng)
    ours = copy.deepcopy(theirs)
    grads = gradients(rng, STEPS)
    torch_steps(*theirs, grads)
    our_steps(*ours, grads)
    assert_same(ours, theirs, RULE_LAW)
