"""A function of tensors as the list of operations that it comes down to, made shorter and replayed.

Tracing spares what dispatch costs: vmap and autograd are passed through once, and what is left are plain operations on
tensors (`torch.fx`). Here operations on constants alone are carried out once, and matrix products on a CPU go where
they are fast (`harness.training.products`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import fx
from torch._guards import TracingContext, detect_fake_mode, tracing
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from harness.training.graph_passes import drop_what_does_nothing, fold_constants, reuse_memory
from harness.training.products import for_compilation, redirect_products


def trace(function: Callable[..., Any], arguments: Sequence[torch.Tensor]) -> fx.GraphModule:
    """The operations of `function` at tensors of these shapes, types and devices, for others of the same."""
    with _one_mode_of_values(arguments):
        graph = make_fx(function)(*arguments)
    drop_what_does_nothing(graph)
    fold_constants(graph)
    if all(argument.device.type == "cpu" for argument in arguments):
        redirect_products(graph)
    graph.graph.eliminate_dead_code()
    reuse_memory(graph)
    graph.recompile()
    return graph


def _one_mode_of_values(arguments: Sequence[torch.Tensor]) -> AbstractContextManager[object]:
    """Let make_fx note shapes, strides and types of values in one mode; otherwise it makes one for each, in a third of
    its time."""
    if detect_fake_mode(arguments) is not None:
        return nullcontext()
    return tracing(TracingContext(FakeTensorMode(allow_fallback_kernels=True)))


def compiled(graph: fx.GraphModule) -> Callable[..., Any]:
    """A trace through torch.compile, which compiles it when it is first called."""
    for_compilation(graph)
    graph.recompile()
    return torch.compile(graph, dynamic=False)
