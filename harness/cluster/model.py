"""A model in the few numbers that its training costs follow from."""

from __future__ import annotations

from dataclasses import dataclass, replace

#: Operations that a step starts for one block, forward, backward and in the optimizer: of a transformer, and of a layer
#: of any other family. With `step.KERNEL_S` they give the steps a second that `experiments/gpu_check` saw on an H200.
TRANSFORMER_KERNELS, LAYER_KERNELS = 160, 40


@dataclass(frozen=True)
class Model:
    """What training one example takes of a model of `blocks` equal blocks.

    Attributes:
        parameters: in all.
        trained: those that training changes.
        flops: of one example's forward and backward pass.
        blocks: that can be recomputed, gathered or put on a node of their own.
        kept: numbers that the blocks keep of one example for the backward pass.
        between: numbers of one example that go from one block to the next.
        answers: logits of one example.
        splits: among how many GPUs a product can be split at most: 1, or the heads.
        kernels: operations that a step starts for a block.
    """

    parameters: int
    trained: int
    flops: float
    blocks: int
    kept: float
    between: float
    answers: float
    splits: int = 1
    kernels: int = LAYER_KERNELS

    def side_by_side(self, members: int) -> Model:
        """So many models of the same shape in one process: all of it as often, but for operations, which they share."""
        return replace(
            self,
            parameters=members * self.parameters,
            trained=members * self.trained,
            flops=members * self.flops,
            kept=members * self.kept,
            between=members * self.between,
            answers=members * self.answers,
        )


def transformer(
    *,
    layers: int,
    width: int,
    hidden: int,
    heads: int,
    vocabulary: int,
    positions: int,
    kv_heads: int | None = None,
    gated: bool = False,
    tied: bool = False,
    parameters: int | None = None,
    trained: int | None = None,
    flops: float | None = None,
    answer_positions: int | None = None,
    also_kept: float = 0.0,
) -> Model:
    """A decoder-only transformer, with attention by a fused kernel that keeps no scores.

    Parameters and FLOPs are by the formulas of `harness plan` where they are not given: 2 FLOPs for a multiply-add, a
    backward pass twice the forward pass, scores counted in full though causal (Kaplan et al. 2020, table 1; Chowdhery
    et al. 2022, appendix B). What is kept of a token in a block, in numbers, is Korthikanti et al. 2022, equation 1,
    without the scores and without dropout's masks: two norms, the inputs of the products, queries, keys and values,
    and the feed-forward layer before and after its activation; 16 widths for hidden = 4 width, theirs.

    Args:
        hidden: width of the feed-forward layer, 0 where there is none.
        kv_heads: heads of keys and values; as many as `heads` where it is not given.
        gated: whether the feed-forward layer is a product of two, as SwiGLU is.
        tied: whether the embedding is the readout too.
        answer_positions: those that have logits; all where it is not given.
        also_kept: numbers of a token in a block beside these, as of norms and rotary positions that are not fused.
    """
    shared = width * (kv_heads or heads) // heads
    attention, feed_forward = 2 * width * width + 2 * width * shared, (3 if gated else 2) * width * hidden
    answered = answer_positions or positions
    if parameters is None:
        parameters = layers * (attention + feed_forward) + (1 if tied else 2) * vocabulary * width
    if flops is None:
        block = attention + feed_forward + 2 * positions * width
        flops = 6.0 * (positions * layers * block + answered * width * vocabulary)
    of_attention = 2 * width + width + 2 * shared + width  # norm and input of the products, q, k, v, output
    of_feed_forward = (2 * width + (4 if gated else 2) * hidden) if hidden else 0
    return Model(
        parameters=parameters,
        trained=parameters if trained is None else trained,
        flops=flops,
        blocks=layers,
        kept=float(layers) * positions * (of_attention + of_feed_forward + also_kept),
        between=float(positions) * width,
        answers=float(answered) * vocabulary,
        splits=heads,
        kernels=TRANSFORMER_KERNELS,
    )
