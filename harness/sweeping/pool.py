"""Jobs on processes side by side: a job that fails or is killed takes no other with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.errors import UserError, warn_of_runs
from harness.ladder import Job
from harness.sweeping.display import Display
from harness.sweeping.failures import Ended, JobError, OutOfMemoryError, death
from harness.sweeping.memory import oom_kills, ran_out, smaller
from harness.sweeping.processes import Answer, Work, Worker, heard
from harness.sweeping.worker import run_job, write_failure
from harness.wording import counted

POLL_S = 0.25

#: How often a job is tried whose process dies, and how many processes in a row may die before they take a job.
ATTEMPTS = 3


@dataclass(frozen=True)
class _Attempt:
    """One of the times that a job is tried.

    Attributes:
        job: what is trained now: `asked`, or one of its members.
        asked: the job that it belongs to, which the display knows.
        number: 1 for the first time, those that ran out of memory not counted.
        oom_kills: `memory.oom_kills` when it began.
    """

    job: Job
    asked: Job
    number: int = 1
    oom_kills: int | None = None


def run_jobs(
    jobs: Sequence[Job], workers: int, git_revision: str | None, display: Display, work: Work = run_job
) -> list[Ended]:
    """Run jobs in the order given on `workers` processes; returns how every run ended.

    Failed jobs are recorded as failed runs. A job that needs more memory than there is is tried in smaller parts
    (`memory.smaller`), as long as it can be split. One whose process dies of something else is tried again, and fails
    the third time. On an exception (Ctrl-C) the workers are ended: runs that
    they had not written yet fall back to their last checkpoints, and none is written in part. A KeyboardInterrupt goes
    on with how many runs these are as its message.

    Raises:
        UserError: a results folder cannot be written, or no process be started.
    """
    pool = _Pool(jobs, workers, git_revision, display, work)
    try:
        while pool.open:
            pool.hand_out()
            pool.take_in()
            display.refresh([job for job in jobs if job.members[0].run_id in pool.open])
    except KeyboardInterrupt as stop:
        n_runs = sum(len(attempt.job.members) for attempt in pool.at_work.values())
        back = "falls back to its last checkpoint" if n_runs == 1 else "fall back to their last checkpoints"
        stop.args = (f"{counted(n_runs, 'run')} in training {back}",)
        raise
    finally:
        pool.end()
    return pool.ended


class _Pool:
    """Workers, and which attempt each of them is at.

    Attributes:
        open: the attempts not ended yet of each job asked for, by the run_id of its first member.
        ended: how runs have ended so far.
    """

    def __init__(
        self, jobs: Sequence[Job], workers: int, git_revision: str | None, display: Display, work: Work
    ) -> None:
        self.size, self.git_revision, self.display, self.work = workers, git_revision, display, work
        self.waiting = deque(_Attempt(job, job) for job in jobs)
        self.open = {job.members[0].run_id: 1 for job in jobs}
        self.of_job: dict[str, list[Ended]] = {run_id: [] for run_id in self.open}
        self.at_work: dict[Worker, _Attempt] = {}
        self.workers: list[Worker] = []
        self.never_up = 0
        self.ended: list[Ended] = []

    def hand_out(self) -> None:
        """Give waiting jobs to workers that wait, and start workers for the others.

        Raises:
            UserError: no process can be started.
        """
        for worker in [worker for worker in self.workers if worker.ready]:
            if self.waiting:
                attempt = replace(self.waiting.popleft(), oom_kills=oom_kills())
                try:
                    worker.give(attempt.job)
                except OSError:
                    self.waiting.appendleft(attempt)
                    self._lose(worker)
                else:
                    self.at_work[worker] = attempt
        for _ in range(min(self.size, len(self.at_work) + len(self.waiting)) - len(self.workers)):
            try:
                self.workers.append(Worker(self.work, self.git_revision))
            except (OSError, EOFError) as error:
                self._count_never_up(f"{type(error).__name__}: {error}")

    def take_in(self) -> None:
        """Wait a moment for workers, and record what they answer or that they died."""
        for worker in heard(self.workers, POLL_S):
            try:
                answer = worker.hear()
            except (OSError, EOFError):
                self._lose(worker)
                continue
            self.never_up = 0
            if answer is not None:
                self._record(self.at_work.pop(worker), answer)

    def end(self) -> None:
        for worker in self.workers:
            worker.pipe.close()
        for worker in self.workers:
            worker.end()

    def _lose(self, worker: Worker) -> None:
        """Forget a worker that died; what it was at is tried again or fails, and no other job minds."""
        self.workers.remove(worker)
        exit_code = worker.end()
        attempt = self.at_work.pop(worker, None)
        if attempt is not None:
            self._try_again(attempt, exit_code)
        elif not worker.ready:
            self._count_never_up(death(exit_code))

    def _try_again(self, attempt: _Attempt, exit_code: int | None) -> None:
        if (short := ran_out(exit_code, attempt.oom_kills)) is not None:
            self._try_smaller(attempt, short)
        elif attempt.number == ATTEMPTS:
            self._record(attempt, JobError(death(exit_code)))
        else:
            following = replace(attempt, number=attempt.number + 1)
            self._follow(attempt, death(exit_code), f"attempt {following.number} of {ATTEMPTS} follows", [following])

    def _try_smaller(self, attempt: _Attempt, short: str) -> None:
        jobs, how = smaller(attempt.job)
        if jobs:
            self._follow(attempt, short, how, [replace(attempt, job=job) for job in jobs])
        else:
            self._record(attempt, JobError(short))

    def _follow(self, attempt: _Attempt, why: str, how: str, following: Sequence[_Attempt]) -> None:
        """Say why an attempt ended, and put first what follows."""
        warn_of_runs(f"{attempt.job.label}, {_members(attempt.job)}: {why}; {how}")
        self.open[attempt.asked.members[0].run_id] += len(following) - 1
        self.waiting.extendleft(reversed(following))

    def _record(self, attempt: _Attempt, answer: Answer) -> None:
        if isinstance(answer, UserError):
            raise answer
        if isinstance(answer, OutOfMemoryError):
            self._try_smaller(attempt, str(answer))
            return
        if isinstance(answer, JobError):
            answer = write_failure(attempt.job, str(answer), self.git_revision)
        run_id = attempt.asked.members[0].run_id
        self.of_job[run_id] += answer
        self.open[run_id] -= 1
        if self.open[run_id] == 0:
            del self.open[run_id]
            self.ended += self.of_job[run_id]
            self.display.ended(attempt.asked, self.of_job[run_id])

    def _count_never_up(self, why: str) -> None:
        self.never_up += 1
        if self.never_up >= max(ATTEMPTS, self.size + 1):
            raise UserError(f"no process for training can be started: {why}")


def _members(job: Job) -> str:
    return job.members[0].label if len(job.members) == 1 else f"{len(job.members)} members"
