"""harness emergence, from a user's own table to verdicts, words, JSON and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import loaded_after, run
from one_style import check_one_style
from own_curves import FEW_SIZES, OWN, TOLD, write_curves
from own_tables import done
from record_rows import measurement_rows, run_row

from harness import find_jumps
from harness.records.store import collect
from harness.records.writer import write_run

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_curves()


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_verdicts_of_ones_own_table(suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("own.csv")
    if suffix == "parquet":
        frame.to_parquet("own.parquet")
    elif suffix == "jsonl":
        frame.to_json("own.jsonl", orient="records", lines=True)
    found, ran = done(capsys, "emergence", f"own.{suffix}", *TOLD[2:])
    verdicts = {row["task"]: row["verdict"] for row in found["curves"]}
    assert verdicts["reverse"] == "emergent" and verdicts["sum"] == "smooth" and verdicts["copy"] != "emergent"
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
        *("n_eval", "chance", "seeds", "whether column dataset tells curves apart"),
        "a continuous metric on the same outputs",
    ]
    assert all(f"not known: {what}" in ran.out for what in found["unknown"])
    (row,) = found["curves"]
    assert row["metric"] == "score" and row["verdict"] == "candidate"
    assert len(found["excluded"]) == 12 and found["n_outside"] == 108
    assert "1 curve, 96 rows, 12 excluded, 108 outside --where" in ran.out


def test_scores_of_the_literature_stand_beside(capsys: pytest.CaptureFixture[str]) -> None:
    found, _ = done(capsys, *TOLD, "--scores")
    breakthrough = {row["task"]: row["breakthroughness"] for row in found["curves"]}
    assert breakthrough["reverse"] > breakthrough["sum"]


def test_picture(capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(capsys, *TOLD, "--plot", "drawn/own.png")
    assert ran.code == 0, ran.err
    assert Path("drawn/own.png").read_bytes()[:4] == b"\x89PNG" and "drawn/own.svg" in ran.out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--x", "n"], ["--x n: no such column or metric", "N, s, items, score"]),
        (["--value", "scor"], ["column 'scor' is missing", "'score'"]),
        (["--task", "data"], ["column 'data' is missing", "'dataset'"]),
        (["--n-eval", "item"], ["column 'item' is missing", "'items'"]),
        (["--n-eval", "zero", "--derive", "zero = 0 * N"], ["column zero, row 1: 0", "from 1 to 1e18"]),
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
    assert run(capsys, *OWN).refused("own.csv: no metric that could jump", "loss", "--discontinuous")
    assert done(capsys, *OWN, "--discontinuous", "loss")[0]["curves"][0]["metric"] == "loss"


def test_neither_torch_nor_matplotlib_is_loaded() -> None:
    assert loaded_after((*TOLD, *FEW_SIZES)) == "[0] set()\n"


def test_what_is_assumed_of_metrics_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("own.csv")
    mse = frame[frame["kind"] == "tok"].assign(kind="mse", score=1 - frame["score"])
    pd.concat([frame, mse]).to_csv("own.csv", index=False)
    found, ran = done(capsys, *OWN, "--n-eval", "items", "--exclude", "kind == 'tok'")
    assert found["assumed"] == {
        "em": {"higher_is_better": True, "discontinuous": True},
        "mse": {"higher_is_better": False, "discontinuous": False},
    }
    assert "assumed by name: em: higher is better, discontinuous\n" in ran.out
    assert "assumed by name: mse: smaller is better, continuous\n" in ran.out
    assert {row["continuous_metric"] for row in found["curves"]} == {""}, "a pair is offered, and not used"
    assert "offered: mse may be the continuous metric of em" in ran.out and ": --pair em=mse\n" in ran.out
    assert {row["task"]: row["verdict"] for row in found["curves"]}["reverse"] != "emergent"
    stated = ("--pair", "em=mse", "--higher-is-better", "em", "--lower-is-better", "mse")
    found, ran = done(capsys, *OWN, "--n-eval", "items", "--exclude", "kind == 'tok'", *stated)
    assert found["assumed"] == {} and "assumed" not in ran.out
    assert found["offered"] == [] and "offered" not in ran.out
    assert {row["task"]: row["verdict"] for row in found["curves"]}["reverse"] == "emergent"


def test_a_results_folder_states_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for size in range(6):
        for seed in range(2):
            run_id = f"{size}{seed}"
            sizes = {"rung": size, "params_total": 100 * 2**size, "seed": seed}
            write_run(tmp_path / "theirs", run_row(run_id, **sizes), measurement_rows(run_id=run_id))
    collect(tmp_path / "theirs")
    found, _ = done(capsys, "emergence", str(tmp_path / "theirs"), "--x", "params_total")
    assert found["assumed"] == {} and found["curves"][0]["continuous_metric"] == "loss"


def test_one_output_has_one_style(capsys: pytest.CaptureFixture[str]) -> None:
    """p was <0.001 in the table and p < .001 in the reasons, shares 95 % and 100%."""
    ran = run(capsys, *TOLD)
    check_one_style(ran.out)
    assert "p < 0.001" in ran.out and " < 0.001 " in ran.out


@pytest.mark.parametrize(("column", "cell"), [("metric", ""), ("task", "")])
def test_an_empty_name_is_refused_by_row(capsys: pytest.CaptureFixture[str], column: str, cell: str) -> None:
    frame = pd.DataFrame({"N": 2.0 ** np.arange(8), "metric": "acc", "task": "a", "value": np.linspace(0, 1, 8)})
    frame.loc[3, column] = cell
    frame.to_csv("named.csv", index=False)
    assert run(capsys, "emergence", "named.csv", "--x", "N").refused(f"column {column}, row 4", "a label is wanted")


def test_a_list_is_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"N": 2.0 ** np.arange(8), "task": [["a"]] * 8, "value": np.linspace(0, 1, 8)})
    frame.to_parquet("lists.parquet")
    assert run(capsys, "emergence", "lists.parquet", "--x", "N").refused("column task, row 1", "a label is wanted")


def test_what_a_table_states_in_passing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.DataFrame({"N": 2.0 ** np.arange(8), "metric": "acc", "value": np.linspace(0, 1, 8)})
    frame.assign(stderr=0.01, paired_metric="nope").to_csv("passing.csv", index=False)
    shown = run(capsys, "emergence", "passing.csv", "--x", "N").out
    assert "used: standard errors" in shown and "nope, which paired_metric names and no row measures" in shown


# ------------------------------------------------------------------------------------------- order, choice and summary


def shown(out: str) -> list[str]:
    """Tasks of the curves whose reasons are printed, in order."""
    lines = [line for line in out.splitlines() if ", em: " in line]
    return [line.split(", em: ")[0] for line in lines]


def test_curves_are_put_in_order_and_the_first_shown(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *TOLD)
    assert shown(ran.out) == [row["task"] for row in found["curves"]] == ["copy", "reverse", "sum"]
    for name, column, sign in (("p", "p_value", 1), ("statistic", "statistic", -1), ("threshold", "threshold", 1)):
        found, ran = done(capsys, *TOLD, "--sort", name)
        values = [sign * row[column] for row in found["curves"]]
        assert values == sorted(values) and shown(ran.out) == [row["task"] for row in found["curves"]]
    found, ran = done(capsys, *TOLD, "--sort", "p", "--top", "1")
    assert shown(ran.out) == ["reverse"] and len(found["curves"]) == 3, "the JSON has all"
    assert "; 1 shown (--json has all)" in ran.out


def test_verdicts_are_chosen_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *TOLD, "--verdict", "emergent,candidate", "--plot", "own.png")
    assert shown(ran.out) == ["reverse"] and len(found["curves"]) == 3
    counts = pd.Series([row["verdict"] for row in found["curves"]]).value_counts()
    assert found["verdicts"] == counts.to_dict() and sum(found["verdicts"].values()) == 3
    assert "3 curves: " in ran.out and all(f"{n} {verdict}" in ran.out for verdict, n in counts.items())
    none, ran = done(capsys, *TOLD, "--verdict", "drop", "--plot", "none.png")
    assert shown(ran.out) == [] and "0 shown" in ran.out and "none.png is not drawn" in ran.out
    assert none["verdicts"] == found["verdicts"] and not Path("none.png").exists()
    assert run(capsys, *TOLD, "--verdict", "emergnt").refused("--verdict: emergnt", "'emergent'")
    assert run(capsys, *TOLD, "--sort", "size").refused("--sort: size", "p, statistic, threshold")


def test_the_table_shows_the_state_and_the_pair(capsys: pytest.CaptureFixture[str]) -> None:
    _, ran = done(capsys, *TOLD)
    (row,) = [line for line in ran.out.splitlines() if line.startswith(" reverse ")]
    assert "jump" in row and "tok: jump" in row
    _, ran = done(capsys, *TOLD[:-2], "--continuous", "tok")
    (row,) = [line for line in ran.out.splitlines() if line.startswith(" reverse ")]
    assert "jump" in row and " – " in row, "no pair, no judge"


def test_a_loss_beside_an_accuracy_is_not_taken_for_its_pair(capsys: pytest.CaptureFixture[str]) -> None:
    """A planted jump became 'metric artefact: loss on the same outputs does not', by the loss of the pretraining."""
    frame = pd.read_csv("own.csv").query("kind == 'em'").assign(kind="accuracy")
    loss = frame.assign(kind="loss", score=5 * frame["N"] ** -0.1)
    pd.concat([frame, loss]).to_csv("own.csv", index=False)
    found, ran = done(capsys, *TOLD[:-2])
    (row,) = [row for row in found["curves"] if row["task"] == "reverse"]
    assert row["state"] == "jump" and row["continuous_metric"] == "" and row["verdict"] != "metric artefact"
    assert "offered: loss may be the continuous metric of accuracy" in ran.out
    assert found["offered"] and "(a pretraining loss does not): --pair accuracy=loss" in found["offered"][0]
