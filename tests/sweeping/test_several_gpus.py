"""Groups of processes as workers of a sweep: one that loses a process is ended whole, and its job goes on."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import torch
from command import TINY
from rich.console import Console
from two_processes import answer, pair

from harness.config import compose
from harness.errors import RunsWarning, SettingError
from harness.ladder import Job
from harness.records.store import load, load_runs
from harness.settings import LauncherSettings
from harness.sweeping import several_gpus
from harness.sweeping.check import refuse_ungroupable
from harness.sweeping.checkpoints import ASKED_TO_STOP, JobCheckpoints
from harness.sweeping.crew import Crew, Work
from harness.sweeping.display import Lines
from harness.sweeping.failures import Ended, JobStopped
from harness.sweeping.launchers import submitting
from harness.sweeping.plan import cells, default_choice, pending, refuse_too_few
from harness.sweeping.pool import run_jobs
from harness.sweeping.processes import Processes
from harness.sweeping.several_gpus import Groups, crew_here, follow_job
from harness.sweeping.worker import run_job
from harness.training import loop
from harness.training.device import cards_of, see_only

STEPS = 6


def jobs(*changes: str) -> list[Job]:
    """Of one run each, which writes a checkpoint after every step."""
    study, *_ = compose(
        *TINY,
        *("ladder.widths=[8]", f"ladder.steps={STEPS}", "seeds=1", "launcher.gpus_per_run=2"),
        "training.checkpoint_s=1e-9",
        *changes,
    )
    return [job for cell in cells(study) for job in pending(cell, {}, "cpu")]


def run(of: list[Job], crew: Crew) -> list[Ended]:
    return run_jobs(of, crew, "revision", Lines(Console(quiet=True), of, lambda job: 1.0))


def two(work: Work = run_job, follow: Work | None = None) -> Groups:
    return Groups(1, 2, "cpu", work, follow)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def losses(results: str) -> list[float]:
    frame: pd.DataFrame = load(results)
    return frame.loc[frame["metric"] == "loss"].sort_values(["run_id", "split", "step"])["value"].tolist()


def at_step(job: Job, step: int, what: Work, then: Work) -> object:
    """What `then` makes of a job, in which `what` happens after that step, where it has not happened before."""
    steps = loop.training_steps

    def until(*given: object) -> object:
        for taken, losses_M in enumerate(steps(*given), start=1):  # type: ignore[arg-type]
            if taken == step and not Path("happened").exists():
                Path("happened").touch()
                what(job, None)
            yield losses_M

    with patch.object(loop, "training_steps", until):
        return then(job, "revision")


def dies(job: Job, _: str | None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_after_a_checkpoint(job: Job, _: str | None) -> None:
    """The first process writes it meanwhile, in another thread than that which waits for this one."""
    while JobCheckpoints(job).step is None:
        time.sleep(0.01)
    dies(job, None)


def is_stopped(job: Job, _: str | None) -> None:
    ASKED_TO_STOP.set()


def errs(job: Job, _: str | None) -> None:
    raise ValueError("odd card")


def first_dies(job: Job, revision: str | None) -> object:
    if Path("happened").exists():
        Path("went_on_from").write_text(str(JobCheckpoints(job).step))
    return at_step(job, 4, dies, run_job)


def second_dies(job: Job, revision: str | None) -> object:
    return at_step(job, 4, dies_after_a_checkpoint, follow_job)


def second_errs(job: Job, revision: str | None) -> object:
    return at_step(job, 4, errs, follow_job)


def first_is_stopped(job: Job, revision: str | None) -> object:
    return at_step(job, 4, is_stopped, run_job)


def notes_where_it_begins(job: Job, revision: str | None) -> list[Ended]:
    if Path("happened").exists():
        Path("went_on_from").write_text(str(JobCheckpoints(job).step))
    return run_job(job, revision)


@pytest.mark.parametrize(
    ("work", "follow"), [(first_dies, None), (notes_where_it_begins, second_dies)], ids=["first", "second"]
)
def test_a_job_whose_group_loses_a_process_goes_on_from_its_checkpoint(work: Work, follow: Work | None) -> None:
    with pytest.warns(RunsWarning, match=r"killed by SIGKILL.*attempt 2 of 3 follows"):
        (ended,) = run(jobs(), two(work, follow))
    assert ended.status == "finished"
    assert Path("went_on_from").read_text() in ("3", "4")
    (undisturbed,) = jobs("results=results/undisturbed")
    run_job(replace(undisturbed, micro_batches=2), None)
    assert losses("results/tiny") == losses("results/undisturbed")
    assert len(list(Path("results/tiny/pieces").glob("*.parquet"))) == 1


def test_a_group_that_is_stopped_leaves_a_checkpoint_to_another_number_of_processes() -> None:
    (of_shards,) = jobs("launcher.shard=always")
    with pair([first_is_stopped, follow_job]) as together:
        assert isinstance(answer(together, of_shards), JobStopped)
        assert not together.ready and together.has_word
    assert JobCheckpoints(of_shards).step == 4
    (alone,) = jobs("launcher.gpus_per_run=1")
    assert run_job(alone, None)[0].status == "finished"
    (undisturbed,) = jobs("launcher.gpus_per_run=1", "results=results/undisturbed")
    run_job(undisturbed, None)
    np.testing.assert_allclose(losses("results/tiny"), losses("results/undisturbed"), rtol=1e-5)


def test_an_error_of_one_process_is_the_jobs_and_the_next_job_has_a_new_group() -> None:
    both = jobs("seeds=2")
    ended = run(both, two(run_job, second_errs))
    assert sorted(run.status for run in ended) == ["failed", "finished"]
    (error,) = load_runs("results/tiny").query("status == 'failed'")["error"]
    assert error.startswith("ValueError: odd card")


def cannot_join(rank: int, *_: object) -> None:
    if rank == 1:
        raise RuntimeError("no such card")
    signal.pause()  # as one that waits for the other


def test_a_group_one_of_which_cannot_join_ends_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several_gpus, "_join", cannot_join)
    group = two().start(None)
    with pytest.raises(EOFError):
        group.hear()
    assert group.end().why.startswith("RuntimeError: no such card") and not group.ready
    assert not any(process.process.is_alive() for process in group.processes)


# ------------------------------------------------------------------------------------------------------ cards, settings


def test_workers_are_placed_on_cards_of_their_own() -> None:
    assert [cards_of(worker, 2, 4) for worker in range(3)] == [[0, 1], [2, 3], [0, 1]]
    assert [cards_of(worker, 1, 2) for worker in range(3)] == [[0], [1], [0]]
    assert cards_of(0, 1, 1) == [], "one card need not be chosen"


@pytest.mark.parametrize(("visible", "seen"), [(None, "1"), ("4,7", "7"), ("GPU-a,GPU-b", "GPU-b")])
def test_a_process_sees_its_card_alone(visible: str | None, seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    see_only(1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == seen


def visible_card(job: Job, _: str | None) -> str | None:
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def test_a_worker_that_has_ended_leaves_its_card_to_the_next() -> None:
    crew, (job,) = Processes(2, visible_card, cards=2), jobs()  # type: ignore[arg-type]
    seen = []
    for _ in range(2):
        workers = [crew.start(None) for _ in range(2 - len(seen) // 2)]
        for worker in workers:
            worker.hear()
            worker.give(job)
            seen.append(worker.hear())
        workers[-1].end()
    assert seen == ["0", "1", "1"]
    for worker in crew.places:
        assert worker is not None
        worker.end()


def test_a_run_on_several_gpus_is_a_group_of_its_own_that_trains_one_member() -> None:
    (job,) = jobs("launcher.members_together=null")
    launcher, cpu = job.settings.launcher, torch.device("cpu")
    crew = crew_here(launcher, 3, cpu)
    assert isinstance(crew, Groups) and (crew.size, crew.per_run) == (3, 2)
    assert isinstance(crew_here(LauncherSettings(), 3, cpu), Processes)
    assert default_choice(job, "cuda").members == 1
    assert launcher.processes("cuda", 1, 8) == 4 and launcher.processes("cpu", 5) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gpus_per_run": 3}, r"launcher\.gpus_per_run=3: allowed is at most 2: a task has 2 GPUs for a run"),
        ({"gpus_per_run": 2, "workers": 2}, r"launcher\.workers=2: allowed is at most 1 with launcher\.gpus_per_run=2"),
    ],
)
def test_too_few_gpus_are_refused(changes: dict[str, int], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        refuse_too_few(LauncherSettings(**changes), "cuda", 1, 2, "a task")  # type: ignore[arg-type]
    refuse_too_few(LauncherSettings(gpus_per_run=2), "cuda", 1, 2, "a task")


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ("ladder.batch_size=1", r"launcher\.gpus_per_run"),
        ("launcher.members_together=2", r"launcher\.members_together"),
        ("launcher.step=captured", r"launcher\.step"),
    ],
)
def test_what_a_group_cannot_train_is_refused(change: str, setting: str) -> None:
    (study,) = compose(*TINY, "launcher.gpus_per_run=2", change)
    with pytest.raises(SettingError, match=setting):
        refuse_ungroupable(study)
    (study,) = compose(*TINY, change)
    refuse_ungroupable(study)


def test_a_task_of_slurm_with_too_few_cores_is_refused_before_slurm_is_asked() -> None:
    (study,) = compose(*TINY, "launcher=slurm", "launcher.gpus_per_run=2")
    with pytest.raises(SettingError, match=r"launcher\.gpus_per_run=2: allowed is at most 1: a task has 1 core"):
        submitting.sweep([study], Console(quiet=True), wait=False)
