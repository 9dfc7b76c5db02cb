"""The verbs plan, sweep, train and status: what they refuse, what they print, each thing once."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command import TINY, run
from piece_files import forge_piece, with_value
from tiny_results import RESULTS, record_otherwise

from harness.ladder import Job
from harness.records.store import collect, finished_run_ids
from harness.records.writer import piece_path
from harness.settings import Settings
from harness.sweeping import run as verbs
from harness.sweeping.failures import Ended
from harness.sweeping.plan import cells

#: Families with one mistake each, as a user might write them.
MISTAKEN = {
    "Count": "def count(self, shape, signature): return replace(super().count(shape, signature), head=1)",
    "Flops": "def forward_flops(self, shape, signature): return 1 + 2 * super().forward_flops(shape, signature)",
    "Build": "def build(self, shape, signature, parametrization): return Linear(shape.width, 3)",
}
TOLD = {
    "Count": ("study main, rung 0", "head is 1 by count() and 10 in the model"),
    "Flops": ("study main, rung 0", "forward_flops() gives", "torch counts"),
    "Build": ("study main, rung 0", "Linear", "roles"),
}


@pytest.fixture(autouse=True)
def own_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    families = "".join(f"@dataclass\nclass {name}(MLP):\n    {code}\n" for name, code in MISTAKEN.items())
    imports = "from dataclasses import dataclass, replace\nfrom torch.nn import Linear\n"
    Path("mistaken_families.py").write_text(f"{imports}from harness.families.mlp import MLP\n{families}")
    Path("task_without_data.py").write_text(
        "from dataclasses import dataclass\n"
        "from harness.tasks.parity import Parity\n"
        "@dataclass\n"
        "class WithoutData(Parity):\n"
        "    def train_batch(self, rng, batch_size):\n"
        "        raise ValueError('no data today')\n"
    )
    return tmp_path


@pytest.mark.parametrize("mistake", ["Count", "Build"])
def test_plan_finds_a_familys_mistake_in_the_smallest_model(capsys: pytest.CaptureFixture[str], mistake: str) -> None:
    planned = run(capsys, "plan", *TINY, f"family._target_=mistaken_families.{mistake}")
    assert planned.refused(*TOLD[mistake])
    assert planned.out == ""


def test_plan_with_check_compares_flops_and_counts_of_every_size(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = (*TINY, "family._target_=mistaken_families.Flops")
    assert run(capsys, "plan", *wrong).code == 0
    assert run(capsys, "plan", *wrong, "--check").refused(*TOLD["Flops"])
    checked = run(capsys, "plan", "--check", *TINY)
    assert checked.code == 0
    assert "Checked 2 sizes: parameters are those of the models, FLOPs within 5 % of torch's count." in checked.out
    assert "Checked" not in run(capsys, "plan", *TINY).out
    assert not RESULTS.exists()


def test_every_study_of_an_experiment_can_be_checked(capsys: pytest.CaptureFixture[str]) -> None:
    checked = run(capsys, "plan", "experiment=quickstart", "--check", "--no-trial")
    assert checked.code == 0, checked.err
    assert "Checked 41 sizes" in checked.out


@pytest.mark.parametrize("words", [("sweep", "--check"), ("plan", "--yes"), ("redo", "--check"), ("plan", "--chekc")])
def test_flags_belong_to_their_verb(capsys: pytest.CaptureFixture[str], words: tuple[str, str]) -> None:
    verb, flag = words
    assert run(capsys, verb, *TINY, flag).refused(flag)


def test_flags_of_ours_and_of_hydras_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    planned = run(capsys, "plan", "--multirun", *TINY, "--check", "optimizer.lr=0.1,0.2")
    assert planned.code == 0, planned.err
    assert "Checked 4 sizes" in planned.out


@pytest.mark.parametrize("mistake", MISTAKEN)
def test_sweep_finds_it_before_anything_is_trained(capsys: pytest.CaptureFixture[str], mistake: str) -> None:
    assert run(capsys, "sweep", *TINY, f"family._target_=mistaken_families.{mistake}").refused(*TOLD[mistake])
    assert finished_run_ids(RESULTS) == {}


def test_each_failure_is_told_once(one_process: None, capsys: pytest.CaptureFixture[str]) -> None:
    failing = (*TINY, "task._target_=task_without_data.WithoutData", "seeds=8", "launcher.members_together=1")
    swept = run(capsys, "sweep", *failing)
    assert swept.code == 1
    assert "Trained 16: 16 failed." in swept.out
    assert swept.out.count("no data today") == 1
    assert "failed: 16 runs of main, rungs 0, 1: ValueError: no data today (task_without_data.py:6)" in swept.out
    known = run(capsys, "status", *failing)
    assert known.code == 0
    assert known.out.count("no data today") == 1
    assert "failed: 16 runs of main, rungs 0, 1: ValueError: no data today" in known.out


def test_status_names_runs_with_other_counts_than_now(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert "outdated" not in run(capsys, "status", *TINY).out
    for member in cells(trained)[1].members:
        record_otherwise(member.run_id, params_mlp=7)
    shown = run(capsys, "status", *TINY)
    assert "outdated: 2 runs of main, rung 1: params_mlp is 7 in the records and" in shown.out
    assert "`harness redo`" in shown.out


def test_a_sweep_with_nothing_to_do_builds_nothing(
    trained: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(trained.family), "build", None)
    assert "Nothing to train" in run(capsys, "sweep", *TINY).out


def test_a_sweep_ends_with_how_many_runs_stopped_early(capsys: pytest.CaptureFixture[str]) -> None:
    stopping = ("training.evaluate=even", "training.evaluations=5", "training.patience=1", "training.min_delta=100")
    swept = run(capsys, "sweep", *TINY, *stopping)
    # The first evaluation falls from infinity; the second ends it.
    assert "Trained 4: 4 finished; 4 of them stopped early, after 40 % of the steps asked for." in swept.out
    assert "stopped" not in run(capsys, "sweep", *TINY, *stopping).out


@pytest.mark.parametrize("verb", ["sweep", "redo"])
def test_a_results_folder_removed_in_mid_sweep_is_missed(
    trained: Settings, verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four runs are there when it starts; it trains four, and loses the folder before the last one."""
    asked, n_lost, n_trained = ((*TINY, "seeds=4"), 7, 3) if verb == "sweep" else ((*TINY, "redo.which=all"), 3, 3)
    flags, one_by_one = ("--yes",) * (verb == "redo"), ("launcher.members_together=1",)
    run_jobs = verbs.run_jobs

    def interrupted(jobs: Sequence[Job], *others: Any) -> list[Ended]:
        ended = run_jobs(jobs[:-1], *others)
        shutil.rmtree(RESULTS)
        return ended + run_jobs(jobs[-1:], *others)

    with monkeypatch.context() as patched:
        patched.setattr(verbs, "run_jobs", interrupted)
        swept = run(capsys, verb, *asked, *one_by_one, *flags)
    assert swept.code == 1
    n_before = n_lost + 1
    said = f"{RESULTS}: {n_lost} of {n_before} runs went while the sweep ran, {n_trained} of them trained by it"
    assert said in swept.err
    assert len(finished_run_ids(RESULTS)) == 1
    assert run(capsys, "sweep", *asked).code == 0
    assert len(finished_run_ids(RESULTS)) == n_before


def spoil(run_id: str, fault: str) -> None:
    path = piece_path(RESULTS, run_id)
    content = path.read_bytes()
    if fault == "truncated":
        path.write_bytes(content[:-20])
    elif fault == "flipped bit of the row":
        at = content.index(b'"steps": ') + len(b'"steps": ')
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    elif fault == "NaN":
        forge_piece(RESULTS, run_id, lambda numbers: with_value(numbers, float("nan")))
    else:
        forge_piece(RESULTS, run_id, lambda numbers: numbers.replace_schema_metadata({"schema_version": "99"}))


@pytest.mark.parametrize("fault", ["truncated", "flipped bit of the row", "NaN", "version"])
def test_a_piece_that_collect_leaves_out_is_set_aside_and_trained_again(
    trained: Settings, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    bad = cells(trained)[0].members[0].run_id
    spoil(bad, fault)
    left = {path.name: path.read_bytes() for path in RESULTS.glob(f"pieces/{bad}.*")}
    status = run(capsys, "status", *TINY)
    assert ["all", "3", "-", "-", "-", "1"] in [line.split() for line in status.out.splitlines()]
    assert status.out.splitlines()[-1].startswith(f"cannot be used: results/tiny/pieces/{bad}.")
    assert "4 runs, 1 of them to do" in run(capsys, "plan", *TINY).out
    swept = run(capsys, "sweep", *TINY)
    assert (swept.code, swept.err) == (0, "")
    assert f"results/tiny/pieces/{bad}." in swept.out and "; set aside in results/tiny/set_aside" in swept.out
    assert "Trained 1: 1 finished." in swept.out
    assert {path.name: path.read_bytes() for path in RESULTS.glob("set_aside/*")} == left
    collected = run(capsys, "collect", "results/tiny")
    assert "4 runs (4 finished)" in collected.out and "left out" not in collected.out
    assert "Nothing to train" in run(capsys, "sweep", *TINY).out


def test_a_run_that_the_tables_hold_needs_no_piece(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    collect(RESULTS)
    spoil(cells(trained)[0].members[0].run_id, "truncated")
    swept = run(capsys, "sweep", *TINY)
    assert "set aside" in swept.out and "Nothing to train" in swept.out
    assert "4 runs (4 finished)" in run(capsys, "collect", "results/tiny").out
    (RESULTS / "measurements.parquet").unlink()
    assert "4 runs, 1 of them to do" in run(capsys, "plan", *TINY).out


def test_what_was_set_aside_earlier_stays(trained: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    bad = cells(trained)[0].members[0].run_id
    for n in (1, 2):
        spoil(bad, "truncated")
        run(capsys, "sweep", *TINY)
        assert len(list(RESULTS.glob("set_aside/*"))) == n
