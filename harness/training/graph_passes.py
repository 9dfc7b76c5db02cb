"""What makes a trace shorter and its memory less, without changing a number."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple, TypeGuard

import torch
from torch import fx

aten = torch.ops.aten

#: Views that may be of the whole of what they view, as it is.
_VIEWS = {aten.view.default, aten._unsafe_view.default, aten.expand.default, aten.permute.default, aten.alias.default}

#: Operations that leave a tensor as it is where their number is one.
_BY_A_NUMBER = {aten.mul.Scalar, aten.mul.Tensor, aten.div.Scalar, aten.div.Tensor, aten.pow.Tensor_Scalar}


class _Written(NamedTuple):
    """How an operation writes to one of its arguments.

    Attributes:
        target: the operation that does, of which that argument is the first.
        places: which of the arguments it may be.
        out: the keyword that names where to write; None where it is the first argument.
    """

    target: Any
    places: tuple[int, ...] = (0,)
    out: str | None = None


_IN_PLACE: dict[Any, _Written] = {
    aten.add.Tensor: _Written(aten.add_.Tensor, (0, 1)),
    aten.sub.Tensor: _Written(aten.sub_.Tensor),
    aten.mul.Tensor: _Written(aten.mul_.Tensor, (0, 1)),
    aten.div.Tensor: _Written(aten.div_.Tensor),
    aten.mul.Scalar: _Written(aten.mul_.Scalar),
    aten.relu.default: _Written(aten.relu_.default),
    aten.threshold_backward.default: _Written(aten.threshold_backward.grad_input, (0,), "grad_input"),
    aten.gelu_backward.default: _Written(aten.gelu_backward.grad_input, (0,), "grad_input"),
}


def drop_what_does_nothing(graph: fx.GraphModule) -> None:
    """Leave out `detach`, which matters to autograd alone, views that are what they view, and products with one."""
    changed = _changed(graph)
    for node in graph.graph.nodes:
        if not _is_overload(node) or not node.args or not isinstance(given := node.args[0], fx.Node):
            continue
        by_one = node.target in _BY_A_NUMBER and isinstance(node.args[1], int | float) and node.args[1] == 1
        by_one = by_one and not changed & {given, node}  # two values, which differ from then on
        if node.target is aten.detach.default or ((by_one or node.target in _VIEWS) and _look_alike(node, given)):
            node.replace_all_uses_with(given)
            graph.graph.erase_node(node)


def _look_alike(one: fx.Node, other: fx.Node) -> bool:
    """Whether two values are of the same shape, strides and type."""
    a, b = one.meta.get("val"), other.meta.get("val")
    if not (isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)):
        return False
    return (a.shape, a.stride(), a.dtype) == (b.shape, b.stride(), b.dtype)


def fold_constants(graph: fx.GraphModule) -> None:
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


def reuse_memory(graph: fx.GraphModule) -> None:
    """Let elementwise operations write to where they read what nothing reads after them.

    The numbers are the same; memory that is in a cache already is used instead of more.
    """
    order = {node: i for i, node in enumerate(graph.graph.nodes)}
    owner: dict[fx.Node, fx.Node] = {}
    last_read: dict[fx.Node, int] = {}
    for node in graph.graph.nodes:
        shares = node.all_input_nodes[:1] if _may_be_view(node) and node.op == "call_function" else []
        owner[node] = owner[shares[0]] if shares else node
        reads = max((order[user] for user in node.users), default=-1)
        last_read[owner[node]] = max(last_read.get(owner[node], -1), reads)
    for node in graph.graph.nodes:
        if (written := _IN_PLACE.get(node.target)) is None:
            continue
        for place in written.places if node.kwargs.get("alpha", 1) == 1 else written.places[:1]:
            given = node.args[place]
            if not isinstance(given, fx.Node) or owner[given].op != "call_function" or not _look_alike(node, given):
                continue
            others = [owner[each] for each in node.all_input_nodes if each is not given]
            if last_read[owner[given]] > order[node] or owner[given] in others or _overlaps(given):
                continue
            args = list(node.args)
            args.insert(0, args.pop(place))
            node.target, node.args = written.target, tuple(args)
            if written.out is not None:
                node.kwargs = {**node.kwargs, written.out: given}
            last_read[owner[given]] = max(last_read[owner[given]], last_read[owner[node]])
            _join(owner, owner[node], owner[given])
            break


def _join(owner: dict[fx.Node, fx.Node], old: fx.Node, new: fx.Node) -> None:
    for node, its in owner.items():
        if its is old:
            owner[node] = new


def _overlaps(node: fx.Node) -> bool:
    """Whether several entries of a value are one place in memory, as of one that was expanded."""
    value = node.meta["val"]
    return any(stride == 0 and size > 1 for size, stride in zip(value.shape, value.stride(), strict=True))
