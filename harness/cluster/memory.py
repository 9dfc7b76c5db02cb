"""What training keeps in a GPU's memory, by formula.

Bytes of a parameter (Rajbhandari et al. 2020, section 3.1, with gradients summed in float32 as Megatron and FSDP do):
weights 4, gradient 4, the optimizer's states (8 of Adam), and in a precision of 2 bytes a copy of the weights to
multiply with, 2. ZeRO-1 shares the optimizer's states among a data-parallel group, and with 2 bytes the float32 weights
too; ZeRO-3 shares all, and gathers a block at a time.

Activations: what `Model.kept` counts, times the bytes of a number (Korthikanti et al. 2022, equation 1), over the GPUs
that share the products (section 4.2.2); the first stage of a pipeline of p holds p micro-batches, and (p - 1) / v more
with v groups of blocks a stage (section 4.2.3). Where they are recomputed, only what goes from block to block stays,
and one block in whole. Logits are kept once in the precision, and in the loss in float32 with their gradient (section
4.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.cluster.layout import Layout
from harness.cluster.model import Model

#: Of a GPU's memory, for the driver's context, buffers of communication and fragments.
RESERVED = 0.1
#: Bytes of a float32 number.
FULL = 4
#: Blocks whose parameters are gathered at a time: the one at work, and the next.
GATHERED_BLOCKS = 2


def number_bytes(precision: str) -> int:
    """Bytes of a number that products take."""
    return 2 if precision in ("float16", "bfloat16") else FULL


@dataclass(frozen=True)
class Memory:
    """Bytes of one GPU.

    Attributes:
        states: weights, gradients, the optimizer's states.
        gathered: parameters of the blocks at work, where they are sharded.
        activations: kept for the backward pass.
        logits: with their gradient.
    """

    states: float
    gathered: float
    activations: float
    logits: float

    @property
    def total(self) -> float:
        return self.states + self.gathered + self.activations + self.logits

    def fits(self, memory: int) -> bool:
        """Whether it is less than what a GPU of so many bytes has to give."""
        return self.total <= (1 - RESERVED) * memory


def memory_of(model: Model, layout: Layout, batch: int, precision: str, optimizer_bytes: float) -> Memory:
    """What one GPU of a layout holds at most.

    Args:
        batch: examples of a step.
        optimizer_bytes: of the optimizer's states, for a trained parameter.
    """
    size, part = number_bytes(precision), layout.stage_share(model.blocks) / layout.tensor
    parameters, trained = model.parameters * part, model.trained * part
    copy = size if size < FULL else 0
    weights, updated, gathered = FULL * parameters, optimizer_bytes * trained, 0.0
    if layout.sharding == "zero3":
        states = (weights + FULL * trained + updated) / layout.data
        gathered = size * model.parameters / layout.tensor * min(1.0, GATHERED_BLOCKS / model.blocks)
    elif layout.sharding == "zero1" and copy:
        states = copy * parameters + FULL * trained + (weights + updated) / layout.data
    else:
        shards = layout.data if layout.sharding == "zero1" else 1
        states = weights + copy * parameters + FULL * trained + updated / shards

    stages, groups, stage = layout.pipeline, layout.interleaved(model.blocks), layout.stage_share(model.blocks)
    held = stage * min(layout.micro_batches(batch), stages + (stages - 1) / groups)
    examples = layout.micro_batch / layout.tensor
    recomputed = held * model.blocks * model.between + model.kept / model.blocks
    kept = recomputed if layout.recompute else held * model.kept
    logits = examples * model.answers * (size + 2 * FULL)
    return Memory(states, gathered, examples * kept * size, logits)
