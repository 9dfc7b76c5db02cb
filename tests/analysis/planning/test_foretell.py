"""Abilities of a frame, foretold: which rows are the family, along which axis, up to which size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness import foretell
from harness.datasets import make_finetuned
from harness.errors import DataError, SettingError

FAMILY = (8000, 11_314, 16_000, 22_627)


def table() -> pd.DataFrame:
    return make_finetuned(family_sizes=FAMILY, random_state=1).frame


def as_results(frame: pd.DataFrame) -> pd.DataFrame:
    """As `harness.load` gives it: run ids, parents of fine-tuned runs alone, a study of each kind."""
    tuned = frame["examples"] > 0
    place = frame["params"].astype(str) + "-" + frame["seed"].astype(str)
    return frame.assign(
        study=np.where(tuned, "tuned", "family"),
        task=np.where(tuned, "sort", "mixture"),
        subtask="sort",
        run_id=np.where(tuned, place + "-" + frame["examples"].astype(str), place),
        parent_run=pd.Series(place).where(tuned, None),
        unique_examples=frame["examples"].where(tuned, 5e6),
        params_non_embedding=frame["params"],
    ).drop(columns=["params", "examples", "parent"])


def test_sizes_that_were_not_fine_tuned_have_no_part_in_the_forecast() -> None:
    frame = table()
    found = foretell(frame, "params", "examples", at=100)
    alone = foretell(frame[frame["params"] < 6000], "params", "examples", at=100)
    (row,), (same,) = found.table.to_dict("records"), alone.table.to_dict("records")
    assert row == same
    assert row["status"] == "forecast" and row["largest"] == 5657 and row["n_amounts"] == 4
    assert row["reach"] == pytest.approx(row["threshold"] / 5657)
    assert found.family["params"].max() == FAMILY[-1]


def test_runs_without_a_parent_are_the_family_of_those_that_began_from_them() -> None:
    frame = table()
    plain = foretell(frame, "params", "examples", at=100).table
    results = foretell(as_results(frame), at=100)
    assert results.table.loc[0, ["study", "task", "subtask"]].tolist() == ["tuned", "sort", "sort"]
    numbers = ["threshold", "low", "high", "p_value", "n_runs"]
    assert results.table[numbers].to_numpy() == pytest.approx(plain[numbers].to_numpy())
    assert results.family["params_non_embedding"].nunique() == 6 + len(FAMILY)


def test_along_the_loss_that_fine_tuning_began_from() -> None:
    """A loss that falls as N^-.1: thresholds are those of N, turned."""
    frame = as_results(table())
    loss = 3 * (frame["params_non_embedding"] / 1000) ** -0.1
    family = frame["parent_run"].isna()
    of_family = frame[family].assign(metric="loss", subtask="all", value=loss[family], higher_is_better=False)
    both = pd.concat([frame.assign(parent_loss=loss.where(~family)), of_family], ignore_index=True)
    (row,) = foretell(both, "parent_loss", at=100).table.to_dict("records")
    (by_size,) = foretell(frame, at=100).table.to_dict("records")
    expected = [3 * (by_size[name] / 1000) ** -0.1 for name in ("threshold", "high", "low", "largest")]
    assert [row[name] for name in ("threshold", "low", "high", "largest")] == pytest.approx(expected, rel=0.03)


def test_below_leaves_out_larger_sizes_and_several_abilities_are_foretold_apart() -> None:
    frame = make_finetuned((1000, 1414, 2000, 2828, 4000, 5657, 8000, 11_314, 16_000, 22_627), random_state=1).frame
    both = pd.concat([frame.assign(task="sort"), table().assign(task="copy")])
    found = foretell(both, "params", "examples").table.set_index("task")
    assert found["status"].to_dict() == {"sort": "already there", "copy": "forecast"}
    below = foretell(both, "params", "examples", below=6000).table.set_index("task")
    assert set(below["status"]) == {"forecast"} and set(below["largest"]) == {5657}


def test_what_cannot_be_foretold_is_refused_by_name() -> None:
    frame = table()
    with pytest.raises(DataError, match="no run was fine-tuned"):
        foretell(frame[frame["examples"] == 0], "params", "examples")
    with pytest.raises(DataError, match="no score of which more is better"):
        foretell(frame.assign(metric="loss"), "params", "examples")
    with pytest.raises(DataError, match="'tokens' is missing"):
        foretell(frame, "params", "tokens")
    with pytest.raises(SettingError, match="at least the smallest size, 1000"):
        foretell(frame, "params", "examples", below=500)
    with pytest.raises(DataError, match="the number of examples of a run that was fine-tuned"):
        foretell(as_results(frame).assign(unique_examples=np.nan))
