"""Somebody's `torch.optim` optimiser as kernel arguments, and what a descent leaves written back into it.

The optimiser's existing state is the start; afterwards parameters, `.grad` and state hold what torch's own
steps would have left, under torch's own keys and dtypes, so that a later `optimizer.step()` goes on
correctly. `foreach` and `fused` change how torch computes a step, not the step, and play no part here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import optimizer as torch_optimizer

from torchlinear.kernels import update
from torchlinear.kernels.descent import Rule, Walk, spans_of

__all__ = ["Translation", "from_optimizer", "refusal", "write_back"]

Array = NDArray[np.float64]

CODES: dict[type, int] = {
    torch.optim.SGD: update.SGD,
    torch.optim.Adagrad: update.ADAGRAD,
    torch.optim.RMSprop: update.RMSPROP,
    torch.optim.Adam: update.ADAM,
    torch.optim.AdamW: update.ADAM,
    torch.optim.Adadelta: update.ADADELTA,
    torch.optim.NAdam: update.NADAM,
}


@dataclass(frozen=True, slots=True)
class Translation:
    """An optimiser and the affine map that it trains, as kernel arguments.

    Attributes
    ----------
    rule : Rule
        The rule and its hyper-parameters, one row for each parameter (weight and bias share a row when their
        group and their state are the same).
    walk : Walk
        Parameters and state, read from the optimiser.
    groups : tuple of int
        For each row of `rule.hyper`, its place in ``optimizer.param_groups``: learning rates that a scheduler
        sets by group become the rates (epochs, G) of the kernels by these.
    parameters : tuple of Parameter
        The parameters that are trained, weight before bias.
    entries : tuple of slice
        Where each of `parameters` lies in `theta`.
    rows : tuple of int
        The row of hyper-parameters of each of `parameters`.
    transposed : bool
        Whether the weight is stored as (p, k).
    """

    rule: Rule
    walk: Walk
    groups: tuple[int, ...]
    parameters: tuple[nn.Parameter, ...]
    entries: tuple[slice, ...]
    rows: tuple[int, ...]
    transposed: bool

    def rates(self, optimizer: torch.optim.Optimizer) -> Array:
        """Learning rates as they stand in the optimiser, shape (G,)."""
        return np.array([float(optimizer.param_groups[g]["lr"]) for g in self.groups])


def refusal(optimizer: torch.optim.Optimizer, weight: Tensor, bias: Tensor | None) -> str | None:
    """Say why the compiled kernels cannot stand in for `optimizer` on these parameters; None when they can.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Any optimiser.
    weight : Tensor, shape (k, p) or (p, k)
        The weight of the affine map.
    bias : Tensor, shape (k,), optional
        Its bias.
    """
    if type(optimizer) not in CODES:
        return f"{type(optimizer).__name__} is not an optimiser that is compiled."
    if _hooked(optimizer):
        return "the optimiser has step hooks."
    given = [weight] if bias is None else [weight, bias]
    for parameter in given:
        if (why := _unfit(parameter)) is not None:
            return why
    if len({parameter.dtype for parameter in given}) > 1:
        return "weight and bias differ in dtype."
    trained = _trained(optimizer, weight, bias)
    if not trained:
        return "the optimiser holds no parameter of the model that requires a gradient."
    for parameter, g in trained:
        group, state = optimizer.param_groups[g], optimizer.state.get(parameter, {})
        why = _unfit_group(group) or _unfit_state(CODES[type(optimizer)], group, state, parameter)
        if why is not None:
            return why
    if len({_scalar_dtype(optimizer, *pair) for pair in trained}) > 1:
        return "the scalars of the optimiser's state differ in dtype."
    return None


def from_optimizer(
    optimizer: torch.optim.Optimizer,
    weight: nn.Parameter,
    bias: nn.Parameter | None,
    *,
    transposed: bool = False,
) -> Translation:
    """Read an optimiser and its state; call `refusal` first.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        SGD, Adagrad, RMSprop, Adam, AdamW, Adadelta or NAdam.
    weight : Parameter, shape (k, p), or (p, k) when `transposed`, or (p,)
        Frozen when it requires no gradient or the optimiser does not hold it; so is `bias`.
    bias : Parameter, shape (k,), optional
        Stays 0 when None.
    transposed : bool
        Whether the model computes ``x @ weight`` instead of ``x @ weight.T``.

    Returns
    -------
    Translation
        In memory of its own: the optimiser is not touched.

    Examples
    --------
    >>> import torch
    >>> from torchlinear.solvers.optimizers import from_optimizer
    >>> layer = torch.nn.Linear(3, 1)
    >>> adam = torch.optim.Adam(layer.parameters(), lr=0.1)
    >>> found = from_optimizer(adam, layer.weight, layer.bias)
    >>> found.rule.hyper[0, :6].tolist()  # lr, weight_decay, maximize, beta1, beta2, eps
    [0.1, 0.0, 0.0, 0.9, 0.999, 1e-08]
    """
    code = CODES[type(optimizer)]
    k = 1 if weight.ndim == 1 else weight.shape[1] if transposed else weight.shape[0]
    theta = np.concatenate([_flat(weight, transposed), np.zeros(k) if bias is None else _flat(bias, False)])
    trained = _trained(optimizer, weight, bias)
    entries = tuple(_entries(p is weight, weight.numel(), k) for p, _ in trained)
    slots, states = np.zeros((3, theta.size)), []
    for (parameter, g), part in zip(trained, entries):
        group, state = optimizer.param_groups[g], optimizer.state.get(parameter, {})
        for slot, key in enumerate(update.SLOTS[code]):
            if isinstance(kept := state.get(key), Tensor):
                slots[slot, part] = _flat(kept, transposed and parameter is weight)
            elif key == "sum":
                slots[slot, part] = optimizer.defaults["initial_accumulator_value"]
        states.append((g, *_clock(code, state), *_hyper(code, group)))
    distinct = list(dict.fromkeys(states))  # (group, step, mu_product, hyper-parameters)
    rows = tuple(distinct.index(found) for found in states)
    group_of = np.full(theta.size, -1)
    for row, part in zip(rows, entries):
        group_of[part] = row
    rule = Rule(
        code,
        np.array([s[3:] for s in distinct], dtype=np.float64),
        spans_of(group_of),
        single=weight.dtype == torch.float32,
        single_scalars=_scalar_dtype(optimizer, *trained[0]) == torch.float32,
    )
    clock = np.array([s[1:3] for s in distinct], dtype=np.float64)
    walk = Walk(theta, slots, clock, np.zeros(theta.size))
    return Translation(
        rule,
        walk,
        tuple(int(s[0]) for s in distinct),
        tuple(p for p, _ in trained),
        entries,
        rows,
        transposed,
    )


def write_back(optimizer: torch.optim.Optimizer, translation: Translation, walk: Walk) -> None:
    """Leave parameters, `.grad` and the optimiser's state as torch's own steps would have; in place.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        The one that `translation` was read from.
    translation : Translation
        What `from_optimizer` returned.
    walk : Walk
        Where the kernels ended, after at least one step.
    """
    code, many = translation.rule.code, len(translation.parameters)
    for i in range(many):
        parameter, part, row = translation.parameters[i], translation.entries[i], translation.rows[i]
        turned = translation.transposed and part.start == 0
        with torch.no_grad():
            parameter.copy_(_shaped(walk.theta[part], parameter, turned))
        parameter.grad = _shaped(walk.grad[part], parameter, turned)
        group = optimizer.param_groups[translation.groups[row]]
        if code != update.SGD:
            dtype = torch.float32 if translation.rule.single_scalars else torch.float64
            _put(optimizer.state[parameter], "step", torch.tensor(walk.clock[row, 0], dtype=dtype))
            if code == update.NADAM:
                _put(optimizer.state[parameter], "mu_product", torch.tensor(walk.clock[row, 1], dtype=dtype))
        for slot, key in enumerate(update.SLOTS[code]):
            if _uses(group, key):
                _put(optimizer.state[parameter], key, _shaped(walk.slots[slot, part], parameter, turned))


def _trained(
    optimizer: torch.optim.Optimizer, weight: Tensor, bias: Tensor | None
) -> list[tuple[nn.Parameter, int]]:
    """Pair each parameter that is trained, weight before bias, with the place of its group."""
    held = {id(p): g for g, group in enumerate(optimizer.param_groups) for p in group["params"]}
    return [
        (p, held[id(p)])  # type: ignore[misc]
        for p in (weight, bias)
        if p is not None and p.requires_grad and id(p) in held
    ]


def _hooked(optimizer: torch.optim.Optimizer) -> bool:
    return bool(
        optimizer._optimizer_step_pre_hooks
        or optimizer._optimizer_step_post_hooks
        or torch_optimizer._global_optimizer_pre_hooks
        or torch_optimizer._global_optimizer_post_hooks
    )


def _unfit(parameter: Tensor) -> str | None:
    if parameter.device.type != "cpu" or parameter.layout != torch.strided:
        return f"parameters are {parameter.layout} on {parameter.device}; kernels take dense ones on the CPU."
    if parameter.dtype not in (torch.float32, torch.float64):
        return f"parameters are {parameter.dtype}; the kernels take float32 and float64."
    if not parameter.requires_grad and parameter.grad is not None:
        return "a parameter that requires no gradient holds one, which torch would go on applying."
    return None


def _unfit_group(group: dict[str, Any]) -> str | None:
    for option in ("differentiable", "capturable"):
        if group.get(option):
            return f"the optimiser is {option}."
    for name, value in group.items():
        for part in value if name == "betas" else (value,):
            if isinstance(part, Tensor):
                return f"the optimiser's {name} is a tensor."
    return None


def _unfit_state(code: int, group: dict[str, Any], state: dict[str, Any], parameter: Tensor) -> str | None:
    """Find state that torch's own step would trip over, or that was made for another device or dtype."""
    if not state or (code == update.SGD and state.get("momentum_buffer") is None):
        return None
    slots = [key for key in update.SLOTS[code] if _uses(group, key)]
    scalars = {update.SGD: [], update.NADAM: ["step", "mu_product"]}.get(code, ["step"])
    for key in [*slots, *scalars]:
        kept = state.get(key)
        if not isinstance(kept, Tensor) or kept.device.type != "cpu":
            return f"the optimiser's state has no {key!r} on the CPU."
        if key in slots and (kept.shape != parameter.shape or kept.dtype != parameter.dtype):
            return f"the optimiser's {key!r} differs from its parameter in shape or dtype."
    return None


def _uses(group: dict[str, Any], key: str) -> bool:
    """Whether torch keeps `key` with these options."""
    needed: dict[str, bool] = {
        "momentum_buffer": group.get("momentum", 0) != 0,
        "grad_avg": bool(group.get("centered")),
        "max_exp_avg_sq": bool(group.get("amsgrad")),
    }
    return bool(needed.get(key, True))


def _hyper(code: int, group: dict[str, Any]) -> tuple[float, ...]:
    """One row of `Rule.hyper`."""
    values = dict(group)
    if "betas" in values:
        values["beta1"], values["beta2"] = values["betas"]
    names = ("lr", "weight_decay", "maximize", *update.HYPER[code])
    row = [float(values.get(name, 0.0)) for name in names]
    return (*row, *[0.0] * (8 - len(row)))


def _clock(code: int, state: dict[str, Any]) -> tuple[float, float]:
    """Read the steps taken and NAdam's mu_product; for SGD, whether there is a momentum buffer."""
    if code == update.SGD:
        return float(state.get("momentum_buffer") is not None), 1.0
    return float(state.get("step", 0.0)), float(state.get("mu_product", 1.0))


def _scalar_dtype(optimizer: torch.optim.Optimizer, parameter: Tensor, g: int) -> torch.dtype:
    """Dtype of the scalars in the state of `parameter`: as they are, or as torch would make them."""
    step = optimizer.state.get(parameter, {}).get("step")
    if isinstance(step, Tensor):
        return step.dtype
    wide = torch.get_default_dtype() == torch.float64 and not optimizer.param_groups[g].get("fused")
    return torch.float64 if wide else torch.float32


def _entries(is_weight: bool, size: int, k: int) -> slice:
    return slice(0, size) if is_weight else slice(size, size + k)


def _flat(tensor: Tensor, transposed: bool) -> Array:
    tensor = tensor.detach()
    return np.array((tensor.T if transposed else tensor).reshape(-1).double().numpy())


def _shaped(values: Array, like: Tensor, transposed: bool) -> Tensor:
    """Entries of theta as a tensor of the shape and dtype of `like`."""
    flat = torch.from_numpy(values.copy())
    shaped = flat.reshape(like.shape[::-1]).T.contiguous() if transposed else flat.reshape(like.shape)
    return shaped.to(like.dtype)


def _put(state: dict[str, Any], key: str, value: Tensor) -> None:
    """Set an entry in place when it is there, since others may hold the tensor; else as a new one."""
    if isinstance(state.get(key), Tensor):
        state[key].copy_(value)
    else:
        state[key] = value
