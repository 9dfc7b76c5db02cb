"""From inputs to the vectors of a transformer's positions: a table for tokens, an encoder for each kind of features.

Frames are sequences of features alone. In mixed inputs (B, T, 1 + F) each position says in its first channel what it
is: a token's number, or -1 - k for features of the kind k, which then stand in the channels after it, padded with zeros
to F, those of the widest kind. All kinds may follow one another in any order, and the shape never changes.

    x_t = table[token]            a token                     weights: vocabulary W
    x_t = A_k f_t                 encoder=linear              F_k W
    x_t = C_k gelu(A_k f_t)       encoder=mlp                 F_k W + W^2

A mixed input passes through the encoder of each kind at every position, and what is of another kind is zeroed: that is
what the FLOPs count, for it is what is computed. Every encoder begins with outputs of the size of embedded tokens where
features are standardised.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from harness.families.parametrization import Role
from harness.tasks.base import Signature

#: Kinds of encoders of features.
ENCODERS = ("linear", "mlp")


class TwoLayers(nn.Module):
    """Features (..., F) -> (..., width): a linear layer, GELU, a linear layer; no biases."""

    def __init__(self, n_features: int, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(n_features, width, bias=False)
        self.down = nn.Linear(width, width, bias=False)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.down(F.gelu(self.up(features)))


class MixedEmbedding(nn.Module):
    """Mixed inputs (B, T, 1 + F) -> (B, T, width), each position by what it is."""

    def __init__(self, signature: Signature, width: int, kind: str) -> None:
        super().__init__()
        self.tokens = nn.Embedding(signature.vocab_size or 0, width)
        self.encoders = nn.ModuleDict({name: _encoder(n, width, kind) for name, n in signature.feature_kinds})
        self.n_features = [n for _, n in signature.feature_kinds]

    @property
    def weight(self) -> torch.Tensor:
        """The table of tokens, which a tied readout shares."""
        return self.tokens.weight

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        which, features = inputs[..., :1], inputs[..., 1:]
        x = self.tokens(which.squeeze(-1).clamp(min=0).long()) * (which >= 0)
        for k, (encoder, n) in enumerate(zip(self.encoders.values(), self.n_features, strict=True)):
            x = x + encoder(features[..., :n]) * (which == -1 - k)
        return x


def embedding(signature: Signature, width: int, kind: str) -> nn.Module:
    """What embeds tokens (B, T), frames (B, T, F) or mixed inputs (B, T, 1 + F) as (B, T, width)."""
    if signature.kind == "mixed":
        return MixedEmbedding(signature, width, kind)
    if signature.kind == "frames":
        (n_features,) = _widths(signature)
        return _encoder(n_features, width, kind)
    return nn.Embedding(signature.vocab_size or 0, width)


def embedding_weights(signature: Signature, width: int, kind: str) -> int:
    """Parameters of `embedding`."""
    return width * (signature.vocab_size or 0) + sum(_products(n, width, kind) for n in _widths(signature))


def embedding_flops(signature: Signature, width: int, kind: str) -> float:
    """Of one example's forward pass; tokens are looked up."""
    return 2.0 * signature.positions * sum(_products(n, width, kind) for n in _widths(signature))


def flops_without_gradient(signature: Signature, width: int) -> float:
    """Of one example: the products that a backward pass spares, since features need no gradient."""
    return 2.0 * signature.positions * width * sum(_widths(signature))


def embedding_roles(module: nn.Module, std: float) -> dict[str, Role]:
    """The roles of an `embedding`'s parameters, by their names in it.

    Args:
        std: of each embedded feature at the start, where inputs are standardised.
    """
    roles = {}
    for name, inner in module.named_modules():
        prefix = f"{name}." if name else ""
        if isinstance(inner, nn.Embedding):
            roles[f"{prefix}weight"] = Role("embedding", "input", std, decays=False)
        elif isinstance(inner, TwoLayers):
            # Inputs of unit size give unit sums, of which GELU leaves about half the square.
            roles[f"{prefix}up.weight"] = Role("embedding", "input", 1 / math.sqrt(inner.up.in_features))
            roles[f"{prefix}down.weight"] = Role("embedding", "hidden", std * math.sqrt(2 / inner.down.in_features))
        elif isinstance(inner, nn.Linear) and f"{prefix}weight" not in roles:
            roles[f"{prefix}weight"] = Role("embedding", "input", std / math.sqrt(inner.in_features))
    return roles


def _encoder(n_features: int, width: int, kind: str) -> nn.Module:
    return TwoLayers(n_features, width) if kind == "mlp" else nn.Linear(n_features, width, bias=False)


def _products(n_features: int, width: int, kind: str) -> int:
    """Weights of an encoder, each multiplied once at a position."""
    return n_features * width + (width * width if kind == "mlp" else 0)


def _widths(signature: Signature) -> list[int]:
    """Features of each kind; [] for tokens alone."""
    if signature.kind == "frames" and signature.feature_shape:
        return [signature.feature_shape[1]]
    return [n for _, n in signature.feature_kinds]
