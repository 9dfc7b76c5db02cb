"""Several sweeps of one results folder, and what each clears away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command import REPOSITORY
from rich.console import Console

from harness.errors import UserError
from harness.ladder import Job
from harness.records.machine import MACHINE, process_start
from harness.settings import Settings
from harness.sweeping import presence
from harness.sweeping.claims import Claims, in_training
from harness.sweeping.display import Lines
from harness.sweeping.plan import cells
from harness.sweeping.pool import run_jobs
from harness.sweeping.presence import Presence, Watch, sweepers
from harness.sweeping.progress import Reporter
from harness.sweeping.share import Shares, joined
from harness.sweeping.worker import run_job

RUN = "0123456789abcdef"

#: Joins a folder, claims runs, and dies by SIGKILL with the claims in place.
KILLED = """
import os, sys
from pathlib import Path
from harness.sweeping.share import Shares, joined
with joined(Path(sys.argv[1])) as share:
    for run_id in sys.argv[2:]:
        assert share.claims.take(run_id)
    os.kill(os.getpid(), 9)
"""


def killed_sweep(results: Path, *run_ids: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    died = subprocess.run([sys.executable, "-c", KILLED, str(results), *run_ids], env=environment)
    assert died.returncode == -9


def elsewhere(results: Path, sweeper_id: str = "f" * 16) -> Path:
    """The file of a sweep on another machine."""
    path = results / ".sweep" / "sweeps" / f"{sweeper_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    stated = {"id": sweeper_id, "host": "other", "machine": "another", "pid": 1, "started": 5, "beat": "000000000000"}
    path.write_text(json.dumps(stated))
    return path


def test_a_run_is_claimed_once_and_again_after_its_release(tmp_path: Path) -> None:
    with joined(tmp_path) as one, joined(tmp_path) as two:
        assert {sweeper.id for sweeper in sweepers(tmp_path)} == {one.presence.sweeper.id, two.presence.sweeper.id}
        assert one.claims.take(RUN) and one.claims.take(RUN) and not two.claims.take(RUN)
        one.claims.release(RUN)
        assert two.claims.take(RUN) and not one.claims.take(RUN)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_sweeps_claims_are_free_at_once(tmp_path: Path) -> None:
    killed_sweep(tmp_path, RUN, "a" * 16)
    assert len(list(tmp_path.glob(".sweep/claims/*"))) == 2
    assert list(sweepers(tmp_path)) == []
    watch = Claims(tmp_path, "e" * 16)
    assert watch.take(RUN)
    watch.release(RUN)
    with joined(tmp_path):
        assert list(tmp_path.glob(".sweep/claims/*")) == []
        assert len(list(tmp_path.glob(".sweep/sweeps/*"))) == 1


def test_a_claim_of_another_machine_is_taken_over_when_its_sweep_shows_no_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(presence.time, "monotonic", lambda: now)
    file = elsewhere(tmp_path)
    far = Claims(tmp_path, file.stem)
    assert far.take(RUN)
    near, other = (Claims(tmp_path, elsewhere(tmp_path, letter * 16).stem) for letter in "de")
    assert not near.take(RUN)
    now = presence.GONE_S - 1
    assert not near.take(RUN)
    file.write_text(file.read_text().replace("000000000000", "000000000001"))  # it lives
    now = presence.GONE_S + 1
    assert not near.take(RUN)
    now = 2 * presence.GONE_S
    assert not near.take(RUN)
    assert not other.take(RUN), "one that looks for the first time cannot know"
    now += 2
    assert near.take(RUN)
    assert not other.take(RUN)
    # The first is only slow: it ends its run, and gives up a claim that it has lost.
    far.release(RUN)
    assert not other.take(RUN)
    near.release(RUN)
    assert other.take(RUN)


def test_of_two_that_take_over_at_once_one_has_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_sweep(tmp_path, RUN)
    one, two = Claims(tmp_path, "d" * 16), Claims(tmp_path, "e" * 16)

    def slow(self: Watch, *about: object) -> bool:
        monkeypatch.undo()
        assert two.take(RUN)  # while the first has seen that the claim is free
        return True

    monkeypatch.setattr(Watch, "is_gone", slow)
    assert not one.take(RUN)
    assert list(two.mine) == [RUN]


def test_a_claim_without_a_name_is_another_machines_in_the_making(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(presence.time, "monotonic", lambda: now)
    (path := tmp_path / ".sweep" / "claims" / f"{RUN}.1").parent.mkdir(parents=True)
    path.touch()
    claims = Claims(tmp_path, "d" * 16)
    assert not claims.take(RUN)
    now = presence.GONE_S
    assert claims.take(RUN)


def test_a_process_that_has_the_number_of_an_ended_one_is_not_taken_for_it(tmp_path: Path) -> None:
    file = elsewhere(tmp_path)
    pid = os.getpid()
    stated = json.loads(file.read_text()) | {"machine": MACHINE, "pid": pid}
    for started, n_living in ((process_start(pid), 1), (1, 0)):
        file.write_text(json.dumps(stated | {"started": started}))
        assert len(list(sweepers(tmp_path))) == n_living


def test_presence_is_renewed_in_place_and_not_in_a_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(presence.time, "monotonic", lambda: now)
    here = Presence(results := tmp_path / "results")
    (path,) = results.glob(".sweep/sweeps/*")
    before, inode = path.read_text(), path.stat().st_ino
    now = presence.RENEWED_S
    here.renew()
    assert path.read_text() != before and len(path.read_text()) == len(before)
    assert path.stat().st_ino == inode
    shutil.rmtree(results / ".sweep")
    now *= 2
    here.renew()
    assert path.exists(), "others would train its runs"
    shutil.rmtree(results)
    now *= 2
    here.renew()
    assert not results.exists()


def test_what_another_sweep_records_meanwhile_is_not_trained(study: Settings) -> None:
    cell, results = cells(study)[0], Path(study.results)
    with joined(results) as one, joined(results) as two:
        one.look()
        assert [member.run_id for member in two.take(cell).mine] == [member.run_id for member in cell.members]
        assert one.take(cell).elsewhere == cell.members
        run_job(cell, None)
        two.claims.release_all()
        taken = one.take(cell)
        assert (taken.mine, taken.elsewhere) == ((), ())
        assert [(end.status, end.elsewhere) for end in taken.ended] == [("finished", True)] * 6
        one.look()  # `redo` trains what it has seen
        assert one.take(cell).mine == cell.members


def test_only_a_claimed_job_is_in_training(study: Settings) -> None:
    job, results = cells(study)[0], Path(study.results)
    with Reporter(job):
        assert in_training(results) == []
        with joined(results) as share:
            share.take(job)
        with joined(results) as share, Reporter(job):
            share.take(job)
            assert [each.run_ids[0] for each in in_training(results)] == [job.members[0].run_id]


def test_joining_clears_what_a_killed_sweep_left(tmp_path: Path) -> None:
    dead = _dead_process()
    left = [
        tmp_path / ".sweep" / f"{RUN}.json",
        tmp_path / ".sweep" / f"{RUN}.tmp",
        tmp_path / "pieces" / f".{RUN}.parquet.{dead}.harness.tmp",
        tmp_path / f".measurements.parquet.{dead}.harness.tmp",
    ]
    kept = tmp_path / "pieces" / f"{RUN}.parquet"
    for path in (*left, kept):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with joined(tmp_path):
        assert not any(path.exists() for path in left)
    assert kept.exists()


def test_joining_clears_nothing_of_the_users_own(tmp_path: Path) -> None:
    """A results folder may be a folder with other files in it, as results=. makes it."""
    dead = _dead_process()
    own = [
        tmp_path / ".thesis.tex.tmp",
        tmp_path / f".swap.{dead}.tmp",
        tmp_path / "notes" / ".draft.tmp",
        tmp_path / "other_results" / "pieces" / f".x.parquet.{dead}.harness.tmp",
        tmp_path / "pieces" / ".x.parquet.tmp",
        tmp_path / ".sweep" / "notes.json",
        tmp_path / ".sweep" / "claims" / "notes.1",
        tmp_path / ".sweep" / "sweeps" / "notes.json",
        # Being written at this moment, by another process.
        tmp_path / "pieces" / f".x.parquet.{os.getpid()}.harness.tmp",
    ]
    for path in own:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    with joined(tmp_path):
        pass
    assert [path.read_text() for path in own] == ["mine"] * len(own)


def _dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("link", [".sweep", ".sweep/sweeps"])
def test_a_folder_whose_state_is_a_link_is_refused(tmp_path: Path, link: str) -> None:
    elsewhere, results = tmp_path / "elsewhere", tmp_path / "results"
    elsewhere.mkdir()
    (mine := elsewhere / "lock").write_text("precious")
    (results / link).parent.mkdir(parents=True)
    (results / link).symlink_to(elsewhere)
    with pytest.raises(UserError, match=f"{Path(link).name} is a symbolic link"), joined(results):
        pass
    assert mine.read_text() == "precious"
    assert list(elsewhere.iterdir()) == [mine]


def test_pieces_that_are_a_link_are_not_cleared(tmp_path: Path) -> None:
    results, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    results.mkdir()
    elsewhere.mkdir()
    (left := elsewhere / f".x.{_dead_process()}.harness.tmp").touch()
    (results / "pieces").symlink_to(elsewhere)
    with joined(results):
        pass
    assert left.exists()


class Given(Exception):
    """A worker was given a job."""


class Idle:
    """A crew of one worker, which waits for a job; `heard` is a pool's only pause."""

    size, ready, is_fresh = 1, True, True

    def __init__(self, pause: Callable[[float], None]) -> None:
        self.pause = pause

    def start(self, git_revision: str | None) -> Idle:
        return self

    def heard(self, workers: object, timeout_s: float) -> list[Idle]:
        self.pause(timeout_s)
        return []

    def give(self, job: Job) -> None:
        raise Given

    def dismiss(self) -> None: ...

    def end(self) -> None: ...


def test_a_death_on_another_machine_is_noticed_within_30_s(study: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that the pool's pauses move on; the process dies when it has just renewed its file, which is worst."""
    now, died = 100.0, 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    job, results = cells(study)[0], Path(study.results)
    file = elsewhere(results)
    far = Claims(results, file.stem)
    assert all(far.take(member.run_id) for member in job.members)

    def pause(seconds: float) -> None:
        nonlocal now, died
        now += seconds
        if not died and now > 107:
            file.write_text(file.read_text().replace("000000000000", "000000000001"))
            died = now

    with joined(results) as mine, pytest.raises(Given):
        mine.look()
        display = Lines(Console(quiet=True), [job], lambda job: 1.0)
        run_jobs([job], Idle(pause), None, display, Shares([mine]))
    assert presence.GONE_S < now - died < 30


def test_what_one_look_can_tell_of_another_machine_is_told_within_30_s(tmp_path: Path) -> None:
    file = elsewhere(tmp_path)
    assert [sweeper.host for sweeper in sweepers(tmp_path)] == ["other"]
    for age_s, n_living in ((presence.GONE_S, 1), (29, 0)):
        os.utime(file, (time.time() - age_s,) * 2)
        assert len(list(sweepers(tmp_path))) == n_living
