"""A sweep handed to Slurm: what is missing and not yet in its queue, packed into the tasks of an array."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from harness.ladder import Job
from harness.records.pieces import recorded
from harness.settings import LauncherSettings, Settings
from harness.sweeping.check import check_models
from harness.sweeping.cost import CostModel
from harness.sweeping.failures import Ended, count_by_status, failure_lines
from harness.sweeping.launchers import slurm
from harness.sweeping.launchers.array_task import ArrayTask
from harness.sweeping.launchers.standing import standings
from harness.sweeping.launchers.submission import Submission
from harness.sweeping.packing import pack, task_seconds
from harness.sweeping.parents import generations
from harness.sweeping.plan import DONE, cells, is_done
from harness.sweeping.presence import Watch
from harness.sweeping.run import folders_of, join_folders, look, pending_jobs, statuses
from harness.sweeping.start_check import check_starts, split_orphans
from harness.sweeping.tuning import known
from harness.sweeping.workplace import kind_of_device, worker_count
from harness.wording import counted, duration

#: Seconds between two looks at a submission, and how often what is lost is submitted again.
LOOK_S, ATTEMPTS = 2.0, 3


def sweep(studies: Sequence[Settings], console: Console, wait: bool) -> int:
    """Submit every run that is not done and not submitted yet; with `wait`, until all have ended.

    Returns:
        1 if a run failed that was waited for, else 0.

    Raises:
        UserError: a study that cannot be built, no Slurm, or one that refuses the tasks.
    """
    began, n_lost = datetime.now(UTC), 0
    goes_on = submit_missing(studies, console, began)
    while goes_on and wait and n_lost < ATTEMPTS:
        n_lost += follow(studies, console)
        # What starts from runs that have ended now, and what was lost.
        goes_on = not _are_done(studies) and submit_missing(studies, console, began)
    return tell_ended(studies, console) if wait else 0


def _are_done(studies: Sequence[Settings]) -> bool:
    status = statuses(recorded(folder) for folder in folders_of(studies))
    return all(is_done(study, status) for study in studies)


def submit_missing(studies: Sequence[Settings], console: Console, began: datetime) -> bool:
    """Submit every run that is neither done nor in the queue; whether some are in the queue now.

    Args:
        began: a run that has failed since is not tried again.

    Raises:
        UserError: as `sweep`.
    """
    launcher = studies[0].launcher
    device = kind_of_device(studies)
    workers = worker_count(studies[0], device)
    slurm.refuse_unsuitable(launcher)
    with join_folders(studies) as shares:
        found = look(shares, console)
        rows = [row for of_folder in found.values() for row in of_folder.rows.values()]
        known_runs = {row["run_id"]: DONE[0] if row["finished_at"] >= began else row["status"] for row in rows}
        waiting = {run_id for folder in found for each in standings(folder) for run_id in each.under_way}
        status = known_runs | dict.fromkeys(waiting, DONE[0])
        check_models([study for study in studies if not is_done(study, status)], flops=True)
        check_starts(studies, found)
        tuned = known(studies, status, device, workers)
        jobs, later = list[Job](), list[str]()
        for of_one in generations(studies):
            fit, orphans = split_orphans(pending_jobs(of_one, status, tuned))
            jobs += fit
            later += sorted({job.settings.study for job, _ in orphans})
        if waiting:
            console.print(f"{counted(len(waiting), 'run')} are in the queue or in training already.", highlight=False)
        if later:
            line = f"{', '.join(later)}: starts from runs that have not ended; sweep again when they have"
            console.print(line, highlight=False, markup=False)
        if not jobs and not waiting and not later:
            n_done = sum(state in DONE for state in known_runs.values())
            console.print(f"Nothing to train: all runs asked for are done ({n_done} in the results).", highlight=False)
        by_folder = {folder: [job for job in jobs if Path(job.settings.results) == folder] for folder in found}
        for its in filter(None, by_folder.values()):
            _submit(its, tuned.cost, launcher, workers, console)
        return bool(jobs or waiting)


def task_line(jobs: Sequence[Job], cost: CostModel, workers: int) -> str:
    """How jobs would be submitted: "As a Slurm array: 3 tasks of 2 workers, the longest about 20 min of 60 min."

    Args:
        workers: of a task.
    """
    launcher = jobs[0].settings.launcher
    tasks, seconds = _packed(jobs, cost, launcher, workers)
    each = f"{counted(len(tasks), 'task')} of {counted(workers, 'worker')}"
    return f"As a Slurm array: {each}, the longest about {duration(max(seconds))} of {launcher.minutes:g} min."


def _packed(
    jobs: Sequence[Job], cost: CostModel, launcher: LauncherSettings, workers: int
) -> tuple[list[list[Job]], list[float]]:
    """The jobs of each task, and the seconds that it is predicted to take."""
    tasks = pack(jobs, cost.seconds, 60 * launcher.minutes, launcher.at_once, workers)
    return tasks, [task_seconds(task, cost.seconds, workers) for task in tasks]


def _submit(jobs: Sequence[Job], cost: CostModel, launcher: LauncherSettings, workers: int, console: Console) -> None:
    tasks, lasts = _packed(jobs, cost, launcher, workers)
    made = Submission.make(tasks, lasts, launcher.minutes)
    todo = [ArrayTask(str(made.folder), index) for index in range(len(tasks))]
    made = made.submitted_as(slurm.submit(todo, launcher, f"harness-{jobs[0].settings.name}", made.log))
    n_runs = sum(len(task.run_ids) for task in made.tasks)
    about = f"the longest about {duration(max(lasts))} of {launcher.minutes:g} min"
    console.print(
        f"Submitted {counted(n_runs, 'run')} in {counted(len(tasks), 'task')} as Slurm job {made.array_id}, {about}.",
        highlight=False,
        soft_wrap=True,
    )
    results = jobs[0].settings.results
    line = f"`harness status {results}` shows how far they are, `harness cancel {results}` ends them"
    console.print(f"{line}; what they print is in {made.log}.", highlight=False, markup=False, soft_wrap=True)


def follow(studies: Sequence[Settings], console: Console) -> bool:
    """Wait until nothing submitted from the studies' folders is under way; whether runs were lost.

    Says what changes. Ctrl-C ends the waiting, and no run.
    """
    folders, watch, told = folders_of(studies), Watch(), set[str]()
    while True:
        found = [each for folder in folders for each in standings(folder, watch)]
        for line in (line for each in found for line in (str(each), *each.remarks)):
            if line not in told:
                told.add(line)
                console.print(line, highlight=False, markup=False, soft_wrap=True)
        if not any(each.under_way for each in found):
            return any(each.lost for each in found)
        time.sleep(LOOK_S)


def tell_ended(studies: Sequence[Settings], console: Console) -> int:
    """Print how the runs asked for have ended, and why some failed; 1 if one failed or has not ended, else 0."""
    ended = ended_runs(studies)
    n_left = sum(len(cell.members) for study in studies for cell in cells(study)) - len(ended)
    left = f"; {counted(n_left, 'run')} have not ended" if n_left else ""
    console.print(f"{counted(len(ended), 'run')}: {count_by_status(ended)}{left}.", highlight=False)
    for line in failure_lines(ended):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 1 if n_left or any(run.status == "failed" for run in ended) else 0


def ended_runs(studies: Sequence[Settings]) -> list[Ended]:
    """How the runs that studies ask for have ended, of those that have."""
    rows = {run_id: row for folder in folders_of(studies) for run_id, row in recorded(folder).rows.items()}
    return [
        Ended(study.study, cell.rung.index, f"{cell.label} {member.label}", row["status"], row["error"])
        for study in studies
        for cell in cells(study)
        for member in cell.members
        if (row := rows.get(member.run_id)) is not None
    ]
