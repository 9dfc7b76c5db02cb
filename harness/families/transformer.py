"""Decoder-only transformer on tokens, frames or mixed inputs: pre-norm, causal; by default RMSNorm and no biases."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import nn

from harness.cluster.model import Model, transformer
from harness.errors import SettingError
from harness.families.attention import causal_attention
from harness.families.base import Family, Group, ParameterCount, Shape
from harness.families.dropout import dropout
from harness.families.encoders import (
    ENCODERS,
    embedding,
    embedding_flops,
    embedding_roles,
    embedding_weights,
    flops_without_gradient,
)
from harness.families.parametrization import Role, branch_scale, width_factor
from harness.ranges import Flag, Number, above, at_least, one_of, or_null, setting, whole
from harness.settings import ParametrizationSettings
from harness.tasks.base import InputKind, Signature


def rotate(x_BTHK: torch.Tensor) -> torch.Tensor:
    """Rotary positions (Su et al. 2021, eq. 34) applied to queries or keys (B, T, heads, head width)."""
    T, H, K = x_BTHK.shape[1:]
    frequencies = 10_000.0 ** (-torch.arange(0, K, 2, device=x_BTHK.device, dtype=torch.float32) / K)
    angles_TK = torch.outer(torch.arange(T, device=x_BTHK.device, dtype=torch.float32), frequencies)
    cos, sin = angles_TK.cos().to(x_BTHK.dtype), angles_TK.sin().to(x_BTHK.dtype)
    # One table for all heads: a product with it runs over memory as it lies.
    cos_THK, sin_THK = (torch.cat(halves, dim=-1).unsqueeze(1).repeat(1, H, 1) for halves in ((cos, cos), (-sin, sin)))
    a, b = x_BTHK.chunk(2, dim=-1)
    return torch.addcmul(x_BTHK * cos_THK, torch.cat((b, a), dim=-1), sin_THK)


class Attention(nn.Module):
    """Causal self-attention; `scale` multiplies the products of queries and keys.

    With fewer `kv_heads` than heads, neighbouring heads of queries share one of keys and values (grouped queries,
    Ainslie et al. 2023). With `qk_norm`, queries and keys are normalised over each head, with a gain that all heads
    share (Dehghani et al. 2023, section 2; RMSNorm here).
    """

    def __init__(
        self, width: int, heads: int, kv_heads: int, rotary: bool, qk_norm: bool, scale: float, biases: bool = False
    ) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.rotary, self.qk_norm, self.scale = heads, kv_heads, rotary, qk_norm, scale
        head_width = width // heads
        self.qkv = nn.Linear(width, (heads + 2 * kv_heads) * head_width, bias=biases)
        self.out = nn.Linear(width, width, bias=biases)
        self.q_norm = nn.RMSNorm(head_width) if qk_norm else nn.Identity()
        self.k_norm = nn.RMSNorm(head_width) if qk_norm else nn.Identity()

    def forward(self, x_BTW: torch.Tensor) -> torch.Tensor:
        q, k, v = self.heads_of(x_BTW)
        y_BHTK = causal_attention(q, k, v, self.scale)
        return self.out(y_BHTK.transpose(1, 2).reshape(x_BTW.shape))

    def heads_of(self, x_BTW: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Queries, keys and values, each (B, heads, T, head width)."""
        B, T, W = x_BTW.shape
        all_BTHK = self.qkv(x_BTW).view(B, T, -1, W // self.heads)
        if x_BTW.device.type == "cpu" and all_BTHK.dtype == torch.bfloat16:
            all_BTHK = all_BTHK.float()  # there attention in bfloat16 takes five times as long in its backward pass
        qk, v = all_BTHK.split((self.heads + self.kv_heads, self.kv_heads), dim=2)
        if self.qk_norm:
            q, k = qk.split((self.heads, self.kv_heads), dim=2)
            qk = torch.cat((self.q_norm(q), self.k_norm(k)), dim=2)
        qk = rotate(qk) if self.rotary else qk
        q, k, v = (each.transpose(1, 2) for each in (*qk.split((self.heads, self.kv_heads), dim=2), v))
        if (sharing := self.heads // self.kv_heads) > 1:
            k, v = k.repeat_interleave(sharing, dim=1), v.repeat_interleave(sharing, dim=1)
        return q, k, v

    def weights(self, x_BTW: torch.Tensor) -> torch.Tensor:
        """(B, heads, T, T) the weight that each position (row) gives to each (column) in `forward`; rows sum to 1."""
        q, k, _ = self.heads_of(x_BTW)
        scores = q @ k.transpose(-1, -2) * self.scale
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        return scores.masked_fill(later, -torch.inf).softmax(dim=-1)


class FeedForward(nn.Module):
    """Two linear layers with GELU, its approximation by tanh (Hendrycks & Gimpel 2016, section 2), or ReLU between."""

    def __init__(self, width: int, hidden: int, activation: str, biases: bool = False) -> None:
        super().__init__()
        self.up = nn.Linear(width, hidden, bias=biases)
        self.down = nn.Linear(hidden, width, bias=biases)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(x)
        if self.activation == "relu":
            return self.down(F.relu(x))
        return self.down(F.gelu(x, approximate="tanh" if self.activation == "gelu_tanh" else "none"))


class SwiGLU(nn.Module):
    """One linear layer times another under SiLU, and a linear layer back (Shazeer 2020, eq. 6)."""

    def __init__(self, width: int, hidden: int, biases: bool = False) -> None:
        super().__init__()
        self.gate_and_up = nn.Linear(width, 2 * hidden, bias=biases)
        self.down = nn.Linear(hidden, width, bias=biases)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, up = self.gate_and_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class Block(nn.Module):
    """Two residual branches, or attention alone, each added at `branch_scale` to what came in."""

    def __init__(
        self,
        attention: Attention,
        mlp: nn.Module | None,
        new_norm: Callable[[], nn.Module],
        branch_scale: float,
        dropout_rate: float,
    ) -> None:
        super().__init__()
        self.branch_scale = branch_scale

        def branch(inner: nn.Module) -> nn.Sequential:
            return nn.Sequential(OrderedDict(norm=new_norm(), inner=inner, dropout=dropout(dropout_rate)))

        self.attention = branch(attention)
        self.mlp = branch(mlp) if mlp is not None else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.add(x, self.attention(x), alpha=self.branch_scale)
        return x if self.mlp is None else torch.add(x, self.mlp(x), alpha=self.branch_scale)


class Scales(NamedTuple):
    """What a model multiplies the products of queries and keys, its residual branches and its logits by."""

    attention: float
    branch: float
    logits: float


class TransformerModel(nn.Module):
    """Tokens (B, T), frames (B, T, F) or mixed inputs (B, T, 1 + F) -> logits (B, S, n_outputs) at the last positions.

    S is T for tokens, 1 for frames, and what the task says for mixed inputs.
    """

    def __init__(self, family: Transformer, shape: Shape, signature: Signature, scales: Scales) -> None:
        super().__init__()
        width, rotary = shape.width, family.positions == "rotary"
        kv_heads = family.kv_heads or shape.heads
        self.family, self.logit_scale = family, scales.logits
        new_norm = partial(family.normalisation, width)
        self.unanswered = signature.positions - signature.answer_positions
        self.embedding = embedding(signature, width, family.encoder)
        self.positions = None if rotary else nn.Embedding(signature.positions, width)
        self.blocks = nn.ModuleList(
            Block(
                Attention(width, shape.heads, kv_heads, rotary, family.qk_norm, scales.attention, family.biases),
                family.feed_forward(width),
                new_norm,
                scales.branch,
                family.dropout,
            )
            for _ in range(shape.depth)
        )
        self.dropout = dropout(family.dropout)
        self.norm = new_norm()
        self.head = None if family.tied else nn.Linear(width, signature.n_outputs, bias=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        x = self.embed(inputs)
        for block in self.blocks:
            x = block(x)
        if self.unanswered:
            x = x[:, self.unanswered :]
        readout = cast("torch.Tensor", self.embedding.weight) if self.head is None else self.head.weight
        return F.linear(self.norm(x), readout) * self.logit_scale

    def embed(self, inputs: torch.Tensor) -> torch.Tensor:
        x = self.embedding(inputs)
        return self.dropout(x if self.positions is None else x + self.positions.weight[: inputs.shape[1]])

    def attention_weights(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, depth, heads, T, T) attention weights of every head, for the study of circuits; training needs none."""
        x, weights = self.embed(inputs), []
        for block in cast("list[Block]", self.blocks):
            norm, attention, _ = block.attention
            weights.append(cast("Attention", attention).weights(norm(x)))
            x = block(x)
        return torch.stack(weights, dim=1)

    def roles(self) -> dict[str, Role]:
        embedded = embedding_roles(self.embedding, self.family.embedding_std)
        roles = {f"embedding.{name}": role for name, role in embedded.items()}
        others = ((name, parameter) for name, parameter in self.named_parameters() if name not in roles)
        return roles | {name: self._role(name, parameter) for name, parameter in others}

    def _role(self, name: str, parameter: nn.Parameter) -> Role:
        residual = name.startswith("blocks.")
        in_block: Group = "attention" if ".attention." in name else "mlp"
        if name.endswith(".bias"):
            return Role("norm" if "norm" in name else in_block, "input", 0.0, decays=False, residual=residual)
        if "norm" in name:
            return Role("norm", "input", 0.0, mean=1.0, decays=False, residual=residual)
        if name.startswith("positions"):
            return Role("embedding", "input", self.family.embedding_std, decays=False)
        std = 1 / math.sqrt(parameter.shape[1])
        if name.startswith("head"):
            return Role("head", "output", 0.0 if self.family.zero_head else std)
        return Role(in_block, "hidden", std, residual=residual)


@dataclass
class Transformer(Family):
    """Decoder-only transformer on tokens, on frames, or on mixed inputs, each kind of features by an encoder."""

    mlp_ratio: float = setting(
        4.0,
        "feed-forward width over model width, of which swiglu has 2/3 and so as many weights; 0 leaves attention alone",
        at_least(0),
    )
    activation: str = setting(
        "gelu",
        "of the feed-forward layer; gelu_tanh: GELU as GPT-2 has it; swiglu: a linear layer times another under SiLU",
        one_of("gelu", "gelu_tanh", "relu", "swiglu"),
        default_in_identity=False,
    )
    norm: str = setting(
        "rms",
        "normalisation before each branch and the readout: RMSNorm, or LayerNorm, which has a bias",
        one_of("rms", "layer"),
        default_in_identity=False,
    )
    norm_eps: float | None = setting(
        None,
        "what these norms add to the mean square (rms) or the variance (layer) before they take its root",
        or_null(above(0), "the smallest step of the numbers, 1.2e-7 in float32 (rms), or 1e-5 (layer)"),
        default_in_identity=False,
    )
    biases: bool = setting(False, "linear layers of the blocks have biases", Flag(), default_in_identity=False)
    kv_heads: int | None = setting(
        None,
        "heads of keys and values, each shared by several of queries (grouped-query attention); divides the heads",
        or_null(whole(1), "one for every head"),
        default_in_identity=False,
    )
    qk_norm: bool = setting(
        False, "normalise the queries and keys of each head (RMSNorm)", Flag(), default_in_identity=False
    )
    positions: str = setting("rotary", "how a token's position is told", one_of("rotary", "learned"))
    tied: bool = setting(False, "the embedding is the readout too", Flag())
    embedding_std: float = setting(
        1.0, "initial standard deviation of embeddings: tokens, positions, standardised frames", above(0)
    )
    encoder: str = setting(
        "linear",
        "what embeds frames, patches and other features: one linear layer, or two with GELU between them",
        one_of(*ENCODERS),
        default_in_identity=False,
    )
    zero_head: bool = setting(True, "start with all logits equal: a readout of zeros", Flag())
    dropout: float = setting(
        0.0,
        "share that training drops of the embeddings and of what each residual branch adds (Vaswani et al. 2017)",
        Number(0, 1, below=True),
        default_in_identity=False,
    )

    @property
    def name(self) -> str:
        return "transformer"

    @property
    def together_flops(self) -> float:
        # Below, operations take longer to call than to carry out. Widths 32 to 64, two cores: four together took .74 of
        # the time of four alone at 5e7 FLOPs a member, .82 to .93 at 2e8, .95 at 7e8 and 1.07 at 3e9.
        return 1e9

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
        return round(self.mlp_ratio * width * (2 / 3 if self.activation == "swiglu" else 1))

    def feed_forward(self, width: int) -> nn.Module | None:
        """The feed-forward layer of one block, None where there is none."""
        hidden = self.hidden_width(width)
        if not hidden:
            return None
        if self.activation == "swiglu":
            return SwiGLU(width, hidden, self.biases)
        return FeedForward(width, hidden, self.activation, self.biases)

    def normalisation(self, width: int) -> nn.Module:
        """A norm of the residual stream."""
        if self.norm == "rms":
            return nn.RMSNorm(width, eps=self.norm_eps)
        return nn.LayerNorm(width) if self.norm_eps is None else nn.LayerNorm(width, eps=self.norm_eps)

    @property
    def free_in_children(self) -> tuple[str, ...]:
        return ("dropout", "embedding_std", "zero_head")

    @property
    def reads(self) -> tuple[InputKind, ...]:
        return ("tokens", "frames", "mixed")

    @property
    def any_length(self) -> bool:
        return self.positions == "rotary"

    def check(self, shape: Shape, signature: Signature) -> None:
        if self.tied and signature.vocab_size != signature.n_outputs:
            raise SettingError("family.tied", True, "false, for this task answers in another vocabulary than it asks")
        multiple = self.width_multiple(shape.heads)
        if shape.width % multiple:
            raise SettingError("ladder.widths", shape.width, f"multiples of {multiple}, for {shape.heads} heads")
        if self.kv_heads and shape.heads % self.kv_heads:
            allowed = f"a divisor of {shape.heads}, the heads at width {shape.width}, or null"
            raise SettingError("family.kv_heads", self.kv_heads, allowed)

    def build(self, shape: Shape, signature: Signature, parametrization: ParametrizationSettings) -> TransformerModel:
        return TransformerModel(self, shape, signature, self.scales(shape, parametrization))

    def scales(self, shape: Shape, parametrization: ParametrizationSettings) -> Scales:
        """The factors in a model of this shape."""
        m = width_factor(shape.width, parametrization)
        attention_scale = 1 / math.sqrt(shape.width / shape.heads)
        if parametrization.kind == "mup":
            # 1/head width in place of its root (Yang et al. 2021, definition 4.1), equal at the base head width.
            attention_scale *= math.sqrt(parametrization.base_width / parametrization.base_heads) * attention_scale
        # A tied readout cannot have an output's small initial values, so its factor goes on the logits.
        logit_scale = 1 / math.sqrt(shape.width) / math.sqrt(m) if self.tied else 1.0
        return Scales(attention_scale, branch_scale(shape.depth, parametrization), logit_scale)

    def count(self, shape: Shape, signature: Signature) -> ParameterCount:
        w = shape.width
        told = w * signature.positions if self.positions == "learned" else 0
        of_norm = w * (2 if self.norm == "layer" else 1)
        norms = of_norm * (2 if self.hidden_width(w) else 1) + (2 * w // shape.heads if self.qk_norm else 0)
        attention_biases, mlp_biases = self._biases(shape) if self.biases else (0, 0)
        return ParameterCount(
            embedding=embedding_weights(signature, w, self.encoder) + told,
            attention=shape.depth * (self._attention_weights(shape) + attention_biases),
            mlp=shape.depth * (self._feed_forward_weights(w) + mlp_biases),
            norm=shape.depth * norms + of_norm,
            head=0 if self.tied else w * signature.n_outputs,
        )

    def forward_flops(self, shape: Shape, signature: Signature) -> float:
        w, T = shape.width, signature.positions
        mixing = 2 * T * w  # scores and their mixture, causal or not: the kernels compute both halves
        block = self._attention_weights(shape) + mixing + self._feed_forward_weights(w)
        head = 2.0 * signature.answer_positions * w * signature.n_outputs
        return 2.0 * T * shape.depth * block + head + embedding_flops(signature, w, self.encoder)

    def training_flops(self, shape: Shape, signature: Signature) -> float:
        # Backward costs a product for the weights and one for the inputs of each layer, but features need no gradient.
        return 3 * self.forward_flops(shape, signature) - flops_without_gradient(signature, shape.width)

    def kept_for_backward(self, shape: Shape, signature: Signature) -> float:
        return self.in_numbers(shape, signature).kept

    def in_numbers(self, shape: Shape, signature: Signature) -> Model:
        """The few numbers that the costs of training on a cluster follow from."""
        w, shared = shape.width, shape.width * (self.kv_heads or shape.heads) // shape.heads
        # Operation by operation a norm of RMS keeps its quotient, a rotation its result, and ReLU nothing more.
        also = 2 * w * (self.norm == "rms") + (w + shared) * (self.positions == "rotary")
        also -= self.hidden_width(w) * (self.activation == "relu")
        return transformer(
            layers=shape.depth,
            width=shape.width,
            hidden=self.hidden_width(shape.width),
            heads=shape.heads,
            vocabulary=signature.n_outputs,
            positions=signature.positions,
            kv_heads=self.kv_heads,
            gated=self.activation == "swiglu",
            parameters=self.count(shape, signature).total,
            flops=self.training_flops(shape, signature),
            answer_positions=signature.answer_positions,
            also_kept=also,
        )

    def _attention_weights(self, shape: Shape) -> int:
        """Of one block: queries and what comes out, keys and values."""
        w, kv_heads = shape.width, self.kv_heads or shape.heads
        return 2 * w * w + 2 * w * (kv_heads * w // shape.heads)

    def _feed_forward_weights(self, width: int) -> int:
        """Of one block."""
        return (3 if self.activation == "swiglu" else 2) * width * self.hidden_width(width)

    def _biases(self, shape: Shape) -> tuple[int, int]:
        """Of one block: outputs of the linear layers of its attention and of its feed-forward layer."""
        w, kv_heads, hidden = shape.width, self.kv_heads or shape.heads, self.hidden_width(shape.width)
        into = 2 * hidden if self.activation == "swiglu" else hidden
        return 2 * w + 2 * (kv_heads * w // shape.heads), into + w if hidden else 0
