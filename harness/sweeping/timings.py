"""Trials that this machine has made, kept in files between commands.

They lie in the folder `trials` of `harness.cache_folder`, a small file each. Its name is a hash of all that the time
of a step follows from: family, size, task, batch, optimizer, precision, members, how the step is run, threads, workers
beside it, device, processor, versions and the code that trains. So none is out of date, two commands may write at
once, and a file that cannot be read is told of, for it was not we who made it so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.cache_folder import cache_folder
from harness.code_digest import code_digest, digest_of
from harness.errors import UnwritableError, UserError
from harness.ladder import Job, identity_settings
from harness.records.files import check_is_file, write_whole
from harness.sweeping.trials import Trial
from harness.training.device import describe

#: Files kept; the oldest go first.
MAX_FILES = 2000
#: Of a run's identity, what no time follows from.
_NO_MATTER = (
    *("study", "seed", "steps", "schedule", "init_from"),
    *("evaluations", "evaluate", "eval_share", "patience", "min_delta"),
)
#: Of an optimizer's settings, what decides which operations a step consists of: the one that it is, or whether it is
#: there at all.
_KIND, _WHETHER = ("kind", "nesterov"), ("weight_decay", "grad_clip")


def key_of(job: Job, device: str, beside: int) -> dict[str, Any]:
    """All that the numbers of a job's trial follow from, as JSON-ready values.

    Args:
        device: kind of device that it runs on.
        beside: how many workers train at a time, this one among them.
    """
    member = job.members[0]
    identity = identity_settings(job.settings, job.rung, job.duration, member.seed, member.lr)
    optimizer = {name: identity["optimizer"].get(name) for name in _KIND}
    optimizer |= {name: bool(identity["optimizer"].get(name)) for name in _WHETHER}
    launcher = job.settings.launcher
    return {
        **{name: value for name, value in identity.items() if name not in _NO_MATTER},
        "optimizer": optimizer,
        "members": len(job.members),
        "micro_batches": job.micro_batches,
        "step": launcher.way,
        "threads": launcher.threads or 1,
        "beside": beside,
        "machine": _machine(device),
        "code": [_training_code(), digest_of(type(job.settings.family), type(job.settings.task))],
    }


@cache
def _machine(device: str) -> dict[str, str]:
    return {
        # A plan may be for a machine that has what this one lacks.
        "device": describe(torch.device(device)) if device != "cuda" or torch.cuda.is_available() else "cuda elsewhere",
        "processor": _processor(),
        "versions": f"python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}",
    }


def _processor() -> str:
    """The kind of processor; what the platform says, where there is no /proc/cpuinfo."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.partition(':')[2].strip()} x {os.cpu_count()}"
    return f"{platform.machine()} {platform.processor()} x {os.cpu_count()}"


def _training_code() -> str:
    harness = Path(__file__).parents[1]
    return code_digest(*(harness / room for room in ("data", "families", "tasks", "training")))


#: Neither seconds nor bytes of a trial are as many.
_MOST = 1e15


def read_trial(key: Mapping[str, Any]) -> Trial | None:
    """The trial with this key; None where none is kept.

    Raises:
        UserError: its file is not as it was written.
    """
    if (path := _path(key)) is None:
        return None
    try:
        check_is_file(path)
        found = json.loads(path.read_bytes())
        trial = Trial(**found["trial"])
        values = dataclasses.astuple(trial)
        if all(type(value) in (int, float) and 0 <= value < _MOST for value in values) and trial.step_s > 0:
            return trial
        problem = "its numbers are none that a trial gives"
    except (FileNotFoundError, NotADirectoryError):  # without a folder to keep trials in, none are kept
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        problem = f"it cannot be read ({type(error).__name__})"
    raise UserError(f"{path}: a damaged record of how fast this machine trains: {problem}; remove it")


def keep_trial(key: Mapping[str, Any], trial: Trial) -> None:
    """Keep a trial. Where it cannot be written, the next command makes it again."""
    if (path := _path(key)) is None:
        return
    about = json.dumps({"trial": dataclasses.asdict(trial), "of": key}, indent=1, default=str)
    with contextlib.suppress(UnwritableError, OSError):
        write_whole(path, about.encode())
        for old in sorted(path.parent.glob("*.json"), key=lambda each: each.stat().st_mtime)[:-MAX_FILES]:
            old.unlink(missing_ok=True)


def folder() -> Path | None:
    """Where trials are kept; None where nothing is."""
    return None if (cache_of_user := cache_folder()) is None else cache_of_user / "trials"


def _path(key: Mapping[str, Any]) -> Path | None:
    if (inside := folder()) is None:
        return None
    text = json.dumps(key, sort_keys=True, default=str)
    return inside / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
