"""A family that vmap cannot run over members: torch has no batching rule for recurrent layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from harness.families.base import Family, ParameterCount, Shape
from harness.families.parametrization import Role
from harness.settings import ParametrizationSettings
from harness.tasks.base import Signature


class RecurrentModel(nn.Module):
    """Tokens (B, T) -> logits (B, T, n_outputs)."""

    def __init__(self, width: int, depth: int, signature: Signature) -> None:
        super().__init__()
        self.embedding = nn.Embedding(signature.vocab_size or 0, width)
        self.gru = nn.GRU(width, width, depth, batch_first=True)
        self.head = nn.Linear(width, signature.n_outputs, bias=False)

    def forward(self, tokens_BT: torch.Tensor) -> torch.Tensor:
        return self.head(self.gru(self.embedding(tokens_BT))[0])

    def roles(self) -> dict[str, Role]:
        return {
            "embedding.weight": Role("embedding", "input", 1.0, decays=False),
            **{f"gru.{name}": Role("mlp", "hidden", 0.2) for name, _ in self.gru.named_parameters()},
            "head.weight": Role("head", "output", 0.0),
        }


@dataclass
class Recurrent(Family):
    name = "recurrent"

    def build(self, shape: Shape, signature: Signature, parametrization: ParametrizationSettings) -> RecurrentModel:
        return RecurrentModel(shape.width, shape.depth, signature)

    def count(self, shape: Shape, signature: Signature) -> ParameterCount:
        w = shape.width
        return ParameterCount(
            embedding=w * (signature.vocab_size or 0), mlp=shape.depth * 6 * (w + 1) * w, head=w * signature.n_outputs
        )

    def forward_flops(self, shape: Shape, signature: Signature) -> float:
        w = shape.width
        return 2.0 * signature.context * (shape.depth * 6 * w * w + w * signature.n_outputs)

    def training_flops(self, shape: Shape, signature: Signature) -> float:
        return 3 * self.forward_flops(shape, signature)
