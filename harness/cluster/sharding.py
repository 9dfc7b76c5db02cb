"""Which way of spreading a run over so many GPUs is the fastest that fits, the simplest of those that are as fast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.cluster.cluster import Cluster
from harness.cluster.layout import SHARDINGS, Layout
from harness.cluster.memory import Memory, memory_of
from harness.cluster.model import Model
from harness.cluster.step import Step, step_of

#: A simpler layout is taken that is slower by no more than this.
AS_FAST = 0.05
#: A pipeline, which asks most of the code that trains, is taken only where all else takes longer by more than this.
PIPELINE_PAYS = 0.2


@dataclass(frozen=True)
class Sharded:
    """A run on so many GPUs.

    Attributes:
        layout: the one that is taken.
        memory: of one GPU.
        step: of all.
        fits: whether the memory is there; where it is not, the layout is the one that wants least.
    """

    layout: Layout
    memory: Memory
    step: Step
    fits: bool


def best_layout(
    model: Model, gpus: int, batch: int, precision: str, optimizer_bytes: float, cluster: Cluster
) -> Sharded | None:
    """How to spread a run over `gpus` GPUs of a cluster; None where its batch has too few examples for so many.

    Of the layouts that fit the fastest is taken, or one that is simpler and as fast within `AS_FAST`: everything on
    each GPU before ZeRO-1 before ZeRO-3, and without tensor parallelism and recomputation before with them. A pipeline
    is taken where nothing fits without one, or all that does is slower by more than `PIPELINE_PAYS`.

    Args:
        batch: examples of a step.
        optimizer_bytes: of the optimizer's states, for a trained parameter.
    """
    least: Sharded | None = None
    found = list[Sharded]()
    for layout in _layouts(model, gpus, batch, cluster):
        memory = memory_of(model, layout, batch, precision, optimizer_bytes)
        fits = memory.fits(cluster.kind.memory)
        made = Sharded(layout, memory, step_of(model, layout, batch, precision, cluster), fits)
        if fits:
            found.append(made)
        elif least is None or memory.total < least.memory.total:
            least = made
    if not found:
        return least
    plain = [each for each in found if each.layout.pipeline == 1]
    if plain and _fastest(plain) <= (1 + PIPELINE_PAYS) * _fastest(found):
        found = plain
    fastest = _fastest(found)
    fast = [each for each in found if each.step.seconds <= (1 + AS_FAST) * fastest]
    return min(fast, key=lambda each: (*_effort(each.layout), each.step.seconds))


def _fastest(found: Sequence[Sharded]) -> float:
    return min(each.step.seconds for each in found)


def _effort(layout: Layout) -> tuple[int, ...]:
    return (layout.tensor > 1, SHARDINGS.index(layout.sharding), layout.recompute)


def _stages(model: Model, gpus: int, cluster: Cluster) -> Iterator[int]:
    """Numbers of pipeline stages, each on nodes of its own."""
    nodes = gpus // cluster.gpus
    return (stages for stages in range(1, min(max(1, nodes), model.blocks) + 1) if stages == 1 or nodes % stages == 0)


def _layouts(model: Model, gpus: int, batch: int, cluster: Cluster) -> Iterator[Layout]:
    for stages in _stages(model, gpus, cluster):
        for tensor in _halvings(min(gpus, cluster.gpus)):
            data = gpus // (tensor * stages)
            if data * tensor * stages != gpus or model.splits % tensor or data > batch:
                continue
            for sharding in SHARDINGS if data > 1 else SHARDINGS[:1]:
                for micro_batch in _doublings(-(-batch // data)):
                    for recompute in (False, True):
                        yield Layout(data, tensor, stages, sharding, micro_batch, recompute)


def _doublings(most: int) -> Iterator[int]:
    """1, 2, 4, ... and the last, most, itself."""
    n = 1
    while n < most:
        yield n
        n *= 2
    yield most


def _halvings(most: int) -> Iterator[int]:
    return (n for n in range(1, most + 1) if most % n == 0)
