"""A function of tensors as the list of operations that it comes down to, made shorter and replayed.

Tracing spares what dispatch costs: vmap and autograd are passed through once, and what is left are plain operations on
tensors (`torch.fx`). Here operations on constants alone are carried out once, and matrix products on a CPU go where
they are fast (`harness.training.products`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import torch
from torch import fx
from torch.fx.experimental.proxy_tensor import make_fx

from harness.training.products import for_compilation, redirect_products

aten = torch.ops.aten


def trace(function: Callable[..., Any], arguments: Sequence[torch.Tensor]) -> fx.GraphModule:
    """The operations of `function` at tensors of these shapes, types and devices, for others of the same."""
    graph = make_fx(function)(*arguments)
    _drop_aliases(graph)
    _fold_constants(graph)
    if all(argument.device.type == "cpu" for argument in arguments):
        redirect_products(graph)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _drop_aliases(graph: fx.GraphModule) -> None:
    """`detach` matters to autograd alone, which has been passed through."""
    for node in graph.graph.find_nodes(op="call_function", target=aten.detach.default):
        node.replace_all_uses_with(node.args[0])
        graph.graph.erase_node(node)


def _fold_constants(graph: fx.GraphModule) -> None:
    """Carry out once what depends on no argument, such as the angles of rotary positions."""
    known: dict[fx.Node, Any] = {}
    changed = _changed(graph)
    for node in graph.graph.nodes:
        if node.op == "get_attr":
            known[node] = node.meta["val"] = getattr(graph, str(node.target))
        elif node not in changed and _is_pure(node) and all(each in known for each in node.all_input_nodes):
            args, kwargs = (fx.map_arg(each, known.__getitem__) for each in (node.args, node.kwargs))
            known[node] = node.target(*args, **kwargs)
    for i, (node, value) in enumerate(known.items()):
        wanted = any(user not in known for user in node.users)
        if node.op != "get_attr" and wanted and isinstance(value, torch.Tensor):
            graph.register_buffer(name := f"_folded_{i}", value)
            with graph.graph.inserting_before(node):
                constant = graph.graph.get_attr(name)
            constant.meta = dict(node.meta)
            node.replace_all_uses_with(constant)


def _changed(graph: fx.GraphModule) -> set[fx.Node]:
    """Nodes whose values an operation changes in place, by themselves or through a view."""
    found: set[fx.Node] = set()
    for node in graph.graph.nodes:
        left = [node.args[0]] if _is_overload(node) and node.target._schema.is_mutable else []
        while left:
            one = left.pop()
            if isinstance(one, fx.Node) and one not in found:
                found.add(one)
                left += one.all_input_nodes if _may_be_view(one) else []
    return found


def _may_be_view(node: fx.Node) -> bool:
    if not _is_overload(node):
        return True  # as one of several results
    of_results = node.target._schema.returns
    return node.target is aten._unsafe_view.default or any(each.alias_info is not None for each in of_results)


def _is_pure(node: fx.Node) -> bool:
    """Whether a node gives the same for the same arguments, and changes nothing."""
    if node.op != "call_function":
        return False
    if not _is_overload(node):
        return node.target is operator.getitem
    return not node.target._schema.is_mutable and torch.Tag.nondeterministic_seeded not in node.target.tags


def _is_overload(node: fx.Node) -> TypeGuard[Any]:
    return isinstance(node.target, torch._ops.OpOverload)


def compiled(graph: fx.GraphModule) -> Callable[..., Any]:
    """A trace through torch.compile.

    Raises:
        UserError: there is no compiler, or it fails.
    """
    for_compilation(graph)
    graph.recompile()
    return torch.compile(graph, dynamic=False)
