"""What a job will take: seconds from runs measured before, or from a rough model; memory from its sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from harness.errors import DataError
from harness.ladder import Job
from harness.records.store import load_runs

#: Of a worker before it trains anything: Python, torch and a task's data.
WORKER_BYTES = 350e6

#: Parameters, gradient, two moments and temporaries, in float32.
BYTES_PER_PARAMETER = 4 * 6


#: Of a job before its first step: building, tracing, the evaluation set.
SETUP_S = 0.6


@dataclass(frozen=True)
class Speed:
    """One step takes `overhead_s` and a second for every `flops_per_s`, all members of the job together."""

    overhead_s: float
    flops_per_s: float

    def seconds(self, job: Job) -> float:
        return SETUP_S + job.steps * self.overhead_s + len(job.members) * job.flops / self.flops_per_s


#: One core of a recent x86 server, from the quickstart's runs; a wide model reaches more, a narrow one less.
ROUGH = Speed(overhead_s=1e-3, flops_per_s=1.4e10)


@dataclass(frozen=True)
class CostModel:
    """Predicted cost of jobs; `measured` holds the families whose speed was fitted to finished runs."""

    measured: Mapping[str, Speed] = field(default_factory=dict)

    def seconds(self, job: Job) -> float:
        """Wall time of a job on one worker."""
        return self.measured.get(job.settings.family.name, ROUGH).seconds(job)

    def bytes(self, job: Job) -> float:
        """Peak memory of the worker that trains a job; right within a factor of two."""
        shape, signature = job.rung.shape, job.settings.task.signature
        # Ten values a position and layer are kept for the backward pass, and four copies of the logits.
        kept = 10 * shape.width * shape.depth + 4 * signature.n_outputs
        activations = 4 * job.settings.ladder.batch_size * signature.context * kept
        return WORKER_BYTES + len(job.members) * (BYTES_PER_PARAMETER * job.rung.params.total + activations)

    def source(self, family: str) -> str:
        """Where the prediction for a family comes from, in words."""
        return "finished runs" if family in self.measured else "a rough model"


def cost_model(results: Path) -> CostModel:
    """The model calibrated by the finished runs that a results folder holds; rough where it holds none."""
    try:
        runs = load_runs(results)
    except DataError:
        return CostModel()
    runs = runs[(runs["status"] == "finished") & (runs["tokens_per_s"] > 0) & (runs["wall_s"] > 0)]
    measured = {}
    for family, group in runs.groupby("family"):
        members = group["tokens_per_s"] * group["wall_s"] / group["tokens"]
        flops = (members * group["flops"] / group["steps"]).to_numpy()
        seconds = ((group["wall_s"] - SETUP_S) / group["steps"]).to_numpy()
        if (speed := fit_speed(flops[seconds > 0], seconds[seconds > 0])) is not None:
            measured[str(family)] = speed
    return CostModel(measured)


def fit_speed(flops: np.ndarray, seconds: np.ndarray) -> Speed | None:
    """Least relative squares of seconds a step = overhead + flops / speed; None where that is not to be had.

    Args:
        flops, seconds: (n,) of one step of each run, its job's members together; both above 0.
    """
    if len(np.unique(flops)) < 2:
        return None
    relative = np.stack([1 / seconds, flops / seconds], axis=1)
    (overhead, per_flop), _ = nnls(relative, np.ones(len(seconds)))
    return Speed(float(overhead), 1 / float(per_flop)) if per_flop > 0 else None
