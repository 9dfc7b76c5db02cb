"""Runs on a cluster: over how many GPUs each is spread, what it takes, and how long all of them together."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.cluster.cluster import Cluster
from harness.cluster.memory import RESERVED
from harness.cluster.model import Model
from harness.cluster.sharding import Sharded, best_layout

#: More GPUs are taken for a run as long as its GPU-hours grow by no more than this factor over the cheapest.
MOST_OVER_CHEAPEST = 1.5


@dataclass(frozen=True)
class Run:
    """Equal runs.

    Attributes:
        count: how many.
        steps: of each.
        batch: examples of a step.
        optimizer_bytes: of the optimizer's states, for a trained parameter.
    """

    model: Model
    steps: int
    batch: int
    precision: str
    optimizer_bytes: float = 8.0
    count: int = 1


@dataclass(frozen=True)
class Spent:
    """What all of some equal runs take."""

    gpu_hours: float
    seconds: float
    dollars: float | None
    kwh: float
    utilisation: float


@dataclass(frozen=True)
class Planned:
    """How runs are spread, each over `gpus` GPUs.

    Attributes:
        at_once: how many of them the cluster has room for at a time.
        seconds: of one run.
        spent: by all of them; None where they do not fit.
        lacks: why they do not fit; '' where they do.
    """

    run: Run
    gpus: int
    sharded: Sharded
    at_once: int
    seconds: float
    spent: Spent | None
    lacks: str = ""


def plan_run(run: Run, cluster: Cluster, gpus: int | None = None) -> Planned:
    """Over how many GPUs to spread equal runs so that all are done soonest, and what they take.

    Numbers of GPUs that cost more than `MOST_OVER_CHEAPEST` times the GPU-hours of the cheapest are left out; of those
    that take as long, the fewest are taken.

    Args:
        gpus: of each run; None to choose.
    """
    found = [_on(run, n, sharded, cluster) for n, sharded in _sharded(run, cluster, gpus)]
    fitting = [each for each in found if each.spent is not None]
    if not fitting:
        return min(found, key=lambda each: each.sharded.memory.total)
    cheapest = min(_hours(each) for each in fitting)
    worth = [each for each in fitting if _hours(each) <= MOST_OVER_CHEAPEST * cheapest]
    return min(worth, key=lambda each: (_seconds(each), each.gpus))


def sweep_seconds(planned: Sequence[Planned], cluster: Cluster) -> float:
    """Seconds until the last of all runs has ended, each started as soon as its GPUs are free, the longest first."""
    free = [(0.0, cluster.total)]  # when, how many GPUs; a heap
    last = 0.0
    for each in sorted(planned, key=lambda each: each.seconds, reverse=True):
        left = each.run.count
        while left:
            start, n = 0.0, 0
            while n < each.gpus:
                start, more = heapq.heappop(free)
                n += more
            together = min(left, n // each.gpus)
            left -= together
            if rest := n - together * each.gpus:
                heapq.heappush(free, (start, rest))
            heapq.heappush(free, (start + each.seconds, together * each.gpus))
            last = max(last, start + each.seconds)
    return last


def _sharded(run: Run, cluster: Cluster, gpus: int | None) -> Iterator[tuple[int, Sharded]]:
    for n in _numbers(cluster) if gpus is None else (gpus,):
        sharded = best_layout(run.model, n, run.batch, run.precision, run.optimizer_bytes, cluster)
        if sharded is not None:
            yield n, sharded


def _numbers(cluster: Cluster) -> list[int]:
    """Of GPUs: 1, 2, 4, ... of a node, then 1, 2, 4, ... nodes, and all."""
    inside = {2**i for i in range(cluster.gpus.bit_length()) if 2**i <= cluster.gpus} | {cluster.gpus}
    nodes = {2**i for i in range(cluster.nodes.bit_length()) if 2**i <= cluster.nodes} | {cluster.nodes}
    return sorted(inside | {n * cluster.gpus for n in nodes})


def _on(run: Run, gpus: int, sharded: Sharded, cluster: Cluster) -> Planned:
    at_once = min(run.count, cluster.total // gpus)
    if not sharded.fits:
        has = (1 - RESERVED) * cluster.kind.memory
        lacks = f"needs {sharded.memory.total / 1e9:,.0f} GB of the {has / 1e9:,.0f} GB that a GPU has to give"
        return Planned(run, gpus, sharded, at_once, float("inf"), None, lacks)
    seconds = run.steps * sharded.step.seconds
    gpu_hours = run.count * gpus * seconds / 3600
    of_peak = run.batch * run.model.flops * run.steps / (gpus * seconds * cluster.kind.peak[run.precision])
    dollars = None if cluster.price is None else gpu_hours * cluster.price
    spent = Spent(gpu_hours, -(-run.count // at_once) * seconds, dollars, cluster.kwh(gpu_hours), of_peak)
    return Planned(run, gpus, sharded, at_once, seconds, spent)


def _hours(planned: Planned) -> float:
    assert planned.spent is not None
    return planned.spent.gpu_hours


def _seconds(planned: Planned) -> float:
    assert planned.spent is not None
    return planned.spent.seconds
