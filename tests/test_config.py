"""Every file in conf/ composes, and settings out of their range are refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command import REPOSITORY

from harness.config import compose
from harness.errors import SettingError, UserError
from harness.ladder import build_ladder
from harness.settings import Settings, number_list

CONF = REPOSITORY / "conf"


def names(group: str) -> list[str]:
    folder = CONF / group
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml"))


@pytest.mark.parametrize("name", names("experiment"))
def test_every_experiment_composes_to_a_ladder(name: str) -> None:
    for study in compose(f"experiment={name}"):
        rungs = build_ladder(study)
        assert len(rungs) > 1
        assert all(rung.params.total > 0 and min(rung.steps) > 0 for rung in rungs)


@pytest.mark.parametrize("name", names("experiment"))
def test_every_experiment_begins_with_its_command(name: str) -> None:
    header = (CONF / "experiment" / f"{name}.yaml").read_text().split("\n\n")[0]
    lines = [line for line in header.splitlines() if line.startswith("#")]
    assert any(f"harness sweep experiment={name}" in line for line in lines), "the command"
    assert any(re.search(r"\d cores?\b.*\d (minutes?|seconds?)\b", line) for line in lines), "cores and time"
    assert any("Expect" in line for line in lines), "what to expect"


def test_every_family_and_task_compose_where_they_fit() -> None:
    families = [compose(f"family={name}", "task=parity")[0] for name in names("family")]
    studies = [compose("family=mlp", f"task={name}", "ladder.steps=10", "ladder.count=2")[0] for name in names("task")]
    fitting = set()
    for study in studies:
        for family in [other.family for other in families]:
            study.family = family
            try:
                build_ladder(study)
                fitting.add((family.name, study.task.name))
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


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("optimizer.kind", "adam"),
        ("optimizer.lr", -1.0),
        ("optimizer.lr", [0.1, float("inf")]),
        ("optimizer.lr", "fast"),
        ("optimizer.beta1", 1.5),
        ("optimizer.grad_clip", 0.0),
        ("schedule.kind", "linear"),
        ("schedule.warmup", -0.1),
        ("parametrization.kind", "sp"),
        ("parametrization.base_width", 0),
        ("training.device", "tpu"),
        ("training.precision", "float16"),
        ("training.evaluations", 0),
        ("launcher.workers", 0),
        ("launcher.members_together", 0),
        ("ladder.batch_size", 0),
        ("analysis.alpha", 0.7),
        ("analysis.level", 0.3),
        ("analysis.interval", "jackknife"),
        ("analysis.bootstrap", 99),
        ("analysis.seed", -1),
        ("seeds", 0),
        ("name", "a/b"),
    ],
)
def test_values_out_of_range_are_refused_by_name(setting: str, value: object) -> None:
    owner, _, name = setting.rpartition(".")
    kind = type(getattr(Settings(), owner)) if owner else Settings
    with pytest.raises(SettingError, match=f"^{setting}"):
        kind(**{name: value})


def test_a_number_or_a_list_of_numbers() -> None:
    assert number_list("x", 3) == [3]
    assert number_list("x", [1, 2.5]) == [1, 2.5]
    for wrong in ([], "a", [1, "a"], True, None):
        with pytest.raises(SettingError):
            number_list("x", wrong)
