"""Whether the runs of a study can start from what they are to start from, before the first one is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from harness.errors import DataError, SettingError, UserError
from harness.families.adapted import fresh_parameters
from harness.families.hugging_face import describe
from harness.ladder import Job, Member
from harness.lineage import Parent
from harness.records.kept import KEPT, read_contents
from harness.records.pieces import Recorded
from harness.settings import Settings
from harness.sweeping.plan import DONE, cells
from harness.sweeping.starting import ancestry, can_start, checkpoint_of
from harness.wording import counted


def check_starts(studies: Sequence[Settings], found: Mapping[Path, Recorded]) -> None:
    """Compare checkpoints with the models that are to start from them, and with those that recorded runs started from.

    Parents of the same command that are not trained yet are passed over.

    Args:
        found: results folder -> what it holds.

    Raises:
        UserError: a checkpoint is missing, or a parameter in it, or of another shape, or it has changed since runs of
            the study started from it.
    """
    by_name = {study.study: study for study in studies}
    for study in studies:
        if study.init_from is None:
            continue
        rows, asked = found[Path(study.results)].rows, cells(study)
        _refuse_changed(study, asked, rows)
        to_do = [_left(cell, rows) for cell in asked]
        parent = by_name.get(study.init_from.asked)
        if parent is not None and parent.study != study.study:
            _refuse_unkept(parent, study, to_do)
        else:
            _refuse_missing(study, to_do)
        for cell in to_do:
            if usable := _usable(cell):
                _check_shapes(cell, usable[0])


def _left(cell: Job, rows: Mapping[str, Mapping[str, Any]]) -> Job:
    """The members of a cell that are still to be trained."""
    left = (m for m in cell.members if rows.get(m.run_id, {}).get("status") not in DONE)
    return replace(cell, members=tuple(left))


def _refuse_changed(study: Settings, asked: Sequence[Job], rows: Mapping[str, Mapping[str, Any]]) -> None:
    changed = [m for cell in asked for m in _usable(cell) if has_other_parent(cell, m, rows.get(m.run_id))]
    if not changed:
        return
    parent = changed[0].parent
    assert parent is not None
    n_runs = counted(len(changed), "run")
    raise UserError(
        f"init_from={study.init_from.asked}: the checkpoint of run {parent.run_id} has changed since {n_runs} of study "
        f"{study.study} started from such; `harness redo ... --yes` trains them anew, name=NAME gives new runs another "
        "folder"
    )


def _refuse_unkept(parent: Settings, study: Settings, to_do: Sequence[Job]) -> None:
    """Raise SettingError for a study of the same command that would leave nothing to start from."""
    keep, step = parent.training.keep, study.finetune.step
    if keep == "all" or (keep == "last" and step is None):
        return
    if any(len(_usable(cell)) < len(cell.members) for cell in to_do):
        wanted = "all" if step is not None else "last or all"
        raise SettingError("training.keep", keep, f"{wanted} in study {parent.study}, which {study.study} starts from")


def _refuse_missing(study: Settings, to_do: Sequence[Job]) -> None:
    """Raise UserError for checkpoints that are not there of runs that were trained before."""
    parents = [member.parent for cell in to_do for member in cell.members if member.parent is not None]
    lacking = [parent for parent in parents if not can_start(parent)]
    if not lacking:
        return
    at = "" if lacking[0].step is None else f" at step {lacking[0].step}"
    raise UserError(
        f"init_from={study.init_from.asked}: {len(lacking)} of {counted(len(parents), 'run')} to start from have no "
        f"checkpoint{at} in {lacking[0].results}, {lacking[0].run_id} among them; training.keep=last keeps one, and "
        "`harness redo redo.which=unkept ... --yes` trains finished runs anew to have it"
    )


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
    return replace(job, members=tuple(members))


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
    try:
        shapes = read_contents(path).shapes
    except DataError as error:
        again = f"`harness redo redo.runs=[{parent.run_id}] ... --yes` of its study trains it anew"
        raise UserError(f"init_from={cell.settings.init_from.asked}: {error}; {again}") from error
    return path, {name.removeprefix("model."): of for name, of in shapes.items()}


def has_other_parent(cell: Job, member: Member, row: Mapping[str, Any] | None) -> bool:
    """Whether a recorded run started from a checkpoint that its parent no longer has."""
    if row is None or row.get("parent_digest") is None or member.parent is None or not can_start(member.parent):
        return False
    try:
        return bool(row["parent_digest"] != ancestry(cell, member.parent).digest)
    except DataError:  # a damaged file is told of when a run is to start from it, and by verify
        return False
