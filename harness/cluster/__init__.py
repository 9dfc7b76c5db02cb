"""What training takes on a cluster that is not at hand: memory, time, energy, and how a run is spread over its GPUs.

Plain numbers in (layers, width, batch, FLOPs, a kind of GPU), plain numbers out; nothing here knows of settings, torch
or tables of runs. The manual's page on clusters has every formula with its source, and `experiments/cluster_plan` holds
what it predicts against published training runs.
"""

from harness.cluster.cluster import Cluster, read_cluster
from harness.cluster.kinds import KINDS, Kind
from harness.cluster.layout import Layout
from harness.cluster.memory import Memory, memory_of
from harness.cluster.model import Model, transformer
from harness.cluster.runs import Planned, Run, Spent, plan_run, sweep_seconds
from harness.cluster.sharding import Sharded, best_layout
from harness.cluster.step import Step, step_of

__all__ = [
    "KINDS",
    "Cluster",
    "Kind",
    "Layout",
    "Memory",
    "Model",
    "Planned",
    "Run",
    "Sharded",
    "Spent",
    "Step",
    "best_layout",
    "memory_of",
    "plan_run",
    "read_cluster",
    "step_of",
    "sweep_seconds",
    "transformer",
]
