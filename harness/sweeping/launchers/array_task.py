"""What a task of an array does on its node: train its jobs, then those of others that nobody is at.

A node shares the results folder with all others as sweeps beside each other do: runs are claimed, and a run whose
process shows no sign of life is taken over (`sweeping.claims`). So a task that Slurm starts twice trains nothing twice.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from harness.errors import Stopped, UserError

if TYPE_CHECKING:  # torch, which a task that is refused need not wait for
    from harness.ladder import Job
    from harness.sweeping.launchers.submission import Submission
    from harness.sweeping.share import Share


_STOPPING = (signal.SIGUSR1, signal.SIGTERM)


@dataclass(frozen=True)
class ArrayTask:
    """A task of a submission, to be called on a node.

    Attributes:
        folder: of the submission.
        index: which of its tasks.
    """

    folder: str
    index: int

    def __call__(self) -> None:
        """Train; what is left when Slurm takes the node away goes on from its checkpoints.

        Slurm's notice, USR1, comes ahead of the walltime and of a preemption: then the task queues itself again. On
        TERM alone it ends, for Slurm has decided already.
        """
        for number in _STOPPING:
            signal.signal(number, _stop)
        try:
            self._train()
        except Stopped as stop:
            print(f"stopped by {signal.Signals(stop.number).name}: {stop}", flush=True)
            if stop.number == signal.SIGUSR1:
                from harness.sweeping.launchers.slurm import requeue

                requeue(_own_id())
            raise SystemExit(128 + stop.number) from None

    def _train(self) -> None:
        from harness.sweeping.launchers.submission import read

        if (submission := read(Path(self.folder))) is None:
            raise UserError(f"{self.folder}: there is no submission; was it removed?")
        from harness.sweeping import server

        server.start()  # it loads torch beside this process
        try:
            tasks = submission.jobs()
        except UserError as error:
            submission.begin(self.index, refused=str(error))
            print(error, flush=True)
            raise SystemExit(2) from None
        _train_tasks(submission, tasks, self.index)


def _train_tasks(submission: Submission, tasks: Sequence[Sequence[Job]], index: int) -> None:
    from harness.sweeping.share import joined

    until = time.monotonic() + 60 * submission.minutes
    own, others = list(tasks[index]), [job for task in (*tasks[index + 1 :], *tasks[:index]) for job in task]
    takes = {run_id: task.seconds for task in submission.tasks for run_id in task.run_ids}
    with joined(Path(own[0].settings.results)) as share:
        submission.begin(index, share.presence.sweeper.id)
        _run(_left(submission, share, own), share)
        while True:
            fitting = [job for job in others if takes[job.members[0].run_id] < until - time.monotonic()]
            if not _run(_left(submission, share, fitting), share):
                return


def _left(submission: Submission, share: Share, jobs: Sequence[Job]) -> list[Job]:
    """The members of jobs that nobody has recorded as ended since they were submitted."""
    ended = submission.ended(share.look().rows.values())
    left = (replace(job, members=tuple(each for each in job.members if each.run_id not in ended)) for job in jobs)
    return [job for job in left if job.members]


def _run(jobs: Sequence[Job], share: Share) -> bool:
    """Train jobs; whether any run ended here."""
    from rich.console import Console

    from harness.sweeping.cost import cost_model
    from harness.sweeping.display import Lines
    from harness.sweeping.pool import run_jobs
    from harness.sweeping.runs_row import git_revision
    from harness.sweeping.several_gpus import crew_here
    from harness.sweeping.share import Shares
    from harness.training.device import resolve

    if not jobs:
        return False
    settings = jobs[0].settings
    device = resolve(settings.training.device)
    workers = settings.launcher.slots(device.type)
    crew = crew_here(settings.launcher, workers, device)
    display = Lines(Console(width=120), jobs, cost_model(share.results).seconds, workers)
    with display:
        ended = run_jobs(jobs, crew, git_revision(), display, Shares([share]), waits=False)
    n_here = sum(not run.elsewhere for run in ended)
    print(f"trained {n_here} runs here", flush=True)
    return n_here > 0


def _own_id() -> str:
    """The scheduler's name for this task."""
    array, index = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{index}" if array and index else os.environ["SLURM_JOB_ID"]


def _stop(number: int, _: object) -> NoReturn:
    for each in _STOPPING:  # more of them follow, and what is begun ends first
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)
