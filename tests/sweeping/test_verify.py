"""`harness verify`: silent on sound results, and a line for each thing that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from command import TINY, run
from tiny_results import RESULTS, pieces, record_otherwise

from harness.ladder import Member
from harness.records.importers import import_results
from harness.records.store import collect
from harness.settings import Settings
from harness.sweeping.plan import cells
from harness.sweeping.share import joined


@pytest.mark.parametrize("words", [TINY, ("name=tiny",), ("results=results/tiny",), ("results/tiny",), ("tiny",)])
def test_sound_results(trained: Settings, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    collect(RESULTS)
    before = {path: path.read_bytes() for path in RESULTS.rglob("*") if path.is_file()}
    verified = run(capsys, "verify", *words)
    assert verified.code == 0, verified
    assert "results/tiny: 4 runs (4 finished)" in verified.out
    assert "nothing is wrong" in verified.out
    assert {path: path.read_bytes() for path in RESULTS.rglob("*") if path.is_file()} == before


def members(study: Settings) -> list[Member]:
    return [member for cell in cells(study) for member in cell.members]


def test_a_changed_formula_for_parameters(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    for member in members(trained):
        record_otherwise(member.run_id, params_mlp=7)
    verified = run(capsys, "verify", "results/tiny")
    assert verified.code == 1
    (line,) = [line for line in verified.out.splitlines() if line.startswith("wrong: ")]
    assert line.startswith("wrong: 4 runs of main, rungs 0, 1: params_mlp is 7 in the records and ")
    assert "by count() now: the formula or the model has changed" in line
    assert "1 thing is wrong" in verified.out


def test_a_changed_formula_for_flops_alone(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    cell = cells(trained)[1]
    record_otherwise(cell.members[0].run_id, flops=3 * cell.flops)
    verified = run(capsys, "verify", *TINY)
    assert verified.code == 1
    file = f"results/tiny/pieces/{cell.members[0].run_id}.parquet"
    assert f"wrong: {file}: run {cell.members[0].run_id} (main, rung 1, seed=0 lr=0.01): flops is" in verified.out
    assert "this formula has changed, and what was trained may be the same" in verified.out


def test_damage_and_wrong_identity_are_told_together(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, *_ = members(trained)
    record_otherwise(first.run_id, width=99)
    (RESULTS / "pieces" / f"{second.run_id}.parquet").write_bytes(b"PAR1 not really")
    verified = run(capsys, "verify", "results/tiny")
    assert verified.code == 1
    assert "width is 99 in its column and 4 in config" in verified.out
    assert f"{second.run_id}.parquet: corrupt" in verified.out
    assert "2 things are wrong" in verified.out


OWN_FAMILY = """
from dataclasses import dataclass
from harness.families.mlp import MLP

@dataclass
class Own(MLP):
    @property
    def name(self):
        return "{name}"
"""


@pytest.mark.parametrize(("name", "known"), [("own", True), ("elsewhere", False)])
def test_a_family_of_the_users_is_found_by_its_config_or_the_experiment(
    one_process: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    known: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"family_{name}.py").write_text(OWN_FAMILY.format(name=name))
    Path("conf/family").mkdir(parents=True)
    Path("conf/family/own.yaml").write_text(f"_target_: family_{name}.Own\n")
    own = [word if word != "family=mlp" else "family=own" for word in TINY]
    assert run(capsys, "sweep", *own).code == 0
    assert run(capsys, "verify", *own).code == 0
    alone = run(capsys, "verify", "results/tiny")
    assert alone.code == (0 if known else 1)
    assert known or "family elsewhere: there is no conf/family/elsewhere.yaml to find its class by" in alone.out


def test_imported_runs_are_as_stated(trained: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    pd.DataFrame({"_step": [1, 2], "loss": [2.0, 1.0]}).to_csv(history, index=False)
    import_results("wandb", [history], RESULTS, {"params_total": 100})
    verified = run(capsys, "verify", "results/tiny")
    assert verified.code == 0, verified
    assert "5 runs (5 finished)" in verified.out
    assert "note: 1 runs are imported" in verified.out


def test_several_folders_and_none(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    record_otherwise(members(trained)[0].run_id, params_mlp=7)
    Path("results/empty").mkdir()
    both = run(capsys, "verify", "results/empty", "results/tiny")
    assert both.code == 1
    assert "results/empty: nothing is wrong" in both.out and "results/tiny: 1 thing is wrong" in both.out
    assert run(capsys, "verify", "tini").refused("tini: no such results folder", "did you mean 'tiny'?")


def test_nothing_is_written(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    before = pieces()
    run(capsys, "verify", "results/tiny")
    assert pieces() == before
    assert not (RESULTS / "runs.parquet").exists()


@pytest.mark.parametrize("collected", [False, True])
def test_fix_sets_aside_what_a_sweep_is_to_train_again(
    trained: Settings, capsys: pytest.CaptureFixture[str], collected: bool
) -> None:
    first, second, *_ = members(trained)
    record_otherwise(first.run_id, seed=99)
    (RESULTS / "pieces" / f"{second.run_id}.parquet").write_bytes(b"PAR1 not really")
    if collected:
        collect(RESULTS)
    before = {path.name: path.read_bytes() for path in RESULTS.rglob("*.parquet")}
    fixed = run(capsys, "verify", "--fix", "results/tiny")
    assert fixed.code == 1
    assert len([line for line in fixed.out.splitlines() if line.startswith("fixed: ")]) == (4 if collected else 2)
    assert before.items() <= {path.name: path.read_bytes() for path in RESULTS.rglob("*.parquet")}.items()
    assert "Trained 2: 2 finished." in run(capsys, "sweep", *TINY).out
    assert "nothing is wrong" in run(capsys, "verify", "results/tiny").out


def test_fix_waits_for_no_sweep_and_loses_no_collected_run(
    trained: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *_ = members(trained)
    record_otherwise(first.run_id, seed=99)
    collect(RESULTS)
    for path in RESULTS.glob(f"pieces/{second.run_id}.*"):
        path.unlink()
    with joined(RESULTS):
        assert run(capsys, "verify", "--fix", "results/tiny").refused("results/tiny is in use by a sweep, process")
    fixed = run(capsys, "verify", "--fix", "results/tiny")
    assert "runs.parquet: stays, with 1 run of other settings than its id's: 1 run" in fixed.out
    assert (RESULTS / "runs.parquet").exists()


def test_missing_seeds_and_old_reports_are_noted(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    collect(RESULTS)
    (RESULTS / "report.html").write_text("earlier")
    os.utime(RESULTS / "report.html", (0, 0))
    (RESULTS / "card.md").write_text("later")
    gone = cells(trained)[1].members[1]
    for path in [*RESULTS.glob(f"pieces/{gone.run_id}.*"), *RESULTS.glob("*.parquet")]:
        path.unlink()
    collect(RESULTS)
    os.utime(RESULTS / "card.md")
    verified = run(capsys, "verify", "results/tiny")
    assert verified.code == 0
    assert f"note: results/tiny: main, rung 1 lacks seed {gone.seed}, which other sizes have" in verified.out
    assert "note: results/tiny/report.html: older than the tables; `harness analyze` writes it anew" in verified.out
    assert "card.md" not in verified.out


def test_verify_reads_no_folder_above_the_results(capsys: pytest.CaptureFixture[str]) -> None:
    Path("results").mkdir(exist_ok=True)
    assert run(capsys, "verify", "name=..").refused("name='..'", "without '/'")
