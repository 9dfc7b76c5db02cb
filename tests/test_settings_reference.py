"""The list of settings holds every setting of every group, family and task, with its default, range and meaning."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from harness.errors import UserError
from harness.settings import GROUPS, Settings
from harness.settings_reference import TOP, choices, group, group_names, reference


def test_every_setting_is_listed_once_with_a_meaning() -> None:
    groups = reference()
    assert [g.name for g in groups] == group_names()
    for listed in groups:
        names = [row.name for row in listed.rows]
        assert listed.purpose and len(set(names)) == len(names)
        for row in listed.rows:
            assert row.default and row.allowed and row.meaning, row
            assert row.allowed[0].islower() and row.meaning[-1] != ".", row
    for name in GROUPS:
        kind = type(getattr(Settings(), name))
        assert [row.name for row in group(name).rows] == [f"{name}.{f.name}" for f in dataclasses.fields(kind)]
    top = {row.name for row in group(TOP).rows}
    assert top == {f.name for f in dataclasses.fields(Settings)} - set(GROUPS)


def test_defaults_are_those_of_the_settings_and_of_the_choices() -> None:
    rows = {row.name: row for name in GROUPS for row in group(name).rows}
    assert rows["seeds" if "seeds" in rows else "ladder.batch_size"].default == "64"
    assert rows["optimizer.lr"].default == (
        "0.01 (0.001 with optimizer=adam, 0.1 with optimizer=gd, 0.02 with optimizer=muon, 0.1 with optimizer=sgd)"
    )
    assert rows["ladder.widths"].allowed == (
        "a list of whole numbers of at least 1, or null for first_width and width_step"
    )
    (k,) = [row for row in group("task=parity").rows if row.name == "task.k"]
    assert (k.default, k.allowed) == ("3", "a whole number from 1 to n_bits")


@pytest.mark.parametrize("chosen", ["family", "task"])
def test_files_of_families_and_tasks_have_the_defaults_of_their_classes(chosen: str) -> None:
    from harness.by_name import import_by_name
    from harness.choices import config_folders

    for path in sorted((config_folders()[-1] / chosen).glob("*.yaml")):
        values = yaml.safe_load(path.read_text())
        built = dataclasses.asdict(import_by_name("x", values.pop("_target_"))())
        built.pop("data", None)  # a group of its own, of which a task is given the study's
        if path.stem.endswith("_reference"):  # a class of another file, at settings of its own
            assert built.keys() == values.keys() and built != values, path
        else:
            assert built == values, path


def test_what_can_be_chosen() -> None:
    found = {name: {choice.name: choice.purpose for choice in its} for name, its in choices().items()}
    assert set(found) == {
        *("data", "experiment", "family", "finetune", "ladder", "launcher", "loss"),
        *("optimizer", "parametrization", "schedule", "task"),
    }
    assert found["optimizer"]["sgd"] == "Stochastic gradient descent with momentum."
    assert "quickstart/parity" in found["experiment"]
    for its in found.values():
        for name, purpose in its.items():
            assert purpose and "harness " not in purpose, name


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "task" / "plain.yaml").write_text("_target_: plain_task_of_mine.Plain\nsize: 7\n")
    (tmp_path / "plain_task_of_mine.py").write_text(
        'from dataclasses import dataclass\n@dataclass\nclass Plain:\n    """Mine."""\n'
        "    size: int = 3\n    colour: str = 'red'\n"
    )
    return tmp_path


def test_a_users_own_class_without_ranges(own: Path) -> None:
    mine = group("task=plain")
    assert (mine.name, mine.purpose) == ("task=plain", "Mine.")
    assert [(row.name, row.default, row.allowed, row.meaning) for row in mine.rows] == [
        ("task.size", "7", "int", ""),
        ("task.colour", "red", "str", ""),
    ]
    assert "plain" in [choice.name for choice in choices()["task"]]
    assert "task=plain" in group_names()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("size: 7\n", "has no _target_"),
        ("_target_: math.pi\n", "not a dataclass"),
        ("_target_: nowhere.Task\n", "cannot be imported"),
        ("_target_: [unclosed\n", "not YAML"),
    ],
)
def test_a_users_own_file_that_cannot_be_read(text: str, says: str, own: Path) -> None:
    (own / "conf" / "task" / "plain.yaml").write_text(text)
    with pytest.raises(UserError, match=says) as raised:
        group("task=plain")
    assert "plain" in str(raised.value) and len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(("name", "near"), [("laddr", "ladder"), ("task=partiy", "task=parity"), ("parity", "task=")])
def test_a_group_that_is_not_there(name: str, near: str) -> None:
    with pytest.raises(UserError, match=f"{name}: no such group of settings; did you mean '{near}"):
        group(name)
