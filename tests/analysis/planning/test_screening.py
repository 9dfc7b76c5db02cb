"""What a screening says of planted recipes, and of one recipe."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness import screen
from harness.analysis.planning.screening import Screening
from harness.datasets import make_recipes
from harness.errors import DataError, SettingError

SIZES = (2e7, 6e7, 1.5e8, 1e9)


def planted(task: str = "task", **settings: object) -> pd.DataFrame:
    frame = make_recipes(sizes=SIZES, **settings).frame  # type: ignore[arg-type]
    return frame.rename(columns={"recipe": "study"}).assign(task=task)


def screened(frame: pd.DataFrame, **settings: object) -> Screening:
    return screen(frame, "params", step="step", **settings)  # type: ignore[arg-type]


def verdicts(found: Screening) -> dict[str, str]:
    return dict(zip(found.tasks["task"], found.tasks["verdict"], strict=True))


def test_planted_truths_are_covered() -> None:
    """40 tables of 3 tasks and 3 sizes: the standard error of .95 is 1.1 %, and what repeats in a table adds to it."""
    held, ratio = [], []
    for seed in range(40):
        truth = make_recipes(16, SIZES, n_tasks=3, snr=2, correlation=(0.5, 0.8, 0.95), random_state=seed)
        found = screened(truth.frame.rename(columns={"recipe": "study"}))
        sizes = found.sizes[found.sizes["params"] < 1e9]
        accuracy = sizes["params"].map(truth.decision_accuracy)
        held += accuracy.between(sizes["decision_accuracy_low"], sizes["decision_accuracy_high"]).tolist()
        ratio += sizes["snr_low"].le(2).mul(sizes["snr_high"].ge(2)).tolist()
    assert np.mean(held) > 0.9 and 0.9 < np.mean(ratio) < 0.99


def test_tasks_without_an_order_are_not_readable() -> None:
    """30 tables whose recipes do not differ."""
    nothing = [screened(planted(n_recipes=12, snr=0, random_state=seed)) for seed in range(30)]
    readable = [found.tasks["reading"].eq("readable").any() for found in nothing]
    assert np.mean(readable) < 0.07
    assert np.mean([found.tasks["reading"].eq("no order at the target").all() for found in nothing]) > 0.85


def test_verdicts_by_task_the_greatest_ratio_first() -> None:
    tasks = [
        planted("late", n_recipes=20, snr=6, correlation=(0.0, 0.1, 1.0), random_state=1),
        planted("clear", n_recipes=20, snr=12, correlation=0.995, random_state=2),
        planted("never", n_recipes=20, snr=8, correlation=0.0, random_state=3),
        planted("noise", n_recipes=20, snr=0, random_state=4),
    ]
    found = screened(pd.concat(tasks))
    assert verdicts(found) == {
        "clear": "readable from 20M",
        "late": "readable from 150M",
        "never": "not readable below 1G",
        "noise": "no order at 1G",
    }
    assert found.tasks["snr"].is_monotonic_decreasing and found.target == 1e9 and found.small == 2e7
    late = found.tasks.set_index("task").loc["late"]
    assert late["readable_from"] == 1.5e8 and late["size"] == 2e7 and late["n_shared"] == 20
    assert "at best, at 150M" in late["reason"]
    strict = screened(pd.concat(tasks), accuracy=0.99, small=1.5e8)
    assert not strict.tasks["reading"].eq("readable").any() and (strict.tasks["size"] == 1.5e8).all()


def test_target_small_and_noise_can_be_chosen() -> None:
    frame = planted(n_recipes=12, n_seeds=3, snr=5, random_state=5)
    found = screened(frame, target=1.5e8, noise="seeds")
    assert found.target == 1.5e8 and set(found.tasks["noise_source"]) == {"seeds"}
    assert found.sizes.loc[found.sizes["params"] >= 1.5e8, "decision_accuracy"].isna().all()
    # The largest size that few recipes have is no target.
    fewer = frame[(frame["params"] < 1e9) | frame["study"].isin(["recipe 00", "recipe 01"])]
    assert screened(fewer).target == 1.5e8
    for setting in ({"target": 3e8}, {"small": 1e9}, {"noise": "luck"}, {"accuracy": 1.0}, {"alpha": 0.0}):
        with pytest.raises(SettingError, match=next(iter(setting))):
            screened(frame, **setting)
    with pytest.raises(DataError, match="no rows"):
        screened(frame.head(0))


def test_one_metric_can_be_read_for_the_order_of_another() -> None:
    frame = planted(n_recipes=15, snr=8, random_state=6)
    coarse = frame.assign(metric="exact_match", value=frame["value"].where(frame["params"] > 5e8, 0.0))
    both = pd.concat([frame, coarse])
    itself = screened(both).tasks.set_index("metric")
    assert itself.loc["accuracy", "reading"] == "readable" != itself.loc["exact_match", "reading"]
    negated = frame.assign(metric="loss", value=1 - frame["value"])
    through = screened(pd.concat([negated, coarse]), target_metric="exact_match").tasks.set_index("metric")
    assert through.loc["loss", "reading"] == "readable", "less loss is more"
    assert through.loc["exact_match", "decision_accuracy"] == 0.5, "all its scores are equal"
    with pytest.raises(DataError, match="no metric 'bpb'; there are accuracy, exact_match"):
        screened(both, target_metric="bpb")


def test_too_few_recipes_and_sizes_are_said() -> None:
    four = screened(planted(n_recipes=4, snr=9, random_state=7))
    (row,) = four.tasks.to_dict("records")
    assert row["verdict"] == "too few recipes" and "4 recipes both at 150M and at 1G; 5 are needed" in row["reason"]
    assert row["decision_accuracy"] > 0.5 and np.isnan(row["p_value"]) and row["snr"] > 1
    frame = planted(n_recipes=8, random_state=8)
    (row,) = screened(frame[frame["params"] > 5e8]).tasks.to_dict("records")
    assert row["verdict"] == "too few sizes" and row["reason"] == "no size below 1G"


def test_guessing_is_said() -> None:
    frame = planted(n_recipes=10, snr=1, correlation=0.0, random_state=9).assign(chance=0.4)
    (row,) = screened(frame).tasks.to_dict("records")
    assert "no better than chance up to 150M" in row["reason"]


def test_one_recipe_is_a_ladder() -> None:
    frame = planted(n_recipes=1, n_tasks=3, random_state=10).assign(chance=0.38)
    flat = frame.assign(task="flat", value=frame["value"] - 0.05 * np.log(frame["params"] / 2e7))
    found = screened(
        pd.concat([frame.assign(task="rises"), flat]).drop(columns="seed").drop_duplicates(["task", "params", "step"])
    )
    rows = found.tasks.set_index("task")
    assert not found.of_recipes and np.isnan(found.target)
    assert rows.loc["rises", "reading"] == "improves" and rows.loc["rises", "above_chance_from"] > 2e7
    assert rows.loc["flat", "reading"] in ("does not move", "worsens", "improves")
    assert "above chance from" in rows.loc["rises", "reason"]
    with pytest.raises(SettingError, match="target=1000000000"):
        screened(flat.drop_duplicates(["params", "step"]), target=1e9)
