"""Ladders of 10,000 jobs with what they take and what was predicted, and the plans by which they are taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from simulator import Cluster, Plan

from harness.config import compose
from harness.ladder import Job
from harness.sweeping.packing import pack
from harness.sweeping.plan import cells
from harness.sweeping.trunks import in_order

#: Ten sizes, whose parameters double from one to the next, times five durations or budgets that double.
LADDERS = {
    "grid": "ladder.steps=[100,200,400,800,1600]",
    "isoflop": "ladder.flops=[1e12,2e12,4e12,8e12,16e12]",
}
LONGEST_S = 6 * 3600.0

#: Rules by which all tasks share one list.
RULES = ("longest first", "as given", "shortest first", "random")


@dataclass(frozen=True)
class Workload:
    """Jobs, what each takes on a worker in truth, and what was predicted, in seconds."""

    jobs: Sequence[Job]
    work_s: np.ndarray
    predicted_s: np.ndarray

    def bound_s(self, workers: int) -> float:
        """No schedule ends before: the work over the workers, or the longest job."""
        return max(math.fsum(self.work_s) / workers, float(self.work_s.max()))

    @cached_property
    def number(self) -> dict[str, int]:
        """The place of each job among all, by its run."""
        return {job.members[0].run_id: place for place, job in enumerate(self.jobs)}

    def predicted(self, job: Job) -> float:
        return float(self.predicted_s[self.number[job.members[0].run_id]])


def jobs_of(ladder: str, seeds: int) -> list[Job]:
    """The jobs of a ladder of bytes, a job for each of `seeds` x 4 members of a cell, smallest sizes first."""
    overrides = ["family=transformer", "task=text", "name=scale_simulation", "ladder.widths=null", "ladder.count=10"]
    overrides += ["ladder.first_width=32", "ladder.width_step=1.4142", LADDERS[ladder], f"seeds={seeds}"]
    (study,) = compose(*overrides, "optimizer.lr=[0.001,0.002,0.004,0.008]")
    return [replace(cell, members=(member,)) for cell in cells(study) for member in cell.members]


def workload(jobs: Sequence[Job], sigma: float, seed: int, jitter: float = 0.05) -> Workload:
    """Jobs take time in proportion to their FLOPs; predictions are wrong by a lognormal factor.

    Args:
        sigma: of the logarithm of predicted over true.
        jitter: of the logarithm of true seconds about the proportion, as of runs of one cell.
    """
    rng = np.random.default_rng(seed)
    flops = np.array([job.flops for job in jobs])
    work = flops / flops.max() * LONGEST_S * np.exp(jitter * rng.standard_normal(len(jobs)))
    return Workload(jobs, work, work * np.exp(sigma * rng.standard_normal(len(jobs))))


def shared(load: Workload, cluster: Cluster, rule: str = "longest first", seed: int = 0, **changes: Any) -> Plan:
    """One task a node, and one list for all, in the order of a rule."""
    return Plan([()] * cluster.nodes, ordered(load, rule, seed), **changes)


def ordered(load: Workload, rule: str, seed: int = 0) -> list[int]:
    """Numbers of jobs in the order of one of `RULES`."""
    if rule == "as given":
        return list(range(len(load.jobs)))
    if rule == "random":
        return np.random.default_rng(seed).permutation(len(load.jobs)).tolist()
    order = [load.number[job.members[0].run_id] for job in in_order(load.jobs, load.predicted)]
    return order if rule == "longest first" else order[::-1]


def packed(load: Workload, cluster: Cluster, walltime_s: float, shares: bool, **changes: Any) -> Plan:
    """Array tasks by `harness.sweeping.packing`, which take each other's jobs or do not."""
    tasks = pack(
        load.jobs,
        load.predicted,
        walltime_s,
        at_once=cluster.nodes,
        slots=cluster.slots,
        start_s=cluster.start_s,
    )
    own = [[load.number[job.members[0].run_id] for job in task] for task in tasks]
    return Plan(own, ordered(load, "longest first") if shares else None, walltime_s, **changes)


def a_task_a_job(load: Workload, walltime_s: float, **changes: Any) -> Plan:
    """As many tasks as jobs, the longest predicted submitted first."""
    return Plan([[job] for job in ordered(load, "longest first")], None, walltime_s, **changes)
