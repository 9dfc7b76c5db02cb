"""The jobs of a study: which members are still to be trained, and which of them train side by side."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from harness.errors import SettingError
from harness.families.base import Shape
from harness.ladder import (
    Job,
    Member,
    Rung,
    build_ladder,
    identity_settings,
    learning_rates,
    member,
    members,
    members_of_seeds,
    rung_of_size,
)
from harness.records.machine import cores
from harness.settings import LauncherSettings, Settings
from harness.training.device import cards_for
from harness.training.members import Stack
from harness.wording import counted

#: Runs that ended so are not trained again, for the same settings would give the same end.
DONE = ("finished", "diverged")

#: Columns of the runs table by which runs of a study are of one size, duration and learning rate.
_SAME_SIZE = ("rung", "width", "depth", "heads", "duration", "lr")

#: What `why_alone` found, by the model that it tried: every cell of a study asks.
_why_alone: dict[str, str | None] = {}


def cells(settings: Settings) -> list[Job]:
    """Every rung at every duration with all its members in one job, smallest rung first.

    Raises:
        SettingError: a size or duration that cannot be built.
    """
    return [
        Job(settings, rung, duration, members(settings, rung, duration))
        for rung in build_ladder(settings)
        for duration in range(len(rung.durations))
    ]


def recorded_rung(study: Settings, run: Mapping[str, Any]) -> Rung | None:
    """The rung of a row of the runs table; None where these settings do not build its size.

    It keeps the number that the run was recorded with, so that a number means one size.
    """
    shape = Shape(int(run["width"]), int(run["depth"]), int(run["heads"]))
    rung = rung_of_size(study, shape.width, shape.depth, int(run["rung"]))
    return rung if rung is not None and rung.shape == shape else None


def recorded_cells(study: Settings, runs: Iterable[Mapping[str, Any]]) -> list[Job]:
    """The recorded runs of a study that were made under just these settings, with all members of a cell in one job.

    Sizes and seeds beyond the study's own ladder, which refining or an earlier sweep has added, are among them.

    Args:
        runs: rows of the runs table.
    """
    # Thousands of seeds are of the same few sizes, and it takes a while to build one.
    alike: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for run in runs:
        if run["study"] == study.study:
            alike.setdefault(tuple(run[name] for name in _SAME_SIZE), []).append(run)
    found: dict[tuple[Shape, int], tuple[Rung, list[Member]]] = {}
    for its in alike.values():
        rung, duration, lr = recorded_rung(study, its[0]), int(its[0]["duration"]), its[0]["lr"]
        if rung is None or duration >= len(rung.durations) or lr not in learning_rates(study, rung, duration):
            continue
        made = members_of_seeds(study, rung, duration, lr, [int(run["seed"]) for run in its])
        same = [each for each, run in zip(made, its, strict=True) if each.run_id == run["run_id"]]
        if same:
            found.setdefault((rung.shape, duration), (rung, []))[1].extend(same)
    jobs = [Job(study, rung, duration, tuple(made)) for (_, duration), (rung, made) in found.items()]
    return sorted(jobs, key=lambda job: (job.rung.index, job.duration))


def is_done(study: Settings, status: Mapping[str, str]) -> bool:
    """Whether no run of a study's own ladder is left to be trained; `status` as `pending` takes it."""
    return all(status.get(each.run_id) in DONE for cell in cells(study) for each in cell.members)


@dataclass(frozen=True)
class Choice:
    """How the members of a cell train; it changes none of their numbers.

    Attributes:
        members: how many of them one process trains side by side.
        step: the way in which it runs a step, of `steps_on`.
    """

    members: int
    step: str


def steps_on(device: str) -> tuple[str, ...]:
    """The ways to run a training step that may be tried on a kind of device, that of `launcher.step=auto` first."""
    compiled = ("compiled",) if has_compiler() else ()
    return {"cpu": ("replayed", *compiled), "cuda": ("replayed", "captured", *compiled)}.get(device, ("replayed",))


def has_compiler() -> bool:
    """Whether there is a C++ compiler, without which torch.compile makes nothing."""
    return any(shutil.which(name) for name in (os.environ.get("CXX") or "c++", "g++", "clang++"))


def default_choice(cell: Job, device: str) -> Choice:
    """What is asked for, and where nothing is, what is fastest for most models without a trial."""
    launcher = cell.settings.launcher
    members = launcher.members_together or (_together(cell, device) if launcher.gpus_per_run == 1 else 1)
    return Choice(members, launcher.way)


def pending(cell: Job, status: Mapping[str, str], device: str, choice: Choice | None = None) -> Iterator[Job]:
    """The jobs of a cell that are still to be done.

    Args:
        status: how each known run ended, by run_id; failed ones are tried again.
        device: kind of device the jobs will run on, e.g. "cpu".
        choice: how they train; by default as `default_choice` says.
    """
    left = tuple(m for m in cell.members if status.get(m.run_id) not in DONE)
    if not left:
        return
    choice = choice or default_choice(cell, device)
    settings = replace(cell.settings, launcher=replace(cell.settings.launcher, step=choice.step))
    for start in range(0, len(left), choice.members):
        yield replace(cell, settings=settings, members=left[start : start + choice.members])


def _together(cell: Job, device: str) -> int:
    """All of them on a GPU, on a CPU as many as `Family.together_flops` has it, in jobs about alike; one without vmap.

    There members together win where a step's operations take longer to call than to carry out.
    """
    n, of_step = len(cell.members), cell.rung.flops_per_example * cell.settings.ladder.batch_size
    most = n if device != "cpu" else int(min(n, cell.settings.family.together_flops / of_step))
    if most < 2 or why_alone(cell) is not None:
        return 1
    return math.ceil(n / math.ceil(n / most))


def why_alone(cell: Job) -> str | None:
    """Why members of a study cannot train side by side, tried on the smallest size of its ladder; None where they can.

    Raises:
        UserError: the model's roles are not those of its parameters.
    """
    (first, *_) = cell.members
    identity = identity_settings(cell.settings, cell.rung, cell.duration, first.seed, first.lr)
    model = json.dumps({name: identity[name] for name in ("family", "task", "parametrization", "precision")})
    if model not in _why_alone:
        smallest = build_ladder(cell.settings)[0]
        _why_alone[model] = Stack.of(Job(cell.settings, smallest, 0, (first,)), torch.device("cpu")).unbatched
    return _why_alone[model]


def single_job(settings: Settings) -> Job:
    """The one run that `rung` and `seed` name, at the first duration and learning rate.

    Raises:
        SettingError: a rung off the ladder.
    """
    rungs = build_ladder(settings)
    if not 0 <= settings.rung < len(rungs):
        raise SettingError("rung", settings.rung, f"0 to {len(rungs) - 1}, the rungs of study {settings.study}")
    rung = rungs[settings.rung]
    return Job(settings, rung, 0, (member(settings, rung, 0, settings.seed, learning_rates(settings, rung, 0)[0]),))


def worker_count(settings: Settings, device: str) -> int:
    """What trains side by side on this machine: as many processes, or groups of them, as its cores or GPUs hold.

    Raises:
        SettingError: more threads or GPUs than there are, or a way to run a step that this device does not have.
    """
    launcher, n_cores = settings.launcher, cores()
    threads = launcher.threads or 1
    if threads > n_cores:
        raise SettingError("launcher.threads", threads, f"at most {n_cores}, the cores that this process may use")
    if threads > 1 and device == "cpu" and (launcher.workers or 1) * threads > n_cores:
        allowed = f"at most {n_cores // threads} with launcher.threads={threads}: this process may use {n_cores} cores"
        raise SettingError("launcher.workers", launcher.workers, allowed)
    refuse_step(launcher, device)
    cards = max(1, cards_for(torch.device(device)))
    refuse_too_few(launcher, device, n_cores, cards, "this machine")
    return launcher.processes(device, n_cores, cards)


def refuse_too_few(launcher: LauncherSettings, device: str, n_cores: int, cards: int, where: str) -> None:
    """Raise SettingError where there are too few GPUs, or cores, for all that is to train a run together."""
    if (n := launcher.gpus_per_run) == 1:
        return
    if device not in ("cpu", "cuda"):
        raise SettingError("launcher.gpus_per_run", n, f"1 on {device}, of which a machine has one")
    has, of = (n_cores // (launcher.threads or 1), "core") if device == "cpu" else (cards, "GPU")
    if n > has:
        raise SettingError("launcher.gpus_per_run", n, f"at most {has}: {where} has {counted(has, of)} for a run")
    if launcher.workers is not None and launcher.workers * n > has:
        allowed = f"at most {has // n} with launcher.gpus_per_run={n}: {where} has {counted(has, of)}"
        raise SettingError("launcher.workers", launcher.workers, allowed)


def refuse_step(launcher: LauncherSettings, device: str) -> None:
    """Raise SettingError for a way to run a step that a kind of device does not have."""
    if launcher.step not in (ways := ("auto", *steps_on(device))):
        lacks = "" if has_compiler() else "; compiled needs a C++ compiler (g++ or clang++), and none is installed"
        raise SettingError("launcher.step", launcher.step, f"one of {', '.join(ways)} on {device}{lacks}")


def only_waiting(settings: Settings, verb: str) -> None:
    """Raise SettingError where jobs are to be submitted, for a verb that waits for what it trains."""
    if (engine := settings.launcher.engine) == "slurm":
        raise SettingError("launcher.engine", engine, f"local or ray for {verb}, which waits for what it trains")
