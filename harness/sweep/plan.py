"""The jobs of a study: which members are still to be trained, and which of them side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch

from harness.errors import SettingError
from harness.ladder import Job, build_ladder, member, members
from harness.settings import Settings
from harness.training.members import Stack

#: A run that ended so is not trained again: the same settings would end the same.
DONE = ("finished", "diverged")


def cells(settings: Settings) -> list[Job]:
    """Every rung at every duration with all its members in one job, smallest rung first.

    Raises:
        SettingError: a size or duration that cannot be built.
    """
    return [
        Job(settings, rung, duration, members(settings, rung, duration))
        for rung in build_ladder(settings)
        for duration in range(len(rung.steps))
    ]


def pending(cell: Job, status: Mapping[str, str], device: str) -> Iterator[Job]:
    """The jobs of a cell that are still to be done.

    Args:
        status: how each known run ended, by run_id; failed ones are tried again.
        device: kind of device the jobs will run on, e.g. "cpu".
    """
    left = tuple(m for m in cell.members if status.get(m.run_id) not in DONE)
    size = cell.settings.launcher.members_together or _together(cell, device)
    for start in range(0, len(left), size):
        yield replace(cell, members=left[start : start + size])


def _together(cell: Job, device: str) -> int:
    """On a GPU small rungs are bound by launches, so members together win for every family that vmap can run."""
    together = device != "cpu" or cell.settings.family.together_on_cpu
    return len(cell.members) if together and why_alone(cell.settings) is None else 1


def why_alone(settings: Settings) -> str | None:
    """Why members of a study cannot train side by side, tried on its smallest rung; None where they can.

    Raises:
        UserError: the model's roles are not those of its parameters.
    """
    rung = build_ladder(settings)[0]
    smallest = Job(settings, rung, 0, members(settings, rung, 0)[:1])
    return Stack.of(smallest, torch.device("cpu")).unbatched


def single_job(settings: Settings) -> Job:
    """The one run that `rung` and `seed` name, at the first duration and learning rate.

    Raises:
        SettingError: a rung off the ladder.
    """
    rungs = build_ladder(settings)
    if not 0 <= settings.rung < len(rungs):
        raise SettingError("rung", settings.rung, f"0 to {len(rungs) - 1}, the rungs of study {settings.study}")
    rung = rungs[settings.rung]
    return Job(settings, rung, 0, (member(settings, rung, 0, settings.seed, settings.optimizer.learning_rates[0]),))


def worker_count(settings: Settings, device: str) -> int:
    """Processes side by side: as many as cores this process may use, one on a GPU."""
    if settings.launcher.workers is not None:
        return settings.launcher.workers
    if device != "cpu":
        return 1
    # macOS cannot tell which cores a process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
