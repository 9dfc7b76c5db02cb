"""Mixtures as an axis of the ladder: a grid with durations, in a run's identity, and columns of its tables."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from tiny import NextSymbol, make_settings

from harness.errors import SettingError
from harness.families.transformer import Transformer
from harness.ladder import Job, build_ladder, identity_settings, members
from harness.mixtures import Mixtures, Weights, shares
from harness.records.run_settings import durations as recorded_durations
from harness.records.run_settings import setting_columns, split_by, varying_settings
from harness.settings import LadderSettings, Settings
from harness.sweeping.asked import _asked_for
from harness.sweeping.plan import cells
from harness.sweeping.runs_row import run_row
from harness.tasks.two_digits.two_digits import TwoDigits

MIXTURES = [{"shown": 1}, {"shown": 1, "written": 1}, {"shown": 1, "written": 3}]


def study(**ladder) -> Settings:
    asked = {"widths": [8, 16], "batch_size": 16, "mixtures": MIXTURES, "steps": [10, 20]} | ladder
    return Settings(
        family=Transformer(),
        task=TwoDigits(kinds={"written": 1, "shown": 1}),
        ladder=LadderSettings(**asked),
        seeds=2,
    )


def runs_of(settings: Settings) -> pd.DataFrame:
    return pd.DataFrame([run_row(cell, each, "finished") for cell in cells(settings) for each in cell.members])


def test_shares_sum_to_one_and_stay_as_they_are():
    for weights in ({"a": 1, "b": 2}, {"a": 0.1, "b": 0.2, "c": 0.7}, {"a": 3, "b": 3, "c": 3}, {"a": 1e-9, "b": 1}):
        once = shares(weights)
        assert sum(once.values()) == pytest.approx(1, abs=1e-5)
        assert shares(once) == once
    assert Weights().check("x", {"a": 1e-9, "b": 1})["a"] > 0


def test_mixtures_are_a_grid_with_durations_and_examples():
    settings = study(train_examples=[32, 64])
    first = build_ladder(settings)[0]
    found = [(each.steps, each.examples, each.values["task.kinds"]["shown"]) for each in first.durations]
    assert found == [(s, n, share) for s in (10, 20) for n in (32, 64) for share in (1.0, 0.5, 0.25)]
    job = Job(settings, first, 2, members(settings, first, 2))
    assert job.settings.task.mixture == {"written": 0.75, "shown": 0.25}
    asked = recorded_durations(runs_of(settings))
    assert asked["length"].tolist() == [s for _ in (8, 16) for s in (10, 20) for _ in range(2 * 3 * 2)]
    assert asked["examples"].tolist() == [n for _ in range(4) for n in (32, 64) for _ in range(3 * 2)]


def test_a_mixture_is_part_of_a_run_and_the_same_as_one_that_the_task_has():
    settings = study()
    rung = build_ladder(settings)[0]
    identities = [identity_settings(settings, rung, i, 0, 0.01) for i in range(6)]
    assert len({json.dumps(identity) for identity in identities}) == 6
    alone = study(mixtures=None)
    alone.task = TwoDigits(kinds={"written": 1, "shown": 3})
    own = study(mixtures=[{"shown": 3, "written": 1}])
    ids = [members(each, build_ladder(each)[0], 0)[0].run_id for each in (alone, own)]
    assert ids[0] == ids[1]


def test_weights_are_columns_and_hold_curves_apart():
    settings = study(steps=10)
    runs = runs_of(settings)
    columns = setting_columns(runs, ["task.kinds.shown", "task.kinds.written"])
    assert columns.drop_duplicates().to_numpy().tolist() == [[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]]
    assert varying_settings(runs)["main"]["task.kinds.shown"] == [0.25, 0.5, 1.0]
    assert split_by(runs, ["task.kinds.shown"]).nunique() == 3
    for by in ((), ("task.kinds.shown",), ("task.kinds.shown", "task.kinds.written")):
        assert set(_asked_for(settings, runs, by)) == set(runs["run_id"])
    # Asked for without mixtures, each by its own weights.
    assert set(_asked_for(study(steps=10, mixtures=None), runs, ["task.kinds.shown"])) == set(runs["run_id"])
    of_one = runs[columns["task.kinds.shown"] == 0.5]
    assert set(_asked_for(study(steps=10, mixtures=None), runs, ())) == set(of_one["run_id"])


def test_a_task_without_weights_and_unknown_parts_are_refused():
    with pytest.raises(SettingError, match=r"ladder\.mixtures=.*: allowed is null, for task=next_symbol mixes nothing"):
        build_ladder(make_settings(Transformer(), NextSymbol(), ladder__mixtures=[{"shown": 1}]))
    with pytest.raises(SettingError, match=r"ladder\.mixtures\[1\]=spoken: allowed is weights of written, shown, wh"):
        build_ladder(study(mixtures=[{"shown": 1}, {"spoken": 1}]))


@pytest.mark.parametrize(
    ("mixtures", "says"),
    [
        ([], "a list of weights of at least 0"),
        ([{"shown": -1}], r"x\[0\]\.shown=-1: allowed is a number from 0 to"),
        ([{"shown": 1}, {"shown": 0}], r"x\[1\]=.*above 0"),
        ([{"shown": 1}, {"shown": 2, "written": 0}], "differ from each other in their shares"),
        ([{"shown": float("nan")}], "a number from 0 to"),
    ],
)
def test_mixtures_out_of_range(mixtures, says):
    with pytest.raises(SettingError, match=says):
        Mixtures().check("x", mixtures)
