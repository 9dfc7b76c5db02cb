"""A discrete-event simulation of a sweep's jobs in tasks on nodes that fail.

A task takes a free node; `queue_s` and `start_s` later its workers take jobs: first its own, then, where the plan
shares, whichever waits first in the order that all have (as `harness.sweeping.claims` lets them). A job trains and
writes checkpoints. Nodes fail at a constant rate while they have a task; jobs in training there fall back to their last
checkpoints, others may take them `gone_s` later, and the scheduler queues the task again `noticed_s` later. At its
walltime a task writes checkpoints and is queued again with what it had.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.sweeping.cost import SETUP_S, START_S


@dataclass(frozen=True)
class Cluster:
    """Where jobs run; all times in seconds.

    Attributes:
        nodes, slots: nodes, and workers on each.
        failures_per_s: of a node that has a task.
        repair_s: until a node that failed, or another in its place, is there again.
        noticed_s: until the scheduler queues the task of such a node again.
        gone_s: until other tasks take its jobs over; the most that the harness takes to notice, by `presence.GONE_S`.
        queue_s: from a node being free to a task's start on it.
        start_s: from there to its first jobs.
        setup_s: of a job before it trains, each time that it is begun or gone on with.
        checkpoint_s: of training from one checkpoint to the next.
        write_s: that a checkpoint takes.
    """

    nodes: int
    slots: int = 1
    failures_per_s: float = 0.0
    repair_s: float = 600.0
    noticed_s: float = 300.0
    gone_s: float = 30.0
    queue_s: float = 30.0
    start_s: float = START_S
    setup_s: float = SETUP_S
    checkpoint_s: float = 60.0
    write_s: float = 0.1

    @property
    def workers(self) -> int:
        return self.nodes * self.slots


@dataclass(frozen=True)
class Plan:
    """Who takes which jobs; jobs are numbers.

    Attributes:
        tasks: the own jobs of each, in the order in which tasks are submitted and jobs are taken.
        order: of all jobs, in which a task that has none of its own left takes those that wait; None: it takes none.
        walltime_s: of a task.
        stays: whether a task of a plan that shares stays until all jobs have ended, for one may come free, or leaves
            when nothing waits.
        freed_first: whether a job that comes free is taken before all others, or after them.
        requeued_first: whether a task that is queued again stands before all others in the queue, or after them.
    """

    tasks: Sequence[Sequence[int]]
    order: Sequence[int] | None = None
    walltime_s: float = math.inf
    stays: bool = True
    freed_first: bool = True
    requeued_first: bool = False


@dataclass
class Outcome:
    """What came out; seconds of workers but for the makespan.

    Attributes:
        makespan_s: when the last job ended.
        trained_s: training that counts: the jobs' work.
        lost_s: training that was done again.
        writing_s: checkpoints of it that were written to the end.
        held_s: time that workers were held by tasks, idle or not.
        failures: of nodes that had a task.
        started: how often tasks were.
        taken_over_s: for each job in training that a failure hit, until it was gone on with.
    """

    makespan_s: float = 0.0
    trained_s: float = 0.0
    lost_s: float = 0.0
    writing_s: float = 0.0
    held_s: float = 0.0
    failures: int = 0
    started: int = 0
    taken_over_s: list[float] = field(default_factory=list)


def simulate(work_s: Sequence[float], plan: Plan, cluster: Cluster, seed: int = 0) -> Outcome:
    """Run all jobs to their end.

    Args:
        work_s: (n,) seconds of training of each job, in truth.
        seed: of the failures.

    Raises:
        IndexError: no task takes some of the jobs.
    """
    return _Simulation(work_s, plan, cluster, seed).run()


@dataclass(eq=False)
class _Worker:
    """One slot of a task: the job that it is at, since when, and the number of the attempt."""

    task: _Task
    job: int | None = None
    since: float = 0.0
    attempt: int = 0


@dataclass(eq=False)
class _Task:
    own: deque[int]
    workers: list[_Worker] = field(default_factory=list)
    begun: float = 0.0
    alive: bool = True


class _Simulation:
    def __init__(self, work_s: Sequence[float], plan: Plan, cluster: Cluster, seed: int) -> None:
        self.plan, self.cluster, self.rng = plan, cluster, np.random.default_rng(seed)
        self.work = [float(work) for work in work_s]
        self.left = list(self.work)
        self.waits = [True] * len(self.work)
        self.open = len(self.work)
        #: When a failure hit a job that nobody has gone on with.
        self.hit: dict[int, float] = {}
        self.rank = {job: rank for rank, job in enumerate(plan.order or ())}
        self.waiting = [(rank, job) for job, rank in self.rank.items()]
        self.queue = deque(_Task(deque(own)) for own in plan.tasks)
        self.running: dict[_Task, None] = {}
        self.idle: dict[_Worker, None] = {}
        self.free_nodes = cluster.nodes
        self.now, self.count = 0.0, 0
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.out = Outcome(trained_s=math.fsum(self.work))

    @property
    def shares(self) -> bool:
        return self.plan.order is not None

    def at(self, time: float, what: Callable[[], None]) -> None:
        self.count += 1
        heapq.heappush(self.events, (time, self.count, what))

    def run(self) -> Outcome:
        self.fill_nodes()
        while self.open:
            self.now, _, what = heapq.heappop(self.events)
            what()
        for task in self.running:
            self.out.held_s += (self.now - task.begun) * self.cluster.slots
        self.out.makespan_s = self.now
        return self.out

    # Tasks

    def fill_nodes(self) -> None:
        while self.queue and self.free_nodes:
            self.free_nodes -= 1
            task = self.queue.popleft()
            self.at(self.now + self.cluster.queue_s, lambda task=task: self.begin(task))

    def begin(self, task: _Task) -> None:
        task.begun, task.workers = self.now, [_Worker(task) for _ in range(self.cluster.slots)]
        self.running[task] = None
        self.out.started += 1
        if self.cluster.failures_per_s:
            fails = self.now + self.rng.exponential(1 / self.cluster.failures_per_s)
            self.at(fails, lambda: self.fail(task))
        if self.plan.walltime_s < math.inf:
            self.at(self.now + self.plan.walltime_s, lambda: self.reach_walltime(task))
        self.at(self.now + self.cluster.start_s, lambda: self.work_on(task))

    def work_on(self, task: _Task) -> None:
        for worker in task.workers if task.alive else ():
            self.take(worker)
        self.leave_if_done(task)

    def end(self, task: _Task) -> None:
        task.alive = False
        self.running.pop(task, None)
        self.out.held_s += (self.now - task.begun) * self.cluster.slots
        for worker in task.workers:
            worker.attempt += 1
            self.idle.pop(worker, None)

    def leave_if_done(self, task: _Task) -> None:
        stays = self.shares and self.plan.stays
        if task.alive and not stays and all(worker.job is None for worker in task.workers):
            self.end(task)
            self.node_is_free()

    def node_is_free(self) -> None:
        self.free_nodes += 1
        self.fill_nodes()

    def fail(self, task: _Task) -> None:
        if not task.alive:
            return
        self.end(task)
        self.out.failures += 1
        hit = [worker.job for worker in task.workers if worker.job is not None]
        for worker in task.workers:
            if worker.job is not None:
                self.keep(worker, to_last_checkpoint=True)
                self.hit[worker.job] = self.now
        if self.shares:
            when = self.now
            self.at(when + self.cluster.gone_s, lambda: self.free([job for job in hit if self.hit.get(job) == when]))
        again = _Task(deque([*hit, *task.own]))
        self.at(self.now + self.cluster.noticed_s, lambda: self.queue_again(again, hit))
        self.at(self.now + self.cluster.repair_s, self.node_is_free)

    def reach_walltime(self, task: _Task) -> None:
        if not task.alive:
            return
        self.end(task)
        stopped = [worker.job for worker in task.workers if worker.job is not None]
        for worker in task.workers:
            if worker.job is not None:
                self.keep(worker, to_last_checkpoint=False)
        if self.shares:
            self.free(stopped)
        self.queue_again(_Task(deque([*stopped, *task.own])), stopped)
        self.node_is_free()

    def queue_again(self, task: _Task, stopped: Sequence[int]) -> None:
        for job in stopped:
            # As the task itself knows that it was ended, it need not wait for `gone_s`.
            self.waits[job] |= not self.shares or job in self.hit
        if self.shares or task.own:
            self.queue.insert(0 if self.plan.requeued_first else len(self.queue), task)
            self.fill_nodes()

    # Jobs

    def take(self, worker: _Worker) -> None:
        """Give a worker that has no job the next one, if there is one for it."""
        worker.job = self.next_job(worker.task)
        if worker.job is None:
            self.idle[worker] = None
            return
        job = worker.job
        self.waits[job] = False
        if job in self.hit:
            self.out.taken_over_s.append(self.now - self.hit.pop(job))
        worker.attempt += 1
        worker.since, attempt = self.now, worker.attempt
        writing = self.n_checkpoints(self.left[job]) * self.cluster.write_s
        self.at(self.now + self.cluster.setup_s + self.left[job] + writing, lambda: self.finish(worker, attempt))

    def next_job(self, task: _Task) -> int | None:
        while task.own:
            if self.waits[job := task.own.popleft()]:
                return job
        while self.waiting:
            if self.waits[job := heapq.heappop(self.waiting)[1]]:
                return job
        return None

    def finish(self, worker: _Worker, attempt: int) -> None:
        if worker.attempt != attempt or worker.job is None:
            return
        self.out.writing_s += self.n_checkpoints(self.left[worker.job]) * self.cluster.write_s
        self.open -= 1
        if self.open:
            self.take(worker)
            self.leave_if_done(worker.task)

    def keep(self, worker: _Worker, to_last_checkpoint: bool) -> None:
        """Take off what a job that is stopped has trained, as far as it is kept."""
        assert worker.job is not None
        every = self.cluster.checkpoint_s + self.cluster.write_s
        busy = max(0.0, self.now - worker.since - self.cluster.setup_s)
        written = int(busy // every) if every < math.inf else 0
        trained = min(busy - written * self.cluster.write_s, self.left[worker.job])
        kept = min(written * self.cluster.checkpoint_s, trained) if written else 0.0
        # While the next checkpoint is being written, nothing is trained.
        trained = min(trained, kept + self.cluster.checkpoint_s)
        self.out.writing_s += written * self.cluster.write_s
        self.out.lost_s += (trained - kept) if to_last_checkpoint else 0.0
        self.left[worker.job] -= kept if to_last_checkpoint else trained

    def free(self, jobs: Sequence[int]) -> None:
        """Let jobs wait again, and give them to workers that have none."""
        ahead = -len(self.work) if self.plan.freed_first else len(self.work)
        for job in jobs:
            self.waits[job] = True
            heapq.heappush(self.waiting, (self.rank[job] + ahead, job))
        for worker in list(self.idle)[: len(jobs)]:
            del self.idle[worker]
            self.take(worker)

    def n_checkpoints(self, training: float) -> int:
        """How many are written in so many seconds of training, none at its end."""
        return max(0, math.ceil(training / self.cluster.checkpoint_s) - 1)
