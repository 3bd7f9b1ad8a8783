"""Does a module amount to one affine map of its input? Found by symbolic tracing.

The module is called once with a symbol (a `torch.fx` proxy) in place of the input. What it does to the symbol
must be: operations that only change the shape; one ``F.linear``, or ``x @ W`` with an optional ``+ b``, of
leaf parameters; again operations that only change the shape. These keep the order of the numbers, so row i of
the features is row i of the input. A forward that does anything else, or anything besides (it prints, counts,
draws random numbers, has hooks), is not known to be one affine map.

Unlike in `torch.fx.symbolic_trace` nothing is patched meanwhile, so other threads may run their own modules.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg
from torch.fx.proxy import GraphAppendingTracer
from torch.nn import functional as F
from torch.nn.modules import module as torch_module

from torchlinear.training.watching import untouched

__all__ = ["Affine", "NotAffine", "hooked", "trace"]

SHAPERS = {"view", "reshape", "flatten", "squeeze", "unsqueeze", "contiguous"}
SHAPERS_OF_TORCH = {torch.reshape, torch.flatten, torch.squeeze, torch.unsqueeze}
PRODUCTS = {operator.matmul, torch.matmul, torch.mm, "matmul", "mm"}
SUMS = {operator.add, torch.add, "add", "__add__", "__radd__"}
# Modules that do more around forward than can be traced: they compile, script, or talk to other processes.
WRAPPERS = ("torch._dynamo", "torch.jit", "torch.nn.parallel", "torch.distributed", "torch.ao")


class NotAffine(Exception):
    """Why a module is not known to be one affine map; the words after "because"."""


@dataclass(frozen=True, slots=True)
class Affine:
    """One affine map: features of the input, times a weight, plus a bias.

    Attributes
    ----------
    weight : Parameter, shape (k, p), or (p, k) or (p,) when `transposed`
        As in `nn.Linear`, or as in ``x @ weight``.
    bias : Parameter, k numbers, or None
        What is added.
    transposed : bool
        Whether the module computes ``x @ weight``.
    steps : tuple of fx.Node
        What becomes of the input first.
    source : fx.Node
        The one of `steps` whose value is multiplied.
    """

    weight: nn.Parameter
    bias: nn.Parameter | None
    transposed: bool
    steps: tuple[fx.Node, ...]
    source: fx.Node

    @property
    def n_outputs(self) -> int:
        """k."""
        return self.weight.shape[1:].numel() if self.transposed else self.weight.shape[0]

    def features(self, x: Tensor) -> Tensor:
        """Features of the input: a view of it where possible."""
        known: dict[fx.Node, Any] = {}
        for node in self.steps:
            known[node] = x if node.op == "placeholder" else _value(node, known)
        found: Tensor = known[self.source]
        return found

    def coef(self) -> Tensor:
        """Coefficients as they are now, shape (p + 1, k), float64, the intercept last (0 without one)."""
        weight = self.weight.detach().double().cpu()
        beta = weight.reshape(len(weight), -1) if self.transposed else weight.T
        if self.bias is None:
            return torch.cat([beta, beta.new_zeros(1, beta.shape[1])])
        return torch.cat([beta, self.bias.detach().double().cpu().reshape(1, -1)])


def trace(model: nn.Module, x: Tensor) -> Affine:
    """Read the affine map that `model` is off its forward.

    Parameters
    ----------
    model : nn.Module
        Left as it is.
    x : Tensor, shape (n, ...)
        Its input, for the shape.

    Returns
    -------
    Affine
        With features of shape (n, p) for this input.

    Raises
    ------
    NotAffine
        When it is not known to be one, with the reason.
    """
    if (why := hooked(model)) is not None:
        raise NotAffine(why)
    if len(parameters := list(model.parameters())) > 2 or next(model.buffers(), None) is not None:
        raise NotAffine("it has more than a weight and a bias")
    if not all(p.is_floating_point() for p in parameters):
        raise NotAffine("its parameters are not real numbers")
    tracer = _Tracer(parameters)
    try:
        with untouched(model) as forward:
            out = model(fx.Proxy(tracer.graph.placeholder("x"), tracer))
            tracer.graph.output(tracer.create_arg(out))
    except NotAffine:
        raise
    except Exception as error:
        raise NotAffine(f"forward cannot be traced ({type(error).__name__})") from error
    if forward.side_effect is not None:
        raise NotAffine(f"forward {forward.side_effect}")
    affine = _read(tracer)
    _check_shapes(affine, x)
    return affine


def hooked(model: nn.Module) -> str | None:
    """Whether anything is called around forward or backward, in words; None when not."""
    if torch_module._has_any_global_hook():  # type: ignore[no-untyped-call]
        return "a global module hook is set"
    for module in model.modules():
        own = (
            module._forward_hooks,
            module._forward_pre_hooks,
            module._backward_hooks,
            module._backward_pre_hooks,
        )
        if any(own):
            return "it has hooks"
        if module._compiled_call_impl is not None or type(module).__module__.startswith(WRAPPERS):
            return f"{type(module).__name__} does more than forward"
    if any(p._backward_hooks or p._post_accumulate_grad_hooks for p in model.parameters()):
        return "a parameter has hooks"
    return None


class _Tracer(GraphAppendingTracer):
    """Records what happens to proxies; parameters become nodes, other tensors end the tracing."""

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        super().__init__(fx.Graph())
        self.leaves = {id(p) for p in parameters if type(p) is nn.Parameter and p.is_leaf}
        self.parameters: dict[fx.Node, nn.Parameter] = {}

    def create_arg(self, a: Any) -> Any:
        """Lower an argument to what a node may hold."""
        if not isinstance(a, Tensor):
            return super().create_arg(a)
        if id(a) not in self.leaves:
            raise NotAffine("forward uses a tensor that is not a parameter")
        node = self.graph.create_node("get_attr", "parameter")
        assert isinstance(a, nn.Parameter)
        self.parameters[node] = a
        return node


def _read(tracer: _Tracer) -> Affine:
    """The affine map in a recorded graph."""
    kinds: dict[fx.Node, str] = {}
    for node in tracer.graph.nodes:
        kinds[node] = _kind(node, kinds)
    products = [node for node in kinds if node.target is F.linear or node.target in PRODUCTS]
    used = list(tracer.parameters.values())
    if len(products) != 1 or len(used) != len({id(p) for p in used}) or len(used) > 2:
        raise NotAffine("its parameters are used more than once")
    (product,) = products
    source, weight = product.all_input_nodes[0], tracer.parameters[product.all_input_nodes[1]]
    bias = next((p for p in used if p is not weight), None)
    steps = takewhile(lambda node: node is not product, kinds)
    return Affine(
        weight,
        bias,
        transposed=product.target is not F.linear,
        steps=tuple(node for node in steps if kinds[node] in ("input", "size")),
        source=source,
    )


def _kind(node: fx.Node, kinds: dict[fx.Node, str]) -> str:
    """What a node is: input, size, parameter, product (a bias may follow), mapped or output."""
    target, of = node.target, [kinds[source] for source in node.all_input_nodes]
    match node.op, of:
        case "placeholder", _:
            return "input"
        case "get_attr", _:
            return "parameter"
        case "output", ["product" | "mapped"]:
            return "output"
        case "call_function", ["input", "parameter"] | ["input", "parameter", "parameter"] if (
            target is F.linear and set(node.kwargs) <= {"bias"}
        ):
            return "mapped"
        case _, ["input", "parameter"] if target in PRODUCTS and not node.kwargs:
            return "product"
        case _, ["product", "parameter"] | ["parameter", "product"] if target in SUMS and not node.kwargs:
            return "mapped"
        case "call_method", ["input" | "product" | "mapped", *sizes] if target in SHAPERS and set(sizes) <= {
            "size"
        }:
            return of[0]
        case "call_function", ["input" | "product" | "mapped", *sizes] if target in SHAPERS_OF_TORCH and set(
            sizes
        ) <= {"size"}:
            return of[0]
        case _, ["input" | "product" | "mapped"] if target == "size" or (
            target is getattr and node.args[1] == "shape"
        ):
            return "size"
        case "call_function", ["size"] if target is operator.getitem:
            return "size"
    if node.op == "output":
        raise NotAffine("forward returns something else than one affine map of its input")
    raise NotAffine(f"forward uses {getattr(target, '__name__', target)}")


def _value(node: fx.Node, known: dict[fx.Node, Any]) -> Any:
    args, kwargs = map_arg(node.args, known.__getitem__), map_arg(node.kwargs, known.__getitem__)
    if node.op == "call_method":
        return getattr(args[0], str(node.target))(*args[1:], **kwargs)
    return node.target(*args, **kwargs)  # type: ignore[operator]


def _check_shapes(affine: Affine, x: Tensor) -> None:
    try:
        shape = affine.features(x).shape
    except RuntimeError as error:
        raise NotAffine("its input has another shape than forward expects") from error
    takes = affine.weight.shape[0] if affine.transposed else affine.weight.shape[-1]
    if len(shape) != 2 or shape[0] != len(x) or shape[1] != takes:
        raise NotAffine(f"its features have shape {tuple(shape)}, not one row of {takes} for each row of x")
    if affine.bias is not None and affine.bias.numel() != affine.n_outputs:
        raise NotAffine(f"its bias has {affine.bias.numel()} numbers for {affine.n_outputs} outputs")
