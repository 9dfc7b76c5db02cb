from __future__ import annotations

from pathlib import Path

import pytest
from record_rows import measurement_rows, run_row

from harness.records.exporters.recorded import read_recorded, series_name
from harness.records.files import file_name
from harness.records.importers.names import split_metric_and_subtask
from harness.records.store import collect
from harness.records.writer import write_run


@pytest.mark.parametrize(("metric", "subtask"), [("loss", "all"), ("accuracy", "bit 3"), ("my_own", "Sub/Task")])
def test_the_name_of_a_series_is_read_back(metric: str, subtask: str) -> None:
    assert split_metric_and_subtask(series_name("eval", metric, subtask)) == ("eval", metric, subtask)


def test_runs_have_their_settings_and_rising_steps(tmp_path: Path) -> None:
    config = '{"study": "main", "task": {"name": "parity", "n_bits": 12}, "optimizer": {"lr": 0.01}}'
    rows = measurement_rows((4, 2)) + measurement_rows((2,), split="train", metric="loss")[:1]
    write_run(tmp_path, run_row("aa", config=config, wall_s=10.0), rows)
    write_run(tmp_path, run_row("bb", seed=1, status="failed", error="killed"), [])
    collect(tmp_path)
    recorded = read_recorded(tmp_path)
    (run,) = recorded.each()
    assert recorded.without_numbers == 1 and recorded.comparable == {"aa"}
    assert run.settings["task.n_bits"] == 12 and run.settings["width"] == 8 and run.settings["status"] == "finished"
    assert list(run.series) == [2, 4]
    assert run.series[2] == {
        "train/num_input_tokens_seen": 4.0,
        "train/total_flos": 500.0,
        "eval/loss": 0.5,
        "eval/accuracy": 0.5,
        "train/loss": 0.5,
    }
    assert [run.time_s(step) - run.time_s(4) for step in (0, 2, 4)] == [-10.0, -5.0, 0.0]


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "a/b", ".hidden", "..", ""])
def test_no_name_leaves_its_folder(name: str) -> None:
    made = file_name(name)
    assert made and "/" not in made and not made.startswith(".")
