"""A function of tensors as the list of operations that it comes down to, made shorter and replayed.

Tracing spares what dispatch costs: vmap and autograd are passed through once, and what is left are plain operations on
tensors (`torch.fx`). Here operations on constants alone are carried out once, and matrix products on a CPU go where
they are fast (`harness.training.products`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import fx
from torch.fx.experimental.proxy_tensor import make_fx

from harness.training.graph_passes import drop_what_does_nothing, fold_constants, reuse_memory
from harness.training.products import for_compilation, redirect_products


def trace(function: Callable[..., Any], arguments: Sequence[torch.Tensor]) -> fx.GraphModule:
    """The operations of `function` at tensors of these shapes, types and devices, for others of the same."""
    graph = make_fx(function)(*arguments)
    drop_what_does_nothing(graph)
    fold_constants(graph)
    if all(argument.device.type == "cpu" for argument in arguments):
        redirect_products(graph)
    graph.graph.eliminate_dead_code()
    reuse_memory(graph)
    graph.recompile()
    return graph


def compiled(graph: fx.GraphModule) -> Callable[..., Any]:
    """A trace through torch.compile, which compiles it when it is first called."""
    for_compilation(graph)
    graph.recompile()
    return torch.compile(graph, dynamic=False)
