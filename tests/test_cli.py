"""The verbs, from overrides to what they print and leave behind."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from command import TINY, run
from planted_runs import LEAP, write_planted

from harness.cli import VERBS
from harness.config import compose
from harness.records.store import finished_run_ids
from harness.sweeping.share import joined

pytestmark = pytest.mark.usefixtures("few_draws")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_cfg_shows_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "sweep", "experiment=quickstart/text", "seeds=9", "--cfg", "job")
    assert shown.code == 0
    assert "seeds: 9" in shown.out
    assert "study: text" in shown.out


@pytest.fixture
def own(tmp_path: Path) -> None:
    """An experiment of two studies with settings beside them."""
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "two.yaml").write_text(
        "# @package _global_\nname: two\nstudies: [quickstart/parity, quickstart/digits]\n"
        "seeds: 5\noptimizer: {lr: 0.5}\n"
    )


@pytest.mark.parametrize("flags", [["--cfg", "job"], ["-c", "job"], ["--cfg=job"]])
def test_cfg_shows_the_settings_of_every_study(flags: list[str], own: None, capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "sweep", "experiment=two", *flags, "seeds=7")
    assert shown.code == 0, shown.err
    documents = [yaml.safe_load(part) for part in shown.out.split("---\n")[1:]]
    for document, study in zip(documents, compose("experiment=two", "seeds=7"), strict=True):
        assert document["study"] == study.study and document["seeds"] == study.seeds == 7
        assert document["optimizer"] == dataclasses.asdict(study.optimizer) and document["optimizer"]["lr"] == 0.5
        assert document["ladder"] == dataclasses.asdict(study.ladder)
    assert "# study parity" in shown.out and "# study digits" in shown.out


def test_cfg_shows_a_package_with_references_followed(own: None, capsys: pytest.CaptureFixture[str]) -> None:
    shown = run(capsys, "sweep", "experiment=two", "task=digits", "--cfg", "job", "--package", "optimizer")
    assert shown.out.startswith("# @package optimizer\nkind: adamw\nlr: 0.5\n")
    shown = run(capsys, "--cfg", "job", "-p", "results", "--resolve", "experiment=two", "task=digits")
    assert shown.out == "# @package results\nresults/two\n"
    assert run(capsys, "sweep", "experiment=two", "--cfg", "job", "-p", "optimiser").refused("--package optimiser")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.fullmatch(r"harness \S+\n", run(capsys, "--version").out)


def test_plan_trains_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", "")
    planned = run(capsys, "plan", "--no-trial", "experiment=quickstart")
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


# ------------------------------------------------------------------------------------------------------------ analyze


def planted(*overrides: str, able_from: float = 60) -> int:
    (study,) = compose(*LEAP, *overrides)
    return write_planted(study, able_from)


def verdicts() -> pd.DataFrame:
    return pd.read_csv("results/leap/verdicts.csv")


@pytest.mark.usefixtures("undrawn")
def test_analyze_uses_the_runs_asked_for_and_names_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    planted()
    assert run(capsys, "analyze", *LEAP).code == 0
    alone = verdicts()
    planted("optimizer.lr=.003", "parametrization=mup", able_from=0)
    ran = run(capsys, "analyze", *LEAP)
    assert ran.code == 0, ran.err
    pd.testing.assert_frame_equal(verdicts(), alone)
    assert "results/leap: 36 runs (36 finished)" in ran.out
    assert (
        "study main holds runs of other settings: optimizer.lr 0.01, 0.003; parametrization.kind standard, mup"
        in ran.out
    )
    assert "18 of 36 runs are left out" in ran.out and "still to do" not in ran.out


@pytest.mark.usefixtures("undrawn")
def test_analyze_shows_each_value_of_a_setting_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    planted()
    planted("optimizer.lr=.003", able_from=30)
    for overrides in (LEAP, ["name=leap"]):
        ran = run(capsys, "analyze", *overrides, "by=optimizer.lr")
        assert ran.code == 0, ran.err
        assert set(verdicts()["study"]) == {"main (optimizer.lr=0.01)", "main (optimizer.lr=0.003)"}
    assert run(capsys, "analyze", *LEAP, "by=[optimizer.lr,task.k]").code == 0
    assert "main (optimizer.lr=0.003, task.k=3)" in set(verdicts()["study"])
    assert run(capsys, "analyze", *LEAP, "by=optimizer.rate").refused("by=optimizer.rate", "optimizer.lr")


def test_analyze_draws_each_value_of_a_setting_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    planted("optimizer.lr=.003")
    assert run(capsys, "analyze", *LEAP, "optimizer.lr=.003", "by=optimizer.lr").code == 0
    assert list(Path("results/leap/plots").glob("main__optimizer_lr=0_003*.svg"))


@pytest.mark.usefixtures("undrawn")
def test_analyze_without_a_study_refuses_runs_of_several_settings(capsys: pytest.CaptureFixture[str]) -> None:
    planted()
    assert run(capsys, "analyze", "name=leap").code == 0
    planted("task.n_bits=6")
    refused = run(capsys, "analyze", "name=leap")
    assert refused.refused(
        "results/leap: study main holds runs of several settings: task.n_bits 6, 16", "by=task.n_bits"
    )
    # A setting of a study would change nothing where none is chosen.
    assert run(capsys, "analyze", "name=leap", "optimizer.lr=0.01").refused("optimizer.lr=0.01", "family= and task=")
    assert run(capsys, "analyze", "name=leap", "family=mlp").refused("task is not chosen")


@pytest.mark.usefixtures("undrawn")
def test_analyze_says_what_is_still_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    planted()
    ran = run(capsys, "analyze", *LEAP, "seeds=5", "study=main")
    assert ran.code == 0, ran.err
    assert "main: 12 of 30 runs are still to do" in ran.out
    refused = run(capsys, "analyze", *LEAP, "study=other")
    assert refused.refused("results/leap: no runs of the settings asked for; studies not asked for are left out: main")
    assert "other: 18 of 18 runs are still to do" in refused.out


@pytest.mark.usefixtures("undrawn")
def test_analyze_during_a_sweep_says_so_and_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    planted()
    more = (*LEAP, "seeds=5", "study=main")
    with joined(Path("results/leap")):
        asked, folder = run(capsys, "analyze", *more), run(capsys, "analyze", "results/leap")
    told = f"results/leap: a sweep is running (process {os.getpid()}), and this is what has ended so far: "
    assert f"{told}main: 12 of 30 runs are still to do\n" in asked.out
    assert f"{told}0 runs are in training now; `harness status` counts the rest\n" in folder.out
    assert "a sweep is running" not in run(capsys, "analyze", *more).out


@pytest.mark.usefixtures("undrawn")
def test_analyze_of_a_multirun_takes_every_study(capsys: pytest.CaptureFixture[str]) -> None:
    for lr in ("0.01", "0.003"):
        planted(f"optimizer.lr={lr}", f"study='main (optimizer.lr={lr})'")
    ran = run(capsys, "analyze", "--multirun", *LEAP, "optimizer.lr=0.01,0.003")
    assert ran.code == 0, ran.err
    assert set(verdicts()["study"]) == {"main (optimizer.lr=0.01)", "main (optimizer.lr=0.003)"}
    assert "left out" not in ran.out and "still to do" not in ran.out


@pytest.mark.parametrize("verb", ["plan", "sweep", "status", "collect", "analyze"])
@pytest.mark.parametrize("name", ["..", "."])
def test_names_that_climb_out_of_the_results_folder(verb: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, verb, *LEAP, f"name={name}").refused(f"name='{name}'")
    assert run(capsys, verb, *LEAP, "results=").refused("results=")
    assert not list(Path().iterdir())


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
        ("harness plan ladder.wid", {"ladder.width_step=", "ladder.widths="}),
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


@pytest.mark.parametrize(
    "error", [MemoryError("Unable to allocate 8.00 TiB"), RuntimeError("DefaultCPUAllocator: can't allocate memory: x")]
)
def test_memory_that_is_used_up_is_a_line(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def exhaust(*_: object) -> int:
        raise error

    monkeypatch.setattr("harness.commands.run", exhaust)
    assert run(capsys, "fit", "runs.csv").refused("out of memory", "allocate", "take less")


def test_an_error_that_is_no_mistake_of_the_users_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> int:
        raise RuntimeError("a bug")

    monkeypatch.setattr("harness.commands.run", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        run(capsys, "fit", "runs.csv")
