"""From a results folder to an analysis: which of its runs count, under which names, and what is said of the others."""

from __future__ import annotations

import html
from pathlib import Path

import pandas as pd
import pytest
from planted_runs import LEAP, write_planted

from harness.config import compose
from harness.errors import DataError
from harness.records.comparable import ChosenRuns
from harness.records.store import load_runs
from harness.report.analyze import Analysis, analyze
from harness.report.card import cards
from harness.report.html import write_report
from harness.settings import Settings
from harness.sweeping.asked import choose_runs

FOLDER = Path("results/leap")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def study(*overrides: str) -> Settings:
    (found,) = compose(*LEAP, *overrides)
    return found


def asked(*overrides: str, by: tuple[str, ...] = ()) -> Analysis:
    return analyze(FOLDER, bootstrap=100, chosen=choose_runs([study(*overrides)], load_runs(FOLDER), by), by=by)


def verdicts(analysis: Analysis) -> pd.DataFrame:
    return analysis.jumps.drop(columns="step_octaves").reset_index(drop=True)


@pytest.mark.usefixtures("undrawn")
def test_runs_of_other_settings_change_no_verdict() -> None:
    """Trap: 12 bits, then 6, gave one zigzag curve that was called smooth."""
    write_planted(study("task.n_bits=12"), able_from=60)
    alone = asked("task.n_bits=12")
    (row,) = alone.jumps.to_dict("records")
    assert row["verdict"] == "emergent" and row["n_runs"] == 18
    write_planted(study("task.n_bits=6"), able_from=16)
    write_planted(study("task.n_bits=12", "optimizer.lr=.003", "parametrization=mup"), able_from=0)
    both = asked("task.n_bits=12")
    pd.testing.assert_frame_equal(both.jumps, alone.jumps)
    pd.testing.assert_frame_equal(both.laws, alone.laws)
    assert len(both.runs) == 18
    (told,) = both.left_out
    assert "holds runs of other settings: task.n_bits 12, 6; optimizer.lr 0.01, 0.003" in told
    assert "36 of 54 runs are left out" in told
    assert told in cards(both)[0] and told in html.unescape(write_report(both)[0].read_text())


def test_one_name_for_several_settings_is_refused_where_none_is_asked_for() -> None:
    write_planted(study("task.n_bits=12"), able_from=60)
    write_planted(study("task.n_bits=6"), able_from=16)
    with pytest.raises(DataError) as refused:
        analyze(FOLDER)
    assert str(refused.value) == (
        "results/leap: study main holds runs of several settings: task.n_bits 6, 12\n"
        "add by=task.n_bits for a curve of each value, or the words that the sweep of one of them was given; another "
        "name=NAME for a sweep keeps its runs apart"
    )


@pytest.mark.parametrize("chosen", [False, True])
def test_each_value_is_a_curve_where_that_is_asked_for(chosen: bool) -> None:
    write_planted(study("optimizer.lr=0.01"), able_from=60)
    write_planted(study("optimizer.lr=0.003"), able_from=30)
    by = ("optimizer.lr",)
    found = asked(by=by) if chosen else analyze(FOLDER, bootstrap=100, by=by)
    assert sorted(found.studies) == ["main (optimizer.lr=0.003)", "main (optimizer.lr=0.01)"] and not found.left_out
    placed = found.jumps.set_index("study")
    assert (placed["verdict"] == "emergent").all() and (placed["n_runs"] == 18).all()
    assert placed.loc["main (optimizer.lr=0.003)", "threshold"] < placed.loc["main (optimizer.lr=0.01)", "threshold"]
    (mine, other) = (len(found.runs[found.runs["study"] == name]) for name in found.studies)
    assert (mine, other) == (18, 18)


def test_learning_rates_of_one_list_compete_at_each_size() -> None:
    for lr, loss in ((0.01, 0.0), (0.1, 0.2)):
        write_planted(study(f"optimizer.lr={lr}"), able_from=60 if lr == 0.01 else 0, loss=loss)
    found = asked("optimizer.lr=[0.01,0.1]")
    (row,) = found.jumps.to_dict("records")
    # At the sizes where only the other rate has the ability, its loss is lower even so.
    assert row["n_runs"] == 18
    assert found.frame.groupby("width")["lr"].unique().map(list).to_dict() == {
        8: [0.1],
        16: [0.1],
        32: [0.1],
        64: [0.01],
        128: [0.01],
        256: [0.01],
    }
    assert set(found.every_duration["lr"]) == {0.01, 0.1}
    (told,) = found.left_out
    assert told.startswith("18 of 36 runs of main are kept, those with the best learning rate")
    assert asked("optimizer.lr=[0.01,0.1]", by=("optimizer.lr",)).left_out == ()


def test_no_run_of_the_settings_asked_for() -> None:
    write_planted(study("task.n_bits=12"), able_from=60)
    with pytest.raises(DataError, match=r"results/leap: no runs of the settings asked for; study main .*n_bits 6, 12"):
        asked("task.n_bits=6")
    with pytest.raises(DataError, match=r"results/leap: no runs of the settings asked for$"):
        analyze(FOLDER, chosen=ChosenRuns({}))


def test_by_names_a_setting_that_runs_state() -> None:
    write_planted(study(), able_from=60)
    with pytest.raises(DataError, match=r"by=optimizr\.lr: no run states such a setting; did you mean 'optimizer\.lr'"):
        asked(by=("optimizr.lr",))
