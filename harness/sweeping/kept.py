"""Checkpoints of runs that stay after the end (`training.keep`): one file a run and step.

While its job trains, a run's files lie under `.sweep`, where a job that was stopped finds them again. They replace
those of an earlier training of the same run when it ends, before it is recorded as finished: a finished run has its
files, and they are of its own training.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

import harness
from harness.code_digest import digest_with
from harness.errors import DataError, UnwritableError, UserError
from harness.ladder import Job, Member, identity_settings
from harness.records.files import make_own_folder, remove_unfinished, sync_folder, write_whole
from harness.records.kept import HEADER, KEPT, kept_steps, read_contents, set_kept_aside, step_file
from harness.records.pieces import Recorded
from harness.records.seal import BLANK, seal
from harness.records.working_copy import discard, listed, pull_missing, push
from harness.settings import Settings
from harness.sweeping.claims import in_training
from harness.sweeping.plan import DONE, cells
from harness.sweeping.progress import STATE
from harness.sweeping.starting import ancestry
from harness.training.evaluation_steps import evaluation_steps
from harness.training.ledger import Outcome
from harness.training.schedules import lr_multiplier
from harness.training.state import State
from harness.wording import counted

#: Version of what a kept checkpoint holds.
FORMAT = 1


class KeptCheckpoints:
    """Keeps the states of a job's members that `training.keep` asks for."""

    def __init__(self, job: Job) -> None:
        self.job, self.asked = job, job.settings.training.keep
        self.results = Path(job.settings.results)

    def wants(self, ended: bool) -> bool:
        """Whether the state of a member at an evaluation is wanted; `ended` at its last."""
        return self.asked == "all" or (self.asked == "last" and ended)

    def keep(self, index: int, state: State) -> None:
        """Write the state of a member to where it waits for the end of its run.

        Raises:
            UnwritableError: it cannot be written; nobody would miss it before the run is over and it is too late.
        """
        from safetensors.torch import save  # needed by runs that keep something alone

        member = self.job.members[index]
        path = self._waiting(member.run_id) / step_file(state.step)
        tensors = {name: tensor.detach().cpu().clone() for name, tensor in state.tensors.items()}
        make_folders(self.results, path.parent)
        about = json.dumps(self._about(member, state.step) | {"seal": BLANK})
        write_whole(path, seal(save(tensors, metadata={HEADER: about})))

    def push_waiting(self) -> None:
        """Put what waits into the store, where the results are on one and it is not there yet; raises UserError."""
        for member in self.job.members if self.asked != "none" else ():
            folder = self._waiting(member.run_id)
            there = listed(folder)
            for path in kept_steps(folder).values():
                if path not in there:
                    push(path)

    def fetch_waiting(self) -> None:
        """Take what another machine has left waiting of this job's runs; raises UserError."""
        for member in self.job.members if self.asked != "none" else ():
            pull_missing(self._waiting(member.run_id))

    def has_all_of(self, outcomes: Sequence[Mapping[str, Any]]) -> bool:
        """Whether all files are there that are asked for of what members have been through.

        Args:
            outcomes: `status`, `stopped` and `measurements` of each member so far.
        """
        return all(
            self._file_of(member, step) is not None
            for member, outcome in zip(self.job.members, outcomes, strict=False)
            for step in self._steps(outcome, ended=outcome["stopped"] or _measured(outcome)[-1:] == [self.job.steps])
        )

    def publish(self, outcome: Outcome) -> None:
        """Put the files of a run that has ended in place of those of an earlier training of it.

        Raises:
            UserError: one cannot be put there, or has been removed meanwhile; the job goes on from its checkpoint.
        """
        member = outcome.member
        folder = self.results / KEPT / member.run_id
        steps = self._steps(vars(outcome), ended=True)
        for step in steps:
            if self._file_of(member, step) is None:
                missing = self._waiting(member.run_id) / step_file(step)
                raise UserError(f"{missing}: removed or changed while the run was in training")
        for step, path in kept_steps(folder).items():
            # Where nothing is to be kept, what was kept of the same code is as good as it was.
            if step not in steps and self.asked == "none" and not self._is_own(path, member, step):
                set_kept_aside(self.results, path)
        if self.asked == "none":
            return
        waiting = kept_steps(self._waiting(member.run_id))
        if steps:
            make_folders(self.results, folder)
        try:
            for step in steps:
                if step in waiting:
                    os.replace(waiting[step], folder / step_file(step))
                push(folder / step_file(step))
            for step, path in kept_steps(folder).items():
                if step not in steps:
                    path.unlink()
                    discard(path)
            if steps:
                sync_folder(folder)
        except OSError as error:
            raise UnwritableError(f"{folder} cannot be written: {error.strerror or error}") from error
        self._drop(member)

    def drop(self) -> None:
        """Remove what waits for the end of runs that will not have one."""
        for member in self.job.members:
            self._drop(member)

    def _drop(self, member: Member) -> None:
        _remove_waiting(self._waiting(member.run_id))

    def _steps(self, outcome: Mapping[str, Any], ended: bool) -> list[int]:
        """The steps of which a file is asked for, of a member that has been measured so far."""
        measured = _measured(outcome)
        if self.asked == "last":
            return measured[-1:] if ended and outcome["status"] == "finished" else []
        return measured if self.asked == "all" else []

    def _file_of(self, member: Member, step: int) -> Path | None:
        """This training's file of a member at a step: waiting, or in its place since before the job was stopped."""
        folders = (self._waiting(member.run_id), self.results / KEPT / member.run_id)
        paths = (folder / step_file(step) for folder in folders)
        return next((path for path in paths if self._is_own(path, member, step)), None)

    def _is_own(self, path: Path, member: Member, step: int) -> bool:
        """Whether a file was written of this run at this step by the same code."""
        try:
            return read_contents(path).about == self._about(member, step)
        except DataError:
            return False

    def _waiting(self, run_id: str) -> Path:
        return self.results / STATE / "checkpoints" / run_id

    def _about(self, member: Member, step: int) -> dict[str, Any]:
        """What a header holds: nothing that differs between two trainings with the same numbers."""
        job = self.job
        settings = identity_settings(job.settings, job.rung, job.duration, member.seed, member.lr)
        about = {
            "format": FORMAT,
            "run_id": member.run_id,
            "study": job.settings.study,
            "seed": member.seed,
            "lr": member.lr,
            "step": step,
            "steps": job.steps,
            "tokens": round(job.tokens * step / job.steps),
            "flops": job.flops * step / job.steps,
            "lr_multiplier": lr_multiplier(job.settings.schedule, step - 1, job.steps),
            "settings": settings,
            "signature": dataclasses.asdict(job.settings.signature),
            "harness": harness.__version__,
            "torch": torch.__version__,
            "code": digest_with(type(job.settings.family), type(job.settings.task)),
        }
        if member.parent is not None:
            before = ancestry(job, member.parent)
            about["ancestors"] = {"tokens": before.tokens or 0, "flops": before.flops or 0.0, "digest": before.digest}
        return dict(json.loads(json.dumps(about)))


def _measured(outcome: Mapping[str, Any]) -> list[int]:
    return sorted({row["step"] for row in outcome["measurements"]})


def make_folders(results: Path, folder: Path) -> None:
    """Make a folder of ours and those between it and the results folder, none of them through a link."""
    try:
        for part in reversed([folder, *folder.parents][: len(folder.relative_to(results).parts)]):
            make_own_folder(part)
    except OSError as error:
        raise UnwritableError(f"{folder} cannot be written: {error.strerror or error}") from error


def _remove_waiting(folder: Path) -> None:
    if not folder.is_dir():
        return
    with suppress(OSError, UserError):
        remove_unfinished(folder)
        for path in kept_steps(folder).values():
            path.unlink(missing_ok=True)
        discard(*listed(folder))
        folder.rmdir()


def remove_ended(found: Mapping[Path, Recorded]) -> None:
    """Remove, from under `.sweep`, checkpoints of runs that have ended: they are of no more use.

    Also what a killed worker had not completed there. Those of jobs in training stay.

    Args:
        found: results folder -> what it holds.
    """
    for results, its in found.items():
        folder = results / STATE / "checkpoints"
        if not (elsewhere := listed(folder)) and (folder.is_symlink() or not folder.is_dir()):
            continue
        remove_unfinished(folder)
        trained_now = {run_id for job in in_training(results) for run_id in job.run_ids}
        for path in elsewhere:
            run_id = path.relative_to(folder).parts[0].partition(".")[0]
            if its.rows.get(run_id, {}).get("status") in DONE and run_id not in trained_now:
                discard(path)
        for run_id in (run_id for run_id, row in its.rows.items() if row["status"] in DONE):
            if run_id not in trained_now:
                with suppress(OSError):
                    (folder / f"{run_id}.safetensors").unlink(missing_ok=True)
                _remove_waiting(folder / run_id)


def is_kept(job: Job, member: Member) -> bool:
    """Whether a finished run has all the checkpoints that `training.keep` asks for."""
    training = job.settings.training
    if training.keep == "none":
        return True
    steps = set(kept_steps(Path(job.settings.results) / KEPT / member.run_id))
    # One whose patience ran out was evaluated up to a step that its row does not state.
    last = max(steps, default=0) if training.patience is not None else job.steps
    wanted = {step for step in evaluation_steps(job) if step <= last}
    return last in steps and (training.keep == "last" or wanted <= steps)


def unkept_line(studies: Iterable[Settings], status: Mapping[str, str]) -> str | None:
    """How many finished runs lack checkpoints that `training.keep` asks for, and how to have them; None for none.

    Args:
        status: how each recorded run ended, by run_id.
    """
    asked = {
        (member.run_id, study.training.keep)
        for study in studies
        if study.training.keep != "none"
        for cell in cells(study)
        for member in cell.members
        if status.get(member.run_id) == "finished" and not is_kept(cell, member)
    }
    if not asked:
        return None
    n_runs, keep = len({run_id for run_id, _ in asked}), "|".join(sorted({keep for _, keep in asked}))
    has = "lacks the checkpoints" if n_runs == 1 else "lack the checkpoints"
    again = "`harness redo redo.which=unkept ... --yes` trains " + ("it" if n_runs == 1 else "them") + " again"
    return f"{counted(n_runs, 'finished run')} {has} asked for (training.keep={keep}); {again}"
