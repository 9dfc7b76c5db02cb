"""Sweeps whose results are on an object store: what each machine finds of the others' claims, states and runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import fsspec
import pytest
from command import TINY, run, start, wait
from stores import on_machine, served_by_moto

from harness.config import compose
from harness.errors import SettingError, UserError
from harness.ladder import Job
from harness.records.kept import checkpoints as kept_checkpoints
from harness.records.store import collect, finished_run_ids, load
from harness.settings import Settings
from harness.sweeping import checkpoints, presence
from harness.sweeping.checkpoints import JobCheckpoints
from harness.sweeping.claims import Claims, claimed, in_training
from harness.sweeping.failures import JobStopped
from harness.sweeping.plan import cells
from harness.sweeping.presence import Presence, refuse_if_swept, sweepers
from harness.sweeping.progress import Reporter
from harness.sweeping.share import joined
from harness.sweeping.worker import run_job

URL = "memory://bucket/results"
RUN = "0123456789abcdef"


@pytest.fixture(autouse=True)
def empty_store() -> Iterator[None]:
    fsspec.filesystem("memory").store.clear()
    yield
    fsspec.filesystem("memory").store.clear()


Machine = Callable[[str], Path]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The working copy of a machine by its name."""
    return lambda name: on_machine(tmp_path / name, monkeypatch, URL)


def objects(folder: str = "") -> list[str]:
    start = f"/bucket/results/{folder}"
    return sorted(path.removeprefix(start) for path in fsspec.filesystem("memory").store if path.startswith(start))


def elsewhere(sweeper_id: str, beat: int = 0) -> None:
    """Show that a sweep on another machine lives."""
    stated = {"id": sweeper_id, "host": "other", "machine": "another", "pid": 1, "started": 5, "beat": f"{beat:012}"}
    fsspec.filesystem("memory").pipe_file(
        f"/bucket/results/.sweep/sweeps/{sweeper_id}.json", json.dumps(stated).encode()
    )


def test_a_run_is_claimed_once_and_again_after_its_release(machine: Machine) -> None:
    with joined(machine("one")) as one, joined(machine("two")) as two:
        assert {each.id for each in sweepers(one.results)} == {one.presence.sweeper.id, two.presence.sweeper.id}
        assert one.claims.take(RUN) and one.claims.take(RUN) and not two.claims.take(RUN)
        assert claimed(two.results) == {RUN}
        with pytest.raises(UserError, match="in use by a sweep"):
            refuse_if_swept(two.results)
        one.claims.release(RUN)
        assert two.claims.take(RUN) and not one.claims.take(RUN)
    assert objects() == []


def test_claims_of_a_sweep_that_shows_no_life_are_taken_over(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(presence.time, "monotonic", lambda: now)
    far, near = Claims(machine("far"), "f" * 16), Claims(machine("near"), "e" * 16)
    elsewhere("f" * 16)
    assert far.take(RUN) and not near.take(RUN)
    now = presence.GONE_S - 1
    elsewhere("f" * 16, beat=1)
    assert not near.take(RUN)
    now = 2 * presence.GONE_S - 2
    assert not near.take(RUN)
    now += 1
    assert near.take(RUN)
    far.release(RUN)
    assert objects(".sweep/claims/") == [f"{RUN}.2"]


def test_presence_is_renewed_in_the_store(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(presence.time, "monotonic", lambda: now)
    here = Presence(machine("one"))
    (name,) = objects(".sweep/sweeps/")
    path = f"/bucket/results/.sweep/sweeps/{name}"
    before = fsspec.filesystem("memory").cat_file(path)
    now = presence.RENEWED_S
    here.renew()
    assert fsspec.filesystem("memory").cat_file(path) != before
    here.end()
    assert objects() == []


def test_a_store_that_makes_an_object_twice_is_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = type(fsspec.filesystem("memory"))
    put = memory.pipe_file
    monkeypatch.setattr(memory, "pipe_file", lambda self, path, value, mode="", **_: put(self, path, value))
    with pytest.raises(UserError, match="makes an object that exists, so no run can be claimed"), joined(machine("a")):
        pass
    assert objects() == []


def test_what_another_machine_records_meanwhile_is_not_trained(study: Settings, machine: Machine) -> None:
    def of(folder: Path) -> Job:
        return cells(replace(study, results=str(folder)))[0]

    with joined(machine("one")) as one, joined(machine("two")) as two:
        one.look()
        cell = of(two.results)
        assert len(two.take(cell).mine) == 6
        with Reporter(cell):
            assert [job.label for job in in_training(one.results)] == [cell.label]
        assert one.take(of(one.results)).elsewhere == cell.members
        run_job(cell, None)
        two.claims.release_all()
        taken = one.take(of(one.results))
        assert [(end.status, end.elsewhere) for end in taken.ended] == [("finished", True)] * 6
    assert {name.partition("/")[0] for name in objects()} == {"pieces"}


def test_a_job_goes_on_from_the_checkpoint_of_another_machine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (*TINY, "ladder.steps=20", "training.keep=all", "training.evaluations=4", "training.checkpoint_s=60")
    (study,) = compose(*words)
    whole = cells(study)[0]
    run_job(whole, None)

    def of(folder: Path) -> Job:
        return cells(replace(study, results=str(folder)))[0]

    one, two = of(machine("one")), of(machine("two"))
    _stop_at(10, one, monkeypatch)
    left = objects(".sweep/checkpoints/")
    assert f"{one.members[0].run_id}.safetensors" in left and len(left) == 1 + 3 * len(one.members)

    steps = list[int | None]()
    fetch = JobCheckpoints.fetch
    monkeypatch.setattr(JobCheckpoints, "fetch", lambda self: (fetch(self), steps.append(self.step))[0])
    run_job(two, None)
    assert steps == [10]
    assert objects(".sweep/") == []
    assert len(objects("checkpoints/")) == 4 * len(two.members)
    collect(study.results)
    values = load(URL, steps="all").set_index(["run_id", "step", "subtask", "metric"])["value"]
    assert values.equals(load(study.results, steps="all").set_index(["run_id", "step", "subtask", "metric"])["value"])
    machine("three")
    assert len(kept_checkpoints(URL)) == len(kept_checkpoints(study.results)) == 8


def _stop_at(step: int, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train a job until its process is asked to end, after some step."""
    steps, asked = iter(range(1, 10**6)), Event()

    def due(self: JobCheckpoints) -> bool:
        if next(steps) == step:
            asked.set()
        return asked.is_set()

    with monkeypatch.context() as stopping:
        stopping.setattr(checkpoints, "ASKED_TO_STOP", asked)
        stopping.setattr(JobCheckpoints, "due", property(due))
        with pytest.raises(JobStopped):
            run_job(job, None)


def test_on_a_cluster_results_are_in_a_folder(machine: Machine, tmp_path: Path) -> None:
    machine("one")
    with pytest.raises(SettingError, match=f"results={URL}: allowed is a folder that all nodes see"):
        compose(*TINY, "launcher=slurm", f"results='{URL}'")


def test_status_of_a_url(machine: Machine, study: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    job = cells(replace(study, results=str(machine("one"))))[0]
    run_job(job, None)
    assert len(finished_run_ids(machine("two"))) == 6
    ran = run(capsys, "status", *TINY, "ladder.steps=[5,10]", "seeds=3", "optimizer.lr=[0.1,0.2]", f"results={URL}")
    assert ran.code == 0 and "6" in ran.out


@pytest.mark.slow
def test_two_sweeps_of_one_url_share_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two commands with a cache folder each, as on two machines: no run twice, and the values of a sweep here."""
    monkeypatch.chdir(tmp_path)
    words = (*TINY, "ladder.widths=[4]", "seeds=4", "ladder.steps=100", "launcher.members_together=1")
    words += ("launcher.workers=1",)
    with served_by_moto("bucket"):
        sweeps = []
        for name in ("one", "two"):
            monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / name))
            sweeps.append(start("sweep", *words, "results=s3://bucket/a/results", cwd=tmp_path))
        ran = [wait(sweep, timeout_s=120) for sweep in sweeps]
        assert [each.code for each in ran] == [0, 0], ran
        trained = [
            int(line.split()[1][:-1]) for each in ran for line in each.out.splitlines() if line[:8] == "Trained "
        ]
        assert sum(trained) == 4, ran
        left = fsspec.filesystem("s3", use_listings_cache=False).find("bucket")
        assert {name.split("/")[3] for name in left} == {"pieces"} and len(left) == 4
        stored = load("s3://bucket/a/results", steps="all")
    (study,) = compose(*words)
    for cell in cells(study):
        for member in cell.members:
            run_job(replace(cell, members=(member,)), None)
    local = load(study.results, steps="all")
    by = ["run_id", "step", "subtask", "metric"]
    assert stored.set_index(by)["value"].sort_index().equals(local.set_index(by)["value"].sort_index())
