"""A study over numbers of training examples, and one whose settings follow rules, from the plan to the analysis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import TINY, run
from record_rows import measurement_rows
from rich.console import Console

from harness.config import compose
from harness.ladder import identity_hash
from harness.records.run_settings import varying_settings
from harness.records.store import load_runs
from harness.records.writer import write_run
from harness.report.analyze import analyze
from harness.report.tables import ALL_STUDIES, overview
from harness.settings import Settings
from harness.sweeping.asked import choose_runs, load_asked
from harness.sweeping.cost import CostModel
from harness.sweeping.plan import cells, pending, recorded_cells
from harness.sweeping.runs_row import recorded_identity, run_row
from harness.sweeping.tables import cell_columns, cell_values, plan_table
from harness.sweeping.tuning import Tuned

LIMITS = (8, 16, 32, 64, 128)
DATA = ("ladder.steps=null", "ladder.epochs=2", f"ladder.train_examples=[{','.join(map(str, LIMITS))}]", "seeds=3")
RULES = (
    "ladder.batch_size={rule: power, at: 8, N: 0.5, N0: 100}",
    "optimizer.lr={rule: power, at: 0.1, N: -0.5, N0: 100, times: [1, 2]}",
    "ladder.steps=null",
    "ladder.tokens=640",
)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def study(*overrides: str) -> Settings:
    (found,) = compose(*TINY, *overrides)
    return found


def write(asked: Settings) -> set[str]:
    """Write the runs of a study whose loss is 10 / examples^0.5 (1 + 0.001 seed); their ids."""
    found = set()
    for job in cells(asked):
        for member in job.members:
            loss = 10 / (job.unique_examples or 100) ** 0.5 * (1 + 0.001 * member.seed)
            rows: list[dict[str, Any]] = measurement_rows((job.steps,), subtask="all", value=loss)
            row = run_row(job, member, "finished", wall_s=1.0, tokens_per_s=1.0)
            write_run(Path(asked.results), row, [each for each in rows if each["metric"] == "loss"])
            found.add(member.run_id)
    return found


def shown(asked: Settings) -> str:
    console = Console(width=250, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(plan_table(asked, Tuned(CostModel(), "cpu", 1)))
    return console.export_text()


def test_cells_of_one_length_are_told_apart_by_their_examples() -> None:
    first, second, *_ = cells(study("ladder.steps=5", "ladder.train_examples=[8,16]"))
    columns = cell_columns([first, second])
    assert columns == ("rung", "width", "depth", "examples", "steps")
    assert cell_values(first, columns)[-2:] == ("8", "5") and cell_values(second, columns)[-2:] == ("16", "5")
    (endless, *_) = cells(study())
    assert "examples" not in cell_columns([endless]) and cell_values(endless, columns)[-2:] == ("-", "5")


def test_a_plan_shows_examples_and_epochs_where_training_goes_by_them() -> None:
    text = shown(study(*DATA))
    assert "examples" in text and "epochs 2" in text and " 128 " in text
    assert "epochs" not in shown(study())


def test_a_plan_shows_what_rules_give() -> None:
    text = shown(study(*RULES))
    assert "batch" in text and "lr" in text and "warmup" not in text
    for cell in cells(study(*RULES)):
        assert f" {cell.settings.ladder.batch_size} " in text


def test_runs_over_data_are_asked_for_recorded_and_analysed(capsys: pytest.CaptureFixture[str]) -> None:
    asked = study(*DATA)
    ids = write(asked)
    runs = load_runs(asked.results)
    assert set(choose_runs([asked], runs).lengths) == ids
    assert sorted(set(runs["unique_examples"])) == list(LIMITS) and set(runs["epochs"]) == {2.0}
    assert {m.run_id for cell in recorded_cells(asked, runs.to_dict("records")) for m in cell.members} == ids
    over_data = load_asked([study(*DATA, "analysis.x=unique_examples")], name_others=False)
    assert sorted(set(over_data["unique_examples"])) == list(LIMITS) and over_data["width"].nunique() == 1
    by_examples = load_asked([asked], by=["ladder.train_examples"])
    assert set(by_examples["study"]) == {f"main (ladder.train_examples={n})" for n in LIMITS}

    ran = run(capsys, "fit", asked.results, "--x", "unique_examples", "--y", "loss", "--law", "power")
    assert ran.code == 0 and "0.5" in ran.out
    ran = run(capsys, "analyze", *TINY, *DATA, "analysis.x=unique_examples")
    assert ran.code == 0, ran.err
    assert "unique training examples" in ran.out


def test_over_data_each_width_can_be_a_curve() -> None:
    """Trap: the smaller sizes were left out whatever `by` held apart."""
    asked = study(*DATA, "ladder.widths=[2,16]")
    write(asked)
    over_data = analyze(asked.results, "unique_examples")
    assert over_data.left_out == (
        "15 of 30 runs of main are left out: smaller than the largest size of their study (by=width makes a curve of "
        "each size)",
    )
    by_width = analyze(asked.results, "unique_examples", by=["width"])
    assert by_width.studies == list(by_width.laws["study"].unique()) == ["main (width=2)", "main (width=16)"]
    assert by_width.left_out == () and set(by_width.frame.groupby("study")["unique_examples"].nunique()) == {5}


def test_curves_of_numbers_of_examples_are_in_their_order() -> None:
    asked = study(*DATA)
    write(asked)
    by_examples = analyze(asked.results, by=["ladder.train_examples"])
    names = [f"main (ladder.train_examples={limit})" for limit in LIMITS]
    assert by_examples.studies == list(by_examples.laws["study"].unique()) == names
    assert overview(by_examples.runs)["study"].tolist() == [*names, ALL_STUDIES]


@pytest.mark.parametrize(
    ("x", "by", "labels", "way_out"),
    [
        ("unique_examples", "width", (2, 16), "--by width makes a curve of each size"),
        ("width", "unique_examples", LIMITS, "--x unique_examples makes a curve over them"),
    ],
)
def test_flags_hold_sizes_and_numbers_of_examples_apart(
    capsys: pytest.CaptureFixture[str], x: str, by: str, labels: tuple[int, ...], way_out: str
) -> None:
    asked = study(*DATA, "ladder.widths=[2,16]")
    write(asked)
    ask = ("emergence", asked.results, "--x", x, "--derive", "share = value / 10", "--value", "share")
    ask += ("--discontinuous", "loss")
    ran = run(capsys, *ask, "--by", by)
    places = [ran.out.index(f" {by} {label} ") for label in labels]
    assert places == sorted(places) and "left out" not in ran.out
    assert f"({way_out})" in run(capsys, *ask).out


def test_other_numbers_of_examples_are_named() -> None:
    write(study(*DATA))
    asked = study("ladder.steps=null", "ladder.epochs=2", "ladder.train_examples=[8,16]", "seeds=3")
    (told,) = choose_runs([asked], load_runs(asked.results)).left_out
    assert "ladder.train_examples 8, 16, 32, 64, 128" in told and "(by=ladder.train_examples shows" in told


def test_runs_by_a_rule_are_one_curve_with_the_best_rate_of_each_size() -> None:
    asked = study(*RULES)
    ids = write(asked)
    runs = load_runs(asked.results)
    assert varying_settings(runs) == {}
    assert set(choose_runs([asked], runs).lengths) == ids
    assert {m.run_id for cell in recorded_cells(asked, runs.to_dict("records")) for m in cell.members} == ids
    for row in runs.to_dict("records"):
        config = json.loads(row["config"])
        assert identity_hash(recorded_identity(config)) == row["run_id"]
        assert config["rules"]["optimizer.lr"]["rule"] == "power"
        assert config["optimizer"]["lr"] == row["lr"] and config["batch_size"] == row["batch_size"]
    constant = study("ladder.steps=null", "ladder.tokens=640")
    (told,) = choose_runs([constant], runs).left_out
    assert 'optimizer.lr 0.01, {"rule": "power"' in told


def test_full_batches_of_several_numbers_of_examples_are_planned() -> None:
    (study,) = compose(
        *("family=linear", "ladder=one", "task=linear_regression", "loss=mse", "optimizer=gd", "seeds=2"),
        *("ladder.batch_size=all", "ladder.train_examples=[16,64]", "ladder.epochs=3"),
    )
    jobs = [job for cell in cells(study) for job in pending(cell, {}, "cpu")]
    assert [(job.examples, job.settings.ladder.batch_size, job.steps) for job in jobs] == [(16, 16, 3), (64, 64, 3)]
