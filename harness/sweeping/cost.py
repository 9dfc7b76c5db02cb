"""What a job will take: seconds, from finished runs or from a rough model, and memory, from its sizes.

One step of a job takes

    seconds = overhead + members x FLOPs of a step / speed,

where the overhead (dispatch, data, logging) and the speed belong to a family on a machine. Both are fitted to the runs
that finished in the same results folder; without such runs the numbers of `ROUGH` stand in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.errors import DataError
from harness.ladder import Job
from harness.records.store import load_runs

#: Memory of a worker before it trains anything: Python, torch and a task's data.
WORKER_BYTES = 350e6

#: Parameters, gradient, Adam's two moments and two temporaries, in float32.
BYTES_PER_PARAMETER = 4 * 6

#: Time of a job before its first step: building and tracing the model, making the evaluation set.
SETUP_S = 0.6


@dataclass(frozen=True)
class Speed:
    """Of one step: `overhead_s` for all members together, and a second for every `flops_per_s` FLOPs of all of them."""

    overhead_s: float
    flops_per_s: float

    def seconds(self, job: Job) -> float:
        return SETUP_S + job.own_steps * self.overhead_s + len(job.members) * job.own_flops / self.flops_per_s


#: One core of a recent x86 server, from the quickstart's runs; a wide model is faster, a narrow one slower.
ROUGH = Speed(overhead_s=1e-3, flops_per_s=1.4e10)


@dataclass(frozen=True)
class CostModel:
    """Predicted cost of jobs; `measured` holds the speed of each family that has enough finished runs to fit it."""

    measured: Mapping[str, Speed] = field(default_factory=dict)

    def seconds(self, job: Job) -> float:
        """Wall time of a job on one worker."""
        return self.measured.get(job.settings.family.name, ROUGH).seconds(job)

    def bytes(self, job: Job) -> float:
        """Peak memory of the worker that trains a job, within a factor of two."""
        settings, shape, signature = job.settings, job.rung.shape, job.settings.signature
        # Ten values a position and layer are kept for the backward pass, and four copies of the logits.
        kept = 10 * shape.width * shape.depth + 4 * signature.n_outputs
        activations = 4 * settings.loss.views * settings.ladder.batch_size * signature.positions * kept
        return WORKER_BYTES + len(job.members) * (BYTES_PER_PARAMETER * job.rung.params.total + activations)

    def source(self, family: str) -> str:
        """Where the prediction for a family comes from, in words."""
        return "finished runs" if family in self.measured else "a rough model"


def cost_model(results: Path) -> CostModel:
    """The model fitted to the finished runs of a results folder; the rough one where there are none."""
    try:
        runs = load_runs(results)
    except DataError:
        return CostModel()
    runs = runs[(runs["status"] == "finished") & (runs["tokens_per_s"] > 0) & (runs["wall_s"] > 0)]
    runs = runs[runs["spent_flops"].isna() | (runs["spent_flops"] > 0)]
    measured = {}
    for family, group in runs.groupby("family"):
        # The time of a run that began on the trunk of a shorter one is that of its own steps.
        own = (group["spent_flops"] / group["flops"]).fillna(1.0)
        members = group["tokens_per_s"] * group["wall_s"] / (group["tokens"] * own)
        flops = (members * group["flops"] / group["steps"]).to_numpy()
        seconds = ((group["wall_s"] - SETUP_S) / (group["steps"] * own)).to_numpy()
        if (speed := fit_speed(flops[seconds > 0], seconds[seconds > 0])) is not None:
            measured[str(family)] = speed
    return CostModel(measured)


def fit_speed(flops: np.ndarray, seconds: np.ndarray) -> Speed | None:
    """Fit seconds = overhead + flops / speed by least squares of relative errors, both terms at least 0.

    Args:
        flops, seconds: (n,) of one step of each run, all members of its job together; both above 0.

    Returns:
        None where the runs do not determine a speed: all of one size, or slower when smaller.
    """
    if len(np.unique(flops)) < 2:
        return None
    from scipy.optimize import nnls  # slow to load, and needed where runs have finished alone

    relative = np.stack([1 / seconds, flops / seconds], axis=1)
    (overhead, per_flop), _ = nnls(relative, np.ones(len(seconds)))
    return Speed(float(overhead), 1 / float(per_flop)) if per_flop > 0 else None
