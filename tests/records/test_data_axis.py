"""Numbers of training examples as an axis of curves, hashes of data that differ, and tables from before there were."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from piece_files import write_as_earlier
from record_rows import measurement_rows, run_row

from harness.errors import RunsWarning
from harness.records.comparable import comparable, differing_data
from harness.records.run_settings import durations, settings_of, stated_settings
from harness.records.schema import ADDED
from harness.records.store import collect, load, load_runs
from harness.records.writer import write_run
from harness.report.analyze import analyze

LIMITS = [16, 64]
LENGTHS = [4, 8]


def write_grid(folder: Path) -> None:
    """Two widths, each at two lengths with two numbers of examples."""
    asked = {"steps": LENGTHS, "train_examples": LIMITS}
    for width, size in ((8, 50), (16, 100)):
        for index in range(4):
            examples = LIMITS[index % 2]
            config = json.dumps({"version": 1, "train_examples": examples, "ladder": asked})
            about = {"width": width, "params_total": size, "duration": index, "steps": LENGTHS[index // 2]}
            about |= {"unique_examples": examples, "epochs": 1.0, "config": config}
            write_run(folder, run_row(f"{width}-{index}", **about), measurement_rows())


def ids(frame: pd.DataFrame) -> set[str]:
    return set(frame["run_id"])


def test_most_examples_and_the_longest_duration_make_a_curve_over_sizes(tmp_path: Path) -> None:
    write_grid(tmp_path)
    with pytest.warns(RunsWarning, match=r"fewer training examples than the most.*analysis\.x=unique_examples makes"):
        frame = load(tmp_path)
    assert ids(frame) == {"8-3", "16-3"}
    assert set(frame["unique_examples"]) == {64}


def test_over_data_every_number_of_examples_counts_at_the_largest_size(tmp_path: Path) -> None:
    write_grid(tmp_path)
    frame, told = comparable(load(tmp_path, runs="all"), x="unique_examples")
    assert ids(frame) == {"16-2", "16-3"}
    assert told == (
        "4 of 8 runs of main are left out: smaller than the largest size of their study (by=width makes a curve of "
        "each size)",
        "2 of 8 runs of main are left out: shorter than the longest duration of their study",
    )


def test_over_data_the_size_that_differs_is_named_as_the_way_to_see_the_others(tmp_path: Path) -> None:
    write_grid(tmp_path)
    frame = load(tmp_path, runs="all").query("step == 4")
    assert set(comparable(frame, apart=["width"], x="unique_examples")[0]["width"]) == {8, 16}
    (smaller, _) = comparable(frame, x="unique_examples", flags=True)[1]
    assert smaller.endswith("(--by width makes a curve of each size)")
    deeper = frame.assign(depth=frame["width"], width=8)
    assert comparable(deeper, x="unique_examples")[1][0].endswith("(by=depth makes a curve of each size)")


def test_a_run_states_its_duration_and_examples(tmp_path: Path) -> None:
    write_grid(tmp_path)
    runs = load_runs(tmp_path).query("width == 8")
    assert durations(runs)["length"].tolist() == [4, 4, 8, 8]
    assert durations(runs)["examples"].tolist() == [16, 64, 16, 64]
    assert stated_settings(runs)[2] == {"version": 1, "ladder.steps": 8, "ladder.train_examples": 16}


def test_a_setting_by_a_rule_is_the_rule_at_every_size() -> None:
    rule = {"rule": "power", "at": 0.1, "N": -0.5}
    configs = [{"optimizer": {"lr": lr}, "batch_size": 8, "rules": {"optimizer.lr": rule}} for lr in (0.1, 0.2)]
    first, second = map(settings_of, configs)
    assert first == second == {"optimizer.lr": json.dumps(rule), "ladder.batch_size": 8}


def test_tables_from_before_there_were_the_columns_are_read_with_nulls(tmp_path: Path) -> None:
    write_run(tmp_path, run_row("aa"), measurement_rows())
    collect(tmp_path)
    for path in (tmp_path / "runs.parquet", write_as_earlier(tmp_path, "aa")["runs"]):
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(list(ADDED)), path, write_page_checksum=True)
    runs = load_runs(tmp_path)
    assert runs["run_id"].tolist() == ["aa"] and runs[list(ADDED)].isna().all(axis=None)
    assert collect(tmp_path).problems == ()


def hashed(corpus: str, **more: Any) -> str:
    return json.dumps({"corpus_sha256": corpus, "python": corpus} | more)


def test_runs_of_one_curve_that_saw_different_data_are_told_once(tmp_path: Path) -> None:
    for i, corpus in enumerate(["0123456789", "0123456789", "abcdefghij"]):
        write_run(tmp_path, run_row(f"a{i}", study="text", seed=i, versions=hashed(corpus)), measurement_rows())
        write_run(tmp_path, run_row(f"b{i}", study="other", seed=i, versions=hashed("same")), measurement_rows())
    said = "study text: runs of one curve saw different data: corpus_sha256 01234567 of 2 runs, abcdefgh of 1 runs"
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        load(tmp_path)
    assert [str(each.message) for each in found] == [said]
    assert collect(tmp_path).differing_data == (said,)


def write_changed(folder: Path, **asked: Any) -> None:
    """A run on 80 examples, and one on the 60 of them that were left later."""
    for examples, corpus in ((80, "0123456789"), (60, "abcdefghij")):
        config = json.dumps({"version": 1, "train_examples": examples, "ladder": {"epochs": 5} | asked})
        about = {"unique_examples": examples, "config": config, "versions": hashed(corpus)}
        write_run(folder, run_row(f"of-{examples}", **about), measurement_rows())


@pytest.mark.parametrize("asked", [{}, {"train_examples": None}, {"train_examples": [None]}])
def test_runs_are_not_left_out_because_files_were_deleted(tmp_path: Path, asked: dict[str, Any]) -> None:
    write_changed(tmp_path, **asked)
    with pytest.warns(RunsWarning, match="main: runs of one curve saw different data"):
        frame = load(tmp_path)
    assert ids(frame) == {"of-80", "of-60"} and frame.attrs["left_out"] == []


def test_different_data_are_told_also_of_runs_that_are_left_out(tmp_path: Path) -> None:
    write_changed(tmp_path)
    config = json.dumps({"version": 1, "ladder": {"epochs": 9}})
    write_run(tmp_path, run_row("longer", config=config, versions=hashed("abcdefghij")), measurement_rows())
    with pytest.warns(RunsWarning) as told:
        assert ids(load(tmp_path)) == {"longer"}
    said = [str(each.message) for each in told]
    assert any("corpus_sha256 abcdefgh of 2 runs, 01234567 of 1 runs" in line for line in said)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "corpus_sha256" in analyze(tmp_path, bootstrap=100).differing_data[0]


def test_runs_that_state_no_hash_differ_from_none(tmp_path: Path) -> None:
    versions = [hashed("abc"), "{}", json.dumps({"python": "3.12"})]
    assert list(differing_data(pd.DataFrame({"study": "main", "versions": versions}))) == []
