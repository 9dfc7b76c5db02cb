"""Decoder-only transformer: pre-norm, RMSNorm, causal attention, GELU feed-forward, no biases."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from harness.errors import SettingError
from harness.families.base import Family, ParameterCount, Shape
from harness.families.parametrization import Role, branch_scale, width_factor
from harness.ranges import Flag, above, at_least, one_of, setting
from harness.settings import ParametrizationSettings
from harness.tasks.base import InputKind, Signature


def rotate(x_BHTK: torch.Tensor) -> torch.Tensor:
    """Rotary positions (Su et al. 2021, eq. 34) applied to queries or keys (B, heads, T, head width)."""
    T, K = x_BHTK.shape[-2:]
    frequencies = 10_000.0 ** (-torch.arange(0, K, 2, device=x_BHTK.device, dtype=torch.float32) / K)
    angles_TK = torch.outer(torch.arange(T, device=x_BHTK.device, dtype=torch.float32), frequencies)
    cos, sin = angles_TK.cos().to(x_BHTK.dtype), angles_TK.sin().to(x_BHTK.dtype)
    a, b = x_BHTK.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


class Attention(nn.Module):
    """Causal self-attention; `scale` multiplies the products of queries and keys."""

    def __init__(self, width: int, heads: int, rotary: bool, scale: float) -> None:
        super().__init__()
        self.heads, self.rotary, self.scale = heads, rotary, scale
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x_BTW: torch.Tensor) -> torch.Tensor:
        q, k, v = self.heads_of(x_BTW)
        y_BHTK = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=self.scale)
        return self.out(y_BHTK.transpose(1, 2).reshape(x_BTW.shape))

    def heads_of(self, x_BTW: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Queries, keys and values, each (B, heads, T, head width)."""
        B, T, W = x_BTW.shape
        q, k, v = self.qkv(x_BTW).view(B, T, 3, self.heads, W // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        return (rotate(q), rotate(k), v) if self.rotary else (q, k, v)

    def weights(self, x_BTW: torch.Tensor) -> torch.Tensor:
        """(B, heads, T, T) the weight that each position (row) gives to each (column) in `forward`; rows sum to 1."""
        q, k, _ = self.heads_of(x_BTW)
        scores = q @ k.transpose(-1, -2) * self.scale
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        return scores.masked_fill(later, -torch.inf).softmax(dim=-1)


class FeedForward(nn.Module):
    """Two linear layers with GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(F.gelu(self.up(x)))


class Block(nn.Module):
    """Two residual branches, or attention alone, each added at `branch_scale` to what came in."""

    def __init__(self, attention: Attention, mlp: FeedForward | None, width: int, branch_scale: float) -> None:
        super().__init__()
        self.branch_scale = branch_scale
        self.attention = nn.Sequential(OrderedDict(norm=nn.RMSNorm(width), inner=attention))
        self.mlp = nn.Sequential(OrderedDict(norm=nn.RMSNorm(width), inner=mlp)) if mlp is not None else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.add(x, self.attention(x), alpha=self.branch_scale)
        return x if self.mlp is None else torch.add(x, self.mlp(x), alpha=self.branch_scale)


class TransformerModel(nn.Module):
    """Tokens (B, T) -> logits (B, T, n_outputs)."""

    def __init__(
        self,
        family: Transformer,
        shape: Shape,
        signature: Signature,
        attention_scale: float,
        branch_scale: float,
        logit_scale: float,
    ) -> None:
        super().__init__()
        width, rotary = shape.width, family.positions == "rotary"
        hidden = family.hidden_width(width)
        self.family, self.logit_scale = family, logit_scale
        self.embedding = nn.Embedding(signature.vocab_size or 0, width)
        self.positions = None if rotary else nn.Embedding(signature.context, width)
        self.blocks = nn.ModuleList(
            Block(
                Attention(width, shape.heads, rotary, attention_scale),
                FeedForward(width, hidden) if hidden else None,
                width,
                branch_scale,
            )
            for _ in range(shape.depth)
        )
        self.norm = nn.RMSNorm(width)
        self.head = None if family.tied else nn.Linear(width, signature.n_outputs, bias=False)

    def forward(self, tokens_BT: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens_BT)
        for block in self.blocks:
            x = block(x)
        readout = self.embedding.weight if self.head is None else self.head.weight
        return F.linear(self.norm(x), readout) * self.logit_scale

    def embed(self, tokens_BT: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens_BT)
        return x if self.positions is None else x + self.positions.weight[: tokens_BT.shape[1]]

    def attention_weights(self, tokens_BT: torch.Tensor) -> torch.Tensor:
        """(B, depth, heads, T, T) attention weights of every head, for the study of circuits; training needs none."""
        x, weights = self.embed(tokens_BT), []
        for block in cast("list[Block]", self.blocks):
            norm, attention = block.attention
            weights.append(cast("Attention", attention).weights(norm(x)))
            x = block(x)
        return torch.stack(weights, dim=1)

    def roles(self) -> dict[str, Role]:
        return {name: self._role(name, parameter) for name, parameter in self.named_parameters()}

    def _role(self, name: str, parameter: nn.Parameter) -> Role:
        residual = name.startswith("blocks.")
        if "norm" in name:
            return Role("norm", "input", 0.0, mean=1.0, decays=False, residual=residual)
        if name.startswith(("embedding", "positions")):
            return Role("embedding", "input", self.family.embedding_std, decays=False)
        std = 1 / math.sqrt(parameter.shape[1])
        if name.startswith("head"):
            return Role("head", "output", 0.0 if self.family.zero_head else std)
        return Role("attention" if ".attention." in name else "mlp", "hidden", std, residual=residual)


@dataclass
class Transformer(Family):
    """Decoder-only transformer: pre-norm, RMSNorm, causal attention, GELU, no biases."""

    mlp_ratio: float = setting(4.0, "feed-forward width over model width; 0 leaves attention alone", at_least(0))
    positions: str = setting("rotary", "how a token's position is told", one_of("rotary", "learned"))
    tied: bool = setting(False, "the embedding is the readout too", Flag())
    embedding_std: float = setting(1.0, "standard deviation of the initial token and position embeddings", above(0))
    zero_head: bool = setting(True, "start with all logits equal: a readout of zeros", Flag())

    @property
    def name(self) -> str:
        return "transformer"

    @property
    def together_on_cpu(self) -> bool:
        return False

    @property
    def uses_heads(self) -> bool:
        return True

    @property
    def has_residual_branches(self) -> bool:
        return True

    def width_multiple(self, heads: int) -> int:
        return heads * (2 if self.positions == "rotary" else 1)  # rotary turns pairs of features

    def hidden_width(self, width: int) -> int:
        """Width of the feed-forward layer, 0 where there is none."""
        return round(self.mlp_ratio * width)

    @property
    def reads(self) -> tuple[InputKind, ...]:
        return ("tokens",)

    def check(self, shape: Shape, signature: Signature) -> None:
        if self.tied and signature.vocab_size != signature.n_outputs:
            raise SettingError("family.tied", True, "false, for this task answers in another vocabulary than it asks")
        multiple = self.width_multiple(shape.heads)
        if shape.width % multiple:
            raise SettingError("ladder.widths", shape.width, f"multiples of {multiple}, for {shape.heads} heads")

    def build(self, shape: Shape, signature: Signature, parametrization: ParametrizationSettings) -> TransformerModel:
        m = width_factor(shape.width, parametrization)
        attention_scale = 1 / math.sqrt(shape.width / shape.heads)
        if parametrization.kind == "mup":
            # 1/head width in place of its root (Yang et al. 2021, definition 4.1), equal at the base head width.
            attention_scale *= math.sqrt(parametrization.base_width / parametrization.base_heads) * attention_scale
        # A tied readout cannot have an output's small initial values, so its factor goes on the logits.
        logit_scale = 1 / math.sqrt(shape.width) / math.sqrt(m) if self.tied else 1.0
        scale = branch_scale(shape.depth, parametrization)
        return TransformerModel(self, shape, signature, attention_scale, scale, logit_scale)

    def count(self, shape: Shape, signature: Signature) -> ParameterCount:
        w, vocab_size, hidden = shape.width, signature.vocab_size or 0, self.hidden_width(shape.width)
        return ParameterCount(
            embedding=w * (vocab_size + (signature.context if self.positions == "learned" else 0)),
            attention=shape.depth * 4 * w * w,
            mlp=shape.depth * 2 * w * hidden,
            norm=w * (shape.depth * (2 if hidden else 1) + 1),
            head=0 if self.tied else w * signature.n_outputs,
        )

    def forward_flops(self, shape: Shape, signature: Signature) -> float:
        w, T = shape.width, signature.context
        products = shape.depth * (4 * w * w + 2 * w * self.hidden_width(w)) + w * signature.n_outputs
        attention = shape.depth * 2 * T * w  # scores and their mixture, causal or not: the kernels compute both halves
        return 2.0 * T * (products + attention)

    def training_flops(self, shape: Shape, signature: Signature) -> float:
        return 3 * self.forward_flops(shape, signature)
