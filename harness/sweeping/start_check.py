"""Whether the runs of a study can start from what they are to start from, before the first one is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from harness.errors import UserError
from harness.families.adapted import fresh_parameters
from harness.families.hugging_face import describe
from harness.ladder import Job, Member
from harness.lineage import Parent
from harness.records.kept import KEPT, read_contents
from harness.records.pieces import Recorded
from harness.settings import Settings
from harness.sweeping.plan import cells
from harness.sweeping.starting import ancestry, can_start, checkpoint_of
from harness.wording import counted


def check_starts(studies: Iterable[Settings], found: Mapping[Path, Recorded]) -> None:
    """Compare checkpoints with the models that start from them, and with those that recorded runs started from.

    Parents of the same command that are not trained yet are passed over.

    Args:
        found: results folder -> what it holds.

    Raises:
        UserError: a parameter is missing in a checkpoint or of another shape, or a checkpoint has changed since runs of
            the study started from it.
    """
    for study in studies:
        if study.init_from is None:
            continue
        rows, changed = found[Path(study.results)].rows, list[Member]()
        for cell in cells(study):
            changed += [member for member in _usable(cell) if has_other_parent(cell, member, rows.get(member.run_id))]
        if changed:
            parent = changed[0].parent
            assert parent is not None
            n_runs = counted(len(changed), "run")
            raise UserError(
                f"init_from={study.init_from.asked}: the checkpoint of run {parent.run_id} has changed since "
                f"{n_runs} of study {study.study} started from such; `harness redo ... --yes` trains them anew, "
                "name=NAME gives new runs another folder"
            )
        for cell in cells(study):
            if usable := _usable(cell):
                _check_shapes(cell, usable[0])


def _usable(cell: Job) -> list[Member]:
    """The members whose parents have what they start from."""
    return [member for member in cell.members if member.parent is not None and can_start(member.parent)]


def split_orphans(jobs: Sequence[Job]) -> tuple[list[Job], list[tuple[Job, str]]]:
    """Jobs of members that have what they start from; and those without, each with why in a line."""
    able, orphans = [], []
    for job in jobs:
        members = {
            can: [m for m in job.members if (m.parent is None or can_start(m.parent)) == can] for can in (True, False)
        }
        if members[True]:
            able.append(_of_members(job, members[True]))
        for member in members[False]:
            assert member.parent is not None
            why = f"its parent, run {member.parent.run_id}, has not finished with a checkpoint"
            orphans.append((_of_members(job, [member]), why))
    return able, orphans


def lineage_line(study: Settings) -> str | None:
    """What the runs of a study start from and what of them is trained, in a line; None where from initial values."""
    if study.init_from is None:
        return None
    jobs = cells(study)
    parents = {member.parent for job in jobs for member in job.members if member.parent is not None}
    lacking = sum(not can_start(parent) for parent in parents)
    waits = f"; {lacking} of them without a checkpoint yet" if lacking else ""
    trained = [f"{job.rung.trained:,} of {job.rung.params.total:,}" for job in (jobs[0], jobs[-1])]
    of_each = " to ".join(dict.fromkeys(trained))
    from_runs = f"{study.study}: starts from {counted(len(parents), 'run')} of {study.init_from.asked}{waits}"
    return f"{from_runs}; finetune={study.finetune.kind}, {of_each} parameters trained"


def digest_problem(run: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    """What is wrong with the checkpoint that a recorded run started from; None where it is as it was, or not known."""
    started = config.get("starts_from")
    if run.get("parent_digest") is None or not isinstance(started, dict) or not started.get("results"):
        return None
    parent = Parent(str(run["parent_run"]), Path(started["results"]), int(run["parent_step"] or 0) or None)
    if not (parent.results / KEPT / parent.run_id).is_dir():
        return None
    try:
        digest = read_contents(checkpoint_of(parent)).digest
    except UserError as error:
        return f"its parent: {error}"
    if digest == run["parent_digest"]:
        return None
    return f"its parent, run {parent.run_id} in {parent.results}, has another checkpoint now than it started from"


def _of_members(job: Job, members: Sequence[Member]) -> Job:
    return Job(job.settings, job.rung, job.duration, tuple(members), job.micro_batches)


def _check_shapes(cell: Job, member: Member) -> None:
    assert member.parent is not None
    settings = cell.settings
    path, shapes = _shapes(cell, member.parent)
    with torch.device("meta"):
        model = settings.family.build(cell.rung.shape, settings.signature, settings.parametrization)
    fresh = fresh_parameters(model, settings.finetune, settings.parents_outputs, settings.signature)
    for name, parameter in model.named_parameters():
        theirs, own = shapes.get(name), tuple(parameter.shape)
        if name not in fresh and theirs != own:
            has = "is missing" if theirs is None else f"has the shape {theirs}"
            raise UserError(
                f"init_from={settings.init_from.asked}: {name} {has} in {path}, and {own} is wanted by study "
                f"{settings.study}; finetune.reset=[{name}] draws it anew"
            )


def _shapes(cell: Job, parent: Parent) -> tuple[Path, Mapping[str, tuple[int, ...]]]:
    """Where a parent's parameters are, and the shape of each."""
    if not parent.trained:
        return parent.results, describe(parent.results, cell.settings.family, cell.settings.signature.positions).shapes
    path = checkpoint_of(parent)
    return path, {name.removeprefix("model."): of for name, of in read_contents(path).shapes.items()}


def has_other_parent(cell: Job, member: Member, row: Mapping[str, Any] | None) -> bool:
    """Whether a recorded run started from a checkpoint that its parent no longer has."""
    if row is None or row.get("parent_digest") is None or member.parent is None or not can_start(member.parent):
        return False
    return bool(row["parent_digest"] != ancestry(cell, member.parent).digest)
