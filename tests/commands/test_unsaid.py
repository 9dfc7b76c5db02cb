"""What a table does not say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.commands.unsaid import apart_in_words, confounders


@pytest.fixture
def table() -> pd.DataFrame:
    """Six sizes, four runs each, of two families at each size."""
    size, run = (axis.ravel() for axis in np.indices((6, 4)))
    return pd.DataFrame({"N": 2.0**size, "value": np.linspace(0, 1, 24), "size": size, "run": run})


def found(table: pd.DataFrame, **columns: object) -> list[str]:
    table = table.assign(**columns)
    frame = table[["N", "value"]].assign(metric="acc")
    return confounders(frame, table, ["N"], {"N", "value", "size", "run"})


def test_columns_that_differ_within_a_size_are_named(table: pd.DataFrame) -> None:
    labels = np.where(table["run"] < 2, "a", "b")
    assert found(table, family=labels) == ["family"]
    assert found(table, tokens=np.where(table["run"] < 2, 1e9, 3e9)) == ["tokens"]
    assert found(table, shots=np.where(table["run"] % 2, 5, 0), family=labels) == ["shots", "family"]
    # A family of small models and one of large ones.
    assert found(table, family=np.where(table["size"] < 3, "a", "b")) == ["family"]


def test_measurements_seeds_and_other_names_of_the_size_are_not(table: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    assert found(table, wall_s=rng.random(24)) == [], "a number to each row"
    assert found(table, replicate=table["run"], fold=1 + table["run"]) == [], "seeds by another name"
    assert found(table, model=table["size"].map("m{}".format), flops=table["N"] * 1e9) == [], "follow from the size"
    assert found(table, name=table.index.map(str), one="x", empty=np.nan) == []
    assert found(table, failed=table["run"] == 3, when=pd.Timestamp("2020-01-01")) == []


def test_what_is_told_apart_already_is_not_asked_for(table: pd.DataFrame) -> None:
    family = np.where(table["run"] < 2, "a", "b")
    frame = table[["N", "value"]].assign(metric="acc", study=family)
    assert confounders(frame, table.assign(family=family), ["N"], {"N", "value", "size", "run"}) == []
    # Each task has one number of shots: within a task nothing differs.
    shots = np.where(table["run"] < 2, 0, 5)
    frame = table[["N", "value"]].assign(metric="acc", task=family)
    assert confounders(frame, table.assign(shots=shots), ["N"], {"N", "value", "size", "run"}) == []


def test_words() -> None:
    assert list(apart_in_words([])) == []
    assert list(apart_in_words(["a"])) == [
        "whether column a tells curves apart (if so, name it by --by, --task or --subtask)"
    ]
    (several,) = apart_in_words(["a", "b"])
    assert several.startswith("whether columns a, b tell curves apart")
