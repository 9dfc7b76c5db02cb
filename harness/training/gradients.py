"""Losses and gradients of a batch as traced operations, and a model's outputs; one trace serves all jobs of a shape."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import torch

from harness.training.members import Keys, Stack
from harness.training.traced import compiled, trace

#: Inputs, targets, weights and dropout's keys -> losses (M,) and their gradient (M, P).
Gradient = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Keys], tuple[torch.Tensor, torch.Tensor]]

#: Traces of this process, by what they depend on; those used last are kept.
_traces: OrderedDict[tuple[Any, ...], Callable[..., Any]] = OrderedDict()
_MOST = 32


def gradient_of(
    stack: Stack, inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, keys: Keys, compile: bool = False
) -> Gradient:
    """`Stack.loss_and_grad` at the current parameters in a training step, for batches of this shape.

    Args:
        compile: through torch.compile.

    Raises:
        UserError: it cannot be compiled here.
    """
    if (shards := stack.shards) is not None:
        return lambda x, y, w, k: shards.loss_and_grad(stack, x, y, w, k)
    if stack.unbatched is not None:
        # What vmap cannot run may take another path for other data, which a trace would not.
        return lambda x, y, w, k: stack.loss_and_grad(stack.by_name(), x, y, w, k)
    params, n = stack.by_name(), len(stack.trained)
    names, of_frozen, of_keys = tuple(params), tuple(stack.frozen), tuple(keys)
    fixed = [*params.values(), *stack.frozen.values()]

    def function(*tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        trained = dict(zip(names, tensors[:n], strict=True))
        frozen = dict(zip(of_frozen, tensors[n : len(fixed)], strict=True))
        x, y, w, *k = tensors[len(fixed) :]
        return stack.loss_and_grad(trained, x, y, w, dict(zip(of_keys, k, strict=True)), frozen)

    run = _traced(stack, "gradient", function, [*fixed, inputs, targets, weights, *keys.values()], compile)
    return lambda x, y, w, k: run(*fixed, x, y, w, *k.values())


def outputs_of(stack: Stack, inputs: torch.Tensor) -> torch.Tensor:
    """(M, B, S, n_outputs) float32 outputs of every member, at its current parameters, for the same inputs (B, ...)."""
    if stack.shards is not None:
        return stack.logits({}, inputs[None])
    params, members = stack.by_name() | stack.frozen, len(stack.params_MP)
    names, fixed = tuple(params), [*params.values()]

    def function(*tensors: torch.Tensor) -> torch.Tensor:
        named = dict(zip(names, tensors[:-1], strict=True))
        return stack.logits(named, tensors[-1].expand(members, *tensors[-1].shape))

    if stack.unbatched is not None:
        return function(*fixed, inputs)
    out: torch.Tensor = _traced(stack, "outputs", function, [*fixed, inputs])(*fixed, inputs)
    return out


def _traced(
    stack: Stack, what: str, function: Callable[..., Any], tensors: Sequence[torch.Tensor], compile: bool = False
) -> Callable[..., Any]:
    """The trace of a function of a stack, from another job of the same shape if there was one."""
    shapes = tuple((tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device) for tensor in tensors)
    key = (stack.architecture, what, compile, shapes)
    if (known := _traces.get(key)) is None:
        known = trace(function, tensors)
        if compile:
            known = compiled(known)
        _traces[key] = known
    _traces.move_to_end(key)
    while len(_traces) > _MOST:
        _traces.popitem(last=False)
    return known
