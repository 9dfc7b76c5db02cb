"""Checkpoints of one model become one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import DataError
from harness.records.importers.checkpoints import join_checkpoints
from harness.records.importers.found import FoundRun, Number


def run(file: str, *numbers: Number, key: str = "model/task", **settings: object) -> FoundRun:
    return FoundRun(Path(file), "model", list(numbers), {"task": "task", **settings}, "task", key=key)


def acc(step: int | None, value: float) -> Number:
    return Number(step, "eval", "acc", value, task="task")


def test_runs_of_one_key_are_one_run_in_order_of_step() -> None:
    runs = [
        run("b.json", acc(20, 0.6), steps=20),
        run("other.json", acc(5, 0.1), key="other", steps=5),
        run("a.json", acc(3, 0.5), steps=3, params_total=7),
    ]
    joined, other = join_checkpoints(runs)
    assert joined.numbers == [acc(3, 0.5), acc(20, 0.6)]
    assert joined.settings == {"task": "task", "steps": 20, "params_total": 7}
    assert joined.all_files == (Path("b.json"), Path("a.json")) and joined.notes == ()
    assert other is runs[1]


def test_a_number_stated_twice_counts_once_and_is_said() -> None:
    (joined,) = join_checkpoints([run("a.json", acc(3, 0.5)), run("b.json", acc(3, 0.5), acc(4, 0.6))])
    assert joined.numbers == [acc(3, 0.5), acc(4, 0.6)]
    assert joined.notes == ("b.json repeats numbers of a.json, which count once",)


def test_contradictions_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        join_checkpoints([run("a.json", acc(3, 0.5)), run("b.json", acc(3, 0.25))])
    assert str(caught.value) == "a.json and b.json state acc of task of model at step 3, 0.5 and 0.25: keep one of them"


def test_a_file_without_a_step_beside_others_with_one_is_refused() -> None:
    with pytest.raises(DataError, match=r"b\.json: states no training step, and a\.json of the same model"):
        join_checkpoints([run("a.json", acc(3, 0.5)), run("b.json", Number(None, "eval", "ppl", 9.0))])
