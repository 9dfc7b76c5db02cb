"""The verbs, from overrides to what they print and leave behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command import TINY, run

from harness.cli import VERBS
from harness.config import compose
from harness.records.store import finished_run_ids


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_help_lists_verbs_examples_and_choices(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["--help"], ["sweep", "--help"]):
        shown = run(capsys, *argv)
        assert shown.code == 0
        for word in (*VERBS, "experiment/quickstart:", "task:", "transformer", "harness sweep experiment=quickstart"):
            assert word in shown.out


def test_cfg_shows_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "sweep", "experiment=quickstart/text", "seeds=9", "--cfg", "job")
    assert shown.code == 0
    assert "seeds: 9" in shown.out
    assert "study: text" in shown.out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.fullmatch(r"harness \S+\n", run(capsys, "--version").out)


def test_plan_trains_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    planned = run(capsys, "plan", "experiment=quickstart")
    assert planned.code == 0
    for study in ("parity", "induction", "lookup", "text", "digits"):
        assert f"{study}: " in planned.out
    assert "a rough model" in planned.out
    assert list(tmp_path.iterdir()) == []


def test_plan_shows_rounding(capsys: pytest.CaptureFixture[str]) -> None:
    ladder = ("ladder.width_step=1.5", "ladder.head_width=8", "ladder.count=3", "ladder.steps=10")
    planned = run(capsys, "plan", "family=transformer", "task=copy", *ladder)
    assert "36 -> " in planned.out


def test_sweep_resumes_and_adds_only_new_members(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first = run(capsys, "sweep", *TINY)
    assert first.code == 0
    assert "Trained 4: 4 finished" in first.out
    assert "\x1b" not in first.out
    known = finished_run_ids("results/tiny")
    assert set(known.values()) == {"finished"}
    assert "Nothing to train" in run(capsys, "sweep", *TINY).out
    assert "Trained 4: 4 finished" in run(capsys, "sweep", *TINY, "seeds=4").out
    assert known.items() <= finished_run_ids("results/tiny").items()
    assert re.search(r"all +8 ", run(capsys, "status", *TINY, "seeds=4").out)
    collected = run(capsys, "collect", *TINY)
    assert collected.code == 0
    assert "8 runs (8 finished)" in collected.out
    assert [path.name for path in tmp_path.iterdir()] == ["results"], "Hydra leaves nothing"


def test_train_makes_one_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "train", *TINY, "rung=1", "seed=3").code == 0
    assert list(finished_run_ids("results/tiny").values()) == ["finished"]
    assert "Nothing to train" in run(capsys, "train", *TINY, "rung=1", "seed=3").out


def test_multirun_runs_all_combinations_in_one_pool(capsys: pytest.CaptureFixture[str]) -> None:
    swept = run(capsys, "sweep", "--multirun", *TINY, "optimizer.lr=0.01,0.03", "seeds=1")
    assert swept.code == 0, swept.err
    assert "Trained 4: 4 finished" in swept.out
    assert "tiny" not in swept.err
    assert "main (optimizer.lr=0.03)" in swept.out


def test_choices_pick_the_studies_that_made_them() -> None:
    (text,) = compose("experiment=quickstart", "task=text", "ladder.widths=[16,32]", "seeds=5")
    assert (text.study, text.ladder.widths, text.seeds, text.results) == ("text", [16, 32], 5, "results/quickstart")
    assert {s.study for s in compose("experiment=quickstart", "family=mlp")} == {"parity", "digits"}
    (wide,) = compose("experiment=quickstart", "task=text", "family.mlp_ratio=2")
    assert wide.family.mlp_ratio == 2


def test_picking_nothing_lists_the_studies(capsys: pytest.CaptureFixture[str]) -> None:
    refused = run(capsys, "plan", "experiment=quickstart", "task=sort")
    assert refused.refused("task=sort", "quickstart/parity (task=parity, family=mlp)")


def test_a_choice_replaces_that_of_a_plain_experiment() -> None:
    (study,) = compose("experiment=quickstart/digits", "task=parity")
    assert study.task.name == "parity"


def test_own_configs_and_classes_are_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "experiment").mkdir()
    (tmp_path / "conf" / "task" / "easy.yaml").write_text("_target_: easy_parity.EasyParity\nn_subtasks: 2\n")
    (tmp_path / "easy_parity.py").write_text(
        "from dataclasses import dataclass\n"
        "from harness.tasks.parity import Parity\n"
        "@dataclass\n"
        "class EasyParity(Parity):\n"
        "    n_bits: int = 4\n"
    )
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /family: mlp\n  - override /task: easy\n"
        "name: mine\nseeds: 1\nladder: {widths: [4], steps: 3}\n"
    )
    assert "easy" in run(capsys, "--help").out
    swept = run(capsys, "sweep", "experiment=mine", "training.device=cpu")
    assert swept.code == 0, swept.err
    assert list(finished_run_ids("results/mine").values()) == ["finished"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("harness ", set(VERBS)),
        ("harness sw", {"sweep"}),
        ("harness sweep", {"sweep"}),
        ("harness sweep experiment=qu", {"experiment=quickstart"}),
        ("harness plan ladder.wid", {"ladder.width_step=", "ladder.widths."}),
        ("harness train tas", {"task="}),
        ("harness analyze family=tr", {"family=transformer"}),
    ],
)
def test_completion_after_a_verb(
    line: str, expected: set[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    completed = run(capsys, "-sc", "query=bash")
    assert completed.code == 0
    assert set(completed.out.split()) == expected


def test_completion_is_installed_as_hydra_gives_it(capsys: pytest.CaptureFixture[str]) -> None:
    installed = run(capsys, "-sc", "install=bash")
    assert installed.out.strip().endswith("hydra_bash_completion harness")
