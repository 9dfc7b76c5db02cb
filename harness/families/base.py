"""What a family is: one architecture at any size, with its parameters and FLOPs by formula."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.ranges import Checked
from harness.tasks.base import InputKind, Signature

if TYPE_CHECKING:
    from torch import nn

    from harness.settings import ParametrizationSettings


@dataclass(frozen=True)
class Shape:
    """One size: features per layer, number of blocks or hidden layers, attention heads (0: none)."""

    width: int
    depth: int
    heads: int = 0


#: The group that a parameter is counted in.
Group = Literal["embedding", "attention", "mlp", "norm", "head"]


@dataclass(frozen=True)
class ParameterCount:
    """Parameters by group; `total` and `non_embedding` (total less embedding and head) follow."""

    embedding: int = 0
    attention: int = 0
    mlp: int = 0
    norm: int = 0
    head: int = 0

    @property
    def total(self) -> int:
        return self.embedding + self.attention + self.mlp + self.norm + self.head

    @property
    def non_embedding(self) -> int:
        return self.attention + self.mlp + self.norm


class Family(Checked, ABC):
    """A dataclass of settings that builds models of any size.

    Fields made by `harness.ranges.setting` refuse values out of their ranges, and `harness settings` explains them.
    """

    settings_group = "family"

    @property
    @abstractmethod
    def name(self) -> str:
        """As it appears in the tables."""

    @abstractmethod
    def build(self, shape: Shape, signature: Signature, parametrization: ParametrizationSettings) -> nn.Module:
        """A model of this shape on CPU: inputs (B, T) or (B, *feature_shape) -> logits (B, S, n_outputs).

        Its method `roles()` gives every parameter's `Role`, by which `parametrization.initialise` sets the values.
        """

    @abstractmethod
    def count(self, shape: Shape, signature: Signature) -> ParameterCount:
        """Parameters by formula; equal to the built model's `numel`."""

    @abstractmethod
    def forward_flops(self, shape: Shape, signature: Signature) -> float:
        """FLOPs of one example's forward pass: 2 for each multiply-add of a matrix product or convolution."""

    @abstractmethod
    def training_flops(self, shape: Shape, signature: Signature) -> float:
        """FLOPs of one example's forward and backward pass."""

    def kept_for_backward(self, shape: Shape, signature: Signature) -> float:
        """Numbers that one example's forward pass keeps for the backward pass, about: `harness plan --cluster` asks.

        By default as of dense layers of this width, of which each keeps what comes out, and what comes out of its
        activation.
        """
        return self.forward_flops(shape, signature) / shape.width

    @property
    def together_flops(self) -> float:
        """FLOPs of a step, all members together, up to which training side by side is faster on a CPU."""
        return math.inf

    @property
    def counted_by_torch(self) -> bool:
        """Whether torch's counter sees every product of the model; where one is hidden in a kernel of your own, no."""
        return True

    @property
    def mlp_holds(self) -> str:
        """What the group "mlp" of its parameters is, in the words of `harness plan`."""
        return "mlp"

    @property
    def uses_heads(self) -> bool:
        """Whether `Shape.heads` means something for this family."""
        return False

    @property
    def has_residual_branches(self) -> bool:
        """Whether its models scale residual branches by `parametrization.branch_scale`, as depth rules ask."""
        return False

    @property
    def fixed_depth(self) -> int | None:
        """The depth of every size, where the family's own settings list its layers; None where the ladder gives it."""
        return None

    @property
    def free_in_children(self) -> tuple[str, ...]:
        """Settings that a model may have otherwise than the one whose parameters it starts from."""
        return ("dropout",)

    @property
    def reads(self) -> tuple[InputKind, ...]:
        """What its models take as inputs; () for a family that does not say, and is tried with any task."""
        return ()

    @property
    def any_length(self) -> bool:
        """Whether its models read sequences longer than those that they are built for, as `shifts` may ask."""
        return False

    def check(self, shape: Shape, signature: Signature) -> None:
        """Raise SettingError where this shape cannot be built for this task."""

    def width_multiple(self, heads: int) -> int:
        """Widths of geometric ladders are rounded to a multiple of this."""
        return 1
