"""Every file in conf/ composes; an experiment of several studies is composed study by study."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from command import REPOSITORY

from harness.config import compose
from harness.errors import UserError
from harness.ladder import build_ladder

CONF = REPOSITORY / "conf"


def names(group: str) -> list[str]:
    folder = CONF / group
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml"))


@pytest.mark.parametrize("name", names("experiment"))
def test_every_experiment_composes_to_a_ladder(name: str) -> None:
    for study in compose(f"experiment={name}"):
        kind, _, where = str(study.data.source).partition(":")
        if kind == "path" and not Path(where).exists():
            pytest.skip(f"the data of {study.study} are not on this machine: {where}")
        rungs = build_ladder(study)
        assert rungs and all(rung.params.total > 0 and min(rung.steps) > 0 for rung in rungs)


@pytest.mark.parametrize("name", names("experiment"))
def test_every_experiment_begins_with_its_command(name: str) -> None:
    header = (CONF / "experiment" / f"{name}.yaml").read_text().split("\n\n")[0]
    lines = [line for line in header.splitlines() if line.startswith("#")]
    assert any(f"harness sweep experiment={name}" in line for line in lines), "the command"
    assert any(re.search(r"\d cores?\b.*\d (minutes?|seconds?)\b", line) for line in lines), "cores and time"
    assert any("Expect" in line for line in lines), "what to expect"


def test_every_family_and_task_compose_where_they_fit(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("x,label\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    texts = tmp_path / "texts.csv"
    texts.write_text("text,label\n" + "".join(f"number {i},{i % 2}\n" for i in range(40)))
    own = {name: ["loss=mse"] for name in ("linear_regression", "teacher_student")}
    own |= {
        "images": ["data=digits"],
        "language": ["data=stdlib"],
        "multiple_choice": ["data=numbers"],
        "speech": ["data=spoken_words", "data.classes=[yes,no]"],
        "table": [f"data.source=path:{table}"],
        "text_classification": [f"data.source=path:{texts}"],
    }
    families = {name: compose(f"family={name}", "task=parity")[0].family for name in names("family")}
    studies = [
        compose("family=mlp", f"task={name}", "ladder=one", "ladder.steps=10", *own.get(name, []))[0]
        for name in names("task")
    ]
    fitting = set()
    for study in studies:
        for name, family in families.items():
            study.family = family
            # One size suits a linear map; a network of several layers has as many as it says, of a width that fits.
            study.ladder = replace(study.ladder, widths=[1 if name == "linear" else 16], depths=None, heads=1)
            try:
                build_ladder(study)
                fitting.add((name, study.task.name))
            except UserError as error:
                assert f"family={family.name}" in str(error)
    assert {task for _, task in fitting} == set(names("task")), "every task has a family"
    assert {family for family, _ in fitting} == set(names("family")), "every family has a task"


@pytest.mark.parametrize("group", ["ladder", "optimizer", "schedule", "parametrization", "launcher"])
def test_every_choice_of_the_other_groups_composes(group: str) -> None:
    for name in names(group):
        (study,) = compose("family=mlp", "task=parity", f"{group}={name}", "ladder.steps=10")
        assert build_ladder(study)


def test_studies_take_shared_settings_from_the_experiment_that_lists_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "two.yaml").write_text(
        "# @package _global_\nname: two\nstudies: [quickstart/parity, quickstart/digits]\nanalysis:\n  alpha: 0.01\n"
    )
    monkeypatch.chdir(tmp_path)
    studies = compose("experiment=two", "seeds=7")
    assert [study.study for study in studies] == ["parity", "digits"]
    assert {(s.name, s.results, s.analysis.alpha, s.seeds) for s in studies} == {("two", "results/two", 0.01, 7)}
    (renamed, _) = compose("experiment=two", "name=other", "analysis.alpha=0.02")
    assert (renamed.results, renamed.analysis.alpha) == ("results/other", 0.02)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes conf/experiment/two.yaml in the folder that the test runs in."""
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> None:
        studies = "# @package _global_\nname: two\nstudies: [quickstart/parity, quickstart/digits]\n"
        (tmp_path / "conf" / "experiment" / "two.yaml").write_text(studies + text)

    return write


def test_settings_beside_studies_apply_to_every_study(own: Callable[[str], None]) -> None:
    own("seeds: 5\noptimizer: {lr: [0.1, 0.2]}\nladder: {steps: 10}\n")
    parity, digits = compose("experiment=two")
    for study in (parity, digits):
        assert (study.seeds, study.optimizer.lr, study.ladder.steps) == (5, [0.1, 0.2], 10)
    # What it does not set stays as each study's own file has it.
    assert parity.ladder.widths == [4, 8, 16, 32, 64, 128, 256] and digits.ladder.widths == [8, 16, 32, 64, 128, 256]
    assert (parity.ladder.batch_size, digits.ladder.batch_size) == (256, 64)
    assert (parity.parametrization.kind, digits.parametrization.kind) == ("mup", "standard")


def test_the_command_line_wins_over_settings_beside_studies(own: Callable[[str], None]) -> None:
    own("seeds: 5\noptimizer: {lr: 0.5}\n")
    for study in compose("experiment=two", "seeds=7"):
        assert (study.seeds, study.optimizer.lr) == (7, 0.5)
    (digits,) = compose("experiment=two", "task=digits", "optimizer.lr=0.25")
    assert (digits.study, digits.seeds, digits.optimizer.lr) == ("digits", 5, 0.25)


def test_choices_beside_studies_apply_to_every_study(own: Callable[[str], None]) -> None:
    own("defaults:\n  - override /optimizer: sgd\n  - override /schedule: cosine\n")
    for study in compose("experiment=two"):
        assert (study.optimizer.kind, study.schedule.kind) == ("sgd", "cosine")
    for study in compose("experiment=two", "schedule=constant"):
        assert (study.optimizer.kind, study.schedule.kind) == ("sgd", "constant")


def test_a_setting_that_not_every_study_has_is_named(own: Callable[[str], None]) -> None:
    own("task: {n_bits: 12}\n")
    with pytest.raises(UserError, match=r"task\.n_bits is not a setting of harness\.tasks\.digits"):
        compose("experiment=two")


def test_studies_of_one_experiment_have_names_of_their_own(own: Callable[[str], None]) -> None:
    own("study: both\n")
    with pytest.raises(UserError, match=r"study=both: the name of both quickstart/parity and quickstart/digits"):
        compose("experiment=two")
    (one,) = compose("experiment=two", "task=digits")
    assert one.study == "both"


@pytest.mark.parametrize("group", ["task", "family"])
def test_a_group_that_is_null_is_not_chosen(group: str) -> None:
    with pytest.raises(UserError, match=f"{group}=null: give {group}=NAME"):
        compose("family=mlp", "task=parity", f"{group}=null")
