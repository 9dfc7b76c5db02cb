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
from harness.records.kept import read_contents
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
            usable = [member for member in cell.members if member.parent is not None and can_start(member.parent)]
            if usable:
                _check_shapes(cell, usable[0])
            changed += [member for member in usable if _has_changed(cell, member, rows.get(member.run_id))]
        if changed:
            parent = changed[0].parent
            assert parent is not None
            raise UserError(
                f"init_from={study.init_from.asked}: the checkpoint of run {parent.run_id} has changed since "
                f"{counted(len(changed), 'run')} of study {study.study} started from checkpoints there; `harness redo "
                "redo.which=all ... --yes` trains them anew, name=NAME gives new runs another folder"
            )


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


def _has_changed(cell: Job, member: Member, row: Mapping[str, Any] | None) -> bool:
    if row is None or row.get("parent_digest") is None or member.parent is None:
        return False
    return bool(row["parent_digest"] != ancestry(cell, member.parent).digest)
