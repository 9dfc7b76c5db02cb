"""Runs of real settings with planted numbers: what a sweep would leave in a results folder, without training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.ladder import Job
from harness.records.writer import write_run
from harness.settings import Settings
from harness.sweeping.plan import cells
from harness.sweeping.runs_row import run_row

#: A ladder of six sizes and 18 runs, of an MLP on parity.
LEAP = (
    "name=leap",
    "family=mlp",
    "task=parity",
    "task.n_subtasks=2",
    "ladder.widths=[8,16,32,64,128,256]",
    "ladder.steps=5",
    "training.device=cpu",
    "seeds=3",
)


def write_planted(study: Settings, able_from: float, loss: float = 0.0) -> int:
    """Write every run of a study; accuracy leaps from .5 to .99 and the loss falls at a width. Returns their number.

    Args:
        able_from: the least width that has the ability.
        loss: added to every loss, so that one learning rate is better than another.
    """
    n = 0
    for job in cells(study):
        for member in job.members:
            row = run_row(job, member, "finished", wall_s=1.0, tokens_per_s=1.0)
            write_run(Path(study.results), row, list(_measurements(job, member.seed, able_from, loss)))
            n += 1
    return n


def _measurements(job: Job, seed: int, able_from: float, loss: float) -> Iterator[dict[str, Any]]:
    able = job.rung.shape.width >= able_from
    noise = 0.002 * math.sin(7 * seed + job.rung.shape.width)
    about = {"step": job.steps, "tokens": job.tokens, "flops": job.flops, "split": "eval", "n_eval": 1000}
    for metric in job.settings.task.metrics:
        better = metric.higher_is_better
        value = (0.99 if able else 0.5) if better else (0.05 if able else 0.69) + loss
        kind = {"higher_is_better": better, "discontinuous": metric.discontinuous, "chance": None}
        kind |= {"paired_metric": metric.paired_metric, "stderr": 0.001}
        yield about | kind | {"subtask": "all", "metric": metric.name, "value": value + noise}
