"""The verbs plan, sweep and train: each takes studies and brings jobs, pool and records together."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import pandas as pd
from rich.console import Console

from harness.errors import UserError, warn_of_runs
from harness.families.check import FLOPS_TOLERANCE
from harness.ladder import Job
from harness.records.pieces import Recorded, recorded, set_aside
from harness.settings import Settings
from harness.sweeping.check import check_models
from harness.sweeping.checkpoints import JobCheckpoints
from harness.sweeping.cluster_plan import print_cluster_plan
from harness.sweeping.cost import CostModel, cost_model
from harness.sweeping.disk import space_line, warn_of_little_space
from harness.sweeping.display import display_for
from harness.sweeping.failures import Ended, count_by_status, early_stops, failure_lines
from harness.sweeping.kept import remove_ended, unkept_line
from harness.sweeping.losses import without_losses
from harness.sweeping.other_data import warn_of_other_data
from harness.sweeping.parents import generations
from harness.sweeping.plan import DONE, cells, is_done, only_waiting, single_job, why_alone
from harness.sweeping.pool import run_jobs
from harness.sweeping.runs_row import git_revision
from harness.sweeping.schedule import spread
from harness.sweeping.share import Shares, joined
from harness.sweeping.start_check import check_starts, split_orphans
from harness.sweeping.tables import plan_frame, plan_table, plan_totals
from harness.sweeping.timings import folder as trials_folder
from harness.sweeping.trunks import in_order, remove_used, with_branches
from harness.sweeping.tuning import Tuned, known, refuse_beyond_memory, tried
from harness.sweeping.worker import write_failure
from harness.sweeping.workplace import crew_of, kind_of_device, worker_count
from harness.wording import counted, duration


def plan(
    studies: Sequence[Settings],
    console: Console,
    check: bool = False,
    no_trial: bool = False,
    cluster: str | None = None,
) -> int:
    """Print the rungs of each study and what they are predicted to cost; train nothing.

    The smallest model of each study is built first, so that a family's mistakes are found here; with `check` every
    size is, and formulas for FLOPs are compared with torch's count. Sizes that make enough work are then tried for half
    a second each, unless they have been before, or `no_trial` forbids it. For a `cluster`, as `read_cluster` takes it,
    formulas alone are asked: nothing is timed, and no model built without `check`.

    Raises:
        UserError: a study that cannot be built, or whose family counts wrongly; a trial that was kept is damaged.
    """
    if cluster is not None:
        if check:
            check_models(studies, flops=True, every_rung=True)
        return print_cluster_plan(studies, cluster, console)
    device = kind_of_device(studies)
    workers = worker_count(studies[0], device)
    found = _look(studies)
    status = _known(studies, found)
    _caution(studies)
    n_checked = check_models(studies, flops=check, every_rung=check)
    check_starts(studies, found)
    tuned = _tuned(studies, status, device, workers, console, every=not no_trial, trial=not no_trial)
    for study in studies:
        console.print(plan_table(study, tuned))
    jobs = pending_jobs(studies, status, tuned)
    refuse_beyond_memory(jobs, tuned.cost)
    console.print(plan_totals(studies, jobs, tuned), highlight=False)
    if jobs and studies[0].launcher.engine == "slurm":
        from harness.sweeping.launchers.submitting import task_line  # imports this module

        console.print(task_line(jobs, tuned.cost, workers), highlight=False, soft_wrap=True)
    console.print(space_line(studies, jobs, workers), highlight=False)
    _tell_unkept(studies, status, console)
    if check:
        agreed = f"parameters are those of the models, FLOPs within {100 * FLOPS_TOLERANCE:g} % of torch's count"
        console.print(f"Checked {counted(n_checked, 'size')}: {agreed}.", highlight=False)
    return 0


def planned(studies: Sequence[Settings], trial: bool = True) -> pd.DataFrame:
    """What `plan` shows, as a frame with a row for each rung at each duration (see `harness.plan`).

    Raises:
        UserError: as `plan`.
    """
    device = kind_of_device(studies)
    workers = worker_count(studies[0], device)
    _caution(studies)
    check_models(studies, flops=False)
    status = _known(studies, _look(studies))
    tuned = _tuned(studies, status, device, workers, Console(quiet=True), every=trial, trial=trial)
    jobs = with_branches(pending_jobs(studies, status, tuned))
    frame = plan_frame(studies, status, tuned)
    frame.attrs = {
        "device": device,
        "workers": workers,
        "results": str(Path(studies[0].results)),
        "wall_s": tuned.cost.wall_s(jobs, workers),
        "bytes": tuned.cost.peak_bytes(jobs, workers),
        "flops": sum(len(job.members) * job.own_flops for job in jobs),
    }
    return frame


def _tuned(
    studies: Sequence[Settings],
    status: Mapping[str, str],
    device: str,
    workers: int,
    console: Console,
    *,
    every: bool,
    trial: bool = True,
) -> Tuned:
    """How each size trains, after the trials that are worth their time; on a terminal, says that they were made.

    Of a cluster's nodes, which may differ, none is tried.
    """
    tuned, started = known(studies, status, device, workers), time.monotonic()
    if not (trial and studies[0].launcher.is_here):
        return tuned
    with console.status("timing steps on this machine") if console.is_terminal else nullcontext():
        tuned = tried(tuned, studies, status, every)
    if tuned.n_tried and console.is_terminal:
        kept = "" if (place := trials_folder()) is None else f", kept in {place}"
        took = duration(time.monotonic() - started)
        console.print(f"Timed {counted(tuned.n_tried, 'size')} in {took}{kept}.", highlight=False, soft_wrap=True)
    return tuned


def sweep(studies: Sequence[Settings], console: Console, wait: bool = False) -> int:
    """Train every run that is not done yet, costly jobs first; returns 1 if one failed, else 0.

    Args:
        wait: until all has ended that is submitted to a cluster; else this returns with the submission.

    Raises:
        UserError: as `train_missing`; what a cluster refuses.
    """
    if studies[0].launcher.engine == "slurm":
        from harness.sweeping.launchers import submitting  # needs packages that this machine's sweeps do not

        return submitting.sweep(studies, console, wait)
    if wait:
        raise UserError("--wait: is of a sweep on a cluster, as with launcher=slurm; on this machine every sweep waits")
    return tell_failures(train_missing(studies, console), console)


def train_missing(studies: Sequence[Settings], console: Console) -> list[Ended]:
    """Train every run that is not done yet, costly jobs first; how each of them ended.

    Raises:
        UserError: a study that cannot be built or whose family counts wrongly, a device or results folder that cannot
            be used.
    """
    device = kind_of_device(studies)
    workers = worker_count(studies[0], device)
    with join_folders(studies) as shares:
        found = look(shares, console)
        _clear_away(found)
        status = _known(studies, found)
        _tell_unkept(studies, status, console)
        unfinished = [study for study in studies if not is_done(study, status)]
        _caution(unfinished)
        check_models(unfinished, flops=True)
        check_starts(studies, found)
        tuned = _tuned(studies, status, device, workers, console, every=False)
        ended: list[Ended] = []
        for of_one in generations(studies):
            jobs, orphans = split_orphans(pending_jobs(of_one, status, tuned))
            ended += [run for job, why in orphans for run in write_failure(job, why, git_revision())]
            if jobs:
                refuse_beyond_memory(jobs, tuned.cost)
                ended += train_jobs(jobs, status, workers, console, shares, tuned.cost)
        return ended or train_jobs([], status, workers, console, shares)


def train(studies: Sequence[Settings], console: Console) -> int:
    """Train the one run that `rung` and `seed` name; returns 1 if it failed, else 0.

    Raises:
        UserError: several studies, a rung off the ladder, a device or results folder that cannot be used.
    """
    if len(studies) > 1:
        names = ", ".join(f"{study.study} ({study.family.name} on {study.task.name})" for study in studies)
        raise UserError(f"train makes one run; choose one study, e.g. by task=NAME. Found {names}")
    only_waiting(studies[0], "train")
    worker_count(studies[0], kind_of_device(studies))
    job = single_job(studies[0])
    with join_folders(studies) as shares:
        found = look(shares, console)
        _clear_away(found)
        status = _known(studies, found)
        if status.get(job.members[0].run_id) in DONE:
            return tell_failures(train_jobs([], status, 1, console, shares), console)
        _caution(studies)
        check_models(studies, flops=True)
        check_starts(studies, found)
        return tell_failures(train_jobs([job], status, 1, console, shares), console)


def train_jobs(
    jobs: Sequence[Job],
    status: Mapping[str, str],
    workers: int,
    console: Console,
    shares: Shares,
    cost: CostModel | None = None,
) -> list[Ended]:
    """Train jobs, costly ones first, and print how many ended in which way; how each run ended, and why if badly.

    Their models have been checked by whoever made the jobs (`check_models`). Runs that another sweep of the same folder
    trains are waited for.

    Args:
        status: how each known run ended, by run_id.
        cost: what jobs are predicted to take; by default what finished runs say.

    Raises:
        LostRunsError: recorded runs have gone from a results folder meanwhile.
    """
    n_done = sum(state in DONE for state in status.values())
    if not jobs:
        console.print(f"Nothing to train: all runs asked for are done ({n_done} in the results).", highlight=False)
        return []
    for job in {job.settings.study: job for job in jobs}.values():
        study = job.settings
        if (reason := why_alone(job)) is not None:
            line = f"{study.study}: family={study.family.name} trains one member at a time; vmap cannot run several"
            console.print(f"{line}: {reason}", markup=False, highlight=False, soft_wrap=True)
    if n_begun := sum(JobCheckpoints(job).step is not None for job in jobs):
        its = "goes on from its checkpoint" if n_begun == 1 else "go on from their checkpoints"
        console.print(f"{counted(n_begun, 'job')} {its}.", highlight=False)
    warn_of_little_space(jobs, workers)
    cost = cost or cost_model(Path(jobs[0].settings.results))
    jobs = in_order(with_branches(jobs), cost.seconds)
    crew = crew_of(jobs, workers, shares)
    with without_losses(jobs), display_for(console, jobs, cost.seconds, workers) as display:
        ended = run_jobs(jobs, crew, git_revision(), display, shares)
    for folder in {Path(job.settings.results) for job in jobs if job.branch}:
        remove_used(folder, recorded(folder))
    for told, runs in (
        ("Trained", [run for run in ended if not run.elsewhere]),
        ("Another sweep trained", [run for run in ended if run.elsewhere]),
    ):
        if runs:
            counts = "; ".join(filter(None, [count_by_status(runs), early_stops(runs)]))
            console.print(f"{told} {len(runs)}: {counts}.", highlight=False, soft_wrap=True)
    return ended


def tell_failures(ended: Sequence[Ended], console: Console) -> int:
    """Print why runs ended badly, each error once; returns 1 if one failed, else 0."""
    for line in failure_lines(ended):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 1 if any(run.status == "failed" for run in ended) else 0


def pending_jobs(studies: Sequence[Settings], status: Mapping[str, str], tuned: Tuned) -> list[Job]:
    """What is still to be trained; a run that two studies share is trained once."""
    jobs, claimed = [], dict(status)
    for study in studies:
        for cell in cells(study):
            for job in tuned.pending(cell, claimed):
                jobs.append(job)
                claimed |= {member.run_id: DONE[0] for member in job.members}
    return spread(jobs, tuned.cost.seconds, tuned.workers) if tuned.device == "cpu" else jobs


def _clear_away(found: Mapping[Path, Recorded]) -> None:
    """Remove states of training that nobody goes on from."""
    remove_ended(found)
    for folder, its in found.items():
        remove_used(folder, its)


def _tell_unkept(studies: Sequence[Settings], known: Mapping[str, str], console: Console) -> None:
    if (line := unkept_line(studies, known)) is not None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def folders_of(studies: Sequence[Settings]) -> list[Path]:
    """The results folders of studies."""
    return sorted({Path(study.results) for study in studies})


def _look(studies: Sequence[Settings]) -> dict[Path, Recorded]:
    """What the studies' results folders have."""
    return {folder: recorded(folder) for folder in folders_of(studies)}


def _known(studies: Sequence[Settings], found: Mapping[Path, Recorded]) -> dict[str, str]:
    """How every run in the studies' results folders ended; warns of data that have changed since."""
    for study in studies:
        warn_of_other_data(study, found[Path(study.results)].rows.values())
    return statuses(found.values())


def statuses(found: Iterable[Recorded]) -> dict[str, str]:
    return {run_id: row["status"] for of_folder in found for run_id, row in of_folder.rows.items()}


def _caution(studies: Sequence[Settings]) -> None:
    """Warn of data that hinder training as they are."""
    for study in studies:
        for line in study.task.cautions:
            warn_of_runs(line)


@contextmanager
def join_folders(studies: Sequence[Settings]) -> Iterator[Shares]:
    """Take part in sweeping all results folders of the studies.

    Raises:
        UserError: a folder cannot be written.
    """
    with ExitStack() as stack:
        yield Shares(stack.enter_context(joined(folder)) for folder in folders_of(studies))


def look(shares: Shares, console: Console) -> dict[Path, Recorded]:
    """What folders have; pieces that cannot be used are set aside."""
    found = {}
    for folder, share in shares.of.items():
        found[folder] = share.look()
        for line in set_aside(folder, found[folder].bad):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return found
