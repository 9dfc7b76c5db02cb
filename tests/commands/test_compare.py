"""harness compare, from users' own tables to thresholds, ratios, JSON and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import loaded_after, run
from one_style import check_one_style
from own_curves import TASKS, write_curves
from own_tables import done

from harness import compare_thresholds

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_curves()


def test_families_are_compared_under_names_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, "compare", "small.csv", "large.csv", "--x", "params,flops", "--metrics", "em")
    by_params, by_flops = found["comparisons"]
    assert (by_params["x"], by_flops["x"]) == ("params", "flops")
    names = [row["curve"] for row in by_params["table"]]
    assert sorted(names) == sorted(f"{family}: {task}" for family in ("small", "large") for task in TASKS)
    pair = {(row["first"], row["second"]): row for row in by_params["pairs"]}["small: reverse", "large: reverse"]
    assert pair["low"] < 4 < pair["high"] and pair["p_adjusted"] < 0.01
    assert names[0] == "small: sum" or "their order is open" in ran.out
    assert all(row["verdict"] for row in by_params["table"]) and "verdict" in ran.out
    does = "appears at" if by_params["table"][0]["state"] == "jump" else "has made half of its rise at"
    assert f"{names[0]} {does} size " in ran.out and f"the size of {names[0]}" in ran.out
    assert -1 <= found["agreement"]["low"] <= found["agreement"]["tau"] <= 1
    assert "Kendall's tau" in ran.out and "Ratios of thresholds in params" in ran.out
    assert found["settings"]["results"] == ["small.csv", "large.csv"]


def test_one_table_keeps_its_names_and_tells_what_has_no_threshold(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("small.csv")
    flat = frame[frame["task"] == "sum"].assign(task="flat", value=0.5)
    pd.concat([frame, flat]).to_csv("small.csv", index=False)
    found, ran = done(capsys, "compare", "small.csv", "--x", "params", "--level", "0.9", "--where", "metric != 'tok'")
    own = compare_thresholds(
        pd.read_csv("small.csv").query("metric != 'tok'").drop(columns="paired_metric"), x="params", level=0.9
    )
    (compared,) = found["comparisons"]
    assert [row["curve"] for row in compared["table"]] == own.table["curve"].tolist()
    assert [row["threshold"] for row in compared["table"]] == pytest.approx(own.table["threshold"].tolist())
    assert compared["absent"][0]["curve"] == "flat" and "flat: no threshold, all values are equal" in ran.out
    assert found["agreement"] is None and "90 % intervals" in ran.out


def test_too_few_curves_for_an_order_spoil_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, "compare", "small.csv", "--x", "params,flops", "--where", "task == 'copy'")
    assert len(found["comparisons"][0]["table"]) == 1 and found["agreement"] is None
    assert "1 curves have a threshold in both; 3 or more are wanted" in ran.out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], ["required: RESULTS"]),
        (["small.csv"], ["small.csv: --x params_non_embedding: no such column or metric", "params, flops"]),
        (["own.csv", "--x", "N"], ["--value: the column of the metric's values must be named", "score"]),
        (["smal.csv", "--x", "params"], ["smal.csv: no such file", "'small.csv'"]),
        (["small.csv", "small.csv", "--x", "params"], ["small.csv: named twice"]),
        (["small.csv", "--x", "params,flops,seed"], ["one or two columns; got 3"]),
        (["small.csv", "--x", "params,flps"], ["--x flps: no such column or metric", "'flops'"]),
        (["small.csv", "--x", "tok"], ["--x tok: is a metric", "rung"]),
        (["small.csv", "--x", "params", "--metrics", "emm"], ["metric 'emm' is not there", "'em'"]),
        (["small.csv", "--x", "params", "--metrics", "em,em"], ["--metrics em,em", "each once"]),
        (
            ["small.csv", "--x", "params", "--where", "params > 1e9"],
            ["small.csv: no rows left (0 excluded, 216 outside --where)"],
        ),
        (["small.csv", "--x", "params", "--metric", "em"], ["small.csv: column 'em' is missing"]),
        (["small.csv", "--x", "params", "--value", "valu"], ["small.csv: column 'valu' is missing", "'value'"]),
        (["small.csv", "--x", "params", "--task", "tusk"], ["small.csv: column 'tusk' is missing", "'task'"]),
        (["small.csv", "--x", "params", "--exclude", "params >"], ["small.csv: 'params >', character 8"]),
        (["small.csv", "--x", "params", "--derive", "value = 1"], ["small.csv: 'value = 1': column 'value' is there"]),
        (["small.csv", "--x", "down", "--derive", "down = 0 - params"], ["small.csv: column down, row 1: -100"]),
        (["small.csv", "--x", "params", "--pair", "em=tk"], ["small.csv: --pair em=tk: no metric 'tk'", "'tok'"]),
        (["small.csv", "--x", "params", "--level", "1"], ["--level: 1", "between 0 and 1"]),
        (["small.csv", "--x", "params", "--plot", "a.svg"], ["--plot", ".png"]),
    ],
)
def test_compare_refuses(argv: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "compare", *argv).refused(*words)


def test_neither_torch_nor_matplotlib_is_loaded() -> None:
    assert loaded_after(("compare", "small.csv", "--x", "params", "--exclude", "params > 2000")) == "[0] set()\n"


def test_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, "compare", "small.csv", "--x", "params,flops", "--plot", "forest.png")
    assert ran.code == 0, ran.err
    assert Path("forest_params.png").exists() and Path("forest_flops.svg").exists()


def test_columns_of_any_names(capsys: pytest.CaptureFixture[str]) -> None:
    """The flags of emergence, with the same words, give what a table under known names gives."""
    known, _ = done(capsys, "compare", "small.csv", "--x", "params")
    flags = ("--value", "score", "--task", "dataset", "--metric", "kind", "--seed", "s", "--n-eval", "items")
    renamed, ran = done(capsys, "compare", "own.csv", "--x", "N", *flags, "--pair", "em=tok")
    rows = [each["comparisons"][0]["table"] for each in (known, renamed)]
    assert [row["curve"] for row in rows[1]] == [row["curve"] for row in rows[0]]
    for name in ("threshold", "threshold_low", "threshold_high"):
        assert [row[name] for row in rows[1]] == pytest.approx([row[name] for row in rows[0]])
    assert renamed["settings"]["value"] == "score" and renamed["settings"]["pair"] == ["em=tok"]
    assert "assumed by name: em, tok: higher is better\n" in ran.out


def test_rows_chosen_derived_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("small.csv")
    frame.loc[4, "value"] = np.nan
    frame.to_csv("small.csv", index=False)
    choice = ("--exclude", "params > 20000", "--derive", "thousands = params / 1000", "--where", "task != 'sum'")
    found, ran = done(capsys, "compare", "small.csv", "large.csv", "--x", "thousands", *choice)
    small, large = found["tables"]
    assert (small["table"], small["n_outside"], len(small["excluded"])) == ("small.csv", 72, 17)
    assert small["excluded"][0] == {"row": 5, "why": "value is not a finite number"}
    assert {each["why"] for each in small["excluded"][1:]} == {"params > 20000"}
    assert "small.csv: 127 rows, 17 excluded, 72 outside --where" in ran.out
    assert "large.csv: 128 rows, 16 excluded, 72 outside --where" in ran.out
    assert all(row["threshold"] < 30 for row in found["comparisons"][0]["table"])
    assert large["assumed"] == {name: {"higher_is_better": True} for name in ("em", "tok")}


def test_a_metric_of_which_less_is_better_is_no_size_that_grows(capsys: pytest.CaptureFixture[str]) -> None:
    """Along a loss abilities appear as it falls; a column whose name only resembles one is a size like any other."""
    frame = pd.read_csv("small.csv").assign(lossless_units=lambda table: table["params"])
    frame["bpb"] = 1000 / frame["params"]
    frame.to_csv("small.csv", index=False)
    by_params, by_name = done(capsys, "compare", "small.csv", "--x", "params,lossless_units")[0]["comparisons"]
    names = [row["curve"] for row in by_params["table"]]
    assert [row["curve"] for row in by_name["table"]] == names
    falling = done(capsys, "compare", "small.csv", "--x", "params,bpb")[0]
    assert [row["curve"] for row in falling["comparisons"][1]["table"]] == names[::-1]
    assert falling["agreement"]["tau"] == 1


def test_one_output_has_one_style(capsys: pytest.CaptureFixture[str]) -> None:
    """p was 0.012 in a table and .012 in a sentence, a size 4.13M here and 4.13e+06 there."""
    ran = run(capsys, "compare", "small.csv", "large.csv", "--x", "params,flops", "--metrics", "em")
    check_one_style(ran.out)
    assert "their order is open (adjusted p = " in ran.out and "x (" in ran.out and "e+" not in ran.out
