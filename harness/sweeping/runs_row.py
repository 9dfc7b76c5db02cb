"""Rows of the runs table: what a job was asked to do and what became of it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import harness
from harness.families.base import ParameterCount
from harness.ladder import Job, Member, identity_settings
from harness.records.schema import LINEAGE
from harness.sweeping.starting import lineage_columns


def run_row(
    job: Job,
    member: Member,
    status: str,
    *,
    error: str | None = None,
    done: float = 1.0,
    began: int = 0,
    wall_s: float = 0.0,
    tokens_per_s: float = 0.0,
    device: str | None = None,
    versions: dict[str, str] | None = None,
    git_revision: str | None = None,
) -> dict[str, Any]:
    """The runs row of one member.

    Args:
        done: the share of its steps that it has been through.
        began: the step at which its job took over from a shorter one.
    """
    settings = job.settings
    return {
        "run_id": member.run_id,
        "experiment": settings.name,
        "study": settings.study,
        "family": settings.family.name,
        "task": settings.task.name,
        "rung": job.rung.index,
        "duration": job.duration,
        "member": member.label,
        "seed": member.seed,
        "lr": member.lr,
        "steps": job.steps,
        "batch_size": settings.ladder.batch_size,
        "micro_batches": job.micro_batches,
        **size_columns(job, done),
        "spent_flops": job.flops * max(0.0, done - began / job.steps),
        **data_columns(job, done),
        **dict.fromkeys(LINEAGE),
        **lineage_columns(job, member, done),
        "status": status,
        "error": error,
        "wall_s": wall_s,
        "tokens_per_s": tokens_per_s,
        "device": device or settings.training.device,
        "config": json.dumps(_config(job, member)),
        "versions": json.dumps({"harness": harness.__version__} | (versions or {})),
        "git_revision": git_revision,
        "finished_at": datetime.now(UTC),
    }


def size_columns(job: Job, done: float = 1.0) -> dict[str, int | float]:
    """The columns of a runs row that say how large a run is: shape, parameters by group, tokens and training FLOPs.

    Args:
        done: share of its steps that the run trains.
    """
    return {
        **dataclasses.asdict(job.rung.shape),
        **parameter_columns(job.rung.params),
        "params_trained": job.rung.trained,
        "tokens": round(job.tokens * done),
        "flops": job.flops * done,
    }


def data_columns(job: Job, done: float = 1.0) -> dict[str, int | float | None]:
    """The columns of a runs row that say how often data were repeated; null where they are generated without end.

    Args:
        done: share of its steps that the run trains.
    """
    epochs = job.epochs
    return {"unique_examples": job.unique_examples, "epochs": None if epochs is None else epochs * done}


def parameter_columns(params: ParameterCount) -> dict[str, int]:
    """The columns of a runs row that count parameters."""
    return {
        "params_total": params.total,
        "params_non_embedding": params.non_embedding,
        **{f"params_{group}": count for group, count in dataclasses.asdict(params).items()},
    }


def _config(job: Job, member: Member) -> dict[str, Any]:
    """The run's identity, and the settings beside it that a report needs."""
    identity = identity_settings(job.settings, job.rung, job.duration, member.seed, member.lr)
    # Beside the member's own learning rate those that were asked for with it, among which the best may be chosen.
    about: dict[str, Any] = {"notes": job.settings.notes, "learning_rates": job.settings.optimizer.learning_rates}
    if (parents := job.settings.init_from) is not None:
        about["starts_from"] = {
            "asked": parents.asked,
            "n_outputs": parents.n_outputs,
            "results": None if member.parent is None else str(member.parent.results),
        }
    about |= {"rules": rules} if (rules := job.rung.durations[job.duration].rules) else {}
    asked = ("training", "ladder", "launcher")
    return identity | about | {k: dataclasses.asdict(getattr(job.settings, k)) for k in asked}


def recorded_identity(config: dict[str, Any]) -> dict[str, Any]:
    """What `run_id` is the hash of, from the `config` of a recorded run."""
    beside = ("notes", "learning_rates", "rules", "starts_from", "training", "ladder", "launcher")
    return {name: value for name, value in config.items() if name not in beside}


def git_revision() -> str | None:
    """Revision of the harness's own checkout, with "-dirty" where files differ from it; None where it lies in none.

    Git is not asked about any other repository that the package or the working folder may lie in.
    """
    checkout = Path(harness.__file__).resolve().parents[1]
    if not (checkout / ".git").exists():  # a file in a worktree
        return None
    # `git describe --dirty` would write the checkout's index, and leave it locked where the disk is full.
    git = ["git", "--no-optional-locks", "-C", str(checkout)]
    try:
        revision, changed = (
            subprocess.run([*git, *command], capture_output=True, text=True, timeout=10, check=True).stdout.strip()
            for command in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{revision}-dirty" if changed else revision
