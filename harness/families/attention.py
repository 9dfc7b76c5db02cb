"""Causal attention that members side by side share: they are one more part of the batch.

On a CPU torch has no rule for its fused kernel under vmap and runs it for one member after another; here members are
folded into the batch, which is what such a rule would do.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

aten = torch.ops.aten


def causal_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float) -> torch.Tensor:
    """Queries, keys and values (B, heads, T, head width) -> their mixtures, of the same shape.

    Args:
        scale: multiplies the products of queries and keys.
    """
    # Whoever keeps torch from this kernel, as to count its products one by one, is obeyed.
    if q.device.type == "cpu" and q.dtype == torch.float32 and torch.backends.cuda.flash_sdp_enabled():
        mixed, _ = _OnCPU.apply(q, k, v, scale)
        return mixed
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)


class _OnCPU(torch.autograd.Function):
    """torch's fused kernel (Dao et al. 2022, "FlashAttention"), with a rule for vmap."""

    @staticmethod
    def forward(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
        mixed, log_sums = aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, True, scale=scale)
        return mixed, log_sums

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, torch.Tensor]) -> None:
        *of_heads, ctx.scale = inputs
        ctx.save_for_backward(*of_heads, *output)
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        backward = aten._scaled_dot_product_flash_attention_for_cpu_backward
        return *backward(grads[0], *ctx.saved_tensors, 0.0, True, scale=ctx.scale), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Any, tuple[int, int]]:
        *of_heads, scale = inputs
        folded = [
            (each.movedim(dim, 0) if dim is not None else each.expand(info.batch_size, *each.shape)).flatten(0, 1)
            for each, dim in zip(of_heads, in_dims, strict=False)
        ]
        outputs = _OnCPU.apply(*folded, scale)
        return tuple(each.unflatten(0, (info.batch_size, -1)) for each in outputs), (0, 0)
