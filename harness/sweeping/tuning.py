"""How each size of a sweep is trained fastest, by trials, and which trials are worth their time.

The way to run a step and the members of a process are tried; neither changes a number. Precision, batch and seeds,
which would, are the user's. What is not tried is trained as `default_choice` says.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from harness.errors import SettingError
from harness.ladder import Job
from harness.settings import Settings
from harness.sweeping.cost import CostModel, cost_model, rough_trial, series_of
from harness.sweeping.disk import in_words
from harness.sweeping.memory import machine_bytes
from harness.sweeping.plan import Choice, cells, default_choice, pending, steps_on, why_alone
from harness.sweeping.timings import keep_trial, key_of
from harness.sweeping.trials import Trial, take_trials
from harness.sweeping.trunks import with_branches

#: Seconds of work below which nothing is tried: by then it would be done.
WORTH_S = 60.0
#: Sizes that are tried are at most this factor of FLOPs apart; between them a size is interpolated.
APART = 8.0
#: Series of jobs that make less than this share of the work are not tried.
LITTLE = 0.02
#: What a trial of each way to run a step takes: seconds, compilation included, and as many steps where steps are long.
TRIAL_S, TRIAL_STEPS = {"replayed": 1.0, "compiled": 20.0, "captured": 3.0}, 6
#: What share of what is trained in another way its trials may cost.
TRIAL_SHARE = 0.02
#: What another choice must take at most of the time of the default, for trials err by a few per cent.
FASTER = 0.92

#: Depths of a ladder up to which the ends of each are tried: where depth changes, time leaps.
MOST_DEPTHS = 3

Takes = Callable[[Sequence[Job], int], Iterable[tuple[Job, Trial]]]


@dataclass(frozen=True)
class Tuned:
    """What is known of the cost of a sweep, and how each of its cells is to train.

    Attributes:
        cost: with all trials that are known.
        device, workers: kind of device, and how many processes train at a time.
        n_tried: sizes whose trials were made just now.
    """

    cost: CostModel
    device: str
    workers: int
    n_tried: int = 0

    def choice(self, cell: Job) -> Choice:
        """The fastest of the choices whose cost is known by trials; the default where it is about as fast."""
        usual = default_choice(cell, self.device)
        known = {choice: self._known_s(cell, choice) for choice in choices(cell, self.device)}
        best = min((choice for choice in known if known[choice] < math.inf), key=lambda c: known[c], default=usual)
        return best if known[best] < FASTER * known[usual] < math.inf else usual

    def pending(self, cell: Job, status: Mapping[str, str]) -> list[Job]:
        """The jobs of a cell that are still to be done."""
        return list(pending(cell, status, self.device, self.choice(cell)))

    def _known_s(self, cell: Job, choice: Choice) -> float:
        """What a cell takes so; infinite where no trials say, of its size or of smaller and larger ones."""
        jobs = list(pending(cell, {}, self.device, choice))
        for job in _of_different_counts(jobs):
            sizes = self.cost.sizes(job)
            if not sizes or not min(sizes) <= job.rung.flops_per_example <= max(sizes):
                return math.inf
        return sum(map(self.cost.seconds, jobs))


def choices(cell: Job, device: str) -> list[Choice]:
    """Whatever may be tried for a cell, as far as its settings leave a choice; the default first."""
    usual, launcher = default_choice(cell, device), cell.settings.launcher
    if launcher.gpus_per_run > 1:
        return [usual]
    members = {usual.members}
    if launcher.members_together is None and why_alone(cell) is None:
        members |= {1, len(cell.members)}
    steps = steps_on(device) if launcher.step == "auto" else (launcher.step,)
    if cell.settings.ladder.branched:
        # What durations share is trained by one of them: to the bit the same only if all run their steps in one way.
        steps = (usual.step,)
    rest = {Choice(number, step) for number in members for step in steps} - {usual}
    return [usual, *sorted(rest, key=lambda choice: (steps.index(choice.step), choice.members))]


def known(studies: Sequence[Settings], status: Mapping[str, str], device: str, workers: int) -> Tuned:
    """What is known of studies without a trial.

    Args:
        status: how each known run ended, by run_id.

    Raises:
        UserError: a trial that was kept is damaged.
    """
    planned = [cell for study in studies for cell in cells(study)]
    jobs = [
        job
        for cell in planned
        for choice in choices(cell, device)
        for part in ({}, status)
        for job in _of_different_counts(list(pending(cell, part, device, choice)))
    ]
    n_jobs = sum(len(list(pending(cell, status, device))) for cell in planned)
    cost = cost_model(Path(studies[0].results), jobs, device, beside=max(1, min(workers, n_jobs)))
    return Tuned(cost, device, workers)


def tried(
    tuned: Tuned, studies: Sequence[Settings], status: Mapping[str, str], every: bool = True, take: Takes = take_trials
) -> Tuned:
    """What is known of studies after the trials that are worth their time; they are kept for later commands.

    Args:
        tuned: what is known before.
        status: how each known run ended, by run_id.
        every: whether to try what there is no choice about, too, so that its cost is known.
        take: what makes the trials, so many at a time.
    """
    planned = [cell for study in studies for cell in cells(study)]
    for rest in (False, True):
        by_cell = {i: jobs for i, cell in enumerate(planned) if (jobs := tuned.pending(cell, status))}
        work = sum(map(tuned.cost.seconds, with_branches(job for jobs in by_cell.values() for job in jobs)))
        if work < WORTH_S:
            return tuned
        left = [planned[i] for i in by_cell]
        wanted = _others(tuned, left, status) if rest else _usual(tuned, left, status, work, every)
        found = list(take(sorted(wanted, key=tuned.cost.seconds), tuned.cost.beside)) if wanted else []
        for job, trial in found:
            keep_trial(key_of(job, tuned.device, tuned.cost.beside), trial)
        tuned = replace(tuned, cost=tuned.cost.with_trials(found), n_tried=tuned.n_tried + len(found))
    return tuned


def _usual(tuned: Tuned, left: Sequence[Job], status: Mapping[str, str], work: float, every: bool) -> list[Job]:
    """Jobs to be tried of cells trained as they will be without another choice, of all series that make much work."""
    series: dict[str, list[Job]] = {}
    seconds: dict[str, float] = defaultdict(float)
    for cell in left:
        others = [next(pending(cell, status, tuned.device, other)) for other in choices(cell, tuned.device)[1:]]
        if not every and not any(_can_pay(tuned, [cell], [other]) for other in others):
            continue
        jobs = list(pending(cell, status, tuned.device))
        for job in _of_different_counts(jobs):
            key = series_of(job, tuned.device, tuned.cost.beside)
            series.setdefault(key, []).append(job)
            seconds[key] += sum(tuned.cost.seconds(each) for each in jobs if len(each.members) == len(job.members))
    return [job for key, jobs in series.items() if seconds[key] >= LITTLE * work for job in _spread(tuned, jobs)]


def _others(tuned: Tuned, left: Sequence[Job], status: Mapping[str, str]) -> list[Job]:
    """Jobs to be tried of cells trained otherwise, where what is trained so pays for its trials."""
    series: dict[str, list[tuple[Job, Job]]] = {}
    for cell in left:
        for choice in choices(cell, tuned.device)[1:]:
            job = next(pending(cell, status, tuned.device, choice))
            series.setdefault(series_of(job, tuned.device, tuned.cost.beside), []).append((job, cell))
    wanted = []
    for its in series.values():
        jobs = _spread(tuned, [job for job, _ in its])
        if _can_pay(tuned, [cell for _, cell in its], jobs):
            wanted += jobs
    return wanted


def _can_pay(tuned: Tuned, its: Sequence[Job], trials: Sequence[Job]) -> bool:
    """Whether trials are a small share of what is trained in these cells."""
    known = [tuned.cost.trial(job) or rough_trial(job) for job in trials]
    of_steps = sum(TRIAL_STEPS * trial.step_s for trial in known)
    trials_s = of_steps + sum(TRIAL_S[job.settings.launcher.step] for job in trials)
    seconds = sum(tuned.cost.seconds(job) for cell in its for job in pending(cell, {}, tuned.device))
    return trials_s <= TRIAL_SHARE * seconds


def _spread(tuned: Tuned, jobs: Sequence[Job]) -> list[Job]:
    """Of jobs that differ in size, those to be tried: the ends of each depth, and some between; none that are known."""
    by_size = {job.rung.flops_per_example: job for job in jobs}
    known_sizes = tuned.cost.sizes(jobs[0])
    sizes, depths = sorted(by_size), {job.rung.shape.depth for job in jobs}
    ends = {sizes[0], sizes[-1]}
    if len(depths) <= MOST_DEPTHS:
        for depth in depths:
            of_depth = [size for size in sizes if by_size[size].rung.shape.depth == depth]
            ends |= {of_depth[0], of_depth[-1]}
    chosen = sorted(ends | {size for size in known_sizes if sizes[0] <= size <= sizes[-1]})
    while gaps := [(low, high) for low, high in pairwise(chosen) if _between(sizes, low, high)]:
        low, high = max(gaps, key=lambda gap: gap[1] / gap[0])
        if high / low <= APART:
            break
        middle = min(_between(sizes, low, high), key=lambda size: abs(math.log(size**2 / low / high)))
        chosen = sorted([*chosen, middle])
    return [by_size[size] for size in chosen if size not in known_sizes]


def _between(sizes: Sequence[float], low: float, high: float) -> list[float]:
    return [size for size in sizes if low < size < high]


def _of_different_counts(jobs: Sequence[Job]) -> list[Job]:
    """Of the jobs of a cell one of each number of members."""
    return list({len(job.members): job for job in jobs}.values())


def refuse_beyond_memory(jobs: Sequence[Job], cost: CostModel) -> None:
    """Refuse members that were asked for together and that no memory of this machine can hold.

    Raises:
        SettingError: which of `launcher.members_together`.
    """
    if not (jobs and jobs[0].settings.launcher.is_here) or (most := machine_bytes(cost.device)) is None:
        return
    for job in jobs:
        asked = job.settings.launcher.members_together
        # What was not tried is known within a factor of two.
        needed = cost.bytes(job) if cost.trial(job) else cost.bytes(job) / 2
        if asked is not None and len(job.members) > 1 and needed > most:
            allowed = f"fewer: {len(job.members)} members of {job.label} take {in_words(needed)}"
            raise SettingError("launcher.members_together", asked, f"{allowed}, and this machine has {in_words(most)}")
