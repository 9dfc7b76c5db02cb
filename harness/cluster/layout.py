"""How one run is spread over GPUs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

#: Of a pipeline, groups of blocks that each stage has, so that it fills and empties faster (Narayanan et al. 2021,
#: section 2.2); three, as in the runs of 175 and 530 billion parameters of Korthikanti et al. 2022, section 6.
INTERLEAVED = 3
#: What the GPUs of a data-parallel group share out: nothing; the optimizer's states; these, gradients and parameters.
Sharding = Literal["none", "zero1", "zero3"]
SHARDINGS: tuple[Sharding, ...] = ("none", "zero1", "zero3")
_WORDS = {"none": "DP", "zero1": "ZeRO-1", "zero3": "FSDP"}


@dataclass(frozen=True)
class Layout:
    """How one run is spread over GPUs.

    Attributes:
        data: groups of GPUs that train on different examples (data parallel).
        tensor: GPUs of a node that share every product (Shoeybi et al. 2019), activations between them split along the
            sequence (Korthikanti et al. 2022, section 4.2.2).
        pipeline: stages of consecutive blocks on different nodes (Narayanan et al. 2021).
        sharding: what a data-parallel group shares out (Rajbhandari et al. 2020).
        micro_batch: examples that a group works on at a time.
        recompute: whether the activations inside a block are computed again in the backward pass (Chen et al. 2016).
    """

    data: int = 1
    tensor: int = 1
    pipeline: int = 1
    sharding: Sharding = "none"
    micro_batch: int = 1
    recompute: bool = False

    @property
    def gpus(self) -> int:
        return self.data * self.tensor * self.pipeline

    def micro_batches(self, batch: int) -> int:
        """How many a group works on in a step."""
        return -(-batch // (self.data * self.micro_batch))

    def stage_share(self, blocks: int) -> float:
        """Share of a model's blocks that the largest stage of a pipeline has."""
        return math.ceil(blocks / self.pipeline) / blocks

    def interleaved(self, blocks: int) -> int:
        """Groups of blocks of a stage."""
        return max(1, min(INTERLEAVED, blocks // self.pipeline)) if self.pipeline > 1 else 1

    @property
    def words(self) -> str:
        """In the field's letters: FSDP 64 x TP 8 x PP 2, for data, tensor and pipeline parallel; - for one GPU."""
        parts = []
        if self.data > 1:
            parts.append(f"{_WORDS[self.sharding]} {self.data:,}")
        parts += [f"TP {self.tensor}"] if self.tensor > 1 else []
        parts += [f"PP {self.pipeline}"] if self.pipeline > 1 else []
        return " x ".join(parts) or "-"
