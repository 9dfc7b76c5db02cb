"""What a run starts from: the parameters in its parent's checkpoint, and what is recorded of where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, UserError
from harness.ladder import Job, Member
from harness.lineage import Parent
from harness.metrics import LOSS
from harness.records.encoded import select_measurements
from harness.records.kept import KEPT, check_whole, kept_steps, read_contents
from harness.records.pieces import read_piece

if TYPE_CHECKING:
    import torch

_MODEL = "model."


@dataclass(frozen=True)
class Ancestry:
    """What the runs were that a run goes on from.

    Attributes:
        step: of the checkpoint; 0 of weights from elsewhere.
        digest: SHA-256 of the checkpoint's file or files.
        tokens, flops: of training, of the parent up to its checkpoint and of the runs before it; None where not known.
    """

    step: int
    digest: str
    tokens: int | None = None
    flops: float | None = None


def checkpoint_of(parent: Parent) -> Path:
    """The file of the checkpoint that a parent was asked for.

    Raises:
        UserError: it is not there.
    """
    kept = kept_steps(parent.results / KEPT / parent.run_id)
    step = parent.step if parent.step is not None else max(kept, default=0)
    if step not in kept:
        at = "" if parent.step is None else f" at step {parent.step}"
        raise UserError(f"init_from: run {parent.run_id} has no checkpoint{at} in {parent.results / KEPT}")
    return kept[step]


def can_start(parent: Parent) -> bool:
    """Whether what a run starts from is there."""
    if not parent.trained:
        return True
    try:
        return bool(checkpoint_of(parent))
    except UserError:
        return False


def weights_of(job: Job, member: Member) -> Mapping[str, torch.Tensor]:
    """The parameters that a member of a job starts from, by name.

    Raises:
        UserError: the checkpoint is not there, or not as it was written.
    """
    from safetensors.torch import load_file

    assert member.parent is not None
    if not member.parent.trained:
        from harness.families.hugging_face import read_weights

        settings = job.settings
        positions = settings.signature.positions
        return read_weights(member.parent.results, settings.family, settings.parametrization, positions)
    path = checkpoint_of(member.parent)
    check_whole(path)
    return {name.removeprefix(_MODEL): of for name, of in load_file(path).items() if name.startswith(_MODEL)}


def ancestry(job: Job, parent: Parent) -> Ancestry:
    """What a parent's checkpoint says of it.

    Raises:
        UserError: the checkpoint is not there, or cannot be read.
    """
    if not parent.trained:
        from harness.families.hugging_face import describe

        found = describe(parent.results, job.settings.family, job.settings.signature.positions)
        return Ancestry(0, found.digest)
    contents = read_contents(checkpoint_of(parent))
    about = contents.about
    before = about.get("ancestors") or {"tokens": 0, "flops": 0.0}
    return Ancestry(
        step=int(about["step"]),
        digest=contents.digest,
        tokens=int(about["tokens"]) + before["tokens"],
        flops=float(about["flops"]) + before["flops"],
    )


def _loss(parent: Parent, step: int) -> float | None:
    """Of the parent's evaluation at a step; None where its records are not there, or do not say."""
    try:
        numbers = read_piece(parent.results, parent.run_id)["measurements"]
    except (DataError, OSError):
        return None
    rows = select_measurements(numbers, False, split="eval", subtask="all", metric=LOSS.name).to_pylist()
    return next((row["value"] for row in rows if row["step"] == step), None)


def lineage_columns(job: Job, member: Member, done: float) -> dict[str, Any]:
    """The columns of a runs row that say what a run went on from; null where it started from its initial values.

    Args:
        done: share of its steps that the run trained.
    """
    columns: dict[str, Any] = {"total_flops": job.flops * done}
    if member.parent is None:
        return columns
    columns["parent_run"] = member.parent.run_id
    try:
        found = ancestry(job, member.parent)
    except UserError:  # a run that failed because of just this
        return columns | {"total_flops": None}
    return {
        **columns,
        "total_flops": None if found.flops is None else job.flops * done + found.flops,
        "parent_step": found.step,
        "parent_digest": found.digest,
        "parent_loss": _loss(member.parent, found.step),
        "pretraining_tokens": found.tokens,
        "pretraining_flops": found.flops,
    }
