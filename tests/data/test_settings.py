"""`data` as a group of settings: its steps are checked with their place, and tasks that read data are given it."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from command import REPOSITORY

from harness.config import compose, rebuild
from harness.data.settings import DataSettings
from harness.errors import UserError
from harness.ladder import build_ladder, members
from harness.metrics import LOSS
from harness.tasks.base import Batch, Signature, Task


@dataclass
class Reads(Task):
    """A task of data."""

    data: DataSettings = field(default_factory=DataSettings)

    metrics = (LOSS,)
    name = "reads"

    @property
    def signature(self) -> Signature:
        return Signature(n_outputs=2, feature_shape=(3,))

    def train_batch(self, rng: np.random.Generator, batch_size: int) -> Batch:
        raise NotImplementedError

    def eval_batch(self) -> Batch:
        raise NotImplementedError


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``task=reads`` in the folder that the test runs in."""
    (tmp_path / "conf" / "task").mkdir(parents=True)
    (tmp_path / "conf" / "task" / "reads.yaml").write_text("# Reads.\n_target_: reading.Reads\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "reading", sys.modules[__name__])


STUDY = ("family=mlp", "task=reads", "ladder.steps=10", "ladder.count=1", "seeds=1")


@pytest.mark.usefixtures("reads")
def test_a_task_with_a_field_of_data_has_those_of_the_study_in_its_identity() -> None:
    ids = set()
    for overrides in (
        [],
        ["data=digits"],
        ["data=digits", "data.eval_fraction=0.5"],
        ["data=digits", "data.prepare=[]"],
    ):
        (study,) = compose(*STUDY, *overrides)
        assert study.task.data == study.data
        (one,) = members(study, build_ladder(study)[0], 0)
        ids.add(one.run_id)
    assert len(ids) == 4
    recorded = {"name": "reads"} | dataclasses.asdict(study.task)
    recorded["data"]["split_seed"] = 7
    assert rebuild([study], "task", recorded).data == dataclasses.replace(study.data, split_seed=7)


@pytest.mark.usefixtures("reads")
def test_data_are_set_for_the_study_and_not_for_the_task() -> None:
    with pytest.raises(UserError, match=r"^task\.data: data are settings of the study: give data=NAME"):
        compose(*STUDY, "+task.data.source=embedded:digits")


def test_other_tasks_are_what_they_were() -> None:
    plain, with_data = (compose("family=mlp", "task=parity", "ladder.steps=10", *o)[0] for o in ([], ["data=digits"]))
    one, other = (members(study, build_ladder(study)[0], 0)[0].run_id for study in (plain, with_data))
    assert one == other


def test_every_file_of_data_composes() -> None:
    for path in sorted((REPOSITORY / "conf" / "data").glob("*.yaml")):
        (study,) = compose("family=mlp", "task=parity", f"data={path.stem}")
        assert (study.data.source is None) == (path.stem == "none")


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        ("standardize", r"data\.prepare\[0\]=standardize: allowed is one of .*did you mean 'standardise'"),
        ([{"standardise": {"per": "row"}}], r"data\.prepare\[0\]: standardise has no setting per"),
        ([{"standardise": {"by": "row"}}], r"data\.prepare\[0\]\.standardise\.by=row: allowed is one of global"),
        (["scale", "standardise"], r"data\.prepare\[1\]=standardise: scale has set the scale already"),
        (["scale", "missing"], r"data\.prepare\[1\]=missing: cleans, and must stand before scale"),
        (["missing", "missing"], r"data\.prepare\[1\]=missing: stands twice"),
        (["nowhere.Step"], r"data\.prepare\[0\]=nowhere\.Step cannot be imported"),
        ([{"scale": 3}], r"data\.prepare\[0\]=.*allowed is a name of a step"),
    ],
)
def test_steps_that_cannot_be_used_are_named_with_their_place(prepare: object, says: str) -> None:
    with pytest.raises(UserError, match=f"^{says}"):
        DataSettings(prepare=prepare)


def test_numbers_among_classes_are_names() -> None:
    assert DataSettings(classes=[0, 1, "two", 2.5]).classes == ["0", "1", "two", "2.5"]


@pytest.mark.parametrize("name", ["classes", "input_columns", "label_columns"])
def test_a_name_stands_in_a_list_once(name: str) -> None:
    with pytest.raises(UserError, match=rf"data\.{name}=\['a', 'b', 'a'\]: allowed is names that differ"):
        DataSettings(**{name: ["a", "b", "a"]})  # type: ignore[arg-type]
