"""Tables with a column a task or a column a metric, and tables joined to a second one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import run
from own_curves import TOLD, write_curves
from own_tables import SURFACE, done, write_tables

#: A warning of numpy would stand between the lines that a user reads.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

WIDE = ("emergence", "wide.csv", "--x", "N", "--seed", "s", "--n-eval", "items", "--chance", "0")
PAIRED = (*WIDE, "--value", "em_*", "--pair", "em_*=tok_*")


@pytest.fixture(autouse=True)
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """own.csv with a row a task and metric, and the same as wide.csv, with a column a task and metric."""
    monkeypatch.chdir(tmp_path)
    write_curves()
    own = pd.read_csv("own.csv")
    own["column"] = own["kind"] + "_" + own["dataset"]
    wide = own.pivot(index=["N", "s", "items"], columns="column", values="score").reset_index()
    wide.to_csv("wide.csv", index=False)


def by_task(found: dict) -> dict[str, dict]:
    return {row["task"]: row for row in found["curves"]}


@pytest.mark.parametrize(
    "flags",
    [
        ("--value", "em_*", "--pair", "em_*=tok_*"),
        ("--value", "em_*", "--pair", "em=tok_*"),
        ("--value", "em_copy,em_reverse,em_sum", "--pair", "em_*=tok_*"),
    ],
)
def test_a_column_a_task_is_a_row_a_task(flags: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    long, _ = done(capsys, *TOLD)
    wide, ran = done(capsys, *WIDE, *flags)
    assert set(by_task(wide)) == {"copy", "reverse", "sum"}
    for task, row in by_task(long).items():
        assert by_task(wide)[task] == row
    assert wide["settings"]["value"] == flags[1]
    assert f"read: 3 tasks in columns {flags[1]}: copy, reverse, sum" in ran.out
    assert "read: 3 tasks in columns tok_*: copy, reverse, sum" in ran.out
    assert "3 curves, 216 values in 36 rows, 0 excluded" in ran.out


def test_single_columns_are_paired_beside_a_pattern(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = ("--pair", "em_copy=tok_copy", "--pair", "em_sum=tok_sum")
    found, ran = done(capsys, *WIDE, "--value", "em_*", *pairs)
    whole, _ = done(capsys, *PAIRED)
    for task in ("copy", "sum"):
        assert by_task(found)[task]["verdict"] == by_task(whole)[task]["verdict"]
    assert by_task(found)["reverse"]["continuous_metric"] == ""
    assert "not known: tok_copy,tok_sum of reverse, beside em_*" in ran.out
    both = (*PAIRED, "--pair", "em_copy=tok_copy")
    assert run(capsys, *both).refused("--pair em_copy=tok_copy: the tasks of em_* have one continuous metric")


def test_items_may_be_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    (items,) = pd.read_csv("wide.csv")["items"].unique()
    number = [str(items) if word == "items" else word for word in PAIRED]
    assert by_task(done(capsys, *number)[0]) == by_task(done(capsys, *PAIRED)[0])
    assert run(capsys, *WIDE[:6], "--n-eval", "0", *PAIRED[10:]).refused("--n-eval 0: allowed is a column, or a number")


@pytest.mark.parametrize(("name", "flag"), [("s", "--seed"), ("N", "--x"), ("items", "--n-eval")])
def test_a_column_with_a_role_is_no_metric(name: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = run(capsys, *WIDE, "--value", f"em_copy,{name}")
    assert asked.refused(f"--value em_copy,{name}: column {name} is that of {flag}")


def test_without_value_a_pattern_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *WIDE).refused("--value: the column of the metric's values must be named", "--value 'acc_*'")


def test_a_column_a_metric(capsys: pytest.CaptureFixture[str]) -> None:
    found, ran = done(capsys, *WIDE, "--value", "em_reverse", "--pair", "em_reverse=tok_reverse")
    (row,) = found["curves"]
    assert (row["metric"], row["continuous_metric"], row["verdict"]) == ("em_reverse", "tok_reverse", "emergent")
    assert row["task"] == "" and "read:" not in ran.out


def test_compare_reads_the_same_columns(capsys: pytest.CaptureFixture[str]) -> None:
    long, _ = done(capsys, "compare", *TOLD[1:])
    wide, _ = done(capsys, "compare", *PAIRED[1:])
    assert wide["comparisons"] == long["comparisons"]


def test_cells_without_a_number_are_listed_and_the_others_kept(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("wide.csv")
    frame.loc[2, "em_copy"] = np.nan
    frame.loc[4, [name for name in frame if "_" in name]] = np.nan
    frame.to_csv("wide.csv", index=False)
    found, ran = done(capsys, *PAIRED)
    assert found["excluded"] == [
        {"row": 3, "why": "em_copy is not a finite number"},
        {"row": 5, "why": "no finite number in em_*, tok_*"},
    ]
    assert {row["task"]: row["n_runs"] for row in found["curves"]} == {"copy": 34, "reverse": 35, "sum": 35}
    assert "3 curves, 209 values in 35 rows, 2 excluded" in ran.out


def test_a_pair_that_some_tasks_lack_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("wide.csv").rename(columns={"tok_copy": "tok_other"})
    frame.to_csv("wide.csv", index=False)
    found, ran = done(capsys, *PAIRED)
    assert {task: row["continuous_metric"] for task, row in by_task(found).items()} == {
        "copy": "",
        "reverse": "tok",
        "sum": "tok",
    }
    assert "not known: tok_* of copy, beside em_* (no jump of it can be called emergent or an artefact)" in ran.out
    assert "not known: em_* of other, beside tok_* (its columns are not read)" in ran.out


def test_standard_errors_and_items_have_columns_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("wide.csv").drop(columns="items")
    for task in ("copy", "reverse", "sum"):
        frame[f"items_{task}"] = 200
    frame.to_csv("wide.csv", index=False)
    by_items, _ = done(capsys, *PAIRED, "--n-eval", "items_*")
    for task in ("copy", "reverse", "sum"):
        share = frame[f"em_{task}"]
        frame[f"em_stderr_{task}"] = np.sqrt(share * (1 - share) / 199)
    frame.to_csv("wide.csv", index=False)
    by_error, ran = done(capsys, *PAIRED[:6], *PAIRED[8:], "--stderr", "em_stderr_*")
    assert "used: standard errors, from which the test items follow: em 200" in ran.out
    for task, row in by_task(by_items).items():
        assert by_task(by_error)[task]["p_value"] == pytest.approx(row["p_value"])
    _, ran = done(capsys, *PAIRED[:6], "--value", "em_*")
    assert "not read: em_stderr_copy, em_stderr_reverse, em_stderr_sum, standard errors by their names" in ran.out


def test_a_likely_pair_of_columns_is_offered(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("wide.csv")
    frame.columns = [name.replace("tok_", "bpb_") for name in frame]
    frame.to_csv("wide.csv", index=False)
    found, ran = done(capsys, *WIDE, "--value", "em_*")
    assert "offered: bpb_* may be the continuous metric of em_*" in ran.out and "--pair 'em_*=bpb_*'" in ran.out
    assert {row["continuous_metric"] for row in found["curves"]} == {""}


def test_columns_of_groups_within_tasks_that_the_table_names(capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv("wide.csv")
    pd.concat([frame.assign(exam="a"), frame.assign(exam="b")]).to_csv("wide.csv", index=False)
    found, _ = done(capsys, *PAIRED, "--task", "exam")
    assert sorted((row["task"], row["subtask"]) for row in found["curves"]) == [
        (exam, group) for exam in "ab" for group in ("copy", "reverse", "sum")
    ]


@pytest.mark.parametrize("verb", ["emergence", "compare"])
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--value", "emm_*"], ["emm_*: no column is named so", "em_sum"]),
        (["--value", "*"], ["*: allowed is a pattern with one star"]),
        (["--value", "e*_*"], ["e*_*: allowed is a pattern with one star"]),
        (["--value", "em_copy,em_rev"], ["column 'em_rev' is missing", "'em_reverse'"]),
        (["--value", "em_copy,em_copy"], ["--value em_copy,em_copy", "each once"]),
        (["--value", "em_*", "--pair", "em_*"], ["--pair em_*: allowed is METRIC=CONTINUOUS"]),
        (["--value", "em_*", "--pair", "em_*=bpb_*"], ["bpb_*: no column is named so"]),
        (["--value", "em_*", "--pair", "f1_*=tok_*"], ["--pair f1_*=tok_*: f1_* is none of --value em_*"]),
        (["--value", "em_copy", "--pair", "em_copy=tokk"], ["column 'tokk' is missing", "'tok_sum'"]),
        (["--value", "*_sum,em_s*"], ["column em_sum: fits", "*_sum", "em_s*", "alike"]),
        (["--value", "em_*", "--pair", "em_*=tok_*", "--pair", "em_*=em_s*"], ["--pair em_*=em_s*: a metric has one"]),
        (["--value", "em_c*", "--pair", "em_c*=tok_r*"], ["no task has columns of both (opy beside everse)"]),
        (["--value", "em_*", "--stderr", "items"], ["--stderr items: one column beside several of values"]),
        (["--value", "em_copy,loss", "--derive", "loss = 1 - em_copy"], ["a list is of tasks of one metric", "loss"]),
        (["--value", "em_*", "--task", "items", "--subtask", "s"], ["--value: columns of tasks beside columns that"]),
        (["--value", "em_*", "--derive", "em_text = 'a'"], ["column em_text, row 1: 'a': a number is wanted"]),
    ],
)
def test_columns_that_cannot_be_are_refused(
    verb: str, flags: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, verb, *WIDE[1:], *flags).refused(*words)


# ---------------------------------------------------------------------------------------------------------- two tables


def split(source: str, names: list[str], key: list[str]) -> None:
    """Move columns of a table to about.csv, and leave a column model in both."""
    frame = pd.read_csv(source)
    frame["model"] = frame[key].astype(str).agg("-".join, axis=1)
    frame[["model", *names]].drop_duplicates().to_csv("about.csv", index=False)
    frame.drop(columns=names).to_csv(source, index=False)


@pytest.mark.parametrize("verb", ["emergence", "compare"])
def test_curves_take_sizes_from_a_second_table(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    whole, _ = done(capsys, verb, *TOLD[1:])
    split("own.csv", ["N"], ["N"])
    joined, ran = done(capsys, verb, *TOLD[1:], "--about", "about.csv")
    key = "curves" if verb == "emergence" else "comparisons"
    assert joined[key] == whole[key] and "joined about.csv by model\n" in ran.out
    assert joined["settings"]["about"] == "about.csv"


@pytest.mark.parametrize(
    "command", [("fit", "--law", "hoffmann"), ("forecast", "--at", "N=7e9,D=1e11"), ("allocate", "--compute", "1e22")]
)
def test_laws_take_sizes_from_a_second_table(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    write_tables()
    whole, _ = done(capsys, command[0], *SURFACE, *command[1:])
    split("surface.csv", ["N", "D", "C"], ["N", "D"])
    joined, _ = done(capsys, command[0], *SURFACE, *command[1:], "--about", "about.csv", "--derive", "R = D / N")
    key = {"fit": "params", "forecast": "forecasts", "allocate": "allocation"}[command[0]]
    assert joined[key] == whole[key]


def test_rows_that_the_second_table_does_not_know_are_left_out_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    split("own.csv", ["N"], ["N"])
    about = pd.read_csv("about.csv")
    about[about["N"] != 800].assign(note="x").to_csv("about.csv", index=False)
    found, ran = done(capsys, *TOLD, "--about", "about.csv")
    assert len(found["excluded"]) == 24
    assert {each["why"].split(";")[0] for each in found["excluded"]} == {"model 800 has no row in about.csv"}
    assert "3 curves, 192 rows, 24 excluded" in ran.out
    assert run(capsys, *TOLD, "--about", "abut.csv").refused("abut.csv: no such file", "'about.csv'")
    pd.concat([about, about.head(1)]).to_csv("about.csv", index=False)
    assert run(capsys, *TOLD, "--about", "about.csv").refused("about.csv: rows 1 and 10 are both of model")
