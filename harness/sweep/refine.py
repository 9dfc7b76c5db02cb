"""`harness refine`: train a study's ladder, then sizes and seeds of its own choosing, until each N* is placed.

What to train follows from the results alone, so that the same command goes on where it was stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from harness.analysis.emergence.refinement import Candidate, is_wide, propose
from harness.analysis.emergence.thresholds import thresholds
from harness.errors import SettingError
from harness.families.base import Shape
from harness.ladder import Job, Rung, build_ladder, member, rung_of_size
from harness.records.comparable import comparable
from harness.records.store import collect, finished_run_ids, load, load_runs
from harness.settings import Settings
from harness.sweep.asked import choose_runs
from harness.sweep.plan import DONE, cells, pending, worker_count
from harness.sweep.run import lock_folders, train_jobs
from harness.sweep.runs_row import run_row
from harness.training.device import resolve

#: Sizes that are considered between two neighbours; many of them round to the same.
_BETWEEN = 15
#: Least distance of a new size to its neighbours, as a share of ln refine.ratio.
_APART = 0.25


def refine(studies: Sequence[Settings], console: Console) -> int:
    """Train each study's own ladder, then what narrows its intervals of N* most; returns 1 if a run failed, else 0.

    Raises:
        UserError: a setting, study, device or results folder that cannot be used.
    """
    for study in studies:
        _check(study)
    device = resolve(studies[0].training.device).type
    with lock_folders(studies):
        return max([_refine(study, device, console) for study in studies])


def _check(study: Settings) -> None:
    metrics, subtasks = _wanted(study)
    known = [metric.name for metric in study.task.metrics]
    of_task = ["all", *study.task.subtasks]
    for name, given, allowed in (("metrics", metrics, known), ("subtasks", subtasks, of_task)):
        if not given or not set(given) <= set(allowed):
            raise SettingError(f"refine.{name}", given, f"some of {', '.join(allowed)}")
    if not isinstance(_x(study, build_ladder(study)[0]), (int, float)):
        raise SettingError("analysis.x", study.analysis.x, "a column of sizes, e.g. params_non_embedding")


def _wanted(study: Settings) -> tuple[list[str], list[str]]:
    """Metrics and subtasks whose N* are to be placed."""
    metrics, subtasks = study.refine.metrics, study.refine.subtasks
    if metrics is None:
        metrics = [metric.name for metric in study.task.metrics if metric.discontinuous]
    return metrics, list(study.task.subtasks) or ["all"] if subtasks is None else subtasks


def _refine(study: Settings, device: str, console: Console) -> int:
    console.print(f"[bold]{study.study}[/]: its own ladder", highlight=False)
    if code := _train(study, cells(study), device, console):
        return code
    sites, round_ = _sites(study), 0
    # A batch that was interrupted comes to its end before another one is chosen.
    jobs = _begun(study, sites)
    while True:
        if jobs:
            if code := _train(study, jobs, device, console):
                return code
            sites = _sites(study)
        frame, intervals = _measured(study, sites)
        console.print(_table(study, round_, sites, intervals), highlight=False)
        if reason := _enough(study, round_, intervals):
            break
        jobs = _next(study, sites, frame, intervals)
        if not jobs:
            reason = "no size or seed that would narrow an interval fits the ladder and what is left of refine.budget"
            break
        round_ += 1
        console.print(f"round {round_}: {'; '.join(map(_described, jobs))}", highlight=False, soft_wrap=True)
    console.print(f"{study.study}: stopped after {round_} rounds: {reason}", highlight=False, soft_wrap=True)
    return 0


def _train(study: Settings, jobs: Sequence[Job], device: str, console: Console) -> int:
    known = finished_run_ids(Path(study.results))
    left = [part for job in jobs for part in pending(job, known, device)]
    return train_jobs(left, known, worker_count(study, device), console)


def _enough(study: Settings, round_: int, intervals: pd.DataFrame) -> str | None:
    """Why there is nothing left to do, or None."""
    if intervals.empty or intervals["threshold"].isna().all():
        return "no N* on the ladder"
    if not is_wide(intervals, study.refine.ratio).any():
        without = int(intervals["threshold"].isna().sum())
        rest = f"; {without} without an N* on the ladder" if without else ""
        return f"every N* is placed within a factor of {study.refine.ratio:g}{rest}"
    return f"refine.rounds={study.refine.rounds}" if round_ == study.refine.rounds else None


# ------------------------------------------------------------------------------------------------- what is there so far


@dataclass(frozen=True)
class _Site:
    """A size, the seeds that are done there with all their learning rates and durations, and the ids of their runs."""

    rung: Rung
    seeds: tuple[int, ...] = ()
    run_ids: tuple[str, ...] = ()


def _sites(study: Settings) -> list[_Site]:
    """The sizes that the results hold runs of, made under just these settings; smallest first.

    Rungs keep the number that their runs were recorded with, so that a number means one size.
    """
    collect(study.results)
    runs = load_runs(study.results)
    runs = runs[(runs["study"] == study.study) & runs["status"].isin(DONE)]
    done, sites = set(runs["run_id"]), []
    for _, part in runs.groupby(["width", "depth", "heads"]):
        shape = Shape(*(int(part[axis].iloc[0]) for axis in ("width", "depth", "heads")))
        rung = rung_of_size(study, shape.width, shape.depth, int(part["rung"].mode()[0]))
        if rung is None or rung.shape != shape:
            continue
        ids = {seed: _run_ids(study, rung, seed) for seed in sorted(set(part["seed"]))}
        seeds = tuple(seed for seed in ids if done.issuperset(ids[seed]))
        if seeds:
            sites.append(_Site(rung, seeds, tuple(run_id for seed in seeds for run_id in ids[seed])))
    return sorted(sites, key=lambda site: _x(study, site.rung))


def _measured(study: Settings, sites: Sequence[_Site]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measurements at these sites, and the wanted rows of their `thresholds`, as `harness analyze` finds them.

    All subtasks are measured together, for they share their noise; the loss chooses among learning rates.
    """
    metrics, subtasks = _wanted(study)
    frame = load(study.results, runs="all")
    frame = frame[
        frame["run_id"].isin([run_id for site in sites for run_id in site.run_ids])
        & frame["metric"].isin([*metrics, "loss"])
    ]
    if frame.empty:
        return frame, pd.DataFrame()
    frame, _ = comparable(frame, lengths=choose_runs([study], frame.drop_duplicates("run_id")).lengths)
    found = thresholds(frame, study.analysis.x, level=study.analysis.level)
    return frame, found[found["metric"].isin(metrics) & found["subtask"].isin(subtasks)]


# -------------------------------------------------------------------------------------------------------- what to train


def _begun(study: Settings, sites: Sequence[_Site]) -> list[Job]:
    """What is left of a batch that was interrupted, as far as the budget goes."""
    n, own = study.refine.seeds or study.seeds, {rung.shape for rung in build_ladder(study)}
    budget, jobs = _left(study, sites), []
    for site in sites:
        added = max(0, len(site.seeds) - study.seeds * (site.rung.shape in own))
        missing = -added % n
        if missing and (cost := missing * _flops(study, site.rung)) <= budget:
            budget -= cost
            jobs += _jobs(study, site.rung, _seeds(study, site, missing))
    return jobs


def _next(study: Settings, sites: Sequence[_Site], frame: pd.DataFrame, intervals: pd.DataFrame) -> list[Job]:
    """The jobs of the next batch; [] where nothing useful fits."""
    places = [*sites, *(_Site(rung) for rung in _between(study, [site.rung for site in sites]))]
    n = study.refine.seeds or study.seeds
    candidates = [Candidate(_x(study, site.rung), _flops(study, site.rung), n) for site in places]
    chosen = propose(frame, study.analysis.x, intervals, candidates, study.refine.ratio, _left(study, sites))
    jobs, number = [], 1 + max(site.rung.index for site in sites)
    for site in (places[proposal.index] for proposal in chosen):
        rung = site.rung
        if not site.seeds:
            rung, number = replace(rung, index=number), number + 1
        jobs += _jobs(study, rung, _seeds(study, site, n))
    return jobs


def _between(study: Settings, rungs: Sequence[Rung]) -> list[Rung]:
    """New legal sizes between neighbours, evenly in their logarithms.

    None is nearer to a neighbour than a quarter of what an interval may be: it would tell little that more seeds at the
    neighbour do not, and crowded sizes shorten the step, which jumps are judged by.
    """
    found: dict[Shape, Rung] = {}
    apart = study.refine.ratio**_APART
    for low, high in pairwise(rungs):
        first, last = ((rung.shape.width, rung.shape.depth) for rung in (low, high))
        for width, depth in np.geomspace(first, last, _BETWEEN + 2)[1:-1]:
            rung = rung_of_size(study, width, depth)
            if rung and apart * _x(study, low) <= _x(study, rung) <= _x(study, high) / apart:
                found[rung.shape] = rung
    taken = {rung.shape for rung in rungs}
    return [rung for shape, rung in found.items() if shape not in taken]


def _seeds(study: Settings, site: _Site, n: int) -> list[int]:
    """The next `n` seeds that a size lacks."""
    span = range(study.first_seed, study.first_seed + n + len(site.seeds))
    return [seed for seed in span if seed not in site.seeds][:n]


def _jobs(study: Settings, rung: Rung, seeds: Sequence[int]) -> list[Job]:
    """All durations of a rung, with every learning rate of each seed."""
    rates = study.optimizer.learning_rates
    return [
        Job(study, rung, duration, tuple(member(study, rung, duration, seed, lr) for lr in rates for seed in seeds))
        for duration in range(len(rung.steps))
    ]


def _run_ids(study: Settings, rung: Rung, seed: int) -> list[str]:
    return [each.run_id for job in _jobs(study, rung, [seed]) for each in job.members]


def _x(study: Settings, rung: Rung) -> Any:
    """What the runs table will hold in the column of sizes, for the longest duration: the one that is analysed."""
    job = _jobs(study, rung, [study.first_seed])[-1]
    return run_row(job, job.members[0], "finished").get(study.analysis.x)


def _flops(study: Settings, rung: Rung) -> float:
    """Training FLOPs of one seed: all its learning rates and durations."""
    return sum(len(job.members) * job.flops for job in _jobs(study, rung, [study.first_seed]))


def _own_flops(study: Settings) -> float:
    return study.seeds * sum(_flops(study, rung) for rung in build_ladder(study))


def _spent(study: Settings, sites: Sequence[_Site]) -> float:
    """FLOPs of all runs beyond the study's own ladder."""
    return sum(len(site.seeds) * _flops(study, site.rung) for site in sites) - _own_flops(study)


def _left(study: Settings, sites: Sequence[_Site]) -> float:
    """FLOPs of the budget that are left."""
    return study.refine.budget * _own_flops(study) - _spent(study, sites)


# -------------------------------------------------------------------------------------------------------------- display


def _table(study: Settings, round_: int, sites: Sequence[_Site], intervals: pd.DataFrame) -> Table:
    own = _own_flops(study)
    title = f"round {round_}: {_spent(study, sites) / own:.2f} of the ladder's {own:.3g} FLOPs spent on refinement"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for name in ("subtask", "metric", f"N* ({study.analysis.x})", "low", "high", "ratio", ""):
        table.add_column(name, justify="left" if name in ("subtask", "metric", "") else "right", no_wrap=True)
    if intervals.empty:
        return table
    for row, wide in zip(intervals.to_dict("records"), is_wide(intervals, study.refine.ratio), strict=True):
        low, high = row["threshold_low"], row["threshold_high"]
        if np.isnan(row["threshold"]):
            numbers, remark = ["-"] * 4, row["reason"]
        else:
            ratio = f"{high / low:.2f}" if low > 0 and high < np.inf else "open"
            numbers = [f"{value:,.4g}" for value in (row["threshold"], low, high)] + [ratio]
            remark = "" if wide else "narrow enough"
        table.add_row(row["subtask"], row["metric"], *numbers, remark)
    return table


def _described(job: Job) -> str:
    seeds, shape = sorted({each.seed for each in job.members}), job.rung.shape
    flops = len(job.members) * job.flops
    return f"width {shape.width}, depth {shape.depth}: {len(seeds)} seeds, {flops:.3g} FLOPs"
