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


@pytest.mark.parametrize("name", NAMES)
def test_float32_parameters_and_state_stay_as_close_as_float32_allows(name):
    rng = np.random.default_rng([11, NAMES.index(name)])
    theirs = make(name, rng, torch.float32)
    ours = copy.deepcopy(theirs)
    grads = gradients(rng, 100).astype(np.float32).astype(np.float64)
    torch_steps(*theirs, grads)
    our_steps(*ours, grads)
    assert_same(ours, theirs, 1e-4)  # 100 steps of rounding at 6e-8, in another order


@pytest.mark.parametrize("name", NAMES)
def test_existing_state_is_the_start_and_torch_goes_on_from_ours(name):
    rng = np.random.default_rng([12, NAMES.index(name)])
    theirs = make(name, rng)
    ours = copy.deepcopy(theirs)
    grads = gradients(rng, 90)
    torch_steps(*theirs, grads)
    torch_steps(*ours, grads[:30])
    our_steps(*ours, grads[30:60])
    torch_steps(*ours, grads[60:])
    assert_same(ours, theirs, RULE_LAW)


@pytest.mark.parametrize("name", NAMES)
def test_scalars_are_float64_when_that_is_the_default_dtype(name):
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        rng = np.random.default_rng([13, NAMES.index(name)])
        theirs = make(name, rng)
        ours = copy.deepcopy(theirs)
        grads = gradients(rng, 60)
        torch_steps(*theirs, grads)
        our_steps(*ours, grads)
        assert_same(ours, theirs, RULE_LAW)
    finally:
        torch.set_default_dtype(before)


def test_state_tensors_are_updated_in_place():
    rng = np.random.default_rng(14)
    layer, adam = make("Adam", rng, one_group=True)
    torch_steps(layer, adam, gradients(rng, 1))
    held = dict(adam.state[layer.weight])
    weight = layer.weight
    our_steps(layer, adam, gradients(rng, 3))
    assert layer.weight is weight
    assert all(adam.state[weight][key] is tensor for key, tensor in held.items())
    assert float(held["step"]) == 4


def test_weight_and_bias_share_a_row_until_their_state_differs():
    rng = np.random.default_rng(15)
    layer, adam = make("Adam", rng, one_group=True)
    assert len(from_optimizer(adam, layer.weight, layer.bias).rule.hyper) == 1
    layer.weight.grad = torch.ones_like(layer.weight)
    adam.step()
    found = from_optimizer(adam, layer.weight, layer.bias)
    assert found.walk.clock.tolist() == [[1.0, 1.0], [0.0, 1.0]]
    assert found.groups == (0, 0)


@pytest.mark.parametrize("frozen", ["weight", "bias"])
def test_a_frozen_parameter_keeps_its_value_and_has_no_state(frozen):
    rng = np.random.default_rng(16)
    layer, adam = make("Adam", rng, one_group=True)
    still = getattr(layer, frozen).requires_grad_(False)
    before = still.clone()
    our_steps(layer, adam, gradients(rng, 5))
    assert torch.equal(still, before)
    assert still.grad is None
    assert still not in adam.state


def test_without_bias():
    layer = nn.Linear(3, 2, bias=False, dtype=torch.float64)
    twin = copy.deepcopy(layer)
    sgd, torch_sgd = (torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9) for m in (layer, twin))
    grads = gradients(np.random.default_rng(17), 20)
    found = from_optimizer(sgd, layer.weight, None)
    walk = descent.follow(found.rule, found.walk, grads, np.full((20, 1), 0.1))
    write_back(sgd, found, walk)
    for g in grads:
        twin.weight.grad = torch.tensor(g[:6].reshape(2, 3))
        torch_sgd.step()
    torch.testing.assert_close(layer.weight, twin.weight, rtol=RULE_LAW, atol=0)
    assert not walk.theta[6:].any()


def test_a_weight_stored_with_its_rows_as_features():
    weight = nn.Parameter(torch.randn(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    twin = nn.Parameter(weight.detach().clone())
    adam, torch_adam = torch.optim.Adam([weight], lr=0.1), torch.optim.Adam([twin], lr=0.1)
    grads = gradients(np.random.default_rng(18), 20)
    for _ in range(2):  # the second time from existing state
        found = from_optimizer(adam, weight, None, transposed=True)
        write_back(adam, found, descent.follow(found.rule, found.walk, grads, np.full((20, 1), 0.1)))
        for g in grads:
            twin.grad = torch.tensor(g[:6].reshape(2, 3)).T.contiguous()
            torch_adam.step()
    torch.testing.assert_close(weight, twin, rtol=RULE_LAW, atol=0)
    torch.testing.assert_close(weight.grad, twin.grad, rtol=0, atol=0)
    torch.testing.assert_close(
        adam.state[weight]["exp_avg"], torch_adam.state[twin]["exp_avg"], rtol=1e-12, atol=1e-15
    )


def layer_and(**options):
    layer = nn.Linear(2, 1)
    return layer, torch.optim.Adam(layer.parameters(), **options)


def test_refusals_say_why():
    layer, adam = layer_and()
    assert refusal(adam, layer.weight, layer.bias) is None
    for options, word in [
        ({"capturable": True}, "capturable"),
        ({"differentiable": True}, "differentiable"),
        ({"lr": torch.tensor(0.1)}, "lr is a tensor"),
    ]:
        layer, adam = layer_and(**options)
        assert word in refusal(adam, layer.weight, layer.bias)

    class Mine(torch.optim.Adam):
        pass

    assert "Mine is not" in refusal(Mine(layer.parameters()), layer.weight, layer.bias)
    lbfgs = torch.optim.LBFGS(layer.parameters())
    assert "LBFGS is not" in refusal(lbfgs, layer.weight, layer.bias)
    half = nn.Linear(2, 1, dtype=torch.bfloat16)
    assert "bfloat16" in refusal(torch.optim.SGD(half.parameters()), half.weight, half.bias)
    layer, adam = layer_and()
    adam.register_step_post_hook(lambda *_: None)
    assert "hooks" in refusal(adam, layer.weight, layer.bias)
    layer, adam = layer_and()
    mixed = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    assert "differ in dtype" in refusal(adam, layer.weight, mixed)
    other = nn.Linear(2, 1)
    assert "holds no parameter" in refusal(adam, other.weight, other.bias)
    layer.weight.grad = torch.ones_like(layer.weight)
    layer.weight.requires_grad_(False)
    assert "requires no gradient" in refusal(adam, layer.weight, layer.bias)


def test_state_that_torch_would_trip_over_is_refused():
    layer, adam = layer_and()
    layer.weight.grad = torch.ones_like(layer.weight)
    adam.step()
    adam.param_groups[0]["amsgrad"] = True  # without its state: torch's own step raises KeyError
    assert "'max_exp_avg_sq'" in refusal(adam, layer.weight, layer.bias)
    with pytest.raises(KeyError):
        adam.step()


def test_fused_and_foreach_are_the_same_rule():
    for option in ("fused", "foreach"):
        rng = np.random.default_rng(19)
        layer, _ = make("Adam", rng)
        theirs = (layer, torch.optim.Adam(layer.parameters(), lr=0.05, **{option: True}))
        ours = copy.deepcopy(theirs)
        grads = gradients(rng, 200)
        torch_steps(*theirs, grads)
        our_steps(*ours, grads)
        assert_same(ours, theirs, RULE_LAW)
