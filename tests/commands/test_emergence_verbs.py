"""emergence and compare, from a user's own table or results folder to verdicts, words, JSON and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import loaded_after, run
from own_tables import done
from scipy.stats import kendalltau

from harness import compare_thresholds, find_jumps

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

OWN = ("emergence", "own.csv", "--x", "N", "--value", "score", "--task", "dataset", "--metric", "kind", "--seed", "s")
TOLD = (*OWN, "--n-eval", "items", "--chance", "0", "--pair", "em=tok")
#: task -> place and width, in steps, of the rise of its tokens, and tokens an answer has.
TASKS = {"copy": (2.5, 4.5, 8), "reverse": (4.5, 0.3, 1), "sum": (4.0, 6.0, 1)}


def rows_of(task: str, seeds: int = 4, later: float = 0.0) -> pd.DataFrame:
    """Nine sizes: a share of 200 answers wholly right (em), and of their tokens (tok)."""
    rng = np.random.default_rng([len(task), int(10 * later)])
    place, width, tokens = TASKS[task]
    size, seed = (axis.ravel() for axis in np.indices((9, seeds)))
    tok = np.clip(1 / (1 + np.exp(-4.4 * (size - place - later) / width)) + 0.02 * rng.standard_normal(len(size)), 0, 1)
    columns = {"dataset": task, "N": 100 * 2.0**size, "s": seed, "items": 200}
    em = rng.binomial(200, tok**tokens) / 200
    return pd.concat([pd.DataFrame(columns | {"kind": kind, "score": y}) for kind, y in (("em", em), ("tok", tok))])


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pd.concat([rows_of(task) for task in TASKS]).to_csv("own.csv", index=False)
    names = {"dataset": "task", "N": "params", "s": "seed", "kind": "metric", "score": "value", "items": "n_eval"}
    for name, later in (("small", 0.0), ("large", 2.0)):
        table = pd.concat([rows_of(task, later=later) for task in TASKS]).rename(columns=names)
        table["paired_metric"] = np.where(table["metric"] == "em", "tok", "")
        table["flops"] = table["params"] * 1e6 * table["task"].map({"copy": 1, "reverse": 1, "sum": 50})
        table.to_csv(f"{name}.csv", index=False)


# --------------------------------------------------------------------------------------------------------- emergence


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_verdicts_of_ones_own_table(suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("own.csv")
    if suffix == "parquet":
        frame.to_parquet("own.parquet")
    elif suffix == "jsonl":
        frame.to_json("own.jsonl", orient="records", lines=True)
    found, ran = done(capsys, "emergence", f"own.{suffix}", *TOLD[2:])
    verdicts = {row["task"]: row["verdict"] for row in found["curves"]}
    assert verdicts["reverse"] == "emergent" and verdicts["sum"] == "smooth"
    assert verdicts["copy"] in ("smooth", "metric artefact"), "its tokens rise smoothly"
    assert found["unknown"] == [] and "not known" not in ran.out
    wanted = {"x": "N", "value": "score", "task": "dataset", "n_eval": "items", "chance": "0", "alpha": 0.05}
    assert wanted.items() <= found["settings"].items()
    assert "reverse, em: emergent – em (" in ran.out and "jumps, and so does tok (" in ran.out
    assert "1 octave of N apart (a factor of 2)" in ran.out and "3 curves, 216 rows, 0 excluded" in ran.out
    row = next(row for row in found["curves"] if row["task"] == "reverse")
    assert row["threshold_low"] < 100 * 2**4.5 < row["threshold_high"] and row["step_octaves"] == pytest.approx(1)
    renamed = frame.rename(
        columns={"dataset": "task", "s": "seed", "kind": "metric", "score": "value", "items": "n_eval"}
    )
    renamed = renamed.assign(paired_metric=np.where(renamed["metric"] == "em", "tok", ""), chance=0.0)
    same = find_jumps(renamed, x="N")
    assert [row["p_value"] for row in found["curves"]] == pytest.approx(same["p_value"].tolist())


def test_what_the_table_does_not_say_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *OWN[:6], "--where", "kind == 'em'", "--exclude", "N > 20000")
    assert [what.split(" (")[0] for what in found["unknown"]] == [
        *("n_eval", "chance", "seeds", "a continuous metric on the same outputs"),
        "whether column dataset tells curves apart",
    ]
    assert all(f"not known: {what}" in ran.out for what in found["unknown"])
    (row,) = found["curves"]
    assert row["metric"] == "score" and row["verdict"] == "inconclusive"
    assert len(found["excluded"]) == 12 and found["n_outside"] == 108
    assert "1 curve, 96 rows, 12 excluded, 108 outside --where" in ran.out


def test_directions_pairs_and_a_column_of_chance(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("own.csv").assign(guess=0.01)
    frame["score"] = np.where(frame["kind"] == "em", 1 - frame["score"], frame["score"])
    frame.assign(kind=frame["kind"].replace("em", "miss")).to_csv("own.csv", index=False)
    turned, _ = done(capsys, *OWN, "--chance", "guess", "--lower-is-better", "miss", "--pair", "miss=tok")
    assert {row["task"]: row["verdict"] for row in turned["curves"]}["reverse"] == "emergent"
    assert {row["chance"] for row in turned["curves"]} == {0.01}
    assert {row["continuous_metric"] for row in turned["curves"]} == {"tok"}
    loose = done(capsys, *TOLD[:12], "--lower-is-better", "miss", "--alpha", "0.9", "--fraction", "0.2")[0]
    half = {row["task"]: row["threshold"] for row in turned["curves"]}
    assert all(row["threshold"] < 1.05 * half[row["task"]] for row in loose["curves"] if row["metric"] == "miss")
    assert loose["settings"]["alpha"] == 0.9


def test_scores_of_the_literature_stand_beside(capsys: pytest.CaptureFixture[str]) -> None:
    found, _ = done(capsys, *TOLD, "--scores")
    breakthrough = {row["task"]: row["breakthroughness"] for row in found["curves"]}
    assert breakthrough["reverse"] > breakthrough["sum"]


def test_rows_that_cannot_be_used_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("own.csv")
    frame.loc[[3, 7], "score"] = np.nan
    frame.loc[5, "N"] = np.inf
    frame.to_csv("own.csv", index=False)
    found, _ = done(capsys, *TOLD)
    assert found["excluded"] == [
        {"row": 4, "why": "score is not a finite number"},
        {"row": 6, "why": "N is not a finite number"},
        {"row": 8, "why": "score is not a finite number"},
    ]


def test_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, *TOLD, "--plot", "drawn/own.png")
    assert ran.code == 0, ran.err
    assert Path("drawn/own.png").read_bytes()[:4] == b"\x89PNG" and "drawn/own.svg" in ran.out
    ran = run(capsys, "compare", "small.csv", "--x", "params,flops", "--plot", "forest.png")
    assert ran.code == 0, ran.err
    assert Path("forest_params.png").exists() and Path("forest_flops.svg").exists()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--x", "n"], ["column 'n' is missing"]),
        (["--value", "scor"], ["column 'scor' is missing", "'score'"]),
        (["--task", "data"], ["column 'data' is missing", "'dataset'"]),
        (["--n-eval", "item"], ["column 'item' is missing", "'items'"]),
        (["--n-eval", "zero", "--derive", "zero = 0 * N"], ["column zero, row 1: 0", "from 1 on"]),
        (["--value", "high", "--derive", "high = 2 + score", "--n-eval", "items"], ["column high, row 1", "[0, 1]"]),
        (["--x", "down", "--derive", "down = 0 - N"], ["column down, row 1: -100", "above 0"]),
        (["--value", "dataset"], ["column dataset, row 1: 'copy': a number is wanted"]),
        (["--chance", "guss"], ["--chance guss", "a column", "a number"]),
        (["--lower-is-better", "emm"], ["--lower-is-better emm: no metric 'emm'", "'em'"]),
        (["--pair", "em"], ["--pair em", "METRIC=CONTINUOUS"]),
        (["--pair", "em=tk"], ["--pair em=tk: no metric 'tk'", "'tok'"]),
        (["--alpha", "2"], ["--alpha: 2", "between 0 and 1"]),
        (["--fraction", "0"], ["--fraction: 0", "between 0 and 1"]),
        (["--plot", "own.pdf"], ["--plot", ".png"]),
        (["--where", "N > 1e9"], ["own.csv: no rows left"]),
        (["--where", "kind == 'tok'", "--pair", "em=tok"], ["no metric 'em'"]),
    ],
)
def test_emergence_refuses(argv: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *OWN, *argv).refused(*words)


def test_emergence_wants_sizes_and_values_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *OWN[:2]).refused("--x: the column of sizes must be named", "dataset, N")
    assert run(capsys, *OWN[:4]).refused("--value: the column of the metric's values must be named")
    frame = pd.read_csv("own.csv").assign(kind="loss")
    frame.to_csv("own.csv", index=False)
    assert run(capsys, *OWN).refused("own.csv: no metric that could jump", "loss")


# ----------------------------------------------------------------------------------------------------------- compare


def test_families_are_compared_under_names_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, "compare", "small.csv", "large.csv", "--x", "params,flops", "--metric", "em")
    by_params, by_flops = found["comparisons"]
    assert (by_params["x"], by_flops["x"]) == ("params", "flops")
    names = [row["curve"] for row in by_params["table"]]
    assert sorted(names) == sorted(f"{family}: {task}" for family in ("small", "large") for task in TASKS)
    pair = {(row["first"], row["second"]): row for row in by_params["pairs"]}["small: reverse", "large: reverse"]
    assert pair["low"] < 4 < pair["high"] and pair["p_adjusted"] < 0.01
    assert names[0] == "small: sum" and "their order is open" in ran.out
    assert f"{names[0]} appears at size " in ran.out and f"the size of {names[0]}" in ran.out
    # By FLOPs `sum` comes last of all instead of first: the two orders agree in part.
    places = [{row["curve"]: row["threshold"] for row in each["table"]} for each in (by_params, by_flops)]
    tau = kendalltau([places[0][name] for name in names], [places[1][name] for name in names]).statistic
    assert found["agreement"]["tau"] == pytest.approx(tau) and found["agreement"]["high"] < 1
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
        (["own.csv", "--x", "N"], ["own.csv: column 'metric' is missing"]),
        (["smal.csv", "--x", "params"], ["smal.csv: no such file", "'small.csv'"]),
        (["small.csv", "small.csv", "--x", "params"], ["small.csv: named twice"]),
        (["small.csv", "--x", "params,flops,seed"], ["one or two columns; got 3"]),
        (["small.csv", "--x", "params,flps"], ["--x flps: no such column or metric", "'flops'"]),
        (["small.csv", "--x", "tok"], ["--x tok: is a metric", "rung"]),
        (["small.csv", "--x", "params", "--metric", "emm"], ["metric 'emm' is not there", "'em'"]),
        (["small.csv", "--x", "params", "--metric", "em,em"], ["--metric em,em", "each once"]),
        (["small.csv", "--x", "params", "--where", "params > 1e9"], ["small.csv: no rows left (--where)"]),
        (["small.csv", "--x", "params", "--level", "1"], ["--level: 1", "between 0 and 1"]),
        (["small.csv", "--x", "params", "--plot", "a.svg"], ["--plot", ".png"]),
    ],
)
def test_compare_refuses(argv: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "compare", *argv).refused(*words)


def test_neither_torch_nor_matplotlib_is_loaded() -> None:
    run_all = [TOLD, ("compare", "small.csv", "--x", "params")]
    assert loaded_after(*run_all) == "[0, 0] set()\n"
