"""Jobs on workers side by side: a job that fails or is killed takes no other with it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.errors import UserError, warn_of_runs
from harness.ladder import Job, Member
from harness.sweeping.crew import Answer, Crew, Death, Worker
from harness.sweeping.display import Display
from harness.sweeping.failures import Ended, JobError, JobStopped, OutOfMemoryError
from harness.sweeping.memory import smaller
from harness.sweeping.presence import GONE_S
from harness.sweeping.share import Shares
from harness.sweeping.worker import write_failure
from harness.wording import counted

POLL_S = 0.25

#: Seconds after which a run that another process has claimed is asked for again, and which a worker that is asked to
#: stop may take to write its checkpoint.
ASKED_AGAIN_S, GRACE_S = 2.0, 10.0

#: How often a job is tried whose process dies, and how many processes in a row may die before they take a job.
ATTEMPTS = 3


@dataclass(frozen=True)
class _Attempt:
    """One of the times that a job is tried.

    Attributes:
        job: what is trained now: `asked`, or one of its members.
        asked: the job that it belongs to, which the display knows.
        number: 1 for the first time, those that ran out of memory not counted.
        fresh: whether its process has had no job before it, or is to have had none.
        short: what the attempt before said that ran out of memory.
    """

    job: Job
    asked: Job
    number: int = 1
    fresh: bool = False
    short: str | None = None

    @property
    def key(self) -> str:
        """What stands for the job asked for."""
        return self.asked.members[0].run_id

    @property
    def trunk(self) -> str | None:
        """What stands for the trunk of the job asked for; None where it shares none."""
        return self.asked.branch.trunk if self.asked.branch else None

    def at(self, members: tuple[Member, ...]) -> _Attempt:
        """The same at some of the members."""
        return replace(self, job=replace(self.job, members=members))


def run_jobs(
    jobs: Sequence[Job],
    crew: Crew,
    git_revision: str | None,
    display: Display,
    shares: Shares | None = None,
    waits: bool = True,
) -> list[Ended]:
    """Run jobs in the order given on the workers of a crew; returns how every run ended.

    Runs that another sweep trains are waited for, and taken over if it ends; without `waits` only for as long as it
    takes to see whether it still shows signs of life. Failed jobs are recorded as failed runs. A
    job that needs more memory than there is is tried in smaller parts (`memory.smaller`), as long as it can be split.
    One whose process dies of something else is tried again, and fails the third time. On an exception the workers are
    ended: runs that they had not written yet fall back to their last checkpoints, and none is written in part. On
    Ctrl-C they are given a moment to write one, and the KeyboardInterrupt goes on with how many runs these are as its
    message.

    Raises:
        UserError: a results folder cannot be written, or no process be started.
    """
    shares = shares or Shares()
    pool = _Pool(jobs, crew, git_revision, display, shares)
    try:
        while pool.open and (waits or not pool.has_waited):
            shares.renew()
            pool.hand_out()
            pool.take_in()
            display.refresh([job for job in jobs if job.members[0].run_id in pool.open])
    except KeyboardInterrupt as stop:
        if pool.at_work:
            display.say(f"stopping: jobs in training write their checkpoints, within {GRACE_S:g} s")
        stop.args = (pool.stop(),)
        raise
    except UserError:
        pool.stop()  # a worker may be writing
        raise
    finally:
        pool.end()
        shares.release_all()
    return pool.ended


class _Pool:
    """Workers, and which attempt each of them is at.

    Attributes:
        open: how many attempts at each job asked for have not ended, by `_Attempt.key`.
        elsewhere: attempts at runs that other processes have claimed.
        waits_since: when nothing else was left; None before.
        ended: how runs have ended so far.
    """

    def __init__(
        self, jobs: Sequence[Job], crew: Crew, git_revision: str | None, display: Display, shares: Shares
    ) -> None:
        self.crew, self.git_revision, self.display, self.shares = crew, git_revision, display, shares
        self.waiting = deque(_Attempt(job, job) for job in jobs)
        self.elsewhere: list[_Attempt] = []
        self.asked_at = 0.0
        self.waits_since: float | None = None
        self.open = {attempt.key: 1 for attempt in self.waiting}
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
        self._ask_again()
        for worker in [worker for worker in self.workers if worker.ready]:
            if (attempt := self._next()) is not None:
                if attempt.fresh and not worker.is_fresh:
                    self.waiting.appendleft(attempt)
                    self._lose(worker)
                    continue
                attempt = replace(attempt, fresh=worker.is_fresh)
                try:
                    worker.give(attempt.job)
                except OSError:
                    self.waiting.appendleft(attempt)
                    self._lose(worker)
                else:
                    self.at_work[worker] = attempt
        for _ in range(min(self.crew.size, len(self.at_work) + len(self._startable())) - len(self.workers)):
            try:
                self.workers.append(self.crew.start(self.git_revision))
            except (OSError, EOFError) as error:
                self._count_never_up(f"{type(error).__name__}: {error}")

    @property
    def has_waited(self) -> bool:
        """Whether all that is left is with others, for longer than these may go without a sign of life."""
        since = self.waits_since
        return since is not None and not self.at_work and time.monotonic() - since > GONE_S + 2 * ASKED_AGAIN_S

    def _ask_again(self) -> None:
        """Ask again for the runs that other processes have claimed, if the time for it has come."""
        if not self.elsewhere or time.monotonic() - self.asked_at < ASKED_AGAIN_S:
            return
        if not self._startable() and not self.at_work and self.waits_since is None:
            self.waits_since = time.monotonic()
            sweeps = sorted({str(owner) for attempt in self.elsewhere for owner in self.shares.owners(attempt.job)})
            n_runs = sum(len(attempt.job.members) for attempt in self.elsewhere)
            of = f"another sweep ({', '.join(sweeps) or 'about to end'})"
            self.display.say(f"waits for {counted(n_runs, 'run')} that {of} has in training")
        self.asked_at = time.monotonic()
        # First: what comes free is what others were at before, and as long as that.
        self.waiting.extendleft(reversed(self.elsewhere))
        self.elsewhere.clear()

    def _next(self) -> _Attempt | None:
        """The next attempt at runs that this process has claimed; those of other processes are put off."""
        while startable := self._startable():
            attempt = self.waiting[startable[0]]
            del self.waiting[startable[0]]
            taken = self.shares.take(attempt.job)
            self.open[attempt.key] += sum(map(bool, (taken.mine, taken.elsewhere, taken.ended))) - 1
            if taken.elsewhere:
                self.elsewhere.append(attempt.at(taken.elsewhere))
            if taken.ended:
                self._end(attempt, list(taken.ended))
            if taken.mine:
                return attempt.at(taken.mine)
        return None

    def _startable(self) -> list[int]:
        """Where the waiting attempts stand that may begin.

        Of a trunk that is the shortest one, where none is at work. A shorter one that another sweep has in training is
        waited for too; one that has failed is not.
        """
        busy = {attempt.trunk: attempt.key for attempt in self.at_work.values()}
        shortest: dict[str | None, int] = {}
        for attempt in (*self.waiting, *self.elsewhere):
            steps = attempt.asked.steps
            shortest[attempt.trunk] = min(steps, shortest.get(attempt.trunk, steps))

        def may_begin(attempt: _Attempt) -> bool:
            is_next = attempt.asked.steps == shortest[attempt.trunk]
            return attempt.trunk is None or (is_next and busy.get(attempt.trunk, attempt.key) == attempt.key)

        return [place for place, attempt in enumerate(self.waiting) if may_begin(attempt)]

    def take_in(self) -> None:
        """Wait a moment for workers, and record what they answer or that they died."""
        for worker in self.crew.heard(self.workers, POLL_S):
            try:
                answer = worker.hear()
            except (OSError, EOFError):
                self._lose(worker)
                continue
            if worker.ready or answer is not None:  # a word of some of its processes is none of the worker's
                self.never_up = 0
            if answer is not None:
                self._record(self.at_work.pop(worker), answer)

    def stop(self) -> str:
        """Let the jobs in training write their checkpoints and end; what became of their runs, in words."""
        until, left, n_kept, n_lost = time.monotonic() + GRACE_S, list(self.at_work), 0, 0
        for worker in left:
            worker.stop()
        while left and (seconds := until - time.monotonic()) > 0:
            for worker in self.crew.heard(left, seconds):
                left.remove(worker)
                n_members = len(self.at_work[worker].job.members)
                try:
                    n_kept += n_members * isinstance(worker.hear(), JobStopped)
                except (OSError, EOFError):
                    n_lost += n_members
        n_lost += sum(len(self.at_work[worker].job.members) for worker in left)
        kept = "has written its checkpoint" if n_kept == 1 else "have written their checkpoints"
        back = "falls back to its last checkpoint" if n_lost == 1 else "fall back to their last checkpoints"
        return ", ".join(f"{counted(n, 'run')} in training {how}" for n, how in ((n_kept, kept), (n_lost, back)) if n)

    def end(self) -> None:
        for worker in self.workers:
            worker.dismiss()
        for worker in self.workers:
            worker.end()

    def _lose(self, worker: Worker) -> None:
        """Forget a worker that died; what it was at is tried again or fails, and no other job minds."""
        self.workers.remove(worker)
        death = worker.end()
        attempt = self.at_work.pop(worker, None)
        if attempt is not None:
            self._try_again(attempt, death)
        elif worker.is_fresh and not worker.ready:
            self._count_never_up(death.why)

    def _try_again(self, attempt: _Attempt, death: Death) -> None:
        if death.out_of_memory:
            self._try_smaller(attempt, death.why)
        elif attempt.number == ATTEMPTS:
            self._record(attempt, JobError(death.why))
        else:
            following = replace(attempt, number=attempt.number + 1)
            self._follow(attempt, death.why, f"attempt {following.number} of {ATTEMPTS} follows", [following])

    def _try_smaller(self, attempt: _Attempt, short: str) -> None:
        if not attempt.fresh:
            self._follow(attempt, short, "it follows in a process of its own", [replace(attempt, fresh=True)])
            return
        jobs, how = smaller(attempt.job)
        # What half the batch needs as much of, as parameters do, single examples will.
        if jobs and not (attempt.job.micro_batches > 1 and short == attempt.short and any(map(str.isdigit, short))):
            self._follow(attempt, short, how, [replace(attempt, job=job, short=short) for job in jobs])
        else:
            self._record(attempt, JobError(short))

    def _follow(self, attempt: _Attempt, why: str, how: str, following: Sequence[_Attempt]) -> None:
        """Say why an attempt ended, and put first what follows."""
        warn_of_runs(f"{attempt.job.label}, {_members(attempt.job)}: {why}; {how}")
        self.open[attempt.key] += len(following) - 1
        self.waiting.extendleft(reversed(following))

    def _record(self, attempt: _Attempt, answer: Answer) -> None:
        if isinstance(answer, UserError):
            raise answer
        if isinstance(answer, JobStopped):  # somebody asked this worker alone to end
            self.waiting.appendleft(attempt)
            return
        if isinstance(answer, OutOfMemoryError):
            self._try_smaller(attempt, str(answer))
            return
        if isinstance(answer, JobError):
            answer = write_failure(attempt.job, str(answer), self.git_revision)
        self.shares.release(attempt.job)
        self._end(attempt, answer)

    def _end(self, attempt: _Attempt, ended: list[Ended]) -> None:
        """Note how an attempt ended, and the job asked for with the last of its attempts."""
        self.of_job[attempt.key] += ended
        self.open[attempt.key] -= 1
        if self.open[attempt.key] == 0:
            del self.open[attempt.key]
            self.ended += self.of_job[attempt.key]
            self.display.ended(attempt.asked, self.of_job[attempt.key])

    def _count_never_up(self, why: str) -> None:
        self.never_up += 1
        if self.never_up >= max(ATTEMPTS, self.crew.size + 1):
            raise UserError(f"no process for training can be started: {why}")


def _members(job: Job) -> str:
    return job.members[0].label if len(job.members) == 1 else f"{len(job.members)} members"
