"""Mistakes in a family and in data come before a sweep."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from command import run
from tiny import SignOfSum, make_settings

from harness.data import tokens
from harness.data.settings import DataSettings
from harness.errors import SettingError, UserError
from harness.families.base import ParameterCount
from harness.families.linear import Linear
from harness.families.mlp import MLP
from harness.settings import Settings
from harness.sweeping.check import check_models
from harness.tasks.language import Language
from harness.tasks.regression import LinearRegression


@dataclass
class Wrong(MLP):
    """Counts one hidden layer whatever the depth, or miscounts FLOPs of wide layers."""

    where: str = "deep"

    def count(self, shape, signature):
        counted = super().count(shape, signature)
        deeper = (shape.depth - 1) * (shape.width + 1) * shape.width
        return ParameterCount(mlp=counted.mlp - deeper * (self.where == "deep"), head=counted.head)

    def forward_flops(self, shape, signature):
        return super().forward_flops(shape, signature) * (2 if self.where == "wide" and shape.width > 4 else 1)


@dataclass
class Failing(MLP):
    def build(self, shape, signature, parametrization):
        raise ZeroDivisionError("of the family's own")


def study_of(family: MLP, **changes) -> Settings:
    return make_settings(family, SignOfSum(), ladder__widths=[8, 16, 4], **changes)


def test_the_smallest_size_of_each_study_and_depth_is_built() -> None:
    assert check_models([study_of(MLP()), study_of(MLP())], flops=True) == 2
    assert check_models([study_of(MLP(), ladder__depths=[1, 2, 2])], flops=True) == 2
    assert check_models([study_of(MLP())], flops=True, every_rung=True) == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"optimizer__kind": "muon"},
            "optimizer.kind=muon: allowed is another, for family=linear has no hidden matrix",
        ),
        (
            {"loss__kind": "binary"},
            "loss.kind=binary: allowed is mse, for task=linear_regression asks for values from -",
        ),
    ],
)
def test_what_would_train_nothing_that_is_meant_is_refused(changes: dict[str, str], says: str) -> None:
    # A linear model has one size.
    study = make_settings(Linear(), LinearRegression(), ladder__widths=[1], **({"loss__kind": "mse"} | changes))
    with pytest.raises(SettingError, match=says):
        check_models([study], flops=False)


def test_a_mistake_names_study_and_size() -> None:
    said = r"^study main, rung 0: family=mlp at width 8, depth 2: .*mlp is 40 by count\(\) and 112 in the model"
    with pytest.raises(UserError, match=said):
        check_models([study_of(Wrong(), ladder__depths=[2, 2, 1])], flops=False)


def test_every_rung_finds_what_the_smallest_hides() -> None:
    study = study_of(Wrong(where="wide"), ladder__depths=[1])
    assert check_models([study], flops=True) == 1
    assert check_models([study], flops=False, every_rung=True) == 3
    with pytest.raises(UserError, match=r"rung 0: family=mlp at width 8, depth 1: forward_flops\(\) gives"):
        check_models([study], flops=True, every_rung=True)


def test_what_the_familys_own_code_raises_is_a_line() -> None:
    with pytest.raises(UserError) as refused:
        check_models([study_of(Failing())], flops=True)
    words = (
        "study main, rung 2: family=mlp at width 4, depth 1 cannot be built and run: ZeroDivisionError: of the family's"
    )
    assert str(refused.value).startswith(words)
    assert "(test_check.py:" in str(refused.value)


def write_data() -> None:
    for i in range(20):
        for folder in ("notes", "empty"):
            Path(folder).mkdir(exist_ok=True)
        Path(f"notes/{i}.txt").write_text(f"note {i} is one of the notes\n")
    row = {"question": "?", "choices": ["an answer that is long", "b"], "answer": 0}
    Path("q.jsonl").write_text("".join(json.dumps(row | {"question": f"{i}?"}) + "\n" for i in range(20)))


@pytest.mark.parametrize(
    ("task", "words", "says"),
    [
        ("language", ["data.source=path:nope"], "nope: no such file or folder"),
        ("language", ["data.source=path:empty"], "empty: holds no examples"),
        ("language", [], "data.source=null: allowed is embedded:NAME"),
        (
            "language",
            ["data.source=path:notes", "data.prepare=[standardise]"],
            "data.prepare[0]=standardise: allowed is",
        ),
        ("language", ["data.source=path:notes", "task.vocabulary=10000000"], "from 258 to 1,000,000"),
        ("language", ["data.source=path:notes", "task.vocabulary=500"], "allowed is at most 2"),
        ("language", ["data.source=path:notes", "task.context=5000"], "task.context=5000: allowed is at most"),
        ("language", ["data.source=path:notes", "task.n_eval=5000"], "task.n_eval=5000: allowed is at most"),
        ("multiple_choice", ["data.source=path:nope"], "nope: no such file or folder"),
        ("multiple_choice", ["data.source=path:q.jsonl", "task.context=8"], "an answer of 23 tokens; task.context=8"),
        ("text_classification", ["data.source=path:nope"], "nope: no such file or folder"),
    ],
)
def test_plan_refuses_the_data_that_sweep_refuses(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    task: str,
    words: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_data()
    study = ["family=transformer", f"task={task}", "ladder.widths=[8]", "ladder.steps=2", "seeds=1", "name=x", *words]
    study = study if task != "language" or "n_eval" in str(words) else [*study, "task.n_eval=null"]
    told = [run(capsys, verb, *study) for verb in ("plan", "sweep")]
    assert told[0].refused(says) and told[0].err == told[1].err


def test_much_text_is_counted_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tokens, "_QUICK", 0)
    write_data()
    data = DataSettings(source="path:notes")
    Language(context=16, n_eval=None, vocabulary=270, data=data).check_data()
    with pytest.raises(UserError, match=r"task.context=5000: allowed is at most"):
        Language(context=5000, n_eval=None, vocabulary=270, data=data).check_data()
    with pytest.raises(UserError, match=r"task.n_eval=500: allowed is at most"):
        Language(context=16, n_eval=500, vocabulary=270, data=data).check_data()
