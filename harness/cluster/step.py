"""How long a step takes: a roofline of products and of memory, and what communication cannot be hidden behind it.

A micro-batch takes, on each GPU, the time of its products (their FLOPs over the share of the peak that large products
reach, or reading their weights where that takes longer; Williams et al. 2009), and of moving activations between the
memory and the processor, for norms, activations and residuals are bound by that (Ivanov et al. 2021, section 4); or
the time of starting its kernels where they are too small to cover it. Small widths have as much to move for less to
multiply, and small batches as many kernels and weights for fewer examples: so utilisation falls with both.

Communication (Thakur et al. 2005; Rajbhandari et al. 2020, section 7; Shoeybi et al. 2019, section 3): gathering M
bytes among n GPUs, or summing and scattering them, moves M (n - 1) / n bytes into each of them; over nodes, what a node
needs of all its groups comes in by its network. Data parallel groups sum gradients once a step, behind the last
backward pass; ZeRO-3 gathers parameters for each pass of each micro-batch and scatters gradients, behind its products;
tensor parallel groups sum activations four times a block, six with recomputation, and wait for it. A pipeline of p
stages, each with v groups of blocks, and m micro-batches idles (p - 1) / (v m) of its time, and hands each micro-batch
on v times (Narayanan et al. 2021, section 2.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.cluster.cluster import Cluster
from harness.cluster.layout import Layout
from harness.cluster.memory import FULL, number_bytes
from harness.cluster.model import Model

#: Of data sheets' speeds of memories and networks, what programs reach: STREAM and NCCL's tests show 75 to 90 %.
SPEED_SHARE = 0.8
#: Reads and writes of every number that is kept: an elementwise operation reads and writes one forward, reads two and
#: writes one backward; of what a block keeps about three in five are of such operations, the others of products.
MOVED = 3.0
#: Seconds to start an operation from Python, one after the other: two layers of 40 then take the 1.6 ms, and two blocks
#: of 160 the 6.4 ms, that steps of small models took on an H200 whatever their width (`experiments/gpu_check`).
KERNEL_S = 2e-5
#: Seconds that a message takes besides its bytes, for each doubling of those who take part.
MESSAGE_S = 1e-5
#: Bytes that updating a parameter reads and writes: weights, gradient and Adam's two states, each once and, but for
#: the gradient, back.
UPDATE_BYTES = 28.0
#: Products of a run, over its hours, reach this share of what the best of large products reach: the rest goes to
#: smaller ones, kernels that were not fused, stragglers, restarts, evaluations and checkpoints. Chosen on every second
#: by size of the published runs of `experiments/cluster_plan`.
SHARE_IN_TRAINING = 0.45


@dataclass(frozen=True)
class Step:
    """Seconds of one optimizer step, as formulas have it.

    Attributes:
        compute_s: products, memory and kernels of all micro-batches of a GPU.
        exposed_s: communication that products do not hide.
        idle_s: of a pipeline that fills and empties.
        update_s: of the optimizer.
    """

    compute_s: float
    exposed_s: float
    idle_s: float
    update_s: float

    @property
    def seconds(self) -> float:
        return self.compute_s + self.exposed_s + self.idle_s + self.update_s


def step_of(model: Model, layout: Layout, batch: int, precision: str, cluster: Cluster) -> Step:
    """How long a step of a layout takes.

    Args:
        batch: examples of a step.
    """
    n, stages = layout.micro_batches(batch), layout.pipeline
    micro_s = _micro_batch_s(model, layout, precision, cluster)
    micro_exposed_s = _tensor_s(model, layout, precision, cluster) + _hand_on_s(model, layout, precision, cluster)
    part = layout.stage_share(model.blocks) / layout.tensor
    weights, trained = number_bytes(precision) * model.parameters * part, model.trained * part
    exposed_s = 0.0
    if layout.sharding == "zero3":
        # Forward, backward, and the gradients of what is trained.
        passes = 2 + model.trained / model.parameters
        messages = passes * model.blocks * part * layout.tensor
        gathering_s = passes * _gather_s(weights, layout, cluster) + messages * _latency_s(layout.data)
        micro_exposed_s += max(0.0, gathering_s - micro_s)
    elif layout.data > 1:
        summing_s = 2 * _gather_s(FULL * trained, layout, cluster) + 2 * _latency_s(layout.data)
        exposed_s = max(0.0, summing_s - micro_s * 2 / 3)
    sharers = layout.data if layout.sharding != "none" else 1
    update_s = UPDATE_BYTES * trained / sharers / (SPEED_SHARE * cluster.kind.memory_speed)
    idle_s = (stages - 1) / layout.interleaved(model.blocks) * (micro_s + micro_exposed_s)
    return Step(n * micro_s, n * micro_exposed_s + exposed_s, idle_s, update_s)


def _micro_batch_s(model: Model, layout: Layout, precision: str, cluster: Cluster) -> float:
    """Forward and backward pass of a micro-batch on one GPU."""
    kind, size, stage = cluster.kind, number_bytes(precision), layout.stage_share(model.blocks)
    memory_speed, again = SPEED_SHARE * kind.memory_speed, 4 / 3 if layout.recompute else 1.0
    examples = layout.micro_batch * stage / layout.tensor
    products_s = again * examples * model.flops / (SHARE_IN_TRAINING * kind.product_share * kind.peak[precision])
    weights_s = (2 + again) * size * model.parameters * stage / layout.tensor / memory_speed
    moved = again * model.kept * size + model.answers * (size + 2 * FULL)
    moving_s = MOVED * examples * moved / memory_speed
    kernels_s = again * KERNEL_S * model.kernels * model.blocks * stage
    return max(max(products_s, weights_s) + moving_s, kernels_s)


def _tensor_s(model: Model, layout: Layout, precision: str, cluster: Cluster) -> float:
    """What a micro-batch waits for sums over the GPUs that share its products."""
    if layout.tensor == 1:
        return 0.0
    sums = (6 if layout.recompute else 4) * model.blocks * layout.stage_share(model.blocks)
    numbers = layout.micro_batch * model.between * number_bytes(precision)
    share = (layout.tensor - 1) / layout.tensor
    return sums * (2 * share * numbers / (SPEED_SHARE * cluster.kind.link) + _latency_s(layout.tensor))


def _hand_on_s(model: Model, layout: Layout, precision: str, cluster: Cluster) -> float:
    """What a micro-batch waits for on its way from stage to stage, forward and backward, through each GPU's network."""
    if layout.pipeline == 1:
        return 0.0
    sent = layout.micro_batch * model.between * number_bytes(precision) / layout.tensor
    times = 2 * layout.interleaved(model.blocks)
    return times * (sent / (SPEED_SHARE * cluster.network / cluster.gpus) + MESSAGE_S)


def _gather_s(received: float, layout: Layout, cluster: Cluster) -> float:
    """Seconds until every GPU has `received` bytes, of which each one of its data-parallel group had its part."""
    inside = max(1, min(layout.data, cluster.gpus // layout.tensor))  # of a group, in one node
    nodes = math.ceil(layout.data / inside)
    link_s = received * (inside - 1) / inside / (SPEED_SHARE * cluster.kind.link)
    # A node's groups, one for each part of the products, share its network.
    network_s = layout.tensor * received * (nodes - 1) / nodes / (SPEED_SHARE * cluster.network)
    return max(link_s, network_s)


def _latency_s(ranks: int) -> float:
    return MESSAGE_S * math.log2(ranks) if ranks > 1 else 0.0
