"""What a job will take: seconds and memory, by trials of its study's sizes, by finished runs, or by a rough model.

The rough model says that a job takes

    seconds = setup + steps x (overhead + members x FLOPs of a step / speed)

Where sizes of the study have been tried on this machine (`harness.sweeping.timings`), each number of the model is
multiplied by what the trials gave over what the model gives there, interpolated in the logarithm of the FLOPs between
the sizes that were tried. Where none has, overhead and speed are fitted to the runs that finished in the same folder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import DataError
from harness.ladder import Job
from harness.records.store import load_runs
from harness.sweeping.schedule import makespan
from harness.sweeping.timings import key_of, read_trial
from harness.sweeping.trials import Trial
from harness.sweeping.trunks import by_trunk
from harness.training.evaluation_steps import evaluation_steps

#: Memory of a worker that trains a small model: Python, torch, a task's data; and what of it all workers share.
WORKER_BYTES, SHARED_BYTES = 450e6, 380e6

#: What a worker keeps of earlier jobs and evaluations beyond a trial's peak, which is that of a fresh process, in gaps
#: between what it uses.
GAPS_BYTES = 60e6

#: Parameters, gradient, Adam's two moments and two temporaries, in float32.
BYTES_PER_PARAMETER = 4 * 6

#: Seconds of a job before its first step, building and tracing the model; of writing a run; and of a command before
#: its first job: imports, checks, and the server of the workers.
SETUP_S, WRITE_S, START_S = 0.6, 0.01, 5.0


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
class JobCost:
    """What one job takes on one worker, in seconds and bytes.

    Attributes:
        evaluation_s: of all its evaluations; None where it is not told from the training.
        source: where the numbers come from, in words.
    """

    setup_s: float
    training_s: float
    evaluation_s: float | None
    bytes: float
    source: str

    @property
    def seconds(self) -> float:
        return self.setup_s + self.training_s + (self.evaluation_s or 0.0)


def evaluations(job: Job) -> int:
    """How often a job is evaluated in the steps that it takes."""
    return sum(step > job.steps - job.own_steps for step in evaluation_steps(job))


def rough_trial(job: Job) -> Trial:
    """What a trial of a job would give by the rough model; memory within a factor of two."""
    settings, shape, signature = job.settings, job.rung.shape, job.settings.signature
    members, example = len(job.members), job.rung.flops_per_example
    # Ten values a position and layer are kept for the backward pass, and four copies of the logits.
    kept = 10 * shape.width * shape.depth + 4 * signature.n_outputs
    activations = 4 * settings.loss.views * settings.ladder.batch_size * signature.positions * kept
    n_eval = getattr(settings.task, "n_eval", None) or 1000
    return Trial(
        setup_s=SETUP_S,
        step_s=ROUGH.overhead_s + members * settings.ladder.batch_size * example / ROUGH.flops_per_s,
        evaluation_s=ROUGH.overhead_s + members * n_eval * example / 3 / ROUGH.flops_per_s,
        bytes=WORKER_BYTES + members * (BYTES_PER_PARAMETER * job.rung.params.total + activations),
    )


@dataclass(frozen=True)
class CostModel:
    """Predicted cost of jobs.

    Attributes:
        measured: the speed of each family that has enough finished runs to fit it.
        tried: the trials that are known, by `series_of` and, in it, by FLOPs of an example: what each gave, and that
            over what the rough model gives.
        device, beside: kind of device, and how many workers train at a time.
    """

    measured: Mapping[str, Speed] = field(default_factory=dict)
    tried: Mapping[str, Mapping[float, tuple[Trial, Trial]]] = field(default_factory=dict)
    device: str = "cpu"
    beside: int = 1
    _of: dict[tuple[Any, ...], JobCost] = field(default_factory=dict, repr=False, compare=False)

    def of(self, job: Job) -> JobCost:
        """What a job takes on one worker."""
        settings, rung = job.settings, job.rung
        how = (len(job.members), job.micro_batches, settings.launcher.way)
        alike = (settings.study, rung.shape, job.duration, job.own_steps, *how)
        if alike not in self._of:
            self._of[alike] = self._cost(job)
        return self._of[alike]

    def _cost(self, job: Job) -> JobCost:
        if (known := self.trial(job)) is not None:
            return JobCost(
                setup_s=known.setup_s + WRITE_S * len(job.members),
                training_s=job.own_steps * known.step_s,
                evaluation_s=evaluations(job) * known.evaluation_s,
                bytes=self._bytes(job, known),
                source="trials",
            )
        speed = self.measured.get(job.settings.family.name)
        seconds = (speed or ROUGH).seconds(job)
        source = "finished runs" if speed else "a rough model"
        return JobCost(SETUP_S, seconds - SETUP_S, None, rough_trial(job).bytes, source)

    def _bytes(self, job: Job, known: Trial) -> float:
        if known.bytes == 0:  # a system that does not say
            return rough_trial(job).bytes
        return known.bytes + (GAPS_BYTES if self.device == "cpu" else 0)

    def trial(self, job: Job) -> Trial | None:
        """What a trial of a job gives, or would by those of other sizes of its study; None where none was tried."""
        for loose in (False, True):
            if found := self.tried.get(series_of(job, self.device, self.beside, loose)):
                if not loose and job.rung.flops_per_example in found:
                    return found[job.rung.flops_per_example][0]
                return rough_trial(job).times(_interpolated(found, job.rung.flops_per_example))
        return None

    def sizes(self, job: Job) -> set[float]:
        """The sizes of a job's series that have been tried, in FLOPs of an example."""
        return set(self.tried.get(series_of(job, self.device, self.beside), {}))

    def with_trials(self, trials: Iterable[tuple[Job, Trial]]) -> CostModel:
        """The same with trials of jobs beside those that it has."""
        found = {series: dict(of_size) for series, of_size in self.tried.items()}
        for job, trial in trials:
            for loose in (True, False):
                series = found.setdefault(series_of(job, self.device, self.beside, loose), {})
                series[job.rung.flops_per_example] = (trial, _ratio(trial, job))
        return replace(self, tried=found, _of={})

    def seconds(self, job: Job) -> float:
        """Wall time of a job on one worker."""
        return self.of(job).seconds

    def bytes(self, job: Job) -> float:
        """Peak memory of the worker that trains a job: as a trial has it, else within a factor of two."""
        return self.of(job).bytes

    def source(self, jobs: Iterable[Job]) -> str:
        """Where the predictions for jobs come from, in words."""
        return ", ".join(sorted({self.of(job).source for job in jobs}))

    def wall_s(self, jobs: Sequence[Job], workers: int) -> float:
        """Seconds of a command that trains jobs, costly ones first, from its start to its end; 0 of none.

        Those of one trunk are trained one after another.
        """
        seconds = sorted((sum(map(self.seconds, together)) for together in by_trunk(jobs)), reverse=True)
        return START_S + makespan(seconds, workers) if seconds else 0.0

    def peak_bytes(self, jobs: Sequence[Job], workers: int) -> float:
        """The most memory of all workers together: what they share is counted once; 0 of no jobs."""
        each = sorted(map(self.bytes, jobs), reverse=True)[:workers]
        shared = 0.0 if self.device == "cuda" else SHARED_BYTES
        return shared + sum(max(0.0, one - shared) for one in each) if each else 0.0


def _interpolated(tried: Mapping[float, tuple[Trial, Trial]], flops: float) -> Trial:
    """What trials give over the rough model, at a size between those tried; beyond them as at the nearest."""
    at = sorted(tried)
    ratios = np.log([astuple(tried[size][1]) for size in at])
    x = np.log(at)
    return Trial(*(float(np.exp(np.interp(math.log(flops), x, of_one))) for of_one in ratios.T))


def series_of(job: Job, device: str, beside: int, loose: bool = False) -> str:
    """What the trials of a study's sizes have in common: everything but the size.

    Args:
        loose: leave out the batch and how many members train together, too.
    """
    key = key_of(job, device, beside)
    left_out = ("shape", "batch_size", "members", "train_examples") if loose else ("shape",)
    return json.dumps({name: value for name, value in key.items() if name not in left_out}, sort_keys=True, default=str)


def cost_model(results: Path, jobs: Iterable[Job] = (), device: str = "cpu", beside: int = 1) -> CostModel:
    """What is known: trials of these jobs, and the finished runs of a results folder.

    Args:
        jobs: of the sizes whose trials are looked up.

    Raises:
        UserError: a trial that was kept is damaged.
    """
    kept = ((job, trial) for job in jobs if (trial := read_trial(key_of(job, device, beside))) is not None)
    return CostModel(_speeds(results), {}, device, beside).with_trials(kept)


def _ratio(trial: Trial, job: Job) -> Trial:
    """What a trial gives over the rough model; 1 where it could not tell, as of memory on some systems."""
    return Trial(*(value if value > 0 else 1.0 for value in astuple(trial.over(rough_trial(job)))))


def _speeds(results: Path) -> dict[str, Speed]:
    """The speed of each family, from the finished runs of a results folder."""
    try:
        runs = load_runs(results)
    except DataError:
        return {}
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
    return measured


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
