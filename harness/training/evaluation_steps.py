"""When a run is evaluated, and what that costs beside its training: pure, without torch."""

from __future__ import annotations

import numpy as np

from harness.families.base import Shape
from harness.ladder import Job
from harness.settings import Settings
from harness.tasks.base import Task
from harness.tasks.shifts.sets import shifted_sets

#: What `_n_examples` found, by task and settings: every job of a study asks.
_counted: dict[tuple[type, str], int] = {}


def evaluation_steps(job: Job) -> set[int]:
    """At most `training.evaluations` steps up to the job's last, which is one of them.

    Spaced evenly in the logarithm from step 1 on, or, where `training.evaluate` is even, every 1 / evaluations of them.
    They are fewer where all of them would cost more FLOPs than `training.eval_share` of those of training.
    """
    training, steps = job.settings.training, job.steps
    n = training.evaluations
    if training.eval_share is not None:
        affordable = training.eval_share * job.flops / evaluation_flops(job.settings, job.rung.shape)
        n = max(1, min(n, int(affordable)))
    if training.evaluate == "even":
        return {max(1, round(s)) for s in np.linspace(steps / n, steps, n)}
    return {round(s) for s in np.geomspace(1, steps, n)} | {steps} if n > 1 else {steps}


def evaluation_flops(settings: Settings, shape: Shape) -> float:
    """FLOPs of one evaluation of one run: the forward pass on the task's evaluation set and on those of its shifts."""
    forward, task = settings.family.forward_flops(shape, settings.signature), settings.task
    own = _n_examples(task) * settings.loss.views
    # Products grow with the length of a sequence, and those of attention with its square.
    of_shifts = sum(
        len(each.batch.inputs) * (each.task.signature.context / task.signature.context) ** 2
        for each in shifted_sets(settings)
    )
    return forward * (own + of_shifts)


def _n_examples(task: Task) -> int:
    """Of a task's evaluation set, wrong answers that it offers among them."""
    key = type(task), repr(task)
    if key not in _counted:
        choices = task.choices
        _counted[key] = len(task.eval_batch().inputs) + (0 if choices is None else len(choices.wrong.inputs))
    return _counted[key]
