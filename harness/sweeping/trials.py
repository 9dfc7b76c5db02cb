"""How fast this machine trains a job, found by a trial of half a second: what a worker does of it, and many at once.

A trial builds the job's model, takes steps of its training on a state that nobody keeps, and evaluates, in a process
of its own of the kind that trains. As many trials run at a time as jobs will, for processes side by side share caches
and the way to memory. What is timed is the processor's time, as if nobody else used the machine; on a GPU, or with
several threads, it is the clock's.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch

from harness.errors import UserError
from harness.ladder import Job
from harness.sweeping.crew import Work
from harness.sweeping.processes import Process, Processes, heard
from harness.training.device import cards_for, resolve, synchronise
from harness.training.evaluation import Evaluator, examples_at_once
from harness.training.loop import evaluators_of, training_steps
from harness.training.members import Stack

Clock = Callable[[], float]

#: Seconds of a block of steps, of the shortest and the longest series of blocks, and of the evaluation.
BLOCK_S, LEAST_S, MOST_S, EVALUATION_S = 0.04, 0.16, 0.6, 0.2
#: Parts of an evaluation that is not tried whole: by the third most of the memory that it takes has been asked for.
PARTS = 3
#: Blocks agree where the quartiles of their times lie within this share of the median.
ALIKE = 0.03
#: Steps of a trial at least: with fewer a schedule's first learning rates are so small that numbers underflow, and
#: arithmetic with what underflows is slow.
STEPS = 4000
#: Where Linux says how much memory a process had at most, and is told to count anew.
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Trial:
    """What a job takes on this machine, all its members together, beside as many others as there are workers.

    Attributes:
        setup_s: seconds before the second step: the model, its trace, the evaluation set.
        step_s: seconds of a step, the drawing of its batch included.
        evaluation_s: seconds of an evaluation.
        bytes: the most memory that the process held, or a GPU for it.
    """

    setup_s: float
    step_s: float
    evaluation_s: float
    bytes: float

    def over(self, other: Trial) -> Trial:
        """Each number over that of another."""
        return Trial(*(getattr(self, f.name) / getattr(other, f.name) for f in fields(Trial)))

    def times(self, other: Trial) -> Trial:
        """Each number times that of another."""
        return Trial(*(getattr(self, f.name) * getattr(other, f.name) for f in fields(Trial)))


def try_job(job: Job, git_revision: str | None = None) -> Trial:
    """Try a job in this process, and record nothing of it.

    Its members start from initial values, whatever they are to go on from: that takes as long.
    """
    device, job = resolve(job.settings.training.device), _of_steps(job, STEPS)
    if device.type == "cpu":
        torch.set_num_threads(job.settings.launcher.threads or 1)
    now = _clock(job, device)
    with torch.no_grad():
        # The first product on a GPU waits for its libraries, as the first job of a process does and no other.
        torch.ones((8, 8), device=device).matmul(torch.ones((8, 8), device=device)).sum().item()
        started = now()
        stack = Stack.of(job, device)
        evaluators = evaluators_of(job.settings, device)
        steps = _endless(job, stack, device)
        next(steps)
        synchronise(device)
        setup_s = now() - started
        step_s = _step_s(steps, device, now)
        example_s = step_s / job.settings.ladder.batch_size / 3  # forward alone takes a third
        evaluation_s = sum(_evaluation_s(evaluator, stack, device, example_s, now) for evaluator in evaluators)
    return Trial(setup_s, step_s, evaluation_s, _peak_bytes(device))


def _clock(job: Job, device: torch.device) -> Clock:
    """That of the processor where one thread computes, so that what others take of it does not count."""
    alone = device.type == "cpu" and (job.settings.launcher.threads or 1) == 1
    return time.process_time if alone else time.perf_counter


def _of_steps(job: Job, steps: int) -> Job:
    """The job, as long as that at least."""
    durations = tuple(replace(each, steps=max(each.steps, steps)) for each in job.rung.durations)
    return replace(job, rung=replace(job.rung, durations=durations))


def _endless(job: Job, stack: Stack, device: torch.device) -> Iterator[torch.Tensor]:
    while True:
        yield from training_steps(job, stack, device)


def _step_s(steps: Iterator[torch.Tensor], device: torch.device, now: Clock) -> float:
    """Seconds of a step: the median of blocks, of which there are as many as it takes until they agree."""
    size = 1
    for _ in range(2):  # the first step after the trace is a slow one, and would make blocks too short
        size = max(1, round(size * BLOCK_S / max(_timed(steps, size, device, now), 1e-6)))
    blocks = list[float]()
    while (spent := size * sum(blocks)) < MOST_S or not blocks:
        blocks.append(_timed(steps, size, device, now) / size)
        if spent >= LEAST_S and _agree(blocks):
            break
    return statistics.median(blocks)


def _agree(blocks: Sequence[float]) -> bool:
    low, middle, high = statistics.quantiles(blocks, n=4)
    return high - low <= ALIKE * middle


def _timed(steps: Iterator[torch.Tensor], n: int, device: torch.device, now: Clock) -> float:
    started = now()
    for _ in range(n):
        next(steps)
    synchronise(device)
    return now() - started


def _evaluation_s(evaluator: Evaluator, stack: Stack, device: torch.device, example_s: float, now: Clock) -> float:
    """Seconds of an evaluation; of a large set a part is taken.

    Args:
        example_s: what an example is thought to take.
    """
    wrong = getattr(evaluator, "wrong_inputs", evaluator.inputs[:0])  # of a task of choices
    n = len(evaluator.inputs) + len(wrong)
    if n * example_s * evaluator.flops_times <= EVALUATION_S:
        return min(_evaluated_s(evaluator, stack, device, now) for _ in range(2))
    n_logits = evaluator.targets.shape[1] * evaluator.settings.signature.n_outputs
    chunk = examples_at_once(stack, n_logits, len(evaluator.inputs), evaluator.flops_times)
    part = min(len(evaluator.inputs), max(PARTS * chunk, round(EVALUATION_S / example_s / evaluator.flops_times)))
    if part == n or type(evaluator).outputs not in (Evaluator.outputs, _of_choices()):
        return _evaluated_s(evaluator, stack, device, now)
    evaluator.answers(stack, evaluator.inputs[:chunk], evaluator.targets[:chunk])  # the first part is traced
    started = now()
    evaluator.answers(stack, evaluator.inputs[:part], evaluator.targets[:part])
    synchronise(device)
    return (now() - started) * n / part


def _of_choices() -> object:
    from harness.training.choices import ChoiceEvaluator

    return ChoiceEvaluator.outputs


def _evaluated_s(evaluator: Evaluator, stack: Stack, device: torch.device, now: Clock) -> float:
    started = now()
    evaluator.measure(stack)
    synchronise(device)
    return now() - started


def _peak_bytes(device: torch.device) -> float:
    """The most that this process has held: on a GPU there, else of main memory; 0 where that is not known."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_reserved(device))
    with contextlib.suppress(OSError):
        fields_of = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return 1024.0 * int(fields_of["VmHWM"].split()[0])
    return 0.0


def take_trials(jobs: Sequence[Job], at_once: int, work: Work = try_job) -> Iterator[tuple[Job, Trial]]:
    """Try jobs, so many at a time, each in a process of its own.

    Those of like size should stand beside each other. A job that cannot be tried is left out: training it will say
    why. The last one runs beside copies of itself, so that it is not alone on the machine.

    Args:
        work: what each process does.

    Raises:
        UserError: no process can be started.
    """
    waiting, at_work = deque(jobs), dict[Process, Job | None]()
    crew = Processes(at_once, work, cards=cards_for(resolve(jobs[0].settings.training.device)))
    try:
        while waiting or any(at_work.values()):
            while len(at_work) < at_once:
                worker = _started(crew)
                at_work[worker] = waiting.popleft() if waiting else None
                worker.give(at_work[worker] or jobs[-1])
            for worker in heard(list(at_work), 1.0):
                if (trial := _ended(worker)) is not None and (job := at_work[worker]) is not None:
                    yield job, trial
                del at_work[worker]
    except (OSError, EOFError) as error:
        raise UserError(f"no process for training can be started: {error}") from error
    finally:
        for worker in at_work:
            worker.process.kill()
            worker.end()


def _started(crew: Processes) -> Process:
    worker = crew.start(None)
    worker.hear()  # that it has come up
    return worker


def _ended(worker: Process) -> Trial | None:
    """What a worker has found, which then ends; None where it could not."""
    try:
        answer = worker.hear()
    except (OSError, EOFError):
        answer = None
    worker.end()
    return answer if isinstance(answer, Trial) else None
