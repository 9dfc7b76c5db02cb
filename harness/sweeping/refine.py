"""`harness refine`: train a study's ladder, then sizes and seeds of its own choosing, until each N* is placed.

What to train follows from the results alone, so that the same command goes on where it was stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.analysis.emergence.refinement import Candidate, is_wide, propose
from harness.analysis.emergence.thresholds import thresholds
from harness.errors import SettingError
from harness.ladder import Job, build_ladder
from harness.records.comparable import comparable
from harness.records.store import load
from harness.settings import Settings
from harness.sweeping.asked import choose_runs
from harness.sweeping.check import check_models
from harness.sweeping.plan import cells, only_waiting, pending
from harness.sweeping.run import join_folders, look, statuses, tell_failures, train_jobs
from harness.sweeping.share import Shares
from harness.sweeping.sites import (
    Site,
    added_flops,
    flops_left,
    ladder_flops,
    missing_seeds,
    recorded_sites,
    seed_flops,
    seed_jobs,
    sites_between,
    size_of,
)
from harness.sweeping.workplace import kind_of_device, worker_count


def refine(studies: Sequence[Settings], console: Console) -> int:
    """Train each study's own ladder, then what narrows its intervals of N* most; returns 1 if a run failed, else 0.

    Raises:
        UserError: a setting, study, device or results folder that cannot be used.
    """
    only_waiting(studies[0], "refine")
    for study in studies:
        _check(study)
    check_models(studies, flops=True)
    device = kind_of_device(studies)
    with join_folders(studies) as shares:
        return max([_refine(study, device, console, shares) for study in studies])


def _check(study: Settings) -> None:
    metrics, subtasks = _wanted(study)
    known = [metric.name for metric in study.metrics]
    of_task = ["all", *study.task.subtasks]
    for name, given, allowed in (("metrics", metrics, known), ("subtasks", subtasks, of_task)):
        if not given or not set(given) <= set(allowed):
            raise SettingError(f"refine.{name}", given, f"some of {', '.join(allowed)}")
    size_of(study, build_ladder(study)[0])


def _wanted(study: Settings) -> tuple[list[str], list[str]]:
    """Metrics and subtasks whose N* are to be placed."""
    metrics, subtasks = study.refine.metrics, study.refine.subtasks
    if metrics is None:
        metrics = [metric.name for metric in study.metrics if metric.discontinuous]
    return metrics, list(study.task.subtasks) or ["all"] if subtasks is None else subtasks


def _refine(study: Settings, device: str, console: Console, shares: Shares) -> int:
    console.print(Text.assemble((study.study, "bold"), ": its own ladder"))
    if code := _train(study, cells(study), device, console, shares):
        return code
    sites, round_ = recorded_sites(study), 0
    # A batch that was interrupted comes to its end before another one is chosen.
    jobs = _begun(study, sites)
    while True:
        if jobs:
            if code := _train(study, jobs, device, console, shares):
                return code
            sites = recorded_sites(study)
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


def _train(study: Settings, jobs: Sequence[Job], device: str, console: Console, shares: Shares) -> int:
    known = statuses(look(shares, console).values())
    left = [part for job in jobs for part in pending(job, known, device)]
    return tell_failures(train_jobs(left, known, worker_count(study, device), console, shares), console)


def _enough(study: Settings, round_: int, intervals: pd.DataFrame) -> str | None:
    """Why refinement ends here; None where it goes on."""
    if intervals.empty or intervals["threshold"].isna().all():
        return "no N* on the ladder"
    wide = is_wide(intervals, study.refine.ratio)
    if not wide.any():
        without = int(intervals["threshold"].isna().sum())
        rest = f"; {without} without an N* on the ladder" if without else ""
        return f"every N* is placed within a factor of {study.refine.ratio:g}{rest}"
    if round_ < study.refine.rounds:
        return None
    left = f"{int(wide.sum())} of {len(wide)} N* are not yet placed within a factor of {study.refine.ratio:g}"
    return f"refine.rounds={study.refine.rounds}; {left}"


def _measured(study: Settings, sites: Sequence[Site]) -> tuple[pd.DataFrame, pd.DataFrame]:
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


def _begun(study: Settings, sites: Sequence[Site]) -> list[Job]:
    """The rest of a batch that was interrupted, as far as the budget allows."""
    n, own = study.refine.seeds or study.seeds, {rung.shape for rung in build_ladder(study)}
    budget, jobs = flops_left(study, sites), []
    for site in sites:
        added = max(0, len(site.seeds) - study.seeds * (site.rung.shape in own))
        missing = -added % n
        if missing and (cost := missing * seed_flops(study, site.rung)) <= budget:
            budget -= cost
            jobs += seed_jobs(study, site.rung, missing_seeds(study, site, missing))
    return jobs


def _next(study: Settings, sites: Sequence[Site], frame: pd.DataFrame, intervals: pd.DataFrame) -> list[Job]:
    """The jobs of the next batch; [] where nothing useful fits."""
    places = [*sites, *sites_between(study, sites)]
    n = study.refine.seeds or study.seeds
    candidates = [Candidate(size_of(study, site.rung), seed_flops(study, site.rung), n) for site in places]
    chosen = propose(frame, study.analysis.x, intervals, candidates, study.refine.ratio, flops_left(study, sites))
    jobs, number = [], 1 + max(site.rung.index for site in sites)
    for site in (places[proposal.index] for proposal in chosen):
        rung = site.rung
        if not site.seeds:
            rung, number = replace(rung, index=number), number + 1
        jobs += seed_jobs(study, rung, missing_seeds(study, site, n))
    return jobs


# -------------------------------------------------------------------------------------------------------------- display


def _table(study: Settings, round_: int, sites: Sequence[Site], intervals: pd.DataFrame) -> Table:
    """Where each wanted N* lies after a round of `refine`, and the FLOPs spent so far."""
    own = ladder_flops(study)
    title = f"round {round_}: {added_flops(study, sites) / own:.2f} of the ladder's {own:.3g} FLOPs spent on refinement"
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
