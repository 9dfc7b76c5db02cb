"""`harness redo`: shows first, trains what was asked for, and destroys nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command import TINY, run
from piece_files import recorded_run
from tiny_results import RESULTS, pieces, record_otherwise

from harness.ladder import Job, rung_of_size
from harness.records.store import finished_run_ids
from harness.settings import Settings
from harness.sweeping import run as verbs
from harness.sweeping import worker
from harness.sweeping.plan import cells
from harness.sweeping.sites import seed_jobs
from harness.sweeping.worker import run_job, write_failure


def column(name: str) -> dict[str, object]:
    return {run_id: recorded_run(RESULTS, run_id)[name] for run_id in finished_run_ids(RESULTS)}


def trained_again(before: dict[str, object]) -> set[str]:
    """Runs that were recorded anew since."""
    return {run_id for run_id, time in column("finished_at").items() if before[run_id] != time}


def test_nothing_changed_is_nothing_to_do(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "redo", *TINY)
    assert shown.code == 0
    assert "Nothing to train anew: no recorded run of these settings has other counts" in shown.out
    assert "Nothing to train anew" in run(capsys, "redo", *TINY, "--yes").out


def test_a_dry_run_first_then_only_what_changed(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    changed = cells(trained)[0]
    for member in changed.members:
        record_otherwise(member.run_id, params_mlp=7, flops=1.0)
    before, times = pieces(), column("finished_at")
    shown = run(capsys, "redo", *TINY)
    assert shown.code == 0
    assert re.search(r"main +0 +4 +1 +5 +0, 1 +2", shown.out)
    assert "2 runs to train anew in 1 job" in shown.out and "Predicted for mlp" in shown.out
    assert "Nothing was trained: --yes" in shown.out
    assert pieces() == before
    done = run(capsys, "redo", *TINY, "--yes")
    assert done.code == 0, done
    assert "Trained 2: 2 finished" in done.out
    assert trained_again(times) == {member.run_id for member in changed.members}
    assert {column("params_mlp")[member.run_id] for member in changed.members} == {changed.rung.params.mlp}
    assert run(capsys, "verify", *TINY).code == 0
    assert "Nothing to train anew" in run(capsys, "redo", *TINY, "--yes").out


@pytest.mark.parametrize(
    ("words", "n_runs"),
    [
        (["redo.which=all"], 4),
        (["redo.which=finished"], 4),
        (["redo.which=all", "redo.rungs=[1]"], 2),
        (["redo.which=all", "redo.rungs=[1]", "redo.seeds=[0]"], 1),
        (["redo.which=failed"], 0),
        (["redo.which=diverged"], 0),
        (["redo.which=all", "redo.before=2001-01-01"], 0),
        (["redo.which=all", "redo.before=2999-01-01T00:00:00"], 4),
    ],
)
def test_choices(trained: Settings, capsys: pytest.CaptureFixture[str], words: list[str], n_runs: int) -> None:
    shown = run(capsys, "redo", *TINY, *words)
    assert shown.code == 0
    assert (f"{n_runs} runs to train anew" if n_runs else "is among those chosen under redo") in shown.out


def test_runs_by_name(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    chosen, times = cells(trained)[1].members[1].run_id, column("finished_at")
    assert run(capsys, "redo", *TINY, "redo.which=all", f"redo.runs=['{chosen}']", "--yes").code == 0
    assert trained_again(times) == {chosen}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("redo.rungs=[7]", ("redo.rungs=7", "0, 1")),
        ("redo.seeds=[0,5]", ("redo.seeds=5", "0, 1")),
        ("redo.runs=[abc]", ("redo.runs=abc",)),
        ("redo.which=chosen", ("redo.which=chosen", "changed, all, finished")),
        ("redo.before=yesterday", ("redo.before='yesterday'", "2026-01-31T12:00:00")),
        ("redo.runs=abc", ("redo.runs",)),
    ],
)
def test_slips_are_refused(
    trained: Settings, capsys: pytest.CaptureFixture[str], word: str, said: tuple[str, ...]
) -> None:
    before = pieces()
    assert run(capsys, "redo", *TINY, word, "--yes").refused(*said)
    assert pieces() == before


def test_a_redo_of_all_runs_goes_on_where_it_was_stopped(
    trained: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = run(capsys, "redo", *TINY, "redo.which=all").out
    (before,) = re.findall(r"redo\.before=\S+", shown)
    times = column("finished_at")

    def stopped_after_one(jobs: list[Job], *_: object, **__: object) -> None:
        run_job(jobs[0], None)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(verbs, "run_jobs", stopped_after_one)
        assert run(capsys, "redo", *TINY, "redo.which=all", before, "--yes").code == 130
    first = trained_again(times)
    assert len(first) == 2
    times = column("finished_at")
    assert run(capsys, "redo", *TINY, "redo.which=all", before, "--yes").code == 0
    assert trained_again(times) == set(times) - first


def test_a_redo_that_fails_keeps_what_was(
    trained: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pieces()

    def broken(*_: object) -> None:
        raise ValueError("the code was changed for the worse")

    monkeypatch.setattr(worker, "train_job", broken)
    failed = run(capsys, "redo", *TINY, "redo.which=all", "--yes")
    assert failed.code == 1
    (line,) = [line for line in failed.out.splitlines() if "for the worse" in line]
    assert line.startswith("failed: 4 runs of main, rungs 0, 1: ValueError: the code was changed for the worse")
    assert line.endswith("the results hold an earlier one that ended better, which stays")
    assert pieces() == before


def test_failed_runs_are_done_again_and_finished_ones_left(
    trained: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (new,) = seed_jobs(trained, cells(trained)[0].rung, [5])
    write_failure(new, "killed", None)
    times = column("finished_at")
    assert run(capsys, "redo", *TINY, "redo.which=failed", "--yes").code == 0
    assert trained_again(times) == {new.members[0].run_id}
    assert set(finished_run_ids(RESULTS).values()) == {"finished"}


def test_sizes_off_the_ladder_are_of_the_study_and_other_settings_are_not(
    trained: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    between = rung_of_size(trained, 6, 1, index=2)
    assert between is not None
    (job,) = seed_jobs(trained, between, [0])
    run_job(job, None)
    assert run(capsys, "sweep", *TINY, "task.n_bits=9").code == 0
    assert "5 runs to train anew" in run(capsys, "redo", *TINY, "redo.which=all").out
    times = column("finished_at")
    record_otherwise(job.members[0].run_id, params_mlp=7)
    assert run(capsys, "redo", *TINY, "--yes").code == 0
    assert trained_again(times) == {job.members[0].run_id}
    config = json.loads(str(column("config")[job.members[0].run_id]))
    assert config["shape"]["width"] == 6
    assert column("rung")[job.members[0].run_id] == 2


def test_a_family_that_counts_wrongly_is_not_trained(
    trained: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "doubled_mlp.py").write_text(
        "from dataclasses import dataclass\n"
        "from harness.families.mlp import MLP\n"
        "@dataclass\n"
        "class Doubled(MLP):\n"
        "    def forward_flops(self, shape, signature):\n"
        "        return 2 * super().forward_flops(shape, signature)\n"
    )
    before = pieces()
    doubled = ("family._target_=doubled_mlp.Doubled", "redo.which=all", "--yes")
    assert run(capsys, "redo", *TINY, *doubled).refused("study main, rung 0", "forward_flops()", "torch counts")
    assert pieces() == before
