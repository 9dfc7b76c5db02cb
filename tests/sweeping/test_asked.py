"""Runs of the settings asked for: whose they are, what else the folder holds, what is still to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command import TINY
from record_rows import measurement_rows

from harness.config import compose
from harness.errors import DataError, RunsWarning, UserError
from harness.ladder import Job, members
from harness.records.store import load_runs
from harness.records.writer import write_run
from harness.settings import Settings
from harness.sweeping.asked import choose_runs, load_asked, still_to_do
from harness.sweeping.plan import cells
from harness.sweeping.runs_row import run_row

#: Seconds of wall time, tokens a second: of no matter here.
PACE: dict[str, Any] = {"wall_s": 1.0, "tokens_per_s": 1.0}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def study(*overrides: str) -> Settings:
    (found,) = compose(*TINY, *overrides)
    return found


def write(*studies: Settings, status: str = "finished") -> set[str]:
    """Write the runs of these studies as if they were trained; their ids."""
    jobs = [cell for study in studies for cell in cells(study)]
    return write_jobs(jobs, status)


def write_jobs(jobs: Sequence[Job], status: str = "finished") -> set[str]:
    for job in jobs:
        for member in job.members:
            rows = measurement_rows((job.steps,), subtask="all") if status == "finished" else []
            write_run(Path(job.settings.results), run_row(job, member, status, **PACE), rows)
    return {member.run_id for job in jobs for member in job.members}


def chosen(*studies: Settings, by: Sequence[str] = ()) -> tuple[set[str], tuple[str, ...]]:
    found = choose_runs(studies, load_runs(studies[0].results), by)
    return set(found.lengths), found.left_out


def test_runs_of_other_settings_are_left_out_and_named() -> None:
    own = write(study())
    write(study("task.n_bits=12"), study("optimizer.lr=0.003", "parametrization=mup"))
    ids, (told,) = chosen(study())
    assert ids == own
    assert told == (
        "study main holds runs of other settings: task.n_bits 16, 12; optimizer.lr 0.01, 0.003; "
        "parametrization.kind standard, mup; 8 of 12 runs are left out "
        "(by=[task.n_bits,optimizer.lr,parametrization.kind] shows a curve of each)"
    )


def test_a_setting_that_runs_do_not_state_at_its_default_has_this_value() -> None:
    own, listed = write(study()), write(study("family.layers=[16]"))
    for overrides, ids, values in ((), own, "null, [16]"), (("family.layers=[16]",), listed, "[16], null"):
        found, (told,) = chosen(study(*overrides))
        assert found == ids and f"other settings: family.layers {values};" in told
        assert chosen(study(*overrides), by=["family.layers"])[0] == own | listed


def test_sizes_and_seeds_beyond_those_asked_for_are_of_the_same_curve() -> None:
    """As `harness refine` adds them, and as an earlier sweep over another ladder left them."""
    own = write(study("ladder.widths=[4,6,8,16]", "seeds=5", "first_seed=1"))
    ids, told = chosen(study())
    assert ids == own and told == ()


def test_device_and_workers_make_no_other_curve() -> None:
    own = write(study("launcher.workers=1", "analysis.alpha=0.01"))
    assert chosen(study("training.device=auto", "notes=other")) == (own, ())


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("ladder.steps=7", "ladder.steps 5, 7"),
        ("ladder.batch_size=16", "ladder.batch_size 8, 16"),
        ("training.evaluations=1", "training.evaluations 2, 1"),
        ("optimizer=sgd", "optimizer.kind adamw, sgd; optimizer.lr 0.01, 0.1"),
        ("optimizer.lr=[0.1,0.3]", "optimizer.lr 0.01, 0.1, 0.3"),
        ("optimizer.grad_clip=1", "optimizer.grad_clip null, 1"),
    ],
)
def test_each_setting_that_changes_numbers_is_named(override: str, told: str) -> None:
    write(study(), study(override))
    assert f"holds runs of other settings: {told}; " in chosen(study())[1][0]


def test_durations_may_be_recorded_in_another_unit() -> None:
    """8 examples a step: 5 steps are 40 tokens of this task, which counts examples."""
    own = write(study())
    assert chosen(study("ladder.steps=null", "ladder.tokens=40")) == (own, ())
    (told,) = chosen(study("ladder.steps=null", "ladder.tokens=80"))[1]
    assert "ladder.steps 5" in told


def test_another_task_under_the_same_name_is_named_and_cannot_be_a_curve_by_its_value() -> None:
    own = write(study())
    write(*compose(*(word for word in TINY if not word.startswith("task")), "task=digits"))
    ids, (told,) = chosen(study())
    assert ids == own
    assert "holds runs of other settings: task parity, digits" in told and "by=" not in told


def test_the_longest_of_the_durations_asked_for_counts() -> None:
    write(study("ladder.steps=7"))
    write(study("ladder.steps=5"))
    with pytest.warns(RunsWarning, match="4 of 8 runs of main are left out: shorter"):
        frame = load_asked([study("ladder.steps=[7,5]")])
    assert set(frame["steps"]) == {7}
    with pytest.warns(RunsWarning, match=r"ladder\.steps 5, 7"):
        assert set(load_asked([study()])["steps"]) == {5}


def test_learning_rates_asked_for_as_a_list_are_alternatives_however_they_were_swept() -> None:
    first, second = write(study("optimizer.lr=0.01")), write(study("optimizer.lr=0.003"))
    assert chosen(study("optimizer.lr=[0.003,0.01]")) == (first | second, ())
    with pytest.warns(RunsWarning, match="4 of 8 runs of main are kept, those with the best learning rate"):
        assert load_asked([study("optimizer.lr=[0.003,0.01]")])["lr"].nunique() == 1


def test_heads_make_another_curve() -> None:
    transformer = ("name=heads", "family=transformer", "task=copy", "ladder.widths=[16,32]", "ladder.steps=5")
    (one,), (two,) = compose(*transformer, "ladder.heads=1"), compose(*transformer, "ladder.heads=2")
    own = write(one)
    write(two)
    ids, (told,) = chosen(one)
    assert ids == own and "ladder.heads 1, 2" in told
    assert chosen(one, by=["ladder.heads"])[0] == own | {
        member.run_id for cell in cells(two) for member in cell.members
    }


def test_sizes_that_cannot_be_built_are_left_out() -> None:
    transformer = ("name=heads", "family=transformer", "task=copy", "ladder.steps=5", "ladder.heads=null")
    write(*compose(*transformer, "ladder.widths=[10,20]", "ladder.head_width=10"))
    (asked,) = compose(*transformer, "ladder.widths=[16,32]", "ladder.head_width=16")
    with pytest.raises(DataError, match="no runs of the settings asked for; study main holds runs of"):
        load_asked([asked])


def test_each_value_of_a_setting_can_be_a_study() -> None:
    ids = [write(study(f"optimizer.lr={lr}")) for lr in (0.01, 0.003)]
    write(study("optimizer.lr=0.003", "task.n_bits=12"))
    found, (told,) = chosen(study(), by=["optimizer.lr"])
    assert found == ids[0] | ids[1]
    assert "other settings: task.n_bits 16, 12; 4 of 12 runs" in told
    assert "by=[optimizer.lr,task.n_bits] shows" in told
    with pytest.warns(RunsWarning):
        frame = load_asked([study()], by=["optimizer.lr"])
    assert frame.groupby("study")["lr"].unique().map(list).to_dict() == {
        "main (optimizer.lr=0.003)": [0.003],
        "main (optimizer.lr=0.01)": [0.01],
    }


@pytest.mark.parametrize("name", ["ladder.steps", "ladder.batch_size", "task.k", "schedule.kind", "family.zero_head"])
def test_any_setting_can_hold_curves_apart(name: str) -> None:
    value = {"task.k": "2", "schedule.kind": "wsd", "family.zero_head": "true"}.get(name, "7")
    both = write(study()) | write(study(f"{name}={value}"))
    assert chosen(study(), by=[name]) == (both, ())
    assert sorted(load_asked([study()], by=[name])["study"].unique())[0].startswith(f"main ({name}=")


def test_studies_that_were_not_asked_for_are_named() -> None:
    own = write(study())
    write(study("study=other"), study("study=more"))
    assert chosen(study()) == (own, ("studies not asked for are left out: more, other (8 runs)",))


def test_one_name_cannot_be_asked_for_with_several_settings() -> None:
    write(study())
    with pytest.raises(UserError, match="study=main: the name of two studies that differ"):
        chosen(study(), study("task.n_bits=12"))
    assert len(chosen(study(), study("seeds=3"))[0]) == 4


def test_runs_that_do_not_state_their_settings_are_kept() -> None:
    own = write(study())
    from record_rows import run_row as stored

    write_run(Path("results/tiny"), stored("aa", study="theirs", config='{"imported": {}}'), measurement_rows())
    assert chosen(study()) == (own | {"aa"}, ())


def test_runs_that_failed_count_as_asked_for() -> None:
    own = write(study(), status="failed")
    assert chosen(study()) == (own, ())


def test_what_is_still_to_do_is_counted_for_each_study() -> None:
    one, other = study(), study("study=other", "seeds=4")
    write(one)
    (cell, *_) = cells(other)
    write_jobs([Job(other, cell.rung, 0, members(other, cell.rung, 0)[:3])])
    write_jobs([Job(other, cell.rung, 0, members(other, cell.rung, 0)[3:])], status="failed")
    runs = load_runs("results/tiny")
    assert list(still_to_do([one, other], runs)) == ["other: 5 of 8 runs are still to do"]
