"""Checkpoints that stay: what is in them, when they appear, and what happens to them when something goes wrong."""

from __future__ import annotations

import dataclasses
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from recurrent import Recurrent
from safetensors.torch import load_file
from tiny import Mixed, NextSymbol, SignOfSum, job_of, make_settings

from harness.errors import UserError
from harness.families.mlp import MLP
from harness.families.transformer import Transformer
from harness.kept_models import load_model
from harness.ladder import Job
from harness.records.kept import kept_files, kept_steps, read_contents
from harness.records.pieces import recorded
from harness.sweeping import kept, worker
from harness.sweeping.checkpoints import JobCheckpoints, checkpoint_path
from harness.sweeping.disk import checkpoint_bytes, kept_bytes, member_bytes
from harness.sweeping.kept import KeptCheckpoints, is_kept, remove_ended
from harness.sweeping.worker import run_job
from harness.training.evaluation_steps import evaluation_steps
from harness.training.ledger import Ledger, Outcome
from harness.training.loop import Training
from harness.training.members import Stack
from harness.training.state import KeepsNothing, NoCheckpoints, NoTrunk, State


class Stopped(BaseException):
    """As if the process had been killed."""


def job_with(tmp_path: Path, keep: str = "last", family: Any = None, task: Any = None, **changes: Any) -> Job:
    given = {"results": str(tmp_path / "own"), "training__keep": keep, "seeds": 2} | changes
    return job_of(make_settings(family or MLP(), task or SignOfSum(), **given))


def folder_of(job: Job, index: int = 0) -> Path:
    return Path(job.settings.results) / "checkpoints" / job.members[index].run_id


def files(job: Job) -> dict[tuple[str, int], bytes]:
    return {(run_id, step): path.read_bytes() for run_id, step, path in kept_files(Path(job.settings.results))}


def trained_alone(job: Job, index: int) -> Training:
    """One member after the last step of a job of its own."""
    alone = dataclasses.replace(job, members=job.members[index : index + 1])
    with torch.no_grad():
        stack = Stack.of(alone, torch.device("cpu"))
        own = Ledger.of(alone, KeepsNothing())
        training = Training.of(torch.device("cpu"), stack, own, NoCheckpoints(), NoTrunk())
        training.run(lambda progress: None)
    return training


@pytest.mark.parametrize(
    ("family", "task", "changes"),
    [
        (MLP(), SignOfSum(), {"optimizer__kind": "adamw", "optimizer__lr": [0.01, 0.1]}),
        (Transformer(), NextSymbol(), {"optimizer__kind": "muon", "parametrization__kind": "mup"}),
        (Recurrent(), NextSymbol(), {"optimizer__kind": "sgd"}),
    ],
)
def test_the_last_state_of_every_member_is_kept_to_the_bit(
    tmp_path: Path, family: Any, task: Any, changes: dict[str, Any]
) -> None:
    job = job_with(tmp_path, family=family, task=task, **changes)
    run_job(job, None)
    for index, member in enumerate(job.members):
        ((step, path),) = kept_steps(folder_of(job, index)).items()
        assert step == job.steps
        training, found = trained_alone(job, index), load_file(path)
        wholes = {"model": training.stack.params_MP}
        wholes |= {f"optimizer.{name}": average for name, average in training.optimizer.averages.items()}
        expected = {f"{whole}.{n}": p[0] for whole, v in wholes.items() for n, p in training.stack.by_name(v).items()}
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            assert torch.equal(found[name], tensor), name
        about = read_contents(path).about
        assert (about["run_id"], about["seed"], about["lr"]) == (member.run_id, member.seed, member.lr)


@pytest.mark.parametrize(
    ("family", "task"),
    [(MLP(), SignOfSum()), (Transformer(dropout=0.2), NextSymbol()), (Transformer(encoder="mlp"), Mixed())],
)
def test_a_model_made_from_a_file_has_the_loss_that_was_recorded(tmp_path: Path, family: Any, task: Any) -> None:
    job = job_with(tmp_path, "all", family, task, parametrization__kind="mup")
    run_job(job, None)
    row = worker.run_row(job, job.members[0], "finished")
    assert json.loads(row["config"])["training"]["keep"] == "all"
    training = trained_alone(job, 0)
    recorded_loss = {
        row["step"]: row["value"]
        for row in training.own.outcomes[0].measurements
        if (row["metric"], row["split"], row["subtask"]) == ("loss", "eval", "all")
    }
    batch = task.eval_batch()
    for step, path in kept_steps(folder_of(job)).items():
        with torch.no_grad():
            logits = load_model(path, family if task.name == "sign_of_sum" else None)(torch.from_numpy(batch.inputs))
        losses = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), torch.from_numpy(batch.targets).flatten(), reduction="none"
        )
        scored = batch.scored.flatten()
        assert np.isclose(losses.numpy()[scored].mean(), recorded_loss[step], rtol=1e-4)


@pytest.mark.parametrize("optimizer", ["gd", "sgd", "adam", "adamw", "muon"])
def test_the_size_on_disk_is_that_which_was_predicted(tmp_path: Path, optimizer: str) -> None:
    job = job_with(tmp_path, "all", optimizer__kind=optimizer, ladder__depths=[2])
    run_job(job, None)
    contents = files(job).values()
    headers = [8 + struct.unpack("<Q", content[:8])[0] for content in contents]
    assert len(contents) == 2 * len(evaluation_steps(job))
    assert sum(map(len, contents)) - sum(headers) == kept_bytes(job)
    stack = trained_alone(job, 0)
    JobCheckpoints(job).write(State(1, {"params": stack.stack.params_MP.repeat(2, 1)} | stack.optimizer.averages))
    assert checkpoint_bytes(job) == 2 * 2 * member_bytes(job)


def stop_after(monkeypatch: pytest.MonkeyPatch, write_at: int, stop_at: int) -> None:
    """A checkpoint after one step, and death after another."""
    steps = iter(range(1, 10**6))

    def due(self: JobCheckpoints) -> bool:
        if (step := next(steps)) == stop_at:
            raise Stopped
        return step == write_at

    monkeypatch.setattr(JobCheckpoints, "due", property(due))


STOPPING = {
    "training__evaluate": "even",
    "training__evaluations": 12,
    "training__patience": 2,
    "optimizer__lr": [0.01, 3],
}


@pytest.mark.parametrize("keep", ["last", "all"])
@pytest.mark.parametrize("changes", [{}, STOPPING])
def test_a_job_that_was_stopped_ends_with_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str, changes: dict[str, Any]
) -> None:
    whole = job_with(tmp_path, keep, **changes, results=str(tmp_path / "whole"))
    run_job(whole, None)
    job = job_with(tmp_path, keep, **changes)
    stop_after(monkeypatch, 7, 9)
    with pytest.raises(Stopped):
        run_job(job, None)
    monkeypatch.undo()
    assert not files(job) and JobCheckpoints(job).step == 7
    run_job(job, None)
    assert files(job) == files(whole)
    assert not list((tmp_path / "own" / ".sweep" / "checkpoints").iterdir())
    assert all(is_kept(job, member) for member in job.members)


def test_it_begins_anew_where_a_file_of_an_earlier_step_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(monkeypatch, 7, 9)
    with pytest.raises(Stopped):
        run_job(job_with(tmp_path, "none"), None)
    monkeypatch.undo()
    assert JobCheckpoints(job_with(tmp_path, "last")).step == 7, "nothing is lost by asking for the last one meanwhile"
    job = job_with(tmp_path, "all")
    assert JobCheckpoints(job).step is None
    run_job(job, None)
    assert sorted(kept_steps(folder_of(job))) == sorted(evaluation_steps(job))


def test_a_diverged_run_keeps_nothing_of_its_diverged_state(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"optimizer__kind": "gd", "loss__kind": "mse", "optimizer__lr": [0.01, 1e4], "seeds": 1}
    for keep in ("last", "all"):
        job = job_with(tmp_path, keep, **changes, results=str(tmp_path / keep))
        assert [run.status for run in run_job(job, None)] == ["finished", "diverged"]
        steps = kept_steps(folder_of(job, 1))
        assert (0 < len(steps) < len(kept_steps(folder_of(job, 0)))) if keep == "all" else not steps
        for path in steps.values():
            model = {name: part for name, part in load_file(path).items() if name.startswith("model.")}
            assert all(part.isfinite().all() for part in model.values())


def test_a_worse_end_of_the_same_run_leaves_the_files_of_the_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_with(tmp_path, "all")
    run_job(job, None)
    before, trains = files(job), worker.train_job

    def diverges(*args: Any) -> list[Outcome]:
        outcomes = trains(*args)
        for outcome in outcomes:
            outcome.status, outcome.error = "diverged", "planted"
        return outcomes

    monkeypatch.setattr(worker, "train_job", diverges)
    monkeypatch.setattr(kept, "digest_with", lambda *classes: "other")
    assert {run.status for run in run_job(job, None)} == {"diverged"}
    assert files(job) == before


@pytest.mark.parametrize("keep", ["none", "last"])
def test_a_run_that_is_trained_again_takes_its_old_files_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    first = job_with(tmp_path, "all")
    run_job(first, None)
    before = files(first)
    monkeypatch.setattr(kept, "digest_with", lambda *classes: "other")
    run_job(job_with(tmp_path, keep), None)
    assert {step for _, step in files(first)} == ({first.steps} if keep == "last" else set())
    assert all(read_contents(path).about["code"] == "other" for *_, path in kept_files(tmp_path / "own"))
    aside = sorted(path.read_bytes() for path in (tmp_path / "own").glob("set_aside/*"))
    assert aside == (sorted(before.values()) if keep == "none" else []), "nothing is deleted that nothing replaces"


def test_a_finished_run_is_never_recorded_without_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_with(tmp_path, "all")
    writes = worker.write_run

    def full(*_: Any) -> bool:
        assert kept_steps(folder_of(job)), "before the run is"
        raise UserError("disk full")

    monkeypatch.setattr(worker, "write_run", full)
    stop_after(monkeypatch, 7, 10**6)
    with pytest.raises(UserError, match="disk full"):
        run_job(job, None)
    monkeypatch.undo()
    assert JobCheckpoints(job).step == 7, "goes on from there, though files have been put into their place"
    assert worker.write_run is writes
    assert {run.status for run in run_job(job, None)} == {"finished"}
    assert all(is_kept(job, member) for member in job.members)


@pytest.mark.parametrize("at", ["checkpoints", ".sweep/checkpoints"])
@pytest.mark.parametrize("as_link", [True, False])
def test_where_it_cannot_be_written_the_sweep_stops_and_the_run_is_not_recorded(
    tmp_path: Path, at: str, as_link: bool
) -> None:
    job = job_with(tmp_path)
    place, elsewhere = tmp_path / "own" / at, tmp_path / "elsewhere"
    place.parent.mkdir(parents=True)
    elsewhere.mkdir()
    if as_link:
        place.symlink_to(elsewhere)
    else:
        place.write_text("in the way")
    with pytest.raises(UserError, match=f"{place}.* cannot be written"):
        run_job(job, None)
    assert not recorded(tmp_path / "own").rows
    assert not list(elsewhere.iterdir())


def test_what_ended_is_cleared_away_and_nothing_else(tmp_path: Path) -> None:
    job = job_with(tmp_path, seeds=3)
    done = dataclasses.replace(job, members=job.members[:1])
    run_job(done, None)
    folder = tmp_path / "own" / ".sweep" / "checkpoints"
    state = State(4, {"model.x": torch.zeros(1)}, {"outcomes": []})
    for index in range(2):
        one = dataclasses.replace(job, members=job.members[index : index + 1])
        JobCheckpoints(one).write(state)
        KeptCheckpoints(one).keep(0, state)
    (folder / "own.txt").write_text("a user's")
    (folder / f".x.safetensors.{2**22 + 1}.harness.tmp").write_text("of a dead process")
    remove_ended({tmp_path / "own": recorded(tmp_path / "own")})
    left = {job.members[1].run_id, f"{job.members[1].run_id}.safetensors", "own.txt"}
    assert {path.name for path in folder.iterdir()} == left
    assert checkpoint_path(dataclasses.replace(job, members=job.members[1:2])).exists()
    assert kept_steps(folder_of(done)), "what is kept stays"


def test_it_is_no_part_of_a_runs_identity(tmp_path: Path) -> None:
    assert job_with(tmp_path, "none").members == job_with(tmp_path, "all").members
