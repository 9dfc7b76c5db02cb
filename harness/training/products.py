"""Matrix products of a traced step on a CPU, by whichever of torch's two libraries is fast for their size.

torch hands float32 products to MKL, which on processors that are not Intel's keeps to half of their vector width; the
other library that comes with it, oneDNN, does not (2.2 times as fast on an EPYC with AVX-512, by
experiments/members/products.py). oneDNN costs some 8 us a call, which small products do not pay back. The size of one
member's product alone decides, so that its numbers do not depend on which others train beside it.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import fx

aten = torch.ops.aten

#: What a compiled step calls, for torch.compile takes oneDNN's own operation to be one of its making.
_LIBRARY = torch.library.Library("harness", "DEF")
_LIBRARY.define("linear(Tensor inputs, Tensor weight, Tensor? bias) -> Tensor")
_LIBRARY.impl("linear", lambda x, w, b: torch.ops.mkldnn._linear_pointwise.default(x, w, b, "none", [], ""), "CPU")
_LIBRARY.impl("linear", lambda x, w, b: x.new_empty(x.shape[0], w.shape[0]), "Meta")

#: Multiply-adds from which on a product goes to oneDNN: there both took 20 us.
FROM = 2**20


def redirect_products(graph: fx.GraphModule) -> None:
    """Let large float32 products of a traced function on a CPU go to oneDNN, and all others be of one kind."""
    redirected: dict[Any, Callable[..., fx.Node]] = {
        aten.mm.default: _product,
        aten.addmm.default: _affine,
        aten.bmm.default: _products,
    }
    for target, rewritten in redirected.items():
        for node in graph.graph.find_nodes(op="call_function", target=target):
            if node.meta["val"].dtype == torch.float32 and not node.kwargs:
                with graph.graph.inserting_before(node):
                    node.replace_all_uses_with(rewritten(graph.graph, *node.args))
                graph.graph.erase_node(node)


def for_compilation(graph: fx.GraphModule) -> None:
    """Let a trace call oneDNN in a form that torch.compile leaves alone."""
    if one_dnn():
        for node in graph.graph.find_nodes(op="call_function", target=torch.ops.mkldnn._linear_pointwise.default):
            node.target, node.args = torch.ops.harness.linear.default, node.args[:3]


def _product(graph: fx.Graph, a: fx.Node, b: fx.Node) -> fx.Node:
    """a (m, k) times b (k, n)."""
    if _value(b).is_contiguous() and not _value(a).is_contiguous():
        # The gradient of weights (outputs, inputs), which vmap has as that of (inputs, outputs): so sums are the same.
        return _contiguous(graph, _turned(graph, _as_it_is(graph, _turned(graph, b), _turned(graph, a))))
    return _as_it_is(graph, a, b)


def _as_it_is(graph: fx.Graph, a: fx.Node, b: fx.Node) -> fx.Node:
    if _is_large(a, b):
        return _large(graph, a, b)
    # As of members side by side, whose numbers it shall have.
    one = _call(graph, aten.bmm.default, *(_call(graph, aten.unsqueeze.default, each, 0) for each in (a, b)))
    return _call(graph, aten.select.int, one, 0, 0)


def _affine(graph: fx.Graph, bias: fx.Node, a: fx.Node, b: fx.Node) -> fx.Node:
    """a (m, k) times b (k, n), plus bias (n,)."""
    if _is_large(a, b) and _value(a).is_contiguous():
        return _linear(graph, a, _turned(graph, b), bias)
    return _call(graph, aten.add.Tensor, _product(graph, a, b), bias)


def _products(graph: fx.Graph, a: fx.Node, b: fx.Node) -> fx.Node:
    """Of each member: a (M, m, k), b (M, k, n) -> (M, m, n)."""
    if not _is_large(a, b):
        return _call(graph, aten.bmm.default, a, b)
    members = range(len(_value(a)))
    pairs = [[_call(graph, aten.select.int, each, 0, i) for each in (a, b)] for i in members]
    return _call(graph, aten.stack.default, [_large(graph, *pair) for pair in pairs])


def _is_large(a: fx.Node, b: fx.Node) -> bool:
    (m, k), n = _value(a).shape[-2:], _value(b).shape[-1]
    return m * k * n >= FROM and one_dnn()


def _large(graph: fx.Graph, a: fx.Node, b: fx.Node) -> fx.Node:
    # oneDNN copies what comes first if its rows are not contiguous; the smaller one is to be copied, then.
    if not _value(a).is_contiguous() and _value(b).numel() < _value(a).numel():
        return _contiguous(graph, _turned(graph, _linear(graph, _turned(graph, b), a)))
    return _linear(graph, a, _turned(graph, b))


def _linear(graph: fx.Graph, inputs: fx.Node, weight: fx.Node, bias: fx.Node | None = None) -> fx.Node:
    return _call(graph, torch.ops.mkldnn._linear_pointwise.default, inputs, weight, bias, "none", [], "")


def _contiguous(graph: fx.Graph, a: fx.Node) -> fx.Node:
    """What follows in a trace may look at the memory of a product, which was in the order of its axes."""
    node = graph.call_function(aten.clone.default, (a,), {"memory_format": torch.contiguous_format})
    node.meta["val"] = _value(a).contiguous()
    return node


def _turned(graph: fx.Graph, a: fx.Node) -> fx.Node:
    return _call(graph, aten.t.default, a)


def _call(graph: fx.Graph, target: Any, *args: Any) -> fx.Node:
    """A node that knows the shape and strides of its value, as those of a trace do."""
    node = graph.call_function(target, args)
    node.meta["val"] = target(*fx.map_arg(args, _value))
    return node


def _value(node: fx.Node) -> torch.Tensor:
    """A tensor without numbers, of the shape, strides and type of a node's value."""
    value: torch.Tensor = node.meta["val"]
    return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")


@cache
def one_dnn() -> bool:
    """Whether this torch has oneDNN's product for this processor, tried on one in both layouts of the weights."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not torch.backends.mkldnn.is_available():
        return False
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(64, 48, generator=generator), torch.randn(48, 32, generator=generator)
    try:
        linear = torch.ops.mkldnn._linear_pointwise.default
        found = [linear(a, weight, None, "none", [], "") for weight in (b.t(), b.t().contiguous())]
    except (AttributeError, RuntimeError, TypeError):  # an operation of torch's own, which may go
        return False
    return all(torch.allclose(each, torch.mm(a, b), atol=1e-4) for each in found)
